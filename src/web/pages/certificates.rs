//! Certificates: what HTTPS is served with, for which names, for how long, and where. Not here: reading one.

use askama::Template;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use tower_sessions::Session;

use crate::actions::Refused;
use crate::actions::certificates::{self, CertificateLine, NewCertificate, ON_PAGE};
use crate::domain::certificate::{Age, Origin, help_of_host};
use crate::domain::help::Topic;
use crate::domain::ids::CertificateId;
use crate::domain::rights::{On, Permission};
use crate::web::actor::{At, Here};
use crate::web::error::Problem;
use crate::web::routes::{Policy, Routes};
use crate::web::ui::{Field, Form, Input, SafeUrl, Sent, Shell, page_with};
use crate::web::{Web, session};

/// Names of a certificate that stand in its line.
const NAMES: usize = 3;
/// Days of the whole bar: a life as most have it; what lasts longer fills it.
const BAR_DAYS: i64 = 90;

/// The routes.
pub fn routes() -> Routes {
    let (view, manage) = (Policy::Team(Permission::View), Policy::Team(Permission::ManageHosts));
    Routes::new()
        .about(Topic::Certificates)
        .get("/t/{team}/certificates", view, index)
        .post("/t/{team}/certificates", manage, upload)
        .post("/t/{team}/certificates/{id}/remove", manage, remove)
}

/// A certificate and the button that removes it.
pub struct Row {
    /// The certificate.
    pub line: CertificateLine,
    /// The button.
    pub remove: Option<Form>,
}

/// The page.
#[derive(Template)]
#[template(path = "certificates/index.html")]
pub struct Index {
    /// The frame.
    pub shell: Shell,
    /// The certificates.
    pub rows: Vec<Row>,
    /// The page with those behind them.
    pub more: Option<SafeUrl>,
    /// The form that takes one.
    pub form: Option<Form>,
    /// The page of those that are got by themselves.
    pub automatic: SafeUrl,
}

impl Index {
    fn new(here: &Here, lines: Vec<CertificateLine>) -> Result<Self, Problem> {
        let team = here.place()?.team.slug.clone();
        let actor = here.actor()?;
        let may_manage = actor.may(Permission::ManageHosts, On::team(actor.team())).is_ok();
        let full = i64::try_from(lines.len()).is_ok_and(|count| count >= ON_PAGE);
        let list = SafeUrl::path(["t", &team, "certificates"]);
        let row = |line: CertificateLine| {
            let action = SafeUrl::path(["t", &team, "certificates", &line.id.to_string(), "remove"]);
            Row { remove: may_manage.then(|| Form::act(action, &here.token, "Remove", "small")), line }
        };
        Ok(Self {
            shell: Shell::new(here, "Certificates", "Hosts")
                .crumb("Hosts", Some(SafeUrl::path(["t", &team, "hosts"])))
                .crumb("Certificates", None),
            more: lines.last().filter(|_| full).map(|last| list.before(last.id.0)),
            rows: lines.into_iter().map(row).collect(),
            form: may_manage.then(|| form(&team, &here.token)),
            automatic: SafeUrl::path(["t", &team, "certificates", "automatic"]),
        })
    }

    /// The day it ends.
    fn day(&self, line: &CertificateLine) -> String {
        line.not_after.date().to_string()
    }

    fn names(&self, line: &CertificateLine) -> String {
        line.names.iter().take(NAMES).cloned().collect::<Vec<_>>().join(", ")
    }

    /// How many names stand not in the line.
    fn more(&self, line: &CertificateLine) -> usize {
        line.names.len().saturating_sub(NAMES)
    }

    /// Which of its domains another one is served for, where one is.
    fn elsewhere(&self, line: &CertificateLine) -> String {
        let named = line.elsewhere.iter().take(NAMES).cloned().collect::<Vec<_>>().join(", ");
        match line.elsewhere.len() {
            0 => String::new(),
            all if all > NAMES => format!("another one for {named} and {} more", all - NAMES),
            _ => format!("another one for {named}"),
        }
    }

