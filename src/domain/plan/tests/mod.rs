//! The planner: pictures of plans with a sentence each, and properties of plans that are executed with crashes.

mod pictures;
mod pictures_back;
mod pictures_moves;
mod pictures_peers;
mod pictures_remove;
mod pictures_stop;
mod properties;
mod refusals;
mod world;

use expect_test::Expect;
use std::collections::BTreeMap;
use uuid::Uuid;

use super::{GivingUp, Plan, Want, check, give_up, instance_name, plan, words};
use crate::domain::address::Bridge;
use crate::domain::app::{Mount, Spec};
use crate::domain::ids::{AppId, DeployId, EnvironmentId, HostId, InstanceId, ReleaseId, VolumeId};
use crate::domain::observed::{Have, HostSeen, Instance, OldNetwork, Running, Served};
use crate::domain::release::{Place, Release};

pub(super) fn host(n: u16) -> HostId {
    HostId(Uuid::from_u128(0xa000 + u128::from(n)))
}

pub(super) fn deploy(n: u16) -> DeployId {
    DeployId(Uuid::from_u128(0xd000 + u128::from(n)))
}

pub(super) fn host_name(n: u16) -> String {
    format!("fra-{n}")
}

/// Release `number` with so many instances on hosts 1, 2, …; made current by the deploy of the same number.
pub(super) fn want(number: u16, instances: &[u16]) -> Want {
    let place = |(at, count): (usize, &u16)| Place { host: host(at as u16 + 1), instances: *count };
    let release = Release {
        id: ReleaseId(Uuid::from_u128(0xe000 + u128::from(number))),
        app: AppId(Uuid::from_u128(1)),
        environment: EnvironmentId(Uuid::from_u128(2)),
        number: i32::from(number),
        image_id: format!("sha256:{}", "a".repeat(64)).parse().unwrap(),
        image: "web:1".parse().unwrap(),
        spec: Spec::web(8080, "/up".parse().unwrap()),
        secret_versions: BTreeMap::new(),
        placement: instances.iter().enumerate().map(place).collect(),
        commit: None,
    };
    Want {
        deploy: deploy(number),
        former: (number > 1).then(|| deploy(number - 1)),
        former_web: number > 1,
        bridges: (1..=instances.len() as u16).map(|n| (host(n), Bridge::new(n, 0).unwrap())).collect(),
        fresh: (0..64).map(|n| InstanceId(Uuid::from_u128(u128::from(number) << 16 | n))).collect(),
        image_arch: None,
        release_command: None,
        host_ports: Vec::new(),
        disk_needed_mib: 500,
        release,
    }
}

pub(super) fn with_volume(mut want: Want) -> Want {
    let mount =
        Mount { volume: VolumeId(Uuid::from_u128(9)), name: "data".parse().unwrap(), path: "/data".parse().unwrap() };
    want.release.spec.mounts.push(mount);
    want
}

pub(super) fn as_worker(mut want: Want) -> Want {
    let routes = want.release.spec.clone();
    want.release.spec = Spec { routes: routes.routes, mounts: routes.mounts, ..Spec::worker() };
    want.former_web = false;
    want
}

/// Hosts with everything in place and no instances.
pub(super) fn have(hosts: u16) -> Have {
    let seen = |n| HostSeen {
        host: host(n),
        name: host_name(n),
        unreachable: None,
        disk_free_mib: 10_000,
        arch: "amd64".to_owned(),
        image_arch: None,
        peer: None,
        peers: Vec::new(),
        image_present: true,
        network_present: true,
        old_networks: Vec::new(),
        volumes: vec![VolumeId(Uuid::from_u128(9))],
        instances: Vec::new(),
        taken: Vec::new(),
        ports_taken: Vec::new(),
    };
    Have { hosts: (1..=hosts).map(seen).collect() }
}

/// The same hosts with an address for one another.
pub(super) fn peered(mut have: Have) -> Have {
    for (at, host) in have.hosts.iter_mut().enumerate() {
        host.peer = Some([10, 0, 0, at as u8 + 1].into());
    }
    have
}

/// An instance of that deploy on that host.
pub(super) fn instance(number: u16, index: u16, on: u16, running: Running, served: Served) -> Instance {
    let release = want(number, &[1]).release;
    Instance {
        id: InstanceId(Uuid::from_u128(u128::from(number) << 16 | u128::from(index - 1))),
        name: instance_name(&release, deploy(number), index),
        container: None,
        deploy: deploy(number),
        release: release.id,
        number: i32::from(number),
        index,
        address: [10, 64, (on as u8) << 6, number as u8 * 16 + index as u8 + 1].into(),
        running,
        served,
        stray: false,
    }
}

/// Adds an instance to what is on a host.
pub(super) fn put(have: &mut Have, on: u16, instance: Instance) {
    have.hosts[usize::from(on) - 1].instances.push(instance);
}

/// A sound plan, in words.
pub(super) fn show(want: &Want, have: &Have, plan: &Plan, picture: Expect) {
    assert_eq!(check::check(want, have, plan), Vec::<String>::new());
    picture.assert_eq(&words::Words::new("web", want, have).plan(plan));
}

/// Release 1 serves on host 1.
pub(super) fn one_serves() -> Have {
    let mut have = have(1);
    put(&mut have, 1, instance(1, 1, 1, Running::Up, Served::Up));
    have
}
