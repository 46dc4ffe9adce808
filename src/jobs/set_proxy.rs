//! Letting an app's routes with their rules hold, or whom a host believes. HAProxy of every host is asked about its new file
//! first; only what all of them accept is written down as so, and then brought to each. Not here: what the file says
//! (`domain/ingress`).

use std::time::Duration;

use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

use super::Ctx;
use super::certificates::Trouble;
use super::execute::bring;
use super::execute::ingress::{self, Listens};
use super::log::Log;
use super::logged;
use super::stop::{self, Stop, detail};
use crate::access::{self, Reached};
use crate::db::{Tx, apps, fronts, job_steps, routes};
use crate::domain::cause::Cause;
use crate::domain::deploy::Failure;
use crate::domain::ids::{AppId, HostId, JobId};
use crate::domain::job::StepState;
use crate::domain::rights::Permit;
use crate::queue::{self, Job, New, Outcome, Run};
use crate::remote::Host;

/// Let what is wanted of a proxy hold.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SetProxy {
    /// Of what.
    #[serde(flatten)]
    pub of: Of,
}

/// What something is wanted of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Of {
    /// An app: its routes, their rules, its front.
    App(AppId),
    /// A host: whom it believes.
    Host(HostId),
}

/// The lock key: one runs, one waits, and that one sees all that was wanted by then.
pub fn lock_key(of: Of) -> String {
    match of {
        Of::App(app) => format!("routes:{app}"),
        Of::Host(host) => format!("trust:{host}"),
    }
}

/// Asks for it, in the transaction that stores what is wanted.
pub async fn ask(
    conn: &mut PgConnection,
    permit: &Permit,
    of: Of,
    title: &str,
    cause: Cause,
) -> Result<JobId, sqlx::Error> {
    let host = match of {
        Of::App(_) => None,
        Of::Host(host) => Some(host),
    };
    let new = New { lock_key: Some(lock_key(of)), host, ..New::new(title, cause) };
    Ok(queue::push(conn, permit, &SetProxy { of }, new).await?.job)
}

/// Asks for what the proxies did not take so far, of every app behind this host's: what was in the way may be gone.
pub async fn ask_waiting(conn: &mut PgConnection, permit: &Permit, host: HostId) -> Result<(), sqlx::Error> {
    for (app, name) in routes::waiting(&mut *conn, permit, host).await? {
        // One that waits has its own pace, which is slow where something was in the way.
        let cause = Cause::System { why: "a server that was made ready".to_owned(), deploy: None };
        ask(&mut *conn, permit, Of::App(app), &format!("Routes of {name}"), cause).await?;
    }
    Ok(())
}

/// So often what went wrong on the way to a proxy is tried again, after a second or two.
const SOON: i16 = 2;
/// Between two tries for a host that does not answer: as often as its watch looks for it.
const AWAY: Duration = Duration::from_secs(60);
/// Between two tries where something else is in the way, as for certificates.
const TROUBLE: Duration = Duration::from_secs(15 * 60);

impl Job for SetProxy {
    const KIND: &'static str = "set_proxy";
    /// Locks of deploys that write a file, and a reload of thousands of servers.
    const DEADLINE: Duration = Duration::from_secs(600);
    type Ctx = Ctx;

    async fn run(self, ctx: &Ctx, run: &Run) -> Outcome {
        let (log, writer) = Log::open(run);
        let mut way = Way::default();
        let ended = self.set(ctx, run, &log, &mut way).await;
        logged::close(run, log, writer, ended, |failure, reason| match failure {
            // A proxy that starts anew in this moment, a connection that broke: what is wanted is so by now, and is brought all the same.
            Failure::HostUnreachable { .. } | Failure::ProxyUnavailable { .. } if run.attempt <= SOON => {
                Outcome::Again { after: run.backoff(), why: reason }
            }
            // Some proxies may have it: a full disk or a proxy that is away is tried again until all do, or one refuses it.
            _ if !way.back && (way.applied || run.attempt > 1) => Outcome::Later { after: TROUBLE, why: reason },
            _ => Outcome::Failed { reason },
        })
        .await
    }
}

