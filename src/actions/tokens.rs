//! Bearer tokens of the API: made, listed, ended, and recognised at the door. A token acts for its account within one team
//! and may what the account may there now, as far as it reaches. Not here: HTTP.

use serde_json::json;
use time::OffsetDateTime;
use uuid::Uuid;

use super::accounts::TeamLine;
use super::fields::Fields;
use super::gate::{self, Open};
use super::{Ctx, Refused};
use crate::db::tokens::{Known, Row};
use crate::db::{self, Tx, audit};
use crate::domain::ids::{AccountId, EnvironmentId, ProjectId, TokenId};
use crate::domain::names::DisplayName;
use crate::domain::rights::{Actor, Grant, On, Permission, Permit, Role, Scope, Who};
use crate::domain::secret::Secret;
use crate::domain::token;
use crate::vault;

/// Tokens of one account in one team: one for each machine and program of hers.
const MOST_TOKENS: i64 = 50;
/// The longest time a token may be good for, in days, unless it is never to run out.
const LONGEST_DAYS: i32 = 365;

/// The form that makes a token.
#[derive(Clone, Debug, Default)]
pub struct NewToken {
    /// What it is for: 1–80 characters.
    pub name: String,
    /// `viewer`, `developer`, `admin` or `owner`: the most it may, whatever its account may.
    pub role: String,
    /// `team` (also when empty), or `project:ID`, `environment:ID`.
    pub scope: String,
    /// Days until it runs out, 1–365, or `never`.
    pub days: String,
}

/// One token in a list. Of its secret there are only the last characters.
#[derive(Clone, Debug)]
pub struct TokenLine {
    /// The token.
    pub id: TokenId,
    /// For whom it acts.
    pub account: AccountId,
    /// Their name.
    pub account_name: String,
    /// What it is for.
    pub name: String,
    /// Its last characters.
    pub hint: String,
    /// The most it may.
    pub role: Role,
    /// Where.
    pub scope: Scope,
    /// The name of the project or environment it is for; empty where it is for the team.
    pub scope_name: String,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// When it runs out; none for never.
    pub expires_at: Option<OffsetDateTime>,
    /// True where it has run out.
    pub expired: bool,
    /// When it was last used, to the minute.
    pub last_used_at: Option<OffsetDateTime>,
    /// Where from.
    pub last_used_from: String,
    /// True where it acts for whoever asks.
    pub mine: bool,
}

/// A token that was just made: the only time its secret is there.
pub struct Made {
    /// The token.
    pub line: TokenLine,
    /// What programs send.
    pub secret: Secret<String>,
}

/// Where a token may be for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScopeChoice {
    /// What the form sends: `project:ID`.
    pub value: String,
    /// "shop", "shop / dev".
    pub words: String,
}

/// Somebody with a token, at the door.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Whom actions take.
    pub actor: Actor,
    /// The account.
    pub account: AccountId,
    /// Its name.
    pub account_name: String,
    /// The team.
    pub team: TeamLine,
    /// The token.
    pub token: TokenId,
    /// Its name.
    pub token_name: String,
    /// How far it reaches.
    pub reach: Grant,
    /// When it runs out; none for never.
    pub expires_at: Option<OffsetDateTime>,
    hash: Vec<u8>,
    grants: Vec<Grant>,
}

/// Who shows this token. None for one that is unknown, has run out, was ended, or whose account left the team: the door
/// gives one answer to all of them. Wrong ones are counted against the client; right ones never are.
pub async fn caller(ctx: &Ctx, shown: &str, address: &str) -> Result<Option<Caller>, Refused> {
    let hash = vault::token_hash(shown);
    let found = match token::looks_right(shown) {
        true => db::tokens::find(&mut *ctx.db.door().await?, &hash).await?,
        false => None,
    };
    let Some(known) = found.filter(|known| !known.grants.is_empty()) else {
        let mut tx = ctx.db.begin_door().await?;
        let wait = db::tokens::wrong(&mut tx, address).await?;
        tx.commit().await?;
        let sentence = |wait: std::time::Duration| format!("Too many wrong tokens. Try again in {} s.", wait.as_secs());
        return wait.map_or(Ok(None), |wait| Err(Refused::TooOften(sentence(wait))));
    };
    let Known { bearer, team, team_slug, team_name, expires_at, grants, unseen } = known;
    let (account, account_name) = (bearer.account, bearer.account_name.clone());
    let (id, token_name, reach) = (bearer.token, bearer.token_name.clone(), bearer.reach);
    let actor = Actor::of_token(bearer, address.to_owned(), team, grants.clone());
    if unseen && let Ok(permit) = actor.may_somewhere(Permission::View) {
        let mut tx = ctx.db.begin(&permit).await?;
        db::tokens::used(&mut tx, &permit, id, address).await?;
        tx.commit().await?;
    }
    let team = TeamLine { id: team, slug: team_slug, name: team_name };
    Ok(Some(Caller { actor, account, account_name, team, token: id, token_name, reach, expires_at, hash, grants }))
}

