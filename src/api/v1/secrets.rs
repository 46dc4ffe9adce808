//! Secrets of an app. Write-only: no call gives a value back.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

use super::variables::Value;
use crate::actions::apps;
use crate::actions::secrets::{self, SecretLine, SetSecret};
use crate::actions::tokens::Caller;
use crate::api::Api;
use crate::api::answer::{Page, Time};
use crate::api::problem::Problem;
use crate::api::routes::{Routes, delete, get, put};
use crate::api::take::{Named, OfApp, Sent};
use crate::domain::help::Topic;
use crate::domain::rights::Permission;

/// The calls.
pub fn routes() -> Routes {
    let (view, edit) = (Permission::View, Permission::EditApps);
    let one = "/apps/{app}/secrets/{name}";
    Routes::new()
        .about(Topic::Secrets)
        .add(
            get("/apps/{app}/secrets", view).title("Which secrets an app has; no values").gives::<Page<Secret>>(),
            list,
        )
        .add(put(one, edit).title("Set or replace a secret").gives::<Json<Secret>>(), set)
        .add(delete(one, edit).title("Remove a secret"), remove)
}

/// A secret: that it is there, never what it is.
#[derive(Serialize, JsonSchema)]
pub struct Secret {
    /// The id.
    id: Uuid,
    /// The variable's name.
    name: String,
    /// 1, 2, … with each replacement.
    version: i32,
    /// The version the serving release runs with.
    in_use: Option<i32>,
    /// When it was first set.
    created_at: Time,
    /// When it was last replaced.
    changed_at: Time,
}

impl From<SecretLine> for Secret {
    fn from(line: SecretLine) -> Self {
        Self {
            id: line.id.0,
            name: line.name,
            version: line.version,
            in_use: line.in_use,
            created_at: line.created_at.into(),
            changed_at: line.changed_at.into(),
        }
    }
}

async fn list(State(api): State<Api>, caller: Caller, OfApp(id): OfApp) -> Result<Json<Page<Secret>>, Problem> {
    let view = apps::get(api.actions(), &caller.actor, id).await?;
    Ok(Page::whole(view.secrets.into_iter().map(Secret::from)))
}

async fn set(
    State(api): State<Api>,
    caller: Caller,
    OfApp(id): OfApp,
    Named(name): Named,
    Sent(Value { value }): Sent<Value>,
) -> Result<Json<Secret>, Problem> {
    secrets::set(api.actions(), &caller.actor, id, SetSecret { name: name.clone(), value }).await?;
    let view = apps::get(api.actions(), &caller.actor, id).await?;
    let line = view.secrets.into_iter().find(|line| line.name == name);
    line.map(|line| Json(line.into())).ok_or(Problem::NotFound)
}

async fn remove(
    State(api): State<Api>,
    caller: Caller,
    OfApp(id): OfApp,
    Named(name): Named,
) -> Result<StatusCode, Problem> {
    secrets::remove(api.actions(), &caller.actor, id, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}
