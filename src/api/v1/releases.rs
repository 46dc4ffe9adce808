//! Releases: what an app has run, v1, v2 …

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::deploys::{Change, Commit, Deploy};
use crate::actions::releases::{self, RELEASES_ON_PAGE, ReleaseLine, ReleaseView};
use crate::actions::tokens::Caller;
use crate::api::Api;
use crate::api::answer::{Page, Time};
use crate::api::problem::Problem;
use crate::api::routes::{Routes, get};
use crate::api::take::{Asked, OfApp, OfNumber};
use crate::domain::rights::Permission;

/// The calls.
pub fn routes() -> Routes {
    let view = Permission::View;
    Routes::new()
        .add(get("/apps/{app}/releases", view).title("An app's releases, newest first").gives::<Page<Release>>(), list)
        .add(get("/apps/{app}/releases/{number}", view).title("One release").gives::<Json<ReleaseDetail>>(), show)
}

/// One release in a list.
#[derive(Serialize, JsonSchema)]
pub struct Release {
    /// The id.
    id: Uuid,
    /// Its number.
    number: i32,
    /// The image's name.
    image: String,
    /// The image's id.
    image_id: String,
    /// The commit it was built from.
    commit: Option<Commit>,
    /// Who asked for the deploy that made it.
    created_by: String,
    /// When it was made.
    created_at: Time,
    /// True for the one that serves.
    current: bool,
    /// False where its image is gone from the hosts: it is history only.
    kept: bool,
}

impl From<ReleaseLine> for Release {
    fn from(line: ReleaseLine) -> Self {
        Self {
            id: line.id.0,
            number: line.number,
            image: line.image,
            image_id: line.image_id,
            commit: line.commit.map(Commit::from),
            created_by: line.created_by,
            created_at: line.created_at.into(),
            current: line.current,
            kept: line.kept,
        }
    }
}

/// One release as a whole.
#[derive(Serialize, JsonSchema)]
pub struct ReleaseDetail {
    #[serde(flatten)]
    release: Release,
    /// The number of the one before it.
    before: Option<i32>,
    /// What is different from the one before.
    changes: Vec<Change>,
    /// Deploys of it, newest first, at most 20.
    deploys: Vec<Deploy>,
    /// The Dockerfile it was built with, where that was kept in Skiff; none where the repository had its own.
    dockerfile: Option<String>,
    /// True where this token may go back to it.
    may_roll_back: bool,
}

impl From<ReleaseView> for ReleaseDetail {
    fn from(view: ReleaseView) -> Self {
        Self {
            release: view.line.into(),
            before: view.before,
            changes: view.changes.into_iter().map(Change::from).collect(),
            deploys: view.deploys.into_iter().map(Deploy::from).collect(),
            dockerfile: view.dockerfile,
            may_roll_back: view.may_roll_back,
        }
    }
}

/// Where a page of the list begins.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Which {
    /// `next` of the page before.
    #[serde(default)]
    cursor: Option<i32>,
}

async fn list(
    State(api): State<Api>,
    caller: Caller,
    OfApp(app): OfApp,
    Asked(which): Asked<Which>,
) -> Result<Json<Page<Release>>, Problem> {
    let lines = releases::list(api.actions(), &caller.actor, app, which.cursor).await?;
    Ok(Page::part(lines, RELEASES_ON_PAGE, |line| line.number.to_string()))
}

async fn show(
    State(api): State<Api>,
    caller: Caller,
    OfApp(app): OfApp,
    OfNumber(number): OfNumber,
) -> Result<Json<ReleaseDetail>, Problem> {
    Ok(Json(releases::get(api.actions(), &caller.actor, app, number).await?.into()))
}
