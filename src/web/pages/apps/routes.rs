//! An app's routes: the domains and paths that lead to it.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use tower_sessions::Session;

use super::configuration::{removed, saved};
use super::{Head, In};
use crate::actions::Refused;
use crate::actions::apps::{self, AppView, NewRoute, RouteView};
use crate::domain::ids::{AppId, RouteId};
use crate::domain::rights::Permission;
use crate::web::Web;
use crate::web::actor::{At, Here};
use crate::web::error::Problem;
use crate::web::routes::{Policy, Routes};
use crate::web::ui::{Field, Form, SafeUrl, Sent, Shell, page_with};

/// The routes of this file (of the panel, that is).
pub fn routes() -> Routes {
    let (view, edit) = (Policy::Team(Permission::View), Policy::Team(Permission::EditApps));
    Routes::new().get("/t/{team}/apps/{id}/routes", view, show).post("/t/{team}/apps/{id}/routes", edit, add).post(
        "/t/{team}/apps/{id}/routes/remove",
        edit,
        remove,
    )
}

/// A route and the button that removes it.
pub struct Row {
    /// The route.
    pub line: RouteView,
    /// Where it answers.
    pub url: Option<SafeUrl>,
    /// The button.
    pub remove: Option<Form>,
}

/// The page.
#[derive(Template)]
#[template(path = "apps/routes.html")]
pub struct Show {
    /// The frame.
    pub shell: Shell,
    /// The app's head.
    pub head: Head,
    /// The routes.
    pub routes: Vec<Row>,
    /// The form that adds one.
    pub add: Option<Form>,
}

impl Show {
    /// The page of this app, with what was typed.
    pub fn new(here: &Here, view: &AppView, input: &NewRoute) -> Result<Self, Problem> {
        let (shell, head) = In::app(here, view, "Routes")?;
        let (team, id) = (here.place()?.team.slug.clone(), view.line.id.to_string());
        let row = |line: &RouteView| {
            let action = SafeUrl::path(["t", &team, "apps", &id, "routes", "remove"]);
            let mut form = Form::act(action, &here.token, "Remove", "small");
            for group in &mut form.groups {
                group.fields = vec![Field::hidden("id", line.id.to_string())];
            }
            Row { url: SafeUrl::web(&line.url), line: line.clone(), remove: view.may.edit.then_some(form) }
        };
        let fields = vec![
            Field::code("domain", "Domain").value(&input.domain).empty("shop.example"),
            Field::code("path", "Path")
                .value(&input.path)
                .empty("/")
                .hint("/api leads there for /api and /api/…, not /apiary."),
        ];
        let action = SafeUrl::path(["t", &team, "apps", &id, "routes"]);
        Ok(Self {
            shell,
            head,
            routes: view.routes.iter().map(row).collect(),
            add: view.may.edit.then(|| Form::new(action, &here.token, "Add route", fields).style("").inline()),
        })
    }
}

async fn show(State(web): State<Web>, here: Here, At((_, id)): At<(String, AppId)>) -> Result<Response, Problem> {
    let view = apps::get(web.actions(), here.actor()?, id).await?;
    Ok(page_with(StatusCode::OK, &Show::new(&here, &view, &NewRoute::default())?))
}

async fn add(
    State(web): State<Web>,
    here: Here,
    session: Session,
    At((_, id)): At<(String, AppId)>,
    sent: Sent,
) -> Result<Response, Problem> {
    let input = NewRoute { domain: sent.get("domain"), path: sent.get("path") };
    match apps::add_route(web.actions(), here.actor()?, id, input.clone()).await {
        Ok(_) => saved(&here, &session, id, "routes").await,
        Err(Refused::Fields(errors)) => {
            let view = apps::get(web.actions(), here.actor()?, id).await?;
            let mut show = Show::new(&here, &view, &input)?;
            show.add = show.add.map(|form| form.refuse(&errors));
            Ok(page_with(StatusCode::UNPROCESSABLE_ENTITY, &show))
        }
        Err(refused) => Err(refused.into()),
    }
}

async fn remove(
    State(web): State<Web>,
    here: Here,
    session: Session,
    At((_, id)): At<(String, AppId)>,
    sent: Sent,
) -> Result<Response, Problem> {
    let done = match sent.get("id").parse::<RouteId>() {
        Ok(route) => apps::remove_route(web.actions(), here.actor()?, id, route).await,
        Err(_) => Err(Refused::NotFound),
    };
    removed(&web, &here, &session, id, "routes", done).await
}
