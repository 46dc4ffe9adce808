//! Planning a deploy. The plan depends on nothing but what is wanted and what was seen, so going on after a crash is
//! planning again: what this deploy already made is adopted, what it already did is not seen as missing.
//!
//! The order, and why. (1) All that needs nothing runs side by side: the image travels while the network and the
//! volumes are made and the release is written; a single missing thing is followed at once by the first instance in the
//! same lane, so that a common deploy has no barrier before its health check. (2) One instance goes first: a bad
//! release is found out at the price of one container. (3) The rest, all side by side. (4) The switch per host: file,
//! then the running proxy, then one request through it; once all serve, they send requests to one another, and to a host
//! that is left no more. (5) Only then do the old ones drain. They are dismissed from
//! the proxy after they stopped, because HAProxy keeps a server that still has a websocket, and it is the program
//! itself that must close that, on SIGTERM. (6) Nothing is removed before everything old is stopped everywhere, so that
//! until then a way back exists.

use super::placement::{Ground, Place, ground};
use super::{Have, Lane, Plan, Refusal, Stage, Step, Want, peers};
use crate::domain::app::Kind;
use crate::domain::ids::HostId;
use crate::domain::observed::{HostSeen, Instance, Running, Served};

/// The steps that make the wanted release current, from whatever state was observed, or why there are none.
pub fn plan(want: &Want, have: &Have) -> Result<Plan, Refusal> {
    let ground = ground(want, have)?;
    let mut plan = Plan { stages: Vec::new(), notes: ground.notes.clone() };
    if want.release.spec.kind == Kind::Worker {
        plan.add("share no more", Phase::Before, share(want, &ground));
    }
    let lanes = if ground.order == Order::StartFirst { early(want, &ground) } else { None };
    let early = lanes.is_some();
    match lanes {
        Some(lanes) => plan.add("prepare and first instance", Phase::Before, lanes),
        None => plan.add("prepare", Phase::Before, prepare(&ground)),
    }
    plan.add("release command", Phase::Before, release_command(want, &ground));
    let all: Vec<&Place> = ground.places.iter().collect();
    match ground.order {
        Order::StartFirst => {
            let instances = all.iter().flat_map(|p| p.instances.iter().map(|i| (p.seen.host, i.clone())));
            start(&mut plan, instances.collect(), early);
        }
        Order::AllStopFirst => {
            let created = create(&mut plan, &all);
            plan.add("stop the old", Phase::Before, retire(want, &ground, &ground.hosts()));
            start(&mut plan, created, false);
        }
        // Host by host: the first one shows that the release is good, while the others go on serving.
        Order::HostStopFirst => {
            for hosts in ground.waves() {
                let here: Vec<&Place> = all.iter().copied().filter(|p| hosts.contains(&p.seen.host)).collect();
                let created = create(&mut plan, &here);
                plan.add("stop the old", Phase::Before, retire(want, &ground, &hosts));
                start(&mut plan, created, false);
                plan.add("switch", Phase::Switch, switch(want, &here));
            }
        }
    }
    if ground.order != Order::HostStopFirst {
        plan.add("switch", Phase::Switch, switch(want, &all));
    }
    if want.release.spec.kind == Kind::Web {
        plan.add("share between the hosts", Phase::Switch, share(want, &ground));
    }
    plan.add("leave other hosts", Phase::Switch, leave(want, &ground));
    if ground.order == Order::StartFirst {
        plan.add("stop the old", Phase::Tidying, retire(want, &ground, &ground.hosts()));
    } else {
        plan.add("stop the old", Phase::Tidying, retire(want, &ground, &ground.departed()));
    }
    plan.add("clean up", Phase::Tidying, clean(&ground));
    // Found after a crash with traffic already moved: cancelling is over from the first stage on.
    if ground.moved {
        plan.stages.iter_mut().for_each(|stage| stage.after_switch = true);
    }
    Ok(plan)
}

/// Whether the old or the new instances run first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// New ones first.
    StartFirst,
    /// On each host the old ones leave first, because they hold something of that host.
    HostStopFirst,
    /// Everywhere the old ones leave first, because there may not be two.
    AllStopFirst,
}

/// Where a stage stands relative to the switch.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Cancelling leaves everything as it was.
    Before,
    /// Traffic moves: cancelling is over.
    Switch,
    /// The new release is proven.
    Tidying,
}

