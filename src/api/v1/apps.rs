//! Apps: what there is, one as a whole, made and renamed.

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::configuration::{Configuration, EditConfiguration};
use super::deploys::{Change, Deploy};
use super::hosts::Instance;
use super::jobs::Begun;
use super::placement::Placed;
use super::routes::{NewRoute, Route};
use super::secrets::Secret;
use super::sources::{EditSource, Source};
use super::variables::Variable;
use super::volumes::{NewVolume, Volume};
use crate::actions::apps::{self, AppLine, AppView, NewApp, Pair, RemoveApp, RenameApp};
use crate::actions::tokens::Caller;
use crate::api::Api;
use crate::api::answer::{Accepted, Created, Page, Time};
use crate::api::problem::Problem;
use crate::api::routes::{Routes, delete, get, patch, post};
use crate::api::take::{Asked, OfApp, Sent};
use crate::domain::app::Kind;
use crate::domain::deploy::DeployState;
use crate::domain::help::Topic;
use crate::domain::ids::AppId;
use crate::domain::rights::Permission;

/// The calls.
pub fn routes() -> Routes {
    let (view, edit) = (Permission::View, Permission::EditApps);
    Routes::new()
        .about(Topic::Sources)
        .add(get("/apps", view).title("All apps one may see").gives::<Page<App>>(), list)
        .add(post("/apps", edit).title("Make an app; nothing is deployed yet").gives::<Created<AppDetail>>(), create)
        .add(get("/apps/{app}", view).title("One app").gives::<Json<AppDetail>>(), show)
        .about(Topic::Configuration)
        .add(patch("/apps/{app}", edit).title("Give an app another name").gives::<Json<AppDetail>>(), rename)
        .about(Topic::RemovingApp)
        .add(
            delete("/apps/{app}", Permission::EditProjects)
                .title("Remove an app; its volumes stay, but for those that are named")
                .gives::<Accepted<Begun>>(),
            remove,
        )
        .about(Topic::StopAndStart)
        .add(
            get("/apps/{app}/instances", view).title("What runs of an app, and where").gives::<Page<Instance>>(),
            instances,
        )
}

/// A project or an environment in a few words.
#[derive(Serialize, JsonSchema)]
pub struct Place {
    /// The id.
    id: Uuid,
    /// Its short name.
    slug: String,
    /// Its name.
    name: String,
}

/// How an app stands.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum AppState {
    /// Never deployed.
    New,
    /// A release serves, with all its instances.
    Running,
    /// A deploy runs or waits.
    Deploying,
    /// Serves, but the last deploy failed or was taken back, or instances are missing.
    NeedsYou,
    /// Nothing of it serves.
    Down,
    /// Its host does not answer: not known since `observed_at`.
    Unknown,
    /// Somebody wanted it to stand still, and nothing of it runs.
    Stopped,
    /// Somebody wants it to stand still, and something of it still runs.
    Stopping,
}

impl From<apps::AppState> for AppState {
    fn from(state: apps::AppState) -> Self {
        match state {
            apps::AppState::New => Self::New,
            apps::AppState::Running => Self::Running,
            apps::AppState::Deploying => Self::Deploying,
            apps::AppState::NeedsYou => Self::NeedsYou,
            apps::AppState::Down => Self::Down,
            apps::AppState::Unknown => Self::Unknown,
            apps::AppState::Stopped => Self::Stopped,
            apps::AppState::Stopping => Self::Stopping,
        }
    }
}

/// One app in a list.
#[derive(Serialize, JsonSchema)]
pub struct App {
    /// The id.
    pub id: Uuid,
    /// Its short name.
    slug: String,
    /// Its name.
    name: String,
    /// Short names of project, environment and app: `shop/prod/web`.
    path: String,
    /// Web or worker.
    kind: Kind,
    /// Its project.
    project: Place,
    /// Its environment.
    environment: Place,
    /// How it stands.
    state: AppState,
    /// Where it answers.
    url: Option<String>,
    /// Instances that serve.
    serving: i64,
    /// Instances the serving release wants; 0 where none serves.
    wanted: i64,
    /// The release that serves.
    release: Option<ReleaseBrief>,
    /// The newest deploy.
    last_deploy: Option<DeployBrief>,
    /// True where an edit waits for the next deploy.
    pending: bool,
    /// True where everybody sees its page of maintenance.
    maintenance: bool,
    /// True where not every proxy has the rules of its routes and its ports as wanted: `/front` says why, also of plain routes that came
    /// or went.
    routes_wait: bool,
    /// When its instances were last looked at.
    observed_at: Option<Time>,
}

