//! The gate before a team's things: finds a thing, asks for the right on it, and answers "not found" for what one may not
//! even see. Not here: what is done with the permit.

use super::{Ctx, Refused};
use crate::db::{self, Tx};
use crate::domain::ids::{AppId, DeployId, HostId};
use crate::domain::rights::{Actor, On, Permission, Permit};

/// A transaction with the permit it was begun for.
pub struct Open {
    /// The transaction.
    pub tx: Tx<'static>,
    /// The permit.
    pub permit: Permit,
    /// What the permit was asked on.
    pub on: On,
}

/// Opens the team for looking: whoever sees anything in it may look, and is shown only what `sees` allows.
pub async fn team(ctx: &Ctx, actor: &Actor) -> Result<Open, Refused> {
    let permit = actor.may_somewhere(Permission::View).map_err(|_| Refused::NotFound)?;
    let tx = ctx.db.begin(&permit).await?;
    Ok(Open { tx, permit, on: On::team(actor.team()) })
}

/// Opens the team for something that is asked on the team as a whole.
pub async fn team_for(ctx: &Ctx, actor: &Actor, permission: Permission) -> Result<Open, Refused> {
    actor.may_somewhere(Permission::View).map_err(|_| Refused::NotFound)?;
    let on = On::team(actor.team());
    let permit = actor.may(permission, on)?;
    let tx = ctx.db.begin(&permit).await?;
    Ok(Open { tx, permit, on })
}

/// True for owners of the team that the panel was set up with: the panel's own things are theirs.
pub async fn owns_panel(ctx: &Ctx, actor: &Actor) -> Result<bool, Refused> {
    if actor.may(Permission::OwnTeam, On::team(actor.team())).is_err() {
        return Ok(false);
    }
    let mut door = ctx.db.begin_door().await?;
    let first = db::teams::first(&mut door).await?;
    door.commit().await?;
    Ok(first.is_some_and(|team| team.id == actor.team()))
}

/// Opens that team for its owners; there is no such thing for anybody else who may own a team.
pub async fn panel(ctx: &Ctx, actor: &Actor) -> Result<Open, Refused> {
    let open = team_for(ctx, actor, Permission::OwnTeam).await?;
    match owns_panel(ctx, actor).await? {
        true => Ok(open),
        false => Err(Refused::NotFound),
    }
}

/// Opens an app for this.
pub async fn app(ctx: &Ctx, actor: &Actor, app: AppId, permission: Permission) -> Result<Open, Refused> {
    let Open { mut tx, permit, .. } = team(ctx, actor).await?;
    let above = db::apps::above(&mut tx, &permit, app).await?.ok_or(Refused::NotFound)?;
    let on = On::environment(actor.team(), above.project, above.environment);
    if !sees(actor, on) {
        return Err(Refused::NotFound);
    }
    Ok(Open { tx, permit: actor.may(permission, on)?, on })
}

/// Opens an app for this, also one that was removed: its history stays, and what is left of it can be taken away.
pub async fn known_app(ctx: &Ctx, actor: &Actor, app: AppId, permission: Permission) -> Result<Open, Refused> {
    let Open { mut tx, permit, .. } = team(ctx, actor).await?;
    let above = db::removed::above(&mut tx, &permit, app).await?.ok_or(Refused::NotFound)?;
    let on = On::environment(actor.team(), above.project, above.environment);
    if !sees(actor, on) {
        return Err(Refused::NotFound);
    }
    Ok(Open { tx, permit: actor.may(permission, on)?, on })
}

/// Opens the app of a deploy for this.
pub async fn deploy(ctx: &Ctx, actor: &Actor, deploy: DeployId, permission: Permission) -> Result<Open, Refused> {
    let Open { mut tx, permit, .. } = team(ctx, actor).await?;
    let above = db::deploys::above(&mut tx, &permit, deploy).await?.ok_or(Refused::NotFound)?;
    let on = On::environment(actor.team(), above.project, above.environment);
    if !sees(actor, on) {
        return Err(Refused::NotFound);
    }
    Ok(Open { tx, permit: actor.may(permission, on)?, on })
}

/// Opens a host for this.
pub async fn host(ctx: &Ctx, actor: &Actor, host: HostId, permission: Permission) -> Result<Open, Refused> {
    let Open { mut tx, permit, .. } = team(ctx, actor).await?;
    let on = On::host(actor.team(), host);
    if !sees(actor, on) || !db::hosts::exists(&mut tx, &permit, host).await? {
        return Err(Refused::NotFound);
    }
    Ok(Open { tx, permit: actor.may(permission, on)?, on })
}

/// True where the actor may see things that are there.
pub fn sees(actor: &Actor, on: On) -> bool {
    actor.may(Permission::View, on).is_ok()
}
