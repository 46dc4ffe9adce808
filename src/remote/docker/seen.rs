//! What Docker says of containers, images and networks, checked: a host's answer is hostile input.

use bollard::models::{
    ContainerInspectResponse, ContainerStateStatusEnum as Status, ContainerSummary, ContainerSummaryStateEnum as State,
    EndpointSettings, ImageInspect, Ipam, Network, NetworkInspect,
};
use std::collections::{BTreeMap, HashMap};
use std::net::Ipv4Addr;

use crate::domain::container::Ended;
use crate::domain::names::{ContainerId, ImageId, NetworkName};
use crate::domain::observed::Running;
use crate::remote::error::{Error, detail};

/// A container, inspected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerSeen {
    /// Its id.
    pub id: ContainerId,
    /// Its name; foreign containers have names of any kind.
    pub name: String,
    /// Its image's id.
    pub image: ImageId,
    /// Whether it runs. One that Docker restarts over and over counts as ended.
    pub running: Running,
    /// Where it ended, if it has.
    pub ended: Option<Ended>,
    /// How often Docker started it again.
    pub restarts: u32,
    /// When it was last started, RFC 3339, as the host's clock has it.
    pub started_at: String,
    /// When it last ended, likewise; empty where it has not.
    pub finished_at: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its address on each network. Fixed addresses are there even while it is stopped.
    pub addresses: BTreeMap<String, Ipv4Addr>,
}

/// A container, listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerLine {
    /// Its id.
    pub id: ContainerId,
    /// Its name.
    pub name: String,
    /// Its image's id.
    pub image: Option<ImageId>,
    /// Whether it runs.
    pub running: Running,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its address on each network.
    pub addresses: BTreeMap<String, Ipv4Addr>,
}

/// An image, inspected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageSeen {
    /// Its id.
    pub id: ImageId,
    /// `amd64`, `arm64` …
    pub arch: String,
    /// `name@sha256:…` for each registry it came from or went to.
    pub repo_digests: Vec<String>,
    /// Its names here.
    pub tags: Vec<String>,
    /// Bytes, all layers.
    pub size: u64,
    /// Ports it declares, as `8080/tcp`.
    pub ports: Vec<String>,
}

/// A network, inspected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkSeen {
    /// Its IPv4 subnet.
    pub subnet: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Addresses of the containers that run on it.
    pub taken: Vec<Ipv4Addr>,
}

/// A network, listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkLine {
    /// Its name.
    pub name: NetworkName,
    /// Its IPv4 subnet.
    pub subnet: String,
}

/// An answer that lacks what every Docker sends.
fn broken(what: &str) -> Error {
    Error::Refused { detail: format!("Docker's answer has no valid {what}") }
}

/// A text that must be there and of its type.
fn parsed<T: std::str::FromStr>(what: &str, text: Option<String>) -> Result<T, Error> {
    text.and_then(|text| text.parse().ok()).ok_or_else(|| broken(what))
}

/// The fixed address where one was asked for, else the present one.
fn addresses(networks: Option<HashMap<String, EndpointSettings>>) -> BTreeMap<String, Ipv4Addr> {
    let address = |end: EndpointSettings| {
        let fixed = end.ipam_config.and_then(|config| config.ipv4_address).filter(|text| !text.is_empty());
        fixed.or(end.ip_address).and_then(|text| text.parse().ok())
    };
    networks.unwrap_or_default().into_iter().filter_map(|(name, end)| Some((name, address(end)?))).collect()
}

