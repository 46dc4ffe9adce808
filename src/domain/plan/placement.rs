//! What a deploy stands on: which instances go where, which are adopted, which are old, and whether it can be at all.
//! Not here: the order of the steps.

use super::deploy::Order;
use super::{Have, Refusal, Want, instance_name, peers};
use crate::domain::address::Bridge;
use crate::domain::app::Kind;
use crate::domain::ids::{HostId, VolumeId};
use crate::domain::observed::{HostSeen, Instance, OldNetwork, Running, Served};
use crate::domain::registry;

/// MiB that must be free where the image is there already: a container, its log and the release's files.
const CONTAINER_MIB: u64 = 8;

/// Instances one app may have in all. More belong to several apps: a proxy's page, a deploy's plan and the address
/// plan (126 fixed addresses on a bridge, old and new ones side by side) stay within sight.
pub const MAX_INSTANCES: usize = 64;

/// Containers on a network that a refusal names.
const TOLD: usize = 5;

/// One host of the placement.
pub(super) struct Place<'a> {
    /// What was seen there.
    pub seen: &'a HostSeen,
    /// The environment's bridge there.
    pub bridge: Bridge,
    /// The volumes it must have.
    pub volumes: Vec<VolumeId>,
    /// The instances wanted there: adopted ones as observed, new ones as missing.
    pub instances: Vec<Instance>,
}

/// Everything decided before the order of the steps.
pub(super) struct Ground<'a> {
    /// The hosts of the placement, in its order.
    pub places: Vec<Place<'a>>,
    /// Instances that are not wanted, with their hosts.
    pub old: Vec<(&'a HostSeen, &'a Instance)>,
    /// Who goes first.
    pub order: Order,
    /// True where instances of this deploy were found: its release command has succeeded.
    pub begun: bool,
    /// True where one of them was found taking requests: traffic has moved.
    pub moved: bool,
    /// What the reader should know.
    pub notes: Vec<String>,
}

impl Ground<'_> {
    /// Every host that has something to do.
    pub fn hosts(&self) -> Vec<HostId> {
        let mut hosts: Vec<HostId> = self.places.iter().map(|p| p.seen.host).collect();
        hosts.extend(self.departed());
        hosts
    }

    /// Hosts with old instances that are not in the placement any more.
    pub fn departed(&self) -> Vec<HostId> {
        let placed = |host: &HostId| self.places.iter().any(|p| p.seen.host == *host);
        let mut hosts: Vec<HostId> = self.old.iter().map(|(seen, _)| seen.host).filter(|h| !placed(h)).collect();
        hosts.dedup();
        hosts
    }

    /// The first host alone, then the others together.
    pub fn waves(&self) -> Vec<Vec<HostId>> {
        let mut hosts = self.places.iter().map(|p| p.seen.host);
        let first: Vec<HostId> = hosts.next().into_iter().collect();
        let rest: Vec<HostId> = hosts.collect();
        [first, rest].into_iter().filter(|wave| !wave.is_empty()).collect()
    }
}

