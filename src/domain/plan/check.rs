//! Reads a plan with suspicion. The planner is trusted with what to do; this knows only what must never happen, so that
//! a mistake there is found before a host is touched. The executor refuses a plan with findings.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use super::{Plan, Step, Want};
use crate::domain::app::Kind;
use crate::domain::ids::{DeployId, HostId};
use crate::domain::names::ContainerName;
use crate::domain::observed::{Have, HostSeen, Running, Served};

/// What is wrong with the plan, one sentence each; empty for a sound plan. For plans forward and for plans back.
pub fn check(want: &Want, have: &Have, plan: &Plan) -> Vec<String> {
    let mut reader = Reader::new(want, have);
    let mut known = Known::seen(have);
    for stage in &plan.stages {
        let mut after = known.clone();
        for lane in &stage.lanes {
            if !reader.reachable.contains(&lane.host) {
                reader.findings.push(format!("Stage {}: a step on a host that does not answer.", stage.name));
            }
            // A lane knows what earlier stages did and what it did itself; never what its neighbours may have done.
            let mut own = known.clone();
            for step in &lane.steps {
                reader.step(&mut own, lane.host, step);
            }
            after.take_changes(&known, own);
        }
        known = after;
    }
    reader.end(&known);
    reader.findings
}

/// One container at some moment of the plan.
#[derive(Clone, Default, PartialEq, Eq)]
struct Container {
    /// Where it is, once that is known.
    host: Option<HostId>,
    /// The deploy that made it; none for those this plan makes.
    deploy: Option<DeployId>,
    exists: bool,
    runs: bool,
    healthy: bool,
    listed: bool,
    in_proxy: bool,
    takes_requests: bool,
    drained: bool,
}

/// What is known at some moment of the plan.
#[derive(Clone)]
struct Known {
    containers: BTreeMap<ContainerName, Container>,
    /// Hosts whose proxy was seen to answer.
    asked: BTreeSet<HostId>,
    /// Which other hosts each host sends requests to.
    shared: BTreeMap<HostId, BTreeSet<HostId>>,
}

impl Known {
    /// What was observed.
    fn seen(have: &Have) -> Self {
        let seen = |h: &HostSeen, i: &crate::domain::observed::Instance| Container {
            host: Some(h.host),
            deploy: Some(i.deploy),
            exists: i.running != Running::Missing,
            runs: i.running == Running::Up,
            healthy: false,
            listed: false,
            in_proxy: i.served != Served::Absent,
            takes_requests: i.served == Served::Up,
            drained: i.served == Served::Draining,
        };
        let all = have.hosts.iter().flat_map(|h| h.instances.iter().map(move |i| (h, i)));
        let shared = have.hosts.iter().map(|h| (h.host, h.peers.iter().map(|(peer, _)| *peer).collect()));
        Self {
            containers: all.map(|(h, i)| (i.name.clone(), seen(h, i))).collect(),
            asked: BTreeSet::new(),
            shared: shared.collect(),
        }
    }

    /// One container; an unknown one is nothing yet.
    fn of(&mut self, name: &ContainerName) -> &mut Container {
        self.containers.entry(name.clone()).or_default()
    }

    /// Takes over what a lane changed since the stage began.
    fn take_changes(&mut self, before: &Self, lane: Self) {
        let changed = lane.containers.into_iter().filter(|(name, now)| before.containers.get(name) != Some(now));
        self.containers.extend(changed);
        self.asked.extend(lane.asked);
        self.shared.extend(lane.shared.into_iter().filter(|(host, now)| before.shared.get(host) != Some(now)));
    }

    /// Whether something takes requests on a host, besides this one.
    fn serves(&self, host: HostId, besides: Option<&ContainerName>) -> bool {
        let mut here = self.containers.iter().filter(|(_, c)| c.host == Some(host) && c.takes_requests);
        here.any(|(name, _)| besides != Some(name))
    }

    /// Whether another host sends requests to this one.
    fn is_shared(&self, host: HostId) -> bool {
        self.shared.iter().any(|(from, to)| *from != host && to.contains(&host))
    }
}

/// Goes through a plan and collects findings.
struct Reader<'a> {
    want: &'a Want,
    reachable: BTreeSet<HostId>,
    start_first: bool,
    made: BTreeSet<ContainerName>,
    addresses: BTreeSet<(HostId, Ipv4Addr)>,
    files_written: bool,
    findings: Vec<String>,
}

impl<'a> Reader<'a> {
    /// A reader that has seen what was observed.
    fn new(want: &'a Want, have: &Have) -> Self {
        let spec = &want.release.spec;
        let used = |h: &crate::domain::observed::HostSeen| -> Vec<(HostId, Ipv4Addr)> {
            h.instances.iter().filter(|i| i.running != Running::Missing).map(|i| (h.host, i.address)).collect()
        };
        Self {
            want,
            reachable: have.hosts.iter().filter(|h| h.unreachable.is_none()).map(|h| h.host).collect(),
            start_first: spec.overlap && spec.mounts.is_empty() && want.host_ports.is_empty(),
            made: BTreeSet::new(),
            addresses: have.hosts.iter().flat_map(used).collect(),
            files_written: false,
            findings: Vec::new(),
        }
    }

    /// Writes the sentence down unless it is right.
    fn must(&mut self, right: bool, name: &ContainerName, sentence: &str) {
        if !right {
            self.findings.push(format!("{name} {sentence}."));
        }
    }