impl Plan {
    /// Adds a stage, unless it has nothing to do. A stage after one that switched stays after the switch.
    pub(super) fn add(&mut self, name: &str, phase: Phase, lanes: Vec<Lane>) {
        let lanes: Vec<Lane> = lanes.into_iter().filter(|lane| !lane.steps.is_empty()).collect();
        if lanes.is_empty() {
            return;
        }
        let before = self.stages.last().is_some_and(|stage| stage.after_switch);
        self.stages.push(Stage {
            name: name.to_owned(),
            after_switch: before || phase != Phase::Before,
            tidying: phase == Phase::Tidying,
            lanes,
        });
    }
}

/// One lane.
pub(super) fn lane(host: HostId, steps: Vec<Step>) -> Lane {
    Lane { host, steps }
}

/// What the host lacks before a container can be created there: each thing in a lane of its own.
fn needs(place: &Place) -> Vec<Lane> {
    let mut lanes = Vec::new();
    if !place.seen.image_present {
        lanes.push(lane(place.seen.host, vec![Step::BringImage]));
    }
    if !place.seen.network_present {
        let old = place.seen.old_networks.iter().map(|old| Step::ClearNetwork { name: old.name.clone() });
        let steps = old.chain([Step::MakeNetwork { bridge: place.bridge }]).collect();
        lanes.push(lane(place.seen.host, steps));
    }
    let missing = place.volumes.iter().filter(|v| !place.seen.volumes.contains(v));
    lanes.extend(missing.map(|volume| lane(place.seen.host, vec![Step::MakeVolume { volume: *volume }])));
    lanes
}

/// The first stage on every host of the placement. The release is always written: nobody looks into its files.
fn prepare(ground: &Ground<'_>) -> Vec<Lane> {
    let mut lanes = Vec::new();
    for place in &ground.places {
        lanes.extend(needs(place));
        lanes.push(lane(place.seen.host, vec![Step::WriteRelease]));
    }
    lanes
}

/// The first stage with the first instance in it, where nothing stands between: at most one thing is missing on its
/// host, and no release command comes before it.
fn early(want: &Want, ground: &Ground<'_>) -> Option<Vec<Lane>> {
    let first = ground.places.first()?;
    let mut own = needs(first);
    if own.len() > 1 || (want.release_command.is_some() && !ground.begun) {
        return None;
    }
    let mut steps = own.pop().map(|lane| lane.steps).unwrap_or_default();
    steps.extend(bring_up(first.instances.first()?));
    let mut lanes = vec![lane(first.seen.host, steps), lane(first.seen.host, vec![Step::WriteRelease])];
    for place in ground.places.iter().skip(1) {
        lanes.extend(needs(place));
        lanes.push(lane(place.seen.host, vec![Step::WriteRelease]));
    }
    Some(lanes)
}

/// The release command, unless instances of this deploy show that it has already succeeded.
fn release_command(want: &Want, ground: &Ground<'_>) -> Vec<Lane> {
    match (&want.release_command, ground.places.first()) {
        (Some(argv), Some(place)) if !ground.begun => {
            let name = super::instance_name(&want.release, want.deploy, 0);
            vec![lane(place.seen.host, vec![Step::RunReleaseCommand { name, argv: argv.clone() }])]
        }
        _ => Vec::new(),
    }
}

/// Creates the container.
fn creation(instance: &Instance) -> Step {
    let (name, address) = (instance.name.clone(), instance.address);
    Step::Create { instance: instance.id, name, address, index: instance.index }
}

/// From nothing, or from where it stands, to healthy.
fn bring_up(instance: &Instance) -> Vec<Step> {
    let start = Step::Start { name: instance.name.clone() };
    let await_healthy = Step::AwaitHealthy { name: instance.name.clone(), address: instance.address };
    match instance.running {
        Running::Missing => vec![creation(instance), start, await_healthy],
        Running::Created | Running::Ended => vec![start, await_healthy],
        Running::Up => vec![await_healthy],
    }
}

