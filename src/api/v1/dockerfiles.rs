//! The Dockerfile of an app whose repository has none: as it is kept, and the look at the repository that writes it.

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::jobs::{Begun, Nothing};
use crate::actions::Refused;
use crate::actions::apps::{self, DockerfileView, FoundView, KeepDockerfile, LookView};
use crate::actions::tokens::Caller;
use crate::api::Api;
use crate::api::answer::{Accepted, Time};
use crate::api::problem::Problem;
use crate::api::routes::{Routes, get, post, put};
use crate::api::take::{OfApp, Sent};
use crate::domain::help::Topic;
use crate::domain::rights::Permission;

/// The calls.
pub fn routes() -> Routes {
    let edit = Permission::EditApps;
    Routes::new()
        .about(Topic::WithoutDockerfile)
        .add(
            get("/apps/{app}/dockerfile", Permission::View)
                .title("The Dockerfile an app is built with where its repository has none")
                .gives::<Json<Dockerfile>>(),
            show,
        )
        .add(
            put("/apps/{app}/dockerfile", edit)
                .title("Keep a Dockerfile for as long as the repository has none")
                .gives::<Json<Dockerfile>>(),
            keep,
        )
        .add(
            post("/apps/{app}/dockerfile/look", edit)
                .title("Look at the repository, and write a Dockerfile where it has none")
                .gives::<Accepted<Begun>>(),
            look,
        )
}

/// The Dockerfile of an app with a repository.
#[derive(Serialize, JsonSchema)]
pub struct Dockerfile {
    /// Where the repository's own would be; once it is there, it is the one that is used.
    path: String,
    /// The text that is kept; none before the first look, or where nothing was recognised.
    text: Option<String>,
    /// Who wrote it; none where Skiff did.
    written_by: Option<String>,
    /// When it was written.
    written_at: Option<Time>,
    /// What came of the last look at the repository.
    look: Option<Look>,
    /// The look that waits or runs.
    looking: Option<Uuid>,
    /// Why the last look came to nothing.
    failed: Option<String>,
    /// The `.dockerignore` that goes with it where the repository has none.
    ignore: String,
}

/// What came of a look.
#[derive(Serialize, JsonSchema)]
struct Look {
    /// When that was.
    at: Time,
    /// The commit's first seven digits.
    commit: String,
    /// `own` (the repository has a Dockerfile), `written` or `unknown`.
    found: &'static str,
    /// written: what was recognised: "Node.js".
    language: Option<String>,
    /// written: by what.
    evidence: Vec<String>,
    /// written: what may be otherwise.
    uncertain: Vec<String>,
    /// written: the text, which differs from the kept one where that was edited, or the repository changed.
    text: Option<String>,
    /// unknown: why.
    why: Option<String>,
}

impl From<LookView> for Look {
    fn from(view: LookView) -> Self {
        let mut look = Self {
            at: view.at.into(),
            commit: view.commit,
            found: "own",
            language: None,
            evidence: Vec::new(),
            uncertain: Vec::new(),
            text: None,
            why: None,
        };
        match view.found {
            FoundView::Own => look,
            FoundView::Written { language, evidence, uncertain, text } => {
                let language = Some(language.to_owned());
                Self { found: "written", language, evidence, uncertain, text: Some(text), ..look }
            }
            FoundView::Unknown(why) => {
                (look.found, look.why) = ("unknown", Some(why));
                look
            }
        }
    }
}

impl From<DockerfileView> for Dockerfile {
    fn from(view: DockerfileView) -> Self {
        let (text, written_by, written_at) = match view.kept {
            Some(kept) => (Some(kept.text), kept.by, Some(kept.at.into())),
            None => (None, None, None),
        };
        Self {
            path: view.path,
            text,
            written_by,
            written_at,
            look: view.look.map(Look::from),
            looking: view.looking.map(|job| job.0),
            failed: view.failed.map(|(_, why)| why),
            ignore: view.ignore.to_owned(),
        }
    }
}

/// A text to keep.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Keep {
    /// The text: at most 64 KiB, with a `FROM` line.
    text: String,
}

async fn show(State(api): State<Api>, caller: Caller, OfApp(id): OfApp) -> Result<Json<Dockerfile>, Problem> {
    match apps::dockerfile(api.actions(), &caller.actor, id).await? {
        Some(view) => Ok(Json(view.into())),
        None => Err(Refused::Conflict(apps::NO_REPOSITORY.into()).into()),
    }
}

async fn keep(
    State(api): State<Api>,
    caller: Caller,
    OfApp(id): OfApp,
    Sent(Keep { text }): Sent<Keep>,
) -> Result<Json<Dockerfile>, Problem> {
    apps::keep_dockerfile(api.actions(), &caller.actor, id, KeepDockerfile { text }).await?;
    show(State(api), caller, OfApp(id)).await
}

async fn look(
    State(api): State<Api>,
    caller: Caller,
    OfApp(id): OfApp,
    Sent(Nothing {}): Sent<Nothing>,
) -> Result<Accepted<Begun>, Problem> {
    Ok(Begun::of(Some(apps::look_at_source(api.actions(), &caller.actor, id).await?)))
}
