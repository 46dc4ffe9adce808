//! The life of a domain: added to an app, given a certificate, renewed as its short life wants it, led to another app; all of it while
//! visitors come to it and to its neighbour, and none of them fails.

use std::sync::Arc;
use std::time::Duration;

use skiff::actions::apps::NewRoute;
use skiff::actions::routes::{self, EditRules};
use skiff::actions::upkeep;

use super::ca::{How, Pebble};
use super::http::{settle, world};
use super::names::NameServer;
use super::{choose, one, sql};
use crate::harness::host::TestHost;
use crate::harness::tls::trusting;
use crate::harness::visitors::{Visitors, Way};
use crate::harness::world::World;

const DOMAIN: &str = "shop.test";
const NEIGHBOUR: &str = "neighbour.test";
/// A certificate is had, or renewed, within this, on a busy machine too.
const WITHIN: Duration = Duration::from_secs(240);

/// Visitors, and how the time of a renewal comes.
struct Plan {
    per_second: u64,
    websockets: usize,
    renewals: usize,
    /// Seconds a certificate lives; where they are an hour, the clock is moved on in place of waiting.
    lives_s: u64,
}

/// What is shown under a name once it is another certificate than this one. The clock goes round meanwhile, as it does in the panel.
async fn next(world: &World, way: &Way, domain: &str, former: &[u8]) -> Vec<u8> {
    let shown = async {
        loop {
            match way.shown(domain).await {
                Ok(now) if now != former => return now,
                Ok(_) | Err(_) => {}
            }
            upkeep::certificates_due(&world.actions()).await.unwrap();
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    tokio::time::timeout(WITHIN, shown).await.unwrap_or_else(|_| panic!("{domain} has no other certificate"))
}

async fn life(plan: Plan) {
    let names = Arc::new(NameServer::start().await);
    let pebble = Pebble::start(How { dns: names.address.to_string(), valid_s: plan.lives_s, binding: None }).await;
    let (host, world) = (TestHost::bare().await, world(&names).await);
    let id = world.provision(&host).await;
    host.load_app("127.0.0.1:5000/hello:1", "1").await;
    host.load_app("127.0.0.1:5000/hello:2", "2").await;
    for name in [DOMAIN, NEIGHBOUR, "other.test"] {
        names.point(name, &[&host.address]);
    }
    choose(&world, &pebble.directory, &pebble.root).await;
    let way = Way {
        at: (host.address.parse::<std::net::IpAddr>().unwrap(), 443).into(),
        trust: trusting(&pebble.issuer().await),
    };
    let (ctx, owner) = (world.actions(), &world.team.owner);
    let first = world.app(id, "127.0.0.1:5000/hello:1", NEIGHBOUR).await;
    first.must_deploy().await;
    let second = world.app(id, "127.0.0.1:5000/hello:2", "other.test").await;
    second.must_deploy().await;
    skiff::actions::acme::get_now_for(&ctx, owner, first.id, NEIGHBOUR).await.unwrap();
    next(&world, &way, NEIGHBOUR, &[]).await;
    let beside = Visitors::start(&way, vec![NEIGHBOUR.to_owned()], plan.per_second, plan.websockets).await;
    beside.go_on(plan.per_second).await;

    // Added and issued.
    let input = NewRoute { domain: DOMAIN.into(), path: "/".into() };
    let added = routes::add(&ctx, owner, first.id, input, EditRules::default()).await.unwrap();
    let mut shown = vec![next(&world, &way, DOMAIN, &[]).await];
    assert_eq!(way.get(DOMAIN).await.as_deref(), Ok("1"));
    let visitors = Visitors::start(&way, vec![DOMAIN.to_owned()], plan.per_second, plan.websockets).await;
    visitors.go_on(plan.per_second).await;

    // Renewed.
    for _ in 0..plan.renewals {
        if plan.lives_s >= 3_600 {
            settle(&world).await;
            sql(&world, "update acme_orders set next_at = now() - interval '1 s' where names = '{shop.test}'").await;
        }
        shown.push(next(&world, &way, DOMAIN, shown.last().unwrap()).await);
        visitors.go_on(plan.per_second).await;
    }
    let serials: std::collections::BTreeSet<String> = shown.iter().map(|der| serial(der)).collect();
    assert_eq!(serials.len(), plan.renewals + 1, "each is another one: {serials:?}");
    assert_eq!((visitors.failures(), beside.failures()), (Vec::<String>::new(), Vec::<String>::new()));

    // Led to the other app: who comes from then on meets it, by the same certificate.
    settle(&world).await;
    let moved = routes::move_to(&ctx, owner, first.id, added.route.unwrap(), second.id).await.unwrap();
    let ended = world.over(moved.job.expect("a proxy leads to it")).await;
    assert_eq!(ended.state, "succeeded", "{ended:#?}");
    assert!(ended.steps.iter().all(|step| !step.contains("reloaded")), "{ended:#?}");
    for _ in 0..5 {
        assert_eq!((way.get(DOMAIN).await.as_deref(), way.get(NEIGHBOUR).await.as_deref()), (Ok("2"), Ok("1")));
    }
    visitors.go_on(plan.per_second).await;

    let (seen, near) = (visitors.end().await, beside.end().await);
    println!(
        "{} answers {:?} and {} echoes at {DOMAIN}, {} answers and {} echoes at {NEIGHBOUR}; {} certificates",
        seen.answers,
        seen.bodies,
        seen.echoes,
        near.answers,
        near.echoes,
        shown.len()
    );
    assert_eq!((seen.failures, near.failures), (Vec::<String>::new(), Vec::<String>::new()));
    assert!(seen.bodies.len() == 2 && near.bodies.len() == 1, "{:?} {:?}", seen.bodies, near.bodies);
    assert!(seen.echoes > 0 && near.echoes > 0);
    // It is looked after at the app it is with now.
    settle(&world).await;
    let of_first = skiff::actions::acme::of_app(&ctx, owner, first.id).await.unwrap();
    let of_second = skiff::actions::acme::of_app(&ctx, owner, second.id).await.unwrap();
    let domains = |all: &[skiff::actions::acme::DomainView]| -> Vec<String> {
        all.iter().map(|one| one.domain.clone()).collect()
    };
    assert_eq!(
        (domains(&of_first), domains(&of_second)),
        (vec![NEIGHBOUR.to_owned()], vec!["other.test".to_owned(), DOMAIN.to_owned()])
    );
    let orders: i64 = one(&world, "select count(*) from acme_orders where names = '{shop.test}'").await;
    assert_eq!(orders, 1, "and asked for once");
    world.quiet().await;
}

/// The serial number of a certificate, hex.
fn serial(der: &[u8]) -> String {
    let pem = format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", {
        use base64::Engine as _;
        base64::prelude::BASE64_STANDARD.encode(der)
    });
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), pem).unwrap();
    let said =
        std::process::Command::new("openssl").args(["x509", "-noout", "-serial", "-in"]).arg(file.path()).output();
    String::from_utf8(said.unwrap().stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_domain_is_added_renewed_and_led_to_another_app_and_no_visitor_fails() {
    life(Plan { per_second: 20, websockets: 3, renewals: 2, lives_s: 3_600 }).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "certificates of two minutes, renewed when their time comes: bin/test t_domain_life"]
async fn t_domain_life() {
    life(Plan { per_second: 50, websockets: 10, renewals: 3, lives_s: 120 }).await;
}
