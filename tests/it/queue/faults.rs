//! The database goes away while jobs run, and comes back.

use std::time::{Duration, Instant};

use skiff::db::Db;
use skiff::db::cluster::{Cluster, ClusterSettings};
use skiff::domain::job::JobState;
use skiff::queue::{New, push};

use super::{Work, Worker, put, row, until};
use crate::harness::host::run;
use crate::harness::postgres::fresh_database;
use crate::harness::quiet::assert_quiet;
use crate::harness::team::{TestTeam, cause};

/// Jobs that wait when it happens.
const JOBS: i64 = 300;
/// How long it is away: shorter than a lease, so that what runs goes on.
const AWAY: Duration = Duration::from_secs(3);

#[tokio::test]
async fn what_runs_goes_on_and_nothing_is_lost_when_postgres_is_killed() {
    let folder = tempfile::tempdir_in("/tmp").unwrap();
    let place = ClusterSettings { folder: folder.path().join("pg"), user: None };
    let cluster = Cluster::start(&place).await.unwrap();
    let settings = cluster.settings();
    let db = Db::connect(&settings).await.unwrap();
    let team = TestTeam::new(&db).await;
    let owner = Db::open(&skiff::db::DatabaseSettings { worker: settings.owner.clone(), ..settings });
    let mut tx = owner.begin_worker().await.unwrap();
    // The effect has a name, as everything a job makes on a host has: done twice, it collides with itself.
    sqlx::raw_sql("create table effects (n bigint primary key); grant insert, select on effects to skiff_worker")
        .execute(&mut *tx)
        .await
        .unwrap();
    tx.commit().await.unwrap();

    let mut worker = Worker::start(&db);
    let long = put(&db, &team, Work::Wait, None).await;
    let long_run = worker.next().await;
    let mut tx = db.begin(&team.permit).await.unwrap();
    for n in 0..JOBS {
        push(&mut tx, &team.permit, &Work::Effect(n), New::new("Effect", cause())).await.unwrap();
    }
    tx.commit().await.unwrap();
    // Some are done, some run, most wait.
    while worker.next().await.job == long.job {}

    let server = std::fs::read_to_string(place.folder.join("data/postmaster.pid")).unwrap();
    run("kill", &["-QUIT", server.lines().next().unwrap()]).await.must("stop at once");
    drop(cluster);
    let asked = Instant::now();
    while db.begin(&team.permit).await.is_ok() {}
    assert!(asked.elapsed() < super::SOON, "a page hears of it soon: {:?}", asked.elapsed());
    assert!(long_run.still_mine().await.is_err(), "without the database nothing is touched");
    tokio::time::sleep(AWAY).await;

    let cluster = Cluster::start(&place).await.unwrap();
    let back = Instant::now();
    let done = async || -> i64 {
        let Ok(mut tx) = db.begin_worker().await else { return 0 };
        let count = "select count(*) from jobs where state = 'succeeded'";
        sqlx::query_scalar(count).fetch_one(&mut *tx).await.unwrap_or(0)
    };
    while done().await < JOBS {
        assert!(back.elapsed() < Duration::from_secs(30), "{} of {JOBS} are done", done().await);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    println!("all {JOBS} done {:?} after it was back", back.elapsed());
    let mut tx = db.begin_worker().await.unwrap();
    let effects: i64 = sqlx::query_scalar("select count(*) from effects").fetch_one(&mut *tx).await.unwrap();
    tx.rollback().await.unwrap();
    assert_eq!(effects, JOBS);

    assert!(!long_run.lost.is_cancelled());
    long_run.still_mine().await.unwrap();
    assert_eq!((row(&db, &team, long.job).await.0, row(&db, &team, long.job).await.2), (JobState::Running, 1));
    worker.bench.gate.add_permits(1);
    until(&db, &team, long.job, JobState::Succeeded).await;
    assert_quiet(&db).await;
    worker.stop().await;
    cluster.stop().await;
}

#[tokio::test]
async fn nothing_counts_as_done_while_the_database_takes_no_writes() {
    let db = fresh_database().await;
    let team = TestTeam::new(&db).await;
    let mut worker = Worker::start(&db);
    let pushed = put(&db, &team, Work::Wait, None).await;
    worker.next().await;
    // As a full disk looks from here. Sessions keep what they began with, so they are ended.
    let mut superuser = db.superuser().await;
    let mut writable = async |writable: bool| {
        let name: String = sqlx::query_scalar("select current_database()").fetch_one(&mut superuser).await.unwrap();
        let set = format!("alter database {name} set default_transaction_read_only = {}", !writable);
        sqlx::raw_sql("set transaction_read_only = off").execute(&mut superuser).await.unwrap();
        sqlx::raw_sql(sqlx::AssertSqlSafe(set)).execute(&mut superuser).await.unwrap();
        sqlx::raw_sql("select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()")
            .execute(&mut superuser)
            .await
            .unwrap();
    };
    writable(false).await;
    worker.bench.gate.add_permits(1);
    tokio::time::sleep(Duration::from_secs(2)).await;
    let state = async || loop {
        // The first connections after it are the dead ones.
        if let Ok(mut tx) = db.begin(&team.permit).await
            && let Ok(Some(row)) = skiff::db::jobs::get(&mut tx, &team.permit, pushed.job).await
        {
            return row.state;
        }
    };
    assert_eq!(state().await, JobState::Running);
    writable(true).await;
    let back = Instant::now();
    while state().await != JobState::Succeeded {
        assert!(back.elapsed() < super::SOON, "it resumes without a restart");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(row(&db, &team, pushed.job).await.2, 1);
    assert_quiet(&db).await;
    worker.stop().await;
}
