//! The removal of one volume from one host, which a person asked for by typing its name. Nothing else ever removes one.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Ctx;
use super::log::Log;
use super::stop::detail;
use crate::access;
use crate::db::job_steps;
use crate::db::ledger::volumes;
use crate::domain::container::volume_name;
use crate::domain::ids::{HostId, VolumeId};
use crate::domain::job::StepState;
use crate::queue::{Job, Outcome, Run};

/// Remove a volume with all that is in it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RemoveVolume {
    /// The volume.
    pub volume: VolumeId,
    /// Its owner's name for it.
    pub name: String,
    /// Where it is.
    pub host: HostId,
    /// Who asked.
    pub by: String,
}

/// The lock key of a volume's removal from a host.
pub fn lock_key(volume: VolumeId, host: HostId) -> String {
    format!("volume:{volume}:{host}")
}

impl Job for RemoveVolume {
    const KIND: &'static str = "remove_volume";
    /// A volume of many small files takes minutes.
    const DEADLINE: Duration = Duration::from_secs(1800);
    type Ctx = Ctx;

    async fn run(self, ctx: &Ctx, run: &Run) -> Outcome {
        let (log, writer) = Log::open(run);
        let outcome = match self.remove(ctx, run, &log).await {
            Ok(outcome) => outcome,
            Err(error) => Outcome::Again { after: Duration::from_secs(2), why: detail(error) },
        };
        drop(log);
        writer.close().await;
        outcome
    }
}

impl RemoveVolume {
    async fn remove(&self, ctx: &Ctx, run: &Run, log: &Log) -> Result<Outcome, sqlx::Error> {
        let step = job_steps::NewStep {
            stage: String::new(),
            host: Some(self.host),
            words: format!("remove the volume {}", self.name),
        };
        let mut tx = ctx.db.begin(&run.permit).await?;
        let planned = job_steps::plan(&mut tx, &run.permit, run.job, run.fence, &[step]).await?;
        tx.commit().await?;
        let lost = || Ok(Outcome::Again { after: Duration::ZERO, why: String::new() });
        let Some(seq) = planned else { return lost() };
        log.began(seq);
        let fail = |reason: String| {
            log.ended(seq, StepState::Failed, &reason);
            Ok(Outcome::Failed { reason })
        };
        let Some(reached) = access::reach(&ctx.access(), &run.permit, &[self.host]).await?.pop() else {
            return fail("The host is gone.".to_owned());
        };
        let host = match &reached.host {
            Ok(host) => host,
            Err(error) => return fail(detail(error)),
        };
        if run.still_mine().await.is_err() {
            return lost();
        }
        if let Err(error) = host.docker().volume_remove(&volume_name(self.volume)).await {
            return fail(detail(error));
        }
        let mut tx = ctx.db.begin(&run.permit).await?;
        volumes::left(&mut tx, &run.permit, self.volume, self.host, &self.by).await?;
        tx.commit().await?;
        log.ended(seq, StepState::Changed, "");
        log.flush().await;
        Ok(Outcome::Succeeded)
    }
}
