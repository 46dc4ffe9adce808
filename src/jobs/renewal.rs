//! Certificates that a host renews itself while the panel is gone: it is told that the panel is there, what it renewed is taken over,
//! and it has what it needs for the next time. Not here: when (`keep_renewal.rs`), the renewing (`scripts/renew.bash`).

use std::collections::BTreeSet;
use std::time::Duration;

use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use uuid::Uuid;

use super::Ctx;
use super::execute::ingress;
use super::log::Log;
use super::provision::scripts::{self, Said};
use super::set_certificates;
use super::stop::{self, Stop, detail};
use crate::access::{self, Reached};
use crate::db::{acme, acme_orders, alerts, certificates, host_checks, host_logins, renewals};
use crate::domain::acme::{CertName, is_counted, names_key, renew_at};
use crate::domain::certificate::renewed::{self, Former, Verdict};
use crate::domain::certificate::{self, Checked};
use crate::domain::ids::CertificateId;
use crate::domain::ingress::TlsFiles;
use crate::domain::job::{StepState, Stream};
use crate::domain::secret::Secret;
use crate::queue::Run;
use crate::remote::{self, Error, File, Host, RemoteScript};
use crate::vault::Context;

/// Says on a host that the panel is there.
const PRESENT: RemoteScript = RemoteScript::new("present", include_str!("../../scripts/present.bash"));
/// Makes the folder and the timer there, or takes all of it away.
const RENEWAL: RemoteScript = RemoteScript::as_root("renewal", include_str!("../../scripts/renewal.bash"));
/// What the timer runs: kept there as a file.
const RENEW: &str = include_str!("../../scripts/renew.bash");
/// A renewal that is at work is waited for: 5 minutes, and a moment.
const PRESENT_LIMIT: Duration = Duration::from_secs(360);
/// Files, a unit, and the same wait.
const SET_UP_LIMIT: Duration = Duration::from_secs(360);
/// Packages come from a mirror that may be slow.
const PACKAGES_LIMIT: Duration = Duration::from_secs(1200);
/// Nobody but the user skiff reads any of it.
const MODE: u32 = 0o600;
/// Lines that are read at most: one for each certificate.
const MOST_LINES: usize = 5_000;

/// What a visit found.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seen {
    /// Certificates that were taken over.
    pub taken: usize,
    /// Whether it has something else than the panel, or may: certificates are to be brought there, or asked after.
    pub differs: bool,
    /// Whether all is there for the next time.
    pub whole: bool,
}

/// Says on the host that the panel is there, and takes over what it renewed meanwhile. Nothing is asked of a host that was never set up
/// for it. Whoever compares what its proxy serves with what the panel has comes here first.
pub async fn look(ctx: &Ctx, run: &Run, log: &Log, reached: &Reached, host: &Host) -> Result<Seen, Stop> {
    let (permit, row) = (&run.permit, &reached.row);
    let mut tx = ctx.db.begin(permit).await?;
    let set = renewals::get(&mut tx, permit, row.id).await?;
    tx.commit().await?;
    if set.is_none() {
        return Ok(Seen::default());
    }
    let (got, whole) = present(host).await.map_err(|error| stop::on_host(&row.name, error))?;
    let (mut taken, differs) = (0, !got.is_empty());
    if differs {
        ingress::lock(ctx, run, row.id, &row.name).await?;
        let done = take_over(ctx, run, log, reached, host, &got).await;
        ingress::unlock(ctx, run, row.id).await?;
        taken = done?;
    }
    let mut tx = run.begin().await?;
    renewals::note_visit(&mut tx, permit, row.id).await?;
    tx.commit().await?;
    Ok(Seen { taken, differs, whole })
}

/// The same on the hosts that may have renewed this certificate. How many were looked at; one that does not answer has nothing that can
/// be taken over now.
pub async fn look_at_those_with(ctx: &Ctx, run: &Run, log: &Log, certificate: CertificateId) -> Result<usize, Stop> {
    let mut tx = ctx.db.begin(&run.permit).await?;
    let hosts = renewals::may_have_renewed(&mut tx, &run.permit, certificate).await?;
    tx.commit().await?;
    let mut looked = 0;
    for reached in access::reach(&ctx.access(), &run.permit, &hosts).await? {
        let Ok(host) = reached.host.clone() else { continue };
        match look(ctx, run, log, &reached, &host).await {
            Ok(seen) => {
                looked += 1;
                if seen.differs {
                    ask_to_bring(ctx, run, &reached).await?;
                }
            }
            Err(Stop::Failed(failure)) => log.say(None, log.redacted(&failure.sentence())),
            Err(other) => return Err(other),
        }
    }
    Ok(looked)
}

