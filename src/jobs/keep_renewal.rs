//! Once a day: a host that has certificates which were got by themselves is told that the panel is there, and has what it needs to renew
//! them without it. Not here: how (`renewal.rs`).

use std::time::Duration;

use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

use super::Ctx;
use super::log::Log;
use super::logged;
use super::renewal;
use super::stop::{self, Stop};
use crate::access;
use crate::db::job_steps;
use crate::domain::cause::Cause;
use crate::domain::ids::{HostId, JobId};
use crate::domain::job::StepState;
use crate::domain::rights::Permit;
use crate::queue::{self, Job, New, Outcome, Run};

/// Keep a host able to renew its certificates.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct KeepRenewal {
    /// The host.
    pub host: HostId,
}

/// Between two tries at a host that does not answer; the next day's job takes its place.
const AWAY_PAUSE: Duration = Duration::from_secs(30 * 60);
/// The steps.
const STEPS: [&str; 2] = ["say that the panel is there", "keep what the server renews with"];

/// Asks for it.
pub async fn ask(conn: &mut PgConnection, permit: &Permit, host: HostId, name: &str) -> Result<JobId, sqlx::Error> {
    let cause = Cause::System { why: "once a day".into(), deploy: None };
    let title = format!("Renewal on {name} without the panel");
    let lock_key = Some(format!("renewal:{host}"));
    let new = New { lock_key, host: Some(host), priority: -10, ..New::new(&title, cause) };
    Ok(queue::push(conn, permit, &KeepRenewal { host }, new).await?.job)
}

impl Job for KeepRenewal {
    const KIND: &'static str = "keep_renewal";
    /// The first time it fetches packages, from a mirror that may be slow.
    const DEADLINE: Duration = Duration::from_secs(1800);
    type Ctx = Ctx;

    async fn run(self, ctx: &Ctx, run: &Run) -> Outcome {
        let (log, writer) = Log::open(run);
        let ended = logged::until(run, self.keep(ctx, run, &log)).await.map(|()| Outcome::Succeeded);
        logged::close(run, log, writer, ended, |_, why| Outcome::Later { after: AWAY_PAUSE, why }).await
    }
}

impl KeepRenewal {
    async fn keep(&self, ctx: &Ctx, run: &Run, log: &Log) -> Result<(), Stop> {
        let steps = STEPS.map(|words| job_steps::NewStep {
            stage: String::new(),
            host: Some(self.host),
            words: words.to_owned(),
        });
        let mut tx = ctx.db.begin(&run.permit).await?;
        let first = job_steps::plan(&mut tx, &run.permit, run.job, run.fence, &steps).await?;
        tx.commit().await?;
        let Some(first) = first else { return Err(Stop::Lost) };
        let Some(reached) = access::reach(&ctx.access(), &run.permit, &[self.host]).await?.pop() else {
            return Ok(());
        };
        let host = reached.host.clone().map_err(|error| stop::on_host(&reached.row.name, error))?;
        log.began(first);
        let seen = renewal::look(ctx, run, log, &reached, &host).await?;
        let note = match seen.taken {
            0 => String::new(),
            1 => "it had renewed one certificate, which is taken over".to_owned(),
            many => format!("it had renewed {many} certificates, which are taken over"),
        };
        log.ended(first, if seen.taken == 0 { StepState::Unchanged } else { StepState::Changed }, note);
        if seen.differs {
            renewal::ask_to_bring(ctx, run, &reached).await?;
        }
        log.began(first + 1);
        let (state, note) = renewal::keep(ctx, run, log, first + 1, &reached, &host, seen.whole).await?;
        log.ended(first + 1, state, note);
        Ok(())
    }
}
