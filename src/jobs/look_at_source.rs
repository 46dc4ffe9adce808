//! Looking at an app's repository: whether it has a Dockerfile, and writing one where it has none. Asked by a person; a deploy looks
//! by itself. Not here: what is recognised (`domain/dockerfile/`), building.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::log::Log;
use super::stop::Stop;
use super::{Ctx, current, source};
use crate::db::{apps, job_steps};
use crate::domain::deploy::{Failure, Target};
use crate::domain::ids::{AppId, SourceId};
use crate::domain::source::Source;
use crate::queue::{Job, Outcome, Run};

/// Look at an app's repository.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LookAtSource {
    /// The app.
    pub app: AppId,
}

/// The lock key of a source's looks: they run beside deploys.
pub fn lock_key(source: SourceId) -> String {
    format!("look:{source}")
}

impl Job for LookAtSource {
    const KIND: &'static str = "look_at_source";
    /// A fetch of a large repository, behind one of the same that runs.
    const DEADLINE: Duration = Duration::from_secs(1500);
    type Ctx = Ctx;

    async fn run(self, ctx: &Ctx, run: &Run) -> Outcome {
        let (log, writer) = Log::open(run);
        let ended = Box::pin(self.look(ctx, run, &log)).await;
        let outcome = current::outcome(run, &log, ended).await;
        drop(log);
        writer.close().await;
        outcome
    }
}

impl LookAtSource {
    async fn look(&self, ctx: &Ctx, run: &Run, log: &Log) -> Result<(), Stop> {
        let mut tx = run.begin().await?;
        let row = apps::get(&mut tx, &run.permit, self.app).await?;
        let step = job_steps::NewStep { stage: String::new(), host: None, words: "look at the repository".to_owned() };
        let step = job_steps::plan(&mut tx, &run.permit, run.job, run.fence, &[step]).await?.ok_or(Stop::Lost)?;
        tx.commit().await?;
        let gone = |reason: &str| Stop::Failed(Failure::Refused { reason: reason.to_owned() });
        let row = row.ok_or_else(|| gone("The app was removed."))?;
        let Source::Git(git) = &row.source.0 else { return Err(gone("The app runs an image: it has no repository.")) };
        let asked = source::Asked {
            ctx,
            run,
            log,
            step: Some(step),
            app: row.id,
            source_id: row.source_id,
            source: &row.source.0,
            target: &Target::Head,
            port: row.spec.port,
            hosts: &[],
        };
        source::look(&asked, git).await
    }
}