impl SetProxy {
    /// Says in `way` how far it came.
    async fn set(&self, ctx: &Ctx, run: &Run, log: &Log, way: &mut Way) -> Result<Outcome, Stop> {
        let permit = &run.permit;
        let mut tx = run.begin().await?;
        if let Of::App(app) = self.of
            && routes::front(&mut tx, permit, app).await?.is_none()
        {
            // Removed meanwhile, and its routes with it.
            return Ok(Outcome::Succeeded);
        }
        let (ids, alters) = match self.of {
            Of::App(app) => (routes::hosts(&mut tx, permit, app).await?, alters_file(&mut tx, run, app).await?),
            Of::Host(host) => (vec![host], true),
        };
        tx.commit().await?;
        let hosts = access::reach(&ctx.access(), permit, &ids).await?;
        let steps: Vec<job_steps::NewStep> = hosts.iter().map(step).collect();
        let mut tx = ctx.db.begin(permit).await?;
        let first = job_steps::plan(&mut tx, permit, run.job, run.fence, &steps).await?.ok_or(Stop::Lost)?;
        tx.commit().await?;
        for reached in hosts.iter().filter(|_| alters) {
            if let Err(words) = self.asked(ctx, run, reached).await? {
                let name = &reached.row.name;
                return Ok(Outcome::Failed { reason: format!("{name}: {words}. Nothing was changed.") });
            }
        }
        let mut tx = run.begin().await?;
        self.apply(&mut tx, run).await?;
        tx.commit().await?;
        way.applied = true;
        let mut waits = None;
        for (seq, reached) in (first..).zip(&hosts) {
            log.began(seq);
            let (state, note) = match self.bring(ctx, run, reached).await? {
                Brought::To(note) => (StepState::Changed, note),
                Brought::Away(why) => {
                    waits = waits.or_else(|| Some(format!("{} does not answer: {why}", reached.row.name)));
                    (StepState::Failed, why)
                }
                Brought::Refused(words) => {
                    log.ended(seq, StepState::Failed, words.clone());
                    way.back = true;
                    let words = self.back(ctx, run, &hosts, words).await?;
                    return Ok(Outcome::Failed { reason: format!("{}: {words}", reached.row.name) });
                }
            };
            log.ended(seq, state, note);
        }
        if let Some(why) = waits {
            return Ok(Outcome::Later { after: AWAY, why: log.redacted(&why) });
        }
        let mut tx = run.begin().await?;
        match self.of {
            Of::App(app) => routes::settle(&mut tx, permit, app).await?,
            Of::Host(host) => fronts::settle_trust(&mut tx, permit, host).await?,
        }
        tx.commit().await?;
        Ok(Outcome::Succeeded)
    }

    /// What is wanted is so from here on.
    async fn apply(&self, tx: &mut Tx<'_>, run: &Run) -> Result<(), sqlx::Error> {
        match self.of {
            Of::App(app) => {
                // A deploy that writes the same rows comes before or after.
                apps::lock(tx, &run.permit, app).await?;
                routes::apply(tx, &run.permit, app).await
            }
            Of::Host(host) => fronts::apply_trust(tx, &run.permit, host).await,
        }
    }

    /// Asks the HAProxy of a host about the file it shall have, where it is more than routes and servers. One that does not
    /// answer is asked when it does.
    async fn asked(&self, ctx: &Ctx, run: &Run, reached: &Reached) -> Result<Result<(), String>, Stop> {
        let Ok(host) = &reached.host else { return Ok(Ok(())) };
        let listens = Listens::now(&reached.row);
        let mut tx = run.begin().await?;
        let now = ingress::of_host_in(&mut tx, &run.permit, reached.id(), &listens).await?;
        self.apply(&mut tx, run).await?;
        let wanted = ingress::of_host_in(&mut tx, &run.permit, reached.id(), &listens).await?;
        // Only looked at: this is not so yet.
        drop(tx);
        if now.fixed() == wanted.fixed() {
            return Ok(Ok(()));
        }
        ingress::lock(ctx, run, reached.id(), &reached.row.name).await?;
        let said = bring::accepts(host, &wanted).await;
        ingress::unlock(ctx, run, reached.id()).await?;
        match said {
            Ok(said) => Ok(said),
            Err(error) if error.is_connection() => Ok(Ok(())),
            Err(error) => Err(stop::on_host(&reached.row.name, error)),
        }
    }