    fn origin(&self, line: &CertificateLine) -> &'static str {
        match line.origin {
            Origin::Uploaded => "uploaded",
            Origin::Acme => "renewed by Skiff",
        }
    }

    fn left(&self, line: &CertificateLine) -> String {
        match (line.age, line.days_left) {
            (Age::Over, _) => "expired".to_owned(),
            (_, 1) => "1 day".to_owned(),
            (_, days) => format!("{days} days"),
        }
    }

    /// Days for the bar.
    fn value(&self, line: &CertificateLine) -> i64 {
        line.days_left.clamp(0, BAR_DAYS)
    }

    fn help(&self, line: &CertificateLine) -> SafeUrl {
        help(line)
    }

    /// What asks for somebody, where something does.
    fn trouble(&self, line: &CertificateLine) -> String {
        let failed = line.hosts.iter().find(|place| !place.trouble.is_empty());
        match (failed, line.age, line.origin) {
            (Some(place), _, _) => format!("{}: {}", place.name, place.trouble),
            (None, Age::Over, _) if line.hosts.is_empty() => {
                "It has expired, and nothing is served with it.".to_owned()
            }
            (None, Age::Over, Origin::Acme) => {
                "It has expired: browsers refuse it. Automatic says why it was not renewed.".to_owned()
            }
            (None, Age::Over, Origin::Uploaded) => {
                "It has expired: browsers refuse it. Upload a new one for the same names.".to_owned()
            }
            (None, Age::Ending, Origin::Uploaded) => {
                "It ends soon, and nobody renews it. Upload the next one for the same names.".to_owned()
            }
            _ => String::new(),
        }
    }
}

/// Where the docs say more about what asks for somebody.
fn help(line: &CertificateLine) -> SafeUrl {
    let failed = line.hosts.iter().find(|place| !place.trouble.is_empty());
    SafeUrl::help(failed.map_or(Topic::CertificateEnds, |place| help_of_host(&place.trouble)))
}

/// The form that takes a certificate.
fn form(team: &str, token: &str) -> Form {
    let fields = vec![
        Field::of(Input::Area, "chain", "Certificate and chain")
            .empty("-----BEGIN CERTIFICATE-----")
            .hint("PEM: the certificate of the server first, then those of its issuers."),
        Field::of(Input::Area, "key", "Private key").empty("-----BEGIN PRIVATE KEY-----").hint(
            "PEM, without a passphrase. It is kept sealed, brought to the hosts that need it, and never shown again.",
        ),
    ];
    Form::new(SafeUrl::path(["t", team, "certificates"]), token, "Upload", fields)
}

#[derive(serde::Deserialize)]
struct Asked {
    before: Option<CertificateId>,
}

async fn index(State(web): State<Web>, here: Here, Query(asked): Query<Asked>) -> Result<Response, Problem> {
    let lines = certificates::page(web.actions(), here.actor()?, asked.before).await?;
    Ok(page_with(StatusCode::OK, &Index::new(&here, lines)?))
}

async fn upload(State(web): State<Web>, here: Here, session: Session, sent: Sent) -> Result<Response, Problem> {
    let input = NewCertificate { chain: sent.get("chain"), key: sent.get("key") };
    match certificates::upload(web.actions(), here.actor()?, input).await {
        Ok(made) => {
            let mut words = match made.replaced {
                true => "The certificate took the place of the one for the same names.".to_owned(),
                false => "The certificate is there. Hosts that serve its names get it now.".to_owned(),
            };
            if let Some(note) = made.note {
                words = format!("{words} {note}");
            }
            session::flash(&session, &words).await?;
            back(&here)
        }
        Err(Refused::Fields(errors)) => {
            let lines = certificates::list(web.actions(), here.actor()?).await?;
            let mut page = Index::new(&here, lines)?;
            // The key goes back to nobody, not even to who typed it: of a refused form only the certificate stays.
            page.form = page.form.map(|form| form.with("chain", &sent.get("chain")).refuse(&errors));
            Ok(page_with(StatusCode::UNPROCESSABLE_ENTITY, &page))
        }
        Err(refused) => Err(refused.into()),
    }
}

async fn remove(
    State(web): State<Web>,
    here: Here,
    session: Session,
    At((_, id)): At<(String, CertificateId)>,
) -> Result<Response, Problem> {
    certificates::remove(web.actions(), here.actor()?, id).await?;
    session::flash(&session, "The certificate is removed, and leaves the hosts.").await?;
    back(&here)
}

fn back(here: &Here) -> Result<Response, Problem> {
    let page = SafeUrl::path(["t", &here.place()?.team.slug, "certificates"]);
    Ok(Redirect::to(page.as_str()).into_response())
}
