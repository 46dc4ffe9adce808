//! The watch after a deploy: a release that crash-loops or answers errors is taken back by a deploy of the former one.

use std::collections::HashMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};

use super::Ctx;
use super::deploy::{self, Deploy};
use super::execute::last_lines;
use super::log::Log;
use super::{proxy, stop};
use crate::access::{self, Reached};
use crate::db::deploy_runs::{self, Watched};
use crate::db::ledger::instances;
use crate::db::{apps, routes};
use crate::domain::app::Spec;
use crate::domain::cause::Cause;
use crate::domain::deploy::{Failure, Target};
use crate::domain::ids::{AppId, DeployId, HostId};
use crate::domain::names::ContainerName;
use crate::queue::{self, Job, Outcome, Run};
use crate::remote::docker::Docker;

/// Watch a release for a while.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Watch {
    /// The app.
    pub app: AppId,
    /// The deploy whose release is watched.
    pub deploy: DeployId,
}

/// The lock key of an app's watch: a newer deploy's watch replaces it.
pub fn lock_key(app: AppId) -> String {
    format!("watch:{app}")
}

/// Between two looks. A crash loop shows within a few.
const PAUSE: Duration = Duration::from_secs(2);
/// An instance in a crash loop ends again within this time: longer than most take to crash.
const NEXT_END: Duration = Duration::from_secs(3);
/// Between two looks for that end.
const NEXT_END_PAUSE: Duration = Duration::from_millis(100);
/// Below so many answers a percentage says nothing.
const ENOUGH_ANSWERS: u64 = 20;

impl Job for Watch {
    const KIND: &'static str = "watch";
    /// The longest watch is an hour; a worker may take it over late.
    const DEADLINE: Duration = Duration::from_secs(2 * 3600);
    type Ctx = Ctx;

    async fn run(self, ctx: &Ctx, run: &Run) -> Outcome {
        let (log, writer) = Log::open(run);
        let outcome = match self.watch(ctx, run, &log).await {
            Ok(outcome) => outcome,
            Err(error) => Outcome::Again { after: PAUSE, why: stop::detail(error) },
        };
        drop(log);
        writer.close().await;
        outcome
    }
}

/// What was counted of one instance so far.
#[derive(Clone, Copy, Default)]
struct Count {
    /// The last readings of the proxy's counters.
    answers: u64,
    errors: u64,
    /// What they add up to over reloads, since the watch began.
    total: u64,
    bad: u64,
    seen: bool,
}

impl Count {
    /// Takes a reading in. Counters that went down began anew with a new worker of the proxy.
    fn read(&mut self, answers: u64, errors: u64) {
        if self.seen {
            self.total += answers.checked_sub(self.answers).unwrap_or(answers);
            self.bad += errors.checked_sub(self.errors).unwrap_or(errors);
        }
        (self.answers, self.errors, self.seen) = (answers, errors, true);
    }
}

impl Watch {
    async fn watch(&self, ctx: &Ctx, run: &Run, log: &Log) -> Result<Outcome, sqlx::Error> {
        let mut counts: HashMap<ContainerName, Count> = HashMap::new();
        let mut until = None;
        loop {
            let Some(watched) = self.watched(ctx, run).await? else {
                log.say(None, "A newer release has taken over: the watch ends.");
                return Ok(Outcome::Succeeded);
            };
            let end = *until.get_or_insert_with(|| Instant::now() + Duration::from_secs_f64(watched.left_s.max(0.0)));
            if let Some(why) = self.look(ctx, run, log, &watched, &mut counts).await? {
                return self.take_back(ctx, run, log, &watched, &why).await;
            }
            if Instant::now() >= end {
                // Nobody goes back to the former release by themselves now: its addresses are free.
                let mut tx = ctx.db.begin(&run.permit).await?;
                routes::release_unserved(&mut tx, &run.permit, self.app).await?;
                tx.commit().await?;
                log.say(None, format!("v{} has lived through its watch.", watched.release.0.number));
                return Ok(Outcome::Succeeded);
            }
            tokio::select! {
                () = sleep(PAUSE.min(end - Instant::now())) => {}
                () = run.cancel.cancelled() => return Ok(Outcome::Cancelled),
                () = run.lost.cancelled() => return Ok(Outcome::Again { after: Duration::ZERO, why: String::new() }),
            }
        }
    }

