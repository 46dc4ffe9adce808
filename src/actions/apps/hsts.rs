//! Whether browsers are told to come to an app by HTTPS only. It is of the app, not of a release: a rollback does not change it. Not
//! here: certificates, and leading plain HTTP on, which needs no word.

use serde_json::json;

use crate::actions::fields::Fields;
use crate::actions::gate::{self, Open};
use crate::actions::{Ctx, Refused};
use crate::db::{self, audit};
use crate::domain::ids::AppId;
use crate::domain::rights::{Actor, Permission};
use crate::jobs::set_certificates;

/// The form that says it.
#[derive(Clone, Debug, Default)]
pub struct SetHsts {
    /// `yes` or `no`.
    pub hsts: String,
}

/// Says whether browsers are told so, from now on. The proxies of its hosts say it while they run.
pub async fn set_hsts(ctx: &Ctx, actor: &Actor, app: AppId, input: SetHsts) -> Result<(), Refused> {
    let Open { mut tx, permit, .. } = gate::app(ctx, actor, app, Permission::EditApps).await?;
    let mut fields = Fields::default();
    let wanted = fields.choice("hsts", input.hsts.trim(), &[("yes", true), ("no", false)]);
    let (Some(wanted), true) = (wanted, fields.fine()) else { return Err(fields.refuse()) };
    db::apps::lock(&mut tx, &permit, app).await?;
    let row = db::apps::get(&mut tx, &permit, app).await?.ok_or(Refused::NotFound)?;
    if row.hsts == wanted {
        return Ok(());
    }
    db::apps::set_hsts(&mut tx, &permit, app, wanted).await?;
    let event = audit::New {
        action: "app.hsts_changed",
        kind: "app",
        subject: Some(app.0),
        name: &row.name,
        before: Some(json!({ "https only": row.hsts })),
        after: Some(json!({ "https only": wanted })),
    };
    audit::record(&mut tx, &permit, event).await?;
    let hosts: Vec<_> = row.placement.0.iter().map(|place| place.host).collect();
    for (host, name) in db::certificates::hosts(&mut tx, &permit).await? {
        if hosts.contains(&host) {
            set_certificates::ask(&mut tx, &permit, host, &name, actor.who().cause()).await?;
        }
    }
    tx.commit().await?;
    Ok(())
}
