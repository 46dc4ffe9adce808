//! Stopping an app: it is written down as wanted, its proxies list it no more, its containers are stopped and stay.
//! Runs under the lock of the app's deploys. Not here: the steps (`domain/plan/stop.rs`).

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Ctx;
use super::current;
use super::log::Log;
use super::stop::Stop;
use crate::db::apps;
use crate::domain::ids::AppId;
use crate::domain::plan;
use crate::queue::{Job, Outcome, Run};

/// Stop an app.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StopApp {
    /// The app.
    pub app: AppId,
    /// Who wants it.
    pub by: String,
}

impl Job for StopApp {
    const KIND: &'static str = "stop_app";
    /// A drain of an hour, and the grace of the slowest program.
    const DEADLINE: Duration = Duration::from_secs(2 * 3600);
    type Ctx = Ctx;

    async fn run(self, ctx: &Ctx, run: &Run) -> Outcome {
        let (log, writer) = Log::open(run);
        let ended = self.stop(ctx, run, &log).await;
        let outcome = current::outcome(run, &log, ended).await;
        drop(log);
        writer.close().await;
        outcome
    }
}

impl StopApp {
    async fn stop(&self, ctx: &Ctx, run: &Run, log: &Log) -> Result<(), Stop> {
        // Wanted first: a watch that looks meanwhile finds nothing wrong, and a run after a crash goes on from here.
        let mut tx = run.begin().await?;
        apps::stop(&mut tx, &run.permit, self.app, &self.by).await?;
        tx.commit().await?;
        let Some(now) = current::look(ctx, run, self.app).await? else {
            log.say(None, "None of its releases ever served: nothing runs.");
            return Ok(());
        };
        let plan = plan::stop(&now.want, &now.looked.have);
        now.carry_out(ctx, run, log, &plan, Vec::new()).await?;
        match current::silent(&now.looked) {
            // Everywhere else it is done; what runs there is stopped when somebody asks again.
            Some(stop) => Err(stop),
            None => {
                log.say(None, format!("{} is stopped. Its addresses answer 503 until it is started.", now.name));
                Ok(())
            }
        }
    }
}
