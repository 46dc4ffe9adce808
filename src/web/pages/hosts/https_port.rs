//! Giving a host's proxy another port for HTTPS, or none. Not here: certificates.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use tower_sessions::Session;

use super::Show;
use crate::actions::Refused;
use crate::actions::hosts::{self, HostView, NO_HTTPS, SetHttpsPort};
use crate::domain::help::Topic;
use crate::domain::ids::HostId;
use crate::domain::rights::Permission;
use crate::web::actor::{At, Here};
use crate::web::error::Problem;
use crate::web::routes::{Policy, Routes};
use crate::web::ui::{Field, Form, SafeUrl, Sent, page_with};
use crate::web::{Web, session};

/// The routes.
pub fn routes() -> Routes {
    Routes::new().about(Topic::HttpsPort).post(
        "/t/{team}/hosts/{id}/https-port",
        Policy::Team(Permission::ManageHosts),
        set_https_port,
    )
}

/// The form.
pub fn form(team: &str, id: &str, token: &str, view: &HostView) -> Form {
    let action = SafeUrl::path(["t", team, "hosts", id, "https-port"]);
    let value = view.https_port.map_or(NO_HTTPS.to_owned(), |port| port.to_string());
    let field = Field::code("https_port", "Port for HTTPS, or none").value(value);
    Form::new(action, token, "Change", vec![field]).style("").inline()
}

async fn set_https_port(
    State(web): State<Web>,
    here: Here,
    session: Session,
    At((_, id)): At<(String, HostId)>,
    sent: Sent,
) -> Result<Response, Problem> {
    let input = SetHttpsPort { https_port: sent.get("https_port") };
    match hosts::set_https_port(web.actions(), here.actor()?, id, input).await {
        Ok(()) => {
            session::flash(&session, "The port is noted. Make the host ready again, and its proxy serves HTTPS there.")
                .await?;
            let page = SafeUrl::path(["t", &here.place()?.team.slug, "hosts", &id.to_string()]);
            Ok(Redirect::to(page.as_str()).into_response())
        }
        Err(Refused::Fields(errors)) => {
            let mut show = Show::new(&here, hosts::get(web.actions(), here.actor()?, id).await?)?;
            let typed = |form: Form| form.with("https_port", &sent.get("https_port")).refuse(&errors);
            show.https_port = show.https_port.map(typed);
            Ok(page_with(StatusCode::UNPROCESSABLE_ENTITY, &show))
        }
        Err(refused) => Err(refused.into()),
    }
}
