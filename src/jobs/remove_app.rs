//! Taking a removed app off its hosts, under the lock of its deploys. Each host is looked at and cleared by itself; one that
//! does not answer is waited for, however long, and keeps no other. Nothing is remembered between two runs but what the ledger
//! and the hosts say. Volumes stay, but for those whose names were typed. Not here: the steps (`domain/plan/remove.rs`).

use std::time::Duration;

use futures_util::future::join_all;
use serde::{Deserialize, Serialize};

use super::execute::{self, Mood, Work};
use super::log::Log;
use super::observe;
use super::remove_volume::{self, RemoveVolume};
use super::stop::{self, Stop};
use super::{Ctx, networks};
use crate::access;
use crate::db::ledger::left;
use crate::db::{apps, deploy_runs, hosts, job_steps, releases, removed, volumes};
use crate::domain::host::HostState;
use crate::domain::ids::{AppId, DeployId, HostId, ReleaseId, VolumeId};
use crate::domain::plan::words::Words;
use crate::domain::plan::{self, Left, Plan, Want};
use crate::domain::release::Release;
use crate::queue::{self, Job, New, Outcome, Run};

/// Take a removed app off its hosts.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RemoveApp {
    /// The app.
    pub app: AppId,
    /// Who removed it.
    pub by: String,
    /// The volumes whose names were typed: they go with their data.
    #[serde(default)]
    pub volumes: Vec<VolumeId>,
}

/// Between two looks for a host that does not answer: as often as its watch looks for it.
const AWAY: Duration = Duration::from_secs(60);
/// In place of a release of an app that never had one.
const NO_IMAGE: &str = "skiff/none";
const NO_IMAGE_ID: &str = "sha256:0000000000000000000000000000000000000000000000000000000000000000";

impl Job for RemoveApp {
    const KIND: &'static str = "remove_app";
    /// A drain of an hour, and the grace of the slowest program.
    const DEADLINE: Duration = Duration::from_secs(2 * 3600);
    type Ctx = Ctx;

    async fn run(self, ctx: &Ctx, run: &Run) -> Outcome {
        let (log, writer) = Log::open(run);
        let outcome = match Box::pin(self.clear(ctx, run, &log)).await {
            Ok(None) => Outcome::Succeeded,
            Ok(Some(why)) => Outcome::Later { after: AWAY, why },
            // Nothing that happens ends it, however often: half of an app is nobody's. Where another worker has it by now,
            // this is not written.
            Err(stop) => Outcome::Later { after: AWAY, why: log.redacted(&sentence(stop)) },
        };
        log.flush().await;
        drop(log);
        writer.close().await;
        outcome
    }
}

impl RemoveApp {
    /// Clears every host that answers. What it still waits for, where it does.
    async fn clear(&self, ctx: &Ctx, run: &Run, log: &Log) -> Result<Option<String>, Stop> {
        let permit = &run.permit;
        let mut tx = run.begin().await?;
        removed::let_go(&mut tx, permit, self.app).await?;
        let Some(app) = apps::known(&mut tx, permit, self.app).await? else { return Ok(None) };
        let want = self.want(&mut tx, run, &app).await?;
        let rows = left::of_app(&mut tx, permit, self.app, app.environment).await?;
        let mut open = 0;
        let mut silent = 0;
        for row in rows.iter().filter(|row| row.is_open()) {
            let host = hosts::list(&mut tx, permit, Some(row.host)).await?.pop();
            open += 1;
            silent += usize::from(host.is_some_and(|host| host.state == HostState::Unreachable));
        }
        tx.commit().await?;
        if open > 0 && open == silent {
            // Their watch tells when one of them is back.
            return self.finish(ctx, run, log, &app).await;
        }
        let ids: Vec<HostId> = rows.iter().map(|row| row.host).collect();
        let hosts = access::reach(&ctx.access(), permit, &ids).await?;
        let have = observe::app(ctx, permit, &hosts, &want).await?.have;
        let mut tx = run.begin().await?;
        observe::note_volumes(&mut tx, permit, &have).await?;
        tx.commit().await?;
        let rows = rows.iter().filter(|row| row.is_open() || row.network);
        let plans: Vec<Plan> = rows.filter_map(|row| plan::remove(&want, &have, &left_of(row))).collect();
        let words = Words::new(&app.name, &want, &have);
        let mut seqs = self.note(ctx, run, &words, &plans).await?;
        let work = Work::new(ctx, run, log, &want, &hosts, Vec::new());
        let running = plans.iter().map(|plan| {
            let first = seqs;
            seqs += steps(plan);
            // On the heap: the states of all kinds of steps are too much for the stack of a thread.
            Box::pin(execute::run(&work, plan, first, Mood::Back))
        });
        let mut failed = None;
        for ended in join_all(running).await {
            match ended {
                Ok(_) => {}
                Err(Stop::Lost) => return Err(Stop::Lost),
                Err(stop) => failed = failed.or(Some(stop)),
            }
        }
        // What the ledger says counts: what failed may have been the last of it.
        match (self.finish(ctx, run, log, &app).await?, failed) {
            (Some(_), Some(stop)) => Err(stop),
            (waits, _) => Ok(waits),
        }
    }

