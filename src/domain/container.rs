//! One container as Skiff starts it. The same value makes the Docker call and the release's `run.bash`,
//! so that both start equal containers.

use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;

use super::names::{ContainerName, EnvName, ImageRef, MountPath, NetworkName, VolumeName};

/// A container to create. Every text in it is of a checked type, but the values of variables and the arguments.
#[derive(Clone, PartialEq, Eq)]
pub struct RunSpec {
    /// The container's name.
    pub name: ContainerName,
    /// The image, by a name that exists on the host (our own tag).
    pub image: ImageRef,
    /// Variables with their exact values, secrets among them: never shown.
    pub env: Vec<(EnvName, String)>,
    /// Labels of ours, `skiff.…`.
    pub labels: Vec<(&'static str, String)>,
    /// Volumes and where they appear.
    pub mounts: Vec<(VolumeName, MountPath)>,
    /// The environment's network.
    pub network: NetworkName,
    /// Its fixed address on that network; none for one-off containers, which take one from the strangers' half.
    pub address: Option<Ipv4Addr>,
    /// Memory limit in bytes; swap is set to the same, so that it is the whole limit.
    pub memory_bytes: Option<i64>,
    /// CPU limit in billionths of a core.
    pub nano_cpus: Option<i64>,
    /// Seconds from SIGTERM to SIGKILL.
    pub stop_grace_s: u16,
    /// True for instances (restarted unless stopped), false for one-off containers.
    pub restart: bool,
    /// Program and arguments in place of the image's own; empty for the image's.
    pub argv: Vec<String>,
}

/// Log driver of every container of ours.
pub const LOG_DRIVER: &str = "local";
/// Its options: three files of 10 MB each per container, so that a chatty one cannot fill the disk.
pub const LOG_OPTIONS: [(&str, &str); 2] = [("max-size", "10m"), ("max-file", "3")];

/// The labels by which a container of ours is found again.
pub mod label {
    /// The app's id.
    pub const APP: &str = "skiff.app";
    /// The deploy's id.
    pub const DEPLOY: &str = "skiff.deploy";
    /// The release's id.
    pub const RELEASE: &str = "skiff.release";
    /// The instance's id in the ledger.
    pub const INSTANCE: &str = "skiff.instance";
    /// The key of the build an image was made by.
    pub const BUILD: &str = "skiff.build";
    /// The panel's id: two panels on one host do not touch each other's.
    pub const PANEL: &str = "skiff.panel";
}

/// The name of an environment's network on hosts.
pub fn network_name(environment: super::ids::EnvironmentId) -> NetworkName {
    format!("skiff-{}", environment.simple())
        .parse()
        .unwrap_or_else(|_| unreachable!("hex digits and a hyphen are a name"))
}

/// The name of a volume on hosts.
pub fn volume_name(volume: super::ids::VolumeId) -> VolumeName {
    format!("skiff-{}", volume.simple()).parse().unwrap_or_else(|_| unreachable!("hex digits and a hyphen are a name"))
}

/// A registry's user and password, opened for one call.
#[derive(Clone)]
pub struct Login {
    /// The user.
    pub user: String,
    /// The password or token.
    pub password: super::secret::Secret<String>,
}

/// Where a container ended, as Docker inspects it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// The exit status.
    pub code: i64,
    /// True when the kernel killed it for its memory.
    pub oom: bool,
    /// Docker's own words, where it could not start.
    pub error: String,
}

/// Whose a container is: everything its labels say.
#[derive(Clone, Copy, Debug)]
pub struct Identity<'a> {
    /// The panel.
    pub panel: uuid::Uuid,
    /// The deploy that makes it.
    pub deploy: super::ids::DeployId,
    /// The ledger's identity of the instance.
    pub instance: super::ids::InstanceId,
    /// The container's name.
    pub name: &'a ContainerName,
    /// Its fixed address.
    pub address: Ipv4Addr,
}

/// The container of one instance of a release. `env` is what variables and opened secrets make together.
pub fn instance(release: &super::release::Release, who: Identity<'_>, env: Vec<(EnvName, String)>) -> RunSpec {
    let spec = &release.spec;
    RunSpec {
        name: who.name.clone(),
        image: release.image.clone(),
        env,
        labels: vec![
            (label::PANEL, who.panel.to_string()),
            (label::APP, release.app.to_string()),
            (label::RELEASE, release.id.to_string()),
            (label::DEPLOY, who.deploy.to_string()),
            (label::INSTANCE, who.instance.to_string()),
        ],
        mounts: spec.mounts.iter().map(|mount| (volume_name(mount.volume), mount.path.clone())).collect(),
        network: network_name(release.environment),
        address: Some(who.address),
        memory_bytes: spec.memory_mib.map(|mib| i64::from(mib) * 1024 * 1024),
        nano_cpus: spec.cpu_milli.map(|milli| i64::from(milli) * 1_000_000),
        stop_grace_s: spec.stop_grace_s,
        restart: true,
        argv: Vec::new(),
    }
}
