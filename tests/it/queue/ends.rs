//! How jobs end.

use skiff::domain::job::JobState;
use skiff::queue::{Cancelled, New, cancel, push};

use super::{Hurried, Work, Worker, put, row, until};
use crate::harness::postgres::fresh_database;
use crate::harness::quiet::assert_quiet;
use crate::harness::team::{TestTeam, cause};

#[tokio::test]
async fn a_failure_keeps_its_sentence() {
    let db = fresh_database().await;
    let team = TestTeam::new(&db).await;
    let worker = Worker::start(&db);
    let failed = put(&db, &team, Work::Fail, None).await;
    assert_eq!(until(&db, &team, failed.job, JobState::Failed).await, "The image is not there.");
    assert_quiet(&db).await;
    worker.stop().await;
}

#[tokio::test]
async fn a_defect_fails_its_job_and_nothing_else() {
    let db = fresh_database().await;
    let team = TestTeam::new(&db).await;
    let worker = Worker::start(&db);
    let defect = put(&db, &team, Work::Panic, None).await;
    let said = until(&db, &team, defect.job, JobState::Failed).await;
    assert!(said.starts_with("A defect in Skiff stopped it (error ") && !said.contains("a defect"), "{said}");
    let next = put(&db, &team, Work::Succeed, None).await;
    until(&db, &team, next.job, JobState::Succeeded).await;
    assert_quiet(&db).await;
    worker.stop().await;
}

#[tokio::test]
async fn not_now_waits_and_is_tried_again() {
    let db = fresh_database().await;
    let team = TestTeam::new(&db).await;
    let mut worker = Worker::start(&db);
    let again = put(&db, &team, Work::AgainOnce, Some("app:1")).await;
    assert_eq!(worker.next().await.attempt, 1);
    assert_eq!(worker.next().await.attempt, 2);
    until(&db, &team, again.job, JobState::Succeeded).await;

    let never = put(&db, &team, Work::AgainAlways, Some("app:1")).await;
    until_waiting(&db, &team, never.job).await;
    let mut tx = db.begin(&team.permit).await.unwrap();
    let waiting = skiff::db::jobs::get(&mut tx, &team.permit, never.job).await.unwrap().unwrap();
    assert_eq!(waiting.wait_reason, "fra-1 restarts");
    tx.rollback().await.unwrap();
    let newer = put(&db, &team, Work::Succeed, Some("app:1")).await;
    assert_eq!(newer.superseded, Some(never.job));
    until(&db, &team, newer.job, JobState::Succeeded).await;
    assert_quiet(&db).await;
    worker.stop().await;
}

