//! What the forms of hosts send, and what pages show of hosts. Not here: how it is read.

use time::OffsetDateTime;

use super::CheckView;
use crate::actions::apps::Leaving;
use crate::actions::jobs::{JobLine, StepLine};
use crate::domain::host::{Facts, HostState};
use crate::domain::ids::{AppId, HostId, InstanceId, JobId};

/// The form that adds a host. This machine is a host too: name it and leave the rest as it is.
#[derive(Clone, Debug, Default)]
pub struct NewHost {
    /// What people call it: 1–80 characters.
    pub name: String,
    /// Where it answers SSH; `127.0.0.1` is this machine.
    pub address: String,
    /// Its SSH port, 1–65535; empty means 22.
    pub port: String,
    /// The user to sign in as the first time, root or one that may become it by sudo; empty means `root`. Skiff makes a
    /// user of its own there.
    pub user: String,
    /// The port its proxy shall listen on, 1–65535; empty means 80.
    pub http_port: String,
    /// The port its proxy shall serve HTTPS on; empty means 443, `none` means not at all.
    pub https_port: String,
    /// Its host key's fingerprint (`SHA256:…`), where it is known; empty means: show me the one it has.
    pub host_key: String,
    /// The server to go through, `user@address:port`; empty means straight.
    pub jump: String,
    /// What to sign in with the first time, where Skiff shall put its key there itself.
    pub pass: GivePass,
}

/// The form that gives something to sign in with once: a password or a private key.
#[derive(Clone, Default)]
pub struct GivePass {
    /// The user's password.
    pub password: String,
    /// A private key, the file's whole text.
    pub private_key: String,
    /// What the key is locked with, where it is.
    pub passphrase: String,
}

impl std::fmt::Debug for GivePass {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("<secret>")
    }
}

/// The form that gives a host another name or another way in.
#[derive(Clone, Debug, Default)]
pub struct EditHost {
    /// What people call it.
    pub name: String,
    /// Where it answers SSH.
    pub address: String,
    /// Its SSH port; empty means 22.
    pub port: String,
    /// The user to sign in as.
    pub user: String,
    /// The server to go through, `user@address:port`; empty means straight.
    pub jump: String,
}

/// The form that forgets a host.
#[derive(Clone, Debug, Default)]
pub struct ForgetHost {
    /// The host's name, typed.
    pub name: String,
    /// `yes` where the server is gone for good, with all that was on it.
    pub gone: String,
}

/// A host that was forgotten.
#[derive(Clone, Debug)]
pub struct Forgotten {
    /// What it was called.
    pub name: String,
    /// What remains on the server, and the line that takes it away.
    pub remains: Vec<(&'static str, &'static str)>,
}

/// One host in a list.
#[derive(Clone, Debug)]
pub struct HostLine {
    /// The host.
    pub id: HostId,
    /// Its short name.
    pub slug: String,
    /// Its name.
    pub name: String,
    /// Where it answers SSH.
    pub address: String,
    /// How it stands, as last observed.
    pub state: HostState,
    /// More words to the state: why it is unreachable, what a person should do.
    pub note: String,
    /// What it said about itself.
    pub facts: Facts,
    /// Instances of ours on it.
    pub instances: i64,
    /// When it last answered.
    pub seen_at: Option<OffsetDateTime>,
    /// The provisioning run that waits or runs now.
    pub busy: Option<JobId>,
}

/// An instance, as the ledger has it and as it was last seen.
#[derive(Clone, Debug)]
pub struct InstanceLine {
    /// The ledger's identity.
    pub id: InstanceId,
    /// The container's name on the host.
    pub name: String,
    /// The app.
    pub app: AppId,
    /// The app's name.
    pub app_name: String,
    /// The host.
    pub host: HostId,
    /// The host's name.
    pub host_name: String,
    /// The release's number.
    pub number: i32,
    /// 1, 2, … in its deploy.
    pub position: i32,
    /// Its address on the environment's network.
    pub address: String,
    /// The container's id, once it exists.
    pub container: Option<String>,
    /// What it is: "serving", "starting", "leaving", "kept for inspection".
    pub state: InstanceState,
    /// What was last seen of it: `up`, `created`, `ended`, `missing`; empty where nobody looked yet.
    pub seen: String,
    /// When it was last looked at.
    pub seen_at: Option<OffsetDateTime>,
    /// When it was made.
    pub created_at: OffsetDateTime,
}

