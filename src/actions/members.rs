//! Members of a team: who they are, what they may where; changed, removed, leaving. Not here: how they come (invitations).

use serde_json::{Value, json};
use time::OffsetDateTime;

use super::fields::Fields;
use super::gate::{self, Open};
use super::invitations::InvitationLine;
use super::scopes::{self, ScopeLine};
use super::{Ctx, Refused, invitations};
use crate::db::members::Row;
use crate::db::{self, Tx, audit};
use crate::domain::ids::{AccountId, MemberId};
use crate::domain::members::{self, No};
use crate::domain::rights::{Actor, Forbidden, Grant, Permission, Permit, Role, Scope};

/// One member.
#[derive(Clone, Debug)]
pub struct MemberLine {
    /// The membership.
    pub id: MemberId,
    /// The account.
    pub account: AccountId,
    /// The name.
    pub name: String,
    /// What they sign in with.
    pub email: String,
    /// Since when they are in the team.
    pub created_at: OffsetDateTime,
    /// What they may, the widest first.
    pub grants: Vec<GrantLine>,
    /// True for whoever asks.
    pub me: bool,
}

/// A role and where it holds.
#[derive(Clone, Debug)]
pub struct GrantLine {
    /// The role.
    pub role: Role,
    /// Where.
    pub place: ScopeLine,
}

/// The team's page.
#[derive(Clone, Debug)]
pub struct Members {
    /// The members one may see: all of them, or oneself.
    pub members: Vec<MemberLine>,
    /// Invitations whose links still work; for whoever may invite.
    pub invitations: Vec<InvitationLine>,
    /// True where the actor may invite, change and remove.
    pub may_manage: bool,
    /// True where the actor may rename the team.
    pub may_rename: bool,
    /// True where the actor sees the whole team.
    pub sees_all: bool,
}

/// One member's page.
#[derive(Clone, Debug)]
pub struct MemberView {
    /// The member.
    pub line: MemberLine,
    /// Where a role can be given; empty where the actor may not.
    pub scopes: Vec<ScopeLine>,
    /// The roles the actor may give.
    pub roles: Vec<Role>,
}

/// The form that says what a member may somewhere.
#[derive(Clone, Debug, Default)]
pub struct SetGrant {
    /// Where: the `value` of a scope.
    pub scope: String,
    /// The role there; empty to take it back.
    pub role: String,
}

/// All roles, the least first.
pub const ROLES: [Role; 4] = [Role::Viewer, Role::Developer, Role::Admin, Role::Owner];

/// The team's members: all of them for whoever sees the whole team, and oneself for everybody else.
pub async fn list(ctx: &Ctx, actor: &Actor) -> Result<Members, Refused> {
    let Open { mut tx, permit, on } = gate::team(ctx, actor).await?;
    let sees_all = gate::sees(actor, on);
    let may_manage = actor.may(Permission::ManageMembers, on).is_ok();
    let places = scopes::all(&mut tx, &permit, actor).await?;
    let members = lines(&mut tx, &permit, actor, &places, None).await?;
    let invitations = match may_manage {
        true => invitations::open(&mut tx, &permit).await?,
        false => Vec::new(),
    };
    tx.commit().await?;
    Ok(Members {
        members: members.into_iter().filter(|line| sees_all || line.me && actor.is_whole()).collect(),
        invitations,
        may_manage,
        may_rename: actor.may(Permission::OwnTeam, on).is_ok(),
        sees_all,
    })
}

/// One member.
pub async fn get(ctx: &Ctx, actor: &Actor, id: MemberId) -> Result<MemberView, Refused> {
    let Open { mut tx, permit, on } = gate::team(ctx, actor).await?;
    let places = scopes::all(&mut tx, &permit, actor).await?;
    let line = lines(&mut tx, &permit, actor, &places, Some(id)).await?.into_iter().next().ok_or(Refused::NotFound)?;
    tx.commit().await?;
    // A token for a part does not tell what else its account may.
    if !(gate::sees(actor, on) || line.me && actor.is_whole()) {
        return Err(Refused::NotFound);
    }
    let role = actor.may(Permission::ManageMembers, on).ok().and_then(|_| actor.role(on));
    let highest = line.grants.iter().map(|grant| grant.role).max();
    // Who is above the actor is not theirs to change.
    let role = role.filter(|role| highest <= Some(*role));
    Ok(MemberView {
        line,
        scopes: if role.is_some() { places } else { Vec::new() },
        roles: ROLES.into_iter().filter(|given| Some(*given) <= role).collect(),
    })
}

