//! Stopping an app, and restarting one of its instances where it is. An app as a whole is restarted by a deploy of the
//! release that serves. Not here: starting one; that is a deploy too.

use super::deploy::{Phase, lane, leave_service};
use super::{Have, Lane, Plan, Refusal, Step, Want};
use crate::domain::app::Kind;
use crate::domain::ids::InstanceId;
use crate::domain::observed::{HostSeen, Instance, Running, Served};

/// The steps after which nothing of the app runs and no proxy lists it. The containers stay, stopped: their last lines
/// can be read, and Docker does not start them again after a reboot. Hosts that do not answer are left out and named.
pub fn stop(want: &Want, have: &Have) -> Plan {
    let mut plan = Plan::default();
    let (here, silent): (Vec<&HostSeen>, Vec<&HostSeen>) = have.hosts.iter().partition(|h| h.unreachable.is_none());
    plan.notes.extend(silent.iter().map(|h| format!("{} cannot be reached: what runs there goes on.", h.name)));
    if want.release.spec.kind == Kind::Web || want.former_web {
        let out = |h: &&HostSeen| lane(h.host, vec![Step::WriteIngress { servers: Vec::new() }]);
        plan.add("out of the proxy", Phase::Before, here.iter().map(out).collect());
    }
    let leaving = |h: &&HostSeen| -> Vec<Lane> {
        h.instances.iter().map(|instance| lane(h.host, leave_service(want, instance))).collect()
    };
    plan.add("stop", Phase::Before, here.iter().flat_map(leaving).collect());
    plan
}

/// The steps that restart one instance while the others of its host take its requests.
pub fn restart(want: &Want, have: &Have, which: InstanceId) -> Result<Plan, Refusal> {
    let found = have.hosts.iter().find_map(|h| Some((h, h.instances.iter().find(|i| i.id == which)?)));
    let Some((here, instance)) = found else {
        return Err(Refusal("This instance is not there any more. Look at the app's page for those that are.".into()));
    };
    if let Some(why) = &here.unreachable {
        return Err(Refusal(format!("{} cannot be reached: {why}. Try again when it answers.", here.name)));
    }
    if instance.running == Running::Missing {
        let words = "the container is gone from it. Restart the whole app, which makes new ones.";
        return Err(Refusal(format!("It cannot be restarted on {}: {words}", here.name)));
    }
    let web = want.release.spec.kind == Kind::Web;
    let takes = |i: &Instance| i.running == Running::Up && i.served == Served::Up;
    if web && takes(instance) && !here.instances.iter().any(|other| other.id != which && takes(other)) {
        return Err(Refusal(format!(
            "Nothing else on {} takes its requests meanwhile. Restart the whole app: new instances are started first.",
            here.name
        )));
    }
    if web && instance.served == Served::Absent {
        return Err(Refusal("This instance takes no requests: it waits to be removed. Restart the whole app.".into()));
    }
    let (name, address) = (instance.name.clone(), instance.address);
    let mut steps = leave_service(want, instance);
    // It comes back under the same name: the proxy's file lists it all the time, and the running proxy keeps its server.
    steps.retain(|step| !matches!(step, Step::Dismiss { .. }));
    steps.push(Step::Start { name: name.clone() });
    steps.push(Step::AwaitHealthy { name: name.clone(), address });
    if web {
        steps.push(Step::Admit { name, address });
        steps.push(Step::AskThrough);
    }
    let mut plan = Plan::default();
    plan.add("restart", Phase::Before, vec![lane(here.host, steps)]);
    Ok(plan)
}