/// How an instance stands, from the ledger and from what was last seen of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InstanceState {
    /// Gets requests (or is the worker that is wanted).
    Serving,
    /// Made, not yet wanted by the proxy.
    Starting,
    /// No longer wanted, not yet removed.
    Leaving,
    /// A failed one, stopped and kept for inspection.
    Kept,
    /// Of an app that is stopped.
    Stopped,
    /// Is to serve, and was last seen ended: Docker may be starting it again.
    Ended,
    /// Is to serve, and was last seen gone from its host.
    Missing,
    /// Is to serve, and its host does not answer: not known since it was last seen.
    Unknown,
}

impl InstanceState {
    /// The word people read.
    pub fn word(self) -> &'static str {
        match self {
            Self::Serving => "serving",
            Self::Starting => "starting",
            Self::Leaving => "leaving",
            Self::Kept => "kept for inspection",
            Self::Stopped => "stopped",
            Self::Ended => "ended",
            Self::Missing => "gone from its host",
            Self::Unknown => "not known",
        }
    }
}

/// A host's page.
#[derive(Clone, Debug)]
pub struct HostView {
    /// The host.
    pub line: HostLine,
    /// Its number in the address plan, 0–251.
    pub number: i16,
    /// Its SSH port.
    pub ssh_port: i32,
    /// The user Skiff signs in as.
    pub ssh_user: String,
    /// The port its proxy listens on.
    pub http_port: i32,
    /// The port of HTTPS once the host was made ready again; none where it shall not serve that.
    pub https_port: Option<i32>,
    /// The port its proxy serves HTTPS on now.
    pub proxy_https_port: Option<i32>,
    /// Whether it builds for the others.
    pub builds: bool,
    /// True once its image registry runs.
    pub has_registry: bool,
    /// The address under which the other hosts are to reach it; empty for none.
    pub private_address: String,
    /// The one its proxy listens on for them now; empty for none.
    pub peer_address: String,
    /// The line for the user's `authorized_keys` on the host.
    pub public_key: String,
    /// The pinned fingerprint; empty until it is confirmed.
    pub host_key: String,
    /// The fingerprint the host showed and a person has yet to confirm; empty where there is none.
    pub host_key_seen: String,
    /// The kind of that key; empty where it is not known.
    pub host_key_seen_kind: String,
    /// The line that makes the server print the fingerprint to compare it with.
    pub host_key_line: &'static str,
    /// The server that stands in between, `user@address:port`; empty where none does.
    pub jump: String,
    /// Its pinned fingerprint; empty until it is confirmed.
    pub jump_host_key: String,
    /// The fingerprint it showed and a person has yet to confirm; empty where there is none.
    pub jump_key_seen: String,
    /// The kind of that key; empty where it is not known.
    pub jump_key_seen_kind: String,
    /// The line that makes the jump host print the fingerprint to compare it with.
    pub jump_key_line: &'static str,
    /// When something was given to sign in with once; none where nothing is kept.
    pub pass_given_at: Option<OffsetDateTime>,
    /// True while a look at its key waits or runs.
    pub looking: bool,
    /// What came of the last check; none before there was one.
    pub check: Option<CheckView>,
    /// True while a check waits or runs.
    pub checking: bool,
    /// True where it is this machine, by its loopback address.
    pub loopback: bool,
    /// What runs on it.
    pub instances: Vec<InstanceLine>,
    /// Removed apps it still has something of.
    pub leaving: Vec<Leaving>,
    /// The latest jobs about it, newest first, at most 10.
    pub jobs: Vec<JobLine>,
    /// The steps of the newest provisioning run.
    pub steps: Vec<StepLine>,
    /// When it was added.
    pub created_at: OffsetDateTime,
    /// True where the actor may provision it.
    pub may_manage: bool,
}

/// The form that gives the proxy another port.
#[derive(Clone, Debug, Default)]
pub struct SetHttpPort {
    /// 1–65535.
    pub http_port: String,
}

/// The form that says what a host does for the team's other hosts.
#[derive(Clone, Debug, Default)]
pub struct HostPart {
    /// The IPv4 address under which the other hosts reach it; empty for none.
    pub private_address: String,
    /// `yes`, or `no` (also when empty): whether it builds for the others.
    pub builds: String,
}

/// The form that confirms a host key.
#[derive(Clone, Debug, Default)]
pub struct ConfirmHostKey {
    /// The fingerprint that was shown, `SHA256:…`, by the host or its jump host: the form repeats it, so that nobody confirms
    /// another than they saw.
    pub host_key: String,
    /// The host's name, typed: asked for where the key takes the place of a pinned one.
    pub name: String,
}
