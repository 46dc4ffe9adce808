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
async fn trouble_with_a_certificate_is_told_when_it_begins_and_when_it_is_over() {
    let world = World::idle(fresh_database().await).await;
    let permit = &world.team.permit;
    let id = uuid::Uuid::now_v7();
    let mut tx = world.db.begin(permit).await.unwrap();
    for cause in [Some("Port 80 is closed."), Some("Port 80 is closed."), None, None, Some("CAA forbids it.")] {
        skiff::db::alerts::certificate(&mut tx, permit, id, &["shop.example.org".to_owned()], cause).await.unwrap();
    }
    tx.commit().await.unwrap();
    let rows: Vec<(String, bool)> =
        sqlx::query_as("select cause, closed_at is null from alerts order by opened_at, id")
            .fetch_all(&mut world.db.superuser().await)
            .await
            .unwrap();
    assert_eq!(rows, [("Port 80 is closed.".to_owned(), false), ("CAA forbids it.".to_owned(), true)]);
}
