//! Stopping, starting and removing an app. Not here: what it runs with (`configuration.rs`).

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use tower_sessions::Session;

use super::{Head, In, again};
use crate::actions::Refused;
use crate::actions::apps::{self, AppView, RemoveApp, SetHsts};
use crate::domain::help::Topic;
use crate::domain::ids::AppId;
use crate::domain::rights::Permission;
use crate::web::actor::{At, Here};
use crate::web::error::Problem;
use crate::web::routes::{Policy, Routes};
use crate::web::ui::{Field, Form, SafeUrl, Sent, Shape, Shell, When, page, page_with};
use crate::web::{Web, session};

/// The routes.
pub fn routes() -> Routes {
    let (view, deploy) = (Policy::Team(Permission::View), Policy::Team(Permission::Deploy));
    Routes::new()
        .about(Topic::StopAndStart)
        .get("/t/{team}/apps/{id}/settings", view, show)
        .post("/t/{team}/apps/{id}/stop", deploy, stop)
        .about(Topic::RemovingApp)
        .post("/t/{team}/apps/{id}/remove", Policy::Team(Permission::EditProjects), remove)
        .about(Topic::HttpsOnly)
        .post("/t/{team}/apps/{id}/hsts", Policy::Team(Permission::EditApps), hsts)
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
    /// Whether browsers are told to come by HTTPS only.
    pub hsts: bool,
    /// The button that changes it.
    pub set_hsts: Option<Form>,
    /// The form that removes it.
    pub remove: Option<Form>,
    /// Its name.
    pub name: String,
    /// Names of its volumes: they stay.
    pub volumes: Vec<String>,
    /// Where removed apps' volumes are found.
    pub projects: SafeUrl,
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
            hsts: view.hsts,
            set_hsts: view.may.edit.then(|| hsts_form(&team, view, &here.token)),
            remove: view.may.remove.then(|| removal(&team, view, &here.token)),
            name: view.line.name.clone(),
            volumes: view.volumes.iter().map(|volume| volume.name.clone()).collect(),
            projects: SafeUrl::path(["t", &team, "projects"]),
            stop: (may_stop && view.line.stopped.is_none()).then(|| Form::act(action, &here.token, "Stop", "danger")),
        })
    }
}

/// The button that changes what browsers are told.
fn hsts_form(team: &str, view: &AppView, token: &str) -> Form {
    let action = SafeUrl::path(["t", team, "apps", &view.line.id.to_string(), "hsts"]);
    let (verb, value) = if view.hsts { ("Do not tell them any more", "no") } else { ("Tell them", "yes") };
    let mut form = Form::act(action, token, verb, "");
    for group in &mut form.groups {
        group.fields = vec![Field::hidden("hsts", value)];
    }
    form
}

/// The form that removes an app.
fn removal(team: &str, view: &AppView, token: &str) -> Form {
    let (name, id) = (&view.line.name, view.line.id.to_string());
    let mut fields = vec![Field::code("name", format!("Type {name} to remove it")).exactly(name)];
    if !view.volumes.is_empty() {
        let hint = "Their names, separated by spaces. What is not named here stays with its data.";
        fields.push(Field::code("volumes", "Volumes to remove with their data").empty("none").hint(hint));
    }
    let action = SafeUrl::path(["t", team, "apps", &id, "remove"]);
    Form::new(action, token, format!("Remove {name}"), fields).style("danger")
}

async fn show(State(web): State<Web>, here: Here, At((_, id)): At<(String, AppId)>) -> Result<Response, Problem> {
    let view = apps::get(web.actions(), here.actor()?, id).await?;
    Ok(page(&Show::new(&here, &view)?))
}

async fn hsts(
    State(web): State<Web>,
    here: Here,
    session: Session,
    At((_, id)): At<(String, AppId)>,
    sent: Sent,
) -> Result<Response, Problem> {
    apps::set_hsts(web.actions(), here.actor()?, id, SetHsts { hsts: sent.get("hsts") }).await?;
    session::flash(&session, "It is noted, and its hosts say it from now on.").await?;
    let page = SafeUrl::path(["t", &here.place()?.team.slug, "apps", &id.to_string(), "settings"]);
    Ok(Redirect::to(page.as_str()).into_response())
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

async fn remove(
    State(web): State<Web>,
    here: Here,
    session: Session,
    At((_, id)): At<(String, AppId)>,
    sent: Sent,
) -> Result<Response, Problem> {
    let input = RemoveApp { name: sent.get("name"), volumes: sent.get("volumes") };
    match apps::remove(web.actions(), here.actor()?, id, input.clone()).await {
        Ok(_) => {
            session::flash(&session, "It is removed. What is on its hosts is being taken away.").await?;
            let page = SafeUrl::path(["t", &here.place()?.team.slug, "apps", &id.to_string()]);
            Ok(Redirect::to(page.as_str()).into_response())
        }
        Err(Refused::Fields(errors)) => {
            let Ok(view) = apps::get(web.actions(), here.actor()?, id).await else {
                return super::gone::refused(&web, &here, id, &errors).await;
            };
            let mut show = Show::new(&here, &view)?;
            let filled = |form: Form| form.with("name", &input.name).with("volumes", &input.volumes);
            show.remove = show.remove.map(|form| filled(form).refuse(&errors));
            Ok(page_with(StatusCode::UNPROCESSABLE_ENTITY, &show))
        }
        Err(refused) => Err(refused.into()),
    }
}
