//! Instances of an app: looked at, stopped, restarted. Not here: what they print (`logs`).

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::Serialize;

use super::deploys::DeployDetail;
use super::hosts::Instance;
use super::jobs::{Begun, Nothing};
use crate::actions::apps;
use crate::actions::deploys::{self, RequestDeploy};
use crate::actions::instances::{self, Inspected, Restarted, Shown};
use crate::actions::tokens::Caller;
use crate::api::Api;
use crate::api::answer::{Accepted, Time};
use crate::api::problem::Problem;
use crate::api::routes::{Routes, get, post};
use crate::api::take::{OfApp, OfId, Sent};
use crate::domain::help::Topic;
use crate::domain::ids::InstanceId;
use crate::domain::rights::Permission;

/// The calls.
pub fn routes() -> Routes {
    let may = Permission::Deploy;
    Routes::new()
        .about(Topic::StopAndStart)
        .add(
            get("/apps/{app}/instances/{id}", Permission::View)
                .title("One instance, as its host's Docker describes it now")
                .gives::<Json<InstanceDetail>>(),
            show,
        )
        .add(
            post("/apps/{app}/restart", may)
                .title("Replace its instances by new ones of the same release; starts an app that is stopped")
                .gives::<Accepted<DeployDetail>>(),
            again,
        )
        .add(
            post("/apps/{app}/stop", may).title("Stop its instances until it is started").gives::<Accepted<Begun>>(),
            stop,
        )
        .add(
            post("/apps/{app}/instances/{id}/restart", may)
                .title("Restart one instance; the whole app where nothing else serves on its host")
                .gives::<Accepted<Begun>>(),
            restart,
        )
}

/// One instance, looked at.
#[derive(Serialize, JsonSchema)]
pub struct InstanceDetail {
    #[serde(flatten)]
    instance: Instance,
    /// The release's image, by name.
    image: String,
    /// True where this token may restart it.
    may_restart: bool,
    /// When its host was asked.
    asked_at: Time,
    /// What its host says; none where it says nothing.
    inspection: Option<Inspection>,
    /// Why it says nothing; empty where it does.
    silent: String,
}

/// What Docker says about a container: text of its host, without secrets.
#[derive(Serialize, JsonSchema)]
struct Inspection {
    /// `running`, `exited` …
    status: String,
    /// Its environment; only values of plain variables.
    environment: Vec<Known>,
    /// Its labels.
    labels: Vec<Label>,
    /// Its processes, if it runs.
    processes: Processes,
    /// All Docker says, without the environment.
    raw: serde_json::Value,
}

/// A variable of an instance.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "KnownVariable")]
struct Known {
    /// Its name.
    name: String,
    /// The value of a plain variable; none for a secret and for what the image brings.
    value: Option<String>,
    /// Where it is from.
    from: Origin,
}

/// Where a variable of an instance is from.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "VariableFrom")]
#[serde(rename_all = "snake_case")]
enum Origin {
    /// The app's plain variables.
    Variable,
    /// The app's secrets.
    Secret,
    /// The image.
    Image,
}

/// A label of a container.
#[derive(Serialize, JsonSchema)]
struct Label {
    /// Its name.
    name: String,
    /// Its value.
    value: String,
}

/// The processes of a container.
#[derive(Serialize, JsonSchema)]
struct Processes {
    /// The heads of the columns.
    heads: Vec<String>,
    /// A row for each.
    rows: Vec<Vec<String>>,
}

impl From<(String, Shown)> for Known {
    fn from((name, shown): (String, Shown)) -> Self {
        let (value, from) = match shown {
            Shown::Plain(value) => (Some(value), Origin::Variable),
            Shown::Secret => (None, Origin::Secret),
            Shown::Image => (None, Origin::Image),
        };
        Self { name, value, from }
    }
}

impl From<Inspected> for Inspection {
    fn from(seen: Inspected) -> Self {
        Self {
            status: seen.status,
            environment: seen.env.into_iter().map(Known::from).collect(),
            labels: seen.labels.into_iter().map(|(name, value)| Label { name, value }).collect(),
            processes: Processes { heads: seen.process_heads, rows: seen.processes },
            raw: serde_json::from_str(&seen.raw).unwrap_or_default(),
        }
    }
}

async fn show(
    State(api): State<Api>,
    caller: Caller,
    OfApp(app): OfApp,
    OfId(id): OfId<InstanceId>,
) -> Result<Json<InstanceDetail>, Problem> {
    let view = instances::inspect(api.actions(), &caller.actor, app, id).await?;
    let (inspection, silent) = match view.seen {
        Ok(seen) => (Some((*seen).into()), String::new()),
        Err(why) => (None, why),
    };
    Ok(Json(InstanceDetail {
        instance: view.line.into(),
        image: view.image,
        may_restart: view.may_restart,
        asked_at: view.at.into(),
        inspection,
        silent,
    }))
}

async fn again(
    State(api): State<Api>,
    caller: Caller,
    OfApp(id): OfApp,
    Sent(Nothing {}): Sent<Nothing>,
) -> Result<Accepted<DeployDetail>, Problem> {
    let input = RequestDeploy { to: "again".into(), ..RequestDeploy::default() };
    let deploy = deploys::request(api.actions(), &caller.actor, id, input).await?;
    let view = deploys::get(api.actions(), &caller.actor, deploy).await?;
    Ok(Accepted::at(format!("/deploys/{deploy}"), view.into()))
}

async fn stop(
    State(api): State<Api>,
    caller: Caller,
    OfApp(id): OfApp,
    Sent(Nothing {}): Sent<Nothing>,
) -> Result<Accepted<Begun>, Problem> {
    Ok(Begun::of(Some(apps::stop(api.actions(), &caller.actor, id).await?)))
}

async fn restart(
    State(api): State<Api>,
    caller: Caller,
    OfApp(app): OfApp,
    OfId(id): OfId<InstanceId>,
    Sent(Nothing {}): Sent<Nothing>,
) -> Result<Accepted<Begun>, Problem> {
    match instances::restart(api.actions(), &caller.actor, app, id).await? {
        Restarted::InPlace(job) => Ok(Begun::of(Some(job))),
        Restarted::Whole(deploy) => {
            let view = deploys::get(api.actions(), &caller.actor, deploy).await?;
            Ok(Begun::of(Some(view.job)))
        }
    }
}
