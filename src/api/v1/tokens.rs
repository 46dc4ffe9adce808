//! Tokens: listed, made, ended.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::scopes::{Scope, WantedScope};
use crate::actions::tokens::{self, Caller, TokenLine};
use crate::api::Api;
use crate::api::answer::{Created, Page, Time};
use crate::api::problem::Problem;
use crate::api::routes::{Routes, delete, get, post};
use crate::api::take::{OfId, Sent};
use crate::domain::help::Topic;
use crate::domain::ids::TokenId;
use crate::domain::rights::{Permission, Role};

/// The calls.
pub fn routes() -> Routes {
    let view = Permission::View;
    Routes::new()
        .about(Topic::Token)
        .add(get("/tokens", view).title("One's own tokens; for admins, all of the team").gives::<Page<Token>>(), list)
        .add(
            post("/tokens", view).title("Make a token; its secret is in this answer only").gives::<Created<New>>(),
            create,
        )
        .add(delete("/tokens/{id}", view).title("End a token at once"), revoke)
}

/// An account.
#[derive(Serialize, JsonSchema)]
pub struct Account {
    /// The id.
    pub id: Uuid,
    /// The name.
    pub name: String,
}

/// A token. Of its secret there are only the last characters.
#[derive(Serialize, JsonSchema)]
pub struct Token {
    /// The id.
    id: Uuid,
    /// What it is for.
    name: String,
    /// The account it acts for.
    account: Account,
    /// The most it may.
    role: Role,
    /// Where.
    scope: Scope,
    /// The name of the project or environment; empty where it is good for the team.
    scope_name: String,
    /// How its secret begins and ends.
    hint: String,
    /// When it was made.
    created_at: Time,
    /// When it runs out; none for never.
    expires_at: Option<Time>,
    /// True where it has run out.
    expired: bool,
    /// When it was last used, to the minute.
    last_used_at: Option<Time>,
    /// Where from; empty where it never was.
    last_used_from: String,
    /// True where it acts for the account that asks.
    mine: bool,
}

impl From<TokenLine> for Token {
    fn from(line: TokenLine) -> Self {
        Self {
            id: line.id.0,
            name: line.name,
            account: Account { id: line.account.0, name: line.account_name },
            role: line.role,
            scope: line.scope.into(),
            scope_name: line.scope_name,
            hint: ["skf_…", &line.hint].concat(),
            created_at: line.created_at.into(),
            expires_at: line.expires_at.map(Time),
            expired: line.expired,
            last_used_at: line.last_used_at.map(Time),
            last_used_from: line.last_used_from,
            mine: line.mine,
        }
    }
}

/// A token that was just made.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "MadeToken")]
pub struct New {
    #[serde(flatten)]
    token: Token,
    /// What programs send. It is shown this once.
    secret: String,
}

/// What a token shall be.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewToken")]
struct Wanted {
    /// What it is for: 1–80 characters.
    name: String,
    /// The most it may.
    role: Role,
    /// Where: the whole team without this. A token is for no single host.
    #[serde(default)]
    scope: WantedScope,
    /// Days until it runs out, 1–365; `null` for never.
    days: Option<i64>,
}

async fn list(State(api): State<Api>, caller: Caller) -> Result<Json<Page<Token>>, Problem> {
    let lines = tokens::list(api.actions(), &caller.actor).await?;
    Ok(Page::whole(lines.into_iter().map(Token::from)))
}

async fn create(State(api): State<Api>, caller: Caller, Sent(wanted): Sent<Wanted>) -> Result<Created<New>, Problem> {
    let input = tokens::NewToken {
        name: wanted.name,
        role: wanted.role.word().to_owned(),
        scope: wanted.scope.value("scope", None)?,
        days: wanted.days.map_or("never".to_owned(), |days| days.to_string()),
    };
    let made = tokens::create(api.actions(), &caller.actor, input).await?;
    let path = format!("/tokens/{}", made.line.id);
    Ok(Created::at(path, New { token: made.line.into(), secret: made.secret.expose().clone() }))
}

async fn revoke(State(api): State<Api>, caller: Caller, OfId(id): OfId<TokenId>) -> Result<StatusCode, Problem> {
    tokens::revoke(api.actions(), &caller.actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
