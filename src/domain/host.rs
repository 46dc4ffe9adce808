//! A host: a server reached by SSH, or this machine, which is reached the same way.

use serde::{Deserialize, Serialize};

/// How a host stands, as last observed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, sqlx::Type, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum HostState {
    /// Known, not yet provisioned.
    New,
    /// Provisioned and answering.
    Ready,
    /// Did not answer when last asked.
    Unreachable,
    /// Showed another host key than the pinned one: not spoken to until a person accepts it.
    KeyMismatch,
}

/// What a host said about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Facts {
    /// "Debian GNU/Linux 12 (bookworm)".
    pub os: String,
    /// Kernel release.
    pub kernel: String,
    /// Machine architecture as Docker names it (`amd64`).
    pub arch: String,
    /// CPU cores.
    pub cpus: u32,
    /// Memory in MiB.
    pub memory_mib: u64,
    /// Size of the file system of Docker's data in MiB.
    pub disk_mib: u64,
    /// Free space on it in MiB.
    pub disk_free_mib: u64,
    /// Docker Engine version; empty where there is none.
    pub docker: String,
    /// HAProxy version; empty where there is none.
    pub haproxy: String,
    /// The init system: `systemd` or `none`.
    pub init: String,
}