/// A release in a few words.
#[derive(Serialize, JsonSchema)]
struct ReleaseBrief {
    /// The id.
    id: Uuid,
    /// Its number.
    number: i32,
    /// The first seven digits of the commit it was built from.
    commit: Option<String>,
}

/// A deploy in a few words.
#[derive(Serialize, JsonSchema)]
struct DeployBrief {
    /// The id.
    id: Uuid,
    /// How it stands.
    state: DeployState,
    /// Who or what asked for it.
    who: String,
    /// When it was asked for.
    created_at: Time,
    /// When it ended.
    finished_at: Option<Time>,
}

impl From<AppLine> for App {
    fn from(line: AppLine) -> Self {
        Self {
            path: path(&line),
            id: line.id.0,
            slug: line.slug,
            name: line.name,
            kind: line.kind,
            project: Place { id: line.project.0, slug: line.project_slug, name: line.project_name },
            environment: Place { id: line.environment.0, slug: line.environment_slug, name: line.environment_name },
            state: line.state.into(),
            url: line.url,
            serving: line.serving,
            wanted: line.wanted,
            release: line.current.map(|it| ReleaseBrief { id: it.id.0, number: it.number, commit: it.commit }),
            last_deploy: line.last_deploy.map(|deploy| DeployBrief {
                id: deploy.id.0,
                state: deploy.state,
                who: deploy.who,
                created_at: deploy.created_at.into(),
                finished_at: deploy.finished_at.map(Time),
            }),
            pending: line.pending,
            maintenance: line.maintenance,
            routes_wait: line.routes != apps::RoutesStand::Settled,
            observed_at: line.observed_at.map(Time),
        }
    }
}

/// The short names of an app's project, of its environment and its own.
fn path(line: &AppLine) -> String {
    [line.project_slug.as_str(), &line.environment_slug, &line.slug].join("/")
}

/// One app as a whole.
#[derive(Serialize, JsonSchema)]
pub struct AppDetail {
    #[serde(flatten)]
    app: App,
    /// Where it comes from.
    source: Source,
    /// What it runs with, as edited.
    configuration: Configuration,
    /// Its health check in words.
    health: Health,
    /// Domains and paths that lead here.
    routes: Vec<Route>,
    /// Plain variables.
    variables: Vec<Variable>,
    /// Secrets: that they are there, never what they are.
    secrets: Vec<Secret>,
    /// Volumes.
    volumes: Vec<Volume>,
    /// What runs of it.
    instances: Vec<Instance>,
    /// What the next deploy will change, besides new code.
    changes: Vec<Change>,
    /// The deploy that runs.
    running: Option<Deploy>,
    /// The deploy that waits behind it.
    waiting: Option<Deploy>,
    /// The host it is placed on, the first of several.
    host: HostBrief,
    /// Where it may be placed, and how many instances are placed there.
    places: Vec<Placed>,
    /// What this token may do with it.
    may: May,
}

/// A health check in words.
#[derive(Serialize, JsonSchema)]
struct Health {
    /// "GET /up on port 8080 answers 200–299".
    proof: String,
    /// "every 250 ms, at most 2,000 ms each, first success within 60 s".
    rhythm: String,
}

/// A host in a few words.
#[derive(Serialize, JsonSchema)]
struct HostBrief {
    /// The id.
    id: Uuid,
    /// Its name.
    name: String,
    /// True where it is made ready and answers.
    ready: bool,
}

/// What a token may do with an app.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "MayWithApp")]
struct May {
    /// Deploy, cancel, roll back.
    deploy: bool,
    /// Edit it.
    edit: bool,
    /// Remove it, and its volumes.
    remove: bool,
}

impl From<AppView> for AppDetail {
    fn from(view: AppView) -> Self {
        Self {
            source: Source::of(&view.source, &view.source_form),
            configuration: (&view.configuration).into(),
            health: Health { proof: view.health.proof, rhythm: view.health.rhythm },
            routes: view.routes.into_iter().map(Route::from).collect(),
            variables: view.variables.into_iter().map(Variable::from).collect(),
            secrets: view.secrets.into_iter().map(Secret::from).collect(),
            volumes: view.volumes.into_iter().map(Volume::from).collect(),
            instances: view.instances.into_iter().map(Instance::from).collect(),
            changes: view.pending.into_iter().map(Change::from).collect(),
            running: view.running.map(Deploy::from),
            waiting: view.waiting.map(Deploy::from),
            host: HostBrief { id: view.host.id.0, name: view.host.name, ready: view.host.ready },
            places: view.places.into_iter().map(Placed::from).collect(),
            may: May { deploy: view.may.deploy, edit: view.may.edit, remove: view.may.remove },
            app: view.line.into(),
        }
    }
}

