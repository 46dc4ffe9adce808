//! An app as it serves now, looked at on its hosts: what jobs stand on that change what runs without making a release.
//! Not here: deploys; they have a release to make current.

use super::Ctx;
use super::execute::{self, Mood, Work};
use super::log::Log;
use super::observe::{self, Looked};
use super::stop::{self, Stop};
use crate::access::{self, Reached};
use crate::db::ledger::instances;
use crate::db::{apps, deploy_runs, job_steps};
use crate::domain::ids::{AppId, HostId};
use crate::domain::names::EnvName;
use crate::domain::plan::words::Words;
use crate::domain::plan::{Plan, Want};
use crate::queue::{Outcome, Run};

/// What serves, and what was seen of it.
pub struct Current {
    /// The app's name.
    pub name: String,
    /// The release that serves, as the deploy that made it so wanted it.
    pub want: Want,
    /// Its hosts, and every other one where the ledger says that something of the app is.
    pub hosts: Vec<Reached>,
    /// What was seen.
    pub looked: Looked,
}

/// Looks at the app. None where none of its releases ever served.
pub async fn look(ctx: &Ctx, run: &Run, app: AppId) -> Result<Option<Current>, Stop> {
    let permit = &run.permit;
    let mut tx = ctx.db.begin(permit).await?;
    let Some(row) = apps::get(&mut tx, permit, app).await? else { return Ok(None) };
    let serving = deploy_runs::serving(&mut tx, permit, app).await?;
    let release = match row.current {
        Some(release) => deploy_runs::release(&mut tx, permit, release).await?,
        None => None,
    };
    let ledger = instances::hosts_of_app(&mut tx, permit, app).await?;
    tx.commit().await?;
    let (Some(serving), Some(release)) = (serving, release) else { return Ok(None) };
    let mut ids: Vec<HostId> = release.placement.iter().map(|place| place.host).collect();
    ids.extend(ledger);
    let mut seen = std::collections::HashSet::new();
    ids.retain(|id| seen.insert(*id));
    let hosts = access::reach(&ctx.access(), permit, &ids).await?;
    let want = Want {
        deploy: serving.deploy,
        former: None,
        former_web: false,
        bridges: Vec::new(),
        fresh: Vec::new(),
        release_command: None,
        host_ports: Vec::new(),
        disk_needed_mib: 0,
        image_arch: None,
        release,
    };
    let looked = observe::app(ctx, permit, &hosts, &want).await?;
    Ok(Some(Current { name: row.name, want, hosts, looked }))
}

impl Current {
    /// Writes the plan's steps down and does them. Nothing stops it half way but the loss of the job.
    pub async fn carry_out(
        &self,
        ctx: &Ctx,
        run: &Run,
        log: &Log,
        plan: &Plan,
        env: Vec<(EnvName, String)>,
    ) -> Result<(), Stop> {
        plan.notes.iter().for_each(|note| log.say(None, note));
        log.flush().await;
        let words = Words::new(&self.name, &self.want, &self.looked.have);
        let mut steps = Vec::new();
        for stage in &plan.stages {
            for lane in &stage.lanes {
                steps.extend(lane.steps.iter().map(|step| job_steps::NewStep {
                    stage: stage.name.clone(),
                    host: Some(lane.host),
                    words: words.step(lane.host, step),
                }));
            }
        }
        let mut tx = ctx.db.begin(&run.permit).await?;
        let first = job_steps::plan(&mut tx, &run.permit, run.job, run.fence, &steps).await?.ok_or(Stop::Lost)?;
        tx.commit().await?;
        let work = Work::new(ctx, run, log, &self.want, &self.hosts, env);
        // On the heap: the states of all kinds of steps are too much for the stack of a thread.
        Box::pin(execute::run(&work, plan, first, Mood::Back)).await.map(drop)
    }
}

/// How such a job ends.
pub async fn outcome(run: &Run, log: &Log, ended: Result<(), Stop>) -> Outcome {
    let outcome = match ended {
        Ok(()) => Outcome::Succeeded,
        Err(Stop::Lost) => Outcome::Again { after: std::time::Duration::ZERO, why: String::new() },
        Err(Stop::Again(why)) => Outcome::Again { after: run.backoff(), why },
        Err(Stop::Cancelled) => Outcome::Cancelled,
        Err(Stop::Failed(failure)) => {
            let reason = log.redacted(&failure.sentence());
            log.say(None, &reason);
            log.say(None, failure.advice());
            Outcome::Failed { reason }
        }
    };
    log.flush().await;
    outcome
}

/// A refusal of the planner, or a host that was not reached: the job fails with this sentence.
pub fn refused(sentence: impl Into<String>) -> Stop {
    Stop::Failed(crate::domain::deploy::Failure::Refused { reason: sentence.into() })
}

/// The hosts that said nothing, as one reason.
pub fn silent(looked: &Looked) -> Option<Stop> {
    let (name, error) = looked.have.hosts.iter().find_map(|h| Some((&h.name, h.unreachable.as_ref()?)))?;
    let detail = stop::detail(error);
    Some(Stop::Failed(crate::domain::deploy::Failure::HostUnreachable { host: name.clone(), detail }))
}
