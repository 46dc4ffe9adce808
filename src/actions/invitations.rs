//! Invitations: a link that lets one person in, once, for some days. Not here: what members may afterwards.

use serde_json::json;
use time::OffsetDateTime;
use uuid::Uuid;

use super::fields::Fields;
use super::members::{self, Turn};
use super::scopes::{self, ScopeLine};
use super::{Ctx, Refused, gate, setup};
use crate::db::invitations::{Found, New};
use crate::db::{self, Tx, accounts, audit};
use crate::domain::ids::{AccountId, InvitationId, MemberId};
use crate::domain::members::check;
use crate::domain::names::{DisplayName, Email};
use crate::domain::rights::{Actor, Grant, Permission, Permit, Role, Scope, Who};
use crate::vault;

/// The form that invites.
#[derive(Clone, Debug, Default)]
pub struct NewInvitation {
    /// Whom it is for: a name or an address, for the list. May be empty.
    pub note: String,
    /// What they will be: the word of a role.
    pub role: String,
    /// Where: `value`s of scopes; none means the whole team.
    pub scopes: Vec<String>,
    /// How many days the link works; empty means 7.
    pub days: String,
}

/// An invitation whose link still works.
#[derive(Clone, Debug)]
pub struct InvitationLine {
    /// The invitation.
    pub id: InvitationId,
    /// Whom it is for; may be empty.
    pub note: String,
    /// What they will be: "developer of Shop / dev".
    pub words: String,
    /// Who invited.
    pub by_name: String,
    /// When.
    pub created_at: OffsetDateTime,
    /// Until when the link works.
    pub expires_at: OffsetDateTime,
}

/// What somebody may be invited to.
#[derive(Clone, Debug)]
pub struct Choices {
    /// The roles the actor may give.
    pub roles: Vec<Role>,
    /// Where they can hold.
    pub scopes: Vec<ScopeLine>,
}

/// A new invitation: its link is told this once. Not `Debug`: the link lets somebody in.
#[derive(Clone)]
pub struct Made {
    /// The invitation.
    pub id: InvitationId,
    /// Whom it is for; may be empty.
    pub note: String,
    /// What they will be.
    pub words: String,
    /// How many days the link works.
    pub days: i32,
    /// The link.
    pub link: String,
}

/// What an open invitation's page says.
#[derive(Clone, Debug)]
pub struct Offer {
    /// The team's name.
    pub team: String,
    /// Whom it is for; may be empty.
    pub note: String,
    /// What one will be.
    pub words: String,
    /// Who invited.
    pub by_name: String,
    /// Until when the link works.
    pub expires_at: OffsetDateTime,
}

/// The form of somebody who has no account yet. Not `Debug`: it holds the password.
#[derive(Clone, Default)]
pub struct NewAccount {
    /// The name.
    pub name: String,
    /// The e-mail address: what one signs in with.
    pub email: String,
    /// The password, at least 12 characters.
    pub password: String,
}

/// Somebody who has joined.
#[derive(Clone, Debug)]
pub struct Joined {
    /// The account.
    pub account: AccountId,
    /// The team's slug.
    pub team: String,
    /// The team's name.
    pub team_name: String,
}

/// How many days a link works where nothing else is said.
pub const DAYS: i32 = 7;
/// The most days a link works: it lies in somebody's mail all that time.
const MOST_DAYS: i32 = 30;
/// Open invitations of a team: more are forgotten ones.
const MOST_OPEN: i64 = 100;

/// What the actor may invite to.
pub async fn choices(ctx: &Ctx, actor: &Actor) -> Result<Choices, Refused> {
    let gate::Open { mut tx, permit, on } = gate::team_for(ctx, actor, Permission::ManageMembers).await?;
    let scopes = scopes::all(&mut tx, &permit, actor).await?;
    tx.commit().await?;
    let role = actor.role(on);
    Ok(Choices { roles: members::ROLES.into_iter().filter(|given| Some(*given) <= role).collect(), scopes })
}

