//! More or fewer instances at once: the places are kept, and the release that serves is deployed on them. No build, and
//! nothing else that waits for a deploy goes along.

use super::request::{Said, ask};
use crate::actions::apps::{self, PlaceApp, placement};
use crate::actions::{Ctx, Refused};
use crate::db;
use crate::domain::deploy::Target;
use crate::domain::ids::{AppId, DeployId};
use crate::domain::rights::{Actor, On, Permission};

/// Places the app anew and deploys what serves there, both or neither.
pub async fn scale(ctx: &Ctx, actor: &Actor, id: AppId, input: PlaceApp) -> Result<DeployId, Refused> {
    let mut edit = apps::begin_edit(ctx, actor, id, Permission::EditApps).await?;
    actor.may(Permission::Deploy, On::environment(actor.team(), edit.app.project, edit.app.environment))?;
    let placed = placement::read(&mut edit, actor, &input).await?;
    let current = match edit.app.current {
        Some(release) => db::releases::get(&mut edit.tx, &edit.permit, release).await?,
        None => None,
    };
    let Some(number) = current.map(|release| release.body.number) else {
        return Err(Refused::Conflict(
            "The app was never deployed: place it on its configuration page, and deploy.".into(),
        ));
    };
    edit.put_places(&placed.places).await?;
    edit.note_placed(&placed).await?;
    let (app, target) = (&edit.app, Target::Scale { number });
    let said = Said::of(app, &target, format!("Scale {}", app.name));
    let deploy = ask(&mut edit.tx, &edit.permit, actor, app, &target, said).await?;
    edit.tx.commit().await?;
    Ok(deploy)
}
