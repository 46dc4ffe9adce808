//! What a daemon says about itself.

use super::Docker;
use crate::remote::error::Error;

/// Versions of a daemon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DockerVersion {
    /// Of the engine, "20.10.24".
    pub engine: String,
    /// Of its API, "1.41".
    pub api: String,
    /// `amd64`, `arm64` …
    pub arch: String,
}

/// Facts of a daemon and its machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DockerInfo {
    /// Where it keeps its data.
    pub root: String,
    /// "Debian GNU/Linux 12 (bookworm)".
    pub os: String,
    /// Kernel release.
    pub kernel: String,
    /// CPU cores.
    pub cpus: u32,
    /// Memory in MiB.
    pub memory_mib: u64,
    /// Containers of anyone.
    pub containers: u32,
    /// Of these, running.
    pub running: u32,
}

impl Docker {
    /// Asks for the versions.
    pub async fn version(&self) -> Result<DockerVersion, Error> {
        let seen = self.call("Asking Docker for its version", self.api.version()).await?;
        let api = seen.api_version.unwrap_or_default();
        let minor = api.split_once('.').and_then(|(_, minor)| minor.parse().ok()).unwrap_or(0);
        self.transport.speaks(minor);
        Ok(DockerVersion { engine: seen.version.unwrap_or_default(), api, arch: seen.arch.unwrap_or_default() })
    }

    /// Asks for facts.
    pub async fn info(&self) -> Result<DockerInfo, Error> {
        let seen = self.call("Asking Docker about itself", self.api.info()).await?;
        let count = |n: Option<i64>| n.and_then(|n| u32::try_from(n).ok()).unwrap_or(0);
        Ok(DockerInfo {
            root: seen.docker_root_dir.unwrap_or_default(),
            os: seen.operating_system.unwrap_or_default(),
            kernel: seen.kernel_version.unwrap_or_default(),
            cpus: count(seen.ncpu),
            memory_mib: seen.mem_total.and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or(0) >> 20,
            containers: count(seen.containers),
            running: count(seen.containers_running),
        })
    }

    /// One round trip to the daemon.
    pub async fn ping(&self) -> Result<(), Error> {
        self.call("Asking Docker for a sign of life", self.api.ping()).await.map(|_| ())
    }
}
