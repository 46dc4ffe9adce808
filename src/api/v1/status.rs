//! The team at a glance: what needs a person, what runs now, what changed lately.

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

use super::apps::App;
use super::audit::Event;
use super::hosts::Host;
use super::jobs::Job;
use crate::actions::home::{self, Need};
use crate::actions::tokens::Caller;
use crate::api::Api;
use crate::api::answer::Time;
use crate::api::problem::Problem;
use crate::api::routes::{Routes, get};
use crate::domain::rights::Permission;

/// The calls.
pub fn routes() -> Routes {
    let status = get("/status", Permission::View).title("The team at a glance");
    Routes::new().add(status.gives::<Json<Status>>(), show)
}

/// The team at a glance.
#[derive(Serialize, JsonSchema)]
pub struct Status {
    /// "All well · 12 apps on 3 hosts".
    headline: String,
    /// What a person should look at, worst first, at most 20.
    needs: Vec<NeedsYou>,
    /// Jobs that run or wait now, at most 20.
    now: Vec<Job>,
    /// All apps.
    apps: Vec<App>,
    /// All hosts.
    hosts: Vec<Host>,
    /// The latest changes, newest first, at most 10.
    lately: Vec<Event>,
    /// When the database was read.
    read_at: Time,
}

/// One thing that needs a person.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Need")]
struct NeedsYou {
    /// What is the matter.
    sentence: String,
    /// The app it is about.
    app: Option<Uuid>,
    /// The host it is about.
    host: Option<Uuid>,
    /// Whether it is about a certificate.
    certificate: bool,
}

impl From<Need> for NeedsYou {
    fn from(need: Need) -> Self {
        Self {
            sentence: need.sentence,
            app: need.app.map(|id| id.0),
            host: need.host.map(|id| id.0),
            certificate: need.certificate,
        }
    }
}

async fn show(State(api): State<Api>, caller: Caller) -> Result<Json<Status>, Problem> {
    let home = home::get(api.actions(), &caller.actor).await?;
    Ok(Json(Status {
        headline: home.headline,
        needs: home.needs.into_iter().map(NeedsYou::from).collect(),
        now: home.now.into_iter().map(Job::from).collect(),
        apps: home.apps.into_iter().map(App::from).collect(),
        hosts: home.hosts.into_iter().map(Host::from).collect(),
        lately: home.lately.into_iter().map(Event::from).collect(),
        read_at: home.read_at.into(),
    }))
}
