//! Plans: what is wanted and what was seen become a list of steps, as data. Executors have no opinions.

use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;

use super::address::Bridge;
use super::ids::{DeployId, HostId, InstanceId, VolumeId};
use super::names::{ContainerId, ContainerName, ImageRef, NetworkName};
use super::observed::Have;
use super::release::Release;

pub mod check;
mod deploy;
mod give_up;
mod peers;
mod placement;
mod remove;
mod stop;
pub mod words;

#[cfg(test)]
mod tests;

pub use deploy::plan;
pub use give_up::{GivingUp, give_up};
pub use placement::MAX_INSTANCES;
pub use remove::{Left, remove};
pub use stop::{restart, stop};

/// What a deploy wants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Want {
    /// The deploy: its id is in the names of what it makes.
    pub deploy: DeployId,
    /// The release to make current.
    pub release: Release,
    /// The deploy whose instances serve until now, where one has succeeded before. Whatever belongs to neither of the
    /// two deploys is a leftover.
    #[serde(default)]
    pub former: Option<DeployId>,
    /// Whether that one answers requests, so that the proxies know it: an app may turn from web to worker.
    #[serde(default)]
    pub former_web: bool,
    /// The environment's bridge on each host of the placement.
    pub bridges: Vec<(HostId, Bridge)>,
    /// Identities for new instances, made by the caller; at least as many as instances wanted.
    pub fresh: Vec<InstanceId>,
    /// What the image is made for, where a host that is none of the app's has it.
    #[serde(default)]
    pub image_arch: Option<String>,
    /// A command to run once before the first new instance, in a container of its own. Never on a rollback.
    pub release_command: Option<Vec<String>>,
    /// Fixed ports of the host that an instance needs for itself.
    pub host_ports: Vec<u16>,
    /// MiB that must be free on a host before anything is moved there.
    pub disk_needed_mib: u64,
}

/// One thing done on one host. A closed set: the executor, the words and the check match it without `_`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "do")]
pub enum Step {
    /// Bring the image to the host and tag it so that it is kept.
    BringImage,
    /// Remove a network of ours that nothing is on and that stands where the environment's should.
    ClearNetwork {
        /// Its name.
        name: NetworkName,
    },
    /// Create the environment's network.
    MakeNetwork {
        /// Its place in the address plan.
        bridge: Bridge,
    },
    /// Create a volume.
    MakeVolume {
        /// The volume.
        volume: VolumeId,
    },
    /// Write `run.bash`, `env` and `release.json` into the release's folder.
    WriteRelease,
    /// Run the release command in a one-off container and wait for status 0.
    RunReleaseCommand {
        /// Its container's name.
        name: ContainerName,
        /// Program and arguments.
        argv: Vec<String>,
    },
    /// Write the instance into the ledger, then create its container.
    Create {
        /// The ledger's identity.
        instance: InstanceId,
        /// The container's name.
        name: ContainerName,
        /// Its fixed address.
        address: Ipv4Addr,
        /// 1, 2, …
        index: u16,
    },
    /// Start the container.
    Start {
        /// Which.
        name: ContainerName,
    },
    /// Ask for health from the host's side until it is proven, or the start period is over.
    AwaitHealthy {
        /// Which.
        name: ContainerName,
        /// Where it answers.
        address: Ipv4Addr,
    },
    /// Write the proxy's file and maps with exactly these instances of the app.
    WriteIngress {
        /// The instances now wanted, by server name and address.
        servers: Vec<(ContainerName, Ipv4Addr)>,
    },
    /// Add the server to the running proxy and set it up.
    Admit {
        /// Which.
        name: ContainerName,
        /// Where it answers.
        address: Ipv4Addr,
    },
    /// Let the proxy send the app's requests to these other hosts too, by the weight of their instances, and to no others.
    Share {
        /// The hosts and their instances.
        peers: Vec<(HostId, u16)>,
    },
    /// See one request answered through the proxy.
    AskThrough,
    /// Give the server no new requests; wait in every worker until it has none left, or the time is over. With 0
    /// seconds nothing is waited for: SIGTERM lets the program finish what it has.
    Drain {
        /// Which.
        name: ContainerName,
        /// Seconds it may take.
        seconds: u16,
    },
    /// Take the server out of the running proxy.
    Dismiss {
        /// Which.
        name: ContainerName,
    },
    /// SIGTERM, and SIGKILL after the grace.
    Stop {
        /// Which.
        name: ContainerName,
        /// Seconds of grace.
        grace: u16,
        /// The container, for the ledger's sake.
        container: Option<ContainerId>,
    },
    /// Remove a stopped container of ours and close its row in the ledger.
    Remove {
        /// Which.
        name: ContainerName,
        /// The container.
        container: Option<ContainerId>,
    },
    /// Keep a stopped container for inspection: only the ledger is told.
    Keep {
        /// Which.
        name: ContainerName,
    },
    /// Give back the app's place in the host's proxy: its backend may be another app's from now on.
    LeaveProxy,
    /// Remove the folders of the app's releases, by the names we gave.
    RemoveFiles,
    /// Take a tag of ours from an image of the app; Docker removes the image with its last name.
    RemoveImage {
        /// The tag.
        image: ImageRef,
    },
    /// Remove the environment's network, unless something else came to need it.
    RemoveNetwork,
}

/// Steps one after the other on one host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lane {
    /// Where.
    pub host: HostId,
    /// In this order.
    pub steps: Vec<Step>,
}

/// Lanes side by side. A stage begins when all lanes of the one before are done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stage {
    /// What the stage is, in a word or two: "prepare", "first instance".
    pub name: String,
    /// True from the moment on at which traffic has moved: cancel is refused from here.
    pub after_switch: bool,
    /// True once the new release is proven to serve everywhere: a failure from here on leaves it serving, and what was
    /// not taken away is a leftover for the next deploy.
    #[serde(default)]
    pub tidying: bool,
    /// The lanes.
    pub lanes: Vec<Lane>,
}

/// A plan: shown before it runs, stored with the deploy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// One after the other.
    pub stages: Vec<Stage>,
    /// What its reader should know: "stop-first, because …".
    pub notes: Vec<String>,
}

/// Why nothing can be planned: a sentence that says what to try.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{0}")]
pub struct Refusal(pub String);

/// The container name of an instance: the app, the deploy and the index, so that a stale worker's create collides.
pub fn instance_name(release: &Release, deploy: DeployId, index: u16) -> ContainerName {
    format!("skiff-{}-{}-{index}", release.app.simple(), deploy.simple())
        .parse()
        .unwrap_or_else(|_| unreachable!("hex digits and hyphens are a container name"))
}
