//! Apps: the list, one at a glance. Its forms are in the files beside; its releases and deploys in rooms of their own.

mod configuration;
mod dockerfile;
mod front;
mod gone;
mod instances;
pub mod logs;
mod new;
mod placement;
mod push;
mod route;
mod routes;
mod settings;
mod variables;
mod volumes;

pub(super) use route::Differences;

use std::borrow::Cow;

use askama::Template;
use askama::filters::HtmlSafe;
use axum::extract::State;
use axum::response::Response;
use time::OffsetDateTime;

use super::releases::Changes;
use super::{deploys, releases};
use crate::actions::apps::{self, AppLine, AppState, AppView, DeployBrief, May};
use crate::actions::deploys::DeployLine;
use crate::actions::jobs::JobLine;
use crate::actions::{Refused, Weigh};
use crate::domain::app::Kind;
use crate::domain::deploy::DeployState;
use crate::domain::ids::{AppId, HostId};
use crate::domain::rights::Permission;
use crate::web::Web;
use crate::web::actor::{At, Here};
use crate::web::error::Problem;
use crate::web::routes::{Policy, Routes};
use crate::web::ui::{Badge, Drawn, Field, Form, SafeUrl, Shape, Shell, Tab, Way, When, Whole, mib, page};

/// The routes.
pub fn routes() -> Routes {
    let view = Policy::Team(Permission::View);
    Routes::new()
        .get("/t/{team}/apps", view, index)
        .get("/t/{team}/apps/{id}", view, show)
        .merge(new::routes())
        .merge(instances::routes())
        .merge(logs::routes())
        .merge(settings::routes())
        .merge(configuration::routes())
        .merge(dockerfile::routes())
        .merge(placement::routes())
        .merge(variables::routes())
        .merge(routes::routes())
        .merge(route::routes())
        .merge(front::routes())
        .merge(volumes::routes())
        .merge(push::routes())
}

/// Apps as a table.
#[derive(Template)]
#[template(path = "apps/_table.html")]
pub struct Table<'a> {
    /// The team's slug.
    pub team: String,
    /// The apps.
    pub apps: Cow<'a, [AppLine]>,
    /// Whether project and environment are shown.
    pub with_place: bool,
}

impl HtmlSafe for Table<'_> {}

impl Table<'_> {
    fn page(&self, app: &AppLine) -> SafeUrl {
        SafeUrl::path(["t", &self.team, "apps", &app.id.to_string()])
    }

    fn deploy_page(&self, deploy: &DeployBrief) -> SafeUrl {
        SafeUrl::path(["t", &self.team, "deploys", &deploy.id.to_string()])
    }

    fn badge(&self, app: &AppLine) -> Badge {
        Badge::from(app.state).observed(app.observed_at)
    }

    fn address(&self, app: &AppLine) -> Option<(SafeUrl, String)> {
        let url = app.url.as_deref()?;
        let words = url.split_once("://").map_or(url, |(_, rest)| rest).trim_end_matches('/');
        Some((SafeUrl::web(url)?, words.to_owned()))
    }

    fn no_address(&self, app: &AppLine) -> &'static str {
        match app.kind {
            Kind::Web => "no route",
            Kind::Worker => "worker",
        }
    }

    fn when(&self, at: &OffsetDateTime) -> When {
        When::new(*at)
    }
}

/// What stands on top of every page of an app.
#[derive(Template)]
#[template(path = "apps/_head.html")]
pub struct Head {
    /// The team's slug.
    pub team: String,
    /// The app.
    pub app: AppLine,
    /// What one may do with it.
    pub may: May,
    /// The token for its buttons.
    pub token: String,
    /// Its pages.
    pub tabs: Vec<Tab>,
    /// Whether to deploy is the page's own act; its forms have another.
    pub primary: bool,
}

impl HtmlSafe for Head {}

impl Head {
    fn kind(&self) -> &'static str {
        match self.app.kind {
            Kind::Web => "web",
            Kind::Worker => "worker",
        }
    }

    fn below(&self, one: &'static str, two: &'static str) -> SafeUrl {
        let id = self.app.id.to_string();
        let parts = ["t", &self.team, "apps", &id, one, two];
        SafeUrl::path(parts.into_iter().filter(|part| !part.is_empty()))
    }
}

