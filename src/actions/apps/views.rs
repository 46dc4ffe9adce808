//! What pages show of an app. Not here: how it is read.

use time::OffsetDateTime;

use super::forms::{EditConfiguration, EditSource};
use crate::actions::deploys::DeployLine;
use crate::actions::hosts::InstanceLine;
use crate::actions::jobs::JobLine;
use crate::actions::releases::ReleaseLine;
use crate::actions::secrets::SecretLine;
use crate::actions::volumes::VolumeLine;
use crate::domain::app::{Kind, Spec};
use crate::domain::deploy::DeployState;
pub use crate::domain::diff::Change as PendingChange;
use crate::domain::ids::{AppId, DeployId, EnvironmentId, HostId, ProjectId, ReleaseId, RouteId};
use crate::domain::rules::Rules;

/// How an app stands, from the ledger and its last deploy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppState {
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
    /// Its host does not answer: not known since the observed time.
    Unknown,
    /// Somebody wanted it to stand still, and nothing of it runs.
    Stopped,
    /// Somebody wants it to stand still, and something of it still runs.
    Stopping,
}

impl AppState {
    /// The word people read.
    pub fn word(self) -> &'static str {
        match self {
            Self::New => "not deployed yet",
            Self::Running => "running",
            Self::Deploying => "deploying",
            Self::NeedsYou => "needs you",
            Self::Down => "down",
            Self::Unknown => "unknown",
            Self::Stopped => "stopped",
            Self::Stopping => "stopping",
        }
    }
}

/// One app in a list.
#[derive(Clone, Debug)]
pub struct AppLine {
    /// The app.
    pub id: AppId,
    /// Its short name.
    pub slug: String,
    /// Its name.
    pub name: String,
    /// Web or worker.
    pub kind: Kind,
    /// The project.
    pub project: ProjectId,
    /// The project's short name.
    pub project_slug: String,
    /// The project's name.
    pub project_name: String,
    /// The environment.
    pub environment: EnvironmentId,
    /// The environment's short name.
    pub environment_slug: String,
    /// The environment's name.
    pub environment_name: String,
    /// How it stands.
    pub state: AppState,
    /// The serving release.
    pub current: Option<ReleaseBrief>,
    /// Instances that serve.
    pub serving: i64,
    /// Instances wanted by the serving release; 0 where none serves.
    pub wanted: i64,
    /// Where it answers; empty for workers and apps without a route.
    pub url: Option<String>,
    /// The newest deploy.
    pub last_deploy: Option<DeployBrief>,
    /// True where an edit waits for the next deploy.
    pub pending: bool,
    /// True where everybody sees its page of maintenance.
    pub maintenance: bool,
    /// Whether the proxies have its routes, their rules and its ports as wanted.
    pub routes: RoutesStand,
    /// When its instances were last observed.
    pub observed_at: Option<OffsetDateTime>,
    /// Who stopped it and when, where it is stopped.
    pub stopped: Option<Stopped>,
}

/// Whether the proxies have what is wanted of an app's routes and ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoutesStand {
    /// All of them have.
    Settled,
    /// They are being told, or it is tried again by itself.
    Told,
    /// One did not take it: somebody has to look.
    Stuck,
}

/// A stop that stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stopped {
    /// Who wanted it.
    pub by: String,
    /// When.
    pub at: OffsetDateTime,
}

/// A release in a few words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReleaseBrief {
    /// The release.
    pub id: ReleaseId,
    /// Its number.
    pub number: i32,
    /// The commit's first seven digits, where it was built.
    pub commit: Option<String>,
}

/// A deploy in a few words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeployBrief {
    /// The deploy.
    pub id: DeployId,
    /// How it stands.
    pub state: DeployState,
    /// Who asked for it.
    pub who: String,
    /// When it was asked for.
    pub created_at: OffsetDateTime,
    /// When it ended.
    pub finished_at: Option<OffsetDateTime>,
    /// The deploy that turned bad and was answered by this one, where Skiff itself asked for it.
    pub answers: Option<TakenBack>,
}

/// A deploy that was taken back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakenBack {
    /// The deploy.
    pub deploy: DeployId,
    /// Who found what: "watch of v3: instance 1 restarted 3 times".
    pub why: String,
}

