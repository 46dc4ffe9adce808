//! A commit built on a host, unless its image is there already: the context flows from the cached clone through the
//! connection into the builder, and the builder's events into the log.

use std::time::Duration;
use tokio::time::{Instant, sleep};

use super::{Asked, Made, Resolved, checkout, of_git, written};
use crate::access::Reached;
use crate::db::builds::{self, NewBuild};
use crate::domain::build::BuildKey;
use crate::domain::build_log::{BuildLog, Line};
use crate::domain::container::label;
use crate::domain::deploy::Failure;
use crate::domain::dockerfile::DockerfileText;
use crate::domain::ids::BuildId;
use crate::domain::job::{StepState, Stream};
use crate::domain::names::ImageId;
use crate::domain::release::Commit;
use crate::domain::source::Git;
use crate::jobs::stop::{Stop, detail, on_host};
use crate::providers::git::{Files, Tree};
use crate::remote;
use crate::remote::docker::{BuildEvent, BuildRequest, BuildSecret};

/// A build that takes longer hangs. Half of what a deploy may take in all.
const LIMIT: Duration = Duration::from_secs(3600);

/// A host whose connection broke while it built is looked for so long: it is back from a reboot within, and a line that is
/// away for longer is somebody's to mend.
const BACK_WITHIN: Duration = Duration::from_secs(300);
/// A line that breaks more often in one build carries none.
const MOST_BREAKS: usize = 10;
/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Finds or builds the image of the commit that the target means.
pub(super) async fn bring(asked: &Asked<'_>, git: &Git) -> Result<Made, Stop> {
    let access = checkout::access(asked, git).await?;
    let commit = checkout::head(asked, git, &access).await?;
    let commit = checkout::fetch(asked, git, &access, &commit).await?;
    let dockerfile = written::dockerfile(asked, git, &commit.id).await?;
    let key = BuildKey::of(git, &commit.id, dockerfile.as_ref());
    let (reached, host) = asked.host()?;
    let name = key.image(asked.app);
    let known = known(asked, reached, host, &key).await?;
    let (image_id, state, note) = match known {
        Some(image_id) => {
            asked.say(format!("The image of this commit is on {} already: nothing to build", reached.row.name));
            (image_id, StepState::Unchanged, "already built".to_owned())
        }
        None => {
            let build = NewBuild {
                id: BuildId(uuid::Uuid::now_v7()),
                source: asked.source_id,
                commit: &commit.id,
                key: &key,
                host: reached.id(),
                job: asked.run.job,
                image: &name,
            };
            let recipe = Recipe { git, commit: &commit, dockerfile: dockerfile.as_ref() };
            let (image_id, note) = run(asked, recipe, &build, reached, host).await?;
            (image_id, StepState::Changed, note)
        }
    };
    asked.keep(reached, host, &name, &image_id).await?;
    Ok(Made { resolved: Resolved { image: name, image_id, commit: Some(commit), dockerfile }, state, note })
}

/// The image of an earlier build of the same recipe, if it is still on the host.
async fn known(
    asked: &Asked<'_>,
    reached: &Reached,
    host: &remote::Host,
    key: &BuildKey,
) -> Result<Option<ImageId>, Stop> {
    let permit = &asked.run.permit;
    let mut tx = asked.ctx.db.begin(permit).await?;
    let image_id = builds::known(&mut tx, permit, key, reached.id()).await?;
    tx.commit().await?;
    let Some(image_id) = image_id else { return Ok(None) };
    let seen = host.docker().image(&image_id).await.map_err(|error| on_host(&reached.row.name, error))?;
    Ok(seen.map(|seen| seen.id))
}

/// What is built, and from what.
#[derive(Clone, Copy)]
struct Recipe<'a> {
    git: &'a Git,
    commit: &'a Commit,
    /// The text, where it is not a file of the commit.
    dockerfile: Option<&'a DockerfileText>,
}

/// Builds. Dropping the future ends git and the running step. Where the connection breaks for good, the host is looked for,
/// and builds again with the layers it has made.
async fn run(
    asked: &Asked<'_>,
    Recipe { git, commit, dockerfile }: Recipe<'_>,
    build: &NewBuild<'_>,
    reached: &Reached,
    host: &remote::Host,
) -> Result<(ImageId, String), Stop> {
    let Tree { lfs, .. } = checkout::look(asked, git, &commit.id, dockerfile.is_none()).await?;
    let mut secrets = Vec::new();
    for (id, secret) in &git.secrets {
        secrets.push(BuildSecret { id: id.clone(), value: asked.open(id.as_ref(), *secret).await? });
    }
    let permit = &asked.run.permit;
    let mut tx = asked.ctx.db.begin(permit).await?;
    let mine = builds::begin(&mut tx, permit, asked.run.fence, build).await?;
    tx.commit().await?;
    if !mine {
        return Err(Stop::Lost);
    }
    let files =
        Files { commit: &commit.id, context: &git.context, dockerfile: &git.dockerfile, written: dockerfile, lfs };
    let work = Work { asked, git, build, files, secrets, reached, host };
    asked.run.still_mine().await?;
    asked.say(format!("Building on {}", reached.row.name));
    let begun = Instant::now();
    let mut told = BuildLog::default();
    let mut breaks = 0;
    let image_id = loop {
        asked.note("building");
        // Boxed, as in `resolve`: a future of this size, moved through many calls, is what fills a stack.
        match Box::pin(work.once(LIMIT.saturating_sub(begun.elapsed()), &mut told)).await? {
            Ok(image_id) => break image_id,
            Err(broken) if breaks >= MOST_BREAKS => return Err(on_host(&reached.row.name, broken)),
            Err(_) => work.until_back().await?,
        }
        breaks += 1;
        told.again();
    };
    let mut tx = asked.ctx.db.begin(permit).await?;
    let mine = builds::finish(&mut tx, permit, asked.run.fence, build, &image_id).await?;
    tx.commit().await?;
    if !mine {
        return Err(Stop::Lost);
    }
    let note = format!("{}, {} s", told.tally(), begun.elapsed().as_secs());
    asked.say(format!("Built in {} s: {}", begun.elapsed().as_secs(), told.tally()));
    Ok((image_id, note))
}

