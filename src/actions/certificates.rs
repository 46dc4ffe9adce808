//! Certificates of the team: brought by a person, listed, removed. Bringing them to hosts is a job. Not here: reading one
//! (`domain/certificate`), asking an ACME server.

use std::collections::{HashMap, HashSet};

use serde_json::json;
use time::OffsetDateTime;
use uuid::Uuid;

use super::fields::Fields;
use super::gate::{self, Open};
use super::{Ctx, Refused};
use crate::db::{self, audit};
use crate::domain::certificate::{self, Age, ByName, Checked, Facts, Field, Origin};
use crate::domain::ids::{CertificateId, HostId};
use crate::domain::rights::{Actor, Permission, Permit};
use crate::domain::secret::Secret;
use crate::jobs::{ends_of_certificates, panel_address, set_certificates};
use crate::queue;
use crate::vault;

/// Certificates on one page.
pub const ON_PAGE: i64 = 100;

/// What the form of a certificate sends.
#[derive(Clone, Default)]
pub struct NewCertificate {
    /// The certificate and, after it, those of its issuers (PEM).
    pub chain: String,
    /// The private key (PEM).
    pub key: String,
}

impl std::fmt::Debug for NewCertificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("<secret>")
    }
}

/// A certificate. Its key is never shown again.
#[derive(Clone, Debug)]
pub struct CertificateLine {
    /// The certificate.
    pub id: CertificateId,
    /// The names it is for.
    pub names: Vec<String>,
    /// Where it comes from.
    pub origin: Origin,
    /// Who issued it.
    pub issuer: String,
    /// Its serial number, hex.
    pub serial: String,
    /// The SHA-256 of the certificate, hex.
    pub fingerprint: String,
    /// From when it is valid.
    pub not_before: OffsetDateTime,
    /// Until when.
    pub not_after: OffsetDateTime,
    /// Whole days that are left; negative where it has ended.
    pub days_left: i64,
    /// What that means.
    pub age: Age,
    /// Where it is.
    pub hosts: Vec<Place>,
    /// True where it is the one to serve a domain of a route.
    pub wanted: bool,
    /// Domains of routes that it is for, and that another one is served for.
    pub elsewhere: Vec<String>,
}

/// A certificate on a host.
#[derive(Clone, Debug)]
pub struct Place {
    /// The host.
    pub host: HostId,
    /// The host's name.
    pub name: String,
    /// True where this very version is served there.
    pub current: bool,
    /// When it was brought.
    pub at: Option<OffsetDateTime>,
    /// Why the last try failed; empty where it did not.
    pub trouble: String,
}

/// What became of an upload.
#[derive(Clone, Debug)]
pub struct Uploaded {
    /// The certificate.
    pub id: CertificateId,
    /// True where it took the place of one for the same names.
    pub replaced: bool,
    /// What may surprise, where something may.
    pub note: Option<&'static str>,
}

/// The first page of the team's certificates, by their names.
pub async fn list(ctx: &Ctx, actor: &Actor) -> Result<Vec<CertificateLine>, Refused> {
    page(ctx, actor, None).await
}

/// A page of them: those behind this one.
pub async fn page(ctx: &Ctx, actor: &Actor, after: Option<CertificateId>) -> Result<Vec<CertificateLine>, Refused> {
    let mut open = gate::team_for(ctx, actor, Permission::View).await?;
    let rows = db::certificates::page(&mut open.tx, &open.permit, after, ON_PAGE).await?;
    lines(open, rows).await
}

/// One of them.
pub async fn get(ctx: &Ctx, actor: &Actor, id: CertificateId) -> Result<CertificateLine, Refused> {
    let mut open = gate::team_for(ctx, actor, Permission::View).await?;
    let rows = db::certificates::some(&mut open.tx, &open.permit, &[id]).await?;
    lines(open, rows).await?.pop().ok_or(Refused::NotFound)
}

