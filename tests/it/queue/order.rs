//! Who is claimed when.

use std::time::{Duration, Instant};

use skiff::db::changes::{Changes, Topic};
use skiff::domain::job::JobState;
use skiff::queue::{Cancelled, New, cancel, push};
use tokio_util::sync::CancellationToken;

use super::{Hurried, Work, Worker, put, row, until};
use crate::harness::postgres::fresh_database;
use crate::harness::quiet::assert_quiet;
use crate::harness::team::{TestTeam, cause};

#[tokio::test]
async fn a_job_begins_when_its_transaction_commits() {
    let db = fresh_database().await;
    let team = TestTeam::new(&db).await;
    let mut worker = Worker::start(&db);
    let mut tx = db.begin(&team.permit).await.unwrap();
    push(&mut tx, &team.permit, &Work::Succeed, New::new("Never", cause())).await.unwrap();
    tx.rollback().await.unwrap();

    let mut waits = Vec::new();
    for _ in 0..20 {
        let pushed = put(&db, &team, Work::Succeed, None).await;
        let committed = Instant::now();
        assert_eq!(worker.next().await.job, pushed.job);
        waits.push(committed.elapsed());
        until(&db, &team, pushed.job, JobState::Succeeded).await;
    }
    waits.sort();
    println!("from commit to begin: median {:?}, longest {:?}", waits[10], waits[19]);
    // Without the wake-up it would be up to 2 s; how fast it is exactly, a benchmark says.
    assert!(waits[10] < Duration::from_millis(500), "{waits:?}");
    assert_quiet(&db).await;
    worker.stop().await;
}

#[tokio::test]
async fn of_one_lock_key_one_runs_and_the_newest_waits() {
    let db = fresh_database().await;
    let team = TestTeam::new(&db).await;
    let mut worker = Worker::start(&db);
    let first = put(&db, &team, Work::Wait, Some("app:1")).await;
    assert_eq!(first.superseded, None);
    assert_eq!(worker.next().await.job, first.job);

    let second = put(&db, &team, Work::Succeed, Some("app:1")).await;
    let third = put(&db, &team, Work::Succeed, Some("app:1")).await;
    let other = put(&db, &team, Work::Succeed, Some("app:2")).await;
    assert_eq!((second.superseded, third.superseded), (None, Some(second.job)));
    assert_eq!(worker.next().await.job, other.job, "another key does not wait");
    let (state, reason, _) = row(&db, &team, second.job).await;
    assert_eq!((state, reason.as_str()), (JobState::Superseded, "A newer one came before it began."));
    assert_eq!(row(&db, &team, third.job).await.0, JobState::Queued);

    let mut tx = db.begin(&team.permit).await.unwrap();
    let waiting = skiff::db::jobs::get(&mut tx, &team.permit, third.job).await.unwrap().unwrap();
    assert_eq!(waiting.wait_reason, "Waits for: Work");
    tx.rollback().await.unwrap();

    worker.bench.gate.add_permits(1);
    assert_eq!(worker.next().await.job, third.job);
    until(&db, &team, third.job, JobState::Succeeded).await;
    assert_quiet(&db).await;
    worker.stop().await;
}

#[tokio::test]
async fn fifty_pushes_at_once_are_two_runs() {
    let db = fresh_database().await;
    let team = TestTeam::new(&db).await;
    let mut worker = Worker::start(&db);
    let running = put(&db, &team, Work::Wait, Some("app:1")).await;
    worker.next().await;
    let pushes = (0..50).map(|_| put(&db, &team, Work::Succeed, Some("app:1")));
    let pushed = futures_util::future::join_all(pushes).await;
    let superseded = pushed.iter().filter_map(|pushed| pushed.superseded).collect::<std::collections::HashSet<_>>();
    assert_eq!(superseded.len(), 49, "each but the last is overtaken once");
    worker.bench.gate.add_permits(1);
    let last = worker.next().await.job;
    assert!(!superseded.contains(&last) && last != running.job);
    until(&db, &team, last, JobState::Succeeded).await;
    assert_quiet(&db).await;
    worker.stop().await;
}

