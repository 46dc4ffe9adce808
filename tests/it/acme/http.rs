//! HTTP-01: Pebble asks the real proxy of a real host under a name that the test's own name server keeps.

use std::sync::Arc;

use skiff::actions::acme::{self, OrderState};
use skiff::actions::{apps, routes, upkeep};
use skiff::domain::ids::AppId;

use super::ca::{How, Pebble};
use super::names::NameServer;
use super::{again, choose, one, order, sql};
use crate::harness::host::{TestHost, run};
use crate::harness::postgres::fresh_database;
use crate::harness::world::World;

/// A world whose names are those of this server.
pub async fn world(names: &NameServer) -> World {
    let mut world = World::idle(fresh_database().await).await;
    world.ctx.names = names.names();
    world.start_worker();
    world
}

/// What a visitor is shown: "issuer=…" and the serial of the certificate.
pub async fn shown(host: &TestHost, domain: &str) -> String {
    let at = format!("{}:443", host.address);
    let said = run("openssl", &["s_client", "-connect", &at, "-servername", domain]).await;
    let from = said.out.find("-----BEGIN CERTIFICATE-----").unwrap_or(0);
    let issuer = said.out.lines().find(|line| line.starts_with("issuer=")).unwrap_or_default().to_owned();
    issuer + &said.out[from..].lines().take(3).collect::<String>()
}

/// The clock goes round, and everything it asked for is done.
async fn clock(world: &World) {
    upkeep::certificates_looked_after(&world.actions()).await.unwrap();
    upkeep::certificates_due(&world.actions()).await.unwrap();
    settle(world).await;
}

