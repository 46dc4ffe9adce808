//! The token's team, and its account's others.

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::actions::accounts::TeamLine;
use crate::actions::teams;
use crate::actions::tokens::Caller;
use crate::api::Api;
use crate::api::answer::{Created, Page};
use crate::api::problem::Problem;
use crate::api::routes::{Routes, get, patch, post};
use crate::api::take::Sent;
use crate::domain::help::Topic;
use crate::domain::rights::Permission;

/// The calls.
pub fn routes() -> Routes {
    let (view, own) = (Permission::View, Permission::OwnTeam);
    Routes::new()
        .about(Topic::Members)
        .add(get("/team", view).title("The token's team").gives::<Json<Team>>(), show)
        .add(patch("/team", own).title("Give the team another name; its addresses stay").gives::<Json<Team>>(), rename)
        .add(
            get("/teams", view)
                .title("The teams of the token's account; only its own for a token that may less than its account")
                .gives::<Page<Team>>(),
            list,
        )
        .add(
            post("/teams", own)
                .title("Make another team, which the account owns; tokens for it are made in it")
                .gives::<Created<Team>>(),
            create,
        )
}

/// A team.
#[derive(Serialize, JsonSchema)]
pub struct Team {
    /// The id.
    id: Uuid,
    /// Its short name.
    slug: String,
    /// Its name.
    name: String,
}

impl From<TeamLine> for Team {
    fn from(line: TeamLine) -> Self {
        Self { id: line.id.0, slug: line.slug, name: line.name }
    }
}

/// A team's name.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "TeamName")]
struct Name {
    /// 1–80 characters.
    name: String,
}

async fn show(caller: Caller) -> Json<Team> {
    Json(caller.team.into())
}

async fn rename(
    State(api): State<Api>,
    caller: Caller,
    Sent(Name { name }): Sent<Name>,
) -> Result<Json<Team>, Problem> {
    let name = teams::rename(api.actions(), &caller.actor, &name).await?;
    Ok(Json(TeamLine { name, ..caller.team }.into()))
}

async fn list(State(api): State<Api>, caller: Caller) -> Result<Json<Page<Team>>, Problem> {
    Ok(Page::whole(teams::list(api.actions(), &caller.actor).await?.into_iter().map(Team::from)))
}

async fn create(
    State(api): State<Api>,
    caller: Caller,
    Sent(Name { name }): Sent<Name>,
) -> Result<Created<Team>, Problem> {
    let team = teams::create_beside(api.actions(), &caller.actor, &name).await?;
    Ok(Created::at("/teams".to_owned(), team.into()))
}