/// True while a token that was recognised would be recognised again, and may what it may by the same grants.
pub async fn still_good(ctx: &Ctx, caller: &Caller) -> Result<bool, Refused> {
    let found = db::tokens::find(&mut *ctx.db.door().await?, &caller.hash).await?;
    Ok(found.is_some_and(|known| known.grants == caller.grants))
}

/// One's own tokens in the team, newest first; whoever manages members sees everybody's.
pub async fn list(ctx: &Ctx, actor: &Actor) -> Result<Vec<TokenLine>, Refused> {
    let Open { mut tx, permit, .. } = gate::team(ctx, actor).await?;
    let only = (!sees_all(actor)).then(|| actor.who().account()).flatten();
    let rows = db::tokens::list(&mut tx, &permit, only, None).await?;
    tx.commit().await?;
    Ok(rows.into_iter().map(|row| line(row, actor)).collect())
}

/// Where a new token may be for, besides the whole team.
pub async fn scopes(ctx: &Ctx, actor: &Actor) -> Result<Vec<ScopeChoice>, Refused> {
    let Open { mut tx, permit, .. } = gate::team(ctx, actor).await?;
    let rows = db::environments::list(&mut tx, &permit).await?;
    tx.commit().await?;
    let mut choices: Vec<ScopeChoice> = Vec::new();
    for row in rows {
        let value = format!("project:{}", row.project);
        let known = choices.iter().any(|choice| choice.value == value);
        if !known && gate::sees(actor, On::project(actor.team(), row.project)) {
            choices.push(ScopeChoice { value, words: row.project_name.clone() });
        }
        if gate::sees(actor, On::environment(actor.team(), row.project, row.id)) {
            let words = format!("{} / {}", row.project_name, row.name);
            choices.push(ScopeChoice { value: format!("environment:{}", row.id), words });
        }
    }
    Ok(choices)
}

/// Makes a token for oneself. One that makes another gives no more than it has, for no longer.
pub async fn create(ctx: &Ctx, actor: &Actor, input: NewToken) -> Result<Made, Refused> {
    let Open { mut tx, permit, .. } = gate::team(ctx, actor).await?;
    let Some(account) = actor.who().account() else {
        return Err(Refused::Conflict("A token acts for an account: sign in and make it there.".into()));
    };
    let mut fields = Fields::default();
    let name = fields.text::<DisplayName>("name", &input.name);
    let roles = [Role::Viewer, Role::Developer, Role::Admin, Role::Owner].map(|role| (role.word(), role));
    let role = fields.choice("role", input.role.trim(), &roles);
    let scope = scope(&mut fields, &mut tx, &permit, actor, input.scope.trim()).await?;
    let days = match input.days.trim() {
        "never" => Some(None),
        raw => fields.number::<i32>("days", raw, 1..=LONGEST_DAYS, "days, or never").map(Some),
    };
    if let (Some(cap), Some(role)) = (actor.cap(), role)
        && role > cap.role
    {
        fields.wrong("role", format!("This token is one for the role {}: it makes no higher one.", cap.role.word()));
    }
    if let Some(days) = days
        && outlives(&mut tx, &permit, actor, days).await?
    {
        fields.wrong("days", "A token makes none that outlives it.");
    }
    let (Some(name), Some(role), Some(scope), Some(days), true) = (name, role, scope, days, fields.fine()) else {
        return Err(fields.refuse());
    };
    if db::tokens::count(&mut tx, &permit, account).await? >= MOST_TOKENS {
        return Err(Refused::Conflict(format!(
            "You have {MOST_TOKENS} tokens in this team: end those you do not use."
        )));
    }
    let secret = vault::api_token();
    let hash = vault::token_hash(secret.expose());
    let id = TokenId(Uuid::now_v7());
    let reach = Grant { scope, role };
    let hint = token::hint(secret.expose());
    let new = db::tokens::New { id, account, name: name.as_ref(), hash: &hash, hint: &hint, reach, days };
    if !db::tokens::insert(&mut tx, &permit, &new).await? {
        return Err(Refused::field("name", "You have a token of this name in this team already."));
    }
    let row = db::tokens::list(&mut tx, &permit, None, Some(id)).await?.into_iter().next().ok_or(Refused::NotFound)?;
    let line = line(row, actor);
    let until = days.map_or("never".to_owned(), |days| format!("{days} days"));
    let after = json!({ "role": role, "scope": place(&line), "runs out": until });
    record(&mut tx, &permit, "token.created", &line, None, Some(after)).await?;
    tx.commit().await?;
    Ok(Made { line, secret })
}

