//! The deploy job: observe, resolve the source, plan, execute; after a failure, observe and plan the way back.
//!
//! Nothing is remembered between two runs of the same deploy but what the database and the hosts say: a run that
//! takes over from a dead worker does the same as a first one.

mod builders;
mod end;
mod patience;
mod release;
mod steps;

pub use release::environment;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Ctx;
use super::execute::{self, Ended, Work};
use super::log::Log;
use super::observe::{self, Looked};
use super::stop::{self, Stop};
use crate::access::{self, Reached};
use crate::db::deploy_runs::{self, Row};
use crate::db::ledger::{instances, networks};
use crate::domain::container::network_name;
use crate::domain::deploy::{DeployState, Failure, Target};
use crate::domain::ids::{AppId, DeployId, HostId, InstanceId, NetworkId};
use crate::domain::plan::words::Words;
use crate::domain::plan::{self, Want};
use crate::domain::release::{Place, Release};
use crate::queue::{Job, Outcome, Run};

/// Make a release of an app current.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Deploy {
    /// The app.
    pub app: AppId,
    /// The deploy's row.
    pub deploy: DeployId,
}

/// The lock key of an app's deploys: one runs, one waits.
pub fn lock_key(app: AppId) -> String {
    format!("app:{app}")
}

/// MiB that must be free on a host before anything is moved there: an image is unpacked beside itself.
const DISK_NEEDED_MIB: u64 = 512;

impl Job for Deploy {
    const KIND: &'static str = "deploy";
    /// A build of an hour and a drain of an hour: beyond that somebody has to look.
    const DEADLINE: Duration = Duration::from_secs(2 * 3600);
    type Ctx = Ctx;

    async fn run(self, ctx: &Ctx, run: &Run) -> Outcome {
        let (log, writer) = Log::open(run);
        let outcome = self.drive(ctx, run, &log).await;
        drop(log);
        writer.close().await;
        outcome
    }
}

impl Deploy {
    async fn drive(&self, ctx: &Ctx, run: &Run, log: &Log) -> Outcome {
        let row = match self.load(ctx, run).await {
            Ok(Some(row)) => row,
            Ok(None) => return Outcome::Failed { reason: "The deploy is gone.".to_owned() },
            Err(error) => return Outcome::Again { after: Duration::from_secs(2), why: stop::detail(error) },
        };
        match row.state {
            DeployState::Queued | DeployState::Running => {}
            DeployState::Succeeded | DeployState::TakenBack => return Outcome::Succeeded,
            DeployState::Cancelled | DeployState::Superseded => return Outcome::Cancelled,
            DeployState::Failed => return Outcome::Failed { reason: "It had failed already.".to_owned() },
        }
        if row.removed && !row.switched {
            // Its removal waits behind this.
            run.cancel.cancel();
        }
        let mut course = Course {
            job: self,
            ctx,
            run,
            log,
            row,
            steps: steps::Steps::default(),
            want: None,
            begun: run.attempt > 1,
        };
        // Boxed: futures of this size, one in the other, are what fills a stack.
        let ended = Box::pin(course.go_patiently()).await;
        Box::pin(course.end(ended)).await
    }

    async fn load(&self, ctx: &Ctx, run: &Run) -> Result<Option<Row>, sqlx::Error> {
        let mut tx = ctx.db.begin(&run.permit).await?;
        let row = deploy_runs::load(&mut tx, &run.permit, self.deploy).await?;
        if let Some(row) = &row {
            deploy_runs::begin(&mut tx, &run.permit, self.deploy, row.current).await?;
        }
        tx.commit().await?;
        Ok(row)
    }
}

/// One run of a deploy.
struct Course<'a> {
    job: &'a Deploy,
    ctx: &'a Ctx,
    run: &'a Run,
    log: &'a Log,
    row: Row,
    steps: steps::Steps,
    /// What was wanted, once it was known: the way back needs it.
    want: Option<Want>,
    /// True once something was done on a host, in this run or in one before it.
    begun: bool,
}

