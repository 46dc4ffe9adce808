//! Routes from a terminal: a command is over once the proxies have what it asks for, and says why where they have it not.

use skiff::domain::app::Spec;
use skiff::domain::source::{Image, Source};

use super::deploys::owner;
use super::terminal::{Terminal, token};
use crate::harness::host::TestHost;
use crate::harness::postgres::fresh_database;
use crate::harness::program::Program;
use crate::harness::world::{World, ask};

const IMAGE: &str = "127.0.0.1:5000/hello:1";

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_routes_is_over_once_the_proxies_have_it() {
    let (host, world) = (TestHost::bare().await, World::idle(fresh_database().await).await);
    let actor = owner(&world).await;
    let program = Program::start(&world).await;
    let id = world.provision(&host).await;
    host.load_app(IMAGE, "1").await;
    let shop = world.app(id, IMAGE, "shop.test").await;
    shop.must_deploy().await;
    let mut spec = Spec::web(8080, "/up".parse().unwrap());
    spec.watch.seconds = 0;
    let bare = world.app_of(id, Source::Image(Image { image: IMAGE.parse().unwrap(), login: None }), spec).await;
    bare.must_deploy().await;
    let (shop, bare) = (shop.id.to_string(), bare.id.to_string());
    let secret = token(&world.actions(), &actor, "owner").await;
    let terminal = Terminal::signed_in(&program.base, &secret).await;

    // Each of them holds when the command is over.
    let set = terminal.run(&["routes", &shop, "set", "shop.test", "--allow", "10.9.9.9", "--json"]).await.well();
    assert_eq!(ask(&host, "shop.test", "/").await.0, 403);
    assert_eq!((&set.json()["waits"], set.json()["job"].is_string()), (&false.into(), true), "{set:?}");
    assert!(set.err.contains("let it hold on"), "its steps are told: {set:?}");
    terminal.run(&["routes", &shop, "set", "shop.test", "--allow", ""]).await.well();
    assert_eq!(ask(&host, "shop.test", "/").await.0, 200);
    let added = terminal.run(&["routes", &shop, "add", "bücher.test"]).await.well();
    assert!(added.out.contains("http://xn--bcher-kva.test"), "{added:?}");
    assert_eq!(ask(&host, "xn--bcher-kva.test", "/").await.0, 200);
    terminal.run(&["routes", &shop, "remove", "bücher.test"]).await.well();
    assert_eq!(ask(&host, "xn--bcher-kva.test", "/").await.0, 421);
    terminal.run(&["maintenance", &shop, "on"]).await.well();
    assert_eq!(ask(&host, "shop.test", "/").await.0, 503);
    let status = terminal.run(&["status", &shop]).await.well();
    assert!(status.out.contains("everybody sees its page of maintenance"), "{status:?}");
    terminal.run(&["maintenance", &shop, "off"]).await.well();

    // Something else has the port: said, with who it is and what to do, and it ends with 1.
    let take = "setsid socat TCP-LISTEN:5434,fork,reuseaddr EXEC:cat >/dev/null 2>&1 & echo $! >/tmp/taken
        for i in $(seq 50); do ss -Hltn 'sport = :5434' | grep -q . && break; sleep 0.1; done";
    host.enter(&["/bin/bash", "-c", take]).await.must("taken");
    let port = ["front", bare.as_str(), "--port", "5434"];
    let refused = terminal.run(&port).await.refused(1, "Port 5434 cannot be opened");
    assert!(refused.err.contains(&format!("skiff routes {bare} again")), "{refused:?}");
    let listed = terminal.run(&["routes", &bare]).await.well();
    assert!(listed.out.contains("Port 5434 cannot be opened"), "{listed:?}");
    let status = terminal.run(&["status", &bare]).await.refused(1, "Port 5434 cannot be opened");
    assert!(status.out.contains("not on every proxy yet"), "{status:?}");
    terminal.run(&["status"]).await.refused(1, "Not everything");
    let status = terminal.run(&["status"]).await;
    assert!(status.out.contains("did not take the last change of the routes"), "{status:?}");
    assert!(status.out.contains("not every proxy has its routes and ports as wanted"), "{status:?}");
    let asked = terminal.run(&["front", &bare, "--port", "5434", "--no-wait"]).await.well();
    assert!(asked.out.contains("The proxies are being told."), "{asked:?}");

    // Free again.
    host.enter(&["/bin/bash", "-c", "pkill -s $(cat /tmp/taken) || kill $(cat /tmp/taken)"]).await.must("freed");
    terminal.run(&["routes", &bare, "again"]).await.well();
    let answered = reqwest::get(format!("http://{}:5434/", host.address)).await.unwrap().text().await.unwrap();
    assert_eq!(answered.trim(), "1");
    terminal.run(&["status", &bare]).await.well();
    // A host that does not answer is not waited for without end.
    host.cut_with_resets().await;
    let set = ["routes", shop.as_str(), "set", "shop.test", "--allow", "10.9.9.9"];
    let away = terminal.run(&set).await.refused(1, "is tried again by itself");
    assert!(away.out.is_empty(), "{away:?}");
    host.heal().await;
    terminal.run(&["routes", &shop, "again"]).await.well();
    assert_eq!(ask(&host, "shop.test", "/").await.0, 403);
    crate::harness::quiet::assert_quiet(&world.db).await;
}
