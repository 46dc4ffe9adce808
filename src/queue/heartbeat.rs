//! The heartbeat: extends the leases of all runs of this process on a connection of its own, and tells the runs what
//! became of them. Not here: SQL.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sqlx::PgConnection;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::lease::{self, Claimed, LEASE};
use crate::db::Db;
use crate::db::changes::{Changes, Topic};
use crate::domain::ids::JobId;

/// Between two heartbeats.
const BEAT: Duration = Duration::from_secs(5);
/// Between two tries while the database does not answer.
const RETRY: Duration = Duration::from_millis(500);
/// One try, connecting included. Two of them fit before a lease is given up.
const BEAT_WITHIN: Duration = Duration::from_secs(4);
/// So long before its lease ends by our own clock, an unanswered run is stopped: what it began must be over by then.
const MARGIN: Duration = Duration::from_secs(3);

/// The runs of this process. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(super) struct Held(Arc<Mutex<HashMap<JobId, Hold>>>);

#[derive(Debug)]
struct Hold {
    fence: i64,
    /// When the lease was certainly extended last: the moment before it was asked for.
    renewed: Instant,
    cancel: CancellationToken,
    lost: CancellationToken,
}

impl Held {
    /// Adds a run claimed by a statement that began at `asked`.
    pub(super) fn add(&self, claimed: &Claimed, asked: Instant, cancel: CancellationToken, lost: CancellationToken) {
        let hold = Hold { fence: claimed.fence, renewed: asked, cancel, lost };
        self.lock().insert(claimed.job, hold);
    }

    /// Removes a run that ended. A newer run of the same job, in this very process, stays.
    pub(super) fn remove(&self, claimed: &Claimed) {
        let mut held = self.lock();
        if held.get(&claimed.job).is_some_and(|hold| hold.fence == claimed.fence) {
            held.remove(&claimed.job);
        }
    }

    /// Tells every run to stop at once.
    pub(super) fn lose_all(&self) {
        for hold in self.lock().values() {
            hold.lost.cancel();
        }
    }

    fn list(&self) -> (Vec<uuid::Uuid>, Vec<i64>) {
        self.lock().iter().map(|(job, hold)| (job.0, hold.fence)).unzip()
    }

    /// Notes what the database answered to `(jobs, fences)`: extended, to be cancelled, or not ours any more.
    fn note(&self, jobs: &[uuid::Uuid], fences: &[i64], extended: &[lease::Extended], asked: Instant) {
        let mut held = self.lock();
        for (job, fence) in jobs.iter().zip(fences) {
            let Some(hold) = held.get_mut(&JobId(*job)).filter(|hold| hold.fence == *fence) else { continue };
            match extended.iter().find(|row| row.job.0 == *job && row.fence == *fence) {
                Some(row) => {
                    hold.renewed = asked;
                    if row.cancel_asked {
                        hold.cancel.cancel();
                    }
                }
                None => hold.lost.cancel(),
            }
        }
    }

    /// Stops the runs whose lease may have run out while the database did not answer.
    fn lose_old(&self) {
        for (job, hold) in self.lock().iter() {
            if hold.renewed.elapsed() + MARGIN > LEASE && !hold.lost.is_cancelled() {
                warn!(job.id = %job, "Job {job} is stopped: its lease could not be extended in time");
                hold.lost.cancel();
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<JobId, Hold>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Beats until `stop`. A cancel wakes it, so that a running job hears of it at once.
pub(super) async fn beat(db: Db, changes: Changes, held: Held, stop: CancellationToken) {
    let mut cancels = changes.subscribe(Topic::Cancels);
    let mut conn: Option<PgConnection> = None;
    let mut failing = false;
    while !stop.is_cancelled() {
        let pause = if failing { RETRY } else { BEAT };
        tokio::select! {
            () = stop.cancelled() => return,
            _ = cancels.changed() => {}
            () = tokio::time::sleep(pause) => {}
        }
        let (jobs, fences) = held.list();
        if jobs.is_empty() {
            continue;
        }
        let asked = Instant::now();
        let answer = tokio::time::timeout(BEAT_WITHIN, extend(&db, &mut conn, &jobs, &fences)).await;
        match answer {
            Ok(Ok(extended)) => {
                if failing {
                    info!("The heartbeat is back");
                }
                failing = false;
                held.note(&jobs, &fences, &extended, asked);
            }
            Ok(Err(error)) => {
                if !failing {
                    warn!(error = %error, "The heartbeat does not reach the database");
                }
                failing = true;
                conn = None;
            }
            Err(_) => {
                failing = true;
                conn = None;
            }
        }
        held.lose_old();
    }
}

/// One beat, on the connection kept from the last one or a new one.
async fn extend(
    db: &Db,
    kept: &mut Option<PgConnection>,
    jobs: &[uuid::Uuid],
    fences: &[i64],
) -> Result<Vec<lease::Extended>, sqlx::Error> {
    let mut conn = match kept.take() {
        Some(conn) => conn,
        None => db.connect_worker().await?,
    };
    let extended = lease::extend(&mut conn, jobs, fences).await?;
    *kept = Some(conn);
    Ok(extended)
}