/// A build, however often it is begun.
struct Work<'a> {
    asked: &'a Asked<'a>,
    git: &'a Git,
    build: &'a NewBuild<'a>,
    files: Files<'a>,
    secrets: Vec<BuildSecret>,
    reached: &'a Reached,
    host: &'a remote::Host,
}

impl Work<'_> {
    /// Builds once. The inner error is a connection that broke: the build may be begun again.
    async fn once(&self, limit: Duration, told: &mut BuildLog) -> Result<Result<ImageId, remote::Error>, Stop> {
        let Self { asked, git, reached, .. } = *self;
        let archive = asked.ctx.git.archive(asked.source_id, self.files).await.map_err(of_git)?;
        let request = BuildRequest {
            context: archive.stream,
            dockerfile: archive.dockerfile,
            target: git.target.clone(),
            args: git.args.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
            caches: BuildKey::caches(git, self.files.written),
            secrets: self.secrets.clone(),
            logins: Vec::new(),
            tags: Vec::new(),
            labels: vec![
                (label::PANEL, asked.ctx.panel.to_string()),
                (label::APP, asked.app.to_string()),
                (label::BUILD, self.build.key.hex()),
            ],
            limit,
        };
        asked.run.still_mine().await?;
        let begun = Instant::now();
        let built = {
            let mut on_event = |event| hear(asked, told, event);
            self.host.docker_bulk().build(request, &mut on_event).await
        };
        tell(asked, told.end());
        match built {
            Ok(image_id) => Ok(Ok(image_id)),
            // What took all the time there is took too long, wherever it stood.
            Err(error) if error.is_connection() && begun.elapsed() < limit => Ok(Err(error)),
            // A context that broke off is what the builder complains about; why it did is the reason.
            Err(error) => Err(archive.fault.take().map_or_else(|| failure(reached, told, error), of_git)),
        }
    }

    /// Waits until the host answers again, and fails where it does not in time.
    async fn until_back(&self) -> Result<(), Stop> {
        let (asked, name, gone) = (self.asked, &self.reached.row.name, Instant::now());
        asked.say(format!(
            "The connection to {name} broke while it built. It is looked for, up to {} min, and goes on from the layers it has made.",
            BACK_WITHIN.as_secs() / 60
        ));
        asked.note(format!("looking for {name}"));
        loop {
            let error = match self.host.docker().ping().await {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            // A host with another key, or that lets us in no more, is not waited for.
            let passes = error.is_connection() || matches!(error, remote::Error::DockerUnavailable { .. });
            if !passes || gone.elapsed() > BACK_WITHIN {
                return Err(on_host(name, error));
            }
            asked.run.still_mine().await?;
            sleep(LOOK_EVERY).await;
        }
    }
}

/// Tells an event of the builder in the log.
fn hear(asked: &Asked<'_>, told: &mut BuildLog, event: BuildEvent) {
    let lines = match event {
        BuildEvent::StepStarted { step, name } => told.began(step, &name),
        BuildEvent::StepCached { step } => told.cached(step),
        BuildEvent::StepDone { step, ms } => told.done(step, ms),
        BuildEvent::StepFailed { step, name, error } => told.failing(step, &name, &error),
        BuildEvent::Log { step, bytes, stderr } => {
            told.output(step, if stderr { Stream::Err } else { Stream::Out }, &bytes)
        }
        BuildEvent::Image(_) => Vec::new(),
    };
    tell(asked, lines);
}

fn tell(asked: &Asked<'_>, lines: Vec<Line>) {
    for line in lines {
        asked.log.line(asked.step, line.stream, &line.text);
    }
}

/// A build that failed, for people.
fn failure(reached: &Reached, told: &BuildLog, error: remote::Error) -> Stop {
    let built = |words: String| {
        let (step, words) = match told.failed() {
            Some((step, words)) => (step.to_owned(), words.to_owned()),
            None => (String::new(), words),
        };
        Stop::Failed(Failure::BuildFailed { step, detail: detail(words) })
    };
    match error {
        remote::Error::BuildFailed { detail } => built(detail),
        // A base image that cannot be had is a line of the Dockerfile, not an image of the app.
        refused @ (remote::Error::NoSuchImage { .. }
        | remote::Error::RegistryDenied { .. }
        | remote::Error::RegistryUnreachable { .. }
        | remote::Error::Refused { .. }
        | remote::Error::NotFound { .. }) => built(refused.to_string()),
        remote::Error::SecretsUnsupported => {
            Stop::Failed(Failure::Refused { reason: remote::Error::SecretsUnsupported.to_string() })
        }
        remote::Error::TimedOut { .. } => Stop::Failed(Failure::BuildFailed {
            step: String::new(),
            detail: format!("it took longer than {} s", LIMIT.as_secs()),
        }),
        other => on_host(&reached.row.name, other),
    }
}
