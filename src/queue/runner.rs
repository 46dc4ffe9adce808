//! The runner: claims jobs while there is room, runs each under its deadline, and writes how it ended.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};
use uuid::Uuid;

use super::heartbeat::{self, Held};
use super::lease::{self, Claimed, End};
use super::{Outcome, Registry, Run};
use crate::db::Db;
use crate::db::changes::{Changes, Topic};
use crate::db::job_log;
use crate::domain::retention::HISTORY_DAYS;

/// Jobs at once: they wait for hosts most of the time, and a panel has a few dozen hosts.
const CONCURRENCY: usize = 8;
/// Wake-ups are hints; this is what finds a job without one, and a lease that ran out.
const POLL: Duration = Duration::from_secs(2);
/// How long a run that lost its lease, or was stopped with the panel, has to return before it is dropped.
const LOST_GRACE: Duration = Duration::from_secs(5);
/// How long a run whose time is over has to tidy up before it is dropped.
const OVERDUE_GRACE: Duration = Duration::from_secs(30);
/// How long the end of a run is written again and again while the database is away. After that the lease is gone
/// anyway, and the next run looks at the world.
const END_PATIENCE: Duration = Duration::from_secs(60);
/// The same while the panel stops.
const END_PATIENCE_STOPPING: Duration = Duration::from_secs(3);
/// Between two tries of the above.
const END_RETRY: Duration = Duration::from_millis(500);
/// How often the months of the log are looked after: a month is long, and looking is one cheap question.
const MONTHS_EVERY: Duration = Duration::from_secs(6 * 60 * 60);

/// How a runner runs.
#[derive(Clone, Debug)]
pub struct RunnerSettings {
    /// Names the process in `leased_by`.
    pub name: String,
    /// True where a former process of this name is known to be dead: its jobs are taken over at once.
    pub heir: bool,
    /// Jobs at once.
    pub concurrency: usize,
}

impl Default for RunnerSettings {
    fn default() -> Self {
        let id = Uuid::new_v4().simple().to_string();
        Self { name: format!("worker-{}", id.get(..8).unwrap_or(&id)), heir: false, concurrency: CONCURRENCY }
    }
}

/// Runs jobs until it is told to stop.
#[derive(Debug)]
pub struct Runner {
    db: Db,
    changes: Changes,
    registry: Arc<Registry>,
    settings: RunnerSettings,
    held: Held,
}

impl Runner {
    /// A runner of these kinds.
    pub fn new(db: Db, changes: Changes, registry: Registry, settings: RunnerSettings) -> Self {
        Self { db, changes, registry: Arc::new(registry), settings, held: Held::default() }
    }

    /// Claims and runs until `shutdown`; then stops its runs and gives their leases back, so that the next process goes
    /// on with them at once. Returns when nothing of it is left, within seconds.
    pub async fn run(self, shutdown: CancellationToken) {
        let heart_stop = CancellationToken::new();
        // Tasks of sets end when this future is dropped: no heart beats for a runner that is gone.
        let mut heart = JoinSet::new();
        heart.spawn(heartbeat::beat(self.db.clone(), self.changes.clone(), self.held.clone(), heart_stop.clone()));
        let mut queued = self.changes.subscribe(Topic::Jobs);
        let mut running = JoinSet::new();
        let mut failing = false;
        let mut inherits = self.settings.heir;
        let mut months = None::<Instant>;
        while !shutdown.is_cancelled() {
            let room = self.settings.concurrency.saturating_sub(running.len());
            let mut pause = POLL;
            if room > 0 {
                queued.mark_unchanged();
                match self.claim(&mut running, room, &shutdown, &mut inherits).await {
                    Ok(next) => {
                        failing = false;
                        pause = next.min(POLL);
                    }
                    Err(error) => {
                        if !failing {
                            warn!(error = %error, "Jobs cannot be claimed; trying again");
                        }
                        failing = true;
                    }
                }
            }
            if months.is_none_or(|looked| looked.elapsed() > MONTHS_EVERY) {
                months = Some(Instant::now());
                self.look_after_months().await;
            }
            tokio::select! {
                () = shutdown.cancelled() => {}
                _ = queued.changed(), if room > 0 => {}
                Some(ended) = running.join_next() => log_ended(ended),
                () = tokio::time::sleep(pause) => {}
            }
        }
        // Runs first, leases after: a lease given back while its run still writes would let two act at once.
        self.held.lose_all();
        while let Some(ended) = running.join_next().await {
            log_ended(ended);
        }
        heart_stop.cancel();
        heart.join_next().await;
    }

