//! Projects and their environments.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::actions::projects::{self, EnvironmentLine, NewEnvironment, NewProject, ProjectLine, RemovePlace};
use crate::actions::tokens::Caller;
use crate::api::Api;
use crate::api::answer::{Created, Page};
use crate::api::problem::Problem;
use crate::api::routes::{Routes, delete, get, post};
use crate::api::take::{OfEnvironment, OfId, Sent};
use crate::domain::help::Topic;
use crate::domain::ids::ProjectId;
use crate::domain::rights::Permission;

/// The calls.
pub fn routes() -> Routes {
    let (view, edit) = (Permission::View, Permission::EditProjects);
    let environment = post("/projects/{id}/environments", edit).title("Make an environment of a project");
    Routes::new()
        .about(Topic::Projects)
        .add(
            get("/projects", view).title("All projects one may see, with their environments").gives::<Page<Project>>(),
            list,
        )
        .add(
            post("/projects", edit).title("Make a project with the environment prod").gives::<Created<Project>>(),
            create,
        )
        .add(get("/projects/{id}", view).title("One project").gives::<Json<Project>>(), show)
        .add(delete("/projects/{id}", edit).title("Remove a project with nothing in it"), remove)
        .add(
            delete("/projects/{id}/environments/{environment}", edit).title("Remove an environment with nothing in it"),
            remove_environment,
        )
        .add(environment.gives::<Created<Environment>>(), create_environment)
}

/// A project.
#[derive(Serialize, JsonSchema)]
pub struct Project {
    /// The id.
    id: Uuid,
    /// Its short name.
    slug: String,
    /// Its name.
    name: String,
    /// Its environments, oldest first.
    environments: Vec<Environment>,
}

impl From<ProjectLine> for Project {
    fn from(line: ProjectLine) -> Self {
        let environments = line.environments.into_iter().map(Environment::from).collect();
        Self { id: line.id.0, slug: line.slug, name: line.name, environments }
    }
}

/// An environment.
#[derive(Serialize, JsonSchema)]
pub struct Environment {
    /// The id.
    id: Uuid,
    /// Its short name.
    slug: String,
    /// Its name.
    name: String,
    /// Apps in it.
    apps: i64,
}

impl From<EnvironmentLine> for Environment {
    fn from(line: EnvironmentLine) -> Self {
        Self { id: line.id.0, slug: line.slug, name: line.name, apps: line.apps }
    }
}

/// A name.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewName")]
struct New {
    /// 1–80 characters. The short name is made of it.
    name: String,
}

/// The name of what shall be gone.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "PlaceRemoval")]
struct Removal {
    /// Its name.
    name: String,
}

async fn list(State(api): State<Api>, caller: Caller) -> Result<Json<Page<Project>>, Problem> {
    Ok(Page::whole(projects::list(api.actions(), &caller.actor).await?.into_iter().map(Project::from)))
}

async fn create(
    State(api): State<Api>,
    caller: Caller,
    Sent(New { name }): Sent<New>,
) -> Result<Created<Project>, Problem> {
    let id = projects::create(api.actions(), &caller.actor, NewProject { name }).await?;
    let view = projects::get(api.actions(), &caller.actor, id).await?;
    Ok(Created::at(format!("/projects/{id}"), view.line.into()))
}

async fn show(State(api): State<Api>, caller: Caller, OfId(id): OfId<ProjectId>) -> Result<Json<Project>, Problem> {
    Ok(Json(projects::get(api.actions(), &caller.actor, id).await?.line.into()))
}

async fn create_environment(
    State(api): State<Api>,
    caller: Caller,
    OfId(project): OfId<ProjectId>,
    Sent(New { name }): Sent<New>,
) -> Result<Created<Environment>, Problem> {
    let input = NewEnvironment { name };
    let id = projects::create_environment(api.actions(), &caller.actor, project, input).await?;
    let view = projects::get(api.actions(), &caller.actor, project).await?;
    let made = view.line.environments.into_iter().find(|line| line.id == id).ok_or(Problem::NotFound)?;
    Ok(Created::at(format!("/projects/{project}"), made.into()))
}

async fn remove(
    State(api): State<Api>,
    caller: Caller,
    OfId(id): OfId<ProjectId>,
    Sent(Removal { name }): Sent<Removal>,
) -> Result<StatusCode, Problem> {
    projects::remove(api.actions(), &caller.actor, id, RemovePlace { name }).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn remove_environment(
    State(api): State<Api>,
    caller: Caller,
    OfId(project): OfId<ProjectId>,
    OfEnvironment(id): OfEnvironment,
    Sent(Removal { name }): Sent<Removal>,
) -> Result<StatusCode, Problem> {
    projects::remove_environment(api.actions(), &caller.actor, project, id, RemovePlace { name }).await?;
    Ok(StatusCode::NO_CONTENT)
}
