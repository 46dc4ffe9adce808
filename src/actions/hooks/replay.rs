//! Doing again what a delivery asked for: a person deploys the branch's head. Not here: a forge that sends it again.

use serde_json::json;

use crate::actions::gate::{self, Open};
use crate::actions::{Ctx, Refused, deploys};
use crate::db::{self, audit, deliveries};
use crate::domain::deploy::Target;
use crate::domain::ids::{AppId, DeliveryId, DeployId};
use crate::domain::rights::{Actor, Permission};

/// Deploys the head as it is now, in the person's name, whatever came of the delivery when it was received.
pub async fn replay(ctx: &Ctx, actor: &Actor, app: AppId, id: DeliveryId) -> Result<DeployId, Refused> {
    let Open { mut tx, permit, .. } = gate::app(ctx, actor, app, Permission::Deploy).await?;
    db::apps::lock(&mut tx, &permit, app).await?;
    let row = db::apps::get(&mut tx, &permit, app).await?.ok_or(Refused::NotFound)?;
    let found = deliveries::list(&mut tx, &permit, app, Some(id), 1).await?;
    let delivery = found.into_iter().next().ok_or(Refused::NotFound)?;
    let what = match delivery.commit.get(..7) {
        Some(commit) => format!("the delivery of {commit}"),
        None => "a delivery".to_owned(),
    };
    let title = format!("Deploy {}, replaying {what}", row.name);
    let said = deploys::Said::of(&row, &Target::Head, title);
    let deploy = deploys::ask(&mut tx, &permit, actor, &row, &Target::Head, said).await?;
    deliveries::replayed(&mut tx, &permit, id, actor.name(), deploy).await?;
    let event = audit::New {
        action: "delivery.replayed",
        kind: "app",
        subject: Some(app.0),
        name: &row.name,
        before: None,
        after: Some(json!({ "delivery": what, "id": id, "deploy": deploy })),
    };
    audit::record(&mut tx, &permit, event).await?;
    tx.commit().await?;
    Ok(deploy)
}
