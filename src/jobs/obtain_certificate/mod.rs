//! Getting a certificate, and getting it anew: the account, where the names lead, the order, the proof, the certificate, the hosts.
//! What is under way at the authority is written down before it is gone on with, so that a run after a crash asks for nothing twice.
//! Not here: when (`domain/acme`), the authority (`providers/acme`), bringing it to hosts (`set_certificates`).

mod account;
mod keep;
mod look;
mod prove;
mod seen;

use std::time::Duration;

use rcgen::KeyPair;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

pub(super) use keep::current_leaf;

use super::Ctx;
use super::log::Log;
use super::renewal;
use super::stop::{self, detail};
use crate::db::acme_orders::Row;
use crate::db::{acme, acme_orders, alerts, host_logins, job_steps};
use crate::domain::acme::{Again, CertName, MOST_A_WEEK, Trouble, again, enough_until, names_key, wait_for};
use crate::domain::cause::Cause;
use crate::domain::ids::{AcmeOrderId, JobId};
use crate::domain::job::StepState;
use crate::domain::rights::Permit;
use crate::providers::acme::{Account, Order, Stage, Way};
use crate::queue::{self, Job, Lost, New, Outcome, Run};
use crate::vault::Context;

/// Get a certificate.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ObtainCertificate {
    /// The order.
    pub order: AcmeOrderId,
}

/// The lock key of a team's names: nothing is asked for twice at once.
pub fn lock_key(permit: &Permit, names: &[CertName]) -> String {
    format!("acme:{}:{}", permit.team(), names_key(names))
}

/// Asks for it, in the caller's transaction. One that waits or runs for it already is the one.
pub async fn ask(
    conn: &mut PgConnection,
    permit: &Permit,
    row: &Row,
    cause: Cause,
    priority: i16,
) -> Result<JobId, sqlx::Error> {
    if let Some(job) = row.job {
        return Ok(job);
    }
    let names: Vec<CertName> = row.names.iter().filter_map(|name| name.parse().ok()).collect();
    let title = match names.as_slice() {
        [] => "Get a certificate".to_owned(),
        [one] => format!("Get a certificate for {one}"),
        [one, rest @ ..] => format!("Get a certificate for {one} and {} more", rest.len()),
    };
    let new = New { lock_key: Some(lock_key(permit, &names)), priority, ..New::new(&title, cause) };
    Ok(queue::push(conn, permit, &ObtainCertificate { order: row.id }, new).await?.job)
}

/// Tries in a row that fail before somebody is told, where trying again may help.
const TOLD_AFTER: u32 = 3;
/// The steps.
const STEPS: [&str; 6] = [
    "sign in at the certificate authority",
    "see where the names lead",
    "order the certificate",
    "prove that the names are ours",
    "fetch the certificate",
    "keep it and have it brought to the hosts",
];

/// Why a run stops.
#[derive(Debug)]
enum Stop {
    /// Something people can read, and whether the order at the authority is over with it.
    Trouble(Trouble, bool),
    /// Nothing was tried: for so long it must not be.
    NotYet(Duration),
    /// Something that is not there any more, or was never chosen.
    Nothing(String),
    /// Another run has the job.
    Lost,
    /// The database.
    Db(sqlx::Error),
}

impl From<sqlx::Error> for Stop {
    fn from(error: sqlx::Error) -> Self {
        Self::Db(error)
    }
}

impl From<Lost> for Stop {
    fn from(lost: Lost) -> Self {
        match lost {
            Lost::Taken => Self::Lost,
            Lost::Unknown(error) => Self::Db(error),
        }
    }
}

impl From<Trouble> for Stop {
    fn from(trouble: Trouble) -> Self {
        let over = trouble.counts() || matches!(trouble, Trouble::Refused { .. });
        Self::Trouble(trouble, over)
    }
}

impl Job for ObtainCertificate {
    const KIND: &'static str = "obtain_certificate";
    /// An authority may take two minutes twice, and a record as long to be seen.
    const DEADLINE: Duration = Duration::from_secs(15 * 60);
    type Ctx = Ctx;

