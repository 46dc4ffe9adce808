//! What the page of an app's routes shows. Not here: the routes themselves, which are on every page of the app.

use super::forms::EditFront;
use super::generated;
use super::read::front_form;
use crate::actions::gate::{self, Open};
use crate::actions::jobs::{self, JobLine};
use crate::actions::{Ctx, Refused};
use crate::db;
use crate::domain::ids::AppId;
use crate::domain::job::JobState;
use crate::domain::rights::{Actor, Permission};
use crate::domain::rules::Front;
use crate::jobs::set_proxy::{self, Of};

/// What holds for all routes of an app, and how the last change went.
#[derive(Clone)]
pub struct RoutesView {
    /// As wanted.
    pub front: Front,
    /// The same as a form.
    pub form: EditFront,
    /// True where the proxies have another one still.
    pub waits: bool,
    /// The last job that told the proxies, where one ever did.
    pub last: Option<JobLine>,
    /// The domain its host would give it; empty where it gives none.
    pub generated: String,
}

/// Why not every proxy has what was changed last: one did not take it, or it is tried again; empty where nothing is known to be in the way.
pub fn trouble(last: Option<&JobLine>) -> &str {
    match last {
        Some(job) if matches!(job.state, JobState::Succeeded | JobState::Superseded) => "",
        // One that never began waits for another one, which is in nobody's way.
        Some(job) if job.reason.is_empty() && job.started_at.is_none() => "",
        Some(job) if job.reason.is_empty() => &job.wait_reason,
        Some(job) => &job.reason,
        None => "",
    }
}

/// Looks at it.
pub async fn look(ctx: &Ctx, actor: &Actor, app: AppId) -> Result<RoutesView, Refused> {
    let Open { mut tx, permit, .. } = gate::app(ctx, actor, app, Permission::View).await?;
    let front = db::routes::front(&mut tx, &permit, app).await?.ok_or(Refused::NotFound)?;
    let key = set_proxy::lock_key(Of::App(app));
    let last = db::jobs::newest_of(&mut tx, &permit, &key).await?;
    let row = db::apps::get(&mut tx, &permit, app).await?.ok_or(Refused::NotFound)?;
    let generated = match row.placement.first() {
        Some(place) => generated::first(&mut tx, &permit, place.host, row.environment, &row.slug).await?,
        None => None,
    };
    tx.commit().await?;
    Ok(RoutesView {
        generated: generated.map(String::from).unwrap_or_default(),
        form: front_form(&front.wanted),
        waits: front.wanted != front.applied,
        front: front.wanted.0,
        last: last.map(jobs::line),
    })
}
