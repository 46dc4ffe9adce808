//! Cancelling: before traffic moves it leaves everything as it was, after that it is refused.

use std::time::Duration;

use skiff::actions::{Refused, deploys};
use skiff::domain::deploy::Target;
use skiff::domain::rights::Actor;

use crate::harness::host::TestHost;
use crate::harness::probe::Probe;
use crate::harness::world::{World, ask};

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_deploy_leaves_the_old_version_untouched_and_after_the_switch_it_is_refused() {
    let (host, world) = (TestHost::bare().await, World::new().await);
    let id = world.provision(&host).await;
    host.load_app("127.0.0.1:5000/hello:1", "1").await;
    host.load_app("127.0.0.1:5000/hello:2", "2").await;
    let mut app = world.app(id, "127.0.0.1:5000/hello:1", "cancel.test").await;
    app.must_deploy().await;
    let (before, good) = (app.containers(&host).await, app.spec.clone());
    let (actions, person) = (world.actions(), Actor::on_the_panels_machine(world.team.id));
    app.image("127.0.0.1:5000/hello:2").await;

    let probe = Probe::start(&host, "cancel.test");
    app.set("START_DELAY_MS", "60000").await;
    for step in ["get the image", "create", "start", "wait until"] {
        let (deploy, job) = app.request(Target::Head).await;
        world.reach_step(job, step).await;
        deploys::cancel(&actions, &person, deploy).await.unwrap();
        let ended = world.over(job).await;
        assert_eq!(ended.state, "cancelled", "{step}: {ended:#?}");
        assert_eq!(app.containers(&host).await, before, "{step}: the new is gone, the old untouched: {ended:#?}");
    }
    assert!(ask(&host, "cancel.test", "/").await.1.contains('1'));

    // A slow request keeps the old instance draining: traffic has moved by then.
    app.save(good).await;
    let url = format!("http://{}/sleep/3000", host.address);
    let slow = tokio::spawn(async move { reqwest::Client::new().get(url).header("host", "cancel.test").send().await });
    tokio::time::sleep(Duration::from_millis(100)).await;
    let (deploy, job) = app.request(Target::Head).await;
    world.reach_step(job, "let ").await;
    match deploys::cancel(&actions, &person, deploy).await {
        Err(Refused::Conflict(words)) => assert!(words.contains("roll back instead"), "{words}"),
        other => panic!("{other:?}"),
    }
    let ended = world.over(job).await;
    assert_eq!(ended.state, "succeeded", "{ended:#?}");
    assert_eq!(slow.await.unwrap().unwrap().status(), 200, "it was let finish");
    assert!(ask(&host, "cancel.test", "/").await.1.contains('2'));
    probe.clean("cancelling").await;
    world.quiet().await;
}