/// Waits until nothing runs or waits.
pub async fn settle(world: &World) {
    for _ in 0..6_000 {
        let left: i64 = one(world, "select count(*) from jobs where finished_at is null").await;
        if left == 0 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("jobs do not end");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_route_gets_a_certificate_once_its_name_leads_here_and_keeps_it_renewed() {
    let names = Arc::new(NameServer::start().await);
    let pebble = Pebble::start(How { dns: names.address.to_string(), valid_s: 3_600, binding: None }).await;
    let (host, mut world) = (TestHost::bare().await, world(&names).await);
    let id = world.provision(&host).await;
    host.load_app("127.0.0.1:5000/hello:1", "1").await;
    let (app, ctx, owner) = {
        let app = world.app(id, "127.0.0.1:5000/hello:1", "shop.test").await;
        app.must_deploy().await;
        (app.id, world.actions(), world.team.owner.clone())
    };
    let refused = acme::get_now_for(&ctx, &owner, app, "shop.test").await.unwrap_err().to_string();
    assert!(refused.starts_with("No certificate authority is chosen yet."), "{refused}");
    choose(&world, &pebble.directory, &pebble.root).await;

    // No address yet: found before anything is asked for.
    let job = acme::get_now_for(&ctx, &owner, app, "shop.test").await.unwrap();
    let ended = world.over(job).await;
    assert_eq!(ended.state, "failed", "{ended:#?}");
    assert!(ended.reason.starts_with("shop.test has no address yet."), "{ended:#?}");
    let waits = order(&world).await;
    assert_eq!((waits.state, waits.words.as_str()), (OrderState::Waiting, "waiting for DNS: no address yet"));
    assert!(waits.next_at.is_some(), "it is looked at again by itself");

    // An address of somebody else, where nothing answers.
    let elsewhere = format!("{}.1", host.address.rsplit_once('.').unwrap().0);
    names.point("shop.test", &[&elsewhere]);
    let ended = again(&world, waits.id).await;
    assert_eq!(ended.state, "failed", "{ended:#?}");
    let words = format!("waiting for DNS: points to {elsewhere}, expected {}", host.address);
    assert_eq!(order(&world).await.words, words, "{ended:#?}");
    assert_eq!(pebble.orders(), 0, "the authority was not asked:\n{}", pebble.log());

    // The right one, where nobody answers, and then where somebody else does.
    names.point("shop.test", &[&host.address]);
    let bash = async |script: &str| host.enter(&["/bin/bash", "-ec", script]).await.must(script);
    let closed = format!("port 80 of {} does not answer", host.address);
    let other = format!("something else answers at {}", host.address);
    for (script, words) in [
        ("/etc/init.d/skiff-haproxy stop; while ss -Hltn 'sport = :80' | grep -q .; do sleep 0.05; done", closed),
        ("busybox httpd -p 80 -h /usr/share/doc; until ss -Hltn 'sport = :80' | grep -q .; do sleep 0.05; done", other),
    ] {
        bash(script).await;
        let ended = again(&world, waits.id).await;
        assert_eq!(ended.state, "failed", "{ended:#?}");
        assert_eq!(order(&world).await.words, words, "{ended:#?}");
    }
    assert_eq!(pebble.orders(), 0, "the authority was not asked:\n{}", pebble.log());
    bash(
        "kill $(ss -Hltnp 'sport = :80' | grep -o 'pid=[0-9]*' | cut -d= -f2); /etc/init.d/skiff-haproxy start; \
         until ss -Hltnp 'sport = :80' | grep -q haproxy; do sleep 0.05; done",
    )
    .await;
    let ended = again(&world, waits.id).await;
    assert_eq!(ended.state, "succeeded", "{ended:#?}\n{}", pebble.log());
    settle(&world).await;
    let got = order(&world).await;
    assert_eq!((got.state, got.trouble.as_str()), (OrderState::Valid, ""), "{got:?}");
    let (left, life) = (got.next_at.unwrap() - time::OffsetDateTime::now_utc(), time::Duration::seconds(3_600));
    assert!(left > life / 2 && left <= life * 2 / 3, "renewed with about a third left: {left}");
    let of_app = acme::of_app(&ctx, &owner, app).await.unwrap();
    assert_eq!((of_app[0].domain.as_str(), of_app[0].state), ("shop.test", Some(OrderState::Valid)), "{of_app:?}");
    let first = shown(&host, "shop.test").await;
    assert!(first.contains("Pebble Intermediate"), "{first}");
    assert_eq!(pebble.orders(), 1);

    // Its time comes: another version of the same certificate, asked for once, also where the worker dies in between.
    sql(&world, "update acme_orders set next_at = now() - interval '1 s'").await;
    assert_eq!(upkeep::certificates_due(&ctx).await.unwrap(), 1);
    let job = order(&world).await.job.expect("it was asked for");
    world.reach_step(job, "prove that").await;
    world.kill_worker();
    world.leases_run_out().await;
    world.start_worker();
    let ended = world.over(job).await;
    assert_eq!(ended.state, "succeeded", "{ended:#?}");
    settle(&world).await;
    assert_eq!(pebble.orders(), 2, "{}", pebble.log());
    assert_eq!(one::<i64>(&world, "select count(*) from certificates").await, 1);
    assert_eq!(one::<i64>(&world, "select count(*) from certificate_versions").await, 2);
    assert_ne!(shown(&host, "shop.test").await, first, "it is served");

    // A worker that dies after the certificate was kept, and before its job is over, leaves nothing to ask for.
    world.kill_worker();
    let died = "update jobs set state = 'running', finished_at = null, lease_until = now() - interval '1 s' where kind = 'obtain_certificate'
                and finished_at = (select max(finished_at) from jobs where kind = 'obtain_certificate')";
    sql(&world, died).await;
    world.start_worker();
    assert_eq!(world.over(job).await.state, "succeeded");
    assert_eq!(pebble.orders(), 2, "{}", pebble.log());

    away_for_a_week(&world, &host, &pebble).await;

    // A host that lost all its files gets them again, and no authority is asked for what is there.
    let (serving, asked) = (shown(&host, "shop.test").await, pebble.orders());
    bash("rm -rf /etc/skiff; /etc/init.d/skiff-haproxy stop").await;
    assert_eq!(world.provision_again(id).await.state, "succeeded");
    assert_eq!((shown(&host, "shop.test").await, pebble.orders()), (serving, asked));

    // Nothing is sealed where it can be read, and no key is left behind.
    let left: i64 =
        one(&world, "select count(*) from acme_orders where order_key is not null or order_url <> ''").await;
    assert_eq!(left, 0);
    let readable: i64 = one(
        &world,
        "select count(*) from acme_accounts where position('key_pkcs8'::bytea in sealed) > 0 or sealed::text like '%PRIVATE%'",
    )
    .await;
    assert_eq!(readable, 0);

    comes_back(&world, app, &host, &pebble).await;

    // A route that is gone is not renewed.
    sql(&world, "delete from routes; update teams set acme_at = now()").await;
    clock(&world).await;
    assert!(acme::list(&ctx, &owner).await.unwrap().is_empty());

    // What was got is kept for as long as it would serve a name that comes back, and goes once it is old.
    assert_eq!(one::<i64>(&world, "select count(*) from certificates").await, 1);
    sql(
        &world,
        "update certificate_versions set not_before = now() - interval '41 min', not_after = now() + interval '19 min';
         update teams set acme_at = now()",
    )
    .await;
    clock(&world).await;
    assert_eq!(one::<i64>(&world, "select count(*) from certificates").await, 0);
    assert_eq!(one::<i64>(&world, "select count(*) from certificate_versions").await, 0);
    let files = host.enter(&["ls", "/etc/skiff/certs"]).await.must("ls");
    assert_eq!(files.trim(), "list", "its file is gone from the host too");
    world.quiet().await;
}

/// A route that goes for longer than its order stays, and comes back: it has its certificate again and is renewed in its time, and nobody is
/// asked for another one. What nobody needs beside it goes.
async fn comes_back(world: &World, app: AppId, host: &TestHost, pebble: &Pebble) {
    let (ctx, owner) = (world.actions(), &world.team.owner);
    let (serving, asked, before) = (shown(host, "shop.test").await, pebble.orders(), order(world).await);
    let certificate: uuid::Uuid = one(world, "select id from certificates").await;
    let gone = async || {
        let route = apps::get(&ctx, owner, app).await.unwrap().routes[0].id;
        routes::remove(&ctx, owner, app, route).await.unwrap();
        sql(world, "update teams set acme_at = now()").await;
        clock(world).await;
        assert!(acme::list(&ctx, owner).await.unwrap().is_empty(), "its order is gone");
        assert_eq!(one::<i64>(world, "select count(*) from certificates").await, 1, "what was got is not");
    };
    let back = async || {
        let route = apps::NewRoute { domain: "shop.test".into(), path: "/".into() };
        routes::add(&ctx, owner, app, route, Default::default()).await.unwrap();
        let view = order(world).await;
        settle(world).await;
        view
    };
    gone().await;
    let view = back().await;
    assert!(view.id != before.id && view.job.is_none() && view.state == OrderState::Valid, "{view:?}");
    assert_eq!(view.not_after, before.not_after);
    let (left, life) = (view.next_at.unwrap() - time::OffsetDateTime::now_utc(), time::Duration::seconds(3_600));
    assert!(left > life / 2 && left <= life * 2 / 3, "renewed with about a third left: {left}");
    assert_eq!((shown(host, "shop.test").await, pebble.orders()), (serving.clone(), asked), "{}", pebble.log());
    assert_eq!(one::<uuid::Uuid>(world, "select certificate_id from acme_orders").await, certificate);

    // Asked for by hand where the clock had not come to it, it is the same.
    sql(world, "delete from acme_orders").await;
    let job = acme::get_now_for(&ctx, owner, app, "shop.test").await.unwrap();
    assert_eq!(world.over(job).await.state, "succeeded");
    let view = order(world).await;
    assert_eq!((view.state, view.not_after, pebble.orders()), (OrderState::Valid, before.not_after, asked));

    // Two of before, for the same name: one ran out, one is good for less long. Another that is good for longer is kept.
    let copy = |days: i64, id: &str| {
        format!(
            "insert into certificates (team_id, id, names, origin) select team_id, '{id}', names, origin from certificates where id = '{certificate}';
             insert into certificate_versions (team_id, id, certificate_id, sealed, names, issuer, serial, fingerprint, not_before, not_after)
             select team_id, '{id}', '{id}', '', names, issuer, serial, '{id}', not_before, not_after + interval '{days} days'
               from certificate_versions where id = (select current_id from certificates where id = '{certificate}');
             update certificates set current_id = id where id = '{id}'"
        )
    };
    let ids = [1_u128, 2].map(|n| uuid::Uuid::from_u128(n).to_string());
    sql(world, &copy(-1, &ids[0])).await;
    sql(world, &copy(0, &ids[1])).await;
    sql(
        world,
        &format!("update certificate_versions set not_after = not_after - interval '1 minute' where id = '{}'", ids[1]),
    )
    .await;
    sql(world, "update teams set acme_at = now()").await;
    clock(world).await;
    assert_eq!(one::<uuid::Uuid>(world, "select id from certificates").await, certificate, "the others are gone");

    // It ran out while the route was away: another version of the same, asked for at once.
    gone().await;
    sql(world, "update certificate_versions set not_before = not_before - interval '2 hours', not_after = not_after - interval '2 hours'").await;
    let view = back().await;
    assert!(view.job.is_some(), "{view:?}");
    assert_eq!((order(world).await.state, pebble.orders()), (OrderState::Valid, asked + 1), "{}", pebble.log());
    assert_eq!(one::<uuid::Uuid>(world, "select id from certificates").await, certificate);
    assert_ne!(shown(host, "shop.test").await, serving);
}

/// The authority is away when a certificate's time comes, for a week: what was got goes on serving, one alert says so, it is not asked all the
/// time, and nobody has to do anything when it is back.
async fn away_for_a_week(world: &World, host: &TestHost, pebble: &Pebble) {
    let (ctx, serving, asked) = (world.actions(), shown(host, "shop.test").await, pebble.orders());
    let open = "select count(*) from alerts where kind = 'certificate' and closed_at is null";
    let before: i64 = one(world, "select count(*) from alerts").await;
    sql(world, "update acme_settings set directory = 'http://127.0.0.1:9/dir'").await;
    let (mut away, mut tries) = (time::Duration::ZERO, 0);
    while away < time::Duration::WEEK {
        sql(world, "update acme_orders set next_at = now() - interval '1 s'").await;
        assert_eq!(upkeep::certificates_due(&ctx).await.unwrap(), 1);
        settle(world).await;
        let view = order(world).await;
        assert!(view.state == OrderState::NotRenewed && view.trouble.contains("goes on serving"), "{view:?}");
        let wait = view.next_at.expect("by itself") - time::OffsetDateTime::now_utc();
        assert!(wait > time::Duration::minutes(14) && wait <= time::Duration::hours(6), "{wait}");
        (away, tries) = (away + wait, tries + 1);
    }
    assert!(tries < 40, "{tries} times in a week");
    assert_eq!(shown(host, "shop.test").await, serving);
    let all: i64 = one(world, "select count(*) from alerts").await;
    assert_eq!((one::<i64>(world, open).await, all), (1, before + 1));

    sql(world, &format!("update acme_settings set directory = '{}'", pebble.directory)).await;
    sql(world, "update acme_orders set next_at = now() - interval '1 s'").await;
    assert_eq!(upkeep::certificates_due(&ctx).await.unwrap(), 1);
    settle(world).await;
    let view = order(world).await;
    assert_eq!((view.state, view.trouble.as_str()), (OrderState::Valid, ""), "{view:?}\n{}", pebble.log());
    assert_eq!((one::<i64>(world, open).await, pebble.orders()), (0, asked + 1));
    assert_ne!(shown(host, "shop.test").await, serving, "the new one is served");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_bound_where_the_authority_wants_it() {
    let names = Arc::new(NameServer::start().await);
    let key = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W";
    let binding = Some(("kid-1", key));
    let pebble = Pebble::start(How { dns: names.address.to_string(), valid_s: 3_600, binding }).await;
    let world = world(&names).await;
    choose(&world, &pebble.directory, &pebble.root).await;
    sql(&world, "insert into acme_orders (team_id, id, names, names_key, next_at) select id, gen_random_uuid(), '{x.test}', 'x', now() from teams").await;
    upkeep::certificates_due(&world.actions()).await.unwrap();
    settle(&world).await;
    let unbound = order(&world).await;
    assert_eq!((unbound.state, unbound.words.as_str()), (OrderState::NeedsYou, "the account is not accepted"));
    assert!(unbound.next_at.is_none(), "nothing is tried before somebody has looked");

    use base64::Engine as _;
    let bytes = base64::prelude::BASE64_URL_SAFE_NO_PAD.decode(key).unwrap();
    let sealed = world.vault.seal_for_panel(&skiff::vault::Context::acme_binding(), &bytes);
    let mut conn = world.db.superuser().await;
    sqlx::query("update acme_settings set eab_id = 'kid-1', eab_sealed = $1")
        .bind(sealed)
        .execute(&mut conn)
        .await
        .unwrap();
    // A key that the authority does not take, as one that it takes once only and that another team has used.
    sql(&world, "update acme_settings set eab_id = 'kid-2'").await;
    let ended = again(&world, unbound.id).await;
    assert!(ended.reason.contains("Some authorities take a key once only"), "{ended:#?}");
    let view = order(&world).await;
    assert_eq!((view.words.as_str(), view.next_at), ("the key of the account is not accepted", None), "{view:?}");
    sql(&world, "update acme_settings set eab_id = 'kid-1'").await;
    let ended = again(&world, unbound.id).await;
    assert!(ended.reason.starts_with("x.test has no address yet."), "{ended:#?}");
    assert_eq!(one::<i64>(&world, "select count(*) from acme_accounts").await, 1);
    world.quiet().await;
}
