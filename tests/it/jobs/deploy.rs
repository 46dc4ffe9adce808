//! The main way: a bare server is provisioned, an image deployed, deployed again, and rolled back.

use crate::harness::host::TestHost;
use crate::harness::world::{World, ask};

#[tokio::test(flavor = "multi_thread")]
async fn a_bare_server_serves_an_app_and_its_next_version_and_goes_back() {
    let (host, world) = (TestHost::bare().await, World::new().await);
    let id = world.provision(&host).await;
    let again = world.provision_again(id).await;
    assert!(again.steps.iter().all(|step| step.contains("nothing") || step.contains(": unchanged")), "{again:#?}");
    host.load_app("127.0.0.1:5000/hello:1", "1").await;
    host.load_app("127.0.0.1:5000/hello:2", "2").await;
    let foreign = host.foreign_inventory().await;

    let app = world.app(id, "127.0.0.1:5000/hello:1", "hello.test").await;
    let first = app.must_deploy().await;
    assert_eq!(ask(&host, "hello.test", "/").await.0, 200, "{first:#?}");
    assert!(ask(&host, "hello.test", "/").await.1.contains('1'));

    app.image("127.0.0.1:5000/hello:2").await;
    let second = app.must_deploy().await;
    assert!(ask(&host, "hello.test", "/").await.1.contains('2'), "{second:#?}");
    assert_eq!(app.containers(&host).await.len(), 1, "the old container is gone: {second:#?}");

    let back = app.roll_back(1).await;
    assert_eq!(back.state, "succeeded", "{back:#?}");
    assert!(ask(&host, "hello.test", "/").await.1.contains('1'));
    assert_eq!(host.foreign_inventory().await, foreign, "nothing of others was touched");
    println!("{first:#?}{second:#?}{back:#?}");
    world.quiet().await;
}