/// Has what a host has held against what it shall have, after it was seen to differ: by a job of its own, which looks first and asks for no other.
pub async fn ask_to_bring(ctx: &Ctx, run: &Run, reached: &Reached) -> Result<(), Stop> {
    let mut tx = ctx.db.begin(&run.permit).await?;
    set_certificates::ask(&mut tx, &run.permit, reached.id(), &reached.row.name, run.cause.clone()).await?;
    tx.commit().await?;
    Ok(())
}

/// What the host renewed, and whether all is there for the next time.
async fn present(host: &Host) -> Result<(BTreeSet<CertificateId>, bool), Error> {
    let (mut said, mut got, mut whole) = (Said::default(), BTreeSet::new(), false);
    let mut listen = |_, line: &[u8]| {
        if said.take(line) || got.len() >= MOST_LINES {
            return;
        }
        match String::from_utf8_lossy(line).split_once('=') {
            Some(("GOT", id)) => got.extend(Uuid::try_parse(id).ok().map(CertificateId)),
            Some(("SET", yes)) => whole = yes == "yes",
            _ => {}
        }
    };
    let exit = host.run(&PRESENT, &[], PRESENT_LIMIT, &mut listen).await?;
    if !exit.ok() {
        let why = said.reason.unwrap_or_else(|| format!("the script present ended with {}", exit.status));
        return Err(Error::Refused { detail: why });
    }
    Ok((got, whole))
}

async fn take_over(
    ctx: &Ctx,
    run: &Run,
    log: &Log,
    reached: &Reached,
    host: &Host,
    got: &BTreeSet<CertificateId>,
) -> Result<usize, Stop> {
    let mut taken = 0;
    let from = asked_at(host).await.map_err(|error| stop::on_host(&reached.row.name, error))?;
    for id in got {
        let file = TlsFiles::default().certificate(*id);
        let pem = match host.get(&file).await {
            Ok(bytes) => Some(Secret::new(String::from_utf8_lossy(&bytes).into_owned())),
            Err(Error::NotFound { .. }) => None,
            Err(error) => return Err(stop::on_host(&reached.row.name, error)),
        };
        run.still_mine().await?;
        if let Some(pem) = pem
            && take(ctx, run, log, reached, *id, (&pem, &from)).await?
        {
            taken += 1;
        }
        let note = renewed::note(*id);
        host.remove_files(&[&note]).await.map_err(|error| stop::on_host(&reached.row.name, error))?;
    }
    Ok(taken)
}

/// The directory of the authority that the host asks: that which was chosen when the panel was there last.
async fn asked_at(host: &Host) -> Result<String, Error> {
    match host.get(&renewed::path("settings")).await {
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).trim().to_owned()),
        Err(Error::NotFound { .. }) => Ok(String::new()),
        Err(error) => Err(error),
    }
}

