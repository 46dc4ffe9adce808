//! Certificates that are got by themselves: which are wanted, how each stands, asking for one now. Not here: what was got
//! (`certificates`), the panel's choice of an authority (`settings.rs`), who keeps the domains (`accounts.rs`).

mod accounts;
mod of_app;
mod settings;

pub use accounts::{
    DnsAccess, DnsAccountView, NewDnsAccount, account, accounts, add_account, change_account, remove_account,
};
pub use of_app::{DomainView, get_now_for, of_app};
pub use settings::{Choice, ChosenView, choose, chosen, forget, is_bound_by, may_choose};

use std::collections::BTreeSet;

use serde_json::json;
use time::OffsetDateTime;
use uuid::Uuid;

use super::fields::Fields;
use super::gate::{self, Open};
use super::{Ctx, Refused};
use crate::db::acme_orders::{self, Row};
use crate::db::{acme, acme_routes, alerts, audit, certificates, dns_accounts};
use crate::domain::acme::{CertName, MOST_NAMES, MOST_ORDERS, names_key, too_many, wait_for};
use crate::domain::certificate::Origin;
use crate::domain::help::Topic;
use crate::domain::ids::{AcmeOrderId, DnsAccountId, JobId};
use crate::domain::rights::{Actor, Permission, Permit};
use crate::jobs::obtain_certificate;

/// How a certificate that is wanted stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "CertificateOrderState")]
pub enum OrderState {
    /// It is there, and is renewed by itself.
    Valid,
    /// It is there, and could not be renewed yet, or is of another authority than the one that is chosen.
    NotRenewed,
    /// It is being got.
    Underway,
    /// It waits, for the reason that is said.
    Waiting,
    /// Nothing goes on before a person has done something.
    NeedsYou,
    /// It has run out.
    RanOut,
}

/// A certificate that is wanted.
#[derive(Clone, Debug)]
pub struct OrderView {
    /// The order.
    pub id: AcmeOrderId,
    /// The names.
    pub names: Vec<String>,
    /// How it stands.
    pub state: OrderState,
    /// The same in few words: "valid 64 days".
    pub words: String,
    /// What is wrong and what to try; empty where nothing is.
    pub trouble: String,
    /// Where the docs say more about that.
    pub help: Option<Topic>,
    /// The DNS account it is proven with; by HTTP where there is none.
    pub dns_account: Option<String>,
    /// Until when what is there is valid.
    pub not_after: Option<OffsetDateTime>,
    /// When it is tried again or renewed; none while it waits for a person.
    pub next_at: Option<OffsetDateTime>,
    /// When it was last tried.
    pub tried_at: Option<OffsetDateTime>,
    /// The job that waits or runs for it.
    pub job: Option<JobId>,
}

impl OrderView {
    /// `directory` is that of the authority that is chosen; none where none is.
    fn of(row: Row, now: OffsetDateTime, directory: Option<&str>) -> Self {
        let left = row.not_after.map(|end| end - now);
        let there = left.is_some_and(|left| left.is_positive());
        let days = left.map_or(0, |left| left.whole_days());
        let other = there && directory.is_some_and(|directory| row.is_of_another_than(directory));
        let whose = if other { "of another authority, " } else { "" };
        let valid = || match days {
            0 => format!("{whose}valid {} h", left.map_or(0, |left| left.whole_hours())),
            1 => format!("{whose}valid 1 day"),
            days => format!("{whose}valid {days} days"),
        };
        let brief = row.trouble.as_ref().map(|trouble| trouble.brief());
        let person = row.trouble.as_ref().is_some_and(|trouble| trouble.needs_a_person());
        let (state, words) = match (&brief, row.job) {
            (Some(brief), _) if person => (OrderState::NeedsYou, brief.clone()),
            (_, Some(_)) if !there => (OrderState::Underway, "being got".to_owned()),
            // It is got anew, by the one that is chosen.
            (None, Some(_)) if other => (OrderState::Underway, valid()),
            (None, None) if other => (OrderState::NotRenewed, valid()),
            (None, _) if there => (OrderState::Valid, valid()),
            (Some(brief), _) if there => (OrderState::NotRenewed, format!("{}, not renewed: {brief}", valid())),
            (Some(brief), _) if row.not_after.is_none() => (OrderState::Waiting, brief.clone()),
            (None, _) if row.not_after.is_none() => (OrderState::Waiting, "waiting for its turn".to_owned()),
            (Some(brief), _) => (OrderState::RanOut, format!("ran out: {brief}")),
            (None, _) => (OrderState::RanOut, "ran out".to_owned()),
        };
        Self {
            trouble: row.trouble.as_ref().map(|trouble| trouble.sentence()).unwrap_or_default(),
            help: row.trouble.as_ref().map(|trouble| trouble.help()),
            id: row.id,
            names: row.names,
            state,
            words,
            dns_account: row.dns_account_name,
            not_after: row.not_after,
            next_at: row.next_at,
            tried_at: row.tried_at,
            job: row.job,
        }
    }
}

