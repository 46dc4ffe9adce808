//! The first look at a server: which key it shows, before anything is sent to it. A person compares it, and confirms it
//! on the host's page. Not here: making the server ready, which a confirmed key begins.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Ctx;
use super::log::Log;
use super::provision::Broken;
use super::provision::pin::{self, Seen};
use super::stop::detail;
use crate::db::{host_logins, job_steps};
use crate::domain::ids::HostId;
use crate::domain::job::StepState;
use crate::queue::{Job, Outcome, Run};

/// Look at a server's host key.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LookAtHost {
    /// The host.
    pub host: HostId,
}

impl Job for LookAtHost {
    const KIND: &'static str = "look_at_host";
    /// A connection takes 10 s at most, through a jump host 50; the database may be slow.
    const DEADLINE: Duration = Duration::from_secs(120);
    type Ctx = Ctx;

    async fn run(self, ctx: &Ctx, run: &Run) -> Outcome {
        let (log, writer) = Log::open(run);
        let outcome = match self.look(ctx, run, &log).await {
            Ok(outcome) => outcome,
            Err(error) => Outcome::Again { after: Duration::from_secs(2), why: detail(error) },
        };
        drop(log);
        writer.close().await;
        outcome
    }
}

impl LookAtHost {
    async fn look(&self, ctx: &Ctx, run: &Run, log: &Log) -> Result<Outcome, sqlx::Error> {
        let step = job_steps::NewStep {
            stage: String::new(),
            host: Some(self.host),
            words: "look at the server's key".to_owned(),
        };
        let mut tx = ctx.db.begin(&run.permit).await?;
        let planned = job_steps::plan(&mut tx, &run.permit, run.job, run.fence, &[step]).await?;
        tx.commit().await?;
        let Some(seq) = planned else { return Ok(Outcome::Again { after: Duration::ZERO, why: String::new() }) };
        log.began(seq);
        let seen = tokio::select! {
            () = run.lost.cancelled() => return Ok(Outcome::Again { after: Duration::ZERO, why: String::new() }),
            () = run.cancel.cancelled() => {
                log.ended(seq, StepState::Failed, "cancelled");
                return Ok(Outcome::Cancelled);
            }
            seen = pin::pin(ctx, &run.permit, self.host) => seen,
        };
        let (outcome, state, words) = match seen {
            Ok(Seen::Pinned) => (Outcome::Succeeded, StepState::Unchanged, "its key is pinned".to_owned()),
            Ok(Seen::Waits(waits)) => (Outcome::Succeeded, StepState::Unchanged, waits.words()),
            Err(Broken::Db(error)) => return Err(error),
            Err(broken) => {
                let reason = broken.sentence();
                (Outcome::Failed { reason: reason.clone() }, StepState::Failed, reason)
            }
        };
        // The host stays new: the page says why it was not reached, and offers to look again.
        let note = if state == StepState::Failed { words.as_str() } else { "" };
        let mut tx = ctx.db.begin(&run.permit).await?;
        host_logins::looked(&mut tx, &run.permit, self.host, note).await?;
        tx.commit().await?;
        log.ended(seq, state, &words);
        log.flush().await;
        Ok(outcome)
    }
}
