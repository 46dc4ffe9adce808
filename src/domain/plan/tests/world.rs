//! A small world that executes plans: hosts with containers and a proxy, which can be left at any step.

use super::*;
use crate::domain::names::ContainerName;
use crate::domain::plan::{Plan, Step};
use std::collections::BTreeSet;

/// What is outside the planner.
#[derive(Clone, Debug)]
pub struct World {
    pub have: Have,
    /// What each host's proxy file lists.
    pub files: BTreeMap<HostId, BTreeSet<ContainerName>>,
    pub written: BTreeSet<HostId>,
    pub release_commands: usize,
    /// Instances of the new release never get healthy.
    pub sick: bool,
    pub want: Want,
}

/// A step could not be done.
#[derive(Debug)]
pub struct Broken(#[expect(dead_code, reason = "shown by unwrap")] pub String);

impl World {
    pub fn new(want: Want, have: Have) -> Self {
        let file = |h: &HostSeen| {
            (h.host, h.instances.iter().filter(|i| i.served == Served::Up).map(|i| i.name.clone()).collect())
        };
        let files = have.hosts.iter().map(file).collect();
        Self { have, files, written: BTreeSet::new(), release_commands: 0, sick: false, want }
    }

    fn seen(&mut self, host: HostId) -> &mut HostSeen {
        self.have.hosts.iter_mut().find(|h| h.host == host).unwrap()
    }

    fn find(&mut self, host: HostId, name: &ContainerName) -> Result<&mut Instance, Broken> {
        let found = self.seen(host).instances.iter_mut().find(|i| i.name == *name);
        found.ok_or_else(|| Broken(format!("{name} is not there")))
    }

    /// Does one step, or panics where a real host would refuse.
    pub fn step(&mut self, host: HostId, step: &Step) -> Result<(), Broken> {
        match step {
            Step::BringImage => self.seen(host).image_present = true,
            Step::ClearNetwork { name } => self.seen(host).old_networks.retain(|old| old.name != *name),
            Step::MakeNetwork { .. } => {
                assert!(self.seen(host).old_networks.is_empty(), "made beside one that stands in its place");
                self.seen(host).network_present = true;
            }
            Step::MakeVolume { volume } => self.seen(host).volumes.push(*volume),
            Step::WriteRelease => drop(self.written.insert(host)),
            Step::RunReleaseCommand { .. } => {
                assert!(self.seen(host).image_present && self.seen(host).network_present);
                self.release_commands += 1;
            }
            Step::Create { instance, name, address, index } => {
                let want = self.want.clone();
                let mounts: Vec<VolumeId> = want.release.spec.mounts.iter().map(|m| m.volume).collect();
                let seen = self.seen(host);
                assert!(seen.image_present && seen.network_present, "created before image and network");
                assert!(mounts.iter().all(|m| seen.volumes.contains(m)), "created before its volume");
                let same = |i: &&mut Instance| i.name == *name;
                if let Some(row) = seen.instances.iter_mut().find(same) {
                    assert_eq!((row.running, row.id, row.address), (Running::Missing, *instance, *address));
                    row.running = Running::Created;
                    return Ok(());
                }
                assert!(!seen.instances.iter().any(|i| i.address == *address), "{address} given twice");
                seen.instances.push(Instance {
                    id: *instance,
                    name: name.clone(),
                    container: None,
                    deploy: want.deploy,
                    release: want.release.id,
                    number: want.release.number,
                    index: *index,
                    address: *address,
                    running: Running::Created,
                    served: Served::Absent,
                    stray: false,
                });
            }
            Step::Start { name } => {
                let alone = !self.want.release.spec.mounts.is_empty();
                let deploy = self.find(host, name)?.deploy;
                let others = self.seen(host).instances.iter().any(|i| i.deploy != deploy && i.running == Running::Up);
                assert!(!(alone && others), "old and new at once on a volume");
                let found = self.find(host, name)?;
                assert!(matches!(found.running, Running::Created | Running::Ended), "{name} is {:?}", found.running);
                found.running = Running::Up;
            }
            Step::AwaitHealthy { name, .. } => {
                let (sick, new) = (self.sick, self.want.deploy);
                let found = self.find(host, name)?;
                assert_eq!(found.running, Running::Up);
                if sick && found.deploy == new {
                    return Err(Broken("never healthy".to_owned()));
                }
            }
            Step::WriteIngress { servers } => {
                let names = servers.iter().map(|(name, _)| name.clone()).collect();
                self.files.insert(host, names);
            }
            Step::Admit { name, .. } => {
                assert!(self.files[&host].contains(name), "admitted before it stood in the file");
                let found = self.find(host, name)?;
                assert_eq!(found.running, Running::Up, "{name} admitted but not running");
                found.served = Served::Up;
            }
            Step::Share { peers } => {
                if self.want.release.spec.overlap && self.want.release.spec.mounts.is_empty() {
                    for (peer, _) in peers {
                        assert!(self.serving(*peer) > 0, "requests are sent to {peer}, where nothing serves");
                    }
                }
                self.seen(host).peers.clone_from(peers);
            }
            Step::AskThrough => assert!(self.serving(host) > 0, "nothing answers on {host}"),
            Step::Drain { name, .. } => self.find(host, name)?.served = Served::Draining,
            Step::Dismiss { name } => {
                let found = self.find(host, name)?;
                assert_ne!(found.served, Served::Up, "dismissed while it took requests");
                found.served = Served::Absent;
            }
            Step::Stop { name, .. } => {
                let found = self.find(host, name)?;
                assert_ne!(found.served, Served::Up, "stopped while it took requests");
                found.running = Running::Ended;
            }
            Step::Remove { name, .. } => {
                let found = self.find(host, name)?;
                assert!(found.running != Running::Up && found.served == Served::Absent, "removed while in use");
                let name = name.clone();
                self.seen(host).instances.retain(|i| i.name != name);
            }
            Step::Keep { name } => assert_ne!(self.find(host, name)?.running, Running::Up),
            Step::LeaveProxy => {
                assert!(self.files[&host].is_empty(), "the file lists instances of an app that leaves");
                assert!(
                    self.seen(host).instances.iter().all(|i| i.served == Served::Absent),
                    "a server is left behind"
                );
            }
            Step::RemoveFiles | Step::RemoveImage { .. } => assert_eq!(self.up(host), 0, "removed under a running one"),
            Step::RemoveNetwork => {
                assert_eq!(self.up(host), 0, "removed under a running one");
                self.seen(host).network_present = false;
            }
        }
        Ok(())
    }

    /// Executes a plan with lanes interleaved as the dice say, at most `steps` of it. `after` sees the world after each.
    pub fn run(
        &mut self,
        plan: &Plan,
        mut steps: usize,
        dice: &mut dyn FnMut(usize) -> usize,
        after: &mut dyn FnMut(&World),
    ) -> Result<bool, Broken> {
        for stage in &plan.stages {
            let mut lanes: Vec<(HostId, std::slice::Iter<'_, Step>)> =
                stage.lanes.iter().map(|lane| (lane.host, lane.steps.iter())).collect();
            while !lanes.is_empty() {
                let at = dice(lanes.len());
                let host = lanes[at].0;
                match lanes[at].1.next() {
                    None => drop(lanes.remove(at)),
                    Some(_) if steps == 0 => return Ok(false),
                    Some(step) => {
                        steps -= 1;
                        self.step(host, step)?;
                        after(self);
                    }
                }
            }
        }
        Ok(true)
    }

    /// Instances on a host that take requests.
    pub fn serving(&self, host: HostId) -> usize {
        let here = self.have.hosts.iter().filter(|h| h.host == host).flat_map(|h| h.instances.iter());
        here.filter(|i| i.running == Running::Up && i.served == Served::Up).count()
    }

    /// Instances on a host that run.
    pub fn up(&self, host: HostId) -> usize {
        let here = self.have.hosts.iter().filter(|h| h.host == host).flat_map(|h| h.instances.iter());
        here.filter(|i| i.running == Running::Up).count()
    }

    /// The deploys and names of what runs, takes requests and stands in the file of a host.
    pub fn picture(&self, host: HostId) -> (Vec<ContainerName>, Vec<ContainerName>, Vec<ContainerName>) {
        let here = self.have.hosts.iter().filter(|h| h.host == host).flat_map(|h| h.instances.iter());
        let mut up: Vec<_> = here.clone().filter(|i| i.running == Running::Up).map(|i| i.name.clone()).collect();
        let mut serves: Vec<_> = here.filter(|i| i.served == Served::Up).map(|i| i.name.clone()).collect();
        up.sort();
        serves.sort();
        (up, serves, self.files[&host].iter().cloned().collect())
    }
}
