//! A host that goes in the middle of a deploy: off the network, or off its power. The others serve what they served, the
//! deploy ends with a reason, and the next one sets right what is left.

use std::time::{Duration, Instant};

use skiff::domain::deploy::Target;
use skiff::domain::ids::HostId;

use crate::harness::fleet;
use crate::harness::host::TestHost;
use crate::harness::probe::Probe;
use crate::harness::world::{Ended, TestApp, World, ask};

const V1: &str = "127.0.0.1:5000/hello:1";
const V2: &str = "127.0.0.1:5000/hello:2";
const DOMAIN: &str = "lost.test";
/// The waits of a deploy for a host that is away (45 s, and 20 s on the way back), with those of single calls.
const OVER_WITHIN: Duration = Duration::from_secs(150);
/// A server serves again this soon after its Docker is up.
const BACK_WITHIN: Duration = Duration::from_secs(30);

/// An app on each of these hosts, and two versions of it.
async fn placed<'a>(world: &'a World, hosts: &[&TestHost]) -> (TestApp<'a>, Vec<HostId>) {
    let ids = fleet::ready(world, hosts).await;
    for host in hosts {
        host.load_app(V1, "1").await;
        host.load_app(V2, "2").await;
    }
    let mut app = world.app(ids[0], V1, DOMAIN).await;
    app.spec.health.start_period_s = 20;
    app.spec.variables.insert("START_DELAY_MS".parse().unwrap(), "1500".parse().unwrap());
    let places: Vec<_> = ids.iter().map(|id| (*id, 1)).collect();
    fleet::place(world, app.id, &mut app.spec, &places).await;
    app.must_deploy().await;
    (app, ids)
}

/// Every host serves this version with one container.
async fn all_serve(app: &TestApp<'_>, hosts: &[&TestHost], version: char, ended: &Ended) {
    for host in hosts {
        let (status, body) = ask(host, DOMAIN, "/").await;
        assert!(status == 200 && body.contains(version), "{status} {body} {ended:#?}");
        let containers = app.containers(host).await;
        assert!(
            containers.len() == 1 && containers.values().all(|state| state == "running"),
            "{containers:?} {ended:#?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_off_the_network_in_a_deploy_fails_it_and_the_others_serve_on() {
    let (a, b, c) = tokio::join!(TestHost::bare(), TestHost::bare(), TestHost::bare());
    let world = World::new().await;
    let hosts = [&a, &b, &c];
    let (app, _) = placed(&world, &hosts).await;
    app.image(V2).await;
    let probes = [Probe::start(&a, DOMAIN), Probe::start(&c, DOMAIN)];
    let (_, job) = app.request(Target::Head).await;
    world.reach_step(job, "wait until").await;
    b.cut().await;
    let cut = Instant::now();
    let ended = world.over(job).await;
    println!("off the network: {} after {:.1} s: {}", ended.state, cut.elapsed().as_secs_f32(), ended.reason);
    assert!(cut.elapsed() < OVER_WITHIN, "{ended:#?}");
    assert_eq!(ended.state, "failed", "{ended:#?}");
    assert!(ended.reason.contains("did not answer"), "{ended:#?}");
    for probe in probes {
        let seen = probe.clean("the others").await;
        assert!(seen.bodies.iter().all(|body| body.contains('1')), "the old release: {seen:?}");
    }
    all_serve_old(&app, &[&a, &c], &ended).await;
    b.heal().await;
    let after = app.must_deploy().await;
    all_serve(&app, &hosts, '2', &after).await;
    world.quiet().await;
}

/// These hosts serve the old version; what failed may be kept there, stopped.
async fn all_serve_old(app: &TestApp<'_>, hosts: &[&TestHost], ended: &Ended) {
    for host in hosts {
        assert!(ask(host, DOMAIN, "/").await.1.contains('1'), "{ended:#?}");
        let containers = app.containers(host).await;
        let running = containers.values().filter(|state| *state == "running").count();
        assert_eq!(running, 1, "{containers:?} {ended:#?}");
    }
}

/// Reboots the second of two hosts when this step begins, with all that the case asks of it.
async fn rebooted_at(world: &World, app: &TestApp<'_>, hosts: [&TestHost; 2], step: &str, to: (&str, char)) {
    let [a, b] = hosts;
    app.image(to.0).await;
    let probe = Probe::start(a, DOMAIN);
    let (_, job) = app.request(Target::Head).await;
    world.reach_step(job, step).await;
    b.reboot().await;
    let back = Instant::now();
    // Whatever serves there: the deploy goes on meanwhile.
    while reqwest_status(b).await != Some(200) {
        assert!(back.elapsed() < BACK_WITHIN, "{step}: it does not serve again");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let served = back.elapsed();
    let ended = world.over(job).await;
    println!(
        "rebooted at \"{step}\": serves again after {:.1} s, {} after {:.1} s {}",
        served.as_secs_f32(),
        ended.state,
        back.elapsed().as_secs_f32(),
        ended.reason
    );
    assert!(back.elapsed() < OVER_WITHIN, "{step}: {ended:#?}");
    assert!(ended.state == "succeeded" || !ended.reason.is_empty(), "{step}: {ended:#?}");
    probe.clean(step).await;
    let after = if ended.state == "succeeded" { ended } else { app.must_deploy().await };
    all_serve(app, &hosts, to.1, &after).await;
}

async fn reqwest_status(host: &TestHost) -> Option<u16> {
    let request = reqwest::Client::new().get(format!("http://{}/", host.address)).header("host", DOMAIN);
    Some(request.timeout(Duration::from_secs(2)).send().await.ok()?.status().as_u16())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_rebooted_in_a_deploy_serves_again_and_nothing_is_there_twice() {
    let (a, b) = tokio::join!(TestHost::bare(), TestHost::bare());
    let world = World::new().await;
    let (app, _) = placed(&world, &[&a, &b]).await;
    rebooted_at(&world, &app, [&a, &b], "wait until", (V2, '2')).await;
    world.quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "the whole of it takes minutes: bin/test t09"]
async fn t09_a_host_rebooted_in_each_part_of_a_deploy() {
    let (a, b) = tokio::join!(TestHost::bare(), TestHost::bare());
    let world = World::new().await;
    let (app, _) = placed(&world, &[&a, &b]).await;
    let steps = ["get the image", "create", "wait until", "send requests", "stop", "remove"];
    for (step, to) in steps.into_iter().zip([(V2, '2'), (V1, '1')].into_iter().cycle()) {
        rebooted_at(&world, &app, [&a, &b], step, to).await;
    }
    world.quiet().await;
}
