//! Domains and paths that lead to an app.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::actions::apps::{self, RouteView};
use crate::actions::tokens::Caller;
use crate::api::Api;
use crate::api::answer::{Created, Page};
use crate::api::problem::Problem;
use crate::api::routes::{Routes, delete, get, post};
use crate::api::take::{OfApp, OfId, Sent};
use crate::domain::ids::RouteId;
use crate::domain::rights::Permission;

/// The calls.
pub fn routes() -> Routes {
    let (view, edit, all) = (Permission::View, Permission::EditApps, "/apps/{app}/routes");
    Routes::new()
        .add(get(all, view).title("Domains and paths that lead to an app").gives::<Page<Route>>(), list)
        .add(
            post(all, edit)
                .title("Let a domain and path lead to an app from its next deploy on")
                .gives::<Created<Route>>(),
            add,
        )
        .add(delete("/apps/{app}/routes/{id}", edit).title("Let a domain and path no longer lead to an app"), remove)
}

/// A domain and path that lead to an app.
#[derive(Serialize, JsonSchema)]
pub struct Route {
    /// The id.
    id: Uuid,
    /// The domain.
    domain: String,
    /// The path.
    path: String,
    /// Where it answers.
    url: String,
    /// True where it was removed and the serving release still answers there: it goes with the next deploy.
    leaving: bool,
}

impl From<RouteView> for Route {
    fn from(view: RouteView) -> Self {
        Self { id: view.id.0, domain: view.domain, path: view.path, url: view.url, leaving: view.leaving }
    }
}

/// A domain and path that shall lead to an app.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRoute {
    /// The domain.
    domain: String,
    /// The path; `/` without it.
    #[serde(default)]
    path: Option<String>,
}

impl From<NewRoute> for apps::NewRoute {
    fn from(new: NewRoute) -> Self {
        Self { domain: new.domain, path: new.path.unwrap_or_default() }
    }
}

async fn list(State(api): State<Api>, caller: Caller, OfApp(id): OfApp) -> Result<Json<Page<Route>>, Problem> {
    let view = apps::get(api.actions(), &caller.actor, id).await?;
    Ok(Page::whole(view.routes.into_iter().map(Route::from)))
}

async fn add(
    State(api): State<Api>,
    caller: Caller,
    OfApp(id): OfApp,
    Sent(new): Sent<NewRoute>,
) -> Result<Created<Route>, Problem> {
    let before = apps::get(api.actions(), &caller.actor, id).await?.routes;
    apps::add_route(api.actions(), &caller.actor, id, new.into()).await?;
    let routes = apps::get(api.actions(), &caller.actor, id).await?.routes;
    let was = |route: &RouteView| before.iter().any(|old| old.id == route.id && old.leaving == route.leaving);
    let made = routes.into_iter().find(|route| !was(route)).ok_or(Problem::NotFound)?;
    Ok(Created::at(format!("/apps/{id}/routes/{}", made.id), made.into()))
}

async fn remove(
    State(api): State<Api>,
    caller: Caller,
    OfApp(app): OfApp,
    OfId(id): OfId<RouteId>,
) -> Result<StatusCode, Problem> {
    apps::remove_route(api.actions(), &caller.actor, app, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