/// Makes an invitation, whose link is told once.
pub async fn create(ctx: &Ctx, actor: &Actor, input: NewInvitation) -> Result<Made, Refused> {
    let Turn { mut tx, permit, role: by } = members::turn(ctx, actor).await?;
    let Some(account) = actor.who().account() else {
        return Err(Refused::Conflict("Somebody invites: sign in and do it there.".into()));
    };
    let known = scopes::all(&mut tx, &permit, actor).await?;
    let mut fields = Fields::default();
    let note = fields.optional::<DisplayName>("note", &input.note);
    let days = fields.number_or::<i32>("days", &input.days, DAYS, 1..=MOST_DAYS, "days");
    let role = members::role(&mut fields, &input.role);
    let places = places(&mut fields, &known, &input.scopes);
    let (Some(days), Some(role), Some(places), true) = (days, role, places, fields.fine()) else {
        return Err(fields.refuse());
    };
    let grants: Vec<Grant> = places.iter().map(|place| Grant { scope: place.scope, role }).collect();
    // Nobody is taken away here: that the team keeps an owner is not asked.
    check(by, &[], &grants, 0).map_err(|no| members::refuse(no, None))?;
    if i64::try_from(db::invitations::open(&mut tx, &permit, MOST_OPEN).await?.len()).unwrap_or(MOST_OPEN) >= MOST_OPEN
    {
        return Err(Refused::Conflict(format!("{MOST_OPEN} invitations are open. Take back those nobody will use.")));
    }
    let words: Vec<&str> = places.iter().map(|place| place.words.as_str()).collect();
    let words = [role.word(), " of ", &words.join(", ")].concat();
    let note = note.map(String::from).unwrap_or_default();
    let token = vault::random_token();
    let (id, hash) = (InvitationId(Uuid::now_v7()), vault::token_hash(token.expose()));
    let by_token = if let Who::Token { token, .. } = actor.who() { Some(*token) } else { None };
    let new = New { id, token_hash: &hash, note: &note, grants: &grants, words: &words, by: account, by_token, days };
    db::invitations::insert(&mut tx, &permit, &new).await?;
    let after = json!({ "as": words, "days": days });
    record(&mut tx, &permit, "member.invited", "invitation", id.0, &note, Some(after)).await?;
    tx.commit().await?;
    let link = [&super::panel::base_url(ctx).await?, "/join?token=", token.expose()].concat();
    Ok(Made { id, note, words, days, link })
}

