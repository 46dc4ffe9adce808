//! Stopping an app. It is started again by a deploy: of the release it ran ("again"), or of something new.

use crate::actions::gate::{self, Open};
use crate::actions::{Ctx, Refused};
use crate::db::{self, audit};
use crate::domain::ids::{AppId, JobId};
use crate::domain::rights::{Actor, Permission};
use crate::jobs::deploy;
use crate::jobs::stop_app::StopApp;
use crate::queue::{self, New};

/// Asks for the app to be stopped. A deploy that waits is superseded by it; one that runs is waited for.
pub async fn stop(ctx: &Ctx, actor: &Actor, app: AppId) -> Result<JobId, Refused> {
    let Open { mut tx, permit, .. } = gate::app(ctx, actor, app, Permission::Deploy).await?;
    db::apps::lock(&mut tx, &permit, app).await?;
    let row = db::apps::get(&mut tx, &permit, app).await?.ok_or(Refused::NotFound)?;
    let under_way = db::deploys::under_way(&mut tx, &permit, app).await?;
    if row.current.is_none() && !under_way {
        return Err(Refused::Conflict("The app was never deployed: nothing of it runs.".into()));
    }
    // Stopped once more is fine: a host may not have answered before.
    let title = format!("Stop {}", row.name);
    let mut new = New::new(&title, actor.who().cause());
    new.lock_key = Some(deploy::lock_key(app));
    let args = StopApp { app, by: actor.name().to_owned() };
    let job = queue::push(&mut tx, &permit, &args, new).await?.job;
    // What a deploy that waited had claimed goes with it.
    db::routes::release_unserved(&mut tx, &permit, app).await?;
    let event = audit::New {
        action: "app.stopped",
        kind: "app",
        subject: Some(app.0),
        name: &row.name,
        before: None,
        after: None,
    };
    audit::record(&mut tx, &permit, event).await?;
    tx.commit().await?;
    Ok(job)
}
