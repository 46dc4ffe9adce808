//! Whether browsers are told to come to an app by HTTPS only.

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::actions::apps::{self, SetHsts};
use crate::actions::tokens::Caller;
use crate::api::Api;
use crate::api::problem::Problem;
use crate::api::routes::{Routes, get, put};
use crate::api::take::{OfApp, Sent};
use crate::domain::help::Topic;
use crate::domain::rights::Permission;

/// The calls.
pub fn routes() -> Routes {
    let path = "/apps/{app}/hsts";
    Routes::new()
        .about(Topic::HttpsOnly)
        .add(
            get(path, Permission::View).title("Whether browsers are told to come by HTTPS only").gives::<Json<Hsts>>(),
            show,
        )
        .add(
            put(path, Permission::EditApps)
                .title("Say whether browsers are told to come by HTTPS only")
                .gives::<Json<Hsts>>(),
            set,
        )
}

/// Whether browsers are told to come by HTTPS only.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Hsts {
    /// True: for a year, under every name of the app that a certificate is served for.
    hsts: bool,
}

async fn show(State(api): State<Api>, caller: Caller, OfApp(id): OfApp) -> Result<Json<Hsts>, Problem> {
    Ok(Json(Hsts { hsts: apps::get(api.actions(), &caller.actor, id).await?.hsts }))
}

async fn set(
    State(api): State<Api>,
    caller: Caller,
    OfApp(id): OfApp,
    Sent(Hsts { hsts }): Sent<Hsts>,
) -> Result<Json<Hsts>, Problem> {
    let input = SetHsts { hsts: if hsts { "yes" } else { "no" }.to_owned() };
    apps::set_hsts(api.actions(), &caller.actor, id, input).await?;
    show(State(api), caller, OfApp(id)).await
}
