//! Stopping, starting and removing an app. Not here: what it runs with (`configuration.rs`).

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use tower_sessions::Session;

use super::{Head, In, again};
use crate::actions::apps::{self, AppView};
use crate::domain::ids::AppId;
use crate::domain::rights::Permission;
use crate::web::actor::{At, Here};
use crate::web::error::Problem;
use crate::web::routes::{Policy, Routes};
use crate::web::ui::{Form, SafeUrl, Shape, Shell, When, page};
use crate::web::{Web, session};

/// The routes.
pub fn routes() -> Routes {
    let (view, deploy) = (Policy::Team(Permission::View), Policy::Team(Permission::Deploy));
    Routes::new().get("/t/{team}/apps/{id}/settings", view, show).post("/t/{team}/apps/{id}/stop", deploy, stop)
}

/// The page.
#[derive(Template)]
#[template(path = "apps/settings.html")]
pub struct Show {
    /// The frame.
    pub shell: Shell,
    /// The app's head.
    pub head: Head,
    /// Who stopped it and when, where it is stopped.
    pub stopped: Option<(String, When)>,
    /// Whether anything of it serves or did.
    pub deployed: bool,
    /// The button that restarts or starts it.
    pub again: Option<Form>,
    /// The button that stops it.
    pub stop: Option<Form>,
}

impl Show {
    /// The page of this app.
    pub fn new(here: &Here, view: &AppView) -> Result<Self, Problem> {
        let (shell, head) = In::app(here, view, "Settings")?;
        let (team, id) = (here.place()?.team.slug.clone(), view.line.id.to_string());
        let may_stop = view.may.deploy && view.line.current.is_some();
        let action = SafeUrl::path(["t", &team, "apps", &id, "stop"]);
        Ok(Self {
            shell,
            head,
            stopped: view.line.stopped.as_ref().map(|stopped| (stopped.by.clone(), When::new(stopped.at))),
            deployed: view.line.current.is_some(),
            again: again(&team, view, &here.token, ""),
            stop: (may_stop && view.line.stopped.is_none()).then(|| Form::act(action, &here.token, "Stop", "danger")),
        })
    }
}

async fn show(State(web): State<Web>, here: Here, At((_, id)): At<(String, AppId)>) -> Result<Response, Problem> {
    let view = apps::get(web.actions(), here.actor()?, id).await?;
    Ok(page(&Show::new(&here, &view)?))
}

async fn stop(
    State(web): State<Web>,
    here: Here,
    session: Session,
    At((_, id)): At<(String, AppId)>,
) -> Result<Response, Problem> {
    let job = apps::stop(web.actions(), here.actor()?, id).await?;
    session::flash(&session, "It is being stopped.").await?;
    Ok(Redirect::to(SafeUrl::path(["t", &here.place()?.team.slug, "jobs", &job.to_string()]).as_str()).into_response())
}
