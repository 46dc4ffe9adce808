//! The queue, with a job that does what a case tells it to. Leases are ended by setting the clock's side of them, the
//! row: nobody waits 20 seconds.

mod ends;
mod faults;
mod lease;
mod order;

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use skiff::db::Db;
use skiff::db::changes::Changes;
use skiff::domain::ids::JobId;
use skiff::domain::job::JobState;
use skiff::queue::{Job, New, Outcome, Pushed, Registry, Run, Runner, RunnerSettings, push};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::harness::postgres::TestDb;
use crate::harness::team::{TestTeam, cause};

/// Longer than anything here takes on a busy machine, shorter than a lease: what only happens because a lease ran out
/// by itself does not count as happening.
const SOON: Duration = Duration::from_secs(15);

/// What a job of these cases does.
#[derive(Clone, Debug, Serialize, Deserialize)]
enum Work {
    Succeed,
    Fail,
    Panic,
    /// Until the case opens the gate.
    Wait,
    /// Until it is asked to stop.
    UntilCancelled,
    /// Until its lease is lost.
    UntilLost,
    /// Once not now, then done.
    AgainOnce,
    /// Never now.
    AgainAlways,
    /// One row in `effects`, in a transaction only the owner of the job can commit.
    Effect(i64),
}

/// What the case and the jobs share.
struct Bench {
    began: mpsc::UnboundedSender<Run>,
    gate: Semaphore,
}

impl Job for Work {
    const KIND: &'static str = "work";
    const DEADLINE: Duration = Duration::from_secs(600);
    type Ctx = Bench;

    async fn run(self, bench: &Bench, run: &Run) -> Outcome {
        bench.began.send(run.clone()).ok();
        match self {
            Self::Succeed => Outcome::Succeeded,
            Self::Fail => Outcome::Failed { reason: "The image is not there.".into() },
            Self::Panic => panic!("a defect"),
            Self::Wait => {
                bench.gate.acquire().await.unwrap().forget();
                Outcome::Succeeded
            }
            Self::UntilCancelled => {
                run.cancel.cancelled().await;
                Outcome::Cancelled
            }
            Self::UntilLost => {
                run.lost.cancelled().await;
                Outcome::Failed { reason: "stopped".into() }
            }
            Self::AgainOnce if run.attempt > 1 => Outcome::Succeeded,
            Self::AgainOnce => Outcome::Again { after: Duration::from_millis(300), why: "fra-1 restarts".into() },
            Self::AgainAlways => Outcome::Again { after: Duration::from_secs(3600), why: "fra-1 restarts".into() },
            Self::Effect(n) => effect(run, n).await,
        }
    }
}

async fn effect(run: &Run, n: i64) -> Outcome {
    let done = async {
        let mut tx = run.begin().await?;
        let insert = sqlx::query("insert into effects (n) values ($1) on conflict do nothing").bind(n);
        insert.execute(&mut *tx).await?;
        tx.commit().await?;
        Ok::<_, skiff::queue::Lost>(())
    };
    match done.await {
        Ok(()) => Outcome::Succeeded,
        Err(error) => Outcome::Again { after: run.backoff(), why: error.to_string() },
    }
}

/// A kind with hardly any time.
#[derive(Serialize, Deserialize)]
struct Hurried;

impl Job for Hurried {
    const KIND: &'static str = "hurried";
    const DEADLINE: Duration = Duration::from_secs(1);
    type Ctx = Bench;

    async fn run(self, _: &Bench, run: &Run) -> Outcome {
        run.cancel.cancelled().await;
        Outcome::Cancelled
    }
}

/// One process that runs jobs.
struct Worker {
    began: mpsc::UnboundedReceiver<Run>,
    bench: Arc<Bench>,
    shutdown: CancellationToken,
    tasks: Vec<JoinHandle<()>>,
}

impl Worker {
    fn start(db: &Db) -> Self {
        Self::start_with(db, RunnerSettings::default().concurrency)
    }

    fn start_with(db: &Db, concurrency: usize) -> Self {
        let (send, began) = mpsc::unbounded_channel();
        let bench = Arc::new(Bench { began: send, gate: Semaphore::new(0) });
        let registry = Registry::new().with::<Work>(bench.clone()).with::<Hurried>(bench.clone());
        let (shutdown, changes) = (CancellationToken::new(), Changes::new(db));
        let settings = RunnerSettings { concurrency, ..RunnerSettings::default() };
        let runner = Runner::new(db.clone(), changes.clone(), registry, settings);
        let stop = shutdown.clone();
        let tasks =
            vec![tokio::spawn(async move { changes.listen(stop).await }), tokio::spawn(runner.run(shutdown.clone()))];
        Self { began, bench, shutdown, tasks }
    }

    /// The next run that begins here.
    async fn next(&mut self) -> Run {
        tokio::time::timeout(SOON, self.began.recv()).await.expect("a job begins").unwrap()
    }

    /// As at SIGTERM.
    async fn stop(self) {
        self.shutdown.cancel();
        for task in self.tasks {
            tokio::time::timeout(SOON, task).await.expect("the worker stops").unwrap();
        }
    }
}

async fn put(db: &Db, team: &TestTeam, work: Work, lock_key: Option<&str>) -> Pushed {
    let mut tx = db.begin(&team.permit).await.unwrap();
    let new = New { lock_key: lock_key.map(str::to_owned), ..New::new("Work", cause()) };
    let pushed = push(&mut tx, &team.permit, &work, new).await.unwrap();
    tx.commit().await.unwrap();
    pushed
}

/// State, reason and attempt of a job.
async fn row(db: &Db, team: &TestTeam, job: JobId) -> (JobState, String, i16) {
    let mut tx = db.begin(&team.permit).await.unwrap();
    let row = skiff::db::jobs::get(&mut tx, &team.permit, job).await.unwrap().unwrap();
    (row.state, row.reason, row.attempt)
}

/// Waits until the job is in this state, and returns its reason.
async fn until(db: &Db, team: &TestTeam, job: JobId, wanted: JobState) -> String {
    let waiting = async {
        loop {
            let (state, reason, _) = row(db, team, job).await;
            if state == wanted {
                return reason;
            }
            assert!(!state.is_final(), "the job is {} ({reason}), not {}", state.word(), wanted.word());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(SOON, waiting).await.unwrap_or_else(|_| panic!("the job is never {}", wanted.word()))
}

/// Ends the lease of a job, as 20 seconds without a heartbeat would.
async fn expire(db: &TestDb, job: JobId) {
    let update = sqlx::query("update jobs set lease_until = now() - interval '1 second' where id = $1").bind(job.0);
    let done = update.execute(&mut db.superuser().await).await.unwrap();
    assert_eq!(done.rows_affected(), 1);
}

/// Ends the lease until this worker has taken the job over: whoever holds it may renew it once more in between.
async fn take_over(db: &TestDb, job: JobId, by: &mut Worker) -> Run {
    let taking = async {
        loop {
            expire(db, job).await;
            if let Ok(run) = tokio::time::timeout(Duration::from_secs(3), by.began.recv()).await {
                return run.unwrap();
            }
        }
    };
    tokio::time::timeout(SOON, taking).await.expect("the job is taken over")
}
