//! Projects and their environments. Not here: apps.

use serde_json::json;
use uuid::Uuid;

use super::apps::{self, AppLine};
use super::fields::Fields;
use super::gate::{self, Open};
use super::{Ctx, Refused};
use crate::db::app_lines::Filter;
use crate::db::environments::Filled;
use crate::db::{self, Tx, audit};
use crate::domain::ids::{EnvironmentId, ProjectId};
use crate::domain::names::{DisplayName, Slug};
use crate::domain::rights::{Actor, On, Permission, Permit};

/// The form that makes a project. Its first environment is `prod`.
#[derive(Clone, Debug, Default)]
pub struct NewProject {
    /// What people call it: 1–80 characters. Its short name in addresses is made of it.
    pub name: String,
}

/// The form that makes an environment.
#[derive(Clone, Debug, Default)]
pub struct NewEnvironment {
    /// What people call it: 1–80 characters ("stage").
    pub name: String,
}

/// One project in a list.
#[derive(Clone, Debug)]
pub struct ProjectLine {
    /// The project.
    pub id: ProjectId,
    /// Its short name.
    pub slug: String,
    /// Its name.
    pub name: String,
    /// Its environments, oldest first.
    pub environments: Vec<EnvironmentLine>,
}

/// One environment.
#[derive(Clone, Debug)]
pub struct EnvironmentLine {
    /// The environment.
    pub id: EnvironmentId,
    /// Its short name.
    pub slug: String,
    /// Its name.
    pub name: String,
    /// Apps in it.
    pub apps: i64,
}

/// A project's page.
#[derive(Clone, Debug)]
pub struct ProjectView {
    /// The project.
    pub line: ProjectLine,
    /// All its apps.
    pub apps: Vec<AppLine>,
    /// True where the actor may rename it and add environments.
    pub may_edit: bool,
    /// True where the actor may create apps in it.
    pub may_create_apps: bool,
}

/// The environment a project begins with.
const FIRST_ENVIRONMENT: &str = "prod";
/// Environments of one project: each is a bridge network on its hosts, and a host has room for 64 in all.
const MOST_ENVIRONMENTS: usize = 20;

/// All projects one may see, with their environments.
pub async fn list(ctx: &Ctx, actor: &Actor) -> Result<Vec<ProjectLine>, Refused> {
    let Open { mut tx, permit, .. } = gate::team(ctx, actor).await?;
    let lines = lines(&mut tx, &permit, actor, None).await?;
    tx.commit().await?;
    Ok(lines)
}

/// One project with its apps.
pub async fn get(ctx: &Ctx, actor: &Actor, id: ProjectId) -> Result<ProjectView, Refused> {
    let Open { mut tx, permit, .. } = gate::team(ctx, actor).await?;
    let line = lines(&mut tx, &permit, actor, Some(id)).await?.into_iter().next().ok_or(Refused::NotFound)?;
    let apps = apps::lines(&mut tx, &permit, actor, Filter { project: Some(id), app: None }).await?;
    tx.commit().await?;
    let on = On::project(actor.team(), id);
    let may_edit = actor.may(Permission::EditProjects, on).is_ok();
    Ok(ProjectView { line, apps, may_edit, may_create_apps: actor.may(Permission::EditApps, on).is_ok() })
}

/// Makes a project with the environment `prod`.
pub async fn create(ctx: &Ctx, actor: &Actor, input: NewProject) -> Result<ProjectId, Refused> {
    let Open { mut tx, permit, .. } = gate::team_for(ctx, actor, Permission::EditProjects).await?;
    let mut fields = Fields::default();
    let Some(name) = fields.text::<DisplayName>("name", &input.name) else { return Err(fields.refuse()) };
    let (id, _) = make(&mut tx, &permit, &name).await?;
    tx.commit().await?;
    Ok(id)
}

