//! Bridges: one per environment on a host, with its place in the address plan. Ours have fixed addresses in the lower
//! half; Docker hands out the upper half only.

use bollard::models::{Ipam, IpamConfig, NetworkCreateRequest};
use bollard::query_parameters::{InspectNetworkOptions, ListContainersOptionsBuilder, ListNetworksOptionsBuilder};
use std::collections::HashMap;

use super::seen::{NetworkLine, NetworkSeen};
use super::{Docker, Made, labels};
use crate::domain::address::Bridge;
use crate::domain::names::NetworkName;
use crate::remote::error::{Error, detail};

/// The kernel's limit for an interface's name is 15 (IFNAMSIZ, less the NUL): `sk-` and twelve.
const INTERFACE_DIGITS: usize = 12;

impl Docker {
    /// The network, if it is on the host.
    pub async fn network(&self, name: &NetworkName) -> Result<Option<NetworkSeen>, Error> {
        let asked = self.api.inspect_network(name.as_ref(), None::<InspectNetworkOptions>);
        match self.call("Looking for a network", asked).await {
            Ok(seen) => Ok(Some(NetworkSeen::read(seen))),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The networks with this label and value.
    pub async fn networks_by_label(&self, label: &'static str, value: &str) -> Result<Vec<NetworkLine>, Error> {
        let filters = HashMap::from([("label", vec![format!("{label}={value}")])]);
        let options = ListNetworksOptionsBuilder::default().filters(&filters).build();
        let lines = self.call("Listing networks", self.api.list_networks(Some(options))).await?;
        Ok(lines.into_iter().filter_map(NetworkLine::read).collect())
    }

    /// The names of the containers that have a place on a network, running or not: whatever an inspection of it says, a
    /// stopped one needs it to start again.
    pub async fn on_network(&self, name: &NetworkName) -> Result<Vec<String>, Error> {
        let filters = HashMap::from([("network", vec![name.to_string()])]);
        let options = ListContainersOptionsBuilder::default().all(true).filters(&filters).build();
        let lines = self.call("Listing the containers on a network", self.api.list_containers(Some(options))).await?;
        let first = |names: Option<Vec<String>>| names.unwrap_or_default().into_iter().next().unwrap_or_default();
        let mut names: Vec<String> =
            lines.into_iter().map(|line| detail(first(line.names).trim_start_matches('/'))).collect();
        names.sort_unstable();
        Ok(names)
    }

    /// Makes the bridge unless it is there. One of that name with another subnet is [`Error::NameTaken`].
    pub async fn network_ensure(
        &self,
        name: &NetworkName,
        bridge: Bridge,
        marks: &[(&'static str, String)],
    ) -> Result<Made, Error> {
        match self.network(name).await? {
            Some(seen) if seen.subnet == bridge.subnet() => return Ok(Made::Existed),
            Some(seen) => return Err(Error::NameTaken { detail: format!("{name} has the subnet {}", seen.subnet) }),
            None => {}
        }
        // Two makers at once collide on the interface's name: Docker itself allows networks of equal names.
        let options = HashMap::from([("com.docker.network.bridge.name".to_owned(), interface(name))]);
        let range = IpamConfig {
            subnet: Some(bridge.subnet()),
            ip_range: Some(bridge.strangers()),
            gateway: Some(bridge.gateway().to_string()),
            ..Default::default()
        };
        let request = NetworkCreateRequest {
            name: name.to_string(),
            driver: Some("bridge".to_owned()),
            ipam: Some(Ipam { config: Some(vec![range]), ..Default::default() }),
            options: Some(options),
            labels: Some(labels(marks)),
            ..Default::default()
        };
        match self.call("Making a network", self.api.create_network(request)).await {
            Ok(_) => Ok(Made::Created),
            Err(error) => match self.network(name).await? {
                Some(seen) if seen.subnet == bridge.subnet() => Ok(Made::Existed),
                Some(_) | None => Err(error),
            },
        }
    }

    /// Removes a network; refused by Docker while a container is on it. Gone already is fine.
    pub async fn network_remove(&self, name: &NetworkName) -> Result<(), Error> {
        match self.call("Removing a network", self.api.remove_network(name.as_ref())).await {
            Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// The bridge's interface: the last characters of the name, for the first ones of an id are its time.
fn interface(name: &NetworkName) -> String {
    let text = name.as_ref();
    let tail = text.len().saturating_sub(INTERFACE_DIGITS);
    format!("sk-{}", text.get(tail..).unwrap_or(text).trim_start_matches(['-', '.', '_']))
}
