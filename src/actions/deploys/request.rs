//! Asking for a deploy, and taking that back.

use serde_json::json;
use uuid::Uuid;

use super::views::RequestDeploy;
use super::{intent, once};
use crate::actions::fields::Fields;
use crate::actions::gate::{self, Open};
use crate::actions::{Ctx, Refused};
use crate::db::apps::Row;
use crate::db::{self, Tx, audit, deploy_runs};
use crate::domain::app::Spec;
use crate::domain::deploy::{DeployState, Target};
use crate::domain::ids::{AppId, DeployId};
use crate::domain::names::{BranchName, CommitId, ImageRef};
use crate::domain::rights::{Actor, Permission, Permit};
use crate::domain::source::{Image, Source};
use crate::jobs::deploy::{self, Deploy};
use crate::queue::{self, Cancelled, New};

/// A deploy that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The deploy.
    pub deploy: DeployId,
    /// True where it had been asked for already, under the same name.
    pub again: bool,
}

/// Asks for a deploy. One that waits already is superseded by it; one that runs is waited for.
pub async fn request(ctx: &Ctx, actor: &Actor, app: AppId, input: RequestDeploy) -> Result<DeployId, Refused> {
    Ok(request_once(ctx, actor, app, input).await?.deploy)
}

/// The same, where a request that was named is not done twice.
pub async fn request_once(ctx: &Ctx, actor: &Actor, app: AppId, input: RequestDeploy) -> Result<Asked, Refused> {
    let Open { mut tx, permit, on } = gate::app(ctx, actor, app, Permission::Deploy).await?;
    db::apps::lock(&mut tx, &permit, app).await?;
    if let Some(deploy) = once::known(&mut tx, &permit, app, &input).await? {
        return Ok(Asked { deploy, again: true });
    }
    let mut row = db::apps::get(&mut tx, &permit, app).await?.ok_or(Refused::NotFound)?;
    let source = with_image(&row.source, &input)?;
    if source != row.source.0 {
        actor.may(Permission::EditApps, on)?;
        db::sources::update(&mut tx, &permit, row.source_id, &source).await?;
        db::apps::touch(&mut tx, &permit, app).await?;
        record_source(&mut tx, &permit, &row, &source).await?;
    }
    row.source.0 = source;
    let target = target(&mut tx, &permit, &row, &input).await?;
    let title = match &target {
        Target::Release { .. } if is_again(&input) && row.stopped_at.is_some() => format!("Start {}", row.name),
        Target::Release { .. } if is_again(&input) => format!("Restart {}", row.name),
        Target::Release { number } => format!("Roll {} back to v{number}", row.name),
        Target::Scale { .. } => format!("Scale {}", row.name),
        Target::Head | Target::Ref { .. } | Target::Commit { .. } => format!("Deploy {}", row.name),
    };
    let said = Said { title, intent: words(&target, &row, &input) };
    let deploy = ask(&mut tx, &permit, actor, &row, &target, said).await?;
    once::remember(&mut tx, &permit, app, &input, deploy).await?;
    tx.commit().await?;
    Ok(Asked { deploy, again: false })
}

/// How a deploy is told of.
pub(in crate::actions) struct Said {
    /// Of its job.
    pub title: String,
    /// What it sets out to do, for the audit.
    pub intent: String,
}

impl Said {
    /// With this title, and what the target says.
    pub fn of(row: &Row, target: &Target, title: String) -> Self {
        Self { title, intent: intent(target, &row.source) }
    }
}

/// Asks for a deploy of an app whose row is locked, in the caller's transaction.
pub(in crate::actions) async fn ask(
    tx: &mut Tx<'_>,
    permit: &Permit,
    actor: &Actor,
    row: &Row,
    target: &Target,
    said: Said,
) -> Result<DeployId, Refused> {
    let app = row.id;
    if let Target::Release { number } | Target::Scale { number } = *target {
        let release = db::releases::numbered(tx, permit, app, number).await?.ok_or(Refused::NotFound)?;
        volumes_are_there(tx, permit, app, number, &release.body.spec).await?;
    }
    let hosts: Vec<_> = row.placement.iter().map(|place| place.host).collect();
    if let Some(name) = db::hosts::first_new(tx, permit, &hosts).await? {
        return Err(Refused::Conflict(format!("The host {name} is not ready yet: finish it first.")));
    }

    let id = DeployId(Uuid::now_v7());
    let cause = actor.who().cause();
    let mut new = New::new(&said.title, cause.clone());
    new.lock_key = Some(deploy::lock_key(app));
    let pushed = queue::push(tx, permit, &Deploy { app, deploy: id }, new).await?;
    deploy_runs::insert(tx, permit, id, app, pushed.job, target, &cause).await?;
    // What a deploy that waited had claimed goes with it.
    db::routes::release_unserved(tx, permit, app).await?;
    let event = audit::New {
        action: "deploy.requested",
        kind: "deploy",
        subject: Some(id.0),
        name: &row.name,
        before: None,
        after: Some(json!({ "app": app, "target": target, "intent": said.intent })),
    };
    audit::record(tx, permit, event).await?;
    Ok(id)
}

