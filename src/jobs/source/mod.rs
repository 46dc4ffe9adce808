//! From a source to an image on a host of the app: pulled, or built from a commit, or found there already. The image
//! is kept under a name of ours; who runs it, and its way to further hosts, is not known here.

mod beside;
mod build;
mod checkout;
mod pull;
mod written;

use std::sync::Arc;

use super::Ctx;
use super::log::Log;
use super::logged;
use super::stop::{Stop, internal, on_host};
use crate::access::Reached;
use crate::db::host_logins;
use crate::db::ledger::images;
use crate::domain::deploy::{Failure, Target};
use crate::domain::dockerfile::{DockerfileText, Found};
use crate::domain::ids::{AppId, SecretId, SourceId};
use crate::domain::job::StepState;
use crate::domain::names::{ImageId, ImageRef};
use crate::domain::release::Commit;
use crate::domain::secret::Secret;
use crate::domain::source::{Git, Source};
use crate::queue::Run;
use crate::remote;
use crate::vault::SecretPlace;

/// What is to become an image.
pub struct Asked<'a> {
    /// What jobs work with.
    pub ctx: &'a Ctx,
    /// The run of the job.
    pub run: &'a Run,
    /// Its log.
    pub log: &'a Log,
    /// The step that shows this.
    pub step: Option<i32>,
    /// The app.
    pub app: AppId,
    /// The source.
    pub source_id: SourceId,
    /// The source as it is now.
    pub source: &'a Source,
    /// The branch's head, or one commit.
    pub target: &'a Target,
    /// The port the app's configuration names, for a Dockerfile that is written for it.
    pub port: Option<u16>,
    /// The app's hosts. The first that answers pulls or builds.
    pub hosts: &'a [Reached],
}

/// An image that is on a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// Our own name for it there.
    pub image: ImageRef,
    /// Its content: the same on every host.
    pub image_id: ImageId,
    /// The commit it was built from, if it was built.
    pub commit: Option<Commit>,
    /// The Dockerfile it was built with, where that is not the repository's own.
    pub dockerfile: Option<DockerfileText>,
}

/// What was made, and the note beside the step.
struct Made {
    resolved: Resolved,
    state: StepState,
    note: String,
}

/// Looks at the head of the branch: whether it has a Dockerfile, and writes one where it has none. Ends at once when the job is
/// cancelled or lost.
pub async fn look(asked: &Asked<'_>, git: &Git) -> Result<(), Stop> {
    if let Some(step) = asked.step {
        asked.log.began(step);
    }
    let working = async {
        let access = checkout::access(asked, git).await?;
        let commit = checkout::head(asked, git, &access).await?;
        let commit = checkout::fetch(asked, git, &access, &commit).await?;
        written::look(asked, git, &commit.id).await
    };
    let looked = logged::until(asked.run, working).await;
    let ended = match &looked {
        Ok(look) => Some((
            StepState::Unchanged,
            match &look.found {
                Found::Own { path } => format!("it has {path}"),
                Found::Written(written) => format!("{}: a Dockerfile was written", written.language.word()),
                Found::Unknown { .. } => "nothing was recognised".to_owned(),
            },
        )),
        Err(stop) => asked.broke(stop),
    };
    if let (Some(step), Some((state, note))) = (asked.step, ended) {
        asked.log.ended(step, state, note);
    }
    looked.map(drop)
}

/// Makes sure that the image is on the first host that answers. Ends at once when the job is cancelled or lost: a
/// running build stops with it.
pub async fn resolve(asked: Asked<'_>) -> Result<Resolved, Stop> {
    if let Some(step) = asked.step {
        asked.log.began(step);
    }
    let working = async {
        match asked.source {
            Source::Image(image) => Box::pin(pull::bring(&asked, image)).await,
            Source::Git(git) => Box::pin(build::bring(&asked, git)).await,
        }
    };
    let made = logged::until(asked.run, working).await;
    let ended = match &made {
        Ok(made) => Some((made.state, made.note.clone())),
        Err(stop) => asked.broke(stop),
    };
    if let (Some(step), Some((state, note))) = (asked.step, ended) {
        asked.log.ended(step, state, note);
    }
    made.map(|made| made.resolved)
}

