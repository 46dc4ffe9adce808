//! Projects and their environments, and the volumes that have outlived the apps in them.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use tower_sessions::Session;

use super::apps;
use crate::actions::projects::{
    self, EnvironmentLine, NewEnvironment, NewProject, ProjectLine, ProjectView, RemovePlace,
};
use crate::actions::volumes::{self, LeftVolume, RemoveVolume};
use crate::actions::{FieldError, Refused};
use crate::domain::help::Topic;
use crate::domain::ids::{EnvironmentId, ProjectId, VolumeId};
use crate::domain::rights::Permission;
use crate::web::actor::{At, Here};
use crate::web::error::Problem;
use crate::web::routes::{Policy, Routes};
use crate::web::ui::{Field, Form, SafeUrl, Sent, Shell, When, page_with};
use crate::web::{Web, session};

/// The routes.
pub fn routes() -> Routes {
    let (view, edit) = (Policy::Team(Permission::View), Policy::Team(Permission::EditProjects));
    Routes::new()
        .about(Topic::Projects)
        .get("/t/{team}/projects", view, index)
        .post("/t/{team}/projects", edit, create)
        .get("/t/{team}/projects/{id}", view, show)
        .post("/t/{team}/projects/{id}/environments", edit, create_environment)
        .post("/t/{team}/projects/{id}/environments/remove", edit, remove_environment)
        .post("/t/{team}/projects/{id}/remove", edit, remove)
        .about(Topic::VolumesLeave)
        .post("/t/{team}/volumes/remove", edit, remove_volume)
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
    /// Volumes that have outlived their apps.
    pub volumes: Vec<Volume>,
}

/// A volume that has outlived its app.
pub struct Volume {
    /// The volume.
    pub line: LeftVolume,
    /// When its app was removed.
    pub when: When,
    /// The page of what is left to see of the app.
    pub page: SafeUrl,
    /// The form that removes it with its data.
    pub remove: Option<Form>,
}

impl Volume {
    fn new(team: &str, token: &str, line: LeftVolume) -> Self {
        let typed = vec![
            Field::hidden("id", line.id.to_string()),
            Field::code("typed", format!("Type {} to remove it with its data", line.name)).exactly(&line.name),
        ];
        let action = SafeUrl::path(["t", team, "volumes", "remove"]);
        let form = || Form::new(action, token, "Remove with its data", typed).style("danger").inline();
        Self {
            when: When::new(line.removed_at),
            page: SafeUrl::path(["t", team, "apps", &line.app.to_string()]),
            remove: (line.may_remove && line.waits.is_empty()).then(form),
            line,
        }
    }
}

impl Index {
    /// The list of these projects and of the volumes nothing is left of but their data, with what was typed.
    pub fn new(here: &Here, projects: Vec<ProjectLine>, volumes: Vec<LeftVolume>, name: &str) -> Result<Self, Problem> {
        let place = here.place()?;
        let team = place.team.slug.clone();
        let form = place.actor.may_somewhere(Permission::EditProjects).is_ok().then(|| {
            let field = Field::text("name", "Another project").value(name);
            Form::new(SafeUrl::path(["t", &team, "projects"]), &here.token, "Create project", vec![field])
                .style("")
                .inline()
        });
        let volumes = volumes.into_iter().map(|line| Volume::new(&team, &here.token, line)).collect();
        let shell = Shell::new(here, "Projects", "Projects").crumb("Projects", None);
        Ok(Self { shell, team, projects, form, volumes })
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
    /// Its environments with their apps, and the form that removes an empty one.
    pub environments: Vec<(EnvironmentLine, apps::Table<'static>, Option<Form>)>,
    /// The form that removes the project, where it is empty.
    pub remove: Option<Form>,
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
            let gone = (view.may_edit && environment.apps == 0).then(|| {
                let action =
                    SafeUrl::path(["t", &team, "projects", &view.line.id.to_string(), "environments", "remove"]);
                let typed = vec![
                    Field::hidden("id", environment.id.to_string()),
                    Field::code("typed", format!("Type {} to remove this environment", environment.name))
                        .exactly(&environment.name),
                ];
                Form::new(action, &here.token, "Remove environment", typed).style("danger").inline()
            });
            (environment.clone(), apps::Table { team: team.clone(), apps: apps.into(), with_place: false }, gone)
        };
        let action = SafeUrl::path(["t", &team, "projects", &view.line.id.to_string(), "environments"]);
        let field = Field::text("name", "Name").value(name).empty("stage");
        let empty = view.may_edit && view.apps.is_empty();
        let remove = empty.then(|| {
            let typed = Field::code("typed", format!("Type {} to remove it", view.line.name)).exactly(&view.line.name);
            let action = SafeUrl::path(["t", &team, "projects", &view.line.id.to_string(), "remove"]);
            Form::new(action, &here.token, "Remove project", vec![typed]).style("danger").inline()
        });
        let shell = Shell::new(here, view.line.name.clone(), "Projects")
            .crumb("Projects", Some(SafeUrl::path(["t", &team, "projects"])))
            .crumb(view.line.name.clone(), None);
        Ok(Self {
            shell,
            environments: view.line.environments.iter().map(of).collect(),
            remove,
            new_app: SafeUrl::path(["t", &team, "apps", "new"]),
            form: view
                .may_edit
                .then(|| Form::new(action, &here.token, "Create environment", vec![field]).style("").inline()),
            view,
        })
    }
}

