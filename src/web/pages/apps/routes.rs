//! An app's routes: the domains and paths that lead to it, and what holds for all of them. Not here: the rules of one
//! (`route.rs`).

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use tower_sessions::Session;

use super::configuration::gone;
use super::front;
use super::route::{self, Differences};
use super::{Head, In};
use crate::actions::Refused;
use crate::actions::acme::{self as certificates, DomainView};
use crate::actions::apps::{self, AppView, NewRoute, RouteView};
use crate::actions::routes::{self, Change, Changed, EditFront, EditRules, RoutesView};
use crate::domain::app::Kind;
use crate::domain::help::Topic;
use crate::domain::ids::{AppId, RouteId};
use crate::domain::rights::Permission;
use crate::web::actor::{At, Here};
use crate::web::error::Problem;
use crate::web::pages::acme;
use crate::web::pages::told::Told;
use crate::web::routes::{Policy, Routes};
use crate::web::ui::{Badge, Field, Form, Linked, SafeUrl, Sent, Shape, Shell, Tone, page_with};
use crate::web::{Web, session};

/// The routes of this file (of the panel, that is).
pub fn routes() -> Routes {
    let (view, edit) = (Policy::Team(Permission::View), Policy::Team(Permission::EditApps));
    Routes::new()
        .about(Topic::RouteRules)
        .get("/t/{team}/apps/{id}/routes", view, show)
        .post("/t/{team}/apps/{id}/routes", edit, add)
        .post("/t/{team}/apps/{id}/routes/remove", edit, remove)
        .post("/t/{team}/apps/{id}/routes/again", edit, again)
        .about(Topic::CertificateOrders)
        .post("/t/{team}/apps/{id}/routes/certificate", edit, certificate)
}

/// A route, what is asked there, and what one may do with it.
pub struct Row {
    /// The route.
    pub line: RouteView,
    /// Its rules in words.
    pub words: Vec<String>,
    /// Where it answers.
    pub url: Option<SafeUrl>,
    /// The page of its rules.
    pub href: SafeUrl,
    /// The button that removes it.
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
    /// Where the docs say more about that.
    pub help: Option<SafeUrl>,
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
    /// How the last change went, where that is worth saying.
    pub told: Option<Told>,
    /// The routes.
    pub routes: Vec<Row>,
    /// Whether the app takes connections on ports instead.
    pub ports: String,
    /// Whether everybody sees the page of maintenance.
    pub maintenance: bool,
    /// The button that switches it.
    pub switch: Option<Form>,
    /// The form that adds one.
    pub add: Option<Form>,
    /// The form of what holds for all of them.
    pub front: Option<Form>,
    /// What a change would make of the proxies' files, where that was asked.
    pub differences: Option<Differences>,
}

/// What was typed into the forms of the page.
#[derive(Clone, Default)]
pub struct Typed {
    /// The new route.
    pub route: NewRoute,
    /// Its rules.
    pub rules: EditRules,
    /// What holds for all of them, where it was changed.
    pub front: Option<EditFront>,
}