impl Asked<'_> {
    /// How the step ends that stops here; it goes on where another run does.
    fn broke(&self, stop: &Stop) -> Option<(StepState, String)> {
        match stop {
            Stop::Cancelled => Some((StepState::Failed, "cancelled".to_owned())),
            Stop::Failed(failure) => Some((StepState::Failed, self.log.redacted(&failure.sentence()))),
            Stop::Lost | Stop::Again(_) => None,
        }
    }

    /// Says something in the step.
    fn say(&self, text: impl AsRef<str>) {
        self.log.say(self.step, text);
    }

    /// Says something beside the step's name.
    fn note(&self, note: impl Into<String>) {
        if let Some(step) = self.step {
            self.log.note(step, note);
        }
    }

    /// The host that pulls or builds.
    fn host(&self) -> Result<(&Reached, &Arc<remote::Host>), Stop> {
        let answering = self.hosts.iter().find_map(|reached| Some((reached, reached.host.as_ref().ok()?)));
        answering.ok_or_else(|| match self.hosts.first().map(|reached| (&reached.row.name, &reached.host)) {
            Some((name, Err(error))) => on_host(name, error.clone()),
            _ => Stop::Failed(Failure::Refused { reason: "The app has no host to run on.".into() }),
        })
    }

    /// Opens a secret of the source. The log learns it before anything else is said.
    async fn open(&self, name: &str, id: SecretId) -> Result<Secret<Vec<u8>>, Stop> {
        let permit = &self.run.permit;
        let mut tx = self.ctx.db.begin(permit).await?;
        let data_key = host_logins::data_key(&mut tx, permit).await?;
        let found = host_logins::current(&mut tx, permit, &[id]).await?;
        tx.commit().await?;
        let unreadable = || Failure::SecretUnreadable { name: name.to_owned() };
        let sealed = found.into_iter().next().ok_or_else(unreadable)?;
        let place = SecretPlace { team: permit.team(), secret: sealed.id, version: sealed.version };
        let value = self.ctx.vault.open_secret(&data_key, place, &sealed.sealed).map_err(|_| unreadable())?;
        self.log.learn([value.expose().as_slice()]);
        Ok(value)
    }

    /// The same for secrets that are text.
    async fn open_text(&self, name: &str, id: SecretId) -> Result<Secret<String>, Stop> {
        let value = self.open(name, id).await?;
        let text = String::from_utf8(value.expose().clone());
        text.map(Secret::new).map_err(|_| Stop::Failed(Failure::SecretUnreadable { name: name.to_owned() }))
    }

    /// Keeps an image on a host by a name of ours: first the ledger, then the name.
    async fn keep(&self, reached: &Reached, host: &remote::Host, image: &ImageRef, id: &ImageId) -> Result<(), Stop> {
        let mut tx = self.run.begin().await?;
        let row = images::Row { host: reached.id(), image: image.clone(), image_id: id.clone() };
        images::open(&mut tx, &self.run.permit, uuid::Uuid::now_v7(), self.app, &row).await?;
        tx.commit().await?;
        host.docker().tag(id, image).await.map_err(|error| on_host(&reached.row.name, error))
    }

    /// Notes the name by which a pull is about to bring an image to a host that does not have it: the registry's, which goes
    /// again.
    async fn note_name(&self, reached: &Reached, name: &ImageRef) -> Result<(), Stop> {
        let mut tx = self.run.begin().await?;
        let fresh = uuid::Uuid::now_v7();
        images::passing(&mut tx, &self.run.permit, fresh, self.app, reached.id(), name).await?;
        Ok(tx.commit().await?)
    }

    /// Takes that name away. The inner error is the host's: what is still there goes with the app's old images.
    async fn let_go(
        &self,
        reached: &Reached,
        host: &remote::Host,
        name: &ImageRef,
    ) -> Result<Result<(), remote::Error>, Stop> {
        if let Err(error) = host.docker().untag(name).await {
            return Ok(Err(error));
        }
        let mut tx = self.run.begin().await?;
        images::removed(&mut tx, &self.run.permit, reached.id(), name).await?;
        tx.commit().await?;
        Ok(Ok(()))
    }
}

/// A failure of git, for people; what is wrong with the panel's own machine goes to its log.
fn of_git(error: crate::providers::git::Error) -> Stop {
    match error {
        crate::providers::git::Error::Failure(failure) => Stop::Failed(failure),
        local @ crate::providers::git::Error::Local { .. } => Stop::Failed(internal(local)),
    }
}
