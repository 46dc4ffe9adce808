//! Where an app runs and how many instances on which host; and scaling what serves at once.

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::deploys::DeployDetail;
use crate::actions::apps::{self, Pair, PlaceApp, PlaceLine};
use crate::actions::deploys;
use crate::actions::tokens::Caller;
use crate::api::Api;
use crate::api::answer::{Accepted, Page};
use crate::api::problem::Problem;
use crate::api::routes::{Routes, get, post, put};
use crate::api::take::{OfApp, Sent};
use crate::domain::help::Topic;
use crate::domain::rights::Permission;

/// The calls.
pub fn routes() -> Routes {
    let all = "/apps/{app}/placement";
    let scale_ = post("/apps/{app}/scale", Permission::Deploy)
        .title("Place an app anew and deploy what serves, without a build");
    Routes::new()
        .about(Topic::WhereItRuns)
        .add(get(all, Permission::View).title("Where an app is placed, as edited").gives::<Page<Placed>>(), show)
        .add(
            put(all, Permission::EditApps).title("Place an app, from its next deploy on").gives::<Page<Placed>>(),
            place,
        )
        .add(scale_.gives::<Accepted<DeployDetail>>(), scale)
}

/// A host an app may be placed on.
#[derive(Serialize, JsonSchema)]
pub struct Placed {
    /// The host.
    host: Uuid,
    /// Its name.
    name: String,
    /// Its machine architecture; empty where it is not known yet.
    arch: String,
    /// True where it is made ready and answers.
    ready: bool,
    /// Instances placed there.
    instances: u16,
}

impl From<PlaceLine> for Placed {
    fn from(line: PlaceLine) -> Self {
        Self { host: line.id.0, name: line.name, arch: line.arch, ready: line.ready, instances: line.instances }
    }
}

/// Where an app shall run.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Wanted {
    /// The hosts; those that are not named get no instance.
    places: Vec<Place>,
}

/// So many instances on one host.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewPlace")]
struct Place {
    /// The host's id.
    host: Uuid,
    /// How many.
    instances: u64,
}

impl From<Wanted> for PlaceApp {
    fn from(wanted: Wanted) -> Self {
        let pair = |place: Place| Pair { name: place.host.to_string(), value: place.instances.to_string() };
        Self { places: wanted.places.into_iter().map(pair).collect() }
    }
}

async fn show(State(api): State<Api>, caller: Caller, OfApp(id): OfApp) -> Result<Json<Page<Placed>>, Problem> {
    let view = apps::get(api.actions(), &caller.actor, id).await?;
    Ok(Page::whole(view.places.into_iter().map(Placed::from)))
}

async fn place(
    State(api): State<Api>,
    caller: Caller,
    OfApp(id): OfApp,
    Sent(wanted): Sent<Wanted>,
) -> Result<Json<Page<Placed>>, Problem> {
    apps::place(api.actions(), &caller.actor, id, wanted.into()).await?;
    show(State(api), caller, OfApp(id)).await
}

async fn scale(
    State(api): State<Api>,
    caller: Caller,
    OfApp(id): OfApp,
    Sent(wanted): Sent<Wanted>,
) -> Result<Accepted<DeployDetail>, Problem> {
    let deploy = deploys::scale(api.actions(), &caller.actor, id, wanted.into()).await?;
    let view = deploys::get(api.actions(), &caller.actor, deploy).await?;
    Ok(Accepted::at(format!("/deploys/{deploy}"), view.into()))
}