async fn lines(open: Open, rows: Vec<db::certificates::Row>) -> Result<Vec<CertificateLine>, Refused> {
    let Open { mut tx, permit, .. } = open;
    let ids: Vec<CertificateId> = rows.iter().map(|row| row.id).collect();
    let installed = db::certificates::installed(&mut tx, &permit, &ids).await?;
    let candidates = db::certificates::candidates(&mut tx, &permit).await?;
    let domains = db::acme_routes::domains(&mut tx, &permit).await?;
    tx.commit().await?;
    let now = OffsetDateTime::now_utc();
    let by_name = ByName::new(&candidates);
    let passed = certificate::passed_over(&by_name, &domains, now);
    let wanted: HashSet<CertificateId> =
        domains.iter().filter_map(|domain| by_name.choose(domain, now)).map(|one| one.id).collect();
    let mut places: HashMap<CertificateId, Vec<db::certificates::Installed>> = HashMap::new();
    for one in installed {
        places.entry(one.certificate).or_default().push(one);
    }
    let elsewhere = |id| passed.get(&id).into_iter().flatten().map(|domain| (*domain).to_owned()).collect();
    let lines = rows.into_iter().map(|row| {
        let (elsewhere, wanted) = (elsewhere(row.id), wanted.contains(&row.id));
        CertificateLine { elsewhere, wanted, ..line(&mut places, row, now) }
    });
    Ok(lines.collect())
}

fn line(
    places: &mut HashMap<CertificateId, Vec<db::certificates::Installed>>,
    row: db::certificates::Row,
    now: OffsetDateTime,
) -> CertificateLine {
    let (days_left, age) = certificate::age(row.not_after, now);
    let here = places.remove(&row.id).unwrap_or_default().into_iter();
    let hosts = here.map(|one| Place {
        host: one.host,
        name: one.host_name,
        current: one.fingerprint == row.fingerprint,
        at: one.at,
        trouble: one.trouble,
    });
    CertificateLine {
        hosts: hosts.collect(),
        elsewhere: Vec::new(),
        wanted: false,
        id: row.id,
        names: row.names,
        origin: row.origin,
        issuer: row.issuer,
        serial: row.serial,
        fingerprint: row.fingerprint,
        not_before: row.not_before,
        not_after: row.not_after,
        days_left,
        age,
    }
}

/// Takes a certificate that a person brings. One that was brought for the same names before is replaced, and nothing else changes
/// on the hosts.
pub async fn upload(ctx: &Ctx, actor: &Actor, input: NewCertificate) -> Result<Uploaded, Refused> {
    let Open { mut tx, permit, .. } = gate::team_for(ctx, actor, Permission::ManageHosts).await?;
    let NewCertificate { chain, key } = input;
    let checked = certificate::read(&chain, &Secret::new(key), OffsetDateTime::now_utc()).map_err(|faults| {
        let mut fields = Fields::default();
        for fault in faults {
            let field = match fault.field {
                Field::Chain => "chain",
                Field::Key => "key",
            };
            fields.wrong(field, fault.sentence);
        }
        fields.refuse()
    })?;
    let known = db::certificates::alike(&mut tx, &permit, &checked.facts).await?;
    let (id, replaced) = match known {
        Some((_, fingerprint)) if fingerprint == checked.facts.fingerprint => {
            return Err(Refused::field("chain", "The team has this very certificate already."));
        }
        Some((id, _)) => (id, true),
        None => (CertificateId(Uuid::now_v7()), false),
    };
    if !replaced {
        db::certificates::insert(&mut tx, &permit, id, Origin::Uploaded).await?;
    }
    store(ctx, &mut tx, &permit, id, &checked).await?;
    let action = if replaced { "certificate.replaced" } else { "certificate.uploaded" };
    record(&mut tx, &permit, action, id, &checked.facts, true).await?;
    // Where nothing leads to its names no host needs it yet: it comes with the route, whose job has no other one in its way then.
    let needed = is_needed(&mut tx, &permit, &checked.facts.names).await?;
    if needed {
        set_certificates::ask_all(&mut tx, &permit, actor.who().cause()).await?;
    }
    ends_of_certificates::tell_of_one(&mut tx, &permit, checked.facts.not_after).await?;
    // A name of the panel's on trial may have waited for nothing else.
    queue::hurry(&mut tx, &permit, panel_address::LOCK).await?;
    tx.commit().await?;
    if !needed {
        // A route that was added at the same time saw as little of the certificate as was seen of the route.
        // It is kept in any case, and comes with the next change.
        if let Err(error) = ask_meanwhile(ctx, &permit, &checked.facts.names, actor).await {
            tracing::warn!(%error, "It could not be seen whether a certificate that was uploaded is needed by now");
        }
    }
    Ok(Uploaded { id, replaced, note: checked.note })
}