    /// Claims what there is room for. Returns how long nothing more will be due.
    async fn claim(
        &self,
        running: &mut JoinSet<()>,
        room: usize,
        shutdown: &CancellationToken,
        inherits: &mut bool,
    ) -> Result<Duration, sqlx::Error> {
        if *inherits {
            let left = lease::inherit(&self.db, &self.settings.name).await?;
            *inherits = false;
            if left > 0 {
                info!("{left} jobs that the former process left are taken up again");
            }
        }
        let asked = Instant::now();
        let claimed = lease::claim(&self.db, &self.registry, &self.settings.name, room).await?;
        if claimed.is_empty() {
            let due = lease::next_due(&self.db, &self.registry).await?;
            return Ok(due.and_then(|due| Duration::try_from_secs_f64(due).ok()).unwrap_or(POLL));
        }
        for claimed in claimed {
            let (cancel, lost) = (CancellationToken::new(), CancellationToken::new());
            if claimed.cancel_asked {
                cancel.cancel();
            }
            self.held.add(&claimed, asked, cancel.clone(), lost.clone());
            let one = One {
                db: self.db.clone(),
                registry: Arc::clone(&self.registry),
                held: self.held.clone(),
                shutdown: shutdown.clone(),
                cancel,
                lost,
                claimed,
            };
            running.spawn(one.drive());
        }
        Ok(Duration::ZERO)
    }

    async fn look_after_months(&self) {
        let done = async {
            let mut tx = self.db.begin_worker().await?;
            job_log::prepare_months(&mut tx).await?;
            tx.commit().await
        };
        if let Err(error) = done.await {
            warn!(error = %error, "The log's next month could not be prepared; its lines go to the rest meanwhile");
        }
        let dropped = async {
            let mut tx = self.db.begin_worker().await?;
            let months = job_log::drop_months(&mut tx, HISTORY_DAYS).await?;
            tx.commit().await?;
            Ok::<_, sqlx::Error>(months)
        };
        match dropped.await {
            Ok(months) if months.is_empty() => {}
            Ok(months) => info!(months = months.join(" "), "Old months of the jobs' logs are dropped"),
            Err(error) => {
                warn!(error = %error, "Old months of the jobs' logs could not be dropped; trying again later")
            }
        }
    }
}

/// One run from its claim to its end.
struct One {
    db: Db,
    registry: Arc<Registry>,
    held: Held,
    shutdown: CancellationToken,
    cancel: CancellationToken,
    lost: CancellationToken,
    claimed: Claimed,
}

impl One {
    async fn drive(self) {
        let Claimed { job, attempt, ref title, .. } = self.claimed;
        info!(job.id = %job, job.attempt = attempt, job.fence = self.claimed.fence, "Job {job} ({title}) begins");
        let ended = self.perform().await;
        let end = match ended {
            // What was reached before the stop is reached; anything else said after it means only "stopped".
            Some(Outcome::Succeeded) => Some(End::Outcome(Outcome::Succeeded)),
            _ if self.shutdown.is_cancelled() => Some(End::Released),
            _ if self.lost.is_cancelled() => None,
            ended => ended.map(End::Outcome),
        };
        match end {
            Some(end) => self.write_end(&end).await,
            None => warn!(job.id = %job, "Job {job} was stopped: its lease is lost"),
        }
        self.held.remove(&self.claimed);
    }

