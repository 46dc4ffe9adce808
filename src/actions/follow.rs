//! Following a job while it runs: the table is read, then a wake-up or a timer is waited for, then it is read again. No
//! line is lost by a reload, a restart or a second panel. Not here: how it reaches a browser.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::jobs::{self, LogLine, StepLine};
use super::standing::Standing;
use super::{Ctx, Refused};
use crate::db::changes::Topic;
use crate::db::{self, job_log};
use crate::domain::ids::JobId;
use crate::domain::job::JobState;
use crate::domain::rights::Permit;

/// Lines of one update: a burst reaches the browser in pieces it can draw.
pub const FOLLOW_LINES: i64 = 500;
/// The longest wait for a wake-up: one may be lost, a look at the table is cheap.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// The least time between two looks: a build says hundreds of lines a second, ten pictures a second are enough.
const PACE: Duration = Duration::from_millis(100);
/// After this long the follower is sent away; it comes back at once, and its right is asked again.
const LONGEST: Duration = Duration::from_secs(600);

/// What a follower is told next.
#[derive(Clone, Debug)]
pub struct Update {
    /// New lines, oldest first, at most `FOLLOW_LINES`.
    pub lines: Vec<LogLine>,
    /// The job's state now.
    pub state: JobState,
    /// All steps, where one has changed since the last update.
    pub steps: Option<Vec<StepLine>>,
    /// True for the last update: the job has ended and every line was told.
    pub done: bool,
}

/// Somebody who follows a job.
pub struct Follow {
    ctx: Ctx,
    permit: Permit,
    standing: Standing,
    job: JobId,
    after: i64,
    steps: Vec<StepLine>,
    state: Option<JobState>,
    done: bool,
    until: Instant,
    looked_at: Option<Instant>,
    wake: watch::Receiver<u64>,
}

impl Follow {
    /// Follows from behind this line on. The permit says that its holder may see the job.
    pub(super) fn new(ctx: &Ctx, permit: Permit, job: JobId, after: i64) -> Self {
        Self {
            // Before the first look: what comes in between wakes us.
            wake: ctx.changes.subscribe(Topic::Job(job)),
            ctx: ctx.clone(),
            permit,
            standing: Standing::default(),
            job,
            after: after.max(0),
            steps: Vec::new(),
            state: None,
            done: false,
            until: Instant::now() + LONGEST,
            looked_at: None,
        }
    }

    /// Waits until there is something to tell. None when all was told, or it is time to come back and ask anew.
    pub async fn next(&mut self) -> Result<Option<Update>, Refused> {
        while !self.done && Instant::now() < self.until {
            if let Some(looked_at) = self.looked_at {
                sleep_until(looked_at + PACE).await;
            }
            self.wake.borrow_and_update();
            self.looked_at = Some(Instant::now());
            if let Some(update) = self.look().await? {
                return Ok(Some(update));
            }
            let wait_until = self.until.min(Instant::now() + LOOK_EVERY);
            if let Ok(Err(_)) = timeout_at(wait_until, self.wake.changed()).await {
                // Nobody wakes any more: the timer goes on alone.
                sleep_until(wait_until).await;
            }
        }
        Ok(None)
    }

    /// Reads the table once. None where nothing is new.
    async fn look(&mut self) -> Result<Option<Update>, Refused> {
        let mut tx = self.ctx.db.begin(&self.permit).await?;
        self.standing.holds(&mut tx, &self.permit).await?;
        // The state before the lines: whatever was said before the end is then among them.
        let state = db::jobs::state(&mut tx, &self.permit, self.job).await?.ok_or(Refused::NotFound)?;
        let rows = job_log::after(&mut tx, &self.permit, self.job, self.after, FOLLOW_LINES).await?;
        let steps = jobs::steps(&mut tx, &self.permit, self.job).await?;
        tx.commit().await?;

        let more = i64::try_from(rows.len()).unwrap_or(FOLLOW_LINES) >= FOLLOW_LINES;
        self.after = rows.last().map_or(self.after, |row| row.seq);
        self.done = state.is_final() && !more;
        let changed = steps != self.steps;
        if rows.is_empty() && !changed && self.state == Some(state) && !self.done {
            return Ok(None);
        }
        self.state = Some(state);
        self.steps.clone_from(&steps);
        Ok(Some(Update {
            lines: rows.into_iter().map(jobs::log_line).collect(),
            state,
            steps: changed.then_some(steps),
            done: self.done,
        }))
    }
}
