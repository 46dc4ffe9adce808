//! What Skiff asks of itself, by the clock. Not here: the clock.

use super::{Ctx, Refused};
use crate::db::{host_passes, teams};
use crate::domain::cause::Cause;
use crate::jobs::tidy::Tidy;
use crate::queue::{self, New};

/// Teams whose turn is taken in one transaction.
const AT_ONCE: i64 = 50;

/// Asks for the daily tidying of every team that is due. The turn and the job are one transaction, so that each team has
/// one a day however many panels ask. How many were asked for.
pub async fn tidy_due(ctx: &Ctx) -> Result<usize, Refused> {
    let mut tx = ctx.db.begin_worker().await?;
    let due = teams::to_tidy(&mut tx, AT_ONCE).await?;
    for team in &due {
        let cause = Cause::System { why: "once a day".into(), deploy: None };
        let new = New { lock_key: Some(format!("tidy:{}", team.team())), priority: -10, ..New::new("Tidy up", cause) };
        queue::push(&mut tx, &queue::permit_of_row(team), &Tidy {}, new).await?;
    }
    tx.commit().await?;
    Ok(due.len())
}

/// Forgets passwords and keys that were given for one sign-in and not used within an hour. How many.
pub async fn forget_passes(ctx: &Ctx) -> Result<u64, Refused> {
    let mut tx = ctx.db.begin_worker().await?;
    let gone = host_passes::forget_old(&mut tx).await?;
    tx.commit().await?;
    Ok(gone)
}
