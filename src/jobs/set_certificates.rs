//! Bringing a host's certificates up to date: what its routes need comes, what they do not goes, without a reload. Not here: which
//! certificate serves which name (`domain/certificate`).

use std::time::Duration;

use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

use super::Ctx;
use super::certificates::{self, By, Trouble};
use super::execute::ingress::{self, Listens};
use super::log::Log;
use super::logged;
use super::renewal;
use super::stop::{self, Stop};
use crate::access::{self, Reached};
use crate::db::{self, job_steps};
use crate::domain::cause::Cause;
use crate::domain::deploy::Failure;
use crate::domain::ids::{HostId, JobId};
use crate::domain::ingress::Ingress;
use crate::domain::job::StepState;
use crate::domain::rights::Permit;
use crate::queue::{self, Job, New, Outcome, Run};
use crate::remote::Host;

/// Bring a host's certificates up to date.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SetCertificates {
    /// The host.
    pub host: HostId,
}

/// So often it is tried again after a second or two; where that does not help, at the pace below. These count as attempts, those do not.
const SOON: i16 = 2;
/// Between two tries at a host that does not answer. It goes on until the host is back or is forgotten.
const AWAY_PAUSE: Duration = Duration::from_secs(120);
/// Between two tries where something else is in the way.
const TROUBLE_PAUSE: Duration = Duration::from_secs(15 * 60);
/// The steps.
const STEPS: [&str; 3] = [
    "write the certificates' files",
    "have the running proxy serve them",
    "look whether it has the others as they were brought",
];

/// One runs for a host, and one waits.
fn lock_key(host: HostId) -> String {
    format!("certificates:{host}")
}

/// Asks for it, in the transaction that stores what is new.
pub async fn ask(
    conn: &mut PgConnection,
    permit: &Permit,
    host: HostId,
    name: &str,
    cause: Cause,
) -> Result<JobId, sqlx::Error> {
    let title = format!("Certificates of {name}");
    let new = New { lock_key: Some(lock_key(host)), host: Some(host), ..New::new(&title, cause) };
    Ok(queue::push(conn, permit, &SetCertificates { host }, new).await?.job)
}

/// The same where the host's name is not at hand. Nothing where its proxy serves no HTTPS, or where one waits: it has its own pace.
pub async fn ask_of(conn: &mut PgConnection, permit: &Permit, host: HostId, cause: Cause) -> Result<(), sqlx::Error> {
    if queue::waits(&mut *conn, permit, &lock_key(host)).await? {
        return Ok(());
    }
    let hosts = db::certificates::hosts(&mut *conn, permit).await?;
    if let Some((host, name)) = hosts.into_iter().find(|(id, _)| *id == host) {
        ask(conn, permit, host, &name, cause).await?;
    }
    Ok(())
}

/// Asks for it on every host of the team whose proxy serves HTTPS.
pub async fn ask_all(conn: &mut PgConnection, permit: &Permit, cause: Cause) -> Result<Vec<JobId>, sqlx::Error> {
    let mut jobs = Vec::new();
    for (host, name) in db::certificates::hosts(&mut *conn, permit).await? {
        jobs.push(ask(&mut *conn, permit, host, &name, cause.clone()).await?);
    }
    Ok(jobs)
}

impl Job for SetCertificates {
    const KIND: &'static str = "set_certificates";
    /// A thousand files on a slow line.
    const DEADLINE: Duration = Duration::from_secs(600);
    type Ctx = Ctx;

    async fn run(self, ctx: &Ctx, run: &Run) -> Outcome {
        let (log, writer) = Log::open(run);
        let ended = logged::until(run, self.set(ctx, run, &log)).await.map(|()| Outcome::Succeeded);
        logged::close(run, log, writer, ended, |failure, why| {
            // Most of what is in the way for a moment is over within seconds.
            if run.attempt <= SOON {
                return Outcome::Again { after: run.backoff(), why };
            }
            // What is not brought now would be brought by nobody: a full disk or a proxy that refuses is tried again, too.
            let away = matches!(failure, Failure::HostUnreachable { .. } | Failure::ProxyUnavailable { .. });
            Outcome::Later { after: if away { AWAY_PAUSE } else { TROUBLE_PAUSE }, why }
        })
        .await
    }
}

impl SetCertificates {
    async fn set(&self, ctx: &Ctx, run: &Run, log: &Log) -> Result<(), Stop> {
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
        if Listens::now(&reached.row).https.is_none() {
            log.say(None, "The proxy of this server does not serve HTTPS. Give it a port for that, and make the server ready again.");
            return Ok(());
        }
        renewal::look(ctx, run, log, &reached, &host).await?;
        set(ctx, run, log, &reached, &host, Some(first)).await
    }
}

/// The same as a part of another job.
pub async fn up_to_date(ctx: &Ctx, run: &Run, log: &Log, reached: &Reached, host: &Host) -> Result<(), Stop> {
    set(ctx, run, log, reached, host, None).await
}