/// Takes an invitation back. One that works no more anyway is left as it is.
pub async fn revoke(ctx: &Ctx, actor: &Actor, id: InvitationId) -> Result<(), Refused> {
    let gate::Open { mut tx, permit, .. } = gate::team_for(ctx, actor, Permission::ManageMembers).await?;
    let (note, ended) = db::invitations::revoke(&mut tx, &permit, id).await?.ok_or(Refused::NotFound)?;
    if ended {
        record(&mut tx, &permit, "invitation.revoked", "invitation", id.0, &note, None).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// The invitations whose links still work, newest first.
pub async fn list(ctx: &Ctx, actor: &Actor) -> Result<Vec<InvitationLine>, Refused> {
    let gate::Open { mut tx, permit, .. } = gate::team_for(ctx, actor, Permission::ManageMembers).await?;
    let lines = open(&mut tx, &permit).await?;
    tx.commit().await?;
    Ok(lines)
}

/// The same, in the caller's transaction.
pub(super) async fn open(tx: &mut Tx<'_>, permit: &Permit) -> Result<Vec<InvitationLine>, Refused> {
    let rows = db::invitations::open(tx, permit, MOST_OPEN).await?;
    let line = |row: db::invitations::Row| InvitationLine {
        id: row.id,
        note: row.note,
        words: row.words,
        by_name: row.by_name,
        created_at: row.created_at,
        expires_at: row.expires_at,
    };
    Ok(rows.into_iter().map(line).collect())
}

/// What a link leads to. A link that was used, taken back, is too old or was never made is the same answer.
pub async fn look(ctx: &Ctx, token: &str) -> Result<Offer, Refused> {
    let found = find(ctx, token).await?;
    Ok(Offer {
        team: found.team_name,
        note: found.note,
        words: found.words,
        by_name: found.by_name,
        expires_at: found.expires_at,
    })
}

/// Lets somebody in who is signed in.
pub async fn join(ctx: &Ctx, account: AccountId, name: &str, address: &str, token: &str) -> Result<Joined, Refused> {
    let found = find(ctx, token).await?;
    let permit = permit(account, name, address, &found)?;
    let mut tx = ctx.db.begin(&permit).await?;
    db::members::lock(&mut tx, &permit).await?;
    if !db::members::grants_of(&mut tx, &permit, account).await?.is_empty() {
        return Err(Refused::Conflict(format!(
            "You are in {} already. Whoever manages its members can change what you may; this link is still good for somebody else.",
            found.team_name
        )));
    }
    enter(tx, &permit, account, name, found).await
}

/// Lets somebody in who makes an account for it: both or neither.
pub async fn join_as_new(ctx: &Ctx, address: &str, token: &str, input: NewAccount) -> Result<Joined, Refused> {
    // Before a password is hashed: that costs something, and only the invited may cause it.
    let found = find(ctx, token).await?;
    let mut fields = Fields::default();
    let name = fields.text::<DisplayName>("name", &input.name);
    let email = fields.text::<Email>("email", &input.email);
    let password = setup::password(&mut fields, "password", &input.password);
    let (Some(name), Some(email), Some(password), true) = (name, email, password, fields.fine()) else {
        return Err(fields.refuse());
    };
    let mut door = ctx.db.begin_door().await?;
    let known = accounts::credentials(&mut door, email.as_ref()).await?.is_some();
    door.commit().await?;
    if known {
        return Err(Refused::field("email", "This address has an account here. Sign in with it, below."));
    }
    let hash = vault::hash_password(password).await.ok_or_else(|| Refused::internal(&"no password could be hashed"))?;
    let account = AccountId(Uuid::now_v7());
    let permit = permit(account, name.as_ref(), address, &found)?;
    let mut tx = ctx.db.begin(&permit).await?;
    db::members::lock(&mut tx, &permit).await?;
    accounts::insert(&mut tx, account, &email, name.as_ref(), &hash).await?;
    enter(tx, &permit, account, name.as_ref(), found).await
}

/// Uses the invitation up and makes the member, in one transaction: of two at once, the second finds it used.
async fn enter(
    mut tx: Tx<'static>,
    permit: &Permit,
    account: AccountId,
    name: &str,
    found: Found,
) -> Result<Joined, Refused> {
    if !db::invitations::spend(&mut tx, permit, found.id, account).await? {
        return Err(spent());
    }
    // One whose last place was removed is a member still, and gets their roles back.
    let member = db::members::insert(&mut tx, permit, MemberId(Uuid::now_v7()), account).await?;
    for grant in found.grants.iter() {
        db::members::grant(&mut tx, permit, member, *grant).await?;
    }
    let after = json!({ "as": found.words, "invited by": found.by_name, "invited as": found.note });
    record(&mut tx, permit, "member.joined", "member", member.0, name, Some(after)).await?;
    tx.commit().await?;
    Ok(Joined { account, team: found.team_slug, team_name: found.team_name })
}

async fn find(ctx: &Ctx, token: &str) -> Result<Found, Refused> {
    db::invitations::find(&mut *ctx.db.door().await?, &vault::token_hash(token)).await?.ok_or_else(spent)
}

/// The permit of a member-to-be. It comes to nothing unless the invitation is spent in the same transaction.
fn permit(account: AccountId, name: &str, address: &str, found: &Found) -> Result<Permit, Refused> {
    let actor = Actor::new(account, name.to_owned(), address.to_owned(), found.team, found.grants.0.clone());
    Ok(actor.may_somewhere(Permission::View)?)
}

/// The answer to a link that lets nobody in.
fn spent() -> Refused {
    Refused::Conflict(
        "This invitation was used, was taken back, or is too old. Ask whoever sent it to you for a new one.".into(),
    )
}

/// Where the role is to hold. The whole team contains all the rest.
fn places<'a>(fields: &mut Fields, known: &'a [ScopeLine], asked: &[String]) -> Option<Vec<&'a ScopeLine>> {
    let mut places = Vec::new();
    for value in asked {
        match known.iter().find(|place| place.value == *value) {
            Some(place) if !places.contains(&place) => places.push(place),
            Some(_) => {}
            None => {
                fields.wrong("scopes", "Choose the whole team, or projects, environments and hosts of it.");
                return None;
            }
        }
    }
    let whole = known.iter().find(|place| matches!(place.scope, Scope::Team(_)));
    match whole {
        Some(whole) if places.is_empty() || places.contains(&whole) => Some(vec![whole]),
        _ => Some(places),
    }
}

/// Writes an event down.
async fn record(
    tx: &mut Tx<'_>,
    permit: &Permit,
    action: &'static str,
    kind: &'static str,
    id: Uuid,
    name: &str,
    after: Option<serde_json::Value>,
) -> Result<(), Refused> {
    let event = audit::New { action, kind, subject: Some(id), name, before: None, after };
    Ok(audit::record(tx, permit, event).await?)
}