impl ContainerSeen {
    /// Reads an inspection.
    pub(super) fn read(seen: ContainerInspectResponse) -> Result<Self, Error> {
        let state = seen.state.unwrap_or_default();
        let running = match state.status {
            Some(Status::CREATED) => Running::Created,
            Some(Status::RUNNING | Status::PAUSED | Status::STOPPING) => Running::Up,
            Some(Status::RESTARTING | Status::REMOVING | Status::EXITED | Status::DEAD | Status::EMPTY) | None => {
                Running::Ended
            }
        };
        // A container that could not be started stays "created" with a status and Docker's words.
        let tried = running == Running::Created && state.exit_code.is_some_and(|code| code != 0);
        let ended = (running == Running::Ended || tried).then(|| Ended {
            code: state.exit_code.unwrap_or(0),
            oom: state.oom_killed.unwrap_or(false),
            error: detail(state.error.unwrap_or_default()),
        });
        Ok(Self {
            id: parsed("container id", seen.id)?,
            name: seen.name.unwrap_or_default().trim_start_matches('/').to_owned(),
            image: parsed("image id", seen.image)?,
            running: if tried { Running::Ended } else { running },
            ended,
            restarts: seen.restart_count.and_then(|count| u32::try_from(count).ok()).unwrap_or(0),
            started_at: time(state.started_at),
            finished_at: time(state.finished_at),
            labels: seen.config.and_then(|config| config.labels).unwrap_or_default().into_iter().collect(),
            addresses: addresses(seen.network_settings.and_then(|settings| settings.networks)),
        })
    }
}

/// Docker writes the year 1 for "never".
fn time(text: Option<String>) -> String {
    text.filter(|text| !text.starts_with("0001-")).unwrap_or_default()
}

impl ContainerLine {
    /// Reads a line of a list.
    pub(super) fn read(line: ContainerSummary) -> Result<Self, Error> {
        let running = match line.state {
            Some(State::CREATED) => Running::Created,
            Some(State::RUNNING | State::PAUSED | State::STOPPING) => Running::Up,
            Some(State::RESTARTING | State::REMOVING | State::EXITED | State::DEAD | State::EMPTY) | None => {
                Running::Ended
            }
        };
        let name = line.names.unwrap_or_default().into_iter().next().unwrap_or_default();
        Ok(Self {
            id: parsed("container id", line.id)?,
            name: name.trim_start_matches('/').to_owned(),
            image: line.image_id.and_then(|id| id.parse().ok()),
            running,
            labels: line.labels.unwrap_or_default().into_iter().collect(),
            addresses: addresses(line.network_settings.and_then(|settings| settings.networks)),
        })
    }
}

impl ImageSeen {
    /// Reads an inspection.
    pub(super) fn read(seen: ImageInspect) -> Result<Self, Error> {
        Ok(Self {
            id: parsed("image id", seen.id)?,
            arch: seen.architecture.unwrap_or_default(),
            repo_digests: seen.repo_digests.unwrap_or_default(),
            tags: seen.repo_tags.unwrap_or_default(),
            size: seen.size.and_then(|size| u64::try_from(size).ok()).unwrap_or(0),
            ports: seen.config.and_then(|config| config.exposed_ports).unwrap_or_default(),
        })
    }
}

impl NetworkSeen {
    /// Reads an inspection.
    pub(super) fn read(seen: NetworkInspect) -> Self {
        let taken = seen.containers.unwrap_or_default().into_values().filter_map(|end| {
            end.ipv4_address.as_deref().and_then(|text| text.split('/').next()).and_then(|text| text.parse().ok())
        });
        let mut taken: Vec<Ipv4Addr> = taken.collect();
        taken.sort_unstable();
        Self { subnet: subnet(seen.ipam), labels: seen.labels.unwrap_or_default().into_iter().collect(), taken }
    }
}

impl NetworkLine {
    /// Reads a line of a list; none where its name is not one we give.
    pub(super) fn read(line: Network) -> Option<Self> {
        Some(Self { name: line.name?.parse().ok()?, subnet: subnet(line.ipam) })
    }
}

/// The first subnet, which of ours is the only one.
fn subnet(ipam: Option<Ipam>) -> String {
    ipam.and_then(|ipam| ipam.config)
        .unwrap_or_default()
        .into_iter()
        .find_map(|config| config.subnet)
        .unwrap_or_default()
}
