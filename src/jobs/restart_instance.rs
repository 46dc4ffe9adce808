//! Restarting one instance where it is, while the others of its host serve. Runs under the lock of the app's deploys.
//! Not here: the steps (`domain/plan/stop.rs`); restarting a whole app is a deploy of the release that serves.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Ctx;
use super::current::{self, refused};
use super::deploy;
use super::log::Log;
use super::stop::Stop;
use crate::domain::ids::{AppId, InstanceId};
use crate::domain::plan;
use crate::queue::{Job, Outcome, Run};

/// Restart one instance.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RestartInstance {
    /// The app.
    pub app: AppId,
    /// The instance.
    pub instance: InstanceId,
}

impl Job for RestartInstance {
    const KIND: &'static str = "restart_instance";
    /// A drain and a start period of an hour each.
    const DEADLINE: Duration = Duration::from_secs(3 * 3600);
    type Ctx = Ctx;

    async fn run(self, ctx: &Ctx, run: &Run) -> Outcome {
        let (log, writer) = Log::open(run);
        let ended = self.restart(ctx, run, &log).await;
        let outcome = current::outcome(run, &log, ended).await;
        drop(log);
        writer.close().await;
        outcome
    }
}

impl RestartInstance {
    async fn restart(&self, ctx: &Ctx, run: &Run, log: &Log) -> Result<(), Stop> {
        let nothing = || refused("None of the app's releases serves. Deploy it first.");
        let now = current::look(ctx, run, self.app).await?.ok_or_else(nothing)?;
        // The log learns the secrets of the release: a failure shows what the program printed last.
        let env = deploy::environment(ctx, &run.permit, log, &now.want.release).await?;
        let plan = plan::restart(&now.want, &now.looked.have, self.instance).map_err(|refusal| refused(refusal.0))?;
        now.carry_out(ctx, run, log, &plan, env).await
    }
}