#[tokio::test]
async fn a_higher_priority_and_then_the_older_goes_first() {
    let db = fresh_database().await;
    let team = TestTeam::new(&db).await;
    let older = put(&db, &team, Work::Wait, Some("one at a time")).await;
    let mut tx = db.begin(&team.permit).await.unwrap();
    let mut jobs = Vec::new();
    for priority in [0, 5, 0] {
        let new = New { priority, ..New::new("Work", cause()) };
        jobs.push(push(&mut tx, &team.permit, &Work::Succeed, new).await.unwrap().job);
    }
    let late = New { after: Duration::from_millis(400), priority: 9, ..New::new("Later", cause()) };
    let late = push(&mut tx, &team.permit, &Work::Succeed, late).await.unwrap().job;
    tx.commit().await.unwrap();
    let mut worker = Worker::start(&db);
    worker.bench.gate.add_permits(1);
    let mut began = Vec::new();
    for _ in 0..5 {
        began.push(worker.next().await.job);
    }
    // They are claimed together and begin side by side, but for the one that is not due.
    assert_eq!(began[4], late);
    assert!(began.contains(&older.job) && jobs.iter().all(|job| began.contains(job)));
    until(&db, &team, late, JobState::Succeeded).await;
    assert_quiet(&db).await;
    worker.stop().await;
}

#[tokio::test]
async fn a_thousand_jobs_have_a_thousand_effects() {
    let db = fresh_database().await;
    let team = TestTeam::new(&db).await;
    let mut superuser = db.superuser().await;
    sqlx::raw_sql("create table effects (n bigint not null); grant insert on effects to skiff_worker")
        .execute(&mut superuser)
        .await
        .unwrap();
    let mut tx = db.begin(&team.permit).await.unwrap();
    for n in 0..1000 {
        push(&mut tx, &team.permit, &Work::Effect(n), New::new("Effect", cause())).await.unwrap();
    }
    tx.commit().await.unwrap();
    // Two processes with four at a time each would be slower and the same.
    let workers = [Worker::start(&db), Worker::start(&db)];
    let began = Instant::now();
    loop {
        let left: i64 = sqlx::query_scalar("select count(*) from jobs where finished_at is null")
            .fetch_one(&mut superuser)
            .await
            .unwrap();
        if left == 0 {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "{left} are left");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    println!("1000 jobs by 16 runs at a time: {:?}", began.elapsed());
    let (effects, different): (i64, i64) =
        sqlx::query_as("select count(*), count(distinct n) from effects").fetch_one(&mut superuser).await.unwrap();
    assert_eq!((effects, different), (1000, 1000));
    let again: i64 = sqlx::query_scalar("select count(*) from jobs where attempt <> 1 or state <> 'succeeded'")
        .fetch_one(&mut superuser)
        .await
        .unwrap();
    assert_eq!(again, 0);
    for worker in workers {
        worker.stop().await;
    }
    assert_quiet(&db).await;
}

#[tokio::test]
async fn a_kind_nobody_knows_waits_for_who_does() {
    let db = fresh_database().await;
    let team = TestTeam::new(&db).await;
    let mut tx = db.begin(&team.permit).await.unwrap();
    let strange = push(&mut tx, &team.permit, &Hurried, New::new("Strange", cause())).await.unwrap();
    sqlx::query("update jobs set kind = 'of a later version' where id = $1")
        .bind(strange.job.0)
        .execute(&mut *tx)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let mut worker = Worker::start(&db);
    let known = put(&db, &team, Work::Succeed, None).await;
    assert_eq!(worker.next().await.job, known.job);
    until(&db, &team, known.job, JobState::Succeeded).await;
    assert_eq!(row(&db, &team, strange.job).await.0, JobState::Queued);
    let mut tx = db.begin(&team.permit).await.unwrap();
    assert_eq!(cancel(&mut tx, &team.permit, strange.job, "Ada").await.unwrap(), Cancelled::AtOnce);
    tx.commit().await.unwrap();
    assert_quiet(&db).await;
    worker.stop().await;
}

#[tokio::test]
async fn whoever_watches_a_job_is_woken() {
    let db = fresh_database().await;
    let team = TestTeam::new(&db).await;
    let (changes, stop) = (Changes::new(&db), CancellationToken::new());
    let listening = tokio::spawn({
        let (changes, stop) = (changes.clone(), stop.clone());
        async move { changes.listen(stop).await }
    });
    let mut of_team = changes.subscribe(Topic::Team(team.id));
    // Listening begins with a wake-up of all, as anything may have been missed before.
    tokio::time::timeout(super::SOON, of_team.changed()).await.unwrap().unwrap();
    let pushed = put(&db, &team, Work::Succeed, None).await;
    tokio::time::timeout(super::SOON, of_team.changed()).await.expect("the team is woken").unwrap();
    let mut of_job = changes.subscribe(Topic::Job(pushed.job));
    let mut tx = db.begin(&team.permit).await.unwrap();
    cancel(&mut tx, &team.permit, pushed.job, "Ada").await.unwrap();
    tx.commit().await.unwrap();
    tokio::time::timeout(super::SOON, of_job.changed()).await.expect("the job's watchers are woken").unwrap();
    stop.cancel();
    listening.await.unwrap();
}