/// An app's page.
#[derive(Clone)]
pub struct AppView {
    /// The app.
    pub line: AppLine,
    /// Where it comes from.
    pub source: SourceView,
    /// What it is run with, as edited.
    pub spec: Spec,
    /// The health check in words.
    pub health: HealthView,
    /// Domains and paths that lead here.
    pub routes: Vec<RouteView>,
    /// Plain variables.
    pub variables: Vec<VariableLine>,
    /// Secrets.
    pub secrets: Vec<SecretLine>,
    /// Volumes.
    pub volumes: Vec<VolumeLine>,
    /// Instances, as the ledger has them.
    pub instances: Vec<InstanceLine>,
    /// The newest releases, newest first, at most 20.
    pub releases: Vec<ReleaseLine>,
    /// The newest deploys, newest first, at most 10.
    pub deploys: Vec<DeployLine>,
    /// The deploy that runs, where one does.
    pub running: Option<DeployLine>,
    /// The deploy that waits behind it, where one does.
    pub waiting: Option<DeployLine>,
    /// What else is being done with it now: a stop, a restart of one instance.
    pub acting: Option<JobLine>,
    /// Whether everybody sees the page of maintenance in its place.
    pub maintenance: bool,
    /// What the next deploy will change, besides new code.
    pub pending: Vec<PendingChange>,
    /// The host it is placed on.
    pub host: HostChoice,
    /// All hosts it can run on, those it is placed on first.
    pub places: Vec<PlaceLine>,
    /// The form of its configuration, filled in.
    pub configuration: EditConfiguration,
    /// The form of its source, filled in; tokens, passwords and build secrets stay empty.
    pub source_form: EditSource,
    /// Whether browsers are told to come by HTTPS only.
    pub hsts: bool,
    /// What the actor may do with it.
    pub may: May,
}

/// A host, and how many instances of the app are placed there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlaceLine {
    /// The host.
    pub id: HostId,
    /// Its name.
    pub name: String,
    /// Its machine architecture; empty where it is not known yet.
    pub arch: String,
    /// True where it is provisioned and answers.
    pub ready: bool,
    /// Instances placed there.
    pub instances: u16,
}

/// What an actor may do with an app.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct May {
    /// Deploy, cancel, roll back.
    pub deploy: bool,
    /// Edit it.
    pub edit: bool,
    /// Remove it, and its volumes.
    pub remove: bool,
}

/// A source in words. No secret is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceView {
    /// "git" or "image".
    pub from: &'static str,
    /// The repository's address or the image's name.
    pub address: String,
    /// git: the branch.
    pub branch: Option<String>,
    /// How it is opened: "public", "deploy key", "token", "registry login".
    pub access: &'static str,
    /// git, deploy key: the line to paste at the forge.
    pub deploy_key: Option<String>,
    /// git: the Dockerfile.
    pub dockerfile: Option<String>,
    /// git: the folder sent to the builder.
    pub context: Option<String>,
    /// git: the stage.
    pub target: Option<String>,
    /// git: names of the build secrets.
    pub build_secrets: Vec<String>,
}

/// A health check in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthView {
    /// "GET /up answers 200–299".
    pub proof: String,
    /// "every 250 ms, 2,000 ms each, first success within 60 s".
    pub rhythm: String,
}

/// A route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteView {
    /// The route.
    pub id: RouteId,
    /// The domain.
    pub domain: String,
    /// The path.
    pub path: String,
    /// Where it answers.
    pub url: String,
    /// Its rules, as wanted.
    pub rules: Rules,
    /// True where the proxies have others still.
    pub waits: bool,
}

/// A plain variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VariableLine {
    /// The name.
    pub name: String,
    /// The value, byte for byte: hostile text.
    pub value: String,
}

/// What the form for a new app offers.
#[derive(Clone, Debug)]
pub struct NewAppForm {
    /// Where the app may go.
    pub environments: Vec<EnvironmentChoice>,
    /// What it may run on.
    pub hosts: Vec<HostChoice>,
    /// The configuration's defaults.
    pub configuration: EditConfiguration,
    /// A domain that works on this machine: "hello.localhost" with the name in place of "hello".
    pub domain_hint: String,
}

/// An environment to choose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvironmentChoice {
    /// The environment.
    pub id: EnvironmentId,
    /// "shop / prod".
    pub words: String,
}

/// A host to choose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostChoice {
    /// The host.
    pub id: HostId,
    /// Its name.
    pub name: String,
    /// True where it is provisioned and answers.
    pub ready: bool,
}
