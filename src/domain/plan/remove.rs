//! Taking an app off a host, with everything the ledger says was made for it there, but for its volumes. Each host has a plan
//! of its own: what one of them cannot do now keeps no other from being cleared. Not here: whether an app may be removed.

use super::deploy::{Phase, lane, leave_service, out_of_proxy};
use super::{Have, Plan, Step, Want, peers};
use crate::domain::ids::HostId;
use crate::domain::names::ImageRef;
use crate::domain::observed::{HostSeen, Served};

/// What the ledger says a host has of the app, besides instances.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    /// The host.
    pub host: HostId,
    /// Whether the app has a place in the host's proxy.
    pub proxy: bool,
    /// Tags of ours that keep its images.
    pub images: Vec<ImageRef>,
    /// Whether its environment has a network there. It stays where something else needs it.
    pub network: bool,
}

/// The steps after which a host has nothing of the app any more. The order: no requests from here to other hosts, the proxy's
/// file and routes without it, what runs leaves service, containers, the place in the proxy, files, network, images. Their
/// rows in the ledger are what leads here again, and are closed last. What somebody started by hand is stopped and stays. None for a host that was
/// not seen.
pub fn remove(want: &Want, have: &Have, left: &Left) -> Option<Plan> {
    let here = have.hosts.iter().find(|seen| seen.host == left.host && seen.unreachable.is_none())?;
    let mut plan = Plan::default();
    plan.add("send no more requests", Phase::Before, peers::keep(here).into_iter().collect());
    if left.proxy || here.instances.iter().any(|instance| instance.served != Served::Absent) {
        plan.add("out of the proxy", Phase::Before, vec![out_of_proxy(here.host)]);
    }
    let leaving = here.instances.iter().map(|instance| lane(here.host, leave_service(want, instance)));
    plan.add("stop", Phase::Before, leaving.collect());
    plan.add("remove", Phase::Before, containers(here).into_iter().map(|step| lane(here.host, vec![step])).collect());
    let mut rest = Vec::new();
    if left.proxy {
        rest.push(Step::LeaveProxy);
    }
    rest.push(Step::RemoveFiles);
    if left.network {
        rest.push(Step::RemoveNetwork);
    }
    rest.extend(left.images.iter().map(|image| Step::RemoveImage { image: image.clone() }));
    plan.add("clean up", Phase::Before, vec![lane(here.host, rest)]);
    Some(plan)
}

/// The containers that stand in the ledger.
fn containers(here: &HostSeen) -> Vec<Step> {
    let ours = here.instances.iter().filter(|instance| !instance.stray);
    ours.map(|i| Step::Remove { name: i.name.clone(), container: i.container.clone() }).collect()
}
