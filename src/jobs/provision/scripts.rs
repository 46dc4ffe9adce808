//! The constant scripts of provisioning, and how they say what they did.

use std::time::Duration;

use crate::remote::RemoteScript;

/// How long one script may run: packages come from a mirror that may be slow, behind a lock that may be held.
pub const LIMIT: Duration = Duration::from_secs(1200);

/// Says what a host is.
pub const FACTS: RemoteScript =
    RemoteScript { name: "facts", text: include_str!("../../../scripts/facts.bash"), root: false };
/// Installs what is missing from the distribution.
pub const PACKAGES: RemoteScript =
    RemoteScript { name: "packages", text: include_str!("../../../scripts/packages.bash"), root: true };
/// Makes the user that Skiff signs in as.
pub const USER: RemoteScript =
    RemoteScript { name: "user", text: include_str!("../../../scripts/user.bash"), root: true };
/// Makes the folders.
pub const FOLDERS: RemoteScript =
    RemoteScript { name: "folders", text: include_str!("../../../scripts/folders.bash"), root: true };
/// Sets Docker up and starts it.
pub const DOCKER: RemoteScript =
    RemoteScript { name: "docker", text: include_str!("../../../scripts/docker.bash"), root: true };
/// Starts or reloads the proxy.
pub const HAPROXY: RemoteScript =
    RemoteScript { name: "haproxy", text: include_str!("../../../scripts/haproxy.bash"), root: true };

/// Runs the registry of images, or takes it away.
pub const REGISTRY: RemoteScript =
    RemoteScript { name: "registry", text: include_str!("../../../scripts/registry.bash"), root: true };

/// What a script said of itself on lines of its own: `::state changed`, `::state unchanged`, `::reason …`.
#[derive(Default)]
pub struct Said {
    /// Whether it changed anything.
    pub changed: bool,
    /// Why it gave up.
    pub reason: Option<String>,
}

impl Said {
    /// Takes such a line; false for any other.
    pub fn take(&mut self, line: &[u8]) -> bool {
        let line = String::from_utf8_lossy(line);
        if let Some(state) = line.strip_prefix("::state ") {
            self.changed = state.trim() == "changed";
        } else if let Some(reason) = line.strip_prefix("::reason ") {
            self.reason = Some(crate::jobs::stop::detail(reason.trim()));
        } else {
            return false;
        }
        true
    }
}