    async fn run(self, ctx: &Ctx, run: &Run) -> Outcome {
        let (log, writer) = Log::open(run);
        let ended = tokio::select! {
            () = run.lost.cancelled() => Err(Stop::Lost),
            () = run.cancel.cancelled() => {
                drop(log);
                writer.close().await;
                return Outcome::Cancelled;
            }
            ended = self.obtain(ctx, run, &log) => ended,
        };
        let outcome = match self.end(ctx, run, &log, ended).await {
            Ok(outcome) => outcome,
            Err(error) => Outcome::Again { after: run.backoff(), why: detail(error) },
        };
        log.flush().await;
        drop(log);
        writer.close().await;
        outcome
    }
}

impl ObtainCertificate {
    /// Writes down how it went.
    async fn end(&self, ctx: &Ctx, run: &Run, log: &Log, ended: Result<(), Stop>) -> Result<Outcome, sqlx::Error> {
        let (trouble, over) = match ended {
            Ok(()) => return Ok(Outcome::Succeeded),
            Err(Stop::Lost) => return Ok(Outcome::Again { after: Duration::ZERO, why: String::new() }),
            Err(Stop::Db(error)) => return Err(error),
            Err(Stop::Nothing(reason)) => return Ok(Outcome::Failed { reason }),
            Err(Stop::NotYet(wait)) => {
                let mut tx = ctx.db.begin(&run.permit).await?;
                acme_orders::put_off(&mut tx, &run.permit, self.order, wait.as_secs_f64()).await?;
                tx.commit().await?;
                let minutes = wait.as_secs().div_ceil(60).max(1);
                let reason = format!(
                    "Three proofs of a name failed within the hour, and the certificate authority counts them. It is tried again in {minutes} min."
                );
                return Ok(Outcome::Failed { reason });
            }
            Err(Stop::Trouble(trouble, over)) => (trouble, over),
        };
        let reason = log.redacted(&trouble.sentence());
        log.say(None, &reason);
        let mut tx = ctx.db.begin(&run.permit).await?;
        if let Some(row) = acme_orders::list(&mut tx, &run.permit, Some(self.order)).await?.pop() {
            let tries = u32::try_from(row.tries).unwrap_or(0).saturating_add(1);
            let now = acme_orders::now(&mut tx).await?;
            let after = match again(&trouble, tries, now) {
                Again::After(pause) => Some(pause.as_secs_f64()),
                Again::Asked => None,
            };
            acme_orders::note_trouble(&mut tx, &run.permit, self.order, &trouble, after, over).await?;
            // A name that was just entered has the time to come to lead here before anybody is told of it.
            if tries >= TOLD_AFTER || after.is_none() {
                let needs = alerts::Needs {
                    cause: &reason,
                    stage: if after.is_none() { alerts::PERSON } else { "" },
                    uploaded: false,
                };
                alerts::certificate(&mut tx, &run.permit, self.order.0, &row.names, Some(needs)).await?;
            }
            // An account that is not accepted is not tried again: whoever asks next asks with another one.
            if matches!(trouble, Trouble::Account { .. })
                && let Some(settings) = acme::settings(&mut tx).await?
            {
                acme::forget_account(&mut tx, &run.permit, &settings).await?;
            }
            if trouble.counts() {
                acme::note_failures(&mut tx, &counted(&trouble, &row.names)).await?;
            }
        }
        tx.commit().await?;
        Ok(Outcome::Failed { reason })
    }