    /// Runs the job's code. None when it was dropped because the lease was lost or the panel stops.
    async fn perform(&self) -> Option<Outcome> {
        let run = Run {
            job: self.claimed.job,
            permit: self.claimed.permit(),
            fence: self.claimed.fence,
            attempt: self.claimed.attempt,
            cause: self.claimed.cause.0.clone(),
            cancel: self.cancel.clone(),
            lost: self.lost.clone(),
            db: self.db.clone(),
        };
        let Some(started) = self.registry.start(&self.claimed.kind, self.claimed.args.clone(), run) else {
            let reason = "It was written by another version of Skiff, which this one cannot read.".to_owned();
            return Some(Outcome::Failed { reason });
        };
        let deadline = self.registry.deadline(&self.claimed.kind);
        let overdue = CancellationToken::new();
        let ended = tokio::select! {
            ended = AssertUnwindSafe(started).catch_unwind() => Some(ended.unwrap_or_else(|panic| self.panicked(&*panic))),
            () = self.time_out(deadline, &overdue) => Some(Outcome::Cancelled),
            () = self.give_up() => None,
        };
        match ended {
            Some(ended) if overdue.is_cancelled() && ended != Outcome::Succeeded => {
                Some(Outcome::Failed { reason: format!("It took longer than {} and was stopped.", words(deadline)) })
            }
            ended => ended,
        }
    }

    /// Asks the job to stop when its time is over; returns when it did not.
    async fn time_out(&self, deadline: Duration, overdue: &CancellationToken) {
        tokio::time::sleep(deadline).await;
        overdue.cancel();
        self.cancel.cancel();
        tokio::time::sleep(OVERDUE_GRACE).await;
    }

    /// Returns when a run that must not go on did not stop by itself.
    async fn give_up(&self) {
        self.lost.cancelled().await;
        tokio::time::sleep(LOST_GRACE).await;
    }

    /// A defect of ours: people get an id, the panel's log the cause.
    fn panicked(&self, panic: &(dyn std::any::Any + Send)) -> Outcome {
        let id = Uuid::new_v4().simple().to_string();
        let id = id.get(..8).unwrap_or(&id);
        let cause = panic.downcast_ref::<&str>().map(ToString::to_string);
        let cause = cause.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
        error!(job.id = %self.claimed.job, error.id = id, cause, "Job {} stopped by a defect in Skiff", self.claimed.job);
        Outcome::Failed { reason: format!("A defect in Skiff stopped it (error {id}); the panel's own log has more.") }
    }

    /// Writes the end until it is written, the job is not ours any more, or patience is over.
    async fn write_end(&self, end: &End) {
        let job = self.claimed.job;
        let began = Instant::now();
        loop {
            match lease::end(&self.db, &self.claimed, end).await {
                Ok(Some(state)) if matches!(end, End::Released) => {
                    info!(job.id = %job, "Job {job} is given back, {}", state.word());
                    return;
                }
                Ok(Some(state)) => {
                    info!(job.id = %job, "Job {job} is {}", state.word());
                    return;
                }
                Ok(None) => {
                    warn!(job.id = %job, "Job {job} ended here, but another run has it already");
                    return;
                }
                Err(error) => {
                    let stopping = self.shutdown.is_cancelled();
                    let patience = if stopping { END_PATIENCE_STOPPING } else { END_PATIENCE };
                    if began.elapsed() > patience {
                        error!(job.id = %job, error = %error, "The end of job {job} could not be written");
                        return;
                    }
                    tokio::time::sleep(END_RETRY).await;
                }
            }
        }
    }
}

fn log_ended(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        error!(error = %error, "A run's own task ended badly; its lease will run out");
    }
}

/// A duration for people, as whole minutes or seconds.
fn words(duration: Duration) -> String {
    match duration.as_secs() {
        seconds if seconds >= 120 => format!("{} minutes", seconds / 60),
        1 => "1 second".to_owned(),
        seconds => format!("{seconds} seconds"),
    }
}
