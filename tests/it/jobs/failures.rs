//! A new version that is bad in every way there is: the old one serves on, and the reason is the right one.

use skiff::domain::deploy::Target;

use crate::harness::host::TestHost;
use crate::harness::world::{TestApp, World, ask};

const IMAGE: &str = "127.0.0.1:5000/hello:1";

/// Deploys with these variables; the deploy must fail for this reason, and v1 must still answer.
async fn fails(world: &World, host: &TestHost, app: &mut TestApp<'_>, set: &[(&str, &str)], reason: &str) {
    let good = app.spec.clone();
    for (name, value) in set {
        app.set(name, value).await;
    }
    let before = app.containers(host).await;
    let ended = app.deploy().await;
    assert_eq!(ended.state, "failed", "{set:?}: {ended:#?}");
    assert!(ended.reason.contains(reason), "{set:?}: {ended:#?}");
    assert_eq!(ask(host, "hello.test", "/").await.0, 200, "{set:?}: the old one serves: {ended:#?}");
    let serving = before.iter().filter(|(_, state)| *state == "running").all(|(name, _)| {
        // The very same container, not a new one of the old version.
        before.contains_key(name)
    });
    assert!(serving);
    let after = app.containers(host).await;
    for (name, state) in before.iter().filter(|(_, state)| *state == "running") {
        assert_eq!(after.get(name), Some(state), "{set:?}: untouched: {after:?}");
    }
    app.save(good).await;
    let _ = world;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_version_leaves_the_old_one_serving_and_says_why() {
    let (host, world) = (TestHost::bare().await, World::new().await);
    let id = world.provision(&host).await;
    host.load_app(IMAGE, "1").await;
    let mut app = world.app(id, IMAGE, "hello.test").await;
    let mut spec = app.spec.clone();
    spec.health.start_period_s = 3;
    spec.memory_mib = Some(64);
    app.save(spec).await;
    app.must_deploy().await;

    fails(&world, &host, &mut app, &[("EXIT_CODE", "3")], "with status 3").await;
    fails(&world, &host, &mut app, &[("STATUS", "500")], "500").await;
    fails(&world, &host, &mut app, &[("REDIRECT", "https://elsewhere.example/")], "redirect").await;
    fails(&world, &host, &mut app, &[("PORT", "9999")], "8080").await;
    fails(&world, &host, &mut app, &[("HANG", "1")], "no answer").await;
    fails(&world, &host, &mut app, &[("MEMORY_MB", "512"), ("UP_STATUS", "503")], "memory").await;

    app.image("127.0.0.1:5000/nowhere:1").await;
    fails(&world, &host, &mut app, &[], "127.0.0.1:5000/nowhere:1").await;
    app.image(IMAGE).await;
    let good = app.must_deploy().await;
    assert_eq!(app.containers(&host).await.len(), 1, "kept ones go with the next success: {good:#?}");
    world.quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_dies_in_any_step_is_taken_over_and_one_set_of_containers_serves() {
    let (host, mut world) = (TestHost::bare().await, World::new().await);
    let id = world.provision(&host).await;
    for version in ["1", "2"] {
        host.load_app(&format!("127.0.0.1:5000/hello:{version}"), version).await;
    }
    // One deploy for each step of a plan, the worker killed as soon as that step has begun.
    for (round, step) in [
        "get the image",
        "create",
        "start",
        "wait until",
        "write the proxy",
        "send requests",
        "see a request",
        "let",
        "stop",
        "take",
        "remove",
    ]
    .iter()
    .enumerate()
    {
        let version = if round % 2 == 0 { "1" } else { "2" };
        let app_id = {
            let app = world.app(id, "127.0.0.1:5000/hello:1", &format!("r{round}.test")).await;
            app.must_deploy().await;
            app.image(&format!("127.0.0.1:5000/hello:{version}")).await;
            let (_, job) = app.request(Target::Head).await;
            world.reach_step(job, step).await;
            (app.id, job)
        };
        world.kill_worker();
        world.leases_run_out().await;
        world.start_worker();
        let ended = world.over(app_id.1).await;
        assert_eq!(ended.state, "succeeded", "{step}: {ended:#?}");
        let (status, body) = ask(&host, &format!("r{round}.test"), "/").await;
        assert!(status == 200 && body.contains(version), "{step}: {status} {body}");
        let filter = format!("label=skiff.app={}", app_id.0);
        let shown = host.docker(&["ps", "-a", "--filter", &filter, "--format", "{{.Names}}"]).await;
        assert_eq!(shown.lines().count(), 1, "{step}: {shown} {ended:#?}");
    }
    world.quiet().await;
}
