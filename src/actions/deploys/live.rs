//! A deploy's log: live, and as a file.

use super::views::Update;
use crate::actions::gate::{self, Open};
use crate::actions::jobs::{self, Download};
use crate::actions::{Ctx, Refused, follow};
use crate::db;
use crate::domain::deploy::DeployState;
use crate::domain::ids::DeployId;
use crate::domain::job::JobState;
use crate::domain::rights::{Actor, Permission};

/// Somebody who follows a deploy.
pub struct Follow(follow::Follow);

/// Follows a deploy's log, state and steps, from behind this line on (`Last-Event-ID`).
pub async fn follow(ctx: &Ctx, actor: &Actor, id: DeployId, after: i64) -> Result<Follow, Refused> {
    let Open { mut tx, permit, .. } = gate::deploy(ctx, actor, id, Permission::View).await?;
    let pulse = db::deploys::pulse(&mut tx, &permit, id).await?.ok_or(Refused::NotFound)?;
    tx.commit().await?;
    Ok(Follow(follow::Follow::new(ctx, permit, pulse.job, after)))
}

impl Follow {
    /// Waits until there is something to tell. None when all was told, or it is time to come back and ask anew.
    pub async fn next(&mut self) -> Result<Option<Update>, Refused> {
        let Some(update) = self.0.next().await? else { return Ok(None) };
        let state = match update.state {
            JobState::Queued | JobState::WaitingForApproval => DeployState::Queued,
            JobState::Running => DeployState::Running,
            JobState::Succeeded => DeployState::Succeeded,
            JobState::Failed => DeployState::Failed,
            JobState::Cancelled => DeployState::Cancelled,
            JobState::Superseded => DeployState::Superseded,
        };
        Ok(Some(Update { lines: update.lines, state, steps: update.steps, done: update.done }))
    }
}

/// A deploy's whole log as it is now, for a download.
pub async fn log(ctx: &Ctx, actor: &Actor, id: DeployId) -> Result<Download, Refused> {
    let Open { mut tx, permit, .. } = gate::deploy(ctx, actor, id, Permission::View).await?;
    let filter = db::deploys::Filter { deploy: Some(id), ..Default::default() };
    let row = db::deploys::list(&mut tx, &permit, filter, 1).await?.into_iter().next().ok_or(Refused::NotFound)?;
    tx.commit().await?;
    Ok(jobs::download(ctx, permit, row.job, &format!("deploy {}", row.app_name)))
}
