//! The Dockerfile of an app whose repository has none: shown, edited, and the repository looked at. Not here: what is recognised
//! in it (`domain/dockerfile/`), looking; that is a job.

use serde_json::json;
use time::OffsetDateTime;

use super::edit;
use crate::actions::fields::Fields;
use crate::actions::gate::{self, Open};
use crate::actions::{Ctx, Refused};
use crate::db::{self, audit, dockerfiles};
use crate::domain::dockerfile::{self, DockerfileText, Found, Language, Line};
use crate::domain::ids::{AppId, JobId};
use crate::domain::job::JobState;
use crate::domain::rights::{Actor, Permission};
use crate::domain::source::Source;
use crate::jobs::look_at_source::{self, LookAtSource};
use crate::queue::{self, New};

pub use crate::domain::dockerfile::Line as DockerfileLine;

/// The Dockerfile of an app with a repository.
#[derive(Clone, Debug)]
pub struct DockerfileView {
    /// Where the repository's own would be.
    pub path: String,
    /// The text that is kept for as long as the repository has none.
    pub kept: Option<KeptText>,
    /// What came of the last look.
    pub look: Option<LookView>,
    /// The look that waits or runs.
    pub looking: Option<JobId>,
    /// Why the last look came to nothing; none where it came to something.
    pub failed: Option<(JobId, String)>,
    /// How the text that was written at the last look differs from the kept one; empty where it does not.
    pub difference: Vec<Line>,
    /// What is not sent to the builder where the repository says nothing of it.
    pub ignore: &'static str,
}

/// A text that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptText {
    /// The text.
    pub text: String,
    /// Who wrote it; none: Skiff.
    pub by: Option<String>,
    /// When.
    pub at: OffsetDateTime,
}

/// What came of a look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LookView {
    /// When that was.
    pub at: OffsetDateTime,
    /// The commit's first seven digits.
    pub commit: String,
    /// What was found.
    pub found: FoundView,
}

/// What was found in a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FoundView {
    /// A Dockerfile of its own.
    Own,
    /// None; one was written.
    Written {
        /// "Node.js".
        language: &'static str,
        /// By what it was recognised.
        evidence: Vec<String>,
        /// What may be otherwise; sentences.
        uncertain: Vec<String>,
        /// The text.
        text: String,
    },
    /// None, and nothing was recognised: why.
    Unknown(String),
}

/// The form that keeps a text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeepDockerfile {
    /// The text.
    pub text: String,
}

/// What is said of an app that runs an image.
pub const NO_REPOSITORY: &str = "This app runs an image by its name: nothing is built for it, so it has no Dockerfile.";

/// The Dockerfile of an app; none where the app runs an image.
pub async fn dockerfile(ctx: &Ctx, actor: &Actor, id: AppId) -> Result<Option<DockerfileView>, Refused> {
    let Open { mut tx, permit, .. } = gate::app(ctx, actor, id, Permission::View).await?;
    let app = db::apps::get(&mut tx, &permit, id).await?.ok_or(Refused::NotFound)?;
    let Source::Git(git) = &app.source.0 else { return Ok(None) };
    let row = dockerfiles::of(&mut tx, &permit, app.source_id).await?.ok_or(Refused::NotFound)?;
    let key = look_at_source::lock_key(app.source_id);
    let last = db::jobs::newest_of(&mut tx, &permit, &key).await?;
    tx.commit().await?;
    let look = row.look.map(|look| look.0);
    let written = look.as_ref().and_then(|look| match &look.found {
        Found::Written(written) => Some(&written.text),
        Found::Own { .. } | Found::Unknown { .. } => None,
    });
    let difference = match (&row.text, written) {
        (Some(kept), Some(written)) if kept != written => dockerfile::difference(kept.as_ref(), written.as_ref()),
        _ => Vec::new(),
    };
    let kept = row.text.zip(row.at).map(|(text, at)| KeptText {
        text: text.into(),
        by: (!row.by.is_empty()).then_some(row.by),
        at,
    });
    let look = look.zip(row.looked_at).map(|(look, at)| LookView {
        at,
        commit: look.commit.short().to_owned(),
        found: found(look.found),
    });
    // A deploy looks too: what failed before it is over.
    let newer =
        |ended: Option<OffsetDateTime>| row.looked_at.is_none_or(|looked| ended.is_some_and(|ended| ended > looked));
    Ok(Some(DockerfileView {
        path: git.dockerfile.to_string(),
        kept,
        look,
        looking: last.as_ref().filter(|job| !job.state.is_final()).map(|job| job.id),
        failed: last
            .filter(|job| job.state == JobState::Failed && newer(job.finished_at))
            .map(|job| (job.id, job.reason)),
        difference,
        ignore: dockerfile::IGNORE,
    }))
}