/// The directory of the authority that is chosen.
async fn directory(tx: &mut crate::db::Tx<'_>) -> Result<Option<String>, sqlx::Error> {
    Ok(acme::settings(tx).await?.map(|settings| settings.directory))
}

/// Orders on one page.
pub const ON_PAGE: i64 = 100;

/// The first page of the team's orders: what went wrong first, then by their names.
pub async fn list(ctx: &Ctx, actor: &Actor) -> Result<Vec<OrderView>, Refused> {
    page(ctx, actor, None).await
}

/// A page of them: those behind this one.
pub async fn page(ctx: &Ctx, actor: &Actor, after: Option<AcmeOrderId>) -> Result<Vec<OrderView>, Refused> {
    let Open { mut tx, permit, .. } = gate::team_for(ctx, actor, Permission::View).await?;
    let rows = acme_orders::page(&mut tx, &permit, after, ON_PAGE).await?;
    let (now, chosen) = (acme_orders::now(&mut tx).await?, directory(&mut tx).await?);
    tx.commit().await?;
    Ok(rows.into_iter().map(|row| OrderView::of(row, now, chosen.as_deref())).collect())
}

/// One order.
pub async fn get(ctx: &Ctx, actor: &Actor, id: AcmeOrderId) -> Result<OrderView, Refused> {
    let Open { mut tx, permit, .. } = gate::team_for(ctx, actor, Permission::View).await?;
    let row = acme_orders::list(&mut tx, &permit, Some(id)).await?.pop().ok_or(Refused::NotFound)?;
    let (now, chosen) = (acme_orders::now(&mut tx).await?, directory(&mut tx).await?);
    tx.commit().await?;
    Ok(OrderView::of(row, now, chosen.as_deref()))
}

/// A certificate that shall be got for several names, or for all below one.
#[derive(Clone, Debug, Default)]
pub struct NewOrder {
    /// The names: one a line, or with commas or spaces between.
    pub names: String,
    /// The DNS account to prove them with; empty to prove them by HTTP.
    pub dns_account: String,
}

