//! Trouble with hosts: what looks mean, on real hosts and on many that are nowhere.

use std::time::Duration;

use skiff::domain::ids::HostId;
use sqlx::Row;
use tokio_util::sync::CancellationToken;

use super::{add, webhook};
use crate::harness::host::TestHost;
use crate::harness::postgres::fresh_database;
use crate::harness::world::World;

/// What happened, oldest first: the kind and how many hosts it names.
async fn events(world: &World) -> Vec<(String, i64)> {
    let rows = sqlx::query(
        "select kind, jsonb_array_length(detail->'hosts')::bigint from notice_events order by created_at, id",
    )
    .fetch_all(&mut world.db.superuser().await)
    .await
    .unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

/// Waits until so many things have happened. Looks are due all the time, and a streak that began is as old as it needs to be.
async fn until(world: &World, count: usize) -> Vec<(String, i64)> {
    let begun = std::time::Instant::now();
    loop {
        let all = events(world).await;
        if all.len() >= count {
            return all;
        }
        let mut conn = world.db.superuser().await;
        let seen: Vec<(i32, i32)> =
            sqlx::query_as("select failures, answers from host_sights").fetch_all(&mut conn).await.unwrap();
        assert!(begun.elapsed() < Duration::from_secs(150), "{all:?} {seen:?}");
        sqlx::query("update host_sights set due_at = now() where lease_until is null")
            .execute(&mut conn)
            .await
            .unwrap();
        sqlx::query("update host_sights set failing_since = now() - interval '2 minutes' where failures >= 3")
            .execute(&mut conn)
            .await
            .unwrap();
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_whose_wire_is_cut_is_told_once_and_its_return_too() {
    let (host, other) = tokio::join!(TestHost::light(), TestHost::light());
    let world = World::idle(fresh_database().await).await;
    let (id, _) = (world.add_host(&host).await, world.add_host(&other).await);
    let mut conn = world.db.superuser().await;
    sqlx::query("update hosts set state = 'ready'").execute(&mut conn).await.unwrap();
    add(&world.actions(), &world.team.owner, webhook("hook", "http://127.0.0.1:9/")).await;
    let stop = CancellationToken::new();
    let watching = tokio::spawn(skiff::watch::run(world.ctx.access(), world.ctx.panel, stop.clone()));
    // Both are seen before anything happens to one.
    let begun = std::time::Instant::now();
    loop {
        let seen: i64 = sqlx::query_scalar("select count(*) from host_sights where answers > 0")
            .fetch_one(&mut conn)
            .await
            .unwrap();
        if seen == 2 {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(60));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    host.cut_with_resets().await;
    assert_eq!(until(&world, 1).await, [("host_down".to_owned(), 1)]);
    let (subject, cause): (uuid::Uuid, String) =
        sqlx::query_as("select subject_id, cause from alerts where closed_at is null")
            .fetch_one(&mut conn)
            .await
            .unwrap();
    assert_eq!(HostId(subject), id);
    assert!(!cause.is_empty());
    host.heal().await;
    assert_eq!(until(&world, 2).await[1], ("host_up".to_owned(), 1));
    let open: i64 =
        sqlx::query_scalar("select count(*) from alerts where closed_at is null").fetch_one(&mut conn).await.unwrap();
    assert_eq!((open, events(&world).await.len()), (0, 2));
    stop.cancel();
    watching.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_no_host_answers_one_alert_says_so_and_one_says_it_is_over() {
    let (one, two) = tokio::join!(TestHost::light(), TestHost::light());
    let world = World::idle(fresh_database().await).await;
    let mut conn = world.db.superuser().await;
    world.add_host(&one).await;
    world.add_host(&two).await;
    sqlx::query("update hosts set state = 'ready'").execute(&mut conn).await.unwrap();
    add(&world.actions(), &world.team.owner, webhook("hook", "http://127.0.0.1:9/")).await;
    tokio::join!(one.cut_with_resets(), two.cut_with_resets());
    let stop = CancellationToken::new();
    let watching = tokio::spawn(skiff::watch::run(world.ctx.access(), world.ctx.panel, stop.clone()));
    assert_eq!(until(&world, 1).await, [("host_down".to_owned(), 2)]);
    let kinds: Vec<String> = sqlx::query_scalar("select kind from alerts").fetch_all(&mut conn).await.unwrap();
    assert_eq!(kinds, ["nobody_answers"]);
    tokio::join!(one.heal(), two.heal());
    assert_eq!(until(&world, 2).await[1], ("host_up".to_owned(), 0));
    let open: i64 =
        sqlx::query_scalar("select count(*) from alerts where closed_at is null").fetch_one(&mut conn).await.unwrap();
    assert_eq!(open, 0);
    stop.cancel();
    watching.await.unwrap();
}

#[tokio::test]
async fn trouble_with_a_certificate_is_told_when_it_begins_when_it_needs_a_person_and_when_it_is_over() {
    use skiff::db::alerts::{self, Needs, PERSON};
    let world = World::idle(fresh_database().await).await;
    let mut form = webhook("hook", "http://127.0.0.1:9/");
    form.wanted.events = vec!["certificate".into()];
    add(&world.actions(), &world.team.owner, form).await;
    let permit = &world.team.permit;
    let id = uuid::Uuid::now_v7();
    let mut tx = world.db.begin(permit).await.unwrap();
    let names = ["shop.example.org".to_owned()];
    for (cause, stage) in [
        ("Port 80 is closed.", ""),
        ("Port 80 is closed.", ""),
        ("Rate limited.", ""),
        ("It is paused.", PERSON),
        ("It is paused.", PERSON),
        ("The account is not accepted.", PERSON),
        ("The authority is away.", ""),
        ("It is paused again.", PERSON),
        ("", ""),
        ("", ""),
        ("CAA forbids it.", ""),
    ] {
        let needs = (!cause.is_empty()).then_some(Needs { cause, stage, uploaded: false });
        alerts::certificate(&mut tx, permit, id, &names, needs).await.unwrap();
        if let Some(needs) = needs {
            let open = alerts::of_certificates(&mut tx, permit, 9).await.unwrap();
            assert!(open.len() == 1 && open[0].cause == needs.cause, "the latest is shown: {open:?}");
        }
    }
    tx.commit().await.unwrap();
    let told: Vec<String> = sqlx::query_scalar("select detail->>'cause' from notice_events order by id")
        .fetch_all(&mut world.db.superuser().await)
        .await
        .unwrap();
    assert_eq!(told, ["Port 80 is closed.", "It is paused.", "", "CAA forbids it."]);
    let rows: Vec<(String, bool)> = sqlx::query_as("select cause, closed_at is null from alerts order by id")
        .fetch_all(&mut world.db.superuser().await)
        .await
        .unwrap();
    let rows: Vec<(&str, bool)> = rows.iter().map(|(cause, open)| (cause.as_str(), *open)).collect();
    assert_eq!(rows, [("Rate limited.", false), ("It is paused again.", false), ("CAA forbids it.", true)]);

    // What was got ends what was wrong with the order and with the certificate before it, in one letter.
    let (order, certificate) =
        (skiff::domain::ids::AcmeOrderId(id), skiff::domain::ids::CertificateId(uuid::Uuid::now_v7()));
    let mut tx = world.db.begin(permit).await.unwrap();
    let needs = Needs { cause: "It ran out.", stage: "over 2026-01-02", uploaded: false };
    alerts::certificate(&mut tx, permit, certificate.0, &names, Some(needs)).await.unwrap();
    for _ in 0..2 {
        alerts::got(&mut tx, permit, (order, certificate), &names).await.unwrap();
    }
    assert!(alerts::of_certificates(&mut tx, permit, 9).await.unwrap().is_empty());
    tx.commit().await.unwrap();
    let told: Vec<String> = sqlx::query_scalar("select detail->>'cause' from notice_events order by id offset 4")
        .fetch_all(&mut world.db.superuser().await)
        .await
        .unwrap();
    assert_eq!(told, ["It ran out.", ""]);
}