fn found(found: Found) -> FoundView {
    match found {
        Found::Own { .. } => FoundView::Own,
        Found::Written(written) => FoundView::Written {
            language: Language::word(written.language),
            evidence: written.evidence,
            uncertain: written.uncertain,
            text: written.text.into(),
        },
        Found::Unknown { why } => FoundView::Unknown(why),
    }
}

/// Keeps a text for as long as the repository has no Dockerfile. The next deploy builds from it.
pub async fn keep_dockerfile(ctx: &Ctx, actor: &Actor, id: AppId, input: KeepDockerfile) -> Result<(), Refused> {
    let mut edit = edit::begin(ctx, actor, id, Permission::EditApps).await?;
    if matches!(edit.app.source.0, Source::Image(_)) {
        return Err(Refused::Conflict(NO_REPOSITORY.into()));
    }
    let mut fields = Fields::default();
    let Some(text) = fields.text::<DockerfileText>("text", &input.text) else { return Err(fields.refuse()) };
    let source = edit.app.source_id;
    let row = dockerfiles::of(&mut edit.tx, &edit.permit, source).await?.ok_or(Refused::NotFound)?;
    if row.text.as_ref() == Some(&text) {
        return Ok(());
    }
    // What is taken over as it was written is Skiff's again.
    let written = row.look.is_some_and(|look| matches!(&look.found, Found::Written(written) if written.text == text));
    let by = if written { "" } else { actor.name() };
    dockerfiles::keep(&mut edit.tx, &edit.permit, source, &text, by).await?;
    db::apps::touch(&mut edit.tx, &edit.permit, id).await?;
    let lines = |text: &DockerfileText| json!({ "Dockerfile": format!("{} lines", text.as_ref().lines().count()) });
    let before = row.text.as_ref().map(lines);
    edit.finish("app.dockerfile_kept", before, Some(lines(&text))).await
}

/// Has the repository looked at. Returns the job to watch; where one waits or runs already, that one.
pub async fn look_at_source(ctx: &Ctx, actor: &Actor, id: AppId) -> Result<JobId, Refused> {
    let Open { mut tx, permit, .. } = gate::app(ctx, actor, id, Permission::EditApps).await?;
    db::apps::lock(&mut tx, &permit, id).await?;
    let app = db::apps::get(&mut tx, &permit, id).await?.ok_or(Refused::NotFound)?;
    if matches!(app.source.0, Source::Image(_)) {
        return Err(Refused::Conflict(NO_REPOSITORY.into()));
    }
    let key = look_at_source::lock_key(app.source_id);
    if let Some(job) = db::jobs::unfinished_of(&mut tx, &permit, &key).await? {
        return Ok(job.id);
    }
    let title = format!("Look at the repository of {}", app.name);
    let mut new = New::new(&title, actor.who().cause());
    new.lock_key = Some(key);
    let job = queue::push(&mut tx, &permit, &LookAtSource { app: id }, new).await?.job;
    let event = audit::New {
        action: "app.source_looked_at",
        kind: "app",
        subject: Some(id.0),
        name: &app.name,
        before: None,
        after: None,
    };
    audit::record(&mut tx, &permit, event).await?;
    tx.commit().await?;
    Ok(job)
}