impl Show {
    /// The page of this app, with what was typed.
    pub fn new(
        here: &Here,
        view: &AppView,
        front: &RoutesView,
        domains: &[DomainView],
        typed: &Typed,
    ) -> Result<Self, Problem> {
        let (shell, head) = In::app(here, view, "Routes")?;
        let (team, id) = (here.place()?.team.slug.clone(), view.line.id.to_string());
        let watches = here.sees_team()?;
        let below = |what: &str| SafeUrl::path(["t", &team, "apps", &id, what]);
        let row = |line: &RouteView| {
            let mut form =
                Form::act(SafeUrl::path(["t", &team, "apps", &id, "routes", "remove"]), &here.token, "Remove", "small");
            for group in &mut form.groups {
                group.fields = vec![Field::hidden("id", line.id.to_string())];
            }
            let certificate = domains.iter().find(|one| one.domain == line.domain).map(|one| {
                let to = SafeUrl::path(["t", &team, "apps", &id, "routes", "certificate"]);
                let verb = one.state.map_or("Get one now", acme::verb);
                let mut now = Form::act(to, &here.token, verb, "small");
                for group in &mut now.groups {
                    group.fields = vec![Field::hidden("domain", one.domain.clone())];
                }
                let none = || Badge::new(Shape::Dotted, Tone::Quiet, one.words.clone());
                Certificate {
                    badge: one.state.map_or_else(none, |state| acme::short_badge(state, &one.words, &one.trouble)),
                    trouble: one.trouble.clone(),
                    help: one.help.map(SafeUrl::help),
                    watched: one
                        .job
                        .filter(|_| watches)
                        .map(|job| SafeUrl::path(["t", &team, "jobs", &job.to_string()])),
                    now: (view.may.edit && one.job.is_none() && one.gettable).then_some(now),
                }
            });
            Row {
                url: SafeUrl::web(&line.url),
                href: SafeUrl::path(["t", &team, "apps", &id, "routes", &line.id.to_string()]),
                words: line.rules.words(),
                line: line.clone(),
                certificate,
                remove: view.may.edit.then_some(form),
            }
        };
        let web = view.line.kind == Kind::Web;
        let port = |port: &crate::domain::rules::Port| port.port.to_string();
        Ok(Self {
            told: Told::of(&team, front.last.as_ref()).map(|told| {
                let to = SafeUrl::path(["t", &team, "apps", &id, "routes", "again"]);
                told.or_again(view.may.edit.then(|| Form::act(to, &here.token, "Try again", "")))
            }),
            routes: view.routes.iter().map(row).collect(),
            ports: front.front.ports.iter().map(port).collect::<Vec<_>>().join(", "),
            maintenance: front.front.maintenance,
            switch: (view.may.edit && web && front.front.ports.is_empty())
                .then(|| front::switch(below("maintenance"), here, front.front.maintenance)),
            add: (view.may.edit && web && front.front.ports.is_empty()).then(|| {
                adding(below("routes"), here, typed, if view.routes.is_empty() { &front.generated } else { "" })
            }),
            front: (view.may.edit && web).then(|| {
                front::form(below("front"), here, typed.front.as_ref().unwrap_or(&front.form), &front.form.as_of)
            }),
            differences: None,
            shell,
            head,
        })
    }
}

/// The form that adds a route.
fn adding(action: SafeUrl, here: &Here, typed: &Typed, offered: &str) -> Form {
    let NewRoute { domain, path } = &typed.route;
    let domain = if domain.is_empty() { offered } else { domain.as_str() };
    let fields = vec![
        Field::code("domain", "Domain").value(domain).empty("shop.example"),
        Field::code("path", "Path").value(path).empty("/").hint("/api leads there for /api and /api/…, not /apiary."),
    ];
    let form = Form::new(action, &here.token, "Add route", fields).style("").also("see", "See what changes");
    route::groups(form, &typed.rules).open_filled()
}

async fn show(State(web): State<Web>, here: Here, At((_, id)): At<(String, AppId)>) -> Result<Response, Problem> {
    Ok(page_with(StatusCode::OK, &page(&web, &here, id, &Typed::default()).await?))
}

/// The page, with what was typed.
pub async fn page(web: &Web, here: &Here, id: AppId, typed: &Typed) -> Result<Show, Problem> {
    let (view, front) = look(web, here, id).await?;
    let domains = certificates::of_app(web.actions(), here.actor()?, id).await?;
    Show::new(here, &view, &front, &domains, typed)
}

/// The app and its routes.
pub async fn look(web: &Web, here: &Here, id: AppId) -> Result<(AppView, RoutesView), Problem> {
    let view = apps::get(web.actions(), here.actor()?, id).await?;
    Ok((view, routes::look(web.actions(), here.actor()?, id).await?))
}