    async fn watched(&self, ctx: &Ctx, run: &Run) -> Result<Option<Watched>, sqlx::Error> {
        let mut tx = ctx.db.begin(&run.permit).await?;
        let overtaken = deploy_runs::overtaken(&mut tx, &run.permit, self.deploy).await?;
        let watched = deploy_runs::watched(&mut tx, &run.permit, self.deploy).await?;
        tx.commit().await?;
        Ok(watched.filter(|_| !overtaken))
    }

    /// One look at every instance: the reason to take the release back, if there is one. A host that does not answer
    /// is no reason: nothing is known about the release then.
    async fn look(
        &self,
        ctx: &Ctx,
        run: &Run,
        log: &Log,
        watched: &Watched,
        counts: &mut HashMap<ContainerName, Count>,
    ) -> Result<Option<String>, sqlx::Error> {
        let release = &watched.release.0;
        let mut tx = ctx.db.begin(&run.permit).await?;
        let rows = instances::of_app(&mut tx, &run.permit, self.app).await?;
        tx.commit().await?;
        let ours: Vec<&instances::Row> = rows.iter().filter(|row| row.deploy == self.deploy && !row.kept).collect();
        let ids: Vec<HostId> = release.placement.iter().map(|place| place.host).collect();
        let hosts = access::reach(&ctx.access(), &run.permit, &ids).await?;
        let printed = async |host: &Reached, row: &instances::Row| {
            // It may hold secrets: it is shown by a log that knows them, or not at all.
            match (&host.host, deploy::environment(ctx, &run.permit, log, release).await) {
                (Ok(reached), Ok(_)) => last_lines(reached, log, None, &row.name).await,
                (Ok(_), Err(_)) => {
                    log.say(None, "What it printed is not shown: a secret of the release could not be read.")
                }
                (Err(_), _) => {}
            }
        };
        for host in &hosts {
            let here: Vec<&instances::Row> = ours.iter().copied().filter(|row| row.host == host.id()).collect();
            if let Some((row, why)) = restarts(host, &here, &release.spec, log).await {
                printed(host, row).await;
                return Ok(Some(why));
            }
            read(host, &here, counts).await;
        }
        let (total, bad) = counts.values().fold((0, 0), |(t, b), count| (t + count.total, b + count.bad));
        let limit = u64::from(release.spec.watch.max_error_percent);
        if total >= ENOUGH_ANSWERS && bad * 100 >= total * limit {
            for host in &hosts {
                if let Some(row) = ours.iter().find(|row| row.host == host.id()) {
                    printed(host, row).await;
                }
            }
            return Ok(Some(format!("{bad} of {total} answers were errors of 500 and above")));
        }
        Ok(None)
    }

