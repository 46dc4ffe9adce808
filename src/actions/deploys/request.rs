//! Asking for a deploy, and taking that back.

use serde_json::json;
use uuid::Uuid;

use super::intent;
use super::views::RequestDeploy;
use crate::actions::fields::Fields;
use crate::actions::gate::{self, Open};
use crate::actions::{Ctx, Refused};
use crate::db::{self, Tx, audit, deploy_runs};
use crate::domain::app::Spec;
use crate::domain::deploy::{DeployState, Target};
use crate::domain::host::HostState;
use crate::domain::ids::{AppId, DeployId};
use crate::domain::names::CommitId;
use crate::domain::rights::{Actor, Permission, Permit};
use crate::domain::source::Source;
use crate::jobs::deploy::{self, Deploy};
use crate::queue::{self, Cancelled, New};

/// Asks for a deploy. One that waits already is superseded by it; one that runs is waited for.
pub async fn request(ctx: &Ctx, actor: &Actor, app: AppId, input: RequestDeploy) -> Result<DeployId, Refused> {
    let Open { mut tx, permit, .. } = gate::app(ctx, actor, app, Permission::Deploy).await?;
    db::apps::lock(&mut tx, &permit, app).await?;
    let row = db::apps::get(&mut tx, &permit, app).await?.ok_or(Refused::NotFound)?;
    let target = target(&mut tx, &permit, app, &row.source, &input).await?;
    if let Target::Release { number } = target {
        let release = db::releases::numbered(&mut tx, &permit, app, number).await?.ok_or(Refused::NotFound)?;
        claim_again(&mut tx, &permit, app, &release.body.spec).await?;
        volumes_are_there(&mut tx, &permit, app, number, &release.body.spec).await?;
    }
    for place in row.placement.iter() {
        let host = db::hosts::list(&mut tx, &permit, Some(place.host)).await?.into_iter().next();
        if let Some(host) = host.filter(|host| host.state == HostState::New) {
            return Err(Refused::Conflict(format!("The host {} is not ready yet: finish it first.", host.name)));
        }
    }

    let id = DeployId(Uuid::now_v7());
    let title = match &target {
        Target::Release { number } => format!("Roll {} back to v{number}", row.name),
        Target::Head | Target::Commit { .. } => format!("Deploy {}", row.name),
    };
    let cause = actor.who().cause();
    let mut new = New::new(&title, cause.clone());
    new.lock_key = Some(deploy::lock_key(app));
    let pushed = queue::push(&mut tx, &permit, &Deploy { app, deploy: id }, new).await?;
    deploy_runs::insert(&mut tx, &permit, id, app, pushed.job, &target, &cause).await?;
    // What a deploy that waited had claimed goes with it.
    db::routes::release_unserved(&mut tx, &permit, app).await?;
    let event = audit::New {
        action: "deploy.requested",
        kind: "deploy",
        subject: Some(id.0),
        name: &row.name,
        before: None,
        after: Some(json!({ "app": app, "target": target, "intent": intent(&target, &row.source) })),
    };
    audit::record(&mut tx, &permit, event).await?;
    tx.commit().await?;
    Ok(id)
}

/// Reads what the deploy shall do.
pub(super) async fn target(
    tx: &mut Tx<'_>,
    permit: &Permit,
    app: AppId,
    source: &Source,
    input: &RequestDeploy,
) -> Result<Target, Refused> {
    #[derive(Clone, Copy)]
    enum To {
        Head,
        Commit,
        Release,
    }
    let mut fields = Fields::default();
    let words = [("head", To::Head), ("commit", To::Commit), ("release", To::Release), ("", To::Head)];
    let target = match fields.choice("to", input.to.trim(), &words) {
        Some(To::Head) => Some(Target::Head),
        Some(To::Commit) => {
            let id = fields.text::<CommitId>("commit", input.commit.trim());
            if matches!(source, Source::Image(_)) {
                fields.wrong(
                    "to",
                    "This app runs an image: it has no commits. Deploy its image, or go back to a release.",
                );
            }
            id.map(|id| Target::Commit { id })
        }
        Some(To::Release) => {
            let raw = input.release.trim();
            let number = fields.number::<i32>("release", raw.strip_prefix('v').unwrap_or(raw), 1..=i32::MAX, "");
            let known = match number {
                Some(number) => deploy_runs::release_numbered(tx, permit, app, number).await?.is_some(),
                None => false,
            };
            if !known {
                fields.wrong("release", "The app keeps no release of this number.");
            }
            number.map(|number| Target::Release { number })
        }
        None => None,
    };
    match (target, fields.fine()) {
        (Some(target), true) => Ok(target),
        _ => Err(fields.refuse()),
    }
}

/// Claims the routes of a kept release that were given up since: they may belong to somebody else now.
async fn claim_again(tx: &mut Tx<'_>, permit: &Permit, app: AppId, spec: &Spec) -> Result<(), Refused> {
    match db::routes::hold(tx, permit, app, &spec.routes).await? {
        None => Ok(()),
        Some(route) => Err(Refused::Conflict(format!(
            "That release answers at {}{}, which leads to another app by now. Free it there, or deploy anew.",
            route.domain, route.path
        ))),
    }
}

/// Refuses a release that would find an empty volume in place of the one it knew.
async fn volumes_are_there(
    tx: &mut Tx<'_>,
    permit: &Permit,
    app: AppId,
    number: i32,
    spec: &Spec,
) -> Result<(), Refused> {
    match db::volumes::removed_mount(tx, permit, app, &spec.mounts).await? {
        None => Ok(()),
        Some(mount) => Err(Refused::Conflict(format!(
            "v{number} mounts a volume at {} that was removed with its data. Add a volume there, and deploy anew.",
            mount.path
        ))),
    }
}

/// Cancels a deploy: one that waits at once, one that runs by asking it. From the switch on it is refused.
pub async fn cancel(ctx: &Ctx, actor: &Actor, id: DeployId) -> Result<(), Refused> {
    let Open { mut tx, permit, .. } = gate::deploy(ctx, actor, id, Permission::Deploy).await?;
    let deploy = db::deploys::lock(&mut tx, &permit, id).await?.ok_or(Refused::NotFound)?;
    if deploy.state.is_final() {
        return Err(Refused::Conflict(format!("The deploy is over: it has {}.", over(deploy.state))));
    }
    if deploy.switched {
        return Err(Refused::Conflict("Traffic has moved to the new release already: roll back instead.".into()));
    }
    match queue::cancel(&mut tx, &permit, deploy.job, actor.name()).await? {
        Cancelled::AtOnce | Cancelled::Asked => {}
        Cancelled::TooLate(_) => return Err(Refused::Conflict("The deploy is over already.".into())),
        Cancelled::NotFound => return Err(Refused::NotFound),
    }
    db::routes::release_unserved(&mut tx, &permit, deploy.app).await?;
    let name = db::apps::get(&mut tx, &permit, deploy.app).await?.map(|app| app.name).unwrap_or_default();
    let event = audit::New {
        action: "deploy.cancelled",
        kind: "deploy",
        subject: Some(id.0),
        name: &name,
        before: None,
        after: None,
    };
    audit::record(&mut tx, &permit, event).await?;
    tx.commit().await?;
    Ok(())
}

/// How a deploy that is over ended, behind "it has".
fn over(state: DeployState) -> &'static str {
    match state {
        DeployState::Cancelled => "been cancelled",
        DeployState::Superseded => "been superseded",
        DeployState::TakenBack => "been taken back",
        DeployState::Queued | DeployState::Running | DeployState::Succeeded | DeployState::Failed => state.word(),
    }
}
