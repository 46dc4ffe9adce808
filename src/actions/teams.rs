//! Teams: made by whoever owns one already, renamed by their owners. Not here: who is in them.

use serde_json::json;
use uuid::Uuid;

use super::accounts::TeamLine;
use super::fields::Fields;
use super::gate::{self, Open};
use super::{Ctx, Refused, accounts};
use crate::db::{self, Tx, audit, members, teams};
use crate::domain::ids::{AccountId, MemberId, TeamId};
use crate::domain::names::{DisplayName, Slug};
use crate::domain::rights::{Actor, Grant, On, Permission, Permit, Role, Scope};

/// Teams of one account: each has a data key and hosts of its own.
const MOST_TEAMS: usize = 50;

/// True where the account may make a team: whoever owns one. So those who were invited to look or to deploy do not make
/// rooms of their own on somebody's panel, and no setting is needed for it.
pub async fn may_create(ctx: &Ctx, account: AccountId) -> Result<bool, Refused> {
    Ok(teams::owns_any(&mut *ctx.db.door().await?, account).await?)
}

/// The teams of whoever acts, by name. A token that was made for less than all its account may shows its own alone.
pub async fn list(ctx: &Ctx, actor: &Actor) -> Result<Vec<TeamLine>, Refused> {
    actor.may_somewhere(Permission::View).map_err(|_| Refused::NotFound)?;
    let account = actor.who().account().ok_or(Refused::NotFound)?;
    let teams = accounts::teams_of(ctx, account).await?;
    Ok(teams.into_iter().filter(|team| actor.is_whole() || team.id == actor.team()).collect())
}

/// Makes a team for whoever owns this one: a token does it too, where it may all of this one.
pub async fn create_beside(ctx: &Ctx, actor: &Actor, name: &str) -> Result<TeamLine, Refused> {
    actor.may_somewhere(Permission::View).map_err(|_| Refused::NotFound)?;
    actor.may(Permission::OwnTeam, On::team(actor.team()))?;
    let account = actor.who().account().ok_or(Refused::NotFound)?;
    create(ctx, account, actor.name(), actor.who().address(), name).await
}

/// Makes a team, whose owner the account is.
pub async fn create(ctx: &Ctx, account: AccountId, who: &str, address: &str, name: &str) -> Result<TeamLine, Refused> {
    if !may_create(ctx, account).await? {
        return Err(Refused::Conflict("Whoever owns a team can make another one. Ask an owner of yours.".to_owned()));
    }
    let mut fields = Fields::default();
    let Some(name) = fields.text::<DisplayName>("name", name) else { return Err(fields.refuse()) };
    let mut door = ctx.db.begin_door().await?;
    let mine = teams::of_account(&mut door, account).await?;
    let plain = Slug::of(name.as_ref(), "team", &[]);
    let taken = teams::slugs_like(&mut door, plain.as_ref()).await?;
    door.commit().await?;
    if mine.iter().any(|team| team.name == name.as_ref()) {
        return Err(Refused::field("name", "You are in a team of this name already."));
    }
    if mine.len() >= MOST_TEAMS {
        return Err(Refused::Conflict(format!("You are in {MOST_TEAMS} teams: leave one first.")));
    }
    let (id, slug) = (TeamId(Uuid::now_v7()), Slug::of(name.as_ref(), "team", &taken));
    let grant = Grant { scope: Scope::Team(id), role: Role::Owner };
    let actor = Actor::new(account, who.to_owned(), address.to_owned(), id, vec![grant]);
    let permit = actor.may(Permission::OwnTeam, On::team(id))?;
    let mut tx = ctx.db.begin(&permit).await?;
    insert(ctx, &mut tx, &permit, &slug, &name).await?;
    let member = MemberId(Uuid::now_v7());
    members::insert(&mut tx, &permit, member, account).await?;
    members::grant(&mut tx, &permit, member, grant).await?;
    tx.commit().await?;
    Ok(TeamLine { id, slug: slug.into(), name: name.into() })
}

/// Writes the team of this permit down, with a data key of its own.
pub(super) async fn insert(
    ctx: &Ctx,
    tx: &mut Tx<'_>,
    permit: &Permit,
    slug: &Slug,
    name: &DisplayName,
) -> Result<(), Refused> {
    let id = permit.team();
    teams::insert(tx, id, slug, name, &ctx.vault.new_team_key(id)).await?;
    let (action, kind, subject) = ("team.created", "team", Some(id.0));
    let event = audit::New { action, kind, subject, name: name.as_ref(), before: None, after: None };
    Ok(audit::record(tx, permit, event).await?)
}

/// Gives the team another name. Its addresses stay, so that no bookmark and no hook breaks. Returns the name.
pub async fn rename(ctx: &Ctx, actor: &Actor, name: &str) -> Result<String, Refused> {
    let Open { mut tx, permit, .. } = gate::team_for(ctx, actor, Permission::OwnTeam).await?;
    let mut fields = Fields::default();
    let Some(name) = fields.text::<DisplayName>("name", name) else { return Err(fields.refuse()) };
    let before = db::teams::name(&mut tx, actor.team()).await?.ok_or(Refused::NotFound)?;
    if before == name.as_ref() {
        return Ok(before);
    }
    teams::set_name(&mut tx, actor.team(), &name).await?;
    let event = audit::New {
        action: "team.renamed",
        kind: "team",
        subject: Some(actor.team().0),
        name: name.as_ref(),
        before: Some(json!({ "name": before })),
        after: Some(json!({ "name": name })),
    };
    audit::record(&mut tx, &permit, event).await?;
    tx.commit().await?;
    Ok(name.into())
}
