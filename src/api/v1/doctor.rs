//! The doctor: what is wrong, and what to do about it.

use axum::Json;
use axum::extract::State;

use crate::actions::doctor;
use crate::actions::tokens::Caller;
use crate::api::Api;
use crate::api::problem::Problem;
use crate::api::routes::{Routes, get};
use crate::domain::doctor::Told;
use crate::domain::help::Topic;
use crate::domain::rights::Permission;

/// The calls.
pub fn routes() -> Routes {
    let examine = get("/doctor", Permission::ManageHosts)
        .title("What the doctor finds at hosts and domains, and for an owner of the panel's team at the panel too; takes some seconds");
    Routes::new().about(Topic::Doctor).add(examine.gives::<Json<Told>>(), show)
}

async fn show(State(api): State<Api>, caller: Caller) -> Result<Json<Told>, Problem> {
    Ok(Json(doctor::examine(api.actions(), &caller.actor).await?.told()))
}
