//! A DNS account's token or key, given anew. Not here: adding and removing accounts (`mod.rs`).

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use tower_sessions::Session;

use super::at;
use crate::actions::Refused;
use crate::actions::acme::{self, DnsAccess, DnsAccountView};
use crate::domain::dns::{AccountKind, Algorithm};
use crate::domain::help::Topic;
use crate::domain::ids::DnsAccountId;
use crate::domain::rights::Permission;
use crate::web::actor::{At, Here};
use crate::web::error::Problem;
use crate::web::routes::{Policy, Routes};
use crate::web::ui::{Choice, Field, Form, Input, SafeUrl, Sent, Shell, page_with};
use crate::web::{Web, session};

/// The routes.
pub fn routes() -> Routes {
    let edit = Policy::Team(Permission::EditProjects);
    Routes::new().about(Topic::CertificateRecord).get("/t/{team}/certificates/accounts/{id}", edit, show).post(
        "/t/{team}/certificates/accounts/{id}",
        edit,
        change,
    )
}

/// The page of an account.
pub fn page(team: &str, id: DnsAccountId) -> SafeUrl {
    SafeUrl::path(["t", team, "certificates", "accounts", &id.to_string()])
}

/// The page.
#[derive(Template)]
#[template(path = "acme/account.html")]
pub struct Show {
    /// The frame.
    pub shell: Shell,
    /// The account.
    pub line: DnsAccountView,
    /// The form.
    pub form: Form,
}

impl Show {
    async fn read(web: &Web, here: &Here, id: DnsAccountId) -> Result<Self, Problem> {
        let line = acme::account(web.actions(), here.actor()?, id).await?;
        let team = &here.place()?.team.slug;
        Ok(Self {
            shell: Shell::new(here, &line.name, "Hosts")
                .crumb("Certificates", Some(at(team, &[])))
                .crumb("Automatic", Some(at(team, &["automatic"])))
                .crumb(&line.name, None),
            form: form(team, &here.token, &line),
            line,
        })
    }

    fn kind(&self) -> &'static str {
        self.line.kind.word()
    }
}

fn form(team: &str, token: &str, line: &DnsAccountView) -> Form {
    let secret = |name, label: &str| Field::of(Input::Password("off"), name, label);
    let fields = match line.kind {
        AccountKind::Rfc2136 => {
            let algorithms = Algorithm::ALL.map(|one| Choice::new(one.name(), one.name(), ""));
            vec![
                Field::code("server", "Name server").value(&line.server),
                Field::code("key_name", "Name of the key").value(&line.key_name),
                Field::of(Input::Select(algorithms.to_vec()), "algorithm", "Signs with").value(&line.algorithm),
                secret("key", "Key")
                    .hint("Base64, as in the name server's file; kept sealed. Empty keeps the one that is there."),
            ]
        }
        _ => vec![
            secret("token", "Token").hint("In place of the one that is there; kept sealed, and never shown again."),
        ],
    };
    Form::new(page(team, line.id), token, "Save", fields).back(at(team, &["automatic"]))
}

async fn show(
    State(web): State<Web>,
    here: Here,
    At((_, id)): At<(String, DnsAccountId)>,
) -> Result<Response, Problem> {
    Ok(page_with(StatusCode::OK, &Show::read(&web, &here, id).await?))
}

async fn change(
    State(web): State<Web>,
    here: Here,
    session: Session,
    At((_, id)): At<(String, DnsAccountId)>,
    sent: Sent,
) -> Result<Response, Problem> {
    let input = DnsAccess {
        token: sent.get("token"),
        server: sent.get("server"),
        key_name: sent.get("key_name"),
        algorithm: sent.get("algorithm"),
        key: sent.get("key"),
    };
    match acme::change_account(web.actions(), here.actor()?, id, input).await {
        Ok(changed) => {
            let words =
                format!("{} is changed. Certificates that it failed are tried again within a minute.", changed.name);
            session::flash(&session, &words).await?;
            Ok(Redirect::to(at(&here.place()?.team.slug, &["automatic"]).as_str()).into_response())
        }
        Err(Refused::Fields(errors)) => {
            let mut page = Show::read(&web, &here, id).await?;
            // Tokens and keys are typed again: they are not sent back.
            let names = ["server", "key_name", "algorithm"];
            let typed = names.iter().fold(page.form, |form, name| form.with(name, &sent.get(name)));
            page.form = typed.refuse(&errors);
            Ok(page_with(StatusCode::UNPROCESSABLE_ENTITY, &page))
        }
        Err(refused) => Err(refused.into()),
    }
}
