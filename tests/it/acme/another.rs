//! Another authority is chosen: what the former one gave is got anew, and serves until that is there.

use std::sync::Arc;

use skiff::actions::acme::{self, OrderState};
use skiff::actions::upkeep;

use super::ca::{How, Pebble};
use super::http::{settle, shown, world};
use super::names::NameServer;
use super::stand_in::{Answer, StandIn};
use super::{choose, one, order, sql};
use crate::harness::host::TestHost;
use crate::harness::world::World;

/// The team's turn comes, and then that of its orders, of which so many are due.
async fn clock(world: &World, due: usize) {
    sql(world, "update teams set acme_at = now()").await;
    upkeep::certificates_looked_after(&world.actions()).await.unwrap();
    settle(world).await;
    assert_eq!(upkeep::certificates_due(&world.actions()).await.unwrap(), due);
    settle(world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_authority_gave_is_got_anew_as_soon_as_one_is_chosen() {
    let names = Arc::new(NameServer::start().await);
    let how = || How { dns: names.address.to_string(), valid_s: 90 * 86_400, binding: None };
    let (trial, real) = (Pebble::start(how()).await, Pebble::start(how()).await);
    let (host, world) = (TestHost::bare().await, world(&names).await);
    let id = world.provision(&host).await;
    host.load_app("127.0.0.1:5000/hello:1", "1").await;
    names.point("shop.test", &[&host.address]);
    let app = world.app(id, "127.0.0.1:5000/hello:1", "shop.test").await;
    app.must_deploy().await;
    let (ctx, owner) = (world.actions(), world.team.owner.clone());

    choose(&world, &trial.directory, &trial.root).await;
    let job = acme::get_now_for(&ctx, &owner, app.id, "shop.test").await.unwrap();
    let ended = world.over(job).await;
    assert_eq!(ended.state, "succeeded", "{ended:#?}\n{}", trial.log());
    settle(&world).await;
    let first = shown(&host, "shop.test").await;
    clock(&world, 0).await;
    assert_eq!((order(&world).await.words.as_str(), trial.orders()), ("valid 89 days", 1), "its time is far");

    // Until the other one has given one, that of the former serves, and is said to be of another.
    choose(&world, &real.directory, &real.root).await;
    let view = order(&world).await;
    assert_eq!((view.state, view.words.as_str()), (OrderState::NotRenewed, "of another authority, valid 89 days"));
    let of_app = acme::of_app(&ctx, &owner, app.id).await.unwrap();
    assert_eq!(of_app[0].words, "of another authority, valid 89 days");
    assert_eq!(shown(&host, "shop.test").await, first);
    clock(&world, 1).await;
    let view = order(&world).await;
    assert_eq!((view.state, view.words.as_str()), (OrderState::Valid, "valid 89 days"), "{view:?}\n{}", real.log());
    let second = shown(&host, "shop.test").await;
    let issuer = |shown: &str| shown.split("-----BEGIN").next().unwrap().to_owned();
    assert!(second.contains("Pebble Intermediate") && issuer(&second) != issuer(&first), "{first} {second}");
    assert_eq!((trial.orders(), real.orders()), (1, 1));
    let counted = "select count(*) from acme_issues i where directory in (select directory from certificate_versions)";
    assert_eq!(one::<i64>(&world, counted).await, 2, "each is counted where it was got");

    // The same once more, with another address to write to, is no other authority.
    choose(&world, &real.directory, &real.root).await;
    clock(&world, 0).await;
    assert_eq!(real.orders(), 1);

    // One that gives none: it is tried again as ever, and what is there goes on serving.
    let away = StandIn::start(Answer::Html(503)).await;
    choose(&world, &away.directory, "").await;
    clock(&world, 1).await;
    for _ in 0..2 {
        let view = order(&world).await;
        let words = "of another authority, valid 89 days, not renewed: the authority does not answer";
        assert_eq!((view.state, view.words.as_str()), (OrderState::NotRenewed, words));
        let wait = view.next_at.unwrap() - time::OffsetDateTime::now_utc();
        assert!(wait > time::Duration::minutes(10), "no sooner for being looked at again: {wait}");
        clock(&world, 0).await;
    }
    assert_eq!(shown(&host, "shop.test").await, second);

    // Back at the one before: its certificate is its own again, and what went wrong elsewhere is looked at at once.
    choose(&world, &real.directory, &real.root).await;
    assert_eq!(order(&world).await.state, OrderState::NotRenewed);
    clock(&world, 1).await;
    assert_eq!((order(&world).await.words.as_str(), real.orders()), ("valid 89 days", 2), "{}", real.log());
    world.quiet().await;
}