/// Wants a certificate. Names of other teams' routes are refused.
pub async fn order(ctx: &Ctx, actor: &Actor, input: NewOrder) -> Result<(AcmeOrderId, JobId), Refused> {
    let Open { mut tx, permit, .. } = gate::team_for(ctx, actor, Permission::EditProjects).await?;
    let mut fields = Fields::default();
    let names = names(&mut fields, &input.names);
    let accounts = dns_accounts::list(&mut tx, &permit, None).await?;
    let account = match input.dns_account.trim() {
        "" => None,
        raw => {
            let known = raw.parse::<DnsAccountId>().ok().filter(|id| accounts.iter().any(|row| row.id == *id));
            if known.is_none() {
                fields.wrong("dns_account", "Choose one of the team's DNS accounts, or none.");
            }
            known
        }
    };
    if account.is_none() && names.iter().any(CertName::is_wildcard) {
        fields.wrong(
            "dns_account",
            "A name with a star is proven by DNS only: choose the account that keeps the domain.",
        );
    }
    if account.is_none() {
        for name in names.iter().filter(|name| !name.is_wildcard()) {
            if !acme_routes::is_routed(&mut tx, &permit, name.as_ref()).await? {
                fields.wrong(
                    "names",
                    format!("{name} leads to no app of this team. Add the route first, or choose a DNS account."),
                );
            }
        }
    }
    if names.is_empty() || !fields.fine() {
        return Err(fields.refuse());
    }
    let settings = acme::settings(&mut tx).await?.ok_or_else(|| Refused::Conflict(NOBODY_CHOSE.to_owned()))?;
    if usize::try_from(acme_orders::count(&mut tx, &permit).await?).is_ok_and(|count| count >= MOST_ORDERS) {
        return Err(Refused::Conflict(too_many_orders()));
    }
    let id = AcmeOrderId(Uuid::now_v7());
    if !acme_orders::insert(&mut tx, &permit, id, &names, account).await? {
        return Err(Refused::field("names", "There is a certificate for exactly these names already."));
    }
    let row = acme_orders::list(&mut tx, &permit, Some(id)).await?.pop().ok_or(Refused::NotFound)?;
    let there = certificates::list(&mut tx, &permit, None).await?;
    let moment = acme_orders::now(&mut tx).await?;
    let same: BTreeSet<&String> = row.names.iter().collect();
    let valid = there.iter().any(|one| {
        one.origin == Origin::Acme && one.not_after > moment && one.names.iter().collect::<BTreeSet<_>>() == same
    });
    within_the_week(&mut tx, &settings, &row.names, valid).await?;
    let job = obtain_certificate::ask(&mut tx, &permit, &row, actor.who().cause(), 0).await?;
    record(&mut tx, &permit, "certificate.ordered", id.0, &row.names).await?;
    tx.commit().await?;
    Ok((id, job))
}

/// What is said where no authority was chosen.
const NOBODY_CHOSE: &str = "No certificate authority is chosen yet. An owner of the panel's first team chooses one, under Hosts → Certificates → Automatic → Authority.";

/// What is said where a team wants as many as there may be.
fn too_many_orders() -> String {
    format!(
        "The team has {MOST_ORDERS} automatic certificates, the most a team may have. Remove those that nobody needs any more, or get one for *.example.org in place of one for each name below it."
    )
}

/// Reads names, with anything between them.
fn names(fields: &mut Fields, raw: &str) -> Vec<CertName> {
    let mut names: Vec<CertName> = Vec::new();
    let parts = raw.split(|c: char| c.is_whitespace() || c == ',').filter(|part| !part.is_empty());
    for (place, part) in parts.enumerate() {
        if place >= MOST_NAMES {
            fields.wrong("names", format!("A certificate has at most {MOST_NAMES} names."));
            break;
        }
        match fields.entry::<CertName>("names", place, part) {
            Some(name) if !names.contains(&name) => names.push(name),
            _ => {}
        }
    }
    if names.is_empty() {
        fields.wrong("names", "Write at least one name, such as shop.example.org or *.example.org.");
    }
    names
}

/// Gets a certificate now, in place of when its time comes. Returns the job to watch.
pub async fn get_now(ctx: &Ctx, actor: &Actor, id: AcmeOrderId) -> Result<JobId, Refused> {
    let Open { mut tx, permit, .. } = gate::team_for(ctx, actor, Permission::EditProjects).await?;
    let job = now(&mut tx, &permit, actor, id).await?;
    tx.commit().await?;
    Ok(job)
}

/// Asks anew for a certificate of this one name where it could not be had; nothing where that is too often for now, or where none is wanted.
pub(super) async fn try_again(
    tx: &mut crate::db::Tx<'_>,
    permit: &Permit,
    actor: &Actor,
    name: &str,
) -> Result<(), Refused> {
    let Some(row) = acme_orders::of_name(tx, permit, name).await? else { return Ok(()) };
    if row.trouble.is_none() || row.job.is_some() {
        return Ok(());
    }
    match now(tx, permit, actor, row.id).await {
        Ok(_) | Err(Refused::TooOften(_) | Refused::Conflict(_)) => Ok(()),
        Err(refused) => Err(refused),
    }
}

