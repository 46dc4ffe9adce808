//! The constant scripts of provisioning, and how they say what they did.

use std::time::Duration;

use crate::domain::names::SshUser;
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
/// Asks HAProxy about a file that is not in use yet.
pub const ACCEPTS: RemoteScript =
    RemoteScript { name: "accepts", text: include_str!("../../../scripts/accepts.bash"), root: true };
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

/// Why somebody may not become root, from a line that sudo printed, or the shell that did not find it; none for any other line.
pub fn no_root(line: &str) -> Option<&'static str> {
    let line = line.trim();
    if line.ends_with("sudo: not found") || line.ends_with("sudo: command not found") {
        return Some("sudo is not installed");
    }
    if line.starts_with("sudo: a password is required") || line.starts_with("sudo: a terminal is required") {
        return Some("sudo asks for a password");
    }
    let forbidden = line.contains(" is not in the sudoers file") || line.contains(" is not allowed to execute ");
    (forbidden || line.starts_with("sudo: ")).then_some("sudo refuses")
}

/// The sentence for a person whose user may not become root: said before anything is changed.
pub fn without_root(user: &SshUser, why: &str) -> String {
    let way = if why == "sudo is not installed" { "Install sudo on the server, and give" } else { "Give" };
    format!(
        "{user} may not become root on the server without a password: {why}. {way} it the line \"{user} ALL=(ALL) NOPASSWD: ALL\" \
         with visudo, or let Skiff sign in as root. Nothing was changed."
    )
}

#[cfg(test)]
mod tests {
    use super::no_root;

    #[test]
    fn what_sudo_says_is_understood() {
        for (line, why) in [
            ("bash: line 1: exec: sudo: not found", Some("sudo is not installed")),
            ("sh: 1: exec: sudo: not found", Some("sudo is not installed")),
            ("sudo: a password is required", Some("sudo asks for a password")),
            ("sudo: a terminal is required to read the password; either use", Some("sudo asks for a password")),
            ("Sorry, user ada is not allowed to execute '/bin/bash' as root on rig1.", Some("sudo refuses")),
            ("let skiff use sudo", None),
            ("everything is installed", None),
        ] {
            assert_eq!(no_root(line), why, "{line}");
        }
    }
}
