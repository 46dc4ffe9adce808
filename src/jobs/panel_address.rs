//! Trying a name for the panel: the server's proxy leads to the panel under it, and the panel is reached through the name as from
//! outside. It stays on trial until somebody who came under it says so, and goes by itself otherwise. Not here: what the panel is
//! called meanwhile; the loopback address and the former name go on working.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use time::OffsetDateTime;
use tokio::time::timeout;

use serde::{Deserialize, Serialize};

use super::Ctx;
use super::execute::ingress::Listens;
use super::log::Log;
use super::logged;
use super::set_certificates;
use super::stop::{self, Stop};
use crate::access::{self, Reached};
use crate::db::panel_addresses::{self, Row, State};
use crate::db::{certificates, job_steps};
use crate::domain::acme::{self, Doubt};
use crate::domain::certificate::{ByName, Candidate};
use crate::domain::ingress::PROOF_PATH;
use crate::domain::job::StepState;
use crate::providers::outside::{self, Answered, Asked, Unmet};
use crate::queue::{Job, Outcome, Run};
use crate::remote::Host;

/// Try the name that is on trial.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PanelAddress {
    /// Which trial: another one has another nonce.
    pub nonce: String,
    /// Whether the name is kept as soon as it was reached.
    pub keep: bool,
}

/// The lock key: one name at a time.
pub const LOCK: &str = "panel-address";
/// How long somebody has to open the panel under a name that leads to it, and to say that it works.
pub const CONFIRM: Duration = Duration::from_secs(15 * 60);
/// Between two tries of a name that does not lead here yet: DNS takes its time.
const PAUSE: Duration = Duration::from_secs(15);
/// How long a connection to the panel's own door may take.
const DOOR_LIMIT: Duration = Duration::from_secs(5);
/// How long the name servers that keep the name may take.
const KEPT_LIMIT: Duration = Duration::from_secs(15);
/// The steps.
const STEPS: [&str; 3] = [
    "look for the panel on the server's loopback",
    "have the server's proxy lead to it",
    "reach it through the name, as from outside",
];

impl Job for PanelAddress {
    const KIND: &'static str = "panel_address";
    /// Some connections, each with its limit, and a proxy's files.
    const DEADLINE: Duration = Duration::from_secs(300);
    type Ctx = Ctx;

    async fn run(self, ctx: &Ctx, run: &Run) -> Outcome {
        let (log, writer) = Log::open(run);
        let ended = logged::until(run, self.go_on(ctx, run, &log)).await;
        logged::close(run, log, writer, ended, |_, why| Outcome::Later { after: PAUSE, why }).await
    }
}

impl PanelAddress {
    async fn go_on(&self, ctx: &Ctx, run: &Run, log: &Log) -> Result<Outcome, Stop> {
        let mut tx = ctx.db.begin(&run.permit).await?;
        let row = panel_addresses::of_nonce(&mut tx, &self.nonce).await?;
        let ended = panel_addresses::end_trial(&mut tx, &self.nonce).await?;
        if ended {
            // Whatever becomes of this run, the proxies are told.
            set_certificates::ask_all(&mut tx, &run.permit, run.cause.clone()).await?;
        }
        tx.commit().await?;
        let Some(row) = row else {
            log.say(None, "The trial is over.");
            return Ok(Outcome::Succeeded);
        };
        if row.state == State::Serving {
            log.say(None, format!("The panel is known as {}.", row.domain));
            return Ok(Outcome::Succeeded);
        }
        if ended {
            return self.returned(ctx, run, log, &row).await;
        }
        if row.reached_at.is_some() {
            return Ok(waits(&row));
        }
        let steps = STEPS.map(|words| job_steps::NewStep {
            stage: String::new(),
            host: Some(row.host),
            words: words.to_owned(),
        });
        let mut tx = ctx.db.begin(&run.permit).await?;
        let first = job_steps::plan(&mut tx, &run.permit, run.job, run.fence, &steps).await?;
        tx.commit().await?;
        let Some(first) = first else { return Err(Stop::Lost) };
        let Some(reached) = access::reach(&ctx.access(), &run.permit, &[row.host]).await?.pop() else {
            return Ok(Outcome::Failed { reason: "The host is gone.".to_owned() });
        };
        let host = reached.host.clone().map_err(|error| stop::on_host(&reached.row.name, error))?;
        log.began(first);
        if let Err(why) = at_the_door(&host, &row).await {
            let why = format!(
                "The panel is not on the loopback of {}: {why} Choose the server that the panel runs on.",
                reached.row.name
            );
            return self.not_yet(ctx, run, log, first, why).await;
        }
        log.ended(first, StepState::Unchanged, "");
        log.began(first + 1);
        set_certificates::up_to_date(ctx, run, log, &reached, &host).await?;
        log.ended(first + 1, StepState::Changed, "");
        log.began(first + 2);
        match from_outside(ctx, run, &row, &reached).await? {
            Err(why) => self.not_yet(ctx, run, log, first + 2, why).await,
            Ok(met) => {
                log.ended(first + 2, StepState::Changed, format!("{} answers at {}", row.domain, met.address));
                if !met.note.is_empty() {
                    log.say(None, &met.note);
                }
                log.flush().await;
                let mut tx = run.begin().await?;
                panel_addresses::note(&mut tx, &self.nonce, &met.note, Some(CONFIRM.as_secs_f64())).await?;
                // Where the way from outside could not be tried, a first name is kept all the same: the door on loopback stays, and an
                // authority that gave a certificate for it came by that way. It takes no name's place that works: a person who
                // came under it says so.
                let sure = met.note.is_empty() || panel_addresses::serving_url(&mut tx).await?.is_none();
                let kept = self.keep && sure && panel_addresses::confirm(&mut tx, &self.nonce).await?;
                if kept {
                    // The former name leads here no more, wherever it did.
                    set_certificates::ask_all(&mut tx, &run.permit, run.cause.clone()).await?;
                }
                tx.commit().await?;
                if kept {
                    return Ok(Outcome::Succeeded);
                }
                let mut tx = ctx.db.begin(&run.permit).await?;
                let row = panel_addresses::of_nonce(&mut tx, &self.nonce).await?;
                tx.commit().await?;
                Ok(row.as_ref().map_or(Outcome::Succeeded, waits))
            }
        }
    }