/// How the order for this name stands, where there is one.
pub async fn of_name(ctx: &Ctx, actor: &Actor, name: &str) -> Result<Option<OrderView>, Refused> {
    let Open { mut tx, permit, .. } = gate::team_for(ctx, actor, Permission::View).await?;
    let row = acme_orders::of_name(&mut tx, &permit, name).await?;
    let (now, chosen) = (acme_orders::now(&mut tx).await?, directory(&mut tx).await?);
    tx.commit().await?;
    Ok(row.map(|row| OrderView::of(row, now, chosen.as_deref())))
}

/// The same, in the caller's transaction and by its permit.
async fn now(tx: &mut crate::db::Tx<'_>, permit: &Permit, actor: &Actor, id: AcmeOrderId) -> Result<JobId, Refused> {
    if !acme_orders::lock(tx, permit, id).await? {
        return Err(Refused::NotFound);
    }
    let row = acme_orders::list(tx, permit, Some(id)).await?.pop().ok_or(Refused::NotFound)?;
    let settings = acme::settings(tx).await?.ok_or_else(|| Refused::Conflict(NOBODY_CHOSE.to_owned()))?;
    let (failures, moment) = acme::failures(tx, &row.names).await?;
    if let Some(wait) = wait_for(&failures, moment) {
        let minutes = wait.as_secs().div_ceil(60).max(1);
        return Err(Refused::TooOften(format!(
            "Three proofs of this name failed within the hour, and the certificate authority counts them. Ask again in {minutes} min."
        )));
    }
    if row.job.is_none() {
        let ours = !row.is_of_another_than(&settings.directory);
        let valid = ours && row.not_after.is_some_and(|end| end > moment);
        within_the_week(tx, &settings, &row.names, valid).await?;
    }
    acme_orders::make_due(tx, permit, id).await?;
    let job = obtain_certificate::ask(tx, permit, &row, actor.who().cause(), 0).await?;
    record(tx, permit, "certificate.asked", id.0, &row.names).await?;
    Ok(job)
}

/// Refuses another certificate for exactly these names where the authority gave as many as it gives in a week, but for those that are left
/// for renewals while a valid one is there.
async fn within_the_week(
    tx: &mut crate::db::Tx<'_>,
    settings: &acme::Settings,
    names: &[String],
    valid: bool,
) -> Result<(), Refused> {
    let names: Vec<CertName> = names.iter().filter_map(|name| name.parse().ok()).collect();
    let (issues, moment) = acme::issues(tx, &settings.directory, &names_key(&names)).await?;
    too_many(&issues, valid, moment).map_or(Ok(()), |why| Err(Refused::TooOften(why)))
}

/// Wants a certificate no more: it is not renewed. What was got goes on serving until it runs out.
pub async fn remove(ctx: &Ctx, actor: &Actor, id: AcmeOrderId) -> Result<(), Refused> {
    let Open { mut tx, permit, .. } = gate::team_for(ctx, actor, Permission::EditProjects).await?;
    let row = acme_orders::list(&mut tx, &permit, Some(id)).await?.pop().ok_or(Refused::NotFound)?;
    if row.job.is_some() {
        return Err(Refused::Conflict(
            "It is being got at this moment. Wait until that job is over, or cancel it.".to_owned(),
        ));
    }
    if !acme_orders::remove(&mut tx, &permit, id).await? {
        return Err(Refused::NotFound);
    }
    alerts::close_unwanted_certificates(&mut tx, &permit).await?;
    record(&mut tx, &permit, "certificate.unwanted", id.0, &row.names).await?;
    tx.commit().await?;
    Ok(())
}

async fn record(
    tx: &mut crate::db::Tx<'_>,
    permit: &Permit,
    action: &'static str,
    subject: Uuid,
    names: &[String],
) -> Result<(), Refused> {
    let name = names.first().cloned().unwrap_or_default();
    let after = Some(json!({ "names": names }));
    let event = audit::New { action, kind: "certificate", subject: Some(subject), name: &name, before: None, after };
    Ok(audit::record(tx, permit, event).await?)
}