async fn until_waiting(db: &skiff::db::Db, team: &TestTeam, job: skiff::domain::ids::JobId) {
    let waiting = async {
        // Looked at once for both: between two looks it may have begun.
        while !matches!(row(db, team, job).await, (JobState::Queued, _, 1..)) {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(super::SOON, waiting).await.expect("the job waits again");
}

#[tokio::test]
async fn cancelling_is_at_once_asked_or_too_late() {
    let db = fresh_database().await;
    let (team, others) = (TestTeam::new(&db).await, TestTeam::new(&db).await);
    let waiting = put(&db, &team, Work::Succeed, None).await;
    let wish = async |team: &TestTeam, job| {
        let mut tx = db.begin(&team.permit).await.unwrap();
        let answer = cancel(&mut tx, &team.permit, job, "Ada").await.unwrap();
        tx.commit().await.unwrap();
        answer
    };
    assert_eq!(wish(&others, waiting.job).await, Cancelled::NotFound);
    assert_eq!(wish(&team, waiting.job).await, Cancelled::AtOnce);
    assert_eq!(wish(&team, waiting.job).await, Cancelled::TooLate(JobState::Cancelled));

    let mut worker = Worker::start(&db);
    let running = put(&db, &team, Work::UntilCancelled, None).await;
    assert_eq!(worker.next().await.job, running.job, "the cancelled one never begins");
    let asked = std::time::Instant::now();
    assert_eq!(wish(&team, running.job).await, Cancelled::Asked);
    assert_eq!(until(&db, &team, running.job, JobState::Cancelled).await, "Cancelled by Ada.");
    println!("from the wish to the end: {:?}", asked.elapsed());
    assert!(asked.elapsed().as_secs() < 4, "it does not wait for a heartbeat");
    assert_quiet(&db).await;
    worker.stop().await;
}

#[tokio::test]
async fn too_long_is_stopped_with_a_sentence() {
    let db = fresh_database().await;
    let team = TestTeam::new(&db).await;
    let worker = Worker::start(&db);
    let mut tx = db.begin(&team.permit).await.unwrap();
    let hurried = push(&mut tx, &team.permit, &Hurried, New::new("Hurried", cause())).await.unwrap();
    tx.commit().await.unwrap();
    let said = until(&db, &team, hurried.job, JobState::Failed).await;
    assert_eq!(said, "It took longer than 1 second and was stopped.");
    assert_quiet(&db).await;
    worker.stop().await;
}

#[tokio::test]
async fn arguments_of_another_version_fail_in_words() {
    let db = fresh_database().await;
    let team = TestTeam::new(&db).await;
    let mut tx = db.begin(&team.permit).await.unwrap();
    let pushed = push(&mut tx, &team.permit, &Work::Succeed, New::new("Strange", cause())).await.unwrap();
    sqlx::query("update jobs set args = '{\"later\": 1}' where id = $1")
        .bind(pushed.job.0)
        .execute(&mut *tx)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let worker = Worker::start(&db);
    let said = until(&db, &team, pushed.job, JobState::Failed).await;
    assert!(said.contains("another version of Skiff"), "{said}");
    assert_quiet(&db).await;
    worker.stop().await;
}

#[tokio::test]
async fn a_deploy_and_its_steps_end_with_their_job() {
    use skiff::db::job_steps::{self, NewStep};
    let db = fresh_database().await;
    let team = TestTeam::new(&db).await;
    let mut worker = Worker::start(&db);
    let waits = put(&db, &team, Work::Wait, None).await;
    let run = worker.next().await;
    // The deploy alone, without the app it belongs to: foreign keys do not hold for this connection.
    let mut superuser = db.superuser().await;
    sqlx::raw_sql("set session_replication_role = replica").execute(&mut superuser).await.unwrap();
    sqlx::query(
        "insert into deploys (team_id, id, app_id, job_id, target, cause, state)
         values ($1, gen_random_uuid(), gen_random_uuid(), $2, '{}', '{}', 'running')",
    )
    .bind(team.id.0)
    .bind(waits.job.0)
    .execute(&mut superuser)
    .await
    .unwrap();
    let mut tx = db.begin(&run.permit).await.unwrap();
    let step = |words: &str| NewStep { stage: String::new(), host: None, words: words.into() };
    let steps = [step("pull web:2"), step("start web-2"), step("stop web-1")];
    let first = job_steps::plan(&mut tx, &run.permit, run.job, run.fence, &steps).await.unwrap().unwrap();
    assert_eq!(first, 1);
    let done = skiff::domain::job::StepState::Unchanged;
    assert!(job_steps::start(&mut tx, &run.permit, run.job, run.fence, 1).await.unwrap());
    assert!(job_steps::finish(&mut tx, &run.permit, run.job, run.fence, 1, done, "there already").await.unwrap());
    assert!(job_steps::start(&mut tx, &run.permit, run.job, run.fence, 2).await.unwrap());
    tx.commit().await.unwrap();
    // With another fence: its heart, which still beats, would keep the lease.
    let lost =
        "update jobs set max_attempts = 1, fence = fence + 1, lease_until = now() - interval '1 second' where id = $1";
    sqlx::query(lost).bind(waits.job.0).execute(&mut superuser).await.unwrap();
    // Triggers do not fire for this connection; the end is written by the worker, whose do.
    let said = until(&db, &team, waits.job, JobState::Failed).await;
    assert_eq!(said, "Its worker was lost 1 times while it ran.");
    let deploy: String = sqlx::query_scalar("select state from deploys where job_id = $1 and finished_at is not null")
        .bind(waits.job.0)
        .fetch_one(&mut superuser)
        .await
        .unwrap();
    assert_eq!(deploy, "failed");
    let mut tx = db.begin(&team.permit).await.unwrap();
    let steps = job_steps::list(&mut tx, &team.permit, waits.job).await.unwrap();
    let seen: Vec<_> = steps.iter().map(|step| (step.words.as_str(), step.state.word(), step.note.as_str())).collect();
    let wanted = [
        ("pull web:2", "nothing to do", "there already"),
        ("start web-2", "failed", ""),
        ("stop web-1", "skipped", ""),
    ];
    assert_eq!(seen, wanted);
    tx.rollback().await.unwrap();
    assert_quiet(&db).await;
    worker.stop().await;
}