/// Where the old ones stop first, the new containers are created before that, so that nobody waits for it meanwhile.
/// Answers the instances as they are then.
fn create(plan: &mut Plan, places: &[&Place<'_>]) -> Vec<(HostId, Instance)> {
    let mut instances: Vec<(HostId, Instance)> =
        places.iter().flat_map(|p| p.instances.iter().map(|i| (p.seen.host, i.clone()))).collect();
    let missing = instances.iter().filter(|(_, i)| i.running == Running::Missing);
    let lanes = missing.map(|(host, i)| lane(*host, vec![creation(i)])).collect();
    plan.add("create", Phase::Before, lanes);
    for (_, instance) in instances.iter_mut().filter(|(_, i)| i.running == Running::Missing) {
        instance.running = Running::Created;
    }
    instances
}

/// The first instance, then the rest side by side.
fn start(plan: &mut Plan, instances: Vec<(HostId, Instance)>, first_is_up: bool) {
    let mut lanes = instances.iter().map(|(host, instance)| lane(*host, bring_up(instance)));
    let first = lanes.next().into_iter().collect();
    let rest = lanes.collect();
    if !first_is_up {
        plan.add("first instance", Phase::Before, first);
    }
    plan.add("the rest", Phase::Before, rest);
}

/// Each host's proxy turns to exactly the new instances: file, running proxy, one request through it. A worker that was
/// web before leaves the proxies: an address that stayed there would soon be another app's.
fn switch(want: &Want, places: &[&Place<'_>]) -> Vec<Lane> {
    match (want.release.spec.kind, want.former_web) {
        (Kind::Web, _) => {}
        (Kind::Worker, true) => return places.iter().map(|place| out_of_proxy(place.seen.host)).collect(),
        (Kind::Worker, false) => return Vec::new(),
    }
    places.iter().map(|place| lane(place.seen.host, turn_to(place.instances.iter()))).collect()
}

/// The steps that make one host's proxy serve exactly these instances.
pub(super) fn turn_to<'a>(instances: impl Iterator<Item = &'a Instance> + Clone) -> Vec<Step> {
    let servers = instances.clone().map(|i| (i.name.clone(), i.address)).collect();
    let mut steps = vec![Step::WriteIngress { servers }];
    let absent = instances.clone().filter(|i| i.served != Served::Up);
    steps.extend(absent.map(|i| Step::Admit { name: i.name.clone(), address: i.address }));
    if instances.clone().next().is_some() {
        steps.push(Step::AskThrough);
    }
    steps
}

/// Hosts the release is no longer placed on: their file lists nothing of the app before its servers drain.
fn leave(want: &Want, ground: &Ground<'_>) -> Vec<Lane> {
    if want.release.spec.kind == Kind::Worker && !want.former_web {
        return Vec::new();
    }
    ground.departed().into_iter().map(out_of_proxy).collect()
}

/// The host's proxy has nothing of the app any more.
pub(super) fn out_of_proxy(host: HostId) -> Lane {
    lane(host, vec![Step::WriteIngress { servers: Vec::new() }])
}

/// Every host of the placement sends requests to the others, by now that all of them serve, and those that are left send
/// none. A worker gets none from anywhere.
fn share(want: &Want, ground: &Ground<'_>) -> Vec<Lane> {
    let hosts: Vec<(&HostSeen, usize)> = ground.places.iter().map(|p| (p.seen, p.instances.len())).collect();
    let departed = ground.departed();
    let mut left: Vec<&HostSeen> = ground.old.iter().map(|(seen, _)| *seen).collect();
    left.retain(|seen| departed.contains(&seen.host));
    left.dedup_by_key(|seen| seen.host);
    let keep = left.into_iter().filter_map(peers::keep);
    match want.release.spec.kind {
        Kind::Web => peers::share(&hosts).into_iter().chain(keep).collect(),
        Kind::Worker => hosts.iter().filter_map(|(seen, _)| peers::keep(seen)).chain(keep).collect(),
    }
}

/// Takes the old instances on these hosts out of service: no new requests, SIGTERM, out of the proxy.
fn retire(want: &Want, ground: &Ground<'_>, hosts: &[HostId]) -> Vec<Lane> {
    let here = ground.old.iter().filter(|(seen, _)| hosts.contains(&seen.host));
    here.map(|(seen, old)| lane(seen.host, leave_service(want, old))).collect()
}

/// The steps by which one running instance leaves service; none where it already has.
pub(super) fn leave_service(want: &Want, instance: &Instance) -> Vec<Step> {
    let name = instance.name.clone();
    let mut steps = Vec::new();
    if matches!(instance.served, Served::Up | Served::Draining) {
        // One that does not run has no requests to finish.
        let seconds = if instance.running == Running::Up { want.release.spec.drain_s } else { 0 };
        steps.push(Step::Drain { name: name.clone(), seconds });
    }
    // One that ended may be about to be started again by Docker, over and over.
    if matches!(instance.running, Running::Up | Running::Ended) {
        let (grace, container) = (want.release.spec.stop_grace_s, instance.container.clone());
        steps.push(Step::Stop { name: name.clone(), grace, container });
    }
    if instance.served != Served::Absent {
        steps.push(Step::Dismiss { name });
    }
    steps
}

/// Removes all that is neither wanted nor running any more by now, where the ledger says that we made it.
fn clean(ground: &Ground<'_>) -> Vec<Lane> {
    let gone = |(seen, old): &(&HostSeen, &Instance)| {
        lane(seen.host, vec![Step::Remove { name: old.name.clone(), container: old.container.clone() }])
    };
    ground.old.iter().filter(|(_, old)| !old.stray).map(gone).collect()
}
