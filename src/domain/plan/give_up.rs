//! The way back: after a failure or a cancel, the former release is again exactly what the proxy's file lists and what
//! takes requests. Like the way forward it is planned from what is observed, so it may be begun again at any moment.

use super::deploy::{Phase, lane, leave_service, out_of_proxy, turn_to};
use super::{Have, Lane, Plan, Step, Want, peers};
use crate::domain::app::Kind;
use crate::domain::observed::{HostSeen, Instance, Running, Served};

/// Why a deploy ends without its release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GivingUp {
    /// It failed: its containers are stopped but kept, so that somebody can look into them.
    Failed,
    /// A person cancelled it: its containers are removed.
    Cancelled,
}

/// The steps back to the former release. Not for stages marked `tidying`: there the new release is proven, and the old
/// containers may already be gone. Hosts that do not answer are left out and named in a note.
pub fn give_up(want: &Want, have: &Have, why: GivingUp) -> Plan {
    let mut plan = Plan::default();
    let (here, silent): (Vec<&HostSeen>, Vec<&HostSeen>) = have.hosts.iter().partition(|h| h.unreachable.is_none());
    plan.notes.extend(
        silent
            .iter()
            .map(|h| format!("{} cannot be reached: what this deploy made there stays until a later one.", h.name)),
    );
    let of = |h: &&'_ HostSeen, deploy| -> Vec<Instance> {
        let mut found: Vec<Instance> = h.instances.iter().filter(|i| Some(i.deploy) == deploy).cloned().collect();
        found.sort_by_key(|i| i.index);
        found
    };
    let former: Vec<(&HostSeen, Vec<Instance>)> = here.iter().map(|h| (*h, of(h, want.former))).collect();
    let new: Vec<(&HostSeen, Instance)> =
        here.iter().flat_map(|h| of(h, Some(want.deploy)).into_iter().map(move |i| (*h, i))).collect();
    // Going back to nothing would end the only thing that serves.
    if want.former.is_some() && former.iter().all(|(_, instances)| instances.is_empty()) {
        plan.notes.push("Nothing is left of the former release: the new one goes on as it is.".to_owned());
        return plan;
    }
    let must_start = former.iter().flat_map(|(_, i)| i).any(|i| i.running != Running::Up);
    let alone = !want.release.spec.overlap || !want.release.spec.mounts.is_empty() || !want.host_ports.is_empty();
    // What a run.bash started makes way too: the former release is to be exactly what takes requests.
    let strays = here.iter().flat_map(|h| h.instances.iter().filter(|i| i.stray).map(move |i| (*h, i)));
    let leaving = new.iter().map(|(h, i)| (i.served != Served::Absent, lane(h.host, take_out(want, i, why))));
    let leaving = leaving.chain(strays.map(|(h, i)| (true, lane(h.host, leave_service(want, i)))));
    let (mut serving, mut idle): (Vec<_>, Vec<_>) = leaving.partition(|(serves, _)| *serves);
    let lanes = |of: &mut Vec<(bool, Lane)>| -> Vec<Lane> { of.drain(..).map(|(_, lane)| lane).collect() };
    if alone && must_start {
        let mut all = lanes(&mut serving);
        all.extend(lanes(&mut idle));
        plan.add("take the new out", Phase::Before, all);
    }
    // Those that serve nobody leave beside it: an old release that is itself broken must not keep them.
    let mut again: Vec<Lane> = former.iter().flat_map(|(h, i)| restart(h, i)).collect();
    if must_start {
        again.extend(lanes(&mut idle));
    }
    plan.add("start the old again", Phase::Before, again);
    if want.release.spec.kind == Kind::Web || want.former_web {
        let counts: Vec<(&HostSeen, usize)> = former.iter().map(|(h, i)| (*h, i.len())).collect();
        let mut shared = if want.former_web { peers::share(&counts) } else { Vec::new() };
        let apart = former.iter().filter(|(h, _)| shared.iter().all(|lane| lane.host != h.host));
        let apart: Vec<Lane> = apart.filter_map(|(h, _)| peers::keep(h)).collect();
        shared.extend(apart);
        // A host that did not serve before is left by the others before its proxy forgets the app.
        let (with, without): (Vec<_>, Vec<_>) = former.iter().partition(|(_, i)| !i.is_empty() || shared.is_empty());
        let back = with.iter().map(|(h, i)| lane(h.host, turn_back(i))).collect();
        plan.add("back to the former release", Phase::Before, back);
        plan.add("share between the hosts as before", Phase::Before, shared);
        plan.add("leave other hosts", Phase::Before, without.iter().map(|(h, _)| out_of_proxy(h.host)).collect());
    }
    serving.extend(idle);
    plan.add("take the new out", Phase::Before, lanes(&mut serving));
    plan
}

/// The proxy turns to the former instances. Where they never stopped taking requests, only the file may be wrong, and
/// nobody needs to ask.
fn turn_back(former: &[Instance]) -> Vec<Step> {
    let mut steps = turn_to(former.iter());
    if !steps.iter().any(|step| matches!(step, Step::Admit { .. })) {
        steps.retain(|step| *step != Step::AskThrough);
    }
    steps
}

/// One new instance leaves; what was never made on the host has only its row to close.
fn take_out(want: &Want, instance: &Instance, why: GivingUp) -> Vec<Step> {
    let mut steps = leave_service(want, instance);
    let remove = Step::Remove { name: instance.name.clone(), container: instance.container.clone() };
    steps.push(match (why, instance.running) {
        (GivingUp::Cancelled, _) | (GivingUp::Failed, Running::Missing) => remove,
        (GivingUp::Failed, Running::Created | Running::Up | Running::Ended) => {
            Step::Keep { name: instance.name.clone() }
        }
    });
    steps
}

/// Old instances that were already stopped run again. One that is missing on the host cannot be brought back from here.
fn restart(here: &HostSeen, former: &[Instance]) -> Vec<Lane> {
    let stopped = former.iter().filter(|i| matches!(i.running, Running::Created | Running::Ended));
    let again = |i: &Instance| {
        vec![Step::Start { name: i.name.clone() }, Step::AwaitHealthy { name: i.name.clone(), address: i.address }]
    };
    stopped.map(|i| lane(here.host, again(i))).collect()
}
