//! What a host does for the team's other hosts: the form on its page.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use tower_sessions::Session;

use super::Show;
use crate::actions::Refused;
use crate::actions::hosts::{self, HostPart, HostView};
use crate::domain::help::Topic;
use crate::domain::ids::HostId;
use crate::domain::rights::Permission;
use crate::web::actor::{At, Here};
use crate::web::error::Problem;
use crate::web::routes::{Policy, Routes};
use crate::web::ui::{Choice, Field, Form, Input, SafeUrl, Sent, page_with};
use crate::web::{Web, session};

/// The routes.
pub fn routes() -> Routes {
    Routes::new().about(Topic::WhoBuilds).post(
        "/t/{team}/hosts/{id}/part",
        Policy::Team(Permission::ManageHosts),
        set_part,
    )
}

/// The form as it is kept.
pub fn form(team: &str, id: &str, token: &str, view: &HostView) -> Form {
    let action = SafeUrl::path(["t", team, "hosts", id, "part"]);
    let builds = vec![
        Choice::new("no", "Runs apps", "and builds only what nobody else does"),
        Choice::new("yes", "Builds too", "for all hosts; keeps a registry of images"),
    ];
    let fields = vec![
        Field::of(Input::Radio(builds), "builds", "Its part").value(if view.builds { "yes" } else { "no" }),
        Field::code("private_address", "Private address")
            .value(&view.private_address)
            .empty("none")
            .hint("Under which the team's other hosts reach it. An app on several hosts then answers on each of them, whichever has room."),
    ];
    Form::new(action, token, "Save", fields).style("")
}

async fn set_part(
    State(web): State<Web>,
    here: Here,
    session: Session,
    At((_, id)): At<(String, HostId)>,
    sent: Sent,
) -> Result<Response, Problem> {
    let input = HostPart { private_address: sent.get("private_address"), builds: sent.get("builds") };
    match hosts::set_part(web.actions(), here.actor()?, id, input).await {
        Ok(()) => {
            session::flash(&session, "Noted. Make the host ready again, and it takes effect.").await?;
            let page = SafeUrl::path(["t", &here.place()?.team.slug, "hosts", &id.to_string()]);
            Ok(Redirect::to(page.as_str()).into_response())
        }
        Err(Refused::Fields(errors)) => {
            let mut show = Show::new(&here, hosts::get(web.actions(), here.actor()?, id).await?)?;
            let typed = |form: Form| {
                let form = form.with("private_address", &sent.get("private_address"));
                form.with("builds", &sent.get("builds")).refuse(&errors)
            };
            show.part = show.part.map(typed);
            Ok(page_with(StatusCode::UNPROCESSABLE_ENTITY, &show))
        }
        Err(refused) => Err(refused.into()),
    }
}