/// Makes an environment of a project.
pub async fn create_environment(
    ctx: &Ctx,
    actor: &Actor,
    project: ProjectId,
    input: NewEnvironment,
) -> Result<EnvironmentId, Refused> {
    let Open { mut tx, permit, .. } = gate::team(ctx, actor).await?;
    let on = On::project(actor.team(), project);
    let known = db::projects::list(&mut tx, &permit, Some(project)).await?.into_iter().next();
    let known = known.filter(|_| gate::sees(actor, on)).ok_or(Refused::NotFound)?;
    let permit = actor.may(Permission::EditProjects, on)?;
    let mut fields = Fields::default();
    let Some(name) = fields.text::<DisplayName>("name", &input.name) else { return Err(fields.refuse()) };
    if !db::projects::lock(&mut tx, &permit, project).await? {
        return Err(Refused::NotFound);
    }

    let all = db::environments::list(&mut tx, &permit).await?;
    let here: Vec<_> = all.into_iter().filter(|row| row.project == project).collect();
    if here.len() >= MOST_ENVIRONMENTS {
        return Err(Refused::Conflict(format!("A project has at most {MOST_ENVIRONMENTS} environments.")));
    }
    if here.iter().any(|row| row.name == name.as_ref()) {
        return Err(Refused::field("name", "The project has an environment of this name already."));
    }
    let taken: Vec<String> = here.into_iter().map(|row| row.slug).collect();
    let id = EnvironmentId(Uuid::now_v7());
    db::environments::insert(&mut tx, &permit, id, project, &Slug::of(name.as_ref(), "env", &taken), &name).await?;
    let event = audit::New {
        action: "environment.created",
        kind: "environment",
        subject: Some(id.0),
        name: name.as_ref(),
        before: None,
        after: Some(json!({ "project": known.name, "name": name })),
    };
    audit::record(&mut tx, &permit, event).await?;
    tx.commit().await?;
    Ok(id)
}

/// The form that removes a project or an environment.
#[derive(Clone, Debug, Default)]
pub struct RemovePlace {
    /// Its name, typed by the person who wants it gone.
    pub name: String,
}

/// Removes an environment, once its name was typed: only where nothing is in it.
pub async fn remove_environment(
    ctx: &Ctx,
    actor: &Actor,
    project: ProjectId,
    id: EnvironmentId,
    input: RemovePlace,
) -> Result<(), Refused> {
    let Open { mut tx, permit, .. } = gate::team(ctx, actor).await?;
    let all = db::environments::list(&mut tx, &permit).await?;
    let row = all.into_iter().find(|row| row.id == id && row.project == project).ok_or(Refused::NotFound)?;
    if !gate::sees(actor, On::environment(actor.team(), project, id)) {
        return Err(Refused::NotFound);
    }
    // Whoever makes environments of the project takes them away.
    let permit = actor.may(Permission::EditProjects, On::project(actor.team(), project))?;
    typed(&input, &row.name)?;
    empty(db::environments::lock(&mut tx, &permit, project, Some(id)).await?, "environment")?;
    if db::environments::remove(&mut tx, &permit, project, Some(id), actor.name()).await? == 0 {
        return Err(Refused::NotFound);
    }
    let event = audit::New {
        action: "environment.removed",
        kind: "environment",
        subject: Some(id.0),
        name: &row.name,
        before: Some(json!({ "project": row.project_name, "name": row.name })),
        after: None,
    };
    audit::record(&mut tx, &permit, event).await?;
    tx.commit().await?;
    Ok(())
}

