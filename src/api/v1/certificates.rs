//! Certificates: listed, uploaded, removed. A key comes in and never goes out.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::actions::certificates::{self, CertificateLine, NewCertificate, ON_PAGE, Place};
use crate::actions::tokens::Caller;
use crate::api::Api;
use crate::api::answer::{Created, Page, Time};
use crate::api::problem::Problem;
use crate::api::routes::{Routes, delete, get, post};
use crate::api::take::{Asked, OfId, Sent};
use crate::domain::certificate::Origin;
use crate::domain::certificate::help_of_host;
use crate::domain::help::Topic;
use crate::domain::ids::CertificateId;
use crate::domain::rights::Permission;

/// The calls.
pub fn routes() -> Routes {
    let (view, manage) = (Permission::View, Permission::ManageHosts);
    Routes::new()
        .about(Topic::Certificates)
        .add(get("/certificates", view).title("The team's certificates").gives::<Page<Certificate>>(), list)
        .add(
            post("/certificates", manage)
                .title("Upload a certificate with its chain and key; one for the same names is replaced")
                .gives::<Created<Certificate>>(),
            upload,
        )
        .add(get("/certificates/{id}", view).title("One certificate").gives::<Json<Certificate>>(), show)
        .add(delete("/certificates/{id}", manage).title("Remove a certificate, here and on the hosts"), remove)
}

/// A certificate.
#[derive(Serialize, JsonSchema)]
pub struct Certificate {
    /// The id.
    id: Uuid,
    /// The names it is for.
    names: Vec<String>,
    /// Where it comes from.
    origin: Origin,
    /// Who issued it.
    issuer: String,
    /// Its serial number, hex.
    serial: String,
    /// The SHA-256 of the certificate, hex.
    fingerprint: String,
    /// From when it is valid.
    not_before: Time,
    /// Until when.
    not_after: Time,
    /// Whole days that are left; negative where it has ended.
    days_left: i64,
    /// Where it is.
    hosts: Vec<OnHost>,
    /// Domains of routes that it is for, and that another one is served for: one that names them, or is good for longer.
    elsewhere: Vec<String>,
}

/// A certificate on a host.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "CertificateOnHost")]
struct OnHost {
    /// The host.
    host: Uuid,
    /// Its name.
    name: String,
    /// True where this very version is served there.
    current: bool,
    /// When it was brought.
    installed_at: Option<Time>,
    /// Why the last try failed; empty where it did not.
    trouble: String,
    /// Where the docs say more about that.
    help: Option<Topic>,
}

impl From<Place> for OnHost {
    fn from(place: Place) -> Self {
        Self {
            host: place.host.0,
            name: place.name,
            current: place.current,
            installed_at: place.at.map(Time),
            help: (!place.trouble.is_empty()).then(|| help_of_host(&place.trouble)),
            trouble: place.trouble,
        }
    }
}

impl From<CertificateLine> for Certificate {
    fn from(line: CertificateLine) -> Self {
        Self {
            id: line.id.0,
            names: line.names,
            origin: line.origin,
            issuer: line.issuer,
            serial: line.serial,
            fingerprint: line.fingerprint,
            not_before: line.not_before.into(),
            not_after: line.not_after.into(),
            days_left: line.days_left,
            hosts: line.hosts.into_iter().map(OnHost::from).collect(),
            elsewhere: line.elsewhere,
        }
    }
}

/// A certificate to upload.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewCertificate")]
struct Wanted {
    /// The certificate and, after it, those of its issuers (PEM).
    chain: String,
    /// The private key (PEM), not locked by a passphrase.
    key: String,
}

/// Which certificates are listed.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Begins {
    /// Where the page begins: `next` of the one before.
    #[serde(default)]
    cursor: Option<Uuid>,
}

async fn list(
    State(api): State<Api>,
    caller: Caller,
    Asked(from): Asked<Begins>,
) -> Result<Json<Page<Certificate>>, Problem> {
    let lines = certificates::page(api.actions(), &caller.actor, from.cursor.map(CertificateId)).await?;
    Ok(Page::part(lines, ON_PAGE, |line| line.id.to_string()))
}

async fn show(
    State(api): State<Api>,
    caller: Caller,
    OfId(id): OfId<CertificateId>,
) -> Result<Json<Certificate>, Problem> {
    Ok(Json(certificates::get(api.actions(), &caller.actor, id).await?.into()))
}

async fn upload(
    State(api): State<Api>,
    caller: Caller,
    Sent(wanted): Sent<Wanted>,
) -> Result<Created<Certificate>, Problem> {
    let input = NewCertificate { chain: wanted.chain, key: wanted.key };
    let made = certificates::upload(api.actions(), &caller.actor, input).await?;
    let line = certificates::get(api.actions(), &caller.actor, made.id).await?;
    Ok(Created::at(format!("/certificates/{}", made.id), line.into()))
}

async fn remove(State(api): State<Api>, caller: Caller, OfId(id): OfId<CertificateId>) -> Result<StatusCode, Problem> {
    certificates::remove(api.actions(), &caller.actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
