//! A team's certificates held against its routes, some times a day: domains that have none get an order, orders for names that
//! lead nowhere any more go, and the authority is asked when it wants what is there renewed. Not here: getting one.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use time::OffsetDateTime;
use tokio::time::timeout;
use uuid::Uuid;

use super::Ctx;
use super::ends_of_certificates;
use super::log::Log;
use super::obtain_certificate::{self, current_leaf};
use super::set_certificates;
use super::stop::detail;
use crate::db::acme_orders::{self, Row};
use crate::db::{acme, acme_routes, certificate_ends, certificates, host_logins, job_steps};
use crate::domain::acme::{CertName, LETS_ENCRYPT_STAGING, MOST_ORDERS, Trouble, Window, renew_at};
use crate::domain::cause::Cause;
use crate::domain::certificate::{Origin, wildcard_over};
use crate::domain::ids::{AcmeOrderId, CertificateId};
use crate::domain::job::StepState;
use crate::domain::rights::Permit;
use crate::domain::secret::Secret;
use crate::providers::acme::{Account, Authority};
use crate::queue::{Job, Outcome, Run};
use crate::vault::Context;

/// Look after a team's certificates.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LookAfterCertificates {}

/// Orders of one team that are made in one go; the rest follow with the next. An authority takes 300 in three hours.
const AT_ONCE: usize = 100;
/// A look that an end asks for does not ask the authority once more within so many hours: it is asked four times a day.
const ASKED_LATELY: time::Duration = time::Duration::hours(5);
/// So long the authority is asked for: the next look is to come in time where another certificate is to take the place of one that ends.
const ASKED_FOR: Duration = Duration::from_secs(120);
/// So long before its end a certificate of a person's is no reason any more not to get one; of a short life only its last sixth.
const SUCCEEDED: time::Duration = time::Duration::days(1);
/// Of a short life that.
const SHARE: i32 = 6;
/// The steps.
const STEPS: [&str; 2] = ["hold the certificates against the routes", "ask when they are to be renewed"];

/// What came of wanting certificates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Those that the authority is asked for.
    pub asked: usize,
    /// Those that were kept from before, are good for long, and are renewed again from now on.
    pub taken: usize,
}

/// Wants certificates for domains that no certificate of a person and no order covers yet, and asks for them; one that was got before and
/// is kept is taken over. Nothing where no authority is chosen, or the team wants as many as it may.
pub async fn want(
    conn: &mut PgConnection,
    permit: &Permit,
    domains: &[String],
    cause: &Cause,
) -> Result<Wanted, sqlx::Error> {
    let mut wanted = Wanted::default();
    if domains.is_empty() {
        return Ok(wanted);
    }
    let Some(settings) = acme::settings(&mut *conn).await? else { return Ok(wanted) };
    let now = acme_orders::now(&mut *conn).await?;
    let there = certificates::list(&mut *conn, permit, None).await?;
    let orders = acme_orders::list(&mut *conn, permit, None).await?;
    let lasts = |row: &certificates::Row| row.not_after - now > SUCCEEDED.min((row.not_after - row.not_before) / SHARE);
    let by_a_person = there.iter().filter(|row| row.origin == Origin::Uploaded && lasts(row));
    let names = by_a_person.flat_map(|row| &row.names).chain(orders.iter().flat_map(|row| &row.names));
    let mut names: HashSet<String> = names.cloned().collect();
    let owned: HashSet<CertificateId> = orders.iter().filter_map(|row| row.certificate).collect();
    // What another authority gave, such as one for trials, is no reason not to ask this one.
    let of_others: HashSet<CertificateId> = match settings.directory.as_str() {
        // One for trials takes nothing from those that browsers trust.
        LETS_ENCRYPT_STAGING => HashSet::new(),
        chosen => certificates::of_others(&mut *conn, permit, chosen).await?.into_iter().collect(),
    };
    let ours = |row: &&certificates::Row| !of_others.contains(&row.id);
    let kept = there.iter().filter(|row| row.origin == Origin::Acme && !owned.contains(&row.id)).filter(ours);
    let mut by_name: HashMap<&str, Vec<&certificates::Row>> = HashMap::new();
    for row in kept {
        for name in &row.names {
            by_name.entry(name).or_default().push(row);
        }
    }
    let mut room = AT_ONCE.min(MOST_ORDERS.saturating_sub(orders.len()));
    for domain in domains {
        let covered = names.contains(domain) || wildcard_over(domain).is_some_and(|name| names.contains(&name));
        if covered || room == 0 {
            continue;
        }
        let Ok(name) = domain.parse::<CertName>() else { continue };
        let kept = by_name.get(domain.as_str()).map(Vec::as_slice).unwrap_or_default();
        let kept = renewable(&mut *conn, permit, kept).await?;
        let of_it = match kept {
            Some(row) => row.names.iter().filter_map(|name| name.parse().ok()).collect(),
            None => vec![name],
        };
        let id = AcmeOrderId(Uuid::now_v7());
        if !acme_orders::insert(&mut *conn, permit, id, &of_it, None).await? {
            continue;
        }
        room -= 1;
        names.extend(of_it.iter().map(ToString::to_string));
        if let Some(row) = kept {
            let next = renew_at(id.0, row.not_before, row.not_after, None);
            acme_orders::bind(&mut *conn, permit, id, row.id, (row.not_before, row.not_after), next).await?;
            if next > now {
                wanted.taken += 1;
                continue;
            }
        }
        if let Some(row) = acme_orders::list(&mut *conn, permit, Some(id)).await?.pop() {
            obtain_certificate::ask(&mut *conn, permit, &row, cause.clone(), 0).await?;
            wanted.asked += 1;
        }
    }
    Ok(wanted)
}

