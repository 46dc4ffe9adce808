//! What is kept and what goes: releases with their images and folders, failed containers, old rows.

use skiff::db::job_log;
use skiff::jobs::tidy::Tidy;
use skiff::queue::{self, New};

use crate::harness::host::TestHost;
use crate::harness::postgres::TestDb;
use crate::harness::team::cause;
use crate::harness::world::{Ended, TestApp, World, ask};

/// One more than is kept, and another.
const DEPLOYS: usize = 12;

/// Runs the daily upkeep of the team.
pub async fn tidy(world: &World) -> Ended {
    let mut tx = world.db.begin(&world.team.permit).await.unwrap();
    let pushed = queue::push(&mut tx, &world.team.permit, &Tidy {}, New::new("Tidy up", cause())).await.unwrap();
    tx.commit().await.unwrap();
    let ended = world.over(pushed.job).await;
    assert_eq!(ended.state, "succeeded", "{ended:#?}");
    ended
}

/// Lets days pass for everything that is over.
async fn days_pass(db: &TestDb, days: i32) {
    let mut conn = db.superuser().await;
    for (table, column) in [
        ("jobs", "finished_at"),
        ("deploys", "finished_at"),
        ("releases", "retired_at"),
        ("ledger_instances", "removed_at"),
        ("builds", "created_at"),
    ] {
        let statement = format!("update {table} set {column} = {column} - make_interval(days => $1)");
        sqlx::query(sqlx::AssertSqlSafe(statement)).bind(days).execute(&mut conn).await.unwrap();
    }
}

async fn count(db: &TestDb, what: &'static str) -> i64 {
    sqlx::query_scalar(what).fetch_one(&mut db.superuser().await).await.unwrap()
}

/// The names in the app's folder on the host, and our own names for images there.
async fn left(app: &TestApp<'_>, host: &TestHost) -> (Vec<String>, usize) {
    let folder = host.path(&format!("/var/lib/skiff/apps/{}", app.id.simple()));
    let mut names: Vec<String> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort_by_key(|name| (name.parse::<i32>().unwrap_or(0), name.clone()));
    let images = host.docker(&["image", "ls", "--format", "{{.Repository}}"]).await;
    (names, images.lines().filter(|line| line.starts_with("skiff")).count())
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_releases_are_kept_and_nothing_foreign_is_touched() {
    let (host, world) = (TestHost::bare().await, World::new().await);
    let id = world.provision(&host).await;
    host.load_busybox("somebody/else:1").await;
    for number in 1..=DEPLOYS {
        host.load_app(&format!("127.0.0.1:5000/hello:{number}"), &number.to_string()).await;
    }
    host.docker(&["volume", "create", "precious"]).await;
    host.docker(&["run", "-d", "--name", "theirs", "somebody/else:1", "/bin/sh", "-c", "while :; do sleep 1; done"])
        .await;
    host.docker(&["create", "--name", "theirs-stopped", "somebody/else:1", "/bin/sh"]).await;
    let foreign = host.foreign_inventory().await;

    let mut app = world.app(id, "127.0.0.1:5000/hello:1", "hello.test").await;
    let mut spec = app.spec.clone();
    (spec.drain_s, spec.stop_grace_s) = (0, 1);
    app.save(spec).await;
    let folder = host.path(&format!("/var/lib/skiff/apps/{}", app.id.simple()));
    let mut log = String::new();
    for number in 1..=DEPLOYS {
        app.image(&format!("127.0.0.1:5000/hello:{number}")).await;
        log = app.must_deploy().await.log;
        if number == 2 {
            // What strangers put beside and into our folders.
            std::fs::create_dir(folder.join("notes")).unwrap();
            std::fs::write(folder.join("2/somebody's note"), "stays").unwrap();
        }
    }
    let (folders, images) = left(&app, &host).await;
    let wanted: Vec<String> =
        ["notes", "2"].map(str::to_owned).into_iter().chain((3..=12).map(|n| n.to_string())).collect();
    assert_eq!(folders, wanted, "v1's is gone, v2's holds a stranger's file and only that");
    assert_eq!(std::fs::read_dir(folder.join("2")).unwrap().count(), 1);
    assert_eq!(images, 10, "{log}");
    assert_eq!(host.foreign_inventory().await, foreign, "nothing of others was touched");

    let gone = app.roll_back(2).await;
    assert!(gone.state == "failed" && gone.reason.contains("v2 of this app is not kept"), "{gone:#?}");

    // A quarter of a year later the rows go too; what is kept can still be gone back to.
    days_pass(&world.db, 100).await;
    tidy(&world).await;
    // The history of v3 still names what it came after.
    assert_eq!(count(&world.db, "select count(*) from releases").await, 11);
    assert_eq!(count(&world.db, "select count(*) from deploys").await, 10);
    assert_eq!(count(&world.db, "select count(*) from jobs where kind <> 'tidy'").await, 10);
    assert_eq!(count(&world.db, "select count(*) from ledger_instances").await, 1);
    for oldest in [3, 12] {
        let back = app.roll_back(oldest).await;
        assert_eq!(back.state, "succeeded", "{back:#?}");
        assert!(ask(&host, "hello.test", "/").await.1.contains(&oldest.to_string()));
    }
    assert_eq!(host.foreign_inventory().await, foreign, "nothing of others was touched");
    world.quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_container_goes_after_its_time_and_not_before() {
    let (host, world) = (TestHost::bare().await, World::new().await);
    let id = world.provision(&host).await;
    host.load_app("127.0.0.1:5000/hello:1", "1").await;
    let mut app = world.app(id, "127.0.0.1:5000/hello:1", "hello.test").await;
    app.must_deploy().await;
    app.set("EXIT_CODE", "3").await;
    assert_eq!(app.deploy().await.state, "failed");
    assert_eq!(app.containers(&host).await.len(), 2);
    tidy(&world).await;
    assert_eq!(app.containers(&host).await.len(), 2, "it is kept for inspection");
    days_pass(&world.db, 4).await;
    let tidied = tidy(&world).await;
    let left = app.containers(&host).await;
    assert!(left.len() == 1 && left.values().all(|state| state == "running"), "{left:?} {tidied:#?}");
    assert_eq!(count(&world.db, "select count(*) from ledger_instances where removed_at is null").await, 1);
    world.quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn months_of_the_log_go_as_a_whole() {
    let mut world = World::new().await;
    // The worker lets go of old months by itself, and might be first.
    world.stop_worker().await;
    let mut conn = world.db.superuser().await;
    sqlx::raw_sql(
        "create table job_log_2020_01 partition of job_log for values from ('2020-01-01') to ('2020-02-01');
         create table job_log_beside (like job_log)",
    )
    .execute(&mut conn)
    .await
    .unwrap();
    let mut tx = world.db.begin_worker().await.unwrap();
    let dropped = job_log::drop_months(&mut tx, 90).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(dropped, ["job_log_2020_01"]);
    let parts = "select count(*) from pg_inherits where inhparent = 'job_log'::regclass";
    assert_eq!(count(&world.db, parts).await, 3, "this month, the next one, and the rest");
    assert_eq!(count(&world.db, "select count(*) from job_log_beside").await, 0, "it is still there");
    world.quiet().await;
}
