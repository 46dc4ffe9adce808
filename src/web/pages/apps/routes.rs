//! An app's routes: the domains and paths that lead to it.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use tower_sessions::Session;

use super::configuration::{gone, removed, saved};
use super::{Head, In};
use crate::actions::Refused;
use crate::actions::acme::{self as certificates, DomainView};
use crate::actions::apps::{self, AppView, NewRoute, RouteView};
use crate::domain::ids::{AppId, RouteId};
use crate::domain::rights::{On, Permission};
use crate::web::Web;
use crate::web::actor::{At, Here};
use crate::web::error::Problem;
use crate::web::pages::acme;
use crate::web::routes::{Policy, Routes};
use crate::web::session;
use crate::web::ui::{Badge, Field, Form, SafeUrl, Sent, Shape, Shell, Tone, page_with};

/// The routes of this file (of the panel, that is).
pub fn routes() -> Routes {
    let (view, edit) = (Policy::Team(Permission::View), Policy::Team(Permission::EditApps));
    Routes::new()
        .get("/t/{team}/apps/{id}/routes", view, show)
        .post("/t/{team}/apps/{id}/routes", edit, add)
        .post("/t/{team}/apps/{id}/routes/remove", edit, remove)
        .post("/t/{team}/apps/{id}/routes/certificate", edit, certificate)
}

/// A route and the button that removes it.
pub struct Row {
    /// The route.
    pub line: RouteView,
    /// Where it answers.
    pub url: Option<SafeUrl>,
    /// The button.
    pub remove: Option<Form>,
    /// How the domain's certificate stands.
    pub certificate: Option<Certificate>,
}

/// How a domain's certificate stands, and what can be done.
pub struct Certificate {
    /// How it stands.
    pub badge: Badge,
    /// What is wrong and what to try; empty where nothing is.
    pub trouble: String,
    /// The job that is at it.
    pub watched: Option<SafeUrl>,
    /// The button that gets one now.
    pub now: Option<Form>,
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
    pub fn new(here: &Here, view: &AppView, domains: &[DomainView], input: &NewRoute) -> Result<Self, Problem> {
        let (shell, head) = In::app(here, view, "Routes")?;
        let (team, id) = (here.place()?.team.slug.clone(), view.line.id.to_string());
        let watches = sees_team(here)?;
        let row = |line: &RouteView| {
            let action = SafeUrl::path(["t", &team, "apps", &id, "routes", "remove"]);
            let mut form = Form::act(action, &here.token, "Remove", "small");
            for group in &mut form.groups {
                group.fields = vec![Field::hidden("id", line.id.to_string())];
            }
            let certificate = domains.iter().find(|one| one.domain == line.domain).map(|one| {
                let to = SafeUrl::path(["t", &team, "apps", &id, "routes", "certificate"]);
                let mut now = Form::act(to, &here.token, "Get one now", "small");
                for group in &mut now.groups {
                    group.fields = vec![Field::hidden("domain", one.domain.clone())];
                }
                let none = || Badge::new(Shape::Dotted, Tone::Quiet, one.words.clone());
                Certificate {
                    badge: one.state.map_or_else(none, |state| acme::badge(state, &one.words)),
                    trouble: one.trouble.clone(),
                    watched: one
                        .job
                        .filter(|_| watches)
                        .map(|job| SafeUrl::path(["t", &team, "jobs", &job.to_string()])),
                    now: (view.may.edit && one.job.is_none() && one.gettable).then_some(now),
                }
            });
            Row { url: SafeUrl::web(&line.url), line: line.clone(), remove: view.may.edit.then_some(form), certificate }
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
    Ok(page_with(StatusCode::OK, &read(&web, &here, id, &NewRoute::default()).await?))
}

/// The page, with what was typed.
async fn read(web: &Web, here: &Here, id: AppId, input: &NewRoute) -> Result<Show, Problem> {
    let (ctx, actor) = (web.actions(), here.actor()?);
    let (view, domains) = tokio::try_join!(apps::get(ctx, actor, id), certificates::of_app(ctx, actor, id))?;
    Show::new(here, &view, &domains, input)
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
            let mut show = read(&web, &here, id, &input).await?;
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

/// Whether the actor sees what belongs to the team alone.
fn sees_team(here: &Here) -> Result<bool, Problem> {
    let actor = here.actor()?;
    Ok(actor.may(Permission::View, On::team(actor.team())).is_ok())
}

async fn certificate(
    State(web): State<Web>,
    here: Here,
    session: Session,
    At((_, id)): At<(String, AppId)>,
    sent: Sent,
) -> Result<Response, Problem> {
    let team = here.place()?.team.slug.clone();
    match certificates::get_now_for(web.actions(), here.actor()?, id, &sent.get("domain")).await {
        // It is a job of the team: whoever sees a part of it alone is told here.
        Ok(job) if sees_team(&here)? => {
            Ok(Redirect::to(SafeUrl::path(["t", &team, "jobs", &job.to_string()]).as_str()).into_response())
        }
        done @ (Ok(_) | Err(Refused::TooOften(_) | Refused::Conflict(_))) => {
            let begun = "The certificate is being got: this page says how it stands.".to_owned();
            let said = done.err().map_or(begun, |why| why.to_string());
            session::flash(&session, &said).await?;
            let page = SafeUrl::path(["t", &team, "apps", &id.to_string(), "routes"]);
            Ok(Redirect::to(page.as_str()).into_response())
        }
        Err(refused) => Err(gone(&web, &here, id, refused).await),
    }
}
