//! What is refused before it is planned, and what a plan may never do.

use expect_test::expect;

use super::*;
use crate::domain::plan::check::check as findings;
use crate::domain::plan::{MAX_INSTANCES, Plan};

#[test]
fn what_cannot_be_is_refused_with_what_to_try() {
    let refused = |change: fn(&mut Want, &mut Have)| {
        let (mut want, mut have) = (want(2, &[1]), one_serves());
        change(&mut want, &mut have);
        plan(&want, &have).unwrap_err().to_string()
    };
    let sentences = [
        refused(|want, _| want.release.placement.clear()),
        refused(|_, have| have.hosts.clear()),
        refused(|_, have| have.hosts[0].unreachable = Some("no answer within 10 s".to_owned())),
        refused(|_, have| (have.hosts[0].image_present, have.hosts[0].disk_free_mib) = (false, 499)),
        refused(|want, have| {
            want.host_ports = vec![25];
            have.hosts[0].ports_taken = vec![(25, "postfix".to_owned())];
        }),
        refused(|want, _| {
            want.host_ports = vec![25];
            want.release.placement[0].instances = 2;
        }),
        refused(|_, have| have.hosts[0].taken = (2..=127).map(|n| [10, 64, 64, n].into()).collect()),
        refused(|want, _| want.bridges.clear()),
        refused(|want, _| want.release.placement[0].instances = MAX_INSTANCES as u16 + 1),
        refused(|want, _| want.fresh.clear()),
        refused(|_, have| have.hosts[0].image_arch = Some("arm64".to_owned())),
        refused(|want, _| want.image_arch = Some("arm64".to_owned())),
        refused(|_, have| have.hosts[0].old_networks = vec![old_network(true, 1)]),
        refused(|_, have| have.hosts[0].old_networks = vec![old_network(true, 0), old_network(true, 7)]),
        refused(|_, have| have.hosts[0].old_networks = vec![old_network(false, 0)]),
    ];
    expect![[r#"
        The app is placed on no host. Choose at least one host on its configuration page, then deploy again.
        A host of the placement was not looked at. Deploy again; if it stays, place the app anew.
        fra-1 cannot be reached: no answer within 10 s. Look at the host's page, or place the app elsewhere.
        fra-1 has 499 MB free where Docker keeps its data, and this release needs 500 MB. Free some space there, or place the app elsewhere.
        Port 25 of fra-1 is in use by postfix. Stop that, or choose another port.
        2 instances on fra-1 cannot share its port 25. Place one instance per host, or give up the fixed port.
        No address is free on fra-1: all 126 of this environment are in use there. Remove instances, or place some on another host.
        fra-1 has no network number left for this environment. Place the app on another host.
        65 instances are more than the 64 an app may have. Ask for fewer, or split the app.
        Fewer identities than instances were handed in. Deploy again.
        The image is made for arm64, and fra-1 is amd64: it does not run there. Place the app on hosts of arm64, or build it on a host of amd64.
        The image is made for arm64, and fra-1 is amd64: it does not run there. Place the app on hosts of arm64, or build it on a host of amd64.
        fra-1 has a network skiff-old with the subnet 10.64.0.0/24 from before it was added here, and containers are on it: c1. Remove them there, or take them off it (docker network disconnect -f skiff-old NAME), then deploy again.
        fra-1 has a network skiff-old with the subnet 10.64.0.0/24 from before it was added here, and containers are on it: c1, c2, c3, c4, c5 and 2 more. Remove them there, or take them off it (docker network disconnect -f skiff-old NAME), then deploy again.
        fra-1 has a network skiff-old with the subnet 10.64.0.0/24 that Skiff did not make. Remove it there (docker network rm skiff-old), then deploy again."#]].assert_eq(&sentences.join("\n"));
}

/// A network in the place of the environment's, with so many containers on it.
fn old_network(ours: bool, on: usize) -> OldNetwork {
    let on = (1..=on).map(|n| format!("c{n}")).collect();
    OldNetwork { name: "skiff-old".parse().unwrap(), subnet: "10.64.0.0/24".to_owned(), ours, on }
}

#[test]
fn an_old_network_that_nothing_is_on_makes_way() {
    let mut have = one_serves();
    have.hosts[0].network_present = false;
    have.hosts[0].old_networks = vec![old_network(true, 0)];
    super::pictures::check(
        want(2, &[1]),
        have,
        expect![[r#"
        prepare and first instance
          - remove the old network skiff-old on fra-1
            make the network 10.64.64.0/24 on fra-1
            create web-1 v2 at 10.64.64.2 on fra-1
            start web-1 v2 on fra-1
            wait until web-1 v2 is healthy on fra-1
          - write v2 to disk on fra-1
        switch (traffic has moved)
          - write the proxy's file with web-1 v2 on fra-1
            send requests to web-1 v2 on fra-1
            see a request answered through the proxy on fra-1
        stop the old (traffic has moved)
          - let web-1 v1 finish its requests, up to 30 s on fra-1
            stop web-1 v1 on fra-1
            take web-1 v1 out of the proxy on fra-1
        clean up (traffic has moved)
          - remove web-1 v1 on fra-1
    "#]],
    );
}

#[test]
fn a_broken_plan_is_found() {
    let (want, have) = (want(2, &[1]), one_serves());
    let sound = plan(&want, &have).unwrap();
    let found = |change: &dyn Fn(&mut Plan)| {
        let mut plan = sound.clone();
        change(&mut plan);
        findings(&want, &have, &plan)
            .join(" ")
            .replace(want.deploy.simple().as_str(), "new")
            .replace(deploy(1).simple().as_str(), "old")
            .replace("skiff-00000000000000000000000000000001-", "")
    };
    let sentences = [
        found(&|plan| plan.stages[0].lanes[0].steps.truncate(2)),
        found(&|plan| plan.stages.swap(0, 1)),
        found(&|plan| plan.stages.swap(1, 2)),
        found(&|plan| {
            let lane = plan.stages[0].lanes[0].clone();
            plan.stages[0].lanes.push(lane);
        }),
        found(&|plan| drop(plan.stages[2].lanes[0].steps.pop())),
        found(&|plan| drop(plan.stages[2].lanes[0].steps.remove(1))),
        found(&|plan| drop(plan.stages[1].lanes[0].steps.remove(0))),
    ];
    expect![[r#"
        new-1 is in the file before it is healthy. new-1 takes requests before it is healthy.
        new-1 is in the file before it is healthy. new-1 takes requests before it is healthy.
        old-1 leaves before its successor is in place. old-1 leaves before its successor is in place.
        new-1 is created though it exists. new-1 gets the address of another container.
        old-1 is removed while the proxy knows it. old-1 is drained but never leaves the proxy.
        old-1 leaves the proxy before it is stopped. old-1 is removed while it runs.
        new-1 takes requests before it is in the file."#]]
    .assert_eq(&sentences.join("\n"));
}
