//! An app changes what it is: from web to worker and back.

use skiff::domain::app::{Kind, Probe};

use crate::harness::host::TestHost;
use crate::harness::world::{World, ask};

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_becomes_a_worker_leaves_the_proxy_and_comes_back_to_it() {
    let (host, world) = (TestHost::bare().await, World::new().await);
    let id = world.provision(&host).await;
    host.load_app("127.0.0.1:5000/hello:1", "1").await;
    let mut app = world.app(id, "127.0.0.1:5000/hello:1", "hello.test").await;
    app.must_deploy().await;
    assert_eq!(ask(&host, "hello.test", "/").await.0, 200);
    let web = app.spec.clone();

    let mut worker = web.clone();
    worker.kind = Kind::Worker;
    worker.health.probe = Probe::Alive { seconds: 1 };
    app.save(worker).await;
    let ended = app.must_deploy().await;
    // What stayed in the file would be sent to whoever gets the address next.
    let file = tokio::fs::read_to_string(host.path("/etc/skiff/haproxy.cfg")).await.unwrap();
    assert!(!file.contains(&app.id.simple().to_string()), "{ended:#?}\n{file}");
    assert!(ask(&host, "hello.test", "/").await.0 >= 400, "{ended:#?}");
    assert_eq!(app.containers(&host).await.len(), 1, "{ended:#?}");

    app.save(web).await;
    let ended = app.must_deploy().await;
    assert_eq!(ask(&host, "hello.test", "/").await.0, 200, "{ended:#?}");
    world.quiet().await;
}