/// Decides what goes where, or says why it cannot be.
pub(super) fn ground<'a>(want: &Want, have: &'a Have) -> Result<Ground<'a>, Refusal> {
    let counts = counts(want)?;
    let mut seen = Vec::new();
    for (host, count) in &counts {
        let here = have.hosts.iter().find(|h| h.host == *host).ok_or_else(|| {
            refusal("A host of the placement was not looked at. Deploy again; if it stays, place the app anew.")
        })?;
        admissible(want, here, *count)?;
        seen.push((here, *count));
    }
    let image = have.hosts.iter().find_map(|h| h.image_arch.as_deref()).or(want.image_arch.as_deref());
    let kinds: Vec<(&str, &str)> = seen.iter().map(|(h, _)| (h.name.as_str(), h.arch.as_str())).collect();
    if let Some(reason) = registry::misfit(image, &kinds) {
        return Err(Refusal(reason));
    }
    let mut notes = unreachable_notes(want, have);
    let hosts: Vec<&HostSeen> = seen.iter().map(|(host, _)| *host).collect();
    notes.extend(peers::note(&hosts).filter(|_| want.release.spec.kind == Kind::Web));
    let (mut fresh, mut used) = (want.fresh.iter(), used_indices(want, have));
    let (mut places, mut adopted) = (Vec::new(), Vec::new());
    for (here, count) in seen {
        let bridge = want.bridges.iter().find(|(host, _)| *host == here.host).map(|(_, bridge)| *bridge);
        let bridge = bridge.ok_or_else(|| {
            refusal(&format!(
                "{} has no network number left for this environment. Place the app on another host.",
                here.name
            ))
        })?;
        let mut instances: Vec<Instance> = mine(want, here).take(count).cloned().collect();
        adopted.extend(instances.iter().map(|i| i.id));
        let mut taken = here.taken.clone();
        taken.extend(here.instances.iter().map(|i| i.address));
        while instances.len() < count {
            let address = bridge.free_address(&taken).ok_or_else(|| refusal(&format!(
                "No address is free on {}: all 126 of this environment are in use there. Remove instances, or place some on another host.",
                here.name
            )))?;
            let id = *fresh
                .next()
                .ok_or_else(|| refusal("Fewer identities than instances were handed in. Deploy again."))?;
            let index = (1..).find(|n| !used.contains(n)).unwrap_or(u16::MAX);
            taken.push(address);
            used.push(index);
            instances.push(planned(want, id, index, address));
        }
        instances.sort_by_key(|i| i.index);
        let volumes = want.release.spec.mounts.iter().map(|m| m.volume).collect();
        places.push(Place { seen: here, bridge, volumes, instances });
    }
    let everything = have.hosts.iter().flat_map(|h| h.instances.iter().map(move |i| (h, i)));
    let old: Vec<(&HostSeen, &Instance)> = everything.clone().filter(|(_, i)| !adopted.contains(&i.id)).collect();
    let begun = everything.clone().any(|(_, i)| i.deploy == want.deploy && i.running != Running::Missing);
    let moved = everything.clone().any(|(_, i)| i.deploy == want.deploy && i.served == Served::Up);
    let (order, why) = order(want, &places, &old);
    notes.extend(why);
    notes.extend(old.iter().filter(|(_, i)| i.stray).map(|(h, i)| {
        format!(
            "{} on {} was started by a run.bash: it is stopped, and stays there until somebody removes it.",
            i.name, h.name
        )
    }));
    Ok(Ground { places, old, order, begun, moved, notes })
}

/// A refusal from a sentence.
fn refusal(sentence: &str) -> Refusal {
    Refusal(sentence.to_owned())
}

/// How many instances on which host; a host named twice counts together.
fn counts(want: &Want) -> Result<Vec<(HostId, usize)>, Refusal> {
    let mut counts: Vec<(HostId, usize)> = Vec::new();
    for place in want.release.placement.iter().filter(|p| p.instances > 0) {
        match counts.iter_mut().find(|(host, _)| *host == place.host) {
            Some((_, count)) => *count += usize::from(place.instances),
            None => counts.push((place.host, usize::from(place.instances))),
        }
    }
    let total: usize = counts.iter().map(|(_, count)| count).sum();
    if counts.is_empty() {
        return Err(refusal(
            "The app is placed on no host. Choose at least one host on its configuration page, then deploy again.",
        ));
    }
    if total > MAX_INSTANCES {
        return Err(Refusal(format!(
            "{total} instances are more than the {MAX_INSTANCES} an app may have. Ask for fewer, or split the app."
        )));
    }
    Ok(counts)
}

/// Whether the host can take the release.
fn admissible(want: &Want, here: &HostSeen, count: usize) -> Result<(), Refusal> {
    let name = &here.name;
    if let Some(why) = &here.unreachable {
        return Err(Refusal(format!(
            "{name} cannot be reached: {why}. Look at the host's page, or place the app elsewhere."
        )));
    }
    let needed = if here.image_present { CONTAINER_MIB } else { want.disk_needed_mib };
    if here.disk_free_mib < needed {
        return Err(Refusal(format!(
            "{name} has {} MB free where Docker keeps its data, and this release needs {needed} MB. Free some space there, or place the app elsewhere.",
            here.disk_free_mib
        )));
    }
    if let Some(old) = here.old_networks.iter().find(|old| !old.ours || !old.on.is_empty()) {
        return Err(in_the_way(name, old));
    }
    if let (Some(port), true) = (want.host_ports.first(), count > 1) {
        return Err(Refusal(format!(
            "{count} instances on {name} cannot share its port {port}. Place one instance per host, or give up the fixed port."
        )));
    }
    // A port held by an instance of this very app is freed by the deploy itself.
    let ours = |by: &String| here.instances.iter().any(|i| i.name.as_ref() == by);
    let taken = here.ports_taken.iter().find(|(port, by)| want.host_ports.contains(port) && !ours(by));
    match taken {
        Some((port, by)) => {
            let by = if by.is_empty() { "another program" } else { by };
            Err(Refusal(format!("Port {port} of {name} is in use by {by}. Stop that, or choose another port.")))
        }
        None => Ok(()),
    }
}

