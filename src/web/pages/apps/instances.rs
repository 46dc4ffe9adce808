//! Instances of an app: the table on its page, and one looked into without a shell. Not here: what they print (`logs.rs`).

use askama::Template;
use askama::filters::HtmlSafe;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use time::OffsetDateTime;
use tower_sessions::Session;

use super::{Head, In};
use crate::actions::apps;
use crate::actions::hosts::{InstanceLine, InstanceState};
use crate::actions::instances::{self, InstanceView, Restarted, Shown};
use crate::domain::help::Topic;
use crate::domain::ids::{AppId, InstanceId};
use crate::domain::rights::Permission;
use crate::web::actor::{At, Here};
use crate::web::error::Problem;
use crate::web::routes::{Policy, Routes};
use crate::web::ui::{Badge, Form, SafeUrl, Shape, Shell, When, page};
use crate::web::{Web, session};

/// The routes.
pub fn routes() -> Routes {
    let (view, deploy) = (Policy::Team(Permission::View), Policy::Team(Permission::Deploy));
    Routes::new().about(Topic::StopAndStart).get("/t/{team}/apps/{id}/instances/{instance}", view, show).post(
        "/t/{team}/apps/{id}/instances/{instance}/restart",
        deploy,
        restart,
    )
}

/// Instances as a table, host by host.
#[derive(Template)]
#[template(path = "apps/_instances.html")]
pub struct Table<'a> {
    /// The team's slug.
    pub team: String,
    /// The instances.
    pub instances: &'a [InstanceLine],
    /// The token for the buttons; none where one may not restart.
    pub token: Option<String>,
}

impl HtmlSafe for Table<'_> {}

/// The instances of one host.
pub struct OnHost<'a> {
    /// The first of them.
    pub first: &'a InstanceLine,
    /// All.
    pub instances: Vec<&'a InstanceLine>,
}

impl Table<'_> {
    /// By host, those that serve first.
    fn hosts(&self) -> Vec<OnHost<'_>> {
        let mut hosts: Vec<OnHost<'_>> = Vec::new();
        for instance in self.instances {
            match hosts.iter_mut().find(|host| host.first.host == instance.host) {
                Some(host) => host.instances.push(instance),
                None => hosts.push(OnHost { first: instance, instances: vec![instance] }),
            }
        }
        hosts.sort_by(|a, b| a.first.host_name.cmp(&b.first.host_name));
        hosts
    }

    fn several(&self) -> bool {
        self.hosts().len() > 1
    }

    /// "2 of 3 serve".
    fn count(&self, host: &OnHost<'_>) -> String {
        let serving = host.instances.iter().filter(|instance| instance.state == InstanceState::Serving).count();
        format!("{serving} of {} serve", host.instances.len())
    }

    fn name(&self, instance: &InstanceLine) -> String {
        format!("{}-{}", instance.app_name, instance.position)
    }

    fn badge(&self, instance: &InstanceLine) -> Badge {
        Badge::from(instance.state).observed(instance.seen_at)
    }

    fn page(&self, instance: &InstanceLine) -> SafeUrl {
        one(&self.team, instance, &[])
    }

    fn logs(&self, instance: &InstanceLine) -> SafeUrl {
        let logs = SafeUrl::path(["t", &self.team, "apps", &instance.app.to_string(), "logs"]);
        logs.asking([("instance", instance.id.to_string().as_str())])
    }

    fn host_page(&self, instance: &InstanceLine) -> SafeUrl {
        SafeUrl::path(["t", &self.team, "hosts", &instance.host.to_string()])
    }

    fn restart(&self, instance: &InstanceLine) -> Option<Form> {
        let token = self.token.as_ref().filter(|_| serves(instance))?;
        Some(Form::act(one(&self.team, instance, &["restart"]), token, "Restart", "small"))
    }

    fn when(&self, at: &OffsetDateTime) -> When {
        When::new(*at)
    }
}

