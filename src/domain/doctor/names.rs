//! Domains of apps: does a name lead to a host of its app?

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::{Area, Finding};
use crate::domain::help::Topic;

/// Names of this machine alone (RFC 6761): nobody has to lead them anywhere.
const LOCAL: &str = ".localhost";
/// Addresses told in one sentence.
const TOLD: usize = 4;

/// What a name leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolved {
    /// These addresses.
    Addresses(BTreeSet<IpAddr>),
    /// Nothing: there is no such name.
    Nowhere,
    /// It could not be asked, or not in time.
    NotAsked(String),
}

/// What was seen of a domain.
#[derive(Clone, Debug)]
pub struct NameSeen {
    /// The domain.
    pub domain: String,
    /// The app it is to lead to.
    pub app: String,
    /// What it leads to.
    pub resolved: Resolved,
    /// The hosts of the app, each with its addresses; none where their names could not be resolved.
    pub hosts: Vec<(String, BTreeSet<IpAddr>)>,
}

/// What that means.
pub fn name(seen: &NameSeen) -> Finding {
    let (area, of) = (Area::Domain, seen.domain.as_str());
    if of.ends_with(LOCAL) {
        return Finding::ok(area, of, "It leads to the machine of whoever asks, as all names below localhost do.");
    }
    let topic = Topic::DomainElsewhere;
    let hosts: Vec<&str> = seen.hosts.iter().map(|(name, _)| name.as_str()).collect();
    let to = match hosts.as_slice() {
        [] => "the app's host".to_owned(),
        [one] => (*one).to_owned(),
        many => format!("one of {}", many.join(", ")),
    };
    let wanted: BTreeSet<IpAddr> = seen.hosts.iter().flat_map(|(_, addresses)| addresses).copied().collect();
    let address = match list(&wanted) {
        text if text.is_empty() => String::new(),
        text => format!(" ({text})"),
    };
    match &seen.resolved {
        Resolved::NotAsked(why) => Finding::warn(
            area,
            of,
            format!("It could not be looked up: {why}."),
            "See that the panel's machine reaches its name server, then look again.",
            topic,
        ),
        Resolved::Nowhere => Finding::bad(
            area,
            of,
            format!("There is no such name, so nobody reaches {} by it.", seen.app),
            format!("Where the domain is managed, add an A or AAAA record that leads to {to}{address}."),
            topic,
        ),
        Resolved::Addresses(addresses) => {
            let public = |address: &IpAddr| !is_inner(*address);
            let met: Vec<&str> = seen
                .hosts
                .iter()
                .filter(|(_, of_host)| of_host.intersection(addresses).next().is_some())
                .map(|(name, _)| name.as_str())
                .collect();
            if !met.is_empty() {
                return Finding::ok(area, of, format!("It leads to {}.", met.join(", ")));
            }
            // A host that is known by an inner address alone may well be what a public one leads to.
            if !wanted.iter().any(public) {
                let what = format!(
                    "It leads to {}; whether that is {to} cannot be told from its inner address.",
                    list(addresses)
                );
                return Finding::ok(area, of, what);
            }
            Finding::warn(
                area,
                of,
                format!("It leads to {}, which is not {to}{address}.", list(addresses)),
                "Where something stands in between (a CDN, a load balancer), that is as it should be. Else change the record.",
                topic,
            )
        }
    }
}

/// Addresses, told.
fn list(addresses: &BTreeSet<IpAddr>) -> String {
    let told: Vec<String> = addresses.iter().take(TOLD).map(ToString::to_string).collect();
    told.join(", ")
}

/// An address that only its own network knows.
fn is_inner(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_private() || v4.is_loopback() || v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}