    /// Whether the host renewed it itself while the panel was gone, and its time is yet to come.
    async fn renewed_meanwhile(&self, ctx: &Ctx, run: &Run, log: &Log) -> Result<bool, Stop> {
        let mut tx = ctx.db.begin(&run.permit).await?;
        let row = acme_orders::list(&mut tx, &run.permit, Some(self.order)).await?.pop();
        tx.commit().await?;
        let Some(certificate) = row.as_ref().filter(|row| row.dns_account.is_none()).and_then(|row| row.certificate)
        else {
            return Ok(false);
        };
        let looked = renewal::look_at_those_with(ctx, run, log, certificate).await;
        let looked = looked.map_err(|why| match why {
            stop::Stop::Again(why) => Stop::Db(sqlx::Error::Protocol(why)),
            _ => Stop::Lost,
        })?;
        if looked == 0 {
            return Ok(false);
        }
        let mut tx = ctx.db.begin(&run.permit).await?;
        let row = acme_orders::list(&mut tx, &run.permit, Some(self.order)).await?.pop();
        let now = acme_orders::now(&mut tx).await?;
        let settings = acme::settings(&mut tx).await?;
        tx.commit().await?;
        // One of the authority that was chosen before is got anew all the same.
        let ours = |row: &Row| settings.is_none_or(|settings| !row.is_of_another_than(&settings.directory));
        Ok(row.is_some_and(|row| row.trouble.is_none() && row.next_at.is_some_and(|next| next > now) && ours(&row)))
    }

    async fn obtain(&self, ctx: &Ctx, run: &Run, log: &Log) -> Result<(), Stop> {
        if self.renewed_meanwhile(ctx, run, log).await? {
            return Ok(());
        }
        let mut tx = ctx.db.begin(&run.permit).await?;
        let row = acme_orders::list(&mut tx, &run.permit, Some(self.order)).await?.pop();
        let settings = acme::settings(&mut tx).await?;
        // What a host renewed at the former authority came in this run, and is no more than that.
        let others = row.as_ref().zip(settings.as_ref());
        let others = others.is_some_and(|(row, settings)| row.is_of_another_than(&settings.directory));
        if !others && acme_orders::was_got_by(&mut tx, &run.permit, self.order, run.job).await? {
            tx.commit().await?;
            log.say(None, "It was got and kept before this run.");
            return Ok(());
        }
        let data_key = host_logins::data_key(&mut tx, &run.permit).await?;
        let steps = STEPS.map(|words| job_steps::NewStep { stage: String::new(), host: None, words: words.to_owned() });
        let first = job_steps::plan(&mut tx, &run.permit, run.job, run.fence, &steps).await?;
        tx.commit().await?;
        let row = row.ok_or_else(|| Stop::Nothing("This certificate is not wanted any more.".to_owned()))?;
        let settings = settings.ok_or_else(|| {
            Stop::Nothing(
                "No certificate authority is chosen. An owner of the panel's first team chooses one.".to_owned(),
            )
        })?;
        let first = first.ok_or(Stop::Lost)?;
        let names = row.names.iter().filter_map(|name| name.parse().ok()).collect();
        let way = if row.dns_account.is_some() { Way::Dns } else { Way::Http };
        Work { ctx, run, log, first, row, names, way, settings, data_key }.all().await
    }
}

/// The names whose proof failed: the one that is said, or all.
fn counted(trouble: &Trouble, all: &[String]) -> Vec<String> {
    let one = match trouble {
        Trouble::LookUp { name, .. }
        | Trouble::Caa { name, .. }
        | Trouble::NotProven { name, .. }
        | Trouble::NotFound { name, .. } => name.as_str(),
        _ => "",
    };
    let of_it = |name: &&String| name.strip_prefix("*.").unwrap_or(name) == one;
    let found: Vec<String> = all.iter().filter(of_it).cloned().collect();
    if found.is_empty() { all.to_vec() } else { found }
}

/// One run, with all that it needs.
struct Work<'a> {
    ctx: &'a Ctx,
    run: &'a Run,
    log: &'a Log,
    /// The number of the first step.
    first: i32,
    row: Row,
    names: Vec<CertName>,
    way: Way,
    settings: acme::Settings,
    data_key: Vec<u8>,
}

