//! Removing an app: it is gone from every page at once, its name and its addresses are free, and a job takes away what it left
//! on hosts, whenever they answer. Its history stays. Not here: its volumes, which stay as well (`actions/volumes.rs`).

use serde_json::json;
use time::OffsetDateTime;

use crate::actions::deploys::{self, DeployLine};
use crate::actions::fields::Fields;
use crate::actions::gate::{self, Open};
use crate::actions::{Ctx, Refused};
use crate::db::ledger::left;
use crate::db::{self, Tx, audit, removed};
use crate::domain::ids::{AppId, HostId, JobId, VolumeId};
use crate::domain::rights::{Actor, On, Permission, Permit};
use crate::jobs::deploy;
use crate::jobs::remove_app;
use crate::queue::{self, New};

/// The form that removes an app.
#[derive(Clone, Debug, Default)]
pub struct RemoveApp {
    /// The app's name, typed by the person who wants it gone.
    pub name: String,
    /// Names of volumes whose data is to go too, typed: separated by spaces, commas or lines. All others stay.
    pub volumes: String,
}

/// Removes an app, once its name was typed. A deploy that waits is superseded, one that runs is cancelled, or waited for
/// where traffic has moved already. Asked again while hosts still have something of it, the job is asked for again.
pub async fn remove(ctx: &Ctx, actor: &Actor, id: AppId, input: RemoveApp) -> Result<JobId, Refused> {
    let Open { mut tx, permit, .. } = gate::known_app(ctx, actor, id, Permission::EditProjects).await?;
    db::apps::lock_known(&mut tx, &permit, id).await?;
    let app = db::apps::known(&mut tx, &permit, id).await?.ok_or(Refused::NotFound)?;
    let before = removed::get(&mut tx, &permit, id).await?;
    if before.as_ref().is_some_and(|gone| gone.cleared_at.is_some()) {
        return Err(Refused::NotFound);
    }
    let mut fields = Fields::default();
    if input.name.trim() != app.name {
        fields.wrong("name", format!("Type {} exactly: this app will be gone.", app.name));
    }
    let kept = db::volumes::of_app(&mut tx, &permit, id).await?;
    let mut volumes: Vec<VolumeId> = Vec::new();
    let typed = input.volumes.split(|c: char| c.is_whitespace() || c == ',').filter(|name| !name.is_empty());
    for name in typed {
        match kept.iter().find(|row| row.name.as_ref() == name) {
            Some(row) if !volumes.contains(&row.id) => volumes.push(row.id),
            Some(_) => {}
            None => fields.wrong("volumes", "The app has no volume of this name. Type the names exactly, or none."),
        }
    }
    if !fields.fine() {
        return Err(fields.refuse());
    }

    let by = actor.name().to_owned();
    let first = removed::mark(&mut tx, &permit, id, &by).await?;
    let title = format!("Remove {}", app.name);
    let mut new = New::new(&title, actor.who().cause());
    let lock_key = deploy::lock_key(id);
    // What was typed when it was asked for before goes as well.
    let asked = removed::asked(&mut tx, &permit, &lock_key).await?;
    let asked = asked.and_then(|args| serde_json::from_value::<remove_app::RemoveApp>(args).ok());
    for volume in asked.into_iter().flat_map(|asked| asked.volumes) {
        if !volumes.contains(&volume) && kept.iter().any(|row| row.id == volume) {
            volumes.push(volume);
        }
    }
    new.lock_key = Some(lock_key);
    // It may wait for hosts for days: what somebody waits for goes first.
    new.priority = -1;
    let gone: Vec<&str> = kept.iter().filter(|row| volumes.contains(&row.id)).map(|row| row.name.as_ref()).collect();
    let after = json!({ "volumes_removed": gone });
    let args = remove_app::RemoveApp { app: id, by: by.clone(), volumes };
    let job = queue::push(&mut tx, &permit, &args, new).await?.job;
    // After the push, which holds the lock key: whoever gives a job back takes both in this order too.
    if let Some(running) = removed::running(&mut tx, &permit, id).await?
        && !running.switched
    {
        queue::cancel(&mut tx, &permit, running.job, &by).await?;
    }
    if first {
        let event = audit::New {
            action: "app.removed",
            kind: "app",
            subject: Some(id.0),
            name: &app.name,
            before: Some(json!({ "name": app.name })),
            after: Some(after),
        };
        audit::record(&mut tx, &permit, event).await?;
    }
    tx.commit().await?;
    Ok(job)
}

/// A removed app.
#[derive(Clone, Debug)]
pub struct Gone {
    /// The app.
    pub id: AppId,
    /// The name it had.
    pub name: String,
    /// Who removed it.
    pub by: String,
    /// When.
    pub removed_at: OffsetDateTime,
    /// True once no host has anything of it.
    pub cleared: bool,
    /// The job that takes away what is left, where one waits or runs.
    pub job: Option<JobId>,
    /// Why that job waits.
    pub waits: String,
    /// Its last deploys, newest first.
    pub deploys: Vec<DeployLine>,
    /// True where the actor may have its removal gone on with.
    pub may_remove: bool,
}

/// Deploys on the page of a removed app.
const DEPLOYS: i64 = 50;

/// An app that was removed: what is left to see of it.
pub async fn gone(ctx: &Ctx, actor: &Actor, id: AppId) -> Result<Gone, Refused> {
    let Open { mut tx, permit, on } = gate::known_app(ctx, actor, id, Permission::View).await?;
    let row = removed::get(&mut tx, &permit, id).await?.ok_or(Refused::NotFound)?;
    let filter = db::deploys::Filter { app: Some(id), ..Default::default() };
    let recent = db::deploys::list(&mut tx, &permit, filter, DEPLOYS).await?;
    tx.commit().await?;
    Ok(Gone {
        id,
        name: row.name,
        by: row.by,
        removed_at: row.removed_at,
        cleared: row.cleared_at.is_some(),
        may_remove: row.job.is_none() && row.cleared_at.is_none() && actor.may(Permission::EditProjects, on).is_ok(),
        job: row.job,
        waits: row.wait_reason,
        deploys: recent.into_iter().map(deploys::line).collect(),
    })
}

/// A removed app that a host still has something of.
#[derive(Clone, Debug)]
pub struct Leaving {
    /// The app.
    pub app: AppId,
    /// Its name.
    pub name: String,
    /// Who removed it.
    pub by: String,
    /// When.
    pub removed_at: OffsetDateTime,
    /// Instances and images that are still there.
    pub left: (i64, i64),
    /// The job that takes them away, where one waits or runs.
    pub job: Option<JobId>,
}

/// The removed apps one may see that a host still has something of, in the caller's transaction.
pub(in crate::actions) async fn left_on(
    tx: &mut Tx<'_>,
    permit: &Permit,
    actor: &Actor,
    host: HostId,
) -> Result<Vec<Leaving>, Refused> {
    let rows = left::on_host(tx, permit, host).await?;
    let seen = |row: &left::Leaving| gate::sees(actor, On::environment(actor.team(), row.project, row.environment));
    let line = |row: left::Leaving| Leaving {
        app: row.app,
        name: row.name,
        by: row.by,
        removed_at: row.removed_at,
        left: (row.instances, row.images),
        job: row.job,
    };
    Ok(rows.into_iter().filter(seen).map(line).collect())
}
