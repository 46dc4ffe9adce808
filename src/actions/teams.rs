//! Teams: made by whoever owns one already, renamed by their owners. Not here: who is in them.

use serde_json::json;
use uuid::Uuid;

use super::fields::Fields;
use super::gate::{self, Open};
use super::{Ctx, Refused};
use crate::db::{self, audit, members, teams};
use crate::domain::ids::{AccountId, MemberId, TeamId};
use crate::domain::names::{DisplayName, Slug};
use crate::domain::rights::{Actor, Grant, On, Permission, Role, Scope};

/// Teams of one account: each has a data key and hosts of its own.
const MOST_TEAMS: usize = 50;

/// True where the account may make a team: whoever owns one. So those who were invited to look or to deploy do not make
/// rooms of their own on somebody's panel, and no setting is needed for it.
pub async fn may_create(ctx: &Ctx, account: AccountId) -> Result<bool, Refused> {
    Ok(teams::owns_any(&mut *ctx.db.door().await?, account).await?)
}

/// Makes a team, whose owner the account is. Returns its slug.
pub async fn create(ctx: &Ctx, account: AccountId, who: &str, address: &str, name: &str) -> Result<String, Refused> {
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
    teams::insert(&mut tx, id, &slug, &name, &ctx.vault.new_team_key(id)).await?;
    let member = MemberId(Uuid::now_v7());
    members::insert(&mut tx, &permit, member, account).await?;
    members::grant(&mut tx, &permit, member, grant).await?;
    let event = audit::New {
        action: "team.created",
        kind: "team",
        subject: Some(id.0),
        name: name.as_ref(),
        before: None,
        after: None,
    };
    audit::record(&mut tx, &permit, event).await?;
    tx.commit().await?;
    Ok(slug.into())
}

/// Gives the team another name. Its addresses stay, so that no bookmark and no hook breaks.
pub async fn rename(ctx: &Ctx, actor: &Actor, name: &str) -> Result<(), Refused> {
    let Open { mut tx, permit, .. } = gate::team_for(ctx, actor, Permission::OwnTeam).await?;
    let mut fields = Fields::default();
    let Some(name) = fields.text::<DisplayName>("name", name) else { return Err(fields.refuse()) };
    let before = db::teams::name(&mut tx, actor.team()).await?.ok_or(Refused::NotFound)?;
    if before == name.as_ref() {
        return Ok(());
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
    Ok(())
}
