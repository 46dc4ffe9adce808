//! Plain variables of an app.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::actions::apps::{self, SetVariable, VariableLine};
use crate::actions::tokens::Caller;
use crate::api::Api;
use crate::api::answer::Page;
use crate::api::problem::Problem;
use crate::api::routes::{Routes, delete, get, put};
use crate::api::take::{Named, OfApp, Sent};
use crate::domain::help::Topic;
use crate::domain::rights::Permission;

/// The calls.
pub fn routes() -> Routes {
    let (view, edit) = (Permission::View, Permission::EditApps);
    let one = "/apps/{app}/variables/{name}";
    Routes::new()
        .about(Topic::Variables)
        .add(
            get("/apps/{app}/variables", view).title("An app's plain variables, as edited").gives::<Page<Variable>>(),
            list,
        )
        .add(put(one, edit).title("Set or replace a plain variable").gives::<Json<Variable>>(), set)
        .add(delete(one, edit).title("Remove a plain variable"), remove)
}

/// A name and a value.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Variable {
    /// The name: letters, digits and underscores.
    pub name: String,
    /// The value, byte for byte: any text without NUL, at most 32 KiB.
    pub value: String,
}

impl From<VariableLine> for Variable {
    fn from(line: VariableLine) -> Self {
        Self { name: line.name, value: line.value }
    }
}

/// A value.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Value {
    /// Any text without NUL, at most 32 KiB.
    pub value: String,
}

async fn list(State(api): State<Api>, caller: Caller, OfApp(id): OfApp) -> Result<Json<Page<Variable>>, Problem> {
    let view = apps::get(api.actions(), &caller.actor, id).await?;
    Ok(Page::whole(view.variables.into_iter().map(Variable::from)))
}

async fn set(
    State(api): State<Api>,
    caller: Caller,
    OfApp(id): OfApp,
    Named(name): Named,
    Sent(Value { value }): Sent<Value>,
) -> Result<Json<Variable>, Problem> {
    let input = SetVariable { name: name.clone(), value: value.clone() };
    apps::set_variable(api.actions(), &caller.actor, id, input).await?;
    Ok(Json(Variable { name, value }))
}

async fn remove(
    State(api): State<Api>,
    caller: Caller,
    OfApp(id): OfApp,
    Named(name): Named,
) -> Result<StatusCode, Problem> {
    apps::remove_variable(api.actions(), &caller.actor, id, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}