impl Course<'_> {
    async fn go(&mut self) -> Result<Ended, Stop> {
        let (permit, deploy) = (&self.run.permit, self.job.deploy);
        self.steps.open(self.ctx, self.run, self.log, &self.row.target.0).await?;
        let known = self.known_release().await?;
        let placement = known.as_ref().map_or(&self.row.placement.0, |release| &release.placement).clone();
        let hosts = self.reach(&placement).await?;
        let builders = self.builders(&hosts).await?;
        let release = match known {
            Some(release) => release,
            None => self.new_release(hosts.get(..placed(&placement).len()).unwrap_or_default(), &builders).await?,
        };
        // The same release, should this be begun again.
        self.row.release = Some(release.id);
        let env = self.environment(&release).await?;
        let mut want = self.want(release, &hosts).await?;
        want.image_arch = builders::arch_of(&builders, &want.release.image_id).await;
        self.want = Some(want.clone());
        let Looked { have, silent } = observe::app(self.ctx, permit, &hosts, &want).await?;
        if let Some(stop) = self.worth_waiting(silent) {
            return Err(stop);
        }
        let plan = plan::plan(&want, &have).map_err(|refusal| Failure::Refused { reason: refusal.to_string() })?;
        let wrong = plan::check::check(&want, &have, &plan);
        if !wrong.is_empty() {
            return Err(Stop::Failed(stop::internal(format!("the plan is wrong: {wrong:?}"))));
        }
        plan.notes.iter().for_each(|note| self.log.say(None, note));
        self.log.flush().await;
        let mut tx = self.ctx.db.begin(permit).await?;
        deploy_runs::set_plan(&mut tx, permit, deploy, &plan).await?;
        observe::note_volumes(&mut tx, permit, &have).await?;
        let words = Words::new(&self.row.app_name, &want, &have);
        let first = self.steps.plan(&mut tx, self.run, &words, &plan).await?;
        tx.commit().await?;
        self.begun = true;
        let work = Work::new(self.ctx, self.run, self.log, &want, &hosts, env).with_builders(builders);
        execute::run(&work, &plan, first, execute::Mood::Forward).await
    }

    /// Reaches the hosts of a placement, in its order, and behind them every host where the ledger says that something
    /// of the app still is: what runs there makes way too. A host of the placement that is not in the database any
    /// more is a refusal.
    async fn reach(&self, placement: &[Place]) -> Result<Vec<Reached>, Stop> {
        let permit = &self.run.permit;
        let placed = placed(placement);
        let mut tx = self.ctx.db.begin(permit).await?;
        let left = instances::hosts_of_app(&mut tx, permit, self.row.app).await?;
        tx.commit().await?;
        let mut ids = placed.clone();
        ids.extend(left.into_iter().filter(|host| !placed.contains(host)));
        let mut hosts = access::reach(&self.ctx.access(), permit, &ids).await?;
        hosts.sort_by_key(|host| ids.iter().position(|id| *id == host.id()));
        let found = hosts.iter().filter(|host| placed.contains(&host.id())).count();
        if placed.is_empty() || found < placed.len() {
            let reason = "The app has no host to run on. Choose one in its configuration.".to_owned();
            return Err(Stop::Failed(Failure::Refused { reason }));
        }
        Ok(hosts)
    }

    /// The release that is already known: that of an earlier run of this deploy, or a kept one.
    async fn known_release(&self) -> Result<Option<Release>, Stop> {
        let permit = &self.run.permit;
        let mut tx = self.ctx.db.begin(permit).await?;
        let release = match (self.row.release, &self.row.target.0) {
            (Some(known), _) => {
                let release = deploy_runs::release(&mut tx, permit, known).await?;
                Some(release.ok_or_else(|| stop::internal("the deploy's release is gone"))?)
            }
            (None, Target::Release { number }) => {
                let release = deploy_runs::release_numbered(&mut tx, permit, self.row.app, *number).await?;
                let reason =
                    format!("The release v{number} of this app is not kept. Its list of releases shows which are.");
                let release = release.ok_or(Failure::Refused { reason })?;
                self.need_volumes(&mut tx, &release).await?;
                deploy_runs::name_release(&mut tx, permit, self.job.deploy, release.id).await?;
                Some(release)
            }
            (None, Target::Head | Target::Ref { .. } | Target::Commit { .. } | Target::Scale { .. }) => None,
        };
        tx.commit().await?;
        Ok(release)
    }

    /// What is wanted on the hosts.
    async fn want(&self, release: Release, hosts: &[Reached]) -> Result<Want, Stop> {
        let permit = &self.run.permit;
        let name = network_name(release.environment);
        let mut bridges = Vec::new();
        let placed = placed(&release.placement);
        let mut tx = self.ctx.db.begin(permit).await?;
        for host in hosts.iter().filter(|host| placed.contains(&host.id())) {
            let fresh = NetworkId(uuid::Uuid::now_v7());
            match networks::claim(&mut tx, permit, fresh, host.id(), release.environment, &name).await? {
                Some(bridge) => bridges.push((host.id(), bridge)),
                None => {
                    let reason = format!(
                        "{} has no network left: it carries 64 environments. Place this app on another host.",
                        host.row.name
                    );
                    return Err(Stop::Failed(Failure::Refused { reason }));
                }
            }
        }
        let former = deploy_runs::serving(&mut tx, permit, release.app).await?;
        tx.commit().await?;
        let count: usize = release.placement.iter().map(|place| usize::from(place.instances)).sum();
        Ok(Want {
            deploy: self.job.deploy,
            fresh: (0..count).map(|_| InstanceId(uuid::Uuid::now_v7())).collect(),
            bridges,
            // Of a stopped app nothing serves: a failure leaves it stopped.
            former: former.filter(|_| !self.row.stopped).map(|former| former.deploy),
            former_web: former.is_some_and(|former| former.web),
            image_arch: None,
            release_command: None,
            host_ports: Vec::new(),
            disk_needed_mib: DISK_NEEDED_MIB,
            release,
        })
    }
}

/// The hosts of a placement that get instances, each once.
fn placed(placement: &[Place]) -> Vec<HostId> {
    let mut hosts: Vec<HostId> = Vec::new();
    for place in placement.iter().filter(|place| place.instances > 0) {
        if !hosts.contains(&place.host) {
            hosts.push(place.host);
        }
    }
    hosts
}
