//! The panel's own address. For owners of the team the panel was set up with.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::actions::panel::{self, AddressLine, AddressView, NewAddress, Server};
use crate::actions::tokens::Caller;
use crate::api::Api;
use crate::api::answer::Time;
use crate::api::problem::Problem;
use crate::api::routes::{Routes, delete, get, put};
use crate::api::take::Sent;
use crate::domain::help::Topic;
use crate::domain::rights::Permission;

/// The calls.
pub fn routes() -> Routes {
    let own = Permission::OwnTeam;
    Routes::new()
        .about(Topic::PanelAddress)
        .add(get("/panel/address", own).title("The panel's own address").gives::<Json<Address>>(), show)
        .add(
            put("/panel/address", own)
                .title("Try a name for the panel; what it is reached by goes on working")
                .gives::<Json<Address>>(),
            try_out,
        )
        .add(delete("/panel/address", own).title("Give up the name on trial, or else the panel's name"), give_up)
}

/// The panel's address.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "PanelAddress")]
struct Address {
    /// The address it was started with: it always works.
    loopback: String,
    /// The name it is known by; none where it has none.
    serving: Option<Name>,
    /// The name on trial; none where there is none.
    trial: Option<Name>,
    /// The servers whose proxies may lead to it.
    servers: Vec<Place>,
}

/// A name of the panel.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "PanelName")]
struct Name {
    /// The name.
    domain: String,
    /// Its address in a browser.
    url: String,
    /// The server whose proxy leads to the panel.
    host: Uuid,
    /// That server's name.
    host_name: String,
    /// Since when it stands so.
    since: Time,
    /// What the last try found; empty where it is well.
    note: String,
    /// When the panel was first reached through it.
    reached_at: Option<Time>,
    /// When the trial ends; none where it is no trial.
    until: Option<Time>,
    /// Days its certificate is still good for; none where it has none.
    days_left: Option<i64>,
}

impl From<AddressLine> for Name {
    fn from(line: AddressLine) -> Self {
        Self {
            domain: line.domain.into(),
            url: line.url,
            host: line.host.0,
            host_name: line.host_name,
            since: line.since.into(),
            note: line.note,
            reached_at: line.reached_at.map(Time),
            until: line.until.map(Time),
            days_left: line.days_left,
        }
    }
}

/// A server that may lead to the panel.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "PanelServer")]
struct Place {
    /// The host.
    id: Uuid,
    /// Its name.
    name: String,
    /// A name made of its public address, where it has one.
    made_name: Option<String>,
}

impl From<Server> for Place {
    fn from(server: Server) -> Self {
        Self { id: server.id.0, name: server.name, made_name: server.made_name }
    }
}

impl From<AddressView> for Address {
    fn from(view: AddressView) -> Self {
        Self {
            loopback: view.loopback,
            serving: view.serving.map(Name::from),
            trial: view.trial.map(Name::from),
            servers: view.servers.into_iter().map(Place::from).collect(),
        }
    }
}

/// A name to be tried.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewPanelAddress")]
struct Wanted {
    /// The name.
    domain: String,
    /// The server whose proxy leads to the panel; may be left out where only one can.
    #[serde(default)]
    host: Option<Uuid>,
    /// Keep the name as soon as the panel was reached through it, without waiting for somebody to open it there; default false.
    #[serde(default)]
    keep: Option<bool>,
}

async fn show(State(api): State<Api>, caller: Caller) -> Result<Json<Address>, Problem> {
    Ok(Json(panel::address(api.actions(), &caller.actor).await?.into()))
}

async fn try_out(State(api): State<Api>, caller: Caller, Sent(wanted): Sent<Wanted>) -> Result<Json<Address>, Problem> {
    let input = NewAddress {
        domain: wanted.domain,
        host: wanted.host.map(|host| host.to_string()).unwrap_or_default(),
        keep: wanted.keep.unwrap_or_default(),
    };
    panel::try_address(api.actions(), &caller.actor, input).await?;
    show(State(api), caller).await
}

async fn give_up(State(api): State<Api>, caller: Caller) -> Result<StatusCode, Problem> {
    panel::give_up_address(api.actions(), &caller.actor).await?;
    Ok(StatusCode::NO_CONTENT)
}