async fn list(web: &Web, here: &Here, name: &str) -> Result<Index, Problem> {
    let projects = projects::list(web.actions(), here.actor()?).await?;
    let volumes = volumes::left(web.actions(), here.actor()?).await?;
    Index::new(here, projects, volumes, name)
}

async fn index(State(web): State<Web>, here: Here) -> Result<Response, Problem> {
    Ok(page_with(StatusCode::OK, &list(&web, &here, "").await?))
}

async fn create(State(web): State<Web>, here: Here, sent: Sent) -> Result<Response, Problem> {
    let input = NewProject { name: sent.get("name") };
    match projects::create(web.actions(), here.actor()?, input).await {
        Ok(id) => {
            let page = SafeUrl::path(["t", &here.place()?.team.slug, "projects", &id.to_string()]);
            Ok(Redirect::to(page.as_str()).into_response())
        }
        Err(Refused::Fields(errors)) => {
            let mut index = list(&web, &here, &sent.get("name")).await?;
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

/// The refusals of a typed name, where the page has its field.
fn typed(errors: Vec<FieldError>) -> Vec<FieldError> {
    errors.into_iter().map(|error| FieldError { field: "typed", ..error }).collect()
}

async fn remove_environment(
    State(web): State<Web>,
    here: Here,
    session: Session,
    At((_, id)): At<(String, ProjectId)>,
    sent: Sent,
) -> Result<Response, Problem> {
    let environment = sent.get("id").parse::<EnvironmentId>().unwrap_or(EnvironmentId(uuid::Uuid::nil()));
    let input = RemovePlace { name: sent.get("typed") };
    match projects::remove_environment(web.actions(), here.actor()?, id, environment, input).await {
        Ok(()) => {
            session::flash(&session, "The environment is removed.").await?;
            let page = SafeUrl::path(["t", &here.place()?.team.slug, "projects", &id.to_string()]);
            Ok(Redirect::to(page.as_str()).into_response())
        }
        Err(Refused::Fields(errors)) => {
            let view = projects::get(web.actions(), here.actor()?, id).await?;
            let mut show = Show::new(&here, view, "")?;
            let errors = typed(errors);
            for (_, _, form) in show.environments.iter_mut().filter(|(line, _, _)| line.id == environment) {
                *form = form.take().map(|form| form.with("typed", &sent.get("typed")).refuse(&errors));
            }
            Ok(page_with(StatusCode::UNPROCESSABLE_ENTITY, &show))
        }
        Err(refused) => Err(refused.into()),
    }
}

async fn remove(
    State(web): State<Web>,
    here: Here,
    session: Session,
    At((_, id)): At<(String, ProjectId)>,
    sent: Sent,
) -> Result<Response, Problem> {
    match projects::remove(web.actions(), here.actor()?, id, RemovePlace { name: sent.get("typed") }).await {
        Ok(()) => {
            session::flash(&session, "The project is removed.").await?;
            let page = SafeUrl::path(["t", &here.place()?.team.slug, "projects"]);
            Ok(Redirect::to(page.as_str()).into_response())
        }
        Err(Refused::Fields(errors)) => {
            let view = projects::get(web.actions(), here.actor()?, id).await?;
            let mut show = Show::new(&here, view, "")?;
            let errors = typed(errors);
            show.remove = show.remove.map(|form| form.with("typed", &sent.get("typed")).refuse(&errors));
            Ok(page_with(StatusCode::UNPROCESSABLE_ENTITY, &show))
        }
        Err(refused) => Err(refused.into()),
    }
}

async fn remove_volume(State(web): State<Web>, here: Here, session: Session, sent: Sent) -> Result<Response, Problem> {
    let id = sent.get("id").parse::<VolumeId>().unwrap_or(VolumeId(uuid::Uuid::nil()));
    match volumes::remove_left(web.actions(), here.actor()?, id, RemoveVolume { name: sent.get("typed") }).await {
        Ok(job) => {
            let team = &here.place()?.team.slug;
            let (words, page) = match job {
                Some(job) => {
                    ("It is being removed with its data.", SafeUrl::path(["t", team, "jobs", &job.to_string()]))
                }
                None => ("Removed. It had no data.", SafeUrl::path(["t", team, "projects"])),
            };
            session::flash(&session, words).await?;
            Ok(Redirect::to(page.as_str()).into_response())
        }
        Err(Refused::Fields(errors)) => {
            let mut index = list(&web, &here, "").await?;
            let errors = typed(errors);
            for volume in index.volumes.iter_mut().filter(|volume| volume.line.id == id) {
                volume.remove = volume.remove.take().map(|form| form.refuse(&errors));
            }
            Ok(page_with(StatusCode::UNPROCESSABLE_ENTITY, &index))
        }
        Err(refused) => Err(refused.into()),
    }
}
