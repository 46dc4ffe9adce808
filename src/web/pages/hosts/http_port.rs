//! Giving a host's proxy another port. Not here: its form, which stands among the facts of the host's page.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use tower_sessions::Session;

use super::Show;
use crate::actions::Refused;
use crate::actions::hosts::{self, SetHttpPort};
use crate::domain::help::Topic;
use crate::domain::ids::HostId;
use crate::domain::rights::Permission;
use crate::web::actor::{At, Here};
use crate::web::error::Problem;
use crate::web::routes::{Policy, Routes};
use crate::web::ui::{SafeUrl, Sent, page_with};
use crate::web::{Web, session};

/// The routes.
pub fn routes() -> Routes {
    Routes::new().about(Topic::PortTaken).post(
        "/t/{team}/hosts/{id}/http-port",
        Policy::Team(Permission::ManageHosts),
        set_http_port,
    )
}

async fn set_http_port(
    State(web): State<Web>,
    here: Here,
    session: Session,
    At((_, id)): At<(String, HostId)>,
    sent: Sent,
) -> Result<Response, Problem> {
    let input = SetHttpPort { http_port: sent.get("http_port") };
    match hosts::set_http_port(web.actions(), here.actor()?, id, input).await {
        Ok(()) => {
            session::flash(&session, "The port is noted. Make the host ready again, and its proxy listens there.")
                .await?;
            let page = SafeUrl::path(["t", &here.place()?.team.slug, "hosts", &id.to_string()]);
            Ok(Redirect::to(page.as_str()).into_response())
        }
        Err(Refused::Fields(errors)) => {
            let mut show = Show::new(&here, hosts::get(web.actions(), here.actor()?, id).await?)?;
            show.http_port = show.http_port.map(|form| form.with("http_port", &sent.get("http_port")).refuse(&errors));
            Ok(page_with(StatusCode::UNPROCESSABLE_ENTITY, &show))
        }
        Err(refused) => Err(refused.into()),
    }
}
