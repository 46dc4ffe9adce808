//! Once a day for each team: failed containers that were kept long enough, networks nothing needs any more, and rows nobody
//! asks about any more. Not here: images and folders of releases (`retention.rs`): they go after deploys, which hold the
//! app's lock.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::log::Log;
use super::logged;
use super::stop::{Stop, detail};
use super::{Ctx, networks};
use crate::access;
use crate::db::ledger::instances;
use crate::db::retention::{self, Failed};
use crate::db::{Tx, notices};
use crate::domain::ids::HostId;
use crate::domain::retention::{FAILED_HOURS, HISTORY_DAYS};
use crate::queue::{Job, Outcome, Run};

/// Look through a team's old things.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Tidy {}

/// Batches of rows removed in one run: what is left goes the next day.
const BATCHES: usize = 200;

impl Job for Tidy {
    const KIND: &'static str = "tidy";
    /// A few calls per host and some short statements.
    const DEADLINE: Duration = Duration::from_secs(1800);
    type Ctx = Ctx;

    async fn run(self, ctx: &Ctx, run: &Run) -> Outcome {
        let (log, writer) = Log::open(run);
        let ended = tidy(ctx, run, &log).await.map(|()| Outcome::Succeeded);
        logged::close(run, log, writer, ended, |_, reason| Outcome::Failed { reason }).await
    }
}

async fn tidy(ctx: &Ctx, run: &Run, log: &Log) -> Result<(), Stop> {
    containers(ctx, run, log).await?;
    networks::let_go(ctx, run, log, None).await?;
    let mut rows = 0;
    for _ in 0..BATCHES {
        if run.cancel.is_cancelled() {
            return Err(Stop::Cancelled);
        }
        let mut tx = run.begin().await?;
        let gone = batch(&mut tx, run).await?;
        tx.commit().await?;
        rows += gone;
        if gone == 0 {
            break;
        }
    }
    log.say(None, format!("{rows} old rows are removed."));
    Ok(())
}

/// One batch of every kind; what names a row goes before the row.
async fn batch(tx: &mut Tx<'_>, run: &Run) -> Result<u64, sqlx::Error> {
    let permit = &run.permit;
    let mut gone = retention::closed_instances(tx, permit, HISTORY_DAYS).await?;
    gone += retention::deploys(tx, permit, HISTORY_DAYS).await?;
    gone += retention::retired(tx, permit, HISTORY_DAYS).await?;
    gone += retention::jobs(tx, permit, HISTORY_DAYS).await?;
    gone += retention::builds(tx, permit, HISTORY_DAYS).await?;
    gone += retention::secret_versions(tx, permit).await?;
    gone += notices::forget(tx, permit, HISTORY_DAYS).await?;
    Ok(gone)
}

/// Removes failed containers whose time is over. A deploy may remove one at the same moment: gone is gone.
async fn containers(ctx: &Ctx, run: &Run, log: &Log) -> Result<(), Stop> {
    let mut tx = ctx.db.begin(&run.permit).await?;
    let failed = retention::failed(&mut tx, &run.permit, FAILED_HOURS).await?;
    tx.commit().await?;
    let mut ids: Vec<HostId> = failed.iter().map(|row| row.host).collect();
    ids.dedup();
    for reached in access::reach(&ctx.access(), &run.permit, &ids).await? {
        for Failed { host, name, container } in failed.iter().filter(|row| row.host == reached.id()) {
            run.still_mine().await?;
            let removed = match (&reached.host, container) {
                (Ok(reached), Some(id)) => reached.docker().remove(id).await,
                (Ok(_), None) => Ok(()),
                (Err(error), _) => Err(error.clone()),
            };
            if let Err(error) = removed {
                log.say(None, format!("{name} stays on {} for now: {}", reached.row.name, detail(error)));
                continue;
            }
            let mut tx = run.begin().await?;
            instances::removed(&mut tx, &run.permit, *host, name).await?;
            tx.commit().await?;
            log.say(None, format!("Removed the failed container {name} from {}", reached.row.name));
        }
    }
    Ok(())
}