async fn add(
    State(web): State<Web>,
    here: Here,
    session: Session,
    At((_, id)): At<(String, AppId)>,
    sent: Sent,
) -> Result<Response, Problem> {
    let route = NewRoute { domain: sent.get("domain"), path: sent.get("path") };
    let typed = Typed { route: route.clone(), rules: route::read(&sent), front: None };
    let change = Change::Add(route, typed.rules.clone());
    let refused = match see_or_save(&web, &here, &session, id, &sent, change).await? {
        Ok(Done::Saved(answer)) => return Ok(answer),
        Ok(Done::Seen(differences)) => {
            let mut show = page(&web, &here, id, &typed).await?;
            show.differences = Some(differences);
            return Ok(page_with(StatusCode::OK, &show));
        }
        Err(refused) => refused,
    };
    let Refused::Fields(errors) = refused else { return Err(refused.into()) };
    let mut show = page(&web, &here, id, &typed).await?;
    show.add = show.add.map(|form| form.refuse(&errors));
    Ok(page_with(StatusCode::UNPROCESSABLE_ENTITY, &show))
}

async fn remove(
    State(web): State<Web>,
    here: Here,
    session: Session,
    At((_, id)): At<(String, AppId)>,
    sent: Sent,
) -> Result<Response, Problem> {
    let done = match sent.get("id").parse::<RouteId>() {
        Ok(route) => routes::remove(web.actions(), here.actor()?, id, route).await,
        Err(_) => Err(Refused::NotFound),
    };
    match done {
        Ok(changed) => saved(&here, &session, id, changed).await,
        Err(refused) => Err(gone(&web, &here, id, refused).await),
    }
}

async fn again(
    State(web): State<Web>,
    here: Here,
    session: Session,
    At((_, id)): At<(String, AppId)>,
    _: Sent,
) -> Result<Response, Problem> {
    match routes::again(web.actions(), here.actor()?, id).await {
        Ok(job) => saved(&here, &session, id, Changed { route: None, job }).await,
        Err(refused) => Err(gone(&web, &here, id, refused).await),
    }
}

/// What came of a form that was not refused.
pub enum Done {
    /// It is saved: the answer.
    Saved(Response),
    /// Nothing was changed: what it would make of the proxies' files.
    Seen(Differences),
}

/// Does what a form asks for, or only looks at it, by the button that was pressed.
pub async fn see_or_save(
    web: &Web,
    here: &Here,
    session: &Session,
    id: AppId,
    sent: &Sent,
    change: Change,
) -> Result<Result<Done, Refused>, Problem> {
    let (ctx, actor) = (web.actions(), here.actor()?);
    Ok(if sent.get("see").is_empty() {
        match routes::change(ctx, actor, id, change).await {
            Ok(changed) => Ok(Done::Saved(saved(here, session, id, changed).await?)),
            Err(refused) => Err(refused),
        }
    } else {
        routes::preview(ctx, actor, id, change).await.map(|hosts| Done::Seen(Differences { hosts }))
    })
}

/// Back to the page of routes, which says when it holds.
pub async fn saved(here: &Here, session: &Session, app: AppId, changed: Changed) -> Result<Response, Problem> {
    let words = match changed.job {
        Some(_) => "Saved. The proxies are being told.",
        None => "Saved. It holds from the first deploy on.",
    };
    session::flash(session, words).await?;
    let page = SafeUrl::path(["t", &here.place()?.team.slug, "apps", &app.to_string(), "routes"]);
    Ok(Redirect::to(page.as_str()).into_response())
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
        Ok(job) if here.sees_team()? => {
            Ok(Redirect::to(SafeUrl::path(["t", &team, "jobs", &job.to_string()]).as_str()).into_response())
        }
        done @ (Ok(_) | Err(Refused::TooOften(_) | Refused::Conflict(_))) => {
            let begun = "The certificate is being got: this page says how it stands.";
            match done {
                Ok(_) => session::flash(&session, begun).await?,
                Err(why @ Refused::TooOften(_)) => {
                    session::flash_refused(&session, &why.to_string(), Topic::CertificateLimit).await?;
                }
                Err(why) => session::flash_refused(&session, &why.to_string(), Topic::CertificateAuthority).await?,
            }
            let page = SafeUrl::path(["t", &team, "apps", &id.to_string(), "routes"]);
            Ok(Redirect::to(page.as_str()).into_response())
        }
        Err(refused) => Err(gone(&web, &here, id, refused).await),
    }
}
