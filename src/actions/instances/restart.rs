//! Restarting one instance: where it is while others serve, else by a deploy that starts a new one first.

use serde_json::json;

use super::views::Restarted;
use crate::actions::gate::{self, Open};
use crate::actions::{Ctx, Refused, deploys};
use crate::db::{self, audit};
use crate::domain::ids::{AppId, InstanceId};
use crate::domain::rights::{Actor, Permission};
use crate::jobs::deploy;
use crate::jobs::restart_instance::RestartInstance;
use crate::queue::{self, New};

/// Instances of an app that are looked through: 64 serving, as many arriving, and some kept.
const MOST: i64 = 200;

/// Restarts an instance.
pub async fn restart(ctx: &Ctx, actor: &Actor, app: AppId, id: InstanceId) -> Result<Restarted, Refused> {
    let Open { mut tx, permit, .. } = gate::app(ctx, actor, app, Permission::Deploy).await?;
    if !db::apps::lock(&mut tx, &permit, app).await? {
        return Err(Refused::NotFound);
    }
    let rows = db::instances::list(&mut tx, &permit, Some(app), None, MOST).await?;
    let row = rows.iter().find(|row| row.id == id).ok_or(Refused::NotFound)?;
    if row.stopped {
        return Err(Refused::Conflict("The app is stopped: start it.".into()));
    }
    if row.kept || !row.wanted {
        return Err(Refused::Conflict("This instance does not serve: there is nothing to restart.".into()));
    }
    if rows.iter().filter(|other| other.host == row.host && other.wanted).count() < 2 {
        tx.rollback().await?;
        let again = deploys::RequestDeploy { to: "again".into(), ..Default::default() };
        return deploys::request(ctx, actor, app, again).await.map(Restarted::Whole);
    }
    if db::deploys::under_way(&mut tx, &permit, app).await? {
        return Err(Refused::Conflict("The app is being deployed: that brings new instances anyway.".into()));
    }
    let title = format!("Restart {}-{} on {}", row.app_name, row.position, row.host_name);
    let mut new = New::new(&title, actor.who().cause());
    new.lock_key = Some(deploy::lock_key(app));
    let job = queue::push(&mut tx, &permit, &RestartInstance { app, instance: id }, new).await?.job;
    let event = audit::New {
        action: "instance.restarted",
        kind: "app",
        subject: Some(app.0),
        name: &row.app_name,
        before: None,
        after: Some(json!({ "instance": row.position, "host": row.host_name, "release": row.number })),
    };
    audit::record(&mut tx, &permit, event).await?;
    tx.commit().await?;
    Ok(Restarted::InPlace(job))
}
