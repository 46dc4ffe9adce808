//! Hosts looked at: whether they are as they were made, and the script that makes one so.

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::jobs::{Begun, Nothing};
use crate::actions::hosts::{self, CheckView, NewScript};
use crate::actions::tokens::Caller;
use crate::api::Api;
use crate::api::answer::{Accepted, Time};
use crate::api::openapi::{Answer, Gives};
use crate::api::problem::Problem;
use crate::api::routes::{Routes, get, post};
use crate::api::take::{Asked, OfHost, Sent};
use crate::domain::help::{self, Topic};
use crate::domain::rights::Permission;

/// What a script is for bash.
const SCRIPT: &str = "text/x-shellscript";

/// The calls.
pub fn routes() -> Routes {
    let manage = Permission::ManageHosts;
    Routes::new()
        .about(Topic::HostsLooked)
        .add(
            post("/hosts/{host}/check", manage)
                .title("Look whether a host is as it was made")
                .gives::<Accepted<Begun>>(),
            check,
        )
        .add(
            get("/hosts/script", manage)
                .title("The script that makes a server ready before it is a host")
                .gives::<Script>(),
            script,
        )
}

/// One thing that is not as it should be.
#[derive(Serialize, JsonSchema)]
struct Difference {
    /// What it is about.
    what: String,
    /// How it is.
    is: String,
    /// How it should be.
    should_be: String,
    /// What to do about it.
    what_to_do: String,
    /// Where the docs say more.
    help: Topic,
}

/// What came of the last check of a host.
#[derive(Serialize, JsonSchema)]
pub struct Check {
    /// When that was.
    at: Time,
    /// What differs; empty where all is as it should be, and where the host could not be looked at.
    differences: Vec<Difference>,
    /// Why the host could not be looked at; none where it could.
    failed: Option<String>,
}

impl From<CheckView> for Check {
    fn from(view: CheckView) -> Self {
        let difference = |found: hosts::Difference| Difference {
            help: help::of_difference(&found),
            what: found.what,
            is: found.is,
            should_be: found.should,
            what_to_do: found.act,
        };
        Self {
            at: view.at.into(),
            differences: view.differences.into_iter().map(difference).collect(),
            failed: (!view.failed.is_empty()).then_some(view.failed),
        }
    }
}

/// What the script shall make of a server.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Wanted {
    /// Whether it shall build for all hosts; default false.
    #[serde(default)]
    builds: Option<bool>,
    /// The port its proxy shall listen on; default 80.
    #[serde(default)]
    http_port: Option<u64>,
}

/// A script as it is.
struct Script(String);

impl Gives for Script {
    fn answer() -> Answer {
        Answer::of_media::<String>("The script, for bash as root.", &[SCRIPT])
    }
}

impl IntoResponse for Script {
    fn into_response(self) -> Response {
        ([(header::CONTENT_TYPE, SCRIPT)], self.0).into_response()
    }
}

async fn check(
    State(api): State<Api>,
    caller: Caller,
    OfHost(id): OfHost,
    Sent(Nothing {}): Sent<Nothing>,
) -> Result<Accepted<Begun>, Problem> {
    Ok(Begun::of(Some(hosts::check(api.actions(), &caller.actor, id).await?)))
}

async fn script(State(api): State<Api>, caller: Caller, Asked(wanted): Asked<Wanted>) -> Result<Script, Problem> {
    let input = NewScript {
        builds: if wanted.builds.unwrap_or_default() { "yes" } else { "no" }.to_owned(),
        http_port: wanted.http_port.map(|port| port.to_string()).unwrap_or_default(),
    };
    Ok(Script(hosts::script(api.actions(), &caller.actor, input).await?))
}
