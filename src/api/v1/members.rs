//! Members of the team: who they are, what they may where. A token changes nobody beyond its own role and reach.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::scopes::{Scope, WantedScope};
use super::tokens::Account;
use crate::actions::members::{self, GrantLine, MemberLine, SetGrant};
use crate::actions::tokens::Caller;
use crate::api::Api;
use crate::api::answer::{Page, Time};
use crate::api::problem::Problem;
use crate::api::routes::{Routes, get, post, put};
use crate::api::take::{OfId, Sent};
use crate::domain::help::Topic;
use crate::domain::ids::MemberId;
use crate::domain::rights::{Permission, Role};

/// The calls.
pub fn routes() -> Routes {
    let (view, manage) = (Permission::View, Permission::ManageMembers);
    Routes::new()
        .about(Topic::Members)
        .add(
            get("/members", view)
                .title("The team's members; oneself alone for who does not see the whole team")
                .gives::<Page<Member>>(),
            list,
        )
        .add(get("/members/{id}", view).title("One member").gives::<Json<Member>>(), show)
        .add(
            put("/members/{id}/grants", manage)
                .title("Give a member a role somewhere, or take it back; it holds from the next request on")
                .gives::<Json<Member>>(),
            set_grant,
        )
        .add(
            post("/members/{id}/removal", manage)
                .title("Remove a member, whose tokens and open invitations end with it"),
            remove,
        )
        .add(
            post("/members/leave", view).title("Leave the team; this token ends, and the way back is an invitation"),
            leave,
        )
}

/// A member of the team.
#[derive(Serialize, JsonSchema)]
pub struct Member {
    /// The membership's id.
    id: Uuid,
    /// The account.
    account: Account,
    /// What they sign in with.
    email: String,
    /// Since when they are in the team.
    created_at: Time,
    /// What they may, the widest first.
    grants: Vec<Granted>,
    /// True for the account that asks.
    me: bool,
}

/// A role and where it holds.
#[derive(Serialize, JsonSchema)]
struct Granted {
    /// The role.
    role: Role,
    /// Where.
    scope: Scope,
    /// The same in words: "the whole team", "Shop / dev".
    place: String,
}

impl From<GrantLine> for Granted {
    fn from(line: GrantLine) -> Self {
        Self { role: line.role, scope: line.place.scope.into(), place: line.place.words }
    }
}

impl From<MemberLine> for Member {
    fn from(line: MemberLine) -> Self {
        Self {
            id: line.id.0,
            account: Account { id: line.account.0, name: line.name },
            email: line.email,
            created_at: line.created_at.into(),
            grants: line.grants.into_iter().map(Granted::from).collect(),
            me: line.me,
        }
    }
}

/// What a member shall be somewhere.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewGrant")]
struct Grant {
    /// The role; `null` takes back what was given there.
    role: Option<Role>,
    /// Where: the whole team without this.
    #[serde(default)]
    scope: WantedScope,
}

/// That it is this member who is meant.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "MemberRemoval")]
struct Removal {
    /// The member's e-mail address.
    email: String,
}

/// That it is this team which is meant.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Leave {
    /// The team's name.
    team: String,
}

async fn list(State(api): State<Api>, caller: Caller) -> Result<Json<Page<Member>>, Problem> {
    Ok(Page::whole(members::list(api.actions(), &caller.actor).await?.members.into_iter().map(Member::from)))
}

async fn show(State(api): State<Api>, caller: Caller, OfId(id): OfId<MemberId>) -> Result<Json<Member>, Problem> {
    Ok(Json(members::get(api.actions(), &caller.actor, id).await?.line.into()))
}

async fn set_grant(
    State(api): State<Api>,
    caller: Caller,
    OfId(id): OfId<MemberId>,
    Sent(grant): Sent<Grant>,
) -> Result<Json<Member>, Problem> {
    let role = grant.role.map_or_else(String::new, |role| role.word().to_owned());
    let input = SetGrant { scope: grant.scope.value("scope", None)?, role };
    members::set_grant(api.actions(), &caller.actor, id, input).await?;
    Ok(Json(members::get(api.actions(), &caller.actor, id).await?.line.into()))
}

async fn remove(
    State(api): State<Api>,
    caller: Caller,
    OfId(id): OfId<MemberId>,
    Sent(Removal { email }): Sent<Removal>,
) -> Result<StatusCode, Problem> {
    members::remove(api.actions(), &caller.actor, id, &email).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn leave(
    State(api): State<Api>,
    caller: Caller,
    Sent(Leave { team }): Sent<Leave>,
) -> Result<StatusCode, Problem> {
    members::leave(api.actions(), &caller.actor, &team).await?;
    Ok(StatusCode::NO_CONTENT)
}