/// Gives a member a role somewhere in place of the one they had there, or takes it back. It holds from the next request on.
pub async fn set_grant(ctx: &Ctx, actor: &Actor, id: MemberId, input: SetGrant) -> Result<(), Refused> {
    let Turn { mut tx, permit, role: by } = turn(ctx, actor).await?;
    let places = scopes::all(&mut tx, &permit, actor).await?;
    let line = lines(&mut tx, &permit, actor, &places, Some(id)).await?.into_iter().next().ok_or(Refused::NotFound)?;
    let mut fields = Fields::default();
    let place = places.iter().find(|place| place.value == input.scope.trim());
    if place.is_none() {
        fields.wrong("scope", "Choose the whole team, or a project, an environment or a host of it.");
    }
    let role = role_or_none(&mut fields, &input.role);
    let (Some(place), Some(role), true) = (place, role, fields.fine()) else { return Err(fields.refuse()) };

    let before = grants(&line);
    let had = before.iter().find(|grant| grant.scope == place.scope).map(|grant| grant.role);
    let mut after: Vec<Grant> = before.iter().copied().filter(|grant| grant.scope != place.scope).collect();
    after.extend(role.map(|role| Grant { scope: place.scope, role }));
    if after.is_empty() {
        let sentence = format!("This is all that {} may. Remove the member, or give another role first.", line.name);
        return Err(Refused::field("role", sentence));
    }
    may_change(&mut tx, &permit, by, &before, &after).await?;
    match role {
        Some(role) => db::members::grant(&mut tx, &permit, id, Grant { scope: place.scope, role }).await?,
        None => drop(db::members::ungrant(&mut tx, &permit, id, place.scope).await?),
    }
    let mut now = json!({ "place": place.words, "role": role });
    if in_team(&after) < in_team(&before) {
        note_revoked(&mut now, db::invitations::revoke_of(&mut tx, &permit, line.account).await?);
    }
    if had != role {
        let was = json!({ "place": place.words, "role": had });
        let action = if role.is_some() { "member.granted" } else { "member.ungranted" };
        record(&mut tx, &permit, action, &line, Some(was), Some(now)).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Removes a member: from the next request on they are in this team no more. What they asked for goes on, under their name.
/// Their e-mail address is typed, so that it is the one who was meant.
pub async fn remove(ctx: &Ctx, actor: &Actor, id: MemberId, email: &str) -> Result<(), Refused> {
    let Turn { mut tx, permit, role: by } = turn(ctx, actor).await?;
    let places = scopes::all(&mut tx, &permit, actor).await?;
    let line = lines(&mut tx, &permit, actor, &places, Some(id)).await?.into_iter().next().ok_or(Refused::NotFound)?;
    may_change(&mut tx, &permit, by, &grants(&line), &[]).await?;
    if !email.trim().eq_ignore_ascii_case(&line.email) {
        return Err(Refused::field("email", "Type the member's e-mail address exactly."));
    }
    end(&mut tx, &permit, "member.removed", &line).await?;
    tx.commit().await?;
    Ok(())
}

/// Leaves the team. Its name is typed, as the way back is an invitation. The last owner stays. A token that was made for
/// less than all its account may does not take everything from it.
pub async fn leave(ctx: &Ctx, actor: &Actor, team: &str) -> Result<(), Refused> {
    let Open { mut tx, permit, .. } = gate::team(ctx, actor).await?;
    if !actor.is_whole() {
        return Err(Refused::Conflict(
            "This token may less than its account: sign in, and leave the team there.".into(),
        ));
    }
    db::members::lock(&mut tx, &permit).await?;
    let places = scopes::all(&mut tx, &permit, actor).await?;
    let all = lines(&mut tx, &permit, actor, &places, None).await?;
    let line = all.iter().find(|line| line.me).ok_or(Refused::NotFound)?;
    let owners = all.iter().filter(|line| members::owns(&grants(line))).count();
    members::leave(&grants(line), owners).map_err(|no| refuse(no, None))?;
    let name = db::teams::name(&mut tx, actor.team()).await?.ok_or(Refused::NotFound)?;
    if team.trim() != name {
        return Err(Refused::field("team", "Type the team's name exactly."));
    }
    end(&mut tx, &permit, "member.left", line).await?;
    tx.commit().await?;
    Ok(())
}

/// A change of members whose turn it is.
pub(super) struct Turn {
    /// The transaction; other changes of the team's members wait for its end.
    pub tx: Tx<'static>,
    /// The permit.
    pub permit: Permit,
    /// What the actor is in the team now.
    pub role: Role,
}

/// Waits for one's turn and asks then, by what the database says then, what the actor may: two owners who demote each
/// other at once are one after the other, and the second is none any more.
pub(super) async fn turn(ctx: &Ctx, actor: &Actor) -> Result<Turn, Refused> {
    let Open { mut tx, permit, on } = gate::team_for(ctx, actor, Permission::ManageMembers).await?;
    db::members::lock(&mut tx, &permit).await?;
    let actor = match actor.who().account() {
        Some(account) => actor.again(db::members::grants_of(&mut tx, &permit, account).await?),
        None => actor.clone(),
    };
    if actor.grants().is_empty() {
        return Err(Refused::NotFound);
    }
    let permit = actor.may(Permission::ManageMembers, on)?;
    let role = actor.role(on).ok_or(Refused::NotFound)?;
    Ok(Turn { tx, permit, role })
}

/// Reads a role, or that there is to be none.
fn role_or_none(fields: &mut Fields, raw: &str) -> Option<Option<Role>> {
    if raw.trim().is_empty() { Some(None) } else { role(fields, raw).map(Some) }
}

/// Reads a role.
pub(super) fn role(fields: &mut Fields, raw: &str) -> Option<Role> {
    fields.choice("role", raw.trim(), &ROLES.map(|role| (role.word(), role)))
}

/// Refuses what goes beyond the actor's own role, or leaves the team without an owner.
async fn may_change(
    tx: &mut Tx<'_>,
    permit: &Permit,
    by: Role,
    before: &[Grant],
    after: &[Grant],
) -> Result<(), Refused> {
    let all = db::members::grants(tx, permit, None).await?;
    let owners = all.iter().filter(|(_, grant)| members::owns(std::slice::from_ref(grant))).count();
    members::check(by, before, after, owners).map_err(|no| refuse(no, members::highest(before).filter(|had| *had > by)))
}

/// A refusal in words. `above` is what the member is, where that is more than the actor.
pub(super) fn refuse(no: No, above: Option<Role>) -> Refused {
    match (no, above) {
        (No::Above { .. }, Some(needs)) => Refused::Forbidden(Forbidden { needs }),
        (No::Above { needs }, None) => {
            Refused::field("role", format!("This needs somebody who is {} of the team.", needs.word()))
        }
        (No::LastOwner, _) => {
            Refused::Conflict("The team would have no owner. Make somebody else an owner first.".to_owned())
        }
        (No::OwnerOfPart, _) => Refused::field("role", "Only the whole team has owners. Here, choose admin or less."),
    }
}

/// Ends a membership: its grants and tokens go with it, and its open invitations.
async fn end(tx: &mut Tx<'_>, permit: &Permit, action: &'static str, line: &MemberLine) -> Result<(), Refused> {
    let mut was = json!({ "roles": roles(line) });
    note_revoked(&mut was, db::invitations::revoke_of(tx, permit, line.account).await?);
    if !db::members::remove(tx, permit, line.id).await? {
        return Err(Refused::NotFound);
    }
    record(tx, permit, action, line, Some(was), None).await
}

/// Notes how many invitations went with it.
fn note_revoked(detail: &mut Value, count: u64) {
    if let (Some(map), 1..) = (detail.as_object_mut(), count) {
        map.insert("invitations taken back".to_owned(), count.into());
    }
}

/// "admin of the whole team, viewer of Shop / dev".
fn roles(line: &MemberLine) -> String {
    let words = line.grants.iter().map(|grant| [grant.role.word(), " of ", &grant.place.words].concat());
    words.collect::<Vec<_>>().join(", ")
}

/// A member's grants without their words.
fn grants(line: &MemberLine) -> Vec<Grant> {
    line.grants.iter().map(|grant| Grant { scope: grant.place.scope, role: grant.role }).collect()
}

/// The role in the whole team.
fn in_team(grants: &[Grant]) -> Option<Role> {
    grants.iter().filter(|grant| matches!(grant.scope, Scope::Team(_))).map(|grant| grant.role).max()
}

/// Writes an event about a member down.
async fn record(
    tx: &mut Tx<'_>,
    permit: &Permit,
    action: &'static str,
    line: &MemberLine,
    before: Option<Value>,
    after: Option<Value>,
) -> Result<(), Refused> {
    let event = audit::New { action, kind: "member", subject: Some(line.id.0), name: &line.name, before, after };
    Ok(audit::record(tx, permit, event).await?)
}

/// The members with what they may, in the caller's transaction.
async fn lines(
    tx: &mut Tx<'_>,
    permit: &Permit,
    actor: &Actor,
    places: &[ScopeLine],
    only: Option<MemberId>,
) -> Result<Vec<MemberLine>, Refused> {
    let rows = db::members::list(tx, permit, only).await?;
    let grants = db::members::grants(tx, permit, only).await?;
    let place = |scope| ScopeLine { scope, value: scopes::value(scope), words: scopes::words(places, scope) };
    let line = |row: Row| MemberLine {
        me: actor.who().account() == Some(row.account),
        grants: grants
            .iter()
            .filter(|(member, _)| *member == row.id)
            .map(|(_, grant)| GrantLine { role: grant.role, place: place(grant.scope) })
            .collect(),
        id: row.id,
        account: row.account,
        name: row.name,
        email: row.email,
        created_at: row.created_at,
    };
    Ok(rows.into_iter().map(line).collect())
}
