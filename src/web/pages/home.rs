//! Home: is everything all right, what changed, what is running now? And where to go from nothing.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};

use super::{apps, audit, hosts, jobs};
use crate::actions::Weigh;
use crate::actions::home::{self, Home, Need, NextStep};
use crate::domain::rights::Permission;
use crate::web::Web;
use crate::web::actor::Here;
use crate::web::error::Problem;
use crate::web::routes::{Policy, Routes};
use crate::web::ui::{Badge, Drawn, Linked, SafeUrl, Shape, Shell, Tone, Way, page};

/// The routes.
pub fn routes() -> Routes {
    Routes::new().get("/", Policy::Account, root).get("/t/{team}", Policy::Team(Permission::View), show)
}

/// What to do next.
pub struct Next {
    /// The way to the first running app.
    pub way: Way,
    /// What.
    pub title: &'static str,
    /// More words to it.
    pub words: &'static str,
    /// Where.
    pub href: SafeUrl,
    /// The word on the button.
    pub verb: &'static str,
}

/// What is kept of it: what it shows, and its longest piece as it was drawn; the ages in that are kept up by the page's script.
pub struct Looked {
    view: Home,
    apps: Drawn,
}

impl Weigh for Looked {
    fn bytes(&self) -> usize {
        self.view.bytes() + self.apps.bytes()
    }
}

/// The page.
#[derive(Template)]
#[template(path = "home/show.html")]
pub struct Show<'a> {
    /// The frame.
    pub shell: Shell,
    /// The team's slug.
    pub team: String,
    /// Whether one sees what belongs to the team alone.
    pub sees_team: bool,
    /// What it shows.
    pub view: &'a Home,
    /// Running and waiting jobs.
    pub now: jobs::Table,
    /// Apps.
    pub apps: &'a Drawn,
    /// Hosts.
    pub hosts: hosts::Table,
    /// The latest changes.
    pub lately: audit::Lines,
}

impl<'a> Show<'a> {
    /// The page of this team.
    pub fn new(here: &Here, looked: &'a Looked) -> Result<Self, Problem> {
        let team = here.place()?.team.slug.clone();
        let Looked { view, apps } = looked;
        Ok(Self {
            shell: Shell::new(here, "Home", "Home"),
            sees_team: here.sees_team()?,
            now: jobs::Table { team: team.clone(), jobs: view.now.clone() },
            apps,
            hosts: hosts::Table { team: team.clone(), hosts: view.hosts.clone() },
            lately: audit::Lines { events: view.lately.clone(), with_address: false },
            team,
            view,
        })
    }

    fn own(&self) -> SafeUrl {
        SafeUrl::path(["t", &self.team])
    }

    fn at(&self, one: &'static str, two: &'static str) -> SafeUrl {
        let way = match one {
            "apps" => ["t", &self.team, "apps", two],
            _ => ["t", &self.team, one, two],
        };
        SafeUrl::path(way.into_iter().filter(|part| !part.is_empty()))
    }

    fn sign(&self) -> Badge {
        match (self.view.needs.is_empty(), self.view.apps.is_empty()) {
            (false, _) => Badge::new(Shape::Triangle, Tone::Watch, ""),
            (true, true) => Badge::new(Shape::Ring, Tone::Quiet, ""),
            (true, false) => Badge::new(Shape::Disc, Tone::Well, ""),
        }
    }

    fn look(&self, need: &Need) -> Option<SafeUrl> {
        match (need.app, need.host) {
            (Some(app), _) => Some(SafeUrl::path(["t", &self.team, "apps", &app.to_string()])),
            (None, Some(host)) => Some(SafeUrl::path(["t", &self.team, "hosts", &host.to_string()])),
            (None, None) if need.certificate && self.sees_team => {
                Some(SafeUrl::path(["t", &self.team, "certificates", "automatic"]))
            }
            (None, None) => None,
        }
    }

    fn next(&self) -> Option<Next> {
        let (at, title, words, href, verb) = match self.view.next {
            NextStep::AddHost => (
                1,
                "Add the first host",
                "A host is a Linux server that Skiff reaches by SSH. This machine can be the first one.",
                self.at("hosts", "new"),
                "Add host",
            ),
            NextStep::FinishHost(id) => (
                1,
                "Get the host ready",
                "It is known, and not ready yet.",
                SafeUrl::path(["t", &self.team, "hosts", &id.to_string()]),
                "Go on",
            ),
            NextStep::AddApp => (
                2,
                "Make the first app",
                "From a git repository, or an image by its name.",
                self.at("apps", "new"),
                "New app",
            ),
            NextStep::Deploy(id) => (
                3,
                "Deploy it",
                "The app is described. A deploy builds it, starts it, and opens the way to it.",
                SafeUrl::path(["t", &self.team, "apps", &id.to_string()]),
                "Go to the app",
            ),
            NextStep::Nothing => return None,
        };
        Some(Next { way: Way::new(at), title, words, href, verb })
    }
}

async fn root(here: Here) -> Result<Response, Problem> {
    // Whoever has left every team is told how to come into one.
    let Some(team) = here.teams.first() else { return Ok(Redirect::to("/teams").into_response()) };
    Ok(Redirect::to(SafeUrl::path(["t", &team.slug]).as_str()).into_response())
}

async fn show(State(web): State<Web>, here: Here) -> Result<Response, Problem> {
    let (ctx, place) = (web.actions(), here.place()?);
    let look = async || {
        let view = home::get(ctx, &place.actor).await?;
        let apps = view.apps.as_slice().into();
        let apps = Drawn::new(&apps::Table { team: place.team.slug.clone(), apps, with_place: true })?;
        Ok(Looked { view, apps })
    };
    let looked = ctx.kept.view(ctx, &place.actor, place.team.id.0, look).await?;
    Ok(page(&Show::new(&here, &looked)?))
}