impl Work<'_> {
    async fn all(&self) -> Result<(), Stop> {
        let account = self.step(0, self.sign_in()).await?;
        let doubts = self.step(1, self.look(&account)).await?;
        let (mut order, key) = self.step(2, self.order(&account)).await?;
        self.step(3, self.prove(&mut order, &doubts)).await?;
        let chain = self.step(4, self.fetch(&mut order, &key)).await?;
        self.step(5, self.keep(&chain, &key)).await
    }

    /// Does a step, and says how it went.
    async fn step<T>(&self, at: i32, work: impl Future<Output = Result<(T, String), Stop>>) -> Result<T, Stop> {
        let seq = self.first + at;
        self.log.began(seq);
        match work.await {
            Ok((done, note)) => {
                self.log.ended(seq, StepState::Changed, note);
                Ok(done)
            }
            Err(stop) => {
                if let Stop::Trouble(trouble, _) = &stop {
                    self.log.ended(seq, StepState::Failed, detail(self.log.redacted(&trouble.brief())));
                }
                Err(stop)
            }
        }
    }

    /// The order at the authority, and the key that its certificate gets: those under way, or new ones.
    async fn order(&self, account: &Account) -> Result<((Order, KeyPair), String), Stop> {
        let (run, id) = (self.run, self.row.id);
        let under_way = !self.row.order_url.is_empty() && self.row.order_directory == self.settings.directory;
        if let (true, Some(key)) = (under_way, self.kept_key())
            && let Some(mut order) = account.known_order(&self.row.order_url).await?
        {
            self.tidy(&mut order).await?;
            if order.stage() != Stage::Over {
                return Ok(((order, key), "the one that was under way".to_owned()));
            }
        }
        let mut tx = self.ctx.db.begin(&run.permit).await?;
        let (failures, now) = acme::failures(&mut tx, &self.row.names).await?;
        let (issues, _) = acme::issues(&mut tx, &self.settings.directory, &names_key(&self.names)).await?;
        tx.commit().await?;
        if let Some(wait) = wait_for(&failures, now) {
            return Err(Stop::NotYet(wait));
        }
        if let Some(until) = enough_until(&issues, now) {
            let detail = format!("{MOST_A_WEEK} for exactly these names were got within 7 days, as many as it gives.");
            return Err(Trouble::RateLimited { until: Some(until), detail, shared: false }.into());
        }
        let key = KeyPair::generate().map_err(no_key)?;
        let place = Context::acme_key(run.permit.team(), id.0);
        let sealed = self.ctx.vault.seal(&self.data_key, &place, &key.serialize_der()).map_err(no_key)?;
        let former = self.former().await?;
        let mut tx = run.begin().await?;
        acme_orders::note_key(&mut tx, &run.permit, id, &sealed).await?;
        tx.commit().await?;
        run.still_mine().await?;
        let order = account.order(&self.row.names, former.as_deref()).await?;
        let mut tx = run.begin().await?;
        acme_orders::note_order(&mut tx, &run.permit, id, &self.settings.directory, order.url()).await?;
        tx.commit().await?;
        Ok(((order, key), String::new()))
    }

    /// The key that was kept for an order under way.
    fn kept_key(&self) -> Option<KeyPair> {
        let place = Context::acme_key(self.run.permit.team(), self.row.id.0);
        let opened = self.ctx.vault.unseal(&self.data_key, &place, self.row.order_key.as_ref()?).ok()?;
        KeyPair::try_from(opened.expose().as_slice()).ok()
    }

    /// The certificate that is replaced, for the authority to know that it is; none where another one gave it.
    async fn former(&self) -> Result<Option<Vec<u8>>, sqlx::Error> {
        let known_there = !self.row.is_of_another_than(&self.settings.directory);
        let Some(certificate) = self.row.certificate.filter(|_| known_there) else { return Ok(None) };
        current_leaf(self.ctx, self.run, certificate, &self.data_key).await
    }
}

/// A key that cannot be made, sealed or used: a mistake of ours, said without what it was.
fn no_key(error: impl std::fmt::Display) -> Stop {
    tracing::error!(%error, "A key could not be made, sealed or used");
    let detail = "the key of the certificate could not be made or sealed; the panel's log has the cause.".to_owned();
    Stop::Trouble(Trouble::Refused { detail }, true)
}