/// A network that stands where the environment's should, and that is not Skiff's to take away.
fn in_the_way(host: &str, old: &OldNetwork) -> Refusal {
    let OldNetwork { name, subnet, ours, on } = old;
    let whose = if *ours { "from before it was added here" } else { "that Skiff did not make" };
    let what = format!("{host} has a network {name} with the subnet {subnet} {whose}");
    if on.is_empty() {
        return Refusal(format!("{what}. Remove it there (docker network rm {name}), then deploy again."));
    }
    let told = on.iter().take(TOLD).map(String::as_str).collect::<Vec<_>>().join(", ");
    let more = match on.len().saturating_sub(TOLD) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let off = format!("take them off it (docker network disconnect -f {name} NAME)");
    Refusal(format!("{what}, and containers are on it: {told}{more}. Remove them there, or {off}, then deploy again."))
}

/// Hosts that hold old instances perhaps, but do not answer: they do not stop the deploy, its reader is told.
fn unreachable_notes(want: &Want, have: &Have) -> Vec<String> {
    let placed = |host: HostId| want.release.placement.iter().any(|p| p.host == host && p.instances > 0);
    let silent = have.hosts.iter().filter(|h| !placed(h.host));
    silent
        .filter_map(|h| h.unreachable.as_ref().map(|why| (&h.name, why)))
        .map(|(name, why)| {
            format!("{name} cannot be reached ({why}): what runs there of older releases stays until a later deploy.")
        })
        .collect()
}

/// The instances of this very deploy on a host, by index.
fn mine<'a>(want: &Want, here: &'a HostSeen) -> impl Iterator<Item = &'a Instance> {
    let mut mine: Vec<&Instance> = here.instances.iter().filter(|i| i.deploy == want.deploy).collect();
    mine.sort_by_key(|i| i.index);
    mine.into_iter()
}

/// Indices this deploy has already given out, on any host.
fn used_indices(want: &Want, have: &Have) -> Vec<u16> {
    let all = have.hosts.iter().flat_map(|h| h.instances.iter());
    all.filter(|i| i.deploy == want.deploy).map(|i| i.index).collect()
}

/// An instance that is still to be made.
fn planned(want: &Want, id: crate::domain::ids::InstanceId, index: u16, address: std::net::Ipv4Addr) -> Instance {
    Instance {
        id,
        name: instance_name(&want.release, want.deploy, index),
        container: None,
        deploy: want.deploy,
        release: want.release.id,
        number: want.release.number,
        index,
        address,
        running: Running::Missing,
        served: Served::Absent,
        stray: false,
    }
}

/// Who goes first, and the sentence that says why it is not the new one.
fn order(want: &Want, places: &[Place<'_>], old: &[(&HostSeen, &Instance)]) -> (Order, Vec<String>) {
    let spec = &want.release.spec;
    let runs = old.iter().any(|(_, i)| i.running == Running::Up);
    let mut notes = Vec::new();
    if let (Some(mount), true) = (spec.mounts.first(), places.iter().any(|p| p.instances.len() > 1)) {
        notes.push(format!("Several instances on one host write to the volume {} at the same time.", mount.name));
    }
    let pause = if spec.kind == Kind::Web { " Requests are refused meanwhile." } else { "" };
    let order = if !spec.overlap {
        if runs {
            notes.push(format!(
                "The old instances stop before the new ones start, because the app must not run twice.{pause}"
            ));
        }
        Order::AllStopFirst
    } else if let Some(mount) = spec.mounts.first() {
        if runs {
            notes.push(format!(
                "The old instance stops before the new one starts, because the volume {} cannot be shared.{pause}",
                mount.name
            ));
        }
        Order::HostStopFirst
    } else if let Some(port) = want.host_ports.first() {
        if runs {
            notes.push(format!(
                "The old instance stops before the new one starts, because port {port} of the host cannot be shared.{pause}"
            ));
        }
        Order::HostStopFirst
    } else {
        Order::StartFirst
    };
    // With nothing old that runs, nobody has to wait for anybody.
    (if runs { order } else { Order::StartFirst }, notes)
}