/// Of certificates that were got before, the one that is good for longest among those that are renewed by HTTP as they are: each of their
/// names leads to the team.
async fn renewable<'a>(
    conn: &mut PgConnection,
    permit: &Permit,
    kept: &[&'a certificates::Row],
) -> Result<Option<&'a certificates::Row>, sqlx::Error> {
    let mut kept = kept.to_vec();
    kept.sort_by_key(|row| std::cmp::Reverse(row.not_after));
    'next: for row in kept {
        for name in &row.names {
            if !acme_routes::is_routed(&mut *conn, permit, name).await? {
                continue 'next;
            }
        }
        return Ok(Some(row));
    }
    Ok(None)
}

impl Job for LookAfterCertificates {
    const KIND: &'static str = "look_after_certificates";
    /// The authority has its own limit; what is before it is done in the database.
    const DEADLINE: Duration = Duration::from_secs(10 * 60);
    type Ctx = Ctx;

    async fn run(self, ctx: &Ctx, run: &Run) -> Outcome {
        let (log, writer) = Log::open(run);
        let ended = tokio::select! {
            () = run.lost.cancelled() => Ok(Outcome::Again { after: Duration::ZERO, why: String::new() }),
            () = run.cancel.cancelled() => Ok(Outcome::Cancelled),
            ended = look(ctx, run, &log) => ended,
        };
        let outcome = ended.unwrap_or_else(|error| Outcome::Again { after: run.backoff(), why: detail(error) });
        drop(log);
        writer.close().await;
        outcome
    }
}

