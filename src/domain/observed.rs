//! What was seen on a host, at a time. Nothing here was believed because a row said so.

use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;

use super::ids::{DeployId, HostId, InstanceId, ReleaseId, VolumeId};
use super::names::{ContainerId, ContainerName, NetworkName};

/// A container as Docker describes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Running {
    /// In the ledger, but not on the host.
    Missing,
    /// Created, never started.
    Created,
    /// Runs.
    Up,
    /// Ended or stopped; also one that Docker restarts over and over.
    Ended,
}

/// A server as HAProxy's running worker has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Served {
    /// Not in the backend.
    Absent,
    /// Takes requests.
    Up,
    /// Takes no new requests, finishes old ones.
    Draining,
    /// In the backend, takes none.
    Down,
}

/// One instance of an app on a host: the ledger's row beside what was seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    /// The ledger's identity.
    pub id: InstanceId,
    /// The container's name; also the server's name in the proxy.
    pub name: ContainerName,
    /// The container's id, where it exists.
    pub container: Option<ContainerId>,
    /// The deploy that made it.
    pub deploy: DeployId,
    /// The release it runs.
    pub release: ReleaseId,
    /// The release's number.
    pub number: i32,
    /// 1, 2, … among the instances of the app in that deploy.
    pub index: u16,
    /// Its fixed address.
    pub address: Ipv4Addr,
    /// What Docker says.
    pub running: Running,
    /// What HAProxy says.
    pub served: Served,
    /// True where the ledger does not know it: somebody ran a release's `run.bash`. It makes way like an old one, but is
    /// never removed. Its ids are nil.
    #[serde(default)]
    pub stray: bool,
}

/// A network that has the environment's name with another subnet, or its subnet under another name of ours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OldNetwork {
    /// Its name.
    pub name: NetworkName,
    /// Its subnet.
    pub subnet: String,
    /// True where this panel made it.
    pub ours: bool,
    /// The containers on it, whoever's they are, running or not.
    pub on: Vec<String>,
}

/// One host as a deploy needs to see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostSeen {
    /// The host.
    pub host: HostId,
    /// Its name, for sentences.
    pub name: String,
    /// Why it could not be observed, if it could not. Then the rest is empty.
    pub unreachable: Option<String>,
    /// Free space where Docker keeps its data, MiB.
    pub disk_free_mib: u64,
    /// Its machine architecture; empty where it is not known.
    #[serde(default)]
    pub arch: String,
    /// What the wanted image is made for, where it is there.
    #[serde(default)]
    pub image_arch: Option<String>,
    /// The address under which the team's other hosts reach its proxy, if they do.
    #[serde(default)]
    pub peer: Option<Ipv4Addr>,
    /// The other hosts that its proxy sends the app's requests to, with their weights.
    #[serde(default)]
    pub peers: Vec<(HostId, u16)>,
    /// True where the wanted image is already there.
    pub image_present: bool,
    /// True where the environment's network is already there, with its place in the address plan.
    pub network_present: bool,
    /// Networks that stand where the environment's should: of a time when the host was known under another number.
    #[serde(default)]
    pub old_networks: Vec<OldNetwork>,
    /// The app's volumes that are already there.
    pub volumes: Vec<VolumeId>,
    /// The app's instances.
    pub instances: Vec<Instance>,
    /// Addresses on the environment's bridge that the ledger or Docker knows as used.
    pub taken: Vec<Ipv4Addr>,
    /// Fixed host ports in use, and by whom (empty where nobody asked).
    pub ports_taken: Vec<(u16, String)>,
}

/// Everything a deploy sees before it plans.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Have {
    /// The hosts of the wanted placement and of the instances that still run.
    pub hosts: Vec<HostSeen>,
}
