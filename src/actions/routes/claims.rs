//! Who may add a path to a domain: whoever may change all that leads there already. A path takes the requests of the domain's visitors, with
//! their cookies, so that it is no business of somebody who has an app of another environment alone.

use crate::actions::{Ctx, Refused};
use crate::db::{self, Tx};
use crate::domain::ids::AppId;
use crate::domain::names::Domain;
use crate::domain::rights::{Actor, On, Permission, Permit};

/// Why this domain is not for an app, in words that do not say whose it is. It is held until commit.
pub(in crate::actions) async fn barred(
    ctx: &Ctx,
    tx: &mut Tx<'_>,
    permit: &Permit,
    actor: &Actor,
    app: AppId,
    domain: &Domain,
) -> Result<Option<String>, Refused> {
    db::routes::hold_name(tx, domain.as_ref()).await?;
    let neighbours = db::routes::neighbours(tx, permit, domain, app).await?;
    let mine = |(project, environment): &(_, _)| {
        actor.may(Permission::EditApps, On::environment(permit.team(), *project, *environment)).is_ok()
    };
    if !neighbours.iter().all(mine) {
        return Ok(Some(format!(
            "{domain} leads to apps that you may not change. Ask somebody who may to add this path, or use another domain."
        )));
    }
    if db::routes::is_elsewhere(&mut *ctx.db.door().await?, permit.team(), domain).await? {
        return Ok(Some(format!("{domain} leads to another app already. Use another domain.")));
    }
    Ok(None)
}

/// Whether nothing of another app leads to this domain, whosever that is: for a domain that is made up. It is held until commit.
pub(super) async fn is_unused(
    ctx: &Ctx,
    tx: &mut Tx<'_>,
    permit: &Permit,
    app: AppId,
    domain: &Domain,
) -> Result<bool, Refused> {
    db::routes::hold_name(tx, domain.as_ref()).await?;
    Ok(db::routes::neighbours(tx, permit, domain, app).await?.is_empty()
        && !db::routes::is_elsewhere(&mut *ctx.db.door().await?, permit.team(), domain).await?)
}