async fn look(ctx: &Ctx, run: &Run, log: &Log) -> Result<Outcome, sqlx::Error> {
    let permit = &run.permit;
    let mut tx = ctx.db.begin(permit).await?;
    let settings = acme::settings(&mut tx).await?;
    let steps = STEPS.map(|words| job_steps::NewStep { stage: String::new(), host: None, words: words.to_owned() });
    let first = job_steps::plan(&mut tx, permit, run.job, run.fence, &steps).await?;
    tx.commit().await?;
    let Some(first) = first else { return Ok(Outcome::Again { after: Duration::ZERO, why: String::new() }) };
    let Some(settings) = settings else {
        // Those that are there run out all the same.
        let mut tx = ctx.db.begin(permit).await?;
        ends_of_certificates::tell(&mut tx, permit).await?;
        if certificate_ends::follow(&mut tx, permit).await?.ended {
            set_certificates::ask_all(&mut tx, permit, run.cause.clone()).await?;
        }
        tx.commit().await?;
        return Ok(Outcome::Succeeded);
    };

    log.began(first);
    let mut tx = ctx.db.begin(permit).await?;
    let gone = acme_routes::remove_unrouted(&mut tx, permit).await?;
    acme_orders::revive(&mut tx, permit).await?;
    let others = acme_orders::make_those_of_others_due(&mut tx, permit).await?;
    let domains = acme_routes::domains_without(&mut tx, permit).await?;
    let wanted = want(&mut tx, permit, &domains, &run.cause).await?;
    let dropped = certificates::remove_unwanted(&mut tx, permit).await?;
    ends_of_certificates::tell(&mut tx, permit).await?;
    // Where one ends, another takes its place.
    let since = certificate_ends::follow(&mut tx, permit).await?;
    if since.ended || dropped > 0 {
        set_certificates::ask_all(&mut tx, permit, run.cause.clone()).await?;
    }
    let all = acme_orders::count(&mut tx, permit).await?;
    tx.commit().await?;
    let nothing = gone == 0 && wanted == Wanted::default() && dropped == 0 && others == 0;
    let changed = if nothing { StepState::Unchanged } else { StepState::Changed };
    let mut note = format!("{} new, {gone} no longer wanted", wanted.asked);
    if wanted.taken > 0 {
        note.push_str(&format!("; {} that were kept renewed again", wanted.taken));
    }
    if others > 0 {
        note.push_str(&format!("; {others} that were of another authority are got anew"));
    }
    if dropped > 0 {
        note.push_str(&format!("; {dropped} that nobody needs removed"));
    }
    if usize::try_from(all).is_ok_and(|all| all >= MOST_ORDERS) {
        note.push_str(&format!("; {MOST_ORDERS} is the most a team may have, so further domains get none"));
    }
    log.ended(first, changed, note);

    log.began(first + 1);
    let mut tx = ctx.db.begin(permit).await?;
    let now = acme_orders::now(&mut tx).await?;
    // Woken by an end, maybe one of many: the authority was asked about all of them in its turn.
    if since.ended && since.asked_at.is_some_and(|at| now - at < ASKED_LATELY) {
        tx.commit().await?;
        log.ended(first + 1, StepState::Skipped, "it was asked within the last hours".to_owned());
        log.flush().await;
        return Ok(Outcome::Succeeded);
    }
    certificate_ends::note_asked(&mut tx, permit).await?;
    let rows = acme_orders::list(&mut tx, permit, None).await?;
    let data_key = host_logins::data_key(&mut tx, permit).await?;
    let account = acme::account(&mut tx, permit, &settings).await?;
    tx.commit().await?;
    // Of one that another authority gave this one knows nothing, and it is not renewed when its time comes, but now.
    let of_this = |row: &Row| !row.is_of_another_than(&settings.directory);
    let held = rows.into_iter().filter(|row| row.trouble.is_none() && row.not_after.is_some() && of_this(row));
    let mut held: Vec<Row> = held.collect();
    held.sort_by_key(|row| row.not_after);
    let Some(account) = account.filter(|_| !held.is_empty()) else {
        log.ended(first + 1, StepState::Unchanged, "there is none");
        log.flush().await;
        return Ok(Outcome::Succeeded);
    };
    let asked = timeout(ASKED_FOR, ask_all(ctx, run, log, &settings, &account, &held, &data_key)).await;
    let asked = asked.unwrap_or_else(|_| {
        let detail = "it takes minutes to answer, and is asked about the rest the next time".to_owned();
        Ok(Err(Trouble::ServerDown { server: settings.directory.clone(), detail, until: None }))
    });
    let (state, note) = match asked? {
        Ok(note) => (StepState::Changed, note),
        // What the authority does not say is decided by the certificates' lives.
        Err(trouble) => (StepState::Skipped, log.redacted(&trouble.brief())),
    };
    log.ended(first + 1, state, detail(note));
    log.flush().await;
    Ok(Outcome::Succeeded)
}

/// Asks about each, and writes down what was said.
async fn ask_all(
    ctx: &Ctx,
    run: &Run,
    log: &Log,
    settings: &acme::Settings,
    account: &acme::Account,
    rows: &[Row],
    data_key: &[u8],
) -> Result<Result<String, Trouble>, sqlx::Error> {
    let signed = match sign_in(ctx, log, settings, account).await {
        Ok(signed) => signed,
        Err(trouble) => return Ok(Err(trouble)),
    };
    let mut windows = 0;
    for row in rows {
        let (Some(certificate), Some(born), Some(dies)) = (row.certificate, row.not_before, row.not_after) else {
            continue;
        };
        let Some(leaf) = current_leaf(ctx, run, certificate, data_key).await? else { continue };
        let window = match signed.window(&leaf).await {
            Ok(window) => window,
            Err(trouble) => return Ok(Err(trouble)),
        };
        windows += usize::from(window.is_some());
        let next: OffsetDateTime = renew_at(row.id.0, born, dies, window);
        let window = window.map(|Window { start, end }| (start, end));
        let mut tx = ctx.db.begin(&run.permit).await?;
        acme_orders::note_window(&mut tx, &run.permit, row.id, window, next).await?;
        tx.commit().await?;
    }
    Ok(Ok(format!("the authority has a wish for {windows} of {}", rows.len())))
}

async fn sign_in(ctx: &Ctx, log: &Log, settings: &acme::Settings, account: &acme::Account) -> Result<Account, Trouble> {
    let opened = ctx.vault.open_for_panel(&Context::acme_account(account.id), &account.sealed);
    let opened = opened.ok().and_then(|bytes| String::from_utf8(bytes.expose().clone()).ok()).map(Secret::new);
    let opened =
        opened.ok_or_else(|| Trouble::Account { detail: "the panel's key of it cannot be opened.".to_owned() })?;
    log.learn([opened.expose().as_bytes()]);
    Authority::new(&settings.directory, &settings.ca_root)?.sign_in(&opened).await
}
