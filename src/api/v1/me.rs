//! Whose token it is, and what it may.

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

use super::scopes::Scope;
use super::teams::Team;
use super::tokens::Account;
use crate::actions::panel;
use crate::actions::tokens::Caller;
use crate::api::Api;
use crate::api::answer::Time;
use crate::api::problem::Problem;
use crate::api::routes::{Routes, get};
use crate::domain::VERSION;
use crate::domain::rights::{Actor, Permission, Role};

/// The calls.
pub fn routes() -> Routes {
    let me = get("/me", Permission::View).title("Whose token this is, and what it may");
    Routes::new().add(me.gives::<Json<Me>>(), show)
}

/// Whose token it is.
#[derive(Serialize, JsonSchema)]
pub struct Me {
    /// The account it acts for.
    account: Account,
    /// The team it acts in.
    team: Team,
    /// The token.
    token: Shown,
    /// The highest role it has now, somewhere in its scope.
    role: Option<Role>,
    /// The panel's version.
    version: &'static str,
    /// The panel's own address.
    base_url: String,
}

/// The token that was shown.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ShownToken")]
struct Shown {
    /// The id.
    id: Uuid,
    /// What it is for.
    name: String,
    /// The most it may.
    role: Role,
    /// Where.
    scope: Scope,
    /// When it runs out; none for never.
    expires_at: Option<Time>,
}

async fn show(State(api): State<Api>, caller: Caller) -> Result<Json<Me>, Problem> {
    let own = || api.base_url().as_str().trim_end_matches('/').to_owned();
    let base_url = panel::named_url(api.actions()).await?.unwrap_or_else(own);
    Ok(Json(Me {
        role: highest(&caller.actor),
        account: Account { id: caller.account.0, name: caller.account_name },
        team: caller.team.into(),
        token: Shown {
            id: caller.token.0,
            name: caller.token_name,
            role: caller.reach.role,
            scope: caller.reach.scope.into(),
            expires_at: caller.expires_at.map(Time),
        },
        version: VERSION,
        base_url,
    }))
}

/// The highest role an actor has somewhere.
fn highest(actor: &Actor) -> Option<Role> {
    let signs = [Permission::OwnTeam, Permission::ManageMembers, Permission::Deploy, Permission::View];
    signs.into_iter().find(|sign| actor.may_somewhere(*sign).is_ok()).map(Permission::least)
}
