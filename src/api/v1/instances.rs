//! Stopping and restarting what runs of an app.

use axum::extract::State;

use super::deploys::DeployDetail;
use super::jobs::{Begun, Nothing};
use crate::actions::apps;
use crate::actions::deploys::{self, RequestDeploy};
use crate::actions::instances::{self, Restarted};
use crate::actions::tokens::Caller;
use crate::api::Api;
use crate::api::answer::Accepted;
use crate::api::problem::Problem;
use crate::api::routes::{Routes, post};
use crate::api::take::{OfApp, OfId, Sent};
use crate::domain::ids::InstanceId;
use crate::domain::rights::Permission;

/// The calls.
pub fn routes() -> Routes {
    let may = Permission::Deploy;
    Routes::new()
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
