//! Leases and fences: whose job it is when two believe it is theirs.

use std::time::Duration;

use skiff::db::job_log::{self, NewLine};
use skiff::db::job_steps;
use skiff::domain::job::{JobState, Stream};
use skiff::queue::Lost;

use super::{SOON, Work, Worker, put, row, take_over, until};
use crate::harness::postgres::fresh_database;
use crate::harness::quiet::assert_quiet;
use crate::harness::team::TestTeam;

#[tokio::test]
async fn a_zombie_writes_nothing_once_another_has_its_job() {
    let db = fresh_database().await;
    let team = TestTeam::new(&db).await;
    // With room for this one only: a process that is stopped claims nothing either.
    let mut zombie = Worker::start_with(&db, 1);
    let pushed = put(&db, &team, Work::Wait, Some("app:1")).await;
    let old = zombie.next().await;
    old.still_mine().await.unwrap();
    let line = [NewLine { stream: Stream::Out, step: None, line: b"one".to_vec() }];
    let append = async |run: &skiff::queue::Run| {
        let mut tx = db.begin(&run.permit).await.unwrap();
        let seq = job_log::append(&mut tx, &run.permit, run.job, run.fence, &line).await.unwrap();
        tx.commit().await.unwrap();
        seq
    };
    assert_eq!(append(&old).await, Some(1));

    let mut second = Worker::start(&db);
    let new = take_over(&db, pushed.job, &mut second).await;
    assert_eq!((new.job, new.fence, new.attempt), (old.job, old.fence + 1, 2));

    // It wakes up and goes on as if nothing had been.
    assert!(matches!(old.still_mine().await, Err(Lost::Taken)));
    assert!(matches!(old.begin().await, Err(Lost::Taken)));
    assert_eq!(append(&old).await, None);
    let mut tx = db.begin(&old.permit).await.unwrap();
    let step = [job_steps::NewStep { stage: String::new(), host: None, words: "stop web-1".into() }];
    assert_eq!(job_steps::plan(&mut tx, &old.permit, old.job, old.fence, &step).await.unwrap(), None);
    let planned = job_steps::plan(&mut tx, &new.permit, new.job, new.fence, &step).await.unwrap();
    assert_eq!(planned, Some(1));
    assert!(!job_steps::start(&mut tx, &old.permit, old.job, old.fence, 1).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(append(&new).await, Some(2), "the log goes on without a gap");
    new.still_mine().await.unwrap();

    // Its run ends as if it had succeeded; with the room it has now it takes another job, and this one goes on elsewhere.
    zombie.bench.gate.add_permits(1);
    let other = put(&db, &team, Work::Succeed, None).await;
    until(&db, &team, other.job, JobState::Succeeded).await;
    assert_eq!(row(&db, &team, pushed.job).await.0, JobState::Running);
    new.still_mine().await.unwrap();
    second.bench.gate.add_permits(1);
    until(&db, &team, pushed.job, JobState::Succeeded).await;
    assert_quiet(&db).await;
    zombie.stop().await;
    second.stop().await;
}

#[tokio::test]
async fn a_heartbeat_tells_a_run_that_it_lost_its_job() {
    let db = fresh_database().await;
    let team = TestTeam::new(&db).await;
    let mut worker = Worker::start(&db);
    let pushed = put(&db, &team, Work::UntilLost, None).await;
    let run = worker.next().await;
    sqlx::query("update jobs set fence = fence + 1 where id = $1")
        .bind(pushed.job.0)
        .execute(&mut db.superuser().await)
        .await
        .unwrap();
    tokio::time::timeout(SOON, run.lost.cancelled()).await.expect("the next heartbeat notices");
    assert_eq!(row(&db, &team, pushed.job).await.0, JobState::Running, "it wrote nothing");
    worker.stop().await;
}

#[tokio::test]
async fn a_heartbeat_keeps_a_long_job() {
    let db = fresh_database().await;
    let team = TestTeam::new(&db).await;
    let mut worker = Worker::start(&db);
    let pushed = put(&db, &team, Work::Wait, None).await;
    worker.next().await;
    let mut superuser = db.superuser().await;
    let mut lease = async || -> time::OffsetDateTime {
        let lease = sqlx::query_scalar("select lease_until from jobs where id = $1").bind(pushed.job.0);
        lease.fetch_one(&mut superuser).await.unwrap()
    };
    let mut next = async |before: time::OffsetDateTime| {
        let extended = async {
            loop {
                let now = lease().await;
                if now != before {
                    return now;
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), extended).await.expect("a heartbeat every 5 s")
    };
    // The heart beats since the worker began: the first beat may come a moment after the claim.
    let first = next(time::OffsetDateTime::UNIX_EPOCH).await;
    let first = next(first).await;
    let extended = next(first).await;
    assert!(extended - first > time::Duration::seconds(4), "{first} {extended}");
    worker.bench.gate.add_permits(1);
    until(&db, &team, pushed.job, JobState::Succeeded).await;
    assert_quiet(&db).await;
    worker.stop().await;
}

#[tokio::test]
async fn a_stopped_panel_gives_its_jobs_back_at_once() {
    let db = fresh_database().await;
    let team = TestTeam::new(&db).await;
    let mut first = Worker::start(&db);
    let pushed = put(&db, &team, Work::UntilLost, Some("app:1")).await;
    let old = first.next().await;
    // A newer one waits: giving back must not collide with it.
    let newer = put(&db, &team, Work::Succeed, Some("app:1")).await;
    first.stop().await;
    let (state, _, attempt) = row(&db, &team, pushed.job).await;
    assert_eq!((state, attempt), (JobState::Running, 0), "the attempt does not count");

    let began = std::time::Instant::now();
    let mut next = Worker::start(&db);
    let resumed = next.next().await;
    println!("resumed after {:?}", began.elapsed());
    assert_eq!((resumed.job, resumed.attempt, resumed.fence), (pushed.job, 1, old.fence + 2));
    assert!(began.elapsed() < super::SOON, "it does not wait for the old lease");
    assert_eq!(row(&db, &team, newer.job).await.0, JobState::Queued);
    next.stop().await;
    let mut superuser = db.superuser().await;
    sqlx::query("update jobs set args = '\"Succeed\"' where id = $1")
        .bind(pushed.job.0)
        .execute(&mut superuser)
        .await
        .unwrap();
    let last = Worker::start(&db);
    until(&db, &team, pushed.job, JobState::Succeeded).await;
    until(&db, &team, newer.job, JobState::Succeeded).await;
    assert_quiet(&db).await;
    last.stop().await;
}
