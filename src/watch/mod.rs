//! Looking at hosts all the time: whether they answer, and what their instances are. Hosts are leased, so that a second
//! process shares the work and takes over what a dead one leaves. Not here: changing anything on a host.

mod alerts;
mod status;

use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::access::Access;
use crate::db::sights;

/// A host is looked at this often, in seconds: "observed 10 s ago" is what a page may say at worst.
pub const EVERY_S: i32 = 10;
/// How often the table is asked for hosts that are due.
const POLL: Duration = Duration::from_secs(2);
/// Hosts looked at side by side: each look is a handful of short calls.
const AT_ONCE: usize = 16;

/// Watches until told to stop.
pub async fn run(access: Access, panel: uuid::Uuid, stop: CancellationToken) {
    let name = uuid::Uuid::new_v4().simple().to_string();
    let mut looks = JoinSet::new();
    let mut failing = false;
    while !stop.is_cancelled() {
        while looks.try_join_next().is_some() {}
        let room = i64::try_from(AT_ONCE.saturating_sub(looks.len())).unwrap_or(0);
        match claim(&access, &name, room).await {
            Ok(due) => {
                failing = false;
                for due in due {
                    let access = access.clone();
                    looks.spawn(async move { status::look(&access, panel, due).await });
                }
            }
            Err(error) => {
                if !failing {
                    warn!(%error, "Hosts cannot be leased for a look; trying again");
                }
                failing = true;
            }
        }
        tokio::select! {
            () = tokio::time::sleep(POLL) => {}
            () = stop.cancelled() => {}
        }
    }
    looks.shutdown().await;
}

async fn claim(access: &Access, name: &str, room: i64) -> Result<Vec<sights::Due>, sqlx::Error> {
    if room == 0 {
        return Ok(Vec::new());
    }
    let mut tx = access.db.begin_worker().await?;
    let due = sights::claim(&mut tx, name, EVERY_S, room).await?;
    tx.commit().await?;
    Ok(due)
}