/// Asks the hosts for it where it is needed by now.
async fn ask_meanwhile(ctx: &Ctx, permit: &Permit, names: &[String], actor: &Actor) -> Result<(), Refused> {
    let mut tx = ctx.db.begin(permit).await?;
    if is_needed(&mut tx, permit, names).await? {
        set_certificates::ask_all(&mut tx, permit, actor.who().cause()).await?;
    }
    Ok(tx.commit().await?)
}

/// Whether a route, or the panel's own name, leads to one of these names.
async fn is_needed(tx: &mut db::Tx<'_>, permit: &Permit, names: &[String]) -> Result<bool, Refused> {
    let domains: HashSet<String> = db::acme_routes::domains(tx, permit).await?.into_iter().collect();
    let stars: HashSet<String> = domains.iter().filter_map(|domain| certificate::wildcard_over(domain)).collect();
    Ok(names.iter().any(|name| domains.contains(name) || stars.contains(name)))
}

/// Seals a version and makes it the one that is served.
async fn store(
    ctx: &Ctx,
    tx: &mut db::Tx<'_>,
    permit: &Permit,
    id: CertificateId,
    checked: &Checked,
) -> Result<(), Refused> {
    let data_key = db::host_logins::data_key(tx, permit).await?;
    let version = Uuid::now_v7();
    let place = vault::Context::certificate(permit.team(), version);
    let sealed = ctx.vault.seal(&data_key, &place, checked.pem.expose().as_bytes());
    let sealed = sealed.map_err(|error| Refused::internal(&error))?;
    match db::certificates::add_version(tx, permit, id, version, &checked.facts, &sealed).await? {
        true => Ok(()),
        false => Err(Refused::NotFound),
    }
}

/// Removes a certificate, here and on the hosts. Names that no other one is for are served over plain HTTP from then on.
pub async fn remove(ctx: &Ctx, actor: &Actor, id: CertificateId) -> Result<(), Refused> {
    let Open { mut tx, permit, .. } = gate::team_for(ctx, actor, Permission::ManageHosts).await?;
    let row = db::certificates::list(&mut tx, &permit, Some(id)).await?.pop().ok_or(Refused::NotFound)?;
    let facts = Facts {
        names: row.names,
        issuer: row.issuer,
        serial: row.serial,
        fingerprint: row.fingerprint,
        not_before: row.not_before,
        not_after: row.not_after,
    };
    db::certificates::remove(&mut tx, &permit, id).await?;
    record(&mut tx, &permit, "certificate.removed", id, &facts, false).await?;
    set_certificates::ask_all(&mut tx, &permit, actor.who().cause()).await?;
    ends_of_certificates::tell_of_one(&mut tx, &permit, facts.not_after).await?;
    tx.commit().await?;
    Ok(())
}

/// Writes an event about a certificate down.
async fn record(
    tx: &mut db::Tx<'_>,
    permit: &Permit,
    action: &'static str,
    id: CertificateId,
    facts: &Facts,
    became: bool,
) -> Result<(), Refused> {
    let name = facts.names.first().map(String::as_str).unwrap_or_default();
    let said = json!({ "names": facts.names.join(", "), "issuer": facts.issuer, "serial": facts.serial,
        "valid until": facts.not_after.date().to_string() });
    let (before, after) = if became { (None, Some(said)) } else { (Some(said), None) };
    let event = audit::New { action, kind: "certificate", subject: Some(id.0), name, before, after };
    Ok(audit::record(tx, permit, event).await?)
}
