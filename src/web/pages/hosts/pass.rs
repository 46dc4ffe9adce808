//! A password or a private key given once: its fields, and the form on a host's page. Not here: what becomes of it.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use tower_sessions::Session;

use super::Show;
use crate::actions::Refused;
use crate::actions::hosts::{self, GivePass};
use crate::domain::help::Topic;
use crate::domain::ids::HostId;
use crate::domain::rights::Permission;
use crate::web::actor::{At, Here};
use crate::web::error::Problem;
use crate::web::routes::{Policy, Routes};
use crate::web::ui::{Field, Form, Input, SafeUrl, Sent, page_with};
use crate::web::{Web, session};

/// The routes.
pub fn routes() -> Routes {
    Routes::new().about(Topic::LettingIn).post("/t/{team}/hosts/{id}/pass", Policy::Team(Permission::ManageHosts), give)
}

/// The fields, with what was typed.
pub fn fields(input: &GivePass) -> Vec<Field> {
    vec![
        Field::of(Input::Password("off"), "password", "Password")
            .value(&input.password)
            .hint("Skiff signs in with it once, puts its own key there, and forgets it: at the latest an hour after it was given."),
        Field::of(Input::Area, "private_key", "Or a private key").value(&input.private_key).hint(
            "The whole text of the file, such as ~/.ssh/id_ed25519. It is used and forgotten in the same way.",
        ),
        Field::of(Input::Password("off"), "passphrase", "Its passphrase")
            .value(&input.passphrase)
            .hint("Where the key has one."),
    ]
}

/// The form on a host's page.
pub fn form(team: &str, id: &str, token: &str) -> Form {
    let action = SafeUrl::path(["t", team, "hosts", id, "pass"]);
    Form::new(action, token, "Let Skiff in with it", fields(&GivePass::default())).style("")
}

/// What a form gives.
pub fn given(sent: &Sent) -> GivePass {
    GivePass {
        password: sent.get("password"),
        private_key: sent.get("private_key"),
        passphrase: sent.get("passphrase"),
    }
}

async fn give(
    State(web): State<Web>,
    here: Here,
    session: Session,
    At((_, id)): At<(String, HostId)>,
    sent: Sent,
) -> Result<Response, Problem> {
    let input = given(&sent);
    let team = &here.place()?.team.slug;
    match hosts::give_pass(web.actions(), here.actor()?, id, input.clone()).await {
        Ok(Some(job)) => {
            let page = SafeUrl::path(["t", team, "jobs", &job.to_string()]);
            Ok(Redirect::to(page.as_str()).into_response())
        }
        Ok(None) => {
            session::flash(&session, "It is used once the key is confirmed, and forgotten then.").await?;
            let page = SafeUrl::path(["t", team, "hosts", &id.to_string()]);
            Ok(Redirect::to(page.as_str()).into_response())
        }
        Err(Refused::Fields(errors)) => {
            let mut show = Show::new(&here, hosts::get(web.actions(), here.actor()?, id).await?)?;
            // Also where the page would not offer it just now: what was typed is not lost.
            let form = form(team, &id.to_string(), &here.token).with("password", &input.password);
            let form = form.with("private_key", &input.private_key).with("passphrase", &input.passphrase);
            show.pass = Some(form.refuse(&errors));
            show.pass_open = true;
            Ok(page_with(StatusCode::UNPROCESSABLE_ENTITY, &show))
        }
        Err(refused) => Err(refused.into()),
    }
}