    /// What serves, as the deploy that made it so wanted it; the newest release where none does.
    async fn want(&self, tx: &mut crate::db::Tx<'_>, run: &Run, app: &apps::Row) -> Result<Want, Stop> {
        let permit = &run.permit;
        let serving = deploy_runs::serving(tx, permit, self.app).await?;
        let newest = match app.current {
            Some(current) => Some(current),
            None => releases::list(tx, permit, self.app, None, 1).await?.first().map(|line| line.id),
        };
        let release = match newest {
            Some(release) => deploy_runs::release(tx, permit, release).await?,
            None => None,
        };
        let parsed = |_| Stop::Failed(stop::internal("a constant is no image"));
        let release = match release {
            Some(release) => release,
            None => Release {
                id: ReleaseId(uuid::Uuid::nil()),
                app: self.app,
                environment: app.environment,
                number: 0,
                image_id: NO_IMAGE_ID.parse().map_err(parsed)?,
                image: NO_IMAGE.parse().map_err(parsed)?,
                spec: app.spec.0.clone(),
                secret_versions: Default::default(),
                placement: Vec::new(),
                commit: None,
            },
        };
        Ok(Want {
            deploy: serving.map_or(DeployId(uuid::Uuid::nil()), |serving| serving.deploy),
            former: None,
            former_web: false,
            bridges: Vec::new(),
            fresh: Vec::new(),
            release_command: None,
            host_ports: Vec::new(),
            disk_needed_mib: 0,
            image_arch: None,
            release,
        })
    }

    /// Writes the steps of all hosts down; gives the number of the first.
    async fn note(&self, ctx: &Ctx, run: &Run, words: &Words, plans: &[Plan]) -> Result<i32, Stop> {
        let mut steps = Vec::new();
        for stage in plans.iter().flat_map(|plan| &plan.stages) {
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
        Ok(first)
    }

    /// Done where the ledger has nothing of it on any host: then the typed volumes go.
    async fn finish(&self, ctx: &Ctx, run: &Run, log: &Log, app: &apps::Row) -> Result<Option<String>, Stop> {
        let permit = &run.permit;
        let mut tx = run.begin().await?;
        let rows = left::of_app(&mut tx, permit, self.app, app.environment).await?;
        let mut names = Vec::new();
        for row in rows.iter().filter(|row| row.is_open()) {
            let host = hosts::list(&mut tx, permit, Some(row.host)).await?.pop();
            names.extend(host.map(|host| host.name));
        }
        if !names.is_empty() {
            let verb = if names.len() == 1 { "does" } else { "do" };
            return Ok(Some(format!(
                "{} {verb} not answer: what {} left there is taken away when it can be reached.",
                names.join(" and "),
                app.name
            )));
        }
        removed::cleared(&mut tx, permit, self.app).await?;
        let mut kept = volumes::of_app(&mut tx, permit, self.app).await?;
        let places = volumes::places(&mut tx, permit, self.app).await?;
        let is_somewhere = |row: &volumes::Row| places.iter().any(|place| place.volume == row.id);
        for row in kept.extract_if(.., |row| !is_somewhere(row)) {
            // It was never made: there is no data.
            volumes::removed(&mut tx, permit, row.id, &self.by).await?;
        }
        for place in &places {
            let row = kept.iter().find(|row| row.id == place.volume && self.volumes.contains(&row.id));
            let Some(row) = row else { continue };
            let title = format!("Remove the volume {} of {} from {}", row.name, app.name, place.host_name);
            let mut new = New::new(&title, run.cause.clone());
            new.lock_key = Some(remove_volume::lock_key(place.volume, place.host));
            new.host = Some(place.host);
            let (name, by) = (row.name.to_string(), self.by.clone());
            let args = RemoveVolume { volume: place.volume, name, host: place.host, by };
            queue::push(&mut tx, permit, &args, new).await?;
        }
        tx.commit().await?;
        log.say(None, format!("Nothing of {} is left on any host.", app.name));
        let stay: Vec<&str> =
            kept.iter().filter(|row| !self.volumes.contains(&row.id)).map(|row| row.name.as_ref()).collect();
        if !stay.is_empty() {
            let words = stay.join(", ");
            log.say(None, format!("Its volumes stay with their data: {words}. The page of projects lists them."));
        }
        // Where another app of the environment seemed to need its network, and is gone by now, or never came to be there.
        match Box::pin(networks::let_go(ctx, run, log, Some(app.environment))).await {
            Err(Stop::Lost) => Err(Stop::Lost),
            // Otherwise the daily upkeep asks again.
            _ => Ok(None),
        }
    }
}

/// Why it goes on later, for people.
fn sentence(stop: Stop) -> String {
    match stop {
        Stop::Failed(failure) => failure.sentence(),
        Stop::Again(why) => why,
        Stop::Cancelled | Stop::Lost => "It is brought to its end.".to_owned(),
    }
}

/// The ledger's row for the planner. A tag that is no name of an image is none of ours.
fn left_of(row: &left::Row) -> Left {
    let images = row.images.iter().filter_map(|image| image.parse().ok()).collect();
    Left { host: row.host, proxy: row.proxy, images, network: row.network }
}

/// Steps of a plan in all.
fn steps(plan: &Plan) -> i32 {
    let count = plan.stages.iter().flat_map(|stage| &stage.lanes).map(|lane| lane.steps.len()).sum::<usize>();
    i32::try_from(count).unwrap_or(i32::MAX)
}
