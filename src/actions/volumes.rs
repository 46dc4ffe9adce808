//! Volumes of apps: added with a name and a path, removed only by typing the name. Not here: the data in them.

use time::OffsetDateTime;

use serde_json::json;
use uuid::Uuid;

use super::fields::Fields;
use super::{Ctx, Refused, apps};
use crate::db;
use crate::domain::app::{Mount, Spec};
use crate::domain::container;
use crate::domain::ids::{AppId, HostId, JobId, VolumeId};
use crate::domain::names::{MountPath, PlainName};
use crate::domain::rights::{Actor, Permission};
use crate::jobs::remove_volume;
use crate::queue::{self, New};

/// The form that adds a volume to an app.
#[derive(Clone, Debug, Default)]
pub struct NewVolume {
    /// Its name within the app: lowercase letters, digits and hyphens.
    pub name: String,
    /// Where it appears in the container: an absolute path.
    pub path: String,
}

/// One volume.
#[derive(Clone, Debug)]
pub struct VolumeLine {
    /// The ledger's identity: its name on the host is made of it.
    pub id: VolumeId,
    /// The name its owner gave it.
    pub name: String,
    /// Where it appears in the container; none where the app does not mount it any more (its data is kept).
    pub path: Option<String>,
    /// Its name on hosts.
    pub host_name: String,
    /// Where it is, once it was made.
    pub host: Option<HostId>,
    /// When it was added.
    pub created_at: OffsetDateTime,
}

/// Adds a volume, or mounts one again that the app has and does not mount.
pub async fn add(ctx: &Ctx, actor: &Actor, app: AppId, input: NewVolume) -> Result<VolumeId, Refused> {
    let mut edit = apps::begin_edit(ctx, actor, app, Permission::EditApps).await?;
    let mut fields = Fields::default();
    let name = fields.text::<PlainName>("name", &input.name);
    let path = fields.text::<MountPath>("path", &input.path);
    let mut spec = edit.app.spec.0.clone();
    if name.as_ref().is_some_and(|name| spec.mounts.iter().any(|mount| mount.name == *name)) {
        fields.wrong("name", "The app has a volume of this name already.");
    }
    if path.as_ref().is_some_and(|path| spec.mounts.iter().any(|mount| mount.path == *path)) {
        fields.wrong("path", "Another volume of the app appears there already.");
    }
    if spec.mounts.len() >= apps::MOST_VOLUMES {
        fields.wrong("name", format!("An app has at most {} volumes.", apps::MOST_VOLUMES));
    }
    if edit.app.placement.len() > 1 {
        fields.wrong(
            "name",
            "The app runs on several hosts, and each would have a volume of its own: place it on one host first.",
        );
    }
    let (Some(name), Some(path), true) = (name, path, fields.fine()) else { return Err(fields.refuse()) };
    let kept = db::volumes::of_app(&mut edit.tx, &edit.permit, app).await?;
    let id = match kept.into_iter().find(|row| row.name == name) {
        Some(row) => row.id,
        None => {
            let id = VolumeId(Uuid::now_v7());
            db::volumes::insert(&mut edit.tx, &edit.permit, app, id, &name).await?;
            id
        }
    };
    let words = json!({ "volume": name, "path": path });
    spec.mounts.push(Mount { volume: id, name, path });
    edit.keep(&spec, "volume.added", None, Some(words)).await?;
    Ok(id)
}

/// Lets the app no longer mount a volume from the next deploy on. The data stays.
pub async fn detach(ctx: &Ctx, actor: &Actor, app: AppId, id: VolumeId) -> Result<(), Refused> {
    let edit = apps::begin_edit(ctx, actor, app, Permission::EditApps).await?;
    let mut spec = edit.app.spec.0.clone();
    let mount = spec.mounts.iter().find(|mount| mount.volume == id).cloned().ok_or(Refused::NotFound)?;
    spec.mounts.retain(|mount| mount.volume != id);
    edit.keep(&spec, "volume.detached", Some(json!({ "volume": mount.name, "path": mount.path })), None).await
}

/// The form that removes a volume.
#[derive(Clone, Debug, Default)]
pub struct RemoveVolume {
    /// The volume's name, typed by the person who wants its data gone.
    pub name: String,
}

/// Removes a volume with its data, once its name was typed: at once where it was never made, else by a job, which is
/// given back. Refused while anything mounts it or a deploy is under way.
pub async fn remove(
    ctx: &Ctx,
    actor: &Actor,
    app: AppId,
    id: VolumeId,
    input: RemoveVolume,
) -> Result<Option<JobId>, Refused> {
    let mut edit = apps::begin_edit(ctx, actor, app, Permission::EditProjects).await?;
    let kept = db::volumes::of_app(&mut edit.tx, &edit.permit, app).await?;
    let volume = kept.into_iter().find(|row| row.id == id).ok_or(Refused::NotFound)?;
    if input.name.trim() != volume.name.as_ref() {
        return Err(Refused::field("name", "Type the name of the volume exactly: its data will be gone."));
    }
    let mounts = |spec: &Spec| spec.mounts.iter().any(|mount| mount.volume == id);
    let current = match edit.app.current {
        Some(release) => db::releases::get(&mut edit.tx, &edit.permit, release).await?,
        None => None,
    };
    if mounts(&edit.app.spec) {
        return Err(Refused::Conflict("The app mounts this volume: take it out of the app first.".into()));
    }
    if current.is_some_and(|release| mounts(&release.body.spec)) {
        return Err(Refused::Conflict("The release that serves mounts this volume: deploy first.".into()));
    }
    if db::deploys::under_way(&mut edit.tx, &edit.permit, app).await? {
        return Err(Refused::Conflict("The app is being deployed: wait for that first.".into()));
    }
    let by = actor.name().to_owned();
    let job = match volume.host {
        None => {
            db::volumes::removed(&mut edit.tx, &edit.permit, id, &by).await?;
            None
        }
        Some(host) => {
            let title = format!("Remove the volume {} of {}", volume.name, edit.app.name);
            let mut new = New::new(&title, actor.who().cause());
            new.lock_key = Some(remove_volume::lock_key(id));
            new.host = Some(host);
            let args = remove_volume::RemoveVolume { volume: id, name: volume.name.to_string(), host, by };
            Some(queue::push(&mut edit.tx, &edit.permit, &args, new).await?.job)
        }
    };
    edit.finish("volume.removed", Some(json!({ "volume": volume.name })), None).await?;
    Ok(job)
}

/// An app's volumes as lines.
pub(super) fn lines(rows: Vec<db::volumes::Row>, spec: &Spec) -> Vec<VolumeLine> {
    let line = |row: db::volumes::Row| VolumeLine {
        path: spec.mounts.iter().find(|mount| mount.volume == row.id).map(|mount| mount.path.to_string()),
        host_name: container::volume_name(row.id).into(),
        id: row.id,
        name: row.name.into(),
        host: row.host,
        created_at: row.created_at,
    };
    rows.into_iter().map(line).collect()
}