/// One certificate, and the directory of the authority that it is from. True where it was taken over.
async fn take(
    ctx: &Ctx,
    run: &Run,
    log: &Log,
    reached: &Reached,
    id: CertificateId,
    (pem, from): (&Secret<String>, &str),
) -> Result<bool, Stop> {
    let (permit, host) = (&run.permit, reached.id());
    let mut tx = run.begin().await?;
    let row = certificates::list(&mut tx, permit, Some(id)).await?.pop();
    let order = acme_orders::of_certificate(&mut tx, permit, id).await?;
    // Nobody wants it any more: it goes with the next look at what the proxy serves.
    let (Some(row), Some(order)) = (row, order) else { return Ok(false) };
    let (names, at) = (row.names.join(", "), &reached.row.name);
    let places = certificates::installed(&mut tx, permit, &[id]).await?;
    if order.dns_account.is_some() || places.is_empty() || places.iter().any(|place| place.host != host) {
        // A host has a say over what it alone serves, and is asked for by its own names: with more, it would speak for others.
        certificates::note_installed(&mut tx, permit, host, &[(id, "")]).await?;
        tx.commit().await?;
        log.say(
            None,
            format!("{at} has another certificate for {names}, which is not its own to renew; the panel's is brought"),
        );
        return Ok(false);
    }
    let found = renewed::split(pem.expose()).map(|(chain, key)| (chain, Secret::new(key)));
    let checked = found.and_then(|(chain, key)| certificate::read(&chain, &key, OffsetDateTime::now_utc()).ok());
    let former = Former {
        names: &row.names,
        fingerprint: &row.fingerprint,
        not_before: row.not_before,
        not_after: row.not_after,
    };
    let verdict = match &checked {
        Some(checked) => renewed::judge(&former, &checked.facts),
        None => Verdict::Replaced("it cannot be served"),
    };
    match (verdict, checked) {
        (Verdict::Taken, Some(Checked { facts, pem, .. })) => {
            let data_key = host_logins::data_key(&mut tx, permit).await?;
            let version = Uuid::now_v7();
            let place = Context::certificate(permit.team(), version);
            let sealed = ctx.vault.seal(&data_key, &place, pem.expose().as_bytes()).map_err(stop::internal)?;
            if !certificates::add_version(&mut tx, permit, id, version, &facts, &sealed).await? {
                return Ok(false);
            }
            certificates::note_installed(&mut tx, permit, host, &[(id, facts.fingerprint.as_str())]).await?;
            let next = renew_at(order.id.0, facts.not_before, facts.not_after, None);
            let valid = (facts.not_before, facts.not_after);
            acme_orders::note_got(&mut tx, permit, order.id, id, valid, next).await?;
            let chosen = acme::settings(&mut tx).await?.map(|settings| settings.directory);
            // One that was chosen before is believed where the former certificate was of it.
            if let Some(from) = order.directory.clone().filter(|of| of == from).or(chosen) {
                certificates::note_directory(&mut tx, permit, version, &from).await?;
                // The authority counts what the host asked for, too.
                if !from.is_empty() && is_counted(&from, Some(valid.1 - valid.0)) {
                    let names: Vec<CertName> = order.names.iter().filter_map(|name| name.parse().ok()).collect();
                    acme::note_issue(&mut tx, &from, &names_key(&names), Some(valid.0)).await?;
                }
            }
            alerts::got(&mut tx, permit, (order.id, id), &order.names).await?;
            log.say(None, format!("{at} renewed the certificate for {names} itself; it is taken over"));
        }
        (Verdict::Taken | Verdict::Known, _) => {}
        (Verdict::Older, _) => certificates::note_installed(&mut tx, permit, host, &[(id, "")]).await?,
        (Verdict::Replaced(why), _) => {
            // A host renews near the end alone: while the panel's own is good for long, that is brought, and no authority is asked for
            // what a host says.
            let due = renewal_begins(row.not_before, row.not_after) <= OffsetDateTime::now_utc();
            if due {
                acme_orders::make_due(&mut tx, permit, order.id).await?;
            }
            certificates::note_installed(&mut tx, permit, host, &[(id, "")]).await?;
            let then = if due { "another one is got" } else { "the panel's is brought" };
            log.say(None, format!("{at} has a certificate for {names} that is not taken over, as {why}; {then}"));
        }
    }
    tx.commit().await?;
    Ok(verdict == Verdict::Taken)
}

/// When the last third of a life begins, in which the panel itself renews.
fn renewal_begins(from: OffsetDateTime, to: OffsetDateTime) -> OffsetDateTime {
    to - (to - from) / 3
}

/// Has on the host what it renews with, where it may renew something; else nothing of it. What is in the way there is noted with the host and
/// is no failure: its certificates are renewed by the panel.
pub async fn keep(
    ctx: &Ctx,
    run: &Run,
    log: &Log,
    seq: i32,
    reached: &Reached,
    host: &Host,
    whole: bool,
) -> Result<(StepState, String), Stop> {
    let (permit, row) = (&run.permit, &reached.row);
    let mut tx = ctx.db.begin(permit).await?;
    let settings = acme::settings(&mut tx).await?;
    let all = renewals::renewable(&mut tx, permit, row.id).await?;
    let set = renewals::get(&mut tx, permit, row.id).await?;
    tx.commit().await?;
    let work = Work { run, log, seq, reached, host };
    let Some(settings) = settings.filter(|_| !all.is_empty()) else {
        let nothing = "no certificate here is for the server to renew".to_owned();
        return if set.is_some() { work.leave().await } else { Ok((StepState::Unchanged, nothing)) };
    };
    let texts = Texts {
        settings: renewed::settings_text(&settings.directory),
        root: settings.ca_root,
        list: renewed::list_text(all.iter().map(|one| (one.certificate, one.names.as_slice()))),
    };
    let note = match all.len() {
        1 => "one certificate".to_owned(),
        many => format!("{many} certificates"),
    };
    if whole && set.is_some_and(|set| set.digest == texts.digest()) {
        return Ok((StepState::Unchanged, note));
    }
    match work.set_up(&texts, whole).await? {
        Ok(()) => Ok((StepState::Changed, note)),
        Err(why) => {
            let mut tx = run.begin().await?;
            renewals::note_trouble(&mut tx, permit, row.id, &why).await?;
            tx.commit().await?;
            Ok((StepState::Skipped, why))
        }
    }
}