async fn set(ctx: &Ctx, run: &Run, log: &Log, reached: &Reached, host: &Host, first: Option<i32>) -> Result<(), Stop> {
    let told = Told { log, first };
    let done = async {
        match whole(ctx, run, &told, reached, host).await? {
            (wanted, true) => others(ctx, run, &told, reached, host, &wanted).await,
            // Somebody is served now who was not before: with many new ones, each would ask about all others again.
            (_, false) => {
                told.ended(2, StepState::Skipped, "the others were not asked about, as something new came".to_owned());
                Ok(())
            }
        }
    };
    let done = done.await;
    log.flush().await;
    done
}

/// The first two steps, under the lock of the host: what is wanted, and whether that was so already.
async fn whole(ctx: &Ctx, run: &Run, told: &Told<'_>, reached: &Reached, host: &Host) -> Result<(Ingress, bool), Stop> {
    ingress::lock(ctx, run, reached.id(), &reached.row.name).await?;
    let done = Box::pin(locked(ctx, run, told, reached, host)).await;
    ingress::unlock(ctx, run, reached.id()).await?;
    done
}

/// The third: the running proxy is asked about every certificate it has, which takes its time where there are thousands, and stands in
/// nobody's way. What somebody changed there is brought anew.
async fn others(
    ctx: &Ctx,
    run: &Run,
    told: &Told<'_>,
    reached: &Reached,
    host: &Host,
    wanted: &Ingress,
) -> Result<(), Stop> {
    told.began(2);
    let differ = certificates::other_versions(ctx, &run.permit, host, wanted).await;
    let differ = differ.map_err(|trouble| ingress::troubled(&reached.row.name, trouble))?;
    if differ.is_empty() {
        told.ended(2, StepState::Unchanged, "the others are as they were brought".to_owned());
        return Ok(());
    }
    run.still_mine().await?;
    certificates::bring_anew(ctx, &run.permit, reached.id(), &differ).await?;
    whole(ctx, run, &Told { log: told.log, first: None }, reached, host).await?;
    told.ended(2, StepState::Changed, format!("{} brought anew", differ.len()));
    Ok(())
}

/// The two steps as they are shown, where they are steps.
struct Told<'a> {
    log: &'a Log,
    first: Option<i32>,
}

impl Told<'_> {
    fn began(&self, step: i32) {
        if let Some(first) = self.first {
            self.log.began(first + step);
        }
    }

    fn ended(&self, step: i32, state: StepState, note: String) {
        match self.first {
            Some(first) => self.log.ended(first + step, state, note),
            None => self.log.say(None, note),
        }
    }
}

async fn locked(
    ctx: &Ctx,
    run: &Run,
    told: &Told<'_>,
    reached: &Reached,
    host: &Host,
) -> Result<(Ingress, bool), Stop> {
    let (permit, row) = (&run.permit, &reached.row);
    let troubled = |trouble| ingress::troubled(&row.name, trouble);
    told.began(0);
    let wanted = ingress::of_host(ctx, permit, row.id, &Listens::now(row)).await?;
    run.still_mine().await?;
    // On the heap: two of them side by side would fill a thread's stack.
    let by = if run.attempt > 1 { By::Folder } else { By::Notes };
    let lacking = Box::pin(certificates::lacking(ctx, permit, row.id, host, &wanted, by));
    let (brought, running) = tokio::join!(lacking, Box::pin(certificates::look(host, &wanted)));
    let brought = brought.map_err(troubled)?;
    let serves = running.as_ref().is_ok_and(|running| running.as_ref().is_some_and(|seen| seen.serves(&wanted)));
    // Somebody may wait for the lock: files that stand there already are not written again.
    if by == By::Folder || !serves || !brought.is_empty() {
        ingress::put(host, &wanted, &brought).await.map_err(|error| troubled(error.into()))?;
    }
    let note = match brought.len() {
        0 => "they are there".to_owned(),
        1 => "one is new".to_owned(),
        many => format!("{many} are new"),
    };
    told.ended(0, if brought.is_empty() { StepState::Unchanged } else { StepState::Changed }, note);
    told.began(1);
    let running = running.map_err(|error| troubled(error.into()))?;
    let settled = Box::pin(certificates::settle_seen(ctx, permit, row.id, host, &wanted, running, brought, true)).await;
    let said = settled.map_err(|trouble| {
        if let Trouble::Host(error) = &trouble {
            told.ended(1, StepState::Failed, stop::detail(error));
        }
        troubled(trouble)
    })?;
    let (state, note) = match said.is_empty() {
        true => (StepState::Unchanged, "it serves them".to_owned()),
        false => (StepState::Changed, stop::detail(said.join("; "))),
    };
    told.ended(1, state, note);
    Ok((wanted, said.is_empty()))
}