/// The frame and the head of an app's pages.
pub struct In;

impl In {
    /// For the page called so in the app's tabs.
    pub fn app(here: &Here, view: &AppView, at: &str) -> Result<(Shell, Head), Problem> {
        let team = here.place()?.team.slug.clone();
        let id = view.line.id.to_string();
        let count = |n: usize| if n == 0 { String::new() } else { n.to_string() };
        let tab = |word: &str, below: &str, count: String| Tab {
            word: word.to_owned(),
            href: SafeUrl::path(["t", &team, "apps", &id, below].into_iter().filter(|part| !part.is_empty())),
            here: word == at,
            count,
        };
        let tabs = vec![
            tab("Overview", "", String::new()),
            tab("Logs", "logs", String::new()),
            tab(
                "Releases",
                "releases",
                count(usize::try_from(view.releases.first().map_or(0, |release| release.number)).unwrap_or(0)),
            ),
            tab("Configuration", "configuration", String::new()),
            tab("Source", "source", String::new()),
            tab("Variables", "variables", count(view.variables.len() + view.secrets.len())),
            tab("Routes", "routes", count(view.routes.len())),
            tab("Volumes", "volumes", count(view.volumes.len())),
            tab("Push", "push", String::new()),
            tab("Settings", "settings", String::new()),
        ];
        let overview = at == "Overview";
        let mut shell = Shell::new(here, view.line.name.clone(), "Apps")
            .crumb("Apps", Some(SafeUrl::path(["t", &team, "apps"])))
            .crumb(view.line.name.clone(), (!overview).then(|| SafeUrl::path(["t", &team, "apps", &id])));
        if overview {
            shell.state = Some(view.line.state.into());
        } else {
            shell = shell.crumb(at, None);
        }
        Ok((
            shell,
            Head { team, app: view.line.clone(), may: view.may, token: here.token.clone(), tabs, primary: overview },
        ))
    }
}

/// The list.
#[derive(Template)]
#[template(path = "apps/index.html")]
pub struct Index {
    /// The frame.
    pub shell: Shell,
    /// The apps.
    pub apps: Table<'static>,
    /// What is said where there is none.
    pub nothing: &'static str,
    /// Whether one may make one.
    pub may_create: bool,
    /// The page that makes one.
    pub new: SafeUrl,
    /// This page.
    pub own: SafeUrl,
}

impl Index {
    /// The list of these apps; `search` keeps those whose name or place has it.
    pub fn new(here: &Here, mut apps: Vec<AppLine>, search: &str) -> Result<Self, Problem> {
        let place = here.place()?;
        let team = place.team.slug.clone();
        let search = search.trim().to_lowercase();
        apps.retain(|app| {
            let words = [&app.name, " ", &app.project_name, " ", &app.environment_name].concat();
            words.to_lowercase().contains(&search)
        });
        Ok(Self {
            shell: Shell::new(here, "Apps", "Apps").crumb("Apps", None),
            may_create: place.actor.may_somewhere(Permission::EditApps).is_ok(),
            nothing: if search.is_empty() { "No app yet" } else { "No app of that name" },
            new: SafeUrl::path(["t", &team, "apps", "new"]),
            own: SafeUrl::path(["t", &team, "apps"]),
            apps: Table { team, apps: apps.into(), with_place: true },
        })
    }
}

/// What is kept of it: what it shows, the pieces without a form of one's own session as they were drawn, and the page of the
/// session that looked first.
pub struct Looked {
    view: AppView,
    deploys: Drawn,
    page: Option<Whole>,
}

impl Weigh for Looked {
    fn bytes(&self) -> usize {
        let page = self.page.as_ref().map_or(0, Whole::bytes);
        self.view.bytes() + self.deploys.bytes() + page
    }
}

