//! An app by its name, for those who do not click: `web`, `prod.web`, `shop.prod.web`. Not here: ids.

use crate::actions::gate::{self, Open};
use crate::actions::{Ctx, Refused};
use crate::db;
use crate::domain::ids::AppId;
use crate::domain::names::Slug;
use crate::domain::rights::{Actor, On};

/// How many apps of one name are named where it fits several.
const TOLD: usize = 5;

/// The one app of this name: the short names of project, environment and app, from the end as far as needed.
pub async fn named(ctx: &Ctx, actor: &Actor, name: &str) -> Result<AppId, Refused> {
    let parts: Result<Vec<Slug>, _> = name.split(['.', '/']).rev().map(str::parse).collect();
    let parts = parts.map_err(|_| Refused::NotFound)?;
    let (app, environment, project) = match parts.as_slice() {
        [app] => (app, None, None),
        [app, environment] => (app, Some(environment), None),
        [app, environment, project] => (app, Some(environment), Some(project)),
        _ => return Err(Refused::NotFound),
    };
    let Open { mut tx, permit, .. } = gate::team(ctx, actor).await?;
    let (environment, project) = (environment.map(AsRef::as_ref), project.map(AsRef::as_ref));
    let mut found = db::app_lines::named(&mut tx, &permit, app.as_ref(), environment, project).await?;
    tx.commit().await?;
    found.retain(|row| gate::sees(actor, On::environment(actor.team(), row.project, row.environment)));
    match found.as_slice() {
        [] => Err(Refused::NotFound),
        [only] => Ok(only.id),
        several => {
            let told = several.iter().take(TOLD);
            let told: Vec<String> =
                told.map(|row| format!("{}.{}.{app}", row.project_slug, row.environment_slug)).collect();
            let more = if several.len() > TOLD { " and more" } else { "" };
            Err(Refused::Conflict(format!("Several apps have this name: {}{more}. Say which.", told.join(", "))))
        }
    }
}