/// Which apps are listed.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Which {
    /// Only those of this name: `web`, `prod/web`, `shop/prod/web` (short names, dots will do as well).
    #[serde(default)]
    name: Option<String>,
}

/// What an app shall be.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewApp")]
struct Wanted {
    /// What people call it: 1–80 characters. Its short name is made of it.
    name: String,
    /// The environment's id. Without it: the team's only one; where there is none, project "Main" with `prod` is made.
    #[serde(default)]
    environment: Option<Uuid>,
    /// The host's id. Without it: the team's only one.
    #[serde(default)]
    host: Option<Uuid>,
    /// Where it comes from.
    source: EditSource,
    /// What it runs with.
    #[serde(default)]
    configuration: EditConfiguration,
    /// Domains and paths that lead here.
    #[serde(default)]
    routes: Vec<NewRoute>,
    /// Plain variables.
    #[serde(default)]
    variables: Vec<Variable>,
    /// Secret variables.
    #[serde(default)]
    secrets: Vec<Variable>,
    /// Volumes.
    #[serde(default)]
    volumes: Vec<NewVolume>,
}

/// An app's other name.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "EditApp")]
struct Edit {
    /// 1–80 characters. The short name stays.
    name: String,
}

/// Says that an app shall be gone.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "AppRemoval")]
struct Removal {
    /// The app's name.
    name: String,
    /// Names of its volumes whose data shall be gone too. All others stay.
    #[serde(default)]
    volumes: Vec<String>,
}

async fn list(State(api): State<Api>, caller: Caller, Asked(which): Asked<Which>) -> Result<Json<Page<App>>, Problem> {
    let lines = apps::list(api.actions(), &caller.actor).await?;
    let wanted = which.name.map(|name| name.replace('.', "/"));
    let ends = |line: &AppLine, name: &str| ["/", &path(line)].concat().ends_with(&["/", name].concat());
    let lines = lines.into_iter().filter(|line| wanted.as_deref().is_none_or(|name| ends(line, name)));
    Ok(Page::whole(lines.map(App::from)))
}

async fn create(
    State(api): State<Api>,
    caller: Caller,
    Sent(wanted): Sent<Wanted>,
) -> Result<Created<AppDetail>, Problem> {
    let pair = |it: Variable| Pair { name: it.name, value: it.value };
    let id = |id: Option<Uuid>| id.map(|id| id.to_string()).unwrap_or_default();
    let mut input = NewApp {
        name: wanted.name,
        environment: id(wanted.environment),
        host: id(wanted.host),
        routes: wanted.routes.into_iter().map(Into::into).collect(),
        variables: wanted.variables.into_iter().map(pair).collect(),
        secrets: wanted.secrets.into_iter().map(pair).collect(),
        volumes: wanted.volumes.into_iter().map(Into::into).collect(),
        ..NewApp::default()
    };
    wanted.source.apply(&mut input.source);
    wanted.configuration.apply(&mut input.configuration)?;
    let id = apps::create(api.actions(), &caller.actor, input).await?;
    Ok(Created::at(format!("/apps/{id}"), detail(&api, &caller, id).await?))
}

async fn show(State(api): State<Api>, caller: Caller, OfApp(id): OfApp) -> Result<Json<AppDetail>, Problem> {
    Ok(Json(detail(&api, &caller, id).await?))
}

async fn rename(
    State(api): State<Api>,
    caller: Caller,
    OfApp(id): OfApp,
    Sent(edit): Sent<Edit>,
) -> Result<Json<AppDetail>, Problem> {
    apps::rename(api.actions(), &caller.actor, id, RenameApp { name: edit.name }).await?;
    Ok(Json(detail(&api, &caller, id).await?))
}

async fn remove(
    State(api): State<Api>,
    caller: Caller,
    OfApp(id): OfApp,
    Sent(Removal { name, volumes }): Sent<Removal>,
) -> Result<Accepted<Begun>, Problem> {
    let input = RemoveApp { name, volumes: volumes.join("\n") };
    let job = apps::remove(api.actions(), &caller.actor, id, input).await?;
    Ok(Begun::of(Some(job)))
}

async fn instances(State(api): State<Api>, caller: Caller, OfApp(id): OfApp) -> Result<Json<Page<Instance>>, Problem> {
    let view = apps::get(api.actions(), &caller.actor, id).await?;
    Ok(Page::whole(view.instances.into_iter().map(Instance::from)))
}

async fn detail(api: &Api, caller: &Caller, id: AppId) -> Result<AppDetail, Problem> {
    Ok(apps::get(api.actions(), &caller.actor, id).await?.into())
}
