//! Lines of a log, a page at a time, for those who come back for more. Not here: following it as it grows (`follow`).

use super::gate::{self, Open};
use super::jobs::{self, LogLine};
use super::{Ctx, Refused};
use crate::db::{self, job_log};
use crate::domain::ids::{DeployId, JobId};
use crate::domain::rights::{Actor, Permission, Permit};

/// Lines of a log.
#[derive(Clone, Debug)]
pub struct LogPage {
    /// The lines, oldest first.
    pub lines: Vec<LogLine>,
    /// The last one's number, or the one that was asked behind.
    pub next: i64,
    /// True where the job is over and this was all.
    pub done: bool,
}

/// At most so many lines of a job's log behind this one.
pub async fn of_job(ctx: &Ctx, actor: &Actor, id: JobId, after: i64, limit: i64) -> Result<LogPage, Refused> {
    let (permit, _) = jobs::see(ctx, actor, id).await?;
    page(ctx, &permit, id, after, limit).await
}

/// The same of a deploy's.
pub async fn of_deploy(ctx: &Ctx, actor: &Actor, id: DeployId, after: i64, limit: i64) -> Result<LogPage, Refused> {
    let Open { mut tx, permit, .. } = gate::deploy(ctx, actor, id, Permission::View).await?;
    let pulse = db::deploys::pulse(&mut tx, &permit, id).await?.ok_or(Refused::NotFound)?;
    tx.commit().await?;
    page(ctx, &permit, pulse.job, after, limit).await
}

async fn page(ctx: &Ctx, permit: &Permit, job: JobId, after: i64, limit: i64) -> Result<LogPage, Refused> {
    let mut tx = ctx.db.begin(permit).await?;
    // The state before the lines: whatever was said before the end is then among them.
    let state = db::jobs::state(&mut tx, permit, job).await?.ok_or(Refused::NotFound)?;
    let rows = job_log::after(&mut tx, permit, job, after, limit).await?;
    tx.commit().await?;
    let more = i64::try_from(rows.len()).is_ok_and(|count| count >= limit);
    Ok(LogPage {
        next: rows.last().map_or(after, |row| row.seq),
        lines: rows.into_iter().map(jobs::log_line).collect(),
        done: state.is_final() && !more,
    })
}