    async fn bring(&self, ctx: &Ctx, run: &Run, reached: &Reached) -> Result<Brought, Stop> {
        let host = match &reached.host {
            Ok(host) => host,
            Err(error) => return Ok(Brought::Away(detail(error))),
        };
        ingress::lock(ctx, run, reached.id(), &reached.row.name).await?;
        let brought = self.bring_locked(ctx, run, reached, host).await;
        ingress::unlock(ctx, run, reached.id()).await?;
        brought
    }

    async fn bring_locked(&self, ctx: &Ctx, run: &Run, reached: &Reached, host: &Host) -> Result<Brought, Stop> {
        let wanted = ingress::of_host(ctx, &run.permit, reached.id(), &Listens::now(&reached.row)).await?;
        run.still_mine().await?;
        Ok(match bring::bring(ctx, &run.permit, reached.id(), host, &wanted).await {
            Ok(Ok(None)) => Brought::To(String::new()),
            Ok(Ok(Some(_))) => Brought::To("the proxy was reloaded".to_owned()),
            Ok(Err(words)) => Brought::Refused(words),
            Err(Trouble::Host(error)) if error.is_connection() => Brought::Away(detail(error)),
            Err(trouble) => return Err(ingress::troubled(&reached.row.name, trouble)),
        })
    }

    /// Puts back what held before, where a proxy could not take what is wanted, and says what is so now. HAProxy has read the
    /// file before: what it finds out only when it is loaded is that it cannot open a port.
    async fn back(&self, ctx: &Ctx, run: &Run, hosts: &[Reached], words: String) -> Result<String, Stop> {
        let permit = &run.permit;
        let mut tx = run.begin().await?;
        let mut new = Vec::new();
        match self.of {
            Of::App(app) => {
                if let Some(front) = routes::front(&mut tx, permit, app).await? {
                    let former = front.former.map(|former| former.0.ports).unwrap_or_default();
                    let ports = front.applied.0.ports.into_iter().map(|port| port.port);
                    new.extend(ports.filter(|port| former.iter().all(|known| known.port != *port)));
                }
                routes::restore(&mut tx, permit, app).await?;
            }
            Of::Host(host) => fronts::restore_trust(&mut tx, permit, host).await?,
        }
        tx.commit().await?;
        for reached in hosts {
            self.bring(ctx, run, reached).await?;
        }
        let new: Vec<String> = new.iter().map(ToString::to_string).collect();
        let so = "What held before holds again.";
        Ok(match new.as_slice() {
            [] => format!("{words}. {so}"),
            ports => {
                format!("Port {} cannot be opened: something else on the host listens there. {so}", ports.join(" or "))
            }
        })
    }
}

/// How far a run came.
#[derive(Clone, Copy, Debug, Default)]
struct Way {
    /// What is wanted is so.
    applied: bool,
    /// A proxy refused it, and what held before is put back: it is not tried again by itself.
    back: bool,
}

/// What came of it on one host.
enum Brought {
    /// It has it; a note.
    To(String),
    /// It does not answer, for this reason.
    Away(String),
    /// HAProxy did not take it, in these words.
    Refused(String),
}

fn step(reached: &Reached) -> job_steps::NewStep {
    let words = format!("let it hold on {}", reached.row.name);
    job_steps::NewStep { stage: String::new(), host: Some(reached.id()), words }
}

/// Whether what is wanted of an app's routes is more than lines of a map: rules and fronts stand in the file. The whole of it is read only
/// where this is so.
async fn alters_file(tx: &mut Tx<'_>, run: &Run, app: AppId) -> Result<bool, sqlx::Error> {
    let Some(front) = routes::front(tx, &run.permit, app).await? else { return Ok(false) };
    let rows = routes::of_app(tx, &run.permit, app).await?;
    let same =
        |row: &routes::Row| row.applied.as_ref().map_or(row.rules.is_plain(), |applied| applied.0 == row.rules.0);
    Ok(front.wanted.0 != front.applied.0 || !rows.iter().all(same))
}