/// The source, with another image where the deploy is asked for one.
pub(super) fn with_image(source: &Source, input: &RequestDeploy) -> Result<Source, Refused> {
    if input.to.trim() != "image" {
        return Ok(source.clone());
    }
    let mut fields = Fields::default();
    let wanted = fields.text::<ImageRef>("image", &input.image);
    if matches!(source, Source::Git(_)) {
        fields
            .wrong("image", "This app is built from a repository: deploy a branch or a commit, or change its source.");
    }
    match (source, wanted, fields.fine()) {
        (Source::Image(known), Some(image), true) => Ok(Source::Image(Image { image, login: known.login.clone() })),
        _ => Err(fields.refuse()),
    }
}

/// Writes down that the app has another image from now on.
async fn record_source(tx: &mut Tx<'_>, permit: &Permit, row: &Row, source: &Source) -> Result<(), Refused> {
    let image = |source: &Source| match source {
        Source::Image(image) => Some(json!({ "from": "image", "address": image.image })),
        Source::Git(_) => None,
    };
    let event = audit::New {
        action: "app.source_changed",
        kind: "app",
        subject: Some(row.id.0),
        name: &row.name,
        before: image(&row.source),
        after: image(source),
    };
    Ok(audit::record(tx, permit, event).await?)
}

/// Whether the release that serves is asked for once more.
fn is_again(input: &RequestDeploy) -> bool {
    input.to.trim() == "again"
}

/// What the deploy sets out to do, for the audit.
fn words(target: &Target, row: &db::apps::Row, input: &RequestDeploy) -> String {
    match target {
        Target::Release { number } if is_again(input) => format!("v{number} again"),
        _ => intent(target, &row.source),
    }
}

/// Reads what the deploy shall do.
pub(super) async fn target(
    tx: &mut Tx<'_>,
    permit: &Permit,
    row: &Row,
    input: &RequestDeploy,
) -> Result<Target, Refused> {
    let (app, source) = (row.id, &row.source.0);
    #[derive(Clone, Copy)]
    enum To {
        Head,
        Ref,
        Commit,
        Release,
        Scale,
        Former,
        Again,
    }
    let mut fields = Fields::default();
    let words = [
        ("head", To::Head),
        ("ref", To::Ref),
        ("commit", To::Commit),
        ("release", To::Release),
        ("scale", To::Scale),
        ("former", To::Former),
        ("again", To::Again),
        // What is the app's image by now.
        ("image", To::Head),
        ("", To::Head),
    ];
    let to = fields.choice("to", input.to.trim(), &words);
    let target = match to {
        Some(To::Head) => Some(Target::Head),
        Some(To::Ref) => {
            if matches!(source, Source::Image(_)) {
                fields.wrong("ref", "This app runs an image: it has no branches and commits. Deploy an image.");
            }
            match input.reference.trim().parse::<CommitId>() {
                Ok(id) => Some(Target::Commit { id }),
                Err(_) => fields.text::<BranchName>("ref", &input.reference).map(|name| Target::Ref { name }),
            }
        }
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
        Some(which @ (To::Release | To::Scale)) => {
            let raw = input.release.trim();
            let number = fields.number::<i32>("release", raw.strip_prefix('v').unwrap_or(raw), 1..=i32::MAX, "");
            let known = match number {
                Some(number) => deploy_runs::release_numbered(tx, permit, app, number).await?.is_some(),
                None => false,
            };
            if !known {
                fields.wrong("release", "The app keeps no release of this number.");
            }
            number.map(|number| match which {
                To::Scale => Target::Scale { number },
                _ => Target::Release { number },
            })
        }
        Some(To::Former) => Some(former(tx, permit, row).await?),
        Some(To::Again) => {
            let serves = match row.current {
                Some(release) => db::releases::get(tx, permit, release).await?,
                None => None,
            };
            if serves.is_none() {
                fields.wrong("to", "None of its releases serves: deploy the newest there is.");
            }
            serves.map(|release| Target::Release { number: release.body.number })
        }
        None => None,
    };
    match (target, fields.fine()) {
        (Some(target), true) => Ok(target),
        _ => Err(fields.refuse()),
    }
}

/// The newest kept release below the one that serves.
async fn former(tx: &mut Tx<'_>, permit: &Permit, app: &Row) -> Result<Target, Refused> {
    /// More are not kept than this.
    const LOOKED_AT: i64 = 100;
    const NONE: &str = "There is no kept release below the one that serves. The list of releases shows which are kept.";
    let none = || Refused::Conflict(NONE.into());
    let current = db::releases::get(tx, permit, app.current.ok_or_else(none)?).await?.ok_or_else(none)?;
    let older = db::releases::list(tx, permit, app.id, Some(current.body.number), LOOKED_AT).await?;
    let kept = older.into_iter().find(|release| release.kept).ok_or_else(none)?;
    Ok(Target::Release { number: kept.number })
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
    let name = db::apps::known(&mut tx, &permit, deploy.app).await?.map(|app| app.name).unwrap_or_default();
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