    /// Looks at one step with what is known before it, and adds what is known after it.
    fn step(&mut self, known: &mut Known, host: HostId, step: &Step) {
        match step {
            Step::BringImage
            | Step::ClearNetwork { .. }
            | Step::MakeNetwork { .. }
            | Step::MakeVolume { .. }
            | Step::WriteRelease => {}
            Step::RunReleaseCommand { name, .. } => {
                let once = self.made.insert(name.clone());
                self.must(once, name, "is run twice");
            }
            Step::Create { name, address, .. } => {
                let (once, free) = (self.made.insert(name.clone()), self.addresses.insert((host, *address)));
                self.must(once && !known.of(name).exists, name, "is created though it exists");
                self.must(free, name, "gets the address of another container");
                let container = known.of(name);
                (container.exists, container.host) = (true, Some(host));
            }
            Step::Start { name } => {
                self.must(known.of(name).exists, name, "is started before it is created");
                known.of(name).runs = true;
            }
            Step::AwaitHealthy { name, .. } => {
                self.must(known.of(name).runs, name, "is asked for health before it runs");
                known.of(name).healthy = true;
            }
            Step::Share { peers } => {
                for (peer, _) in peers {
                    let sentence = format!("Host {peer} gets requests from others before it serves.");
                    if !known.serves(*peer, None) {
                        self.findings.push(sentence);
                    }
                }
                known.shared.insert(host, peers.iter().map(|(peer, _)| *peer).collect());
            }
            Step::WriteIngress { servers } => {
                if servers.is_empty() && self.start_first && known.is_shared(host) {
                    self.findings.push(format!("Host {host} forgets the app while others send requests to it."));
                }
                self.files_written = true;
                for (name, _) in servers {
                    self.must(self.proven(known, name), name, "is in the file before it is healthy");
                    known.of(name).listed = true;
                }
            }
            Step::Admit { name, .. } => {
                self.must(self.proven(known, name), name, "takes requests before it is healthy");
                self.must(known.of(name).listed, name, "takes requests before it is in the file");
                let container = known.of(name);
                (container.in_proxy, container.takes_requests, container.drained) = (true, true, false);
            }
            Step::AskThrough => drop(known.asked.insert(host)),
            Step::Drain { name, .. } => {
                self.leaves(known, host, name);
                let last = known.of(name).takes_requests && !known.serves(host, Some(name)) && known.is_shared(host);
                self.must(!(self.start_first && last), name, "leaves while other hosts send requests to it");
                let container = known.of(name);
                (container.takes_requests, container.drained) = (false, true);
            }
            Step::Stop { name, .. } => {
                self.must(!known.of(name).takes_requests, name, "is stopped while it takes requests");
                self.leaves(known, host, name);
                known.of(name).runs = false;
            }
            Step::Dismiss { name } => {
                self.must(!known.of(name).runs, name, "leaves the proxy before it is stopped");
                let container = known.of(name);
                (container.in_proxy, container.takes_requests, container.drained) = (false, false, false);
            }
            Step::Remove { name, .. } => {
                self.must(!known.of(name).runs, name, "is removed while it runs");
                self.must(!known.of(name).in_proxy, name, "is removed while the proxy knows it");
                known.of(name).exists = false;
            }
            Step::Keep { name } => self.must(!known.of(name).runs, name, "is kept while it runs"),
            Step::LeaveProxy => {
                let left = known.containers.values().any(|c| c.host == Some(host) && c.in_proxy);
                if left || !self.files_written {
                    self.findings.push(format!("Host {host} gives the app's place in its proxy away too early."));
                }
            }
            Step::RemoveFiles | Step::RemoveImage { .. } | Step::RemoveNetwork => {
                if known.containers.values().any(|c| c.host == Some(host) && c.runs) {
                    self.findings.push(format!("Host {host} loses what a running instance needs."));
                }
            }
        }
    }

    /// Whether the instance may take requests: its health was awaited, or it is of an older deploy and was proven then.
    fn proven(&self, known: &mut Known, name: &ContainerName) -> bool {
        let container = known.of(name);
        container.healthy || container.deploy.is_some_and(|deploy| deploy != self.want.deploy)
    }

    /// In start-first, an instance of the former release leaves only after its successor is in place.
    fn leaves(&mut self, known: &mut Known, host: HostId, name: &ContainerName) {
        let leaving = known.of(name);
        let works = leaving.runs && leaving.deploy.is_some() && leaving.deploy == self.want.former;
        if !(self.start_first && works) {
            return;
        }
        let placed: BTreeSet<HostId> =
            self.want.release.placement.iter().filter(|p| p.instances > 0).map(|p| p.host).collect();
        let new = |container: &Container| container.deploy.is_none_or(|deploy| deploy == self.want.deploy);
        let in_place = match self.want.release.spec.kind {
            Kind::Web if placed.contains(&host) => known.asked.contains(&host),
            // A host that is left: whoever came here goes to the other hosts from now on, so all of them must serve.
            Kind::Web => placed.is_subset(&known.asked),
            Kind::Worker => known.containers.values().any(|c| c.healthy && c.runs && new(c)),
        };
        self.must(in_place, name, "leaves before its successor is in place");
    }

    /// What must be true when the plan is over.
    fn end(&mut self, known: &Known) {
        for (name, container) in &known.containers {
            self.must(!(container.drained && container.in_proxy), name, "is drained but never leaves the proxy");
            let listed = container.listed || !self.files_written;
            self.must(!container.takes_requests || listed, name, "takes requests but is not in the file");
        }
    }
}
