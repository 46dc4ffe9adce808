//! Certificates that come to their end and that nobody renews: when that is told, and when not.

use axum::http::StatusCode;
use skiff::actions::certificates::{self, NewCertificate};

use super::delivery::{Telling, app, leads_there, until, world};
use super::{add, webhook};
use crate::harness::services::WebService;
use crate::harness::tls::Authority;

#[tokio::test]
async fn a_certificate_that_nobody_renews_is_told_of_in_its_last_week_and_when_it_has_ended() {
    let world = world().await;
    let service = WebService::start(|_, _| StatusCode::OK).await;
    let (ctx, owner) = (world.actions(), world.team.owner.clone());
    let (ours, _) = app(&world).await;
    let mut form = webhook("hook", &service.base);
    form.wanted.events = vec!["certificate".into()];
    add(&ctx, &owner, form).await;
    let sql = async |sql: &'static str| {
        sqlx::raw_sql(sql).execute(&mut world.db.superuser().await).await.unwrap();
    };
    leads_there(&world, ours).await;
    let authority = Authority::new("Test CA");
    for names in [&["shop.test"][..], &["unused.test"]] {
        let made = authority.issue(names, 90);
        certificates::upload(&ctx, &owner, NewCertificate { chain: made.chain, key: made.key }).await.unwrap();
    }
    sql("update certificates set origin = 'acme'").await;
    let _telling = Telling::start(&world);
    let permit = &world.team.permit;
    // As the look does, some times a day.
    let looked = async || {
        for _ in 0..2 {
            let mut tx = world.db.begin(permit).await.unwrap();
            skiff::jobs::ends_of_certificates::tell_of_one(&mut tx, permit, time::OffsetDateTime::now_utc())
                .await
                .unwrap();
            tx.commit().await.unwrap();
        }
        let mut tx = world.db.begin(permit).await.unwrap();
        let open = skiff::db::alerts::of_certificates(&mut tx, permit, 9).await.unwrap();
        tx.commit().await.unwrap();
        open.into_iter().map(|row| row.cause).collect::<Vec<String>>()
    };
    sql("update certificate_versions set not_before = now() - interval '70 days', not_after = now() + interval '20 days'").await;
    assert_eq!(looked().await, Vec::<String>::new(), "there is time to renew it yet");
    // One of six days is renewed with two left.
    sql(
        "update certificate_versions set not_before = now() - interval '3 days', not_after = now() + interval '3 days'",
    )
    .await;
    assert_eq!(looked().await, Vec::<String>::new(), "its life is short");
    sql("update certificate_versions set not_before = now() - interval '87 days', not_after = now() + interval '3 days'").await;
    let week = looked().await;
    assert!(week.len() == 1 && week[0].starts_with("It runs out within a week, on "), "{week:?}");
    assert!(week[0].ends_with("as no certificate authority is chosen: choose one, or upload one."), "{week:?}");
    until(&world, |all| all.len() == 1 && all[0].0 == "sent").await;
    sql("update certificate_versions set not_after = now() - interval '1 hour'").await;
    let over = looked().await;
    assert!(over.len() == 1 && over[0].starts_with("It ran out on "), "{over:?}");
    until(&world, |all| all.len() == 2 && all[1].0 == "sent").await;
    // Where its name leads nowhere any more, nobody is told that it is well.
    sql("update routes set domain = 'other.test'").await;
    assert_eq!(looked().await, Vec::<String>::new());
    sql("update routes set domain = 'shop.test'").await;
    looked().await;
    until(&world, |all| all.len() == 3 && all[2].0 == "sent").await;
    sql("update certificate_versions set not_after = now() + interval '80 days'").await;
    assert_eq!(looked().await, Vec::<String>::new());
    until(&world, |all| all.len() == 4 && all[3].0 == "sent").await;
    let said: Vec<(String, bool)> = service
        .asked()
        .iter()
        .map(|asked| asked.json())
        .map(|json| (json["phase"].as_str().unwrap().to_owned(), json["url"].as_str().unwrap().ends_with("/automatic")))
        .collect();
    let began = || ("began".to_owned(), true);
    assert_eq!(said, [began(), began(), began(), ("over".to_owned(), true)]);
}
