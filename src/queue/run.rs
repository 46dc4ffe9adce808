//! One run of a job, as its code sees it.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::db::{Db, Tx};
use crate::domain::cause::Cause;
use crate::domain::ids::JobId;
use crate::domain::rights::Permit;

/// The first pause of [`Run::backoff`]; it doubles with every attempt.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest: whoever waits for a host to come back should not wait much longer than the host took.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// A claimed job: who it is, whom it acts for, and how it learns that it must stop.
#[derive(Clone, Debug)]
pub struct Run {
    /// The job.
    pub job: JobId,
    /// The right to act for the team of the row.
    pub permit: Permit,
    /// The number of this claim. Writes carry it and touch nothing once another claim was made.
    pub fence: i64,
    /// 1 at the first claim.
    pub attempt: i16,
    /// Who or what asked for the job.
    pub cause: Cause,
    /// A person asked it to stop, or its time is over: tidy up and return.
    pub cancel: CancellationToken,
    /// The lease is lost, or the panel stops: do not touch anything any more, return at once.
    pub lost: CancellationToken,
    /// The database.
    pub db: Db,
}

/// The job is not this run's any more: another one goes on with it, or the database cannot tell.
#[derive(Debug, thiserror::Error)]
pub enum Lost {
    /// Another run has it, or it was ended.
    #[error("this run is no longer the one that may act for the job")]
    Taken,
    /// The database could not be asked.
    #[error("the database could not be asked whether this run may still act: {0}")]
    Unknown(#[from] sqlx::Error),
}

impl Run {
    /// Reads the fence and the lease again. To be asked before every write to a host.
    pub async fn still_mine(&self) -> Result<(), Lost> {
        if self.lost.is_cancelled() {
            return Err(Lost::Taken);
        }
        let mut tx = self.db.begin(&self.permit).await?;
        let mine = sqlx::query_scalar!(
            r#"select exists (select from jobs where team_id = $1 and id = $2 and fence = $3 and state = 'running'
                                 and lease_until > now()) as "mine!""#,
            self.permit.team().0,
            self.job.0,
            self.fence,
        )
        .fetch_one(&mut *tx)
        .await?;
        tx.rollback().await?;
        if mine { Ok(()) } else { Err(Lost::Taken) }
    }

    /// Begins a transaction that can only commit while the job is this run's: its row cannot be taken over meanwhile.
    /// Keep it short, as the heartbeat waits for it too.
    pub async fn begin(&self) -> Result<Tx<'static>, Lost> {
        let mut tx = self.db.begin(&self.permit).await?;
        let mine = sqlx::query_scalar!(
            "select fence from jobs where team_id = $1 and id = $2 and fence = $3 and state = 'running' for share",
            self.permit.team().0,
            self.job.0,
            self.fence,
        )
        .fetch_optional(&mut *tx)
        .await?;
        if mine.is_some() { Ok(tx) } else { Err(Lost::Taken) }
    }

    /// How long to wait before the next attempt: 1 s, 2 s, 4 s … at most a minute.
    pub fn backoff(&self) -> Duration {
        let doublings = u32::from(self.attempt.unsigned_abs()).saturating_sub(1).min(16);
        FIRST_PAUSE.saturating_mul(1 << doublings).min(LONGEST_PAUSE)
    }
}
