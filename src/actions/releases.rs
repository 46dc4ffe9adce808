//! Releases: what an app has run, v1, v2 …, and what changed between two of them. Not here: making one; a deploy does.

use time::OffsetDateTime;

use super::apps::PendingChange;
use super::deploys::{self, DeployLine};
use super::gate::{self, Open};
use super::{Ctx, Refused};
use crate::db;
use crate::domain::diff;
use crate::domain::ids::{AppId, ReleaseId};
use crate::domain::release::Commit;
use crate::domain::rights::{Actor, Permission};

/// One release in a list.
#[derive(Clone, Debug)]
pub struct ReleaseLine {
    /// The release.
    pub id: ReleaseId,
    /// Its number: v1, v2 …
    pub number: i32,
    /// The image's name.
    pub image: String,
    /// The image's id.
    pub image_id: String,
    /// The commit it was built from, where it was built. Author and subject are hostile text.
    pub commit: Option<Commit>,
    /// Who asked for the deploy that made it.
    pub created_by: String,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// True for the one that serves.
    pub current: bool,
    /// False where its image is gone from the hosts: it is history only.
    pub kept: bool,
}

/// A release's page.
#[derive(Clone, Debug)]
pub struct ReleaseView {
    /// The release.
    pub line: ReleaseLine,
    /// The number of the release before it, where there is one.
    pub before: Option<i32>,
    /// What is different from the one before: configuration, source, image, versions of secrets (never values).
    pub changes: Vec<PendingChange>,
    /// The deploys of this release, newest first, at most 20.
    pub deploys: Vec<DeployLine>,
    /// The Dockerfile it was built with, where that was not the repository's own.
    pub dockerfile: Option<String>,
    /// True where the actor may go back to it (it is kept and not the one that serves, and the actor may deploy).
    pub may_roll_back: bool,
}

/// Releases on one page of the list.
pub const RELEASES_ON_PAGE: i64 = 50;
/// Deploys on a release's page.
const DEPLOYS: i64 = 20;

/// An app's newest releases, or those before this number.
pub async fn list(ctx: &Ctx, actor: &Actor, app: AppId, before: Option<i32>) -> Result<Vec<ReleaseLine>, Refused> {
    let Open { mut tx, permit, .. } = gate::known_app(ctx, actor, app, Permission::View).await?;
    let current = db::apps::get(&mut tx, &permit, app).await?.and_then(|app| app.current);
    let rows = db::releases::list(&mut tx, &permit, app, before, RELEASES_ON_PAGE).await?;
    tx.commit().await?;
    Ok(rows.into_iter().map(|row| line(row, current)).collect())
}

/// One release of an app, by its number.
pub async fn get(ctx: &Ctx, actor: &Actor, app: AppId, number: i32) -> Result<ReleaseView, Refused> {
    let Open { mut tx, permit, on } = gate::known_app(ctx, actor, app, Permission::View).await?;
    let current = db::apps::get(&mut tx, &permit, app).await?.and_then(|app| app.current);
    let row = db::releases::numbered(&mut tx, &permit, app, number).await?.ok_or(Refused::NotFound)?;
    let before = db::releases::before(&mut tx, &permit, app, number).await?;
    let filter = db::deploys::Filter { release: Some(row.body.id), app: Some(app), ..Default::default() };
    let deploys = db::deploys::list(&mut tx, &permit, filter, DEPLOYS).await?;
    tx.commit().await?;
    let changes = before.as_ref().map(|before| {
        let old = diff::Side::of_release(&before.body, &before.source);
        diff::changes(&old, &diff::Side::of_release(&row.body, &row.source))
    });
    let is_current = current == Some(row.body.id);
    Ok(ReleaseView {
        before: before.map(|before| before.body.number),
        changes: changes.unwrap_or_default(),
        deploys: deploys.into_iter().map(deploys::line).collect(),
        dockerfile: row.dockerfile.map(String::from),
        may_roll_back: !is_current && row.kept && actor.may(Permission::Deploy, on).is_ok(),
        line: ReleaseLine {
            id: row.body.id,
            number,
            image: row.body.image.to_string(),
            image_id: row.body.image_id.to_string(),
            commit: row.body.0.commit,
            created_by: row.created_by,
            created_at: row.created_at,
            current: is_current,
            kept: row.kept,
        },
    })
}

/// A row as a line.
pub(super) fn line(row: db::releases::Line, current: Option<ReleaseId>) -> ReleaseLine {
    ReleaseLine {
        current: current == Some(row.id),
        id: row.id,
        number: row.number,
        image: row.image,
        image_id: row.image_id,
        commit: row.commit.and_then(|commit| commit.0),
        created_by: row.created_by,
        created_at: row.created_at,
        kept: row.kept,
    }
}
