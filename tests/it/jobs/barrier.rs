//! An app on two hosts is deployed on both or on none: what goes wrong on the second leaves the first on the old release.

use skiff::domain::deploy::Target;

use crate::harness::fleet;
use crate::harness::host::TestHost;
use crate::harness::world::{Ended, TestApp, World, ask};

const V1: &str = "127.0.0.1:5000/hello:1";
const V2: &str = "127.0.0.1:5000/hello:2";
const DOMAIN: &str = "barrier.test";

/// A rule of the host's own packet filter, added (`-I`) or taken away (`-D`).
async fn rule(host: &TestHost, how: &str, port: &str) {
    let rule = ["iptables", how, "OUTPUT", "-p", "tcp", "--dport", port, "-j", "REJECT", "--reject-with", "tcp-reset"];
    host.enter(&rule).await.must("the rule is set");
}

/// Both hosts serve the first version with exactly what served before.
async fn old_everywhere(app: &TestApp<'_>, hosts: &[&TestHost], before: &[Vec<String>], ended: &Ended) {
    for (host, before) in hosts.iter().zip(before) {
        let (status, body) = ask(host, DOMAIN, "/").await;
        assert!(status == 200 && body.contains('1'), "{status} {body} {ended:#?}");
        assert_eq!(&running(app, host).await, before, "{ended:#?}");
    }
}

async fn running(app: &TestApp<'_>, host: &TestHost) -> Vec<String> {
    let all = app.containers(host).await;
    all.into_iter().filter(|(_, state)| state == "running").map(|(name, _)| name).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_on_the_second_host_leaves_both_on_the_old_release() {
    let (a, b, world) = (TestHost::bare().await, TestHost::bare().await, World::new().await);
    let ids = fleet::ready(&world, &[&a, &b]).await;
    for host in [&a, &b] {
        host.load_app(V1, "1").await;
        host.load_app(V2, "2").await;
    }
    let mut app = world.app(ids[0], V1, DOMAIN).await;
    app.spec.health.start_period_s = 3;
    fleet::place(&world, app.id, &mut app.spec, &[(ids[0], 1), (ids[1], 1)]).await;
    app.must_deploy().await;
    app.image(V2).await;
    let hosts = [&a, &b];
    let before = [running(&app, &a).await, running(&app, &b).await];

    // Never healthy there: nothing has switched.
    rule(&b, "-I", "8080").await;
    let unhealthy = app.deploy().await;
    rule(&b, "-D", "8080").await;
    assert_eq!(unhealthy.state, "failed", "{unhealthy:#?}");
    assert!(
        !unhealthy
            .steps
            .iter()
            .any(|step| step.starts_with("send requests") && step.contains("v2") && step.contains(": changed")),
        "{unhealthy:#?}"
    );
    old_everywhere(&app, &hosts, &before, &unhealthy).await;

    // Its proxy gives no answer after the first host has switched: that one goes back.
    rule(&b, "-I", "80").await;
    let unasked = app.deploy().await;
    rule(&b, "-D", "80").await;
    assert_eq!(unasked.state, "failed", "{unasked:#?}");
    assert!(unasked.reason.contains("no request came through the proxy"), "{unasked:#?}");
    old_everywhere(&app, &hosts, &before, &unasked).await;

    // The power of the second host fails in the middle: the first serves the old release, and the second too once it is back.
    let (_, job) = app.request(Target::Head).await;
    world.reach_step(job, "wait until").await;
    b.power_off().await;
    let powerless = world.over(job).await;
    assert_eq!(powerless.state, "failed", "{powerless:#?}");
    assert!(powerless.reason.contains("did not answer"), "{powerless:#?}");
    let (status, body) = ask(&a, DOMAIN, "/").await;
    assert!(status == 200 && body.contains('1'), "{status} {body} {powerless:#?}");
    assert_eq!(running(&app, &a).await, before[0], "{powerless:#?}");
    b.power_on().await;
    let after = app.must_deploy().await;
    for host in hosts {
        assert!(ask(host, DOMAIN, "/").await.1.contains('2'), "{after:#?}");
        assert_eq!(app.containers(host).await.len(), 1, "{after:#?}");
    }
    world.quiet().await;
}