impl Looked {
    /// The app with its page drawn.
    pub fn new(here: &Here, view: AppView) -> Result<Self, Refused> {
        let team = here.place().map_err(|_| Refused::NotFound)?.team.slug.clone();
        let newest = view.deploys.iter().take(Self::DEPLOYS).cloned().collect();
        let deploys = deploys::Table { team, deploys: newest };
        let mut looked = Self { deploys: Drawn::new(&deploys)?, view, page: None };
        let here = Here { flash: None, ..here.clone() };
        let show = Show::new(&here, &looked).map_err(|_| Refused::NotFound)?;
        looked.page = Some(Whole::new(&here, &show)?);
        Ok(looked)
    }

    /// Deploys on this page.
    const DEPLOYS: usize = 6;
}

/// An app's page.
#[derive(Template)]
#[template(path = "apps/show.html")]
pub struct Show<'a> {
    /// The frame.
    pub shell: Shell,
    /// The head.
    pub head: Head,
    /// The team's slug.
    pub team: String,
    /// The app.
    pub view: &'a AppView,
    /// The way to the first running app.
    pub way: Way,
    /// What the next deploy changes.
    pub pending: Changes,
    /// The form that scales it, once something serves.
    pub scale: Option<Form>,
    /// Its instances.
    pub instances: instances::Table<'a>,
    /// The button that restarts it, or starts it again.
    pub again: Option<Form>,
    /// Its newest releases.
    pub releases: releases::Table,
    /// Its newest deploys.
    pub deploys: &'a Drawn,
}

/// The button that deploys the serving release once more: it restarts an app, or starts one that is stopped.
fn again(team: &str, view: &AppView, token: &str, style: &'static str) -> Option<Form> {
    let idle = view.running.is_none() && view.waiting.is_none() && view.acting.is_none();
    view.line.current.as_ref().filter(|_| view.may.deploy && idle)?;
    let verb = if view.line.stopped.is_some() { "Start" } else { "Restart" };
    let action = SafeUrl::path(["t", team, "apps", &view.line.id.to_string(), "deploys"]);
    let mut form = Form::act(action, token, verb, style);
    for group in &mut form.groups {
        group.fields = vec![Field::hidden("to", "again")];
    }
    Some(form)
}

/// Why an app needs somebody.
pub struct Trouble {
    /// What happened.
    pub title: &'static str,
    /// Why, and what is so meanwhile.
    pub words: String,
    /// Where more is.
    pub href: SafeUrl,
}

impl<'a> Show<'a> {
    /// Releases on this page; all are on their own.
    const RELEASES: usize = 4;
    /// The page of this app.
    pub fn new(here: &Here, looked: &'a Looked) -> Result<Self, Problem> {
        let Looked { view, deploys, .. } = looked;
        let team = here.place()?.team.slug.clone();
        let (shell, head) = In::app(here, view, "Overview")?;
        let token = view.may.deploy.then(|| here.token.clone());
        Ok(Self {
            shell,
            head,
            way: Way::new(3),
            pending: Changes { changes: view.pending.clone() },
            scale: match view.line.current {
                Some(_) if view.may.deploy && view.may.edit => Some(placement::form(here, view, "scale", "Scale")?),
                _ => None,
            },
            instances: instances::Table {
                team: team.clone(),
                instances: &view.instances,
                token: token.clone().filter(|_| view.line.stopped.is_none()),
            },
            again: again(&team, view, &here.token, "small"),
            releases: releases::Table {
                team: team.clone(),
                app: view.line.id,
                releases: view.releases.iter().take(Self::RELEASES).cloned().collect(),
                token,
            },
            deploys,
            team,
            view,
        })
    }

    fn own(&self) -> SafeUrl {
        SafeUrl::path(["t", &self.team, "apps", &self.view.line.id.to_string()])
    }

    fn below(&self, page: &'static str) -> SafeUrl {
        SafeUrl::path(["t", &self.team, "apps", &self.view.line.id.to_string(), page])
    }

    fn job_page(&self, job: &JobLine) -> SafeUrl {
        SafeUrl::path(["t", &self.team, "jobs", &job.id.to_string()])
    }

