//! Which hosts send an app's requests to which others: all that have an address for each other. A host is shared only once its own
//! switch is proven, and no more before what serves there leaves. Not here: how a proxy does it.

use super::deploy::lane;
use super::{Lane, Step};
use crate::domain::ids::HostId;
use crate::domain::observed::HostSeen;

/// What each of these hosts is to send where; they have so many instances. Nothing where there is nothing to say.
pub(super) fn share(hosts: &[(&HostSeen, usize)]) -> Vec<Lane> {
    let serving = || hosts.iter().filter(|(_, count)| *count > 0);
    let lanes = serving().filter_map(|(here, _)| {
        let others =
            serving().filter(|(other, _)| here.peer.is_some() && other.peer.is_some() && other.host != here.host);
        let peers: Vec<(HostId, u16)> =
            others.map(|(other, count)| (other.host, u16::try_from(*count).unwrap_or(u16::MAX))).collect();
        step(here, peers)
    });
    lanes.collect()
}

/// A host that is to send nothing anywhere any more.
pub(super) fn keep(here: &HostSeen) -> Option<Lane> {
    step(here, Vec::new())
}

/// The step, unless there is nothing to share and nothing is shared.
fn step(here: &HostSeen, peers: Vec<(HostId, u16)>) -> Option<Lane> {
    let silent = peers.is_empty() && here.peers.is_empty();
    (!silent).then(|| lane(here.host, vec![Step::Share { peers }]))
}

/// What the reader should know: hosts of the app that know nothing of each other.
pub(super) fn note(hosts: &[&HostSeen]) -> Option<String> {
    let apart: Vec<&str> = hosts.iter().filter(|host| host.peer.is_none()).map(|host| host.name.as_str()).collect();
    match (hosts.len(), apart.as_slice()) {
        (0 | 1, _) | (_, []) => None,
        (_, [only]) => Some(format!(
            "{only} has no private address: it answers with its own instances alone, and the others without them."
        )),
        (_, [first @ .., last]) => Some(format!(
            "{} and {last} have no private address: each of them answers with its own instances alone.",
            first.join(", ")
        )),
    }
}
