//! Whose an address is, and on which port it answers: what the database says is what the proxy does, whatever a release remembers.

use skiff::domain::app::Route;

use crate::harness::host::TestHost;
use crate::harness::world::{World, ask, ask_port};

fn route(domain: &str) -> Route {
    Route { domain: domain.parse().unwrap(), path: "/".parse().unwrap() }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_was_given_up_and_is_anothers_is_not_taken_back() {
    let (host, world) = (TestHost::bare().await, World::new().await);
    let id = world.provision(&host).await;
    host.load_app("127.0.0.1:5000/hello:1", "1").await;
    host.load_app("127.0.0.1:5000/hello:2", "2").await;
    // The one that gives the address up has the lower backend: the proxy would find it first.
    let mut former = world.app(id, "127.0.0.1:5000/hello:1", "former.test").await;
    let mut both = former.spec.clone();
    both.routes.push(route("shared.test"));
    former.save(both.clone()).await;
    former.must_deploy().await;
    assert_eq!(ask(&host, "shared.test", "/").await.1.trim(), "1");
    both.routes.pop();
    former.save(both.clone()).await;
    former.must_deploy().await;
    let mut heir = world.app(id, "127.0.0.1:5000/hello:2", "heir.test").await;
    let mut spec = heir.spec.clone();
    spec.routes.push(route("shared.test"));
    heir.save(spec).await;
    heir.must_deploy().await;
    assert_eq!(ask(&host, "shared.test", "/").await.1.trim(), "2");

    // A kept release that answered there takes nothing back.
    let back = former.roll_back(1).await;
    assert_eq!(back.state, "succeeded", "{back:#?}");
    assert_eq!(ask(&host, "shared.test", "/").await.1.trim(), "2");
    assert_eq!(ask(&host, "former.test", "/").await.1.trim(), "1");

    both.routes.push(route("shared.test"));
    former.save(both).await;
    let ended = former.deploy().await;
    assert_eq!(ended.state, "failed", "{ended:#?}");
    assert!(ended.reason.contains("shared.test/ leads to another app by now."), "{ended:#?}");
    assert_eq!(ask(&host, "shared.test", "/").await.1.trim(), "2", "{ended:#?}");
    assert_eq!(ask(&host, "former.test", "/").await.1.trim(), "1", "{ended:#?}");
    world.quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_port_of_the_proxy_holds_from_the_moment_the_host_is_made_ready_with_it() {
    let (host, world) = (TestHost::bare().await, World::new().await);
    let id = world.provision(&host).await;
    host.load_app("127.0.0.1:5000/hello:1", "1").await;
    let app = world.app(id, "127.0.0.1:5000/hello:1", "ports.test").await;
    app.must_deploy().await;
    let mut tx = world.db.begin(&world.team.permit).await.unwrap();
    skiff::db::hosts::set_http_port(&mut tx, &world.team.permit, id, 8081).await.unwrap();
    tx.commit().await.unwrap();
    app.must_deploy().await;
    assert_eq!(ask(&host, "ports.test", "/").await.0, 200, "until then the former port serves");
    let file = tokio::fs::read_to_string(host.path("/etc/skiff/haproxy.cfg")).await.unwrap();
    assert!(!file.contains(":8081"), "{file}");

    let ended = world.provision_again(id).await;
    assert_eq!(ended.state, "succeeded", "{ended:#?}");
    assert_eq!(ask_port(&host, 8081, "ports.test", "/").await.0, 200, "{ended:#?}");
    app.must_deploy().await;
    assert_eq!(ask_port(&host, 8081, "ports.test", "/").await.0, 200);
    world.quiet().await;
}