/// Whether it is one that is to serve.
fn serves(instance: &InstanceLine) -> bool {
    matches!(instance.state, InstanceState::Serving | InstanceState::Ended)
}

/// An address of one instance.
fn one(team: &str, instance: &InstanceLine, below: &[&str]) -> SafeUrl {
    let (app, id) = (instance.app.to_string(), instance.id.to_string());
    SafeUrl::path(["t", team, "apps", &app, "instances", &id].into_iter().chain(below.iter().copied()))
}

/// One instance.
#[derive(Template)]
#[template(path = "apps/instance.html")]
pub struct Show {
    /// The frame.
    pub shell: Shell,
    /// The app's head.
    pub head: Head,
    /// The instance.
    pub view: InstanceView,
    /// This page.
    pub own: SafeUrl,
    /// What it prints.
    pub logs: SafeUrl,
    /// The page of its host.
    pub host_page: SafeUrl,
    /// The page of its release.
    pub release_page: SafeUrl,
    /// The button that restarts it.
    pub restart: Option<Form>,
}

impl Show {
    fn name(&self) -> String {
        format!("{}-{}", self.view.line.app_name, self.view.line.position)
    }

    fn badge(&self) -> Badge {
        Badge::from(self.view.line.state).observed(self.view.line.seen_at)
    }

    fn tone(&self) -> &'static str {
        self.badge().tone.class()
    }

    fn at(&self) -> When {
        When::new(self.view.at)
    }

    fn since(&self) -> When {
        When::new(self.view.line.created_at)
    }

    fn plain<'a>(&self, shown: &'a Shown) -> Option<&'a str> {
        match shown {
            Shown::Plain(value) => Some(value),
            Shown::Secret | Shown::Image => None,
        }
    }

    fn hidden(&self, shown: &Shown) -> &'static str {
        match shown {
            Shown::Plain(_) => "",
            Shown::Secret => "a secret, not shown",
            Shown::Image => "of the image, not shown",
        }
    }
}

async fn show(
    State(web): State<Web>,
    here: Here,
    At((_, app, id)): At<(String, AppId, InstanceId)>,
) -> Result<Response, Problem> {
    let view = instances::inspect(web.actions(), here.actor()?, app, id).await?;
    let of_app = apps::get(web.actions(), here.actor()?, app).await?;
    let team = here.place()?.team.slug.clone();
    let (shell, head) = In::app(&here, &of_app, "Overview")?;
    let title = format!("{}-{}", view.line.app_name, view.line.position);
    let line = &view.line;
    let restart = (view.may_restart && serves(line) && of_app.line.stopped.is_none())
        .then(|| Form::act(one(&team, line, &["restart"]), &here.token, "Restart", ""));
    let app_id = app.to_string();
    Ok(page(&Show {
        shell: shell.crumb(title, None),
        head: Head { primary: false, ..head },
        own: one(&team, line, &[]),
        logs: SafeUrl::path(["t", &team, "apps", &app_id, "logs"]).asking([("instance", id.to_string().as_str())]),
        host_page: SafeUrl::path(["t", &team, "hosts", &line.host.to_string()]),
        release_page: SafeUrl::path(["t", &team, "apps", &app_id, "releases", &line.number.to_string()]),
        restart,
        view,
    }))
}

async fn restart(
    State(web): State<Web>,
    here: Here,
    session: Session,
    At((_, app, id)): At<(String, AppId, InstanceId)>,
) -> Result<Response, Problem> {
    let team = &here.place()?.team.slug;
    let (words, to) = match instances::restart(web.actions(), here.actor()?, app, id).await? {
        Restarted::InPlace(job) => {
            ("It restarts while the others of its host serve.", SafeUrl::path(["t", team, "jobs", &job.to_string()]))
        }
        Restarted::Whole(deploy) => (
            "Nothing else on its host serves: a new instance is started first.",
            SafeUrl::path(["t", team, "deploys", &deploy.to_string()]),
        ),
    };
    session::flash(&session, words).await?;
    Ok(Redirect::to(to.as_str()).into_response())
}