/// Removes a project with its environments, once its name was typed: only where nothing is in them.
pub async fn remove(ctx: &Ctx, actor: &Actor, id: ProjectId, input: RemovePlace) -> Result<(), Refused> {
    let Open { mut tx, permit, .. } = gate::team(ctx, actor).await?;
    let line = lines(&mut tx, &permit, actor, Some(id)).await?.into_iter().next().ok_or(Refused::NotFound)?;
    let permit = actor.may(Permission::EditProjects, On::project(actor.team(), id))?;
    typed(&input, &line.name)?;
    // The project first: nobody makes an environment of it meanwhile.
    if !db::projects::lock(&mut tx, &permit, id).await? {
        return Err(Refused::NotFound);
    }
    empty(db::environments::lock(&mut tx, &permit, id, None).await?, "project")?;
    db::environments::remove(&mut tx, &permit, id, None, actor.name()).await?;
    db::projects::remove(&mut tx, &permit, id, actor.name()).await?;
    let event = audit::New {
        action: "project.removed",
        kind: "project",
        subject: Some(id.0),
        name: &line.name,
        before: Some(json!({ "name": line.name })),
        after: None,
    };
    audit::record(&mut tx, &permit, event).await?;
    tx.commit().await?;
    Ok(())
}

/// Refuses a name that is not the thing's.
fn typed(input: &RemovePlace, name: &str) -> Result<(), Refused> {
    if input.name.trim() == name {
        return Ok(());
    }
    Err(Refused::field("name", format!("Type {name} exactly: it will be gone.")))
}

/// Refuses what is not empty, and says what is in it.
fn empty(filled: db::environments::Filled, what: &str) -> Result<(), Refused> {
    let Filled { apps, leaving, volumes } = filled;
    let sentence = match (apps, leaving, volumes) {
        (0, 0, 0) => return Ok(()),
        (1, _, _) => format!("The {what} has an app: remove it first."),
        (2.., _, _) => format!("The {what} has {apps} apps: remove them first."),
        (_, 1.., _) => format!("An app of the {what} is still being removed from its hosts: wait for that first."),
        _ => format!(
            "Volumes of removed apps are left in the {what}: the page of projects lists them. Remove them first."
        ),
    };
    Err(Refused::Conflict(sentence))
}

/// Makes a project with its first environment, in the caller's transaction.
pub(super) async fn make(
    tx: &mut Tx<'_>,
    permit: &Permit,
    name: &DisplayName,
) -> Result<(ProjectId, EnvironmentId), Refused> {
    let known = db::projects::list(tx, permit, None).await?;
    if known.iter().any(|row| row.name == name.as_ref()) {
        return Err(Refused::field("name", "The team has a project of this name already."));
    }
    let taken: Vec<String> = known.into_iter().map(|row| row.slug).collect();
    let (id, environment) = (ProjectId(Uuid::now_v7()), EnvironmentId(Uuid::now_v7()));
    db::projects::insert(tx, permit, id, &Slug::of(name.as_ref(), "project", &taken), name).await?;
    let first = FIRST_ENVIRONMENT;
    let first_name: DisplayName = first.parse().map_err(|bad| Refused::internal(&bad))?;
    db::environments::insert(tx, permit, environment, id, &Slug::of(first, first, &[]), &first_name).await?;
    let event = audit::New {
        action: "project.created",
        kind: "project",
        subject: Some(id.0),
        name: name.as_ref(),
        before: None,
        after: Some(json!({ "name": name, "environments": [first] })),
    };
    audit::record(tx, permit, event).await?;
    Ok((id, environment))
}

/// The projects one may see.
async fn lines(
    tx: &mut Tx<'_>,
    permit: &Permit,
    actor: &Actor,
    only: Option<ProjectId>,
) -> Result<Vec<ProjectLine>, Refused> {
    let rows = db::projects::list(tx, permit, only).await?;
    let environments = db::environments::list(tx, permit).await?;
    let seen = |project, environment| gate::sees(actor, On::environment(actor.team(), project, environment));
    let lines = rows.into_iter().map(|row| ProjectLine {
        id: row.id,
        slug: row.slug,
        name: row.name,
        environments: environments
            .iter()
            .filter(|e| e.project == row.id && seen(e.project, e.id))
            .map(|e| EnvironmentLine { id: e.id, slug: e.slug.clone(), name: e.name.clone(), apps: e.apps })
            .collect(),
    });
    let visible =
        |line: &ProjectLine| !line.environments.is_empty() || gate::sees(actor, On::project(actor.team(), line.id));
    Ok(lines.filter(visible).collect())
}
