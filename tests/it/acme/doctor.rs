//! The doctor, where an authority was chosen: names are proven as the authority would prove them, certificates and the clock are told.

use std::sync::Arc;

use skiff::actions::doctor;
use skiff::domain::doctor::{Area, Finding, Grade};
use skiff::domain::help::Topic;

use super::ca::{How, Pebble};
use super::names::NameServer;
use super::{again, choose, order, sql};
use crate::harness::host::TestHost;
use crate::harness::postgres::fresh_database;
use crate::harness::world::World;

/// What is found in this area about what is called so.
pub async fn found(world: &World, area: Area, of: &str) -> Vec<Finding> {
    let report = doctor::examine(&world.actions(), &world.team.owner).await.unwrap();
    report.findings.into_iter().filter(|found| found.area == area && found.of == of).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_asks_where_a_name_leads_and_tells_of_certificates() {
    let names = Arc::new(NameServer::start().await);
    let pebble = Pebble::start(How { dns: names.address.to_string(), valid_s: 3_600, binding: None }).await;
    let host = TestHost::bare().await;
    let mut world = World::idle(fresh_database().await).await;
    world.ctx.names = names.names();
    world.start_worker();
    let id = world.provision(&host).await;
    host.load_app("127.0.0.1:5000/hello:1", "1").await;
    world.app(id, "127.0.0.1:5000/hello:1", "shop.test").await.must_deploy().await;

    // No authority: nobody outside is asked, and that names are served by plain HTTP alone is said, but not held against anybody.
    let seen = found(&world, Area::Certificate, "authority").await;
    assert!(
        seen.len() == 1 && seen[0].grade == Grade::Ok && seen[0].what.starts_with("shop.test is reached"),
        "{seen:#?}"
    );
    assert_eq!(found(&world, Area::Panel, "clock").await, []);
    let seen = found(&world, Area::Domain, "shop.test").await;
    assert!(seen.len() == 1 && seen[0].what.starts_with("There is no such name"), "{seen:#?}");
    names.point("shop.test", &[&host.address]);
    let seen = found(&world, Area::Domain, "shop.test").await;
    assert!(seen[0].grade == Grade::Ok && seen[0].what.starts_with("It leads to host-"), "{seen:#?}");

    // With one, its clock is held against the panel's, and what is in the way of a certificate is told.
    choose(&world, &pebble.directory, &pebble.root).await;
    names.point("shop.test", &[]);
    let app: uuid::Uuid = super::one(&world, "select id from apps").await;
    let (ctx, owner) = (world.actions(), world.team.owner.clone());
    let job =
        skiff::actions::acme::get_now_for(&ctx, &owner, skiff::domain::ids::AppId(app), "shop.test").await.unwrap();
    assert_eq!(world.over(job).await.state, "failed");
    let seen = found(&world, Area::Panel, "clock").await;
    assert!(seen.len() == 1 && seen[0].grade == Grade::Ok && seen[0].what.contains("agrees"), "{seen:#?}");
    let seen = found(&world, Area::Certificate, "shop.test").await;
    assert!(
        seen.len() == 1 && seen[0].grade == Grade::Warn && seen[0].help == Some(Topic::CertificateDns),
        "{seen:#?}"
    );

    // Got: the answer of the proxy is seen under the name, and it is the proof, whatever the host's address is said to be.
    names.point("shop.test", &[&host.address]);
    let ended = again(&world, order(&world).await.id).await;
    assert_eq!(ended.state, "succeeded", "{ended:#?}");
    let seen = found(&world, Area::Domain, "shop.test").await;
    assert!(seen[0].grade == Grade::Ok && seen[0].what.ends_with("whose proxy answers."), "{seen:#?}");
    let seen = found(&world, Area::Certificate, "all").await;
    assert!(seen.len() == 1 && seen[0].what.starts_with("1 certificate is valid"), "{seen:#?}");

    // The name leads elsewhere, where nobody answers.
    let elsewhere = format!("{}.1", host.address.rsplit_once('.').unwrap().0);
    names.point("shop.test", &[&elsewhere]);
    let seen = found(&world, Area::Domain, "shop.test").await;
    assert!(
        seen.len() == 1
            && seen[0].grade == Grade::Bad
            && seen[0].what.contains("this panel's proxy does not answer there"),
        "{seen:#?}"
    );

    // It is not renewed, the host has the one before, then it is over.
    sql(&world, "update ledger_certificates set fingerprint = 'another'").await;
    let seen = found(&world, Area::Certificate, "shop.test").await;
    assert!(seen.len() == 1 && seen[0].what.contains("still serves the one before"), "{seen:#?}");
    assert_eq!(seen[0].help, Some(Topic::CertificateBefore));
    sql(
        &world,
        "update certificate_versions set not_before = now() - interval '90 days', not_after = now() - interval '1 day'",
    )
    .await;
    sql(&world, "update acme_orders set not_after = now() - interval '1 day', trouble = '{\"what\": \"paused\", \"detail\": \"See there.\"}', next_at = null").await;
    let seen = found(&world, Area::Certificate, "shop.test").await;
    assert!(
        seen.iter().any(|found| found.grade == Grade::Bad && found.help == Some(Topic::CertificatePaused)),
        "{seen:#?}"
    );
    assert!(seen[0].what.starts_with("It has run out."), "{seen:#?}");

    // The authority is away: said, and nothing else is lost by it.
    drop(pebble);
    let seen = found(&world, Area::Certificate, "authority").await;
    assert!(seen.len() == 1 && seen[0].help == Some(Topic::AuthorityAway), "{seen:#?}");
}