    /// Notes why the name does not lead here yet, and waits.
    async fn not_yet(&self, ctx: &Ctx, run: &Run, log: &Log, seq: i32, why: String) -> Result<Outcome, Stop> {
        log.ended(seq, StepState::Failed, stop::detail(&why));
        log.flush().await;
        let mut tx = ctx.db.begin(&run.permit).await?;
        panel_addresses::note(&mut tx, &self.nonce, &why, None).await?;
        tx.commit().await?;
        Ok(Outcome::Later { after: PAUSE, why })
    }

    /// The time is over: the proxy leads here under the former name alone.
    async fn returned(&self, ctx: &Ctx, run: &Run, log: &Log, row: &Row) -> Result<Outcome, Stop> {
        if let Some(reached) = access::reach(&ctx.access(), &run.permit, &[row.host]).await?.pop() {
            let host = reached.host.clone().map_err(|error| stop::on_host(&reached.row.name, error))?;
            set_certificates::up_to_date(ctx, run, log, &reached, &host).await?;
        }
        let why = match (row.reached_at, row.note.as_str()) {
            (Some(_), "") => "Nobody said within 15 minutes that the panel works under it.".to_owned(),
            (Some(_), note) => format!("Nobody said within 15 minutes that the panel works under it. {note}"),
            (None, "") => "It was not reached in time.".to_owned(),
            (None, note) => note.to_owned(),
        };
        Ok(Outcome::Failed {
            reason: format!("The panel's address is as it was before {} was tried. {why}", row.domain),
        })
    }
}

/// Until the trial's own end, whatever looked at it in between.
fn waits(row: &Row) -> Outcome {
    let why = "Open the panel under the new name, and say there that it works.".to_owned();
    let left = row.until.and_then(|until| Duration::try_from(until - OffsetDateTime::now_utc()).ok());
    Outcome::Later { after: left.unwrap_or_default().min(CONFIRM) + Duration::from_secs(1), why }
}

/// Whether the panel itself answers on the host's loopback, where the proxy will look for it.
async fn at_the_door(host: &Host, row: &Row) -> Result<(), String> {
    let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let port = u16::try_from(row.door).unwrap_or_default();
    let opened = host.open_tcp(loopback, port, DOOR_LIMIT).await;
    let stream = opened.map_err(|_| format!("nothing answers there on port {port}."))?;
    let path = format!("{PROOF_PATH}{}", row.nonce);
    let asked = Asked { domain: &row.domain, port, certificate: None, path: &path };
    match outside::exchange(stream, loopback, &asked).await {
        Ok(answered) if answered.body == row.nonce => Ok(()),
        Ok(_) | Err(_) => Err(format!("something else answers on port {port}.")),
    }
}

/// How the panel was reached through its name.
struct Met {
    /// At which address.
    address: IpAddr,
    /// What could not be tried from here; empty where all could.
    note: String,
}

