//! The panel's certificate authority: which one, and on what terms. For owners of the panel's first team.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use tower_sessions::Session;

use super::at;
use crate::actions::Refused;
use crate::actions::acme::{self, ChosenView};
use crate::domain::help::Topic;
use crate::domain::rights::Permission;
use crate::web::actor::Here;
use crate::web::error::Problem;
use crate::web::routes::{Policy, Routes};
use crate::web::ui::{Choice, Field, Form, Input, Sent, Shell, When, page_with};
use crate::web::{Web, session};

/// The routes.
pub fn routes() -> Routes {
    let own = Policy::Team(Permission::OwnTeam);
    Routes::new()
        .about(Topic::CertificateAuthority)
        .get("/t/{team}/certificates/authority", own, show)
        .post("/t/{team}/certificates/authority", own, choose)
        .post("/t/{team}/certificates/authority/forget", own, forget)
}

/// The page.
#[derive(Template)]
#[template(path = "acme/settings.html")]
pub struct Settings {
    /// The frame.
    pub shell: Shell,
    /// What was chosen.
    pub chosen: Option<ChosenView>,
    /// When the terms were agreed to.
    pub agreed: Option<When>,
    /// The form that chooses.
    pub form: Form,
    /// The form that chooses none.
    pub forget: Option<Form>,
}

impl Settings {
    fn new(here: &Here, chosen: Option<ChosenView>) -> Result<Self, Problem> {
        let team = here.place()?.team.slug.clone();
        let end =
            || Form::act(at(&team, &["authority", "forget"]), &here.token, "Get no certificates any more", "danger");
        Ok(Self {
            shell: Shell::new(here, "Certificate authority", "Hosts")
                .crumb("Certificates", Some(at(&team, &[])))
                .crumb("Automatic", Some(at(&team, &["automatic"])))
                .crumb("Authority", None),
            agreed: chosen.as_ref().map(|chosen| When::new(chosen.terms_agreed_at)),
            form: form(&team, &here.token, chosen.as_ref()),
            forget: chosen.is_some().then(end),
            chosen,
        })
    }
}

fn form(team: &str, token: &str, chosen: Option<&ChosenView>) -> Form {
    let of = |read: fn(&ChosenView) -> &str| chosen.map(read).unwrap_or_default().to_owned();
    let authority = chosen.map_or("letsencrypt", |chosen| chosen.authority);
    let other = authority == "other";
    let choices = vec![
        Choice::new("letsencrypt", "Let's Encrypt", "trusted everywhere, free, with limits on how many"),
        Choice::new("letsencrypt-staging", "Let's Encrypt, staging", "for trying: no browser trusts what it signs"),
        Choice::new("other", "Another one", "ZeroSSL, Google Trust Services, your own …"),
    ];
    let terms = Choice::new("yes", "I agree to the terms of this authority", "as they stand in its directory");
    let fields = vec![
        Field::of(Input::Radio(choices), "authority", "Authority").value(authority),
        Field::code("directory", "Directory")
            .value(if other { of(|chosen| &chosen.directory) } else { String::new() })
            .empty("https://ca.example.org/acme/directory")
            .hint("Of another one.")
            .when("authority=other"),
        Field::of(Input::Email, "email", "E-mail")
            .value(of(|chosen| &chosen.email))
            .hint("Whom the authority may write to. May be left empty."),
        Field::of(Input::Checks(vec![(terms, chosen.is_some())]), "terms", "Terms"),
    ];
    let bound = vec![
        Field::code("eab_id", "Key id").value(of(|chosen| &chosen.eab_id)),
        Field::of(Input::Password("off"), "eab_key", "Key")
            .hint("Base64url; kept sealed, and never shown again. Empty keeps the one that is there."),
    ];
    let root = vec![
        Field::of(Input::Area, "ca_root", "Its root certificate")
            .value(of(|chosen| &chosen.ca_root))
            .empty("-----BEGIN CERTIFICATE-----")
            .hint("PEM. Only for an authority of your own, whose address this machine does not trust."),
    ];
    Form::new(at(team, &["authority"]), token, "Save", fields)
        .folded("External account", "where the authority asks for one (EAB)", "", bound)
        .folded("Own root", "for an authority of your own", "authority=other", root)
        .back(at(team, &["automatic"]))
}

async fn show(State(web): State<Web>, here: Here) -> Result<Response, Problem> {
    let chosen = acme::chosen(web.actions(), here.actor()?).await?;
    Ok(page_with(StatusCode::OK, &Settings::new(&here, chosen)?))
}

async fn choose(State(web): State<Web>, here: Here, session: Session, sent: Sent) -> Result<Response, Problem> {
    let input = acme::Choice {
        authority: sent.get("authority"),
        directory: sent.get("directory"),
        email: sent.get("email"),
        ca_root: sent.get("ca_root"),
        eab_id: sent.get("eab_id"),
        eab_key: sent.get("eab_key"),
        terms: sent.get("terms") == "yes",
    };
    match acme::choose(web.actions(), here.actor()?, input).await {
        Ok(()) => {
            session::flash(&session, "Saved. Every route gets a certificate within minutes.").await?;
            Ok(Redirect::to(at(&here.place()?.team.slug, &["automatic"]).as_str()).into_response())
        }
        Err(Refused::Fields(errors)) => {
            let chosen = acme::chosen(web.actions(), here.actor()?).await?;
            let mut page = Settings::new(&here, chosen)?;
            let names = ["authority", "directory", "email", "ca_root", "eab_id"];
            let typed = names.iter().fold(page.form, |form, name| form.with(name, &sent.get(name)));
            page.form = typed.refuse(&errors);
            Ok(page_with(StatusCode::UNPROCESSABLE_ENTITY, &page))
        }
        Err(refused) => Err(refused.into()),
    }
}

async fn forget(State(web): State<Web>, here: Here, session: Session) -> Result<Response, Problem> {
    acme::forget(web.actions(), here.actor()?).await?;
    session::flash(&session, "No certificate is got or renewed by itself any more.").await?;
    Ok(Redirect::to(at(&here.place()?.team.slug, &["automatic"]).as_str()).into_response())
}
