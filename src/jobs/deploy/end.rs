//! The end of a deploy: success with its watch, or the way back to the release that served before.

use super::Course;
use crate::db::deploy_runs;
use crate::domain::cause::Cause;
use crate::domain::deploy::{DeployState, Failure};
use crate::domain::plan::words::Words;
use crate::domain::plan::{self, GivingUp, Want};
use crate::jobs::execute::{self, Ended, Work};
use crate::jobs::observe::{self, Looked};
use crate::jobs::retention;
use crate::jobs::stop::{Stop, on_host};
use crate::jobs::watch::{self, Watch};
use crate::queue::{self, Outcome};

/// How long the tidying after a deploy may hold up the next deploy of the app.
const TIDY_LIMIT: std::time::Duration = std::time::Duration::from_secs(60);

impl Course<'_> {
    /// Writes down how the deploy ended, after everything is as it should be on the hosts.
    pub(super) async fn end(&mut self, ended: Result<Ended, Stop>) -> Outcome {
        let stop = match ended {
            Ok(ended) => match self.succeed(ended).await {
                Ok(()) => {
                    Box::pin(self.tidy()).await;
                    return Outcome::Succeeded;
                }
                Err(error) => return again(error),
            },
            Err(Stop::Lost) => return lost(),
            Err(Stop::Again(why)) => return Outcome::Again { after: self.run.backoff(), why },
            Err(stop) => stop,
        };
        if let Some(want) = self.want.take() {
            let why = if matches!(stop, Stop::Cancelled) { GivingUp::Cancelled } else { GivingUp::Failed };
            match self.go_back_patiently(&want, why).await {
                Ok(()) => {}
                Err(Stop::Lost) => return lost(),
                Err(Stop::Again(why)) => return Outcome::Again { after: self.run.backoff(), why },
                Err(other) => self.log.say(None, format!("The way back was not finished: {}", sentence(&other))),
            }
        }
        let outcome = self.fail(stop).await;
        if !matches!(outcome, Outcome::Again { .. }) {
            Box::pin(self.tidy()).await;
        }
        outcome
    }

    /// Lets go of what is kept no more, still under the lock of the app's deploys. The deploy has ended: what goes wrong
    /// here is the next one's to do, and so is what is not done in time.
    async fn tidy(&self) {
        // Boxed, as in `source::resolve`.
        let tidying = Box::pin(retention::app(self.ctx, self.run, self.log, self.job.app));
        let tidied = tokio::select! {
            biased;
            () = self.run.lost.cancelled() => return,
            tidied = tokio::time::timeout(TIDY_LIMIT, tidying) => tidied,
        };
        match tidied {
            Ok(Ok(()) | Err(Stop::Lost)) => {}
            Ok(Err(stop)) => self.log.say(None, format!("Old releases were not tidied up: {}", sentence(&stop))),
            Err(_) => self.log.say(None, "Old releases were not tidied up in time: the next deploy goes on with it."),
        }
        self.log.flush().await;
    }

    async fn succeed(&self, ended: Ended) -> Result<(), sqlx::Error> {
        let (permit, deploy, app) = (&self.run.permit, self.job.deploy, self.job.app);
        let release = self.want.as_ref().map(|want| &want.release);
        let seconds = release.map_or(0, |release| release.spec.watch.seconds);
        let number = release.map_or(0, |release| release.number);
        self.log.say(None, format!("v{number} serves."));
        if let Ended::Untidy(stop) = ended {
            let why = sentence(&stop);
            self.log.say(None, format!("Something old is left, which the next deploy takes away: {why}"));
        }
        self.log.flush().await;
        let mut tx = self.ctx.db.begin(permit).await?;
        deploy_runs::succeed(&mut tx, permit, deploy, i32::from(seconds)).await?;
        if seconds > 0 {
            let title = format!("Watch v{number} of {}", self.row.app_name);
            let cause = Cause::System { why: format!("deploy of v{number}"), deploy: Some(deploy) };
            let new = queue::New { lock_key: Some(watch::lock_key(app)), ..queue::New::new(&title, cause) };
            queue::push(&mut tx, permit, &Watch { app, deploy }, new).await?;
        }
        tx.commit().await
    }

    /// Observes again, and does what it takes for the former release to serve as before. A host that is silent is an
    /// error, or is left out (`whoever_answers`).
    pub(super) async fn go_back(&self, want: &Want, why: GivingUp, whoever_answers: bool) -> Result<(), Stop> {
        let permit = &self.run.permit;
        let hosts = self.reach(&want.release.placement).await?;
        let Looked { have, silent } = observe::app(self.ctx, permit, &hosts, want).await?;
        if let Some((name, error)) = silent.into_iter().next().filter(|_| !whoever_answers) {
            return Err(on_host(&name, error));
        }
        let plan = plan::give_up(want, &have, why);
        plan.notes.iter().for_each(|note| self.log.say(None, note));
        if plan.stages.is_empty() {
            return Ok(());
        }
        self.log.flush().await;
        let mut tx = self.ctx.db.begin(permit).await?;
        let words = Words::new(&self.row.app_name, want, &have);
        let first = self.steps.plan(&mut tx, self.run, &words, &plan).await?;
        tx.commit().await?;
        let work = Work::new(self.ctx, self.run, self.log, want, &hosts, Vec::new());
        execute::run(&work, &plan, first, execute::Mood::Back).await.map(drop)
    }

    async fn fail(&self, stop: Stop) -> Outcome {
        let (state, failure) = match stop {
            Stop::Cancelled => (DeployState::Cancelled, None),
            Stop::Failed(failure) => (DeployState::Failed, Some(failure)),
            Stop::Lost => return lost(),
            Stop::Again(why) => return Outcome::Again { after: self.run.backoff(), why },
        };
        let reason = failure.as_ref().map(Failure::sentence).unwrap_or_else(|| "Cancelled.".to_owned());
        let reason = self.log.redacted(&reason);
        self.log.say(None, &reason);
        if let Some(failure) = &failure {
            self.log.say(None, failure.advice());
        }
        self.log.flush().await;
        match self.close(state, failure.as_ref()).await {
            Ok(()) if state == DeployState::Cancelled => Outcome::Cancelled,
            Ok(()) => Outcome::Failed { reason },
            Err(error) => again(error),
        }
    }

    async fn close(&self, state: DeployState, failure: Option<&Failure>) -> Result<(), sqlx::Error> {
        let permit = &self.run.permit;
        let mut tx = self.ctx.db.begin(permit).await?;
        deploy_runs::end(&mut tx, permit, self.job.deploy, state, failure).await?;
        tx.commit().await
    }
}

/// The database went away at the very end: everything on the hosts is done, so a later run only writes it down.
fn again(error: sqlx::Error) -> Outcome {
    Outcome::Again { after: std::time::Duration::from_secs(2), why: crate::jobs::stop::detail(error) }
}

/// Nothing may be touched any more: whoever has the job now goes on.
fn lost() -> Outcome {
    Outcome::Again { after: std::time::Duration::ZERO, why: String::new() }
}

fn sentence(stop: &Stop) -> String {
    match stop {
        Stop::Failed(failure) => failure.sentence(),
        Stop::Cancelled => "it was cancelled".to_owned(),
        Stop::Lost => "another worker has it".to_owned(),
        Stop::Again(why) => why.clone(),
    }
}
