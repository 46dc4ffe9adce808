//! A server behind NAT that does not lead back: neither it nor its neighbours reach its outer address, and whether the name leads there
//! the authority tells.

use skiff::actions::Refused;
use skiff::actions::acme::{self, OrderState};
use skiff::domain::doctor::{Area, Grade};

use super::ca::{How, Pebble};
use super::doctor::found;
use super::http::world;
use super::names::NameServer;
use super::{again, choose, one, order, sql};
use crate::harness::host::TestHost;

#[tokio::test(flavor = "multi_thread")]
async fn the_authority_is_asked_where_only_outsiders_reach_the_address_of_a_name() {
    // The authority looks from outside, where the outer address leads to the server, or does not.
    let (names, seen_outside) = (NameServer::start().await, NameServer::start().await);
    let dns = seen_outside.address.to_string();
    let pebble = Pebble::start(How { dns, valid_s: 3_600, binding: None }).await;
    let (host, world) = (TestHost::bare().await, world(&names).await);
    let outer = host.outer_address(false).await;
    let id = world.provision(&host).await;
    host.load_app("127.0.0.1:5000/hello:1", "1").await;
    let app = world.app(id, "127.0.0.1:5000/hello:1", "shop.test").await;
    app.must_deploy().await;
    choose(&world, &pebble.directory, &pebble.root).await;
    let (ctx, owner) = (world.actions(), &world.team.owner);
    names.point("shop.test", &[&outer]);
    let elsewhere = format!("{}.1", host.address.rsplit_once('.').unwrap().0);
    seen_outside.point("shop.test", &[&elsewhere]);

    // Its proxy does not even answer inside: that is said, and nobody is asked.
    let bash = async |script: &str| host.enter(&["/bin/bash", "-ec", script]).await.must(script);
    bash("/etc/init.d/skiff-haproxy stop; while ss -Hltn 'sport = :80' | grep -q .; do sleep 0.05; done").await;
    let job = acme::get_now_for(&ctx, owner, app.id, "shop.test").await.unwrap();
    assert_eq!(world.over(job).await.state, "failed");
    let waits = order(&world).await;
    assert_eq!(waits.words, format!("port 80 of {outer} does not answer"), "{waits:?}");
    let closed = found(&world, Area::Domain, "shop.test").await;
    assert!(closed[0].grade == Grade::Bad && closed[0].what.contains("port 80 of"), "{closed:#?}");
    assert_eq!(pebble.orders(), 0, "{}", pebble.log());
    bash("/etc/init.d/skiff-haproxy start; until ss -Hltnp 'sport = :80' | grep -q haproxy; do sleep 0.05; done").await;

    // It does, and the outer address leads elsewhere: the authority says so, and it is not asked again before its time.
    for failures in 1..=3 {
        let ended = again(&world, waits.id).await;
        assert_eq!(ended.state, "failed", "{ended:#?}");
        let said = order(&world).await;
        assert_eq!(said.words, format!("the authority did not find the proof at {outer}"), "{ended:#?}");
        assert!(said.trouble.contains("is not led on to this server"), "{said:?}");
        assert!(said.trouble.contains("shop.test leads to another server"), "{said:?}");
        let wait = said.next_at.unwrap() - time::OffsetDateTime::now_utc();
        assert!(wait > time::Duration::minutes(14), "{wait}");
        assert_eq!(pebble.orders(), failures, "{}", pebble.log());
    }
    let refused = acme::get_now(&ctx, owner, waits.id).await.unwrap_err();
    assert!(matches!(refused, Refused::TooOften(_)), "three failures of a name within the hour: {refused:?}");
    let unsure = found(&world, Area::Domain, "shop.test").await;
    assert!(unsure[0].grade == Grade::Warn && unsure[0].what.contains("cannot be told from here"), "{unsure:#?}");

    // An hour later it is led on to the server.
    sql(&world, "update acme_failures set at = at - interval '2 hours'").await;
    seen_outside.point("shop.test", &[&host.address]);
    let ended = again(&world, waits.id).await;
    assert_eq!(ended.state, "succeeded", "{ended:#?}\n{}", pebble.log());
    assert!(
        ended.steps[1].contains(&format!("{outer}, where shop.test leads, is not reached from inside")),
        "{ended:#?}"
    );
    let got = order(&world).await;
    assert_eq!((got.state, got.trouble.as_str()), (OrderState::Valid, ""), "{got:?}");
    assert_eq!(one::<i64>(&world, "select count(*) from certificates").await, 1);
}