    /// Marks the deploy as taken back and asks for a deploy of the former release, in one transaction.
    async fn take_back(
        &self,
        ctx: &Ctx,
        run: &Run,
        log: &Log,
        watched: &Watched,
        why: &str,
    ) -> Result<Outcome, sqlx::Error> {
        let (permit, bad) = (&run.permit, watched.release.0.number);
        let Some(former) = watched.former else {
            let reason = format!("v{bad} is not well: {why}. There is no former release to go back to.");
            log.say(None, &reason);
            return Ok(Outcome::Failed { reason });
        };
        let reason = format!("v{bad} is taken back: {why}. v{former} is deployed again.");
        log.say(None, &reason);
        log.flush().await;
        let mut tx = ctx.db.begin(permit).await?;
        // Whoever removes the app now comes before this or behind it.
        if !apps::lock(&mut tx, permit, self.app).await? {
            return Ok(Outcome::Succeeded);
        }
        let failure = Failure::TurnedBad { number: bad, detail: why.to_owned() };
        if !deploy_runs::take_back(&mut tx, permit, self.deploy, &failure).await? {
            return Ok(Outcome::Succeeded);
        }
        let cause = Cause::System { why: format!("watch of v{bad}: {why}"), deploy: Some(self.deploy) };
        let deploy = DeployId(uuid::Uuid::now_v7());
        let title = format!("Deploy v{former} of {}", watched.app_name);
        let new = queue::New {
            lock_key: Some(deploy::lock_key(self.app)),
            priority: 10,
            ..queue::New::new(&title, cause.clone())
        };
        let pushed = queue::push(&mut tx, permit, &Deploy { app: self.app, deploy }, new).await?;
        if let Some(job) = pushed.superseded {
            deploy_runs::supersede(&mut tx, permit, job).await?;
        }
        let target = Target::Release { number: former };
        deploy_runs::insert(&mut tx, permit, deploy, self.app, pushed.job, &target, &cause).await?;
        tx.commit().await?;
        Ok(Outcome::Failed { reason })
    }
}

/// The first instance that restarted too often or is gone, and the sentence about it.
async fn restarts<'a>(
    host: &Reached,
    ours: &[&'a instances::Row],
    spec: &Spec,
    log: &Log,
) -> Option<(&'a instances::Row, String)> {
    let docker = host.host.as_ref().ok()?.docker();
    let (limit, memory_mib) = (spec.watch.max_restarts, spec.memory_mib);
    for &row in ours {
        match docker.inspect(&row.name).await {
            Ok(Some(seen)) if seen.restarts >= u32::from(limit) => {
                let end = how_it_ended(docker, &row.name, memory_mib).await;
                return Some((row, format!("instance {} restarted {} times{end}", row.position, seen.restarts)));
            }
            Ok(Some(_)) => {}
            Ok(None) => return Some((row, format!("instance {} is gone from {}", row.position, host.row.name))),
            Err(error) => log.say(None, format!("{} could not be asked: {error}", host.row.name)),
        }
    }
    None
}

/// How an instance that restarts over and over ended last, in words to be added; nothing where it was not seen ended.
async fn how_it_ended(docker: &Docker, name: &ContainerName, memory_mib: Option<u32>) -> String {
    let until = Instant::now() + NEXT_END;
    while Instant::now() < until {
        if let Ok(Some(seen)) = docker.inspect(name).await
            && let Some(ended) = seen.ended
        {
            // 137 under a memory limit is the kernel's doing, also where the daemon did not notice.
            return match (ended.oom || ended.code == 137, memory_mib) {
                (true, Some(limit)) => format!(", killed for its memory: it needed more than its limit of {limit} MB"),
                (_, None) if ended.oom => ", killed for its memory: the host had none left".to_owned(),
                _ => format!(", and ended with status {}", ended.code),
            };
        }
        sleep(NEXT_END_PAUSE).await;
    }
    String::new()
}

/// Reads the proxy's counters of our instances.
async fn read(host: &Reached, ours: &[&instances::Row], counts: &mut HashMap<ContainerName, Count>) {
    let Ok(reached) = &host.host else { return };
    let Ok(now) = proxy::counts(reached).await else { return };
    for row in ours {
        let own = || now.iter().filter(|count| count.name == row.name.as_ref());
        let (answers, errors) = (own().map(|c| c.answers).sum(), own().map(|c| c.answers_5xx).sum());
        counts.entry(row.name.clone()).or_default().read(answers, errors);
    }
}

#[cfg(test)]
mod tests {
    use super::Count;

    #[test]
    fn counters_that_begin_anew_after_a_reload_add_up() {
        let mut count = Count::default();
        for (answers, errors) in [(100, 5), (110, 6), (3, 1), (10, 1)] {
            count.read(answers, errors);
        }
        assert_eq!((count.total, count.bad), (20, 2));
    }
}
