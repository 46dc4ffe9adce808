//! How often the same is asked for: five times in a week by a person and the clock together, the last by the clock alone; and whom an
//! account was told that the authority may write to. From Pebble, by records that it sees.

use std::sync::Arc;

use skiff::actions::acme::{self, OrderState};
use skiff::actions::{Refused, upkeep};

use super::ca::{How, Pebble};
use super::dns::by_cloudflare;
use super::http::settle;
use super::names::NameServer;
use super::services::Keepers;
use super::{again, one, order, order_by_dns, sql};
use crate::harness::world::World;

/// The certificate's time comes, and the clock goes round.
async fn clock(world: &World) {
    sql(world, "update acme_orders set next_at = now() - interval '1 s'").await;
    assert_eq!(upkeep::certificates_due(&world.actions()).await.unwrap(), 1);
    settle(world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_is_got_five_times_in_a_week_and_the_last_is_left_for_the_renewal() {
    let names = Arc::new(NameServer::start().await);
    names.keeps("example.org", "ns1.example.org", "127.0.0.1");
    let keepers = Keepers::start(Some(Arc::clone(&names))).await;
    let pebble = Pebble::start(How { dns: names.address.to_string(), valid_s: 90 * 86_400, binding: None }).await;
    let (world, account) = by_cloudflare(names.names(), &keepers, &pebble).await;
    let (ctx, owner) = (world.actions(), world.team.owner.clone());
    let (id, job) = order_by_dns(&world, "a.example.org b.example.org", account).await;
    let ended = world.over(job).await;
    assert_eq!(ended.state, "succeeded", "{ended:#?}\n{}", pebble.log());

    // The authority is told of another address before the next order, once.
    let known = "select contact from acme_accounts";
    assert_eq!(one::<String>(&world, known).await, "ada@example.org");
    sql(&world, "update acme_settings set email = 'eve@example.org'").await;
    for told in [true, false, false] {
        let ended = again(&world, id).await;
        assert_eq!(ended.state, "succeeded", "{ended:#?}\n{}", pebble.log());
        assert_eq!(ended.steps[0].contains("told whom it may write to now"), told, "{ended:#?}");
        assert_eq!(one::<String>(&world, known).await, "eve@example.org");
    }

    // The fifth is not a person's.
    assert_eq!(pebble.orders(), 4);
    let refused = acme::get_now(&ctx, &owner, id).await.unwrap_err();
    let words = "4 certificates for exactly these names were got within 7 days";
    assert!(
        matches!(&refused, Refused::TooOften(why) if why.starts_with(words) && why.contains("Ask again after 20")),
        "{refused:?}"
    );
    assert!(order(&world).await.job.is_none() && pebble.orders() == 4, "{}", pebble.log());
    // Nor by way of another order for the same names, whatever their order.
    acme::remove(&ctx, &owner, id).await.unwrap();
    let same = acme::NewOrder { names: "b.example.org a.example.org".into(), dns_account: account.to_string() };
    let refused = acme::order(&ctx, &owner, same).await.unwrap_err();
    assert!(matches!(&refused, Refused::TooOften(why) if why.starts_with(words)), "{refused:?}");
    assert!(acme::list(&ctx, &owner).await.unwrap().is_empty(), "nothing of it is kept");
    let (_, job) = order_by_dns(&world, "a.example.org", account).await;
    assert_eq!(world.over(job).await.state, "succeeded", "other names are others");
    sql(&world, "delete from acme_orders").await;
    sql(
        &world,
        "insert into acme_orders (team_id, id, names, names_key, dns_account_id, certificate_id, not_before, not_after)
         select c.team_id, gen_random_uuid(), c.names, 'back', d.id, c.id, v.not_before, v.not_after
           from certificates c join certificate_versions v on v.id = c.current_id, dns_accounts d where cardinality(c.names) = 2",
    )
    .await;

    // It is the renewal's, and that has the last.
    clock(&world).await;
    let view = order(&world).await;
    assert_eq!((view.state, view.trouble.as_str(), pebble.orders()), (OrderState::Valid, "", 6), "{}", pebble.log());
    clock(&world).await;
    let view = order(&world).await;
    assert_eq!(pebble.orders(), 6, "the authority is not asked:\n{}", pebble.log());
    assert!(view.state == OrderState::NotRenewed && view.words.ends_with("not renewed: rate limited"), "{view:?}");
    assert!(view.trouble.contains("5 for exactly these names were got within 7 days"), "{view:?}");
    let oldest = "select extract(epoch from min(at) + interval '7 days' - now())::float8 from acme_issues
                   where names_key = (select names_key from acme_issues group by 1 having count(*) = 5)";
    let wait = (view.next_at.unwrap() - time::OffsetDateTime::now_utc()).as_seconds_f64();
    assert!((wait - one::<f64>(&world, oldest).await).abs() < 60.0, "when the first of them is a week old: {wait}");

    // A week later.
    sql(&world, "update acme_issues set at = at - interval '7 days'").await;
    clock(&world).await;
    assert_eq!((order(&world).await.state, pebble.orders()), (OrderState::Valid, 7), "{}", pebble.log());
    let ended = again(&world, view.id).await;
    assert_eq!(ended.state, "succeeded", "{ended:#?}");
    world.quiet().await;
}