/// What is written there, beside the script.
struct Texts {
    settings: String,
    root: String,
    list: String,
}

impl Texts {
    fn digest(&self) -> String {
        let mut sum = Sha256::new();
        for text in [RENEW, RENEWAL.text, &self.settings, &self.root, &self.list] {
            sum.update(text.as_bytes());
            sum.update([0]);
        }
        hex::encode(sum.finalize())
    }
}

/// One host's part.
struct Work<'a> {
    run: &'a Run,
    log: &'a Log,
    seq: i32,
    reached: &'a Reached,
    host: &'a Host,
}

impl Work<'_> {
    /// Or gives why not.
    async fn set_up(&self, texts: &Texts, whole: bool) -> Result<Result<(), String>, Stop> {
        let (permit, id) = (&self.run.permit, self.reached.id());
        let mut tx = self.run.begin().await?;
        renewals::begin(&mut tx, permit, id).await?;
        let now = (host_checks::clock_ms(&mut tx).await? / 1000).to_string();
        tx.commit().await?;
        if !whole {
            let params = [("REGISTRY", ""), ("RENEWS", "yes"), ("NOW", now.as_str())];
            if let Err(why) = self.script(&scripts::PACKAGES, &params, PACKAGES_LIMIT).await? {
                return Ok(Err(why));
            }
        }
        self.run.still_mine().await?;
        if let Err(why) = self.script(&RENEWAL, &[("WANTED", "yes")], SET_UP_LIMIT).await? {
            return Ok(Err(why));
        }
        let failed = |error| stop::on_host(&self.reached.row.name, error);
        let settings = renewed::path("settings");
        // Another authority: another account there, and no limit of the former one holds.
        if self.host.get(&settings).await.is_ok_and(|there| there != texts.settings.as_bytes()) {
            let old = ["account-key", "held"].map(renewed::path);
            self.host.remove_files(&old.each_ref().map(String::as_str)).await.map_err(failed)?;
        }
        let paths = ["panel", "renew.bash", "ca.pem", "list"].map(renewed::path);
        let [panel, script, root, list] = &paths;
        let file = |path, text: &'static str| File { path, bytes: text.as_bytes(), mode: MODE };
        let files = [
            // First of all: from here on nothing is renewed there for days.
            file(panel, ""),
            File { path: root, bytes: texts.root.as_bytes(), mode: MODE },
            File { path: &settings, bytes: texts.settings.as_bytes(), mode: MODE },
            File { path: list, bytes: texts.list.as_bytes(), mode: MODE },
            file(script, RENEW),
        ];
        self.host.put_all(&files).await.map_err(failed)?;
        let mut tx = self.run.begin().await?;
        renewals::note_set(&mut tx, permit, id, &texts.digest()).await?;
        tx.commit().await?;
        Ok(Ok(()))
    }

    /// Takes all of it away.
    async fn leave(&self) -> Result<(StepState, String), Stop> {
        self.run.still_mine().await?;
        if let Err(why) = self.script(&RENEWAL, &[("WANTED", "")], SET_UP_LIMIT).await? {
            return Err(stop::on_host(&self.reached.row.name, Error::Refused { detail: why }));
        }
        let mut tx = self.run.begin().await?;
        renewals::forget(&mut tx, &self.run.permit, self.reached.id()).await?;
        tx.commit().await?;
        Ok((StepState::Changed, "the server's own account and its settings are gone".to_owned()))
    }

    /// Runs a script, its lines into the log; or gives its reason.
    async fn script(
        &self,
        script: &RemoteScript,
        params: &[(&'static str, &str)],
        limit: Duration,
    ) -> Result<Result<(), String>, Stop> {
        let mut said = Said::default();
        let mut listen = |stream, line: &[u8]| {
            if !said.take(line) {
                let stream = match stream {
                    remote::Stream::Out => Stream::Out,
                    remote::Stream::Err => Stream::Err,
                };
                self.log.line(Some(self.seq), stream, line);
            }
        };
        let exit = self.host.run(script, params, limit, &mut listen).await;
        let exit = exit.map_err(|error| stop::on_host(&self.reached.row.name, error))?;
        if exit.ok() {
            return Ok(Ok(()));
        }
        let why = said.reason.unwrap_or_else(|| format!("the script {} ended with {}", script.name, exit.status));
        Ok(Err(detail(why)))
    }
}