/// Whether the panel is reached through the name; or why not, as a sentence. Over HTTPS, as browsers will.
async fn from_outside(ctx: &Ctx, run: &Run, row: &Row, reached: &Reached) -> Result<Result<Met, String>, Stop> {
    let mut tx = ctx.db.begin(&run.permit).await?;
    let rows = certificates::list(&mut tx, &run.permit, None).await?;
    tx.commit().await?;
    let candidates: Vec<Candidate> =
        rows.iter().map(|row| Candidate { id: row.id, names: row.names.clone(), not_after: row.not_after }).collect();
    let chosen = ByName::new(&candidates).choose(row.domain.as_ref(), OffsetDateTime::now_utc());
    let chosen = chosen.and_then(|chosen| rows.iter().find(|row| row.id == chosen.id));
    // What is expected is told by its fingerprint alone; browsers look at its dates, too.
    if let Some(over) = chosen.filter(|chosen| chosen.not_after <= OffsetDateTime::now_utc()) {
        return Ok(Err(format!(
            "The certificate for {} ran out on {}: browsers refuse it. Upload a newer one, or have one issued.",
            row.domain,
            over.not_after.date()
        )));
    }
    let listens = Listens::now(&reached.row);
    let path = format!("{PROOF_PATH}{}", row.nonce);
    let plain = u16::try_from(reached.row.proxy_port).unwrap_or(80);
    let (port, certificate) = match (listens.https, chosen) {
        (Some(port), Some(chosen)) => (port, Some(chosen.fingerprint.as_str())),
        _ => (plain, None),
    };
    let asked = Asked { domain: &row.domain, port, certificate, path: &path };
    let (answered, doubt) = match reach(ctx, row, reached, &asked).await {
        Ok(met) => met,
        Err(why) => return Ok(Err(why)),
    };
    if answered.body != row.nonce {
        return Ok(Err(outside::proxied(&row.domain, answered.address).unwrap_or_else(|| {
            format!(
                "{} leads to {}, where something else than this panel answers. Point the name to the server {}.",
                row.domain, answered.address, reached.row.name
            )
        })));
    }
    let note = match doubt {
        None => String::new(),
        Some(Doubt { name, address }) => format!(
            "{name} leads to {address}, which is not reached from inside, as is usual behind NAT; the proxy of {} answers under the name. \
             Whether it is reached from outside shows when somebody opens the panel under it.",
            reached.row.name
        ),
    };
    Ok(match certificate {
        Some(_) => Ok(Met { address: answered.address, note }),
        None => {
            let missing = "there is no certificate for it yet: upload one, or have one issued.";
            Err(format!("{} leads here, and {missing} {note}", row.domain).trim_end().to_owned())
        }
    })
}

/// What DNS says of a name that this machine does not find: its hosts file may have it at a loopback address, and its name servers keep
/// for long that there was no such name, which those that keep the name know at once.
async fn known_outside(ctx: &Ctx, name: &str) -> Vec<IpAddr> {
    let mut found = ctx.names.addresses(name).await.unwrap_or_default();
    found.retain(|address| !address.is_loopback());
    if found.is_empty() {
        found = ctx.names.addresses_kept(name).await.unwrap_or_default();
    }
    found
}

/// Asks under the name; where its outer address is not reached from inside, at the one by which its server is.
async fn reach(
    ctx: &Ctx,
    row: &Row,
    reached: &Reached,
    asked: &Asked<'_>,
) -> Result<(Answered, Option<Doubt>), String> {
    let addresses = match ctx.visitor.addresses(&row.domain).await {
        Ok(addresses) => addresses,
        Err(why) => match timeout(KEPT_LIMIT, known_outside(ctx, row.domain.as_ref())).await {
            Ok(addresses) if !addresses.is_empty() => addresses,
            _ => return Err(why),
        },
    };
    let silent = match ctx.visitor.ask(&addresses, asked).await {
        Ok(answered) => return Ok((answered, None)),
        Err(Unmet::Other(why)) => return Err(why),
        Err(Unmet::Silent(why)) => why,
    };
    let found: Vec<_> = addresses.into_iter().map(|address| (address, acme::Met::Nobody(String::new()))).collect();
    let inside = ctx.names.of_server(reached.row.address.as_ref()).await;
    let known = outside::as_others_know(reached.row.address.as_ref(), inside.clone());
    let Some(doubt) = acme::doubted(row.domain.as_ref(), &found, &known) else { return Err(silent) };
    match ctx.visitor.ask(&inside, asked).await {
        Ok(answered) if answered.body == row.nonce => Ok((answered, Some(doubt))),
        Ok(_) | Err(_) => Err(silent),
    }
}