    /// What went wrong last, while it stands.
    fn trouble(&self) -> Option<Trouble> {
        let deploy = self.view.deploys.first().filter(|_| self.view.line.state == AppState::NeedsYou)?;
        if let Some(taken) = self.view.line.last_deploy.as_ref().and_then(|deploy| deploy.answers.as_ref()) {
            let serving = self.view.line.current.as_ref().map(|release| match deploy.state {
                DeployState::Succeeded => format!(" v{} serves again.", release.number),
                _ => format!(" Going back did not succeed: v{} goes on serving.", release.number),
            });
            let words = ["By the ", &taken.why, ".", serving.as_deref().unwrap_or_default()].concat();
            let href = SafeUrl::path(["t", &self.team, "deploys", &taken.deploy.to_string()]);
            return Some(Trouble { title: "The last deploy was found bad", words, href });
        }
        if deploy.state != DeployState::Failed {
            return None;
        }
        let serving = self.view.line.current.as_ref().map(|release| format!(" v{} goes on serving.", release.number));
        let words = [deploy.failure.clone().unwrap_or_default(), serving.unwrap_or_default()].concat();
        Some(Trouble { title: "The last deploy failed", words, href: self.deploy_page(deploy) })
    }

    fn badge(&self) -> Badge {
        Badge::from(self.view.line.state).observed(self.view.line.observed_at)
    }

    fn tone(&self) -> &'static str {
        self.badge().tone.class()
    }

    fn release_page(&self, number: &i32) -> SafeUrl {
        let id = self.view.line.id.to_string();
        SafeUrl::path(["t", &self.team, "apps", &id, "releases", &number.to_string()])
    }

    fn deploy_page(&self, deploy: &DeployLine) -> SafeUrl {
        SafeUrl::path(["t", &self.team, "deploys", &deploy.id.to_string()])
    }

    fn deploy_what(&self, deploy: &DeployLine) -> String {
        deploys::what(deploy)
    }

    fn host_page(&self, host: &HostId) -> SafeUrl {
        SafeUrl::path(["t", &self.team, "hosts", &host.to_string()])
    }

    fn web(&self, url: &str) -> Option<SafeUrl> {
        SafeUrl::web(url)
    }

    fn when(&self, at: &OffsetDateTime) -> When {
        When::new(*at)
    }

    fn first_deploy(&self) -> String {
        match (self.view.line.state, self.view.host.ready) {
            (AppState::New, false) => {
                ["Its host, ", &self.view.host.name, ", is not ready yet: make it ready first."].concat()
            }
            _ => {
                "Deploy builds or fetches its image, starts it, and opens the way to it once it is healthy.".to_owned()
            }
        }
    }

    fn memory(&self) -> String {
        self.view.spec.memory_mib.map_or("as much as the host has".to_owned(), |limit| mib(u64::from(limit)))
    }

    fn cpu(&self) -> String {
        match self.view.spec.cpu_milli {
            Some(milli) if milli % 1000 == 0 => format!("{} cores", milli / 1000),
            Some(milli) => format!("{}.{:03} cores", milli / 1000, milli % 1000).replace("00 cores", " cores"),
            None => "all cores".to_owned(),
        }
    }
}

#[derive(serde::Deserialize)]
struct Asked {
    #[serde(default)]
    q: String,
}

async fn index(
    State(web): State<Web>,
    here: Here,
    axum::extract::Query(asked): axum::extract::Query<Asked>,
) -> Result<Response, Problem> {
    let apps = apps::list(web.actions(), here.actor()?).await?;
    Ok(page(&Index::new(&here, apps, &asked.q)?))
}

async fn show(State(web): State<Web>, here: Here, At((_, id)): At<(String, AppId)>) -> Result<Response, Problem> {
    let (ctx, place) = (web.actions(), here.place()?);
    let look = async || Looked::new(&here, apps::get(ctx, &place.actor, id).await?);
    let looked = match ctx.kept.view(ctx, &place.actor, id.0, look).await {
        Err(Refused::NotFound) => return gone::show(&web, &here, id).await,
        looked => looked?,
    };
    if let Some(page) = looked.page.as_ref().and_then(|page| page.answer(&here)) {
        return Ok(page);
    }
    Ok(page(&Show::new(&here, &looked)?))
}