/// Ends a token at once: one's own, or anybody's for whoever manages members.
pub async fn revoke(ctx: &Ctx, actor: &Actor, id: TokenId) -> Result<(), Refused> {
    let Open { mut tx, permit, .. } = gate::team(ctx, actor).await?;
    let row = db::tokens::list(&mut tx, &permit, None, Some(id)).await?.into_iter().next().ok_or(Refused::NotFound)?;
    if actor.who().account() != Some(row.account) && !sees_all(actor) {
        return Err(Refused::NotFound);
    }
    let line = line(row, actor);
    if !db::tokens::remove(&mut tx, &permit, id).await? {
        return Err(Refused::NotFound);
    }
    let before = json!({ "of": line.account_name, "role": line.role, "scope": place(&line) });
    record(&mut tx, &permit, "token.revoked", &line, Some(before), None).await?;
    tx.commit().await?;
    Ok(())
}

/// True where the actor sees and ends the tokens of others too.
fn sees_all(actor: &Actor) -> bool {
    actor.may(Permission::ManageMembers, On::team(actor.team())).is_ok()
}

/// Reads where a token is for. A token makes others for its own place only, or for a part of it.
async fn scope(
    fields: &mut Fields,
    tx: &mut Tx<'_>,
    permit: &Permit,
    actor: &Actor,
    raw: &str,
) -> Result<Option<Scope>, Refused> {
    const SENTENCE: &str = "Choose the whole team, or one of its projects or environments.";
    let team = actor.team();
    let found = match raw.split_once(':') {
        None if matches!(raw, "" | "team") => Some((Scope::Team(team), On::team(team))),
        Some(("project", id)) => {
            let id = id.parse::<ProjectId>().ok();
            let rows = match id {
                Some(id) => db::projects::list(tx, permit, Some(id)).await?,
                None => Vec::new(),
            };
            rows.first().map(|row| (Scope::Project(row.id), On::project(team, row.id)))
        }
        Some(("environment", id)) => {
            let id = id.parse::<EnvironmentId>().ok();
            let rows = db::environments::list(tx, permit).await?;
            let row = rows.into_iter().find(|row| Some(row.id) == id);
            row.map(|row| (Scope::Environment(row.id), On::environment(team, row.project, row.id)))
        }
        _ => None,
    };
    // The whole team may be chosen by whoever is in it: the token still may no more than they.
    let found = found.filter(|(scope, on)| matches!(scope, Scope::Team(_)) || gate::sees(actor, *on));
    let Some((scope, on)) = found else {
        fields.wrong("scope", SENTENCE);
        return Ok(None);
    };
    if actor.cap().is_some_and(|cap| !cap.scope.covers(on)) {
        fields.wrong("scope", "This token is for a part of the team: it makes others for that part only.");
        return Ok(None);
    }
    Ok(Some(scope))
}

/// True where a token asks for one that is good for longer than itself.
async fn outlives(tx: &mut Tx<'_>, permit: &Permit, actor: &Actor, days: Option<i32>) -> Result<bool, Refused> {
    let Who::Token { token, .. } = actor.who() else { return Ok(false) };
    let own = db::tokens::list(tx, permit, None, Some(*token)).await?.into_iter().next().ok_or(Refused::NotFound)?;
    let Some(end) = own.expires_at else { return Ok(false) };
    Ok(days.is_none_or(|days| OffsetDateTime::now_utc() + time::Duration::days(days.into()) > end))
}

/// Where a token is for, in words.
fn place(line: &TokenLine) -> String {
    if line.scope_name.is_empty() { "the team".to_owned() } else { line.scope_name.clone() }
}

/// Writes an event about a token down.
async fn record(
    tx: &mut Tx<'_>,
    permit: &Permit,
    action: &'static str,
    line: &TokenLine,
    before: Option<serde_json::Value>,
    after: Option<serde_json::Value>,
) -> Result<(), Refused> {
    let event = audit::New { action, kind: "token", subject: Some(line.id.0), name: &line.name, before, after };
    Ok(audit::record(tx, permit, event).await?)
}

/// A row as a line.
fn line(row: Row, actor: &Actor) -> TokenLine {
    TokenLine {
        mine: actor.who().account() == Some(row.account),
        id: row.id,
        account: row.account,
        account_name: row.account_name,
        name: row.name,
        hint: row.hint,
        role: row.reach.role,
        scope: row.reach.scope,
        scope_name: row.scope_name,
        created_at: row.created_at,
        expires_at: row.expires_at,
        expired: row.expired,
        last_used_at: row.last_used_at,
        last_used_from: row.last_used_from,
    }
}
