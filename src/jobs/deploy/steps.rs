//! The steps of a deploy as its page shows them: first the source's, then the plan's.

use sqlx::PgConnection;

use crate::db::job_steps::{self, NewStep};
use crate::domain::deploy::Target;
use crate::domain::plan::Plan;
use crate::domain::plan::words::Words;
use crate::jobs::Ctx;
use crate::jobs::log::Log;
use crate::jobs::stop::Stop;
use crate::queue::Run;

/// Where the steps of this run stand in the job's list.
#[derive(Default)]
pub(super) struct Steps {
    source: Option<i32>,
}

impl Steps {
    /// Writes the steps that come before the plan. What an earlier run planned and never began is dropped.
    pub(super) async fn open(&mut self, ctx: &Ctx, run: &Run, log: &Log, target: &Target) -> Result<(), sqlx::Error> {
        if run.attempt > 1 {
            log.say(None, "Taken up again where it stood: looking at the hosts first.");
        }
        let words = match target {
            Target::Head | Target::Ref { .. } | Target::Commit { .. } => "get the image",
            Target::Release { .. } | Target::Scale { .. } => return Ok(()),
        };
        let mut tx = ctx.db.begin(&run.permit).await?;
        let step = NewStep { stage: "source".to_owned(), host: None, words: words.to_owned() };
        self.source = job_steps::plan(&mut tx, &run.permit, run.job, run.fence, &[step]).await?;
        tx.commit().await
    }

    /// The step of the source, where the deploy has one.
    pub(super) fn source(&self) -> Option<i32> {
        self.source
    }

    /// Writes the plan's steps, lane by lane, and gives the number of the first.
    pub(super) async fn plan(
        &self,
        conn: &mut PgConnection,
        run: &Run,
        words: &Words,
        plan: &Plan,
    ) -> Result<i32, Stop> {
        let mut steps = Vec::new();
        for stage in &plan.stages {
            for lane in &stage.lanes {
                let told = lane.steps.iter().map(|step| NewStep {
                    stage: stage.name.clone(),
                    host: Some(lane.host),
                    words: words.step(lane.host, step),
                });
                steps.extend(told);
            }
        }
        job_steps::plan(conn, &run.permit, run.job, run.fence, &steps).await?.ok_or(Stop::Lost)
    }
}
