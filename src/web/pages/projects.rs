//! Projects and their environments.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};

use super::apps;
use crate::actions::Refused;
use crate::actions::projects::{self, EnvironmentLine, NewEnvironment, NewProject, ProjectLine, ProjectView};
use crate::domain::ids::ProjectId;
use crate::domain::rights::Permission;
use crate::web::Web;
use crate::web::actor::{At, Here};
use crate::web::error::Problem;
use crate::web::routes::{Policy, Routes};
use crate::web::ui::{Field, Form, SafeUrl, Sent, Shell, page_with};

/// The routes.
pub fn routes() -> Routes {
    let (view, edit) = (Policy::Team(Permission::View), Policy::Team(Permission::EditProjects));
    Routes::new()
        .get("/t/{team}/projects", view, index)
        .post("/t/{team}/projects", edit, create)
        .get("/t/{team}/projects/{id}", view, show)
        .post("/t/{team}/projects/{id}/environments", edit, create_environment)
}

/// The list.
#[derive(Template)]
#[template(path = "projects/index.html")]
pub struct Index {
    /// The frame.
    pub shell: Shell,
    /// The team's slug.
    pub team: String,
    /// The projects.
    pub projects: Vec<ProjectLine>,
    /// The form that makes one.
    pub form: Option<Form>,
}

impl Index {
    /// The list of these projects, with what was typed.
    pub fn new(here: &Here, projects: Vec<ProjectLine>, name: &str) -> Result<Self, Problem> {
        let place = here.place()?;
        let team = place.team.slug.clone();
        let form = place.actor.may_somewhere(Permission::EditProjects).is_ok().then(|| {
            let field = Field::text("name", "Another project").value(name);
            Form::new(SafeUrl::path(["t", &team, "projects"]), &here.token, "Create project", vec![field])
                .style("")
                .inline()
        });
        Ok(Self { shell: Shell::new(here, "Projects", "Projects").crumb("Projects", None), team, projects, form })
    }

    fn page(&self, project: &ProjectLine) -> SafeUrl {
        SafeUrl::path(["t", &self.team, "projects", &project.id.to_string()])
    }

    fn apps(&self, project: &ProjectLine) -> i64 {
        project.environments.iter().map(|environment| environment.apps).sum()
    }
}

/// A project's page.
#[derive(Template)]
#[template(path = "projects/show.html")]
pub struct Show {
    /// The frame.
    pub shell: Shell,
    /// The project.
    pub view: ProjectView,
    /// Its environments with their apps.
    pub environments: Vec<(EnvironmentLine, apps::Table<'static>)>,
    /// The page that makes an app.
    pub new_app: SafeUrl,
    /// The form that makes an environment.
    pub form: Option<Form>,
}

impl Show {
    /// The page of this project, with what was typed.
    pub fn new(here: &Here, view: ProjectView, name: &str) -> Result<Self, Problem> {
        let team = here.place()?.team.slug.clone();
        let of = |environment: &EnvironmentLine| {
            let apps = view.apps.iter().filter(|app| app.environment == environment.id).cloned().collect::<Vec<_>>();
            (environment.clone(), apps::Table { team: team.clone(), apps: apps.into(), with_place: false })
        };
        let action = SafeUrl::path(["t", &team, "projects", &view.line.id.to_string(), "environments"]);
        let field = Field::text("name", "Name").value(name).empty("stage");
        let shell = Shell::new(here, view.line.name.clone(), "Projects")
            .crumb("Projects", Some(SafeUrl::path(["t", &team, "projects"])))
            .crumb(view.line.name.clone(), None);
        Ok(Self {
            shell,
            environments: view.line.environments.iter().map(of).collect(),
            new_app: SafeUrl::path(["t", &team, "apps", "new"]),
            form: view
                .may_edit
                .then(|| Form::new(action, &here.token, "Create environment", vec![field]).style("").inline()),
            view,
        })
    }
}

async fn index(State(web): State<Web>, here: Here) -> Result<Response, Problem> {
    let projects = projects::list(web.actions(), here.actor()?).await?;
    Ok(page_with(StatusCode::OK, &Index::new(&here, projects, "")?))
}

async fn create(State(web): State<Web>, here: Here, sent: Sent) -> Result<Response, Problem> {
    let input = NewProject { name: sent.get("name") };
    match projects::create(web.actions(), here.actor()?, input).await {
        Ok(id) => {
            let page = SafeUrl::path(["t", &here.place()?.team.slug, "projects", &id.to_string()]);
            Ok(Redirect::to(page.as_str()).into_response())
        }
        Err(Refused::Fields(errors)) => {
            let projects = projects::list(web.actions(), here.actor()?).await?;
            let mut index = Index::new(&here, projects, &sent.get("name"))?;
            index.form = index.form.map(|form| form.refuse(&errors));
            Ok(page_with(StatusCode::UNPROCESSABLE_ENTITY, &index))
        }
        Err(refused) => Err(refused.into()),
    }
}

async fn show(State(web): State<Web>, here: Here, At((_, id)): At<(String, ProjectId)>) -> Result<Response, Problem> {
    let view = projects::get(web.actions(), here.actor()?, id).await?;
    Ok(page_with(StatusCode::OK, &Show::new(&here, view, "")?))
}

async fn create_environment(
    State(web): State<Web>,
    here: Here,
    At((_, id)): At<(String, ProjectId)>,
    sent: Sent,
) -> Result<Response, Problem> {
    let input = NewEnvironment { name: sent.get("name") };
    match projects::create_environment(web.actions(), here.actor()?, id, input).await {
        Ok(_) => {
            let page = SafeUrl::path(["t", &here.place()?.team.slug, "projects", &id.to_string()]);
            Ok(Redirect::to(page.as_str()).into_response())
        }
        Err(Refused::Fields(errors)) => {
            let view = projects::get(web.actions(), here.actor()?, id).await?;
            let mut show = Show::new(&here, view, &sent.get("name"))?;
            show.form = show.form.map(|form| form.refuse(&errors));
            Ok(page_with(StatusCode::UNPROCESSABLE_ENTITY, &show))
        }
        Err(refused) => Err(refused.into()),
    }
}
