//! Volumes of apps: added with a name and a path, removed only by typing the name. Not here: the data in them.

use time::OffsetDateTime;

use serde_json::json;
use uuid::Uuid;

use super::fields::Fields;
use super::gate::{self, Open};
use super::{Ctx, Refused, apps};
use crate::db::volumes::Place;
use crate::db::{self, Tx, audit};
use crate::domain::app::{Mount, Spec};
use crate::domain::container;
use crate::domain::ids::{AppId, HostId, JobId, VolumeId};
use crate::domain::names::{MountPath, PlainName};
use crate::domain::rights::{Actor, On, Permission, Permit};
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
    /// Copies that stayed on hosts the app has left.
    pub copies: Vec<CopyLine>,
}

/// A copy of a volume on a host that the app has left.
#[derive(Clone, Debug)]
pub struct CopyLine {
    /// The host.
    pub host: HostId,
    /// Its name.
    pub host_name: String,
    /// When it was made there.
    pub placed_at: OffsetDateTime,
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
    let places = db::volumes::places(&mut edit.tx, &edit.permit, app).await?;
    let places: Vec<Place> = places.into_iter().filter(|place| place.volume == id).collect();
    let which = Which { id, name: &volume.name, app: &edit.app.name };
    let job = ask(&mut edit.tx, &edit.permit, actor, &which, &places).await?;
    edit.finish("volume.removed", Some(json!({ "volume": volume.name })), None).await?;
    Ok(job)
}

/// The form that removes a volume's former copy.
#[derive(Clone, Debug, Default)]
pub struct RemoveCopy {
    /// The host it is on.
    pub host: String,
    /// The volume's name, typed by the person who wants that copy gone.
    pub name: String,
}

/// Removes the copy of a volume that stayed on a host the app has left, once the volume's name was typed.
pub async fn remove_copy(
    ctx: &Ctx,
    actor: &Actor,
    app: AppId,
    id: VolumeId,
    input: RemoveCopy,
) -> Result<Option<JobId>, Refused> {
    let mut edit = apps::begin_edit(ctx, actor, app, Permission::EditProjects).await?;
    let kept = db::volumes::of_app(&mut edit.tx, &edit.permit, app).await?;
    let volume = kept.into_iter().find(|row| row.id == id).ok_or(Refused::NotFound)?;
    let places = db::volumes::places(&mut edit.tx, &edit.permit, app).await?;
    let all: Vec<Place> = places.into_iter().filter(|place| place.volume == id).collect();
    let named = input.host.trim().parse::<HostId>();
    let place = all.iter().find(|place| Ok(place.host) == named).cloned().ok_or(Refused::NotFound)?;
    if input.name.trim() != volume.name.as_ref() {
        return Err(Refused::field("name", "Type the name of the volume exactly: the data of this copy will be gone."));
    }
    if !former(&all).iter().any(|copy| copy.host == place.host) {
        return Err(Refused::Conflict(format!("The app's data is on {}: this is no former copy.", place.host_name)));
    }
    if db::deploys::under_way(&mut edit.tx, &edit.permit, app).await? {
        return Err(Refused::Conflict("The app is being deployed: wait for that first.".into()));
    }
    let words = json!({ "volume": volume.name, "host": place.host_name });
    let which = Which { id, name: &volume.name, app: &edit.app.name };
    let job = ask(&mut edit.tx, &edit.permit, actor, &which, std::slice::from_ref(&place)).await?;
    edit.finish("volume.copy_removed", Some(words), None).await?;
    Ok(job)
}

/// A volume that has outlived its app.
#[derive(Clone, Debug)]
pub struct LeftVolume {
    /// The volume.
    pub id: VolumeId,
    /// Its name within the app.
    pub name: String,
    /// Its name on hosts.
    pub host_name: String,
    /// The app it was of.
    pub app: AppId,
    /// The app's name.
    pub app_name: String,
    /// Project and environment of the app.
    pub place: String,
    /// Names of the hosts it is on.
    pub hosts: Vec<String>,
    /// When the app was removed.
    pub removed_at: OffsetDateTime,
    /// Why it cannot be removed now; empty where it can.
    pub waits: &'static str,
    /// True where the actor may remove it.
    pub may_remove: bool,
}

/// The volumes one may see whose app was removed.
pub async fn left(ctx: &Ctx, actor: &Actor) -> Result<Vec<LeftVolume>, Refused> {
    let Open { mut tx, permit, .. } = gate::team(ctx, actor).await?;
    let rows = db::removed::volumes(&mut tx, &permit, None).await?;
    tx.commit().await?;
    let on = |row: &db::removed::Volume| On::environment(actor.team(), row.project, row.environment);
    let seen = rows.into_iter().filter(|row| gate::sees(actor, on(row)));
    let line = |row: db::removed::Volume| LeftVolume {
        may_remove: actor.may(Permission::EditProjects, on(&row)).is_ok(),
        waits: match (row.leaving, row.going) {
            (_, true) => "is being removed",
            (true, false) => "its app is still being removed",
            (false, false) => "",
        },
        host_name: container::volume_name(row.id).into(),
        id: row.id,
        name: row.name.into(),
        app: row.app,
        app_name: row.app_name,
        place: row.place,
        hosts: row.hosts,
        removed_at: row.removed_at,
    };
    Ok(seen.map(line).collect())
}

/// Removes a volume that has outlived its app, with its data, once its name was typed.
pub async fn remove_left(
    ctx: &Ctx,
    actor: &Actor,
    id: VolumeId,
    input: RemoveVolume,
) -> Result<Option<JobId>, Refused> {
    let Open { mut tx, permit, .. } = gate::team(ctx, actor).await?;
    let row = db::removed::volumes(&mut tx, &permit, Some(id)).await?.pop().ok_or(Refused::NotFound)?;
    let on = On::environment(actor.team(), row.project, row.environment);
    if !gate::sees(actor, on) {
        return Err(Refused::NotFound);
    }
    let permit = actor.may(Permission::EditProjects, on)?;
    if input.name.trim() != row.name.as_ref() {
        return Err(Refused::field("name", "Type the name of the volume exactly: its data will be gone."));
    }
    if row.leaving {
        let words = format!("{} is still being removed from its hosts: wait for that first.", row.app_name);
        return Err(Refused::Conflict(words));
    }
    let places = db::volumes::places(&mut tx, &permit, row.app).await?;
    let places: Vec<Place> = places.into_iter().filter(|place| place.volume == id).collect();
    let which = Which { id, name: &row.name, app: &row.app_name };
    let job = ask(&mut tx, &permit, actor, &which, &places).await?;
    let event = audit::New {
        action: "volume.removed",
        kind: "app",
        subject: Some(row.app.0),
        name: &row.app_name,
        before: Some(json!({ "volume": row.name })),
        after: None,
    };
    audit::record(&mut tx, &permit, event).await?;
    tx.commit().await?;
    Ok(job)
}

/// A volume that is to go, by its names.
struct Which<'a> {
    id: VolumeId,
    name: &'a PlainName,
    app: &'a str,
}

/// Asks for a volume to be removed from these hosts; one that is nowhere is closed at once.
async fn ask(
    tx: &mut Tx<'_>,
    permit: &Permit,
    actor: &Actor,
    which: &Which<'_>,
    places: &[Place],
) -> Result<Option<JobId>, Refused> {
    let Which { id, name, app } = which;
    if places.is_empty() {
        db::volumes::removed(tx, permit, *id, actor.name()).await?;
    }
    let mut first = None;
    for place in places {
        let title = match places.len() {
            1 => format!("Remove the volume {name} of {app}"),
            _ => format!("Remove the volume {name} of {app} from {}", place.host_name),
        };
        let mut new = New::new(&title, actor.who().cause());
        new.lock_key = Some(remove_volume::lock_key(*id, place.host));
        new.host = Some(place.host);
        let by = actor.name().to_owned();
        let args = remove_volume::RemoveVolume { volume: *id, name: name.to_string(), host: place.host, by };
        let job = queue::push(tx, permit, &args, new).await?.job;
        first = first.or(Some(job));
    }
    Ok(first)
}

/// Of a volume's places, the latest first, those that are only a former copy: the app runs elsewhere. Where nothing runs, all
/// but the latest.
fn former(places: &[Place]) -> Vec<&Place> {
    let live = places.iter().find(|place| place.in_use).or_else(|| places.first()).map(|place| place.host);
    places.iter().filter(|place| !place.in_use && Some(place.host) != live).collect()
}

/// An app's volumes as lines.
pub(super) fn lines(rows: Vec<db::volumes::Row>, places: &[Place], spec: &Spec) -> Vec<VolumeLine> {
    let copies = |id: VolumeId| {
        let own: Vec<Place> = places.iter().filter(|place| place.volume == id).cloned().collect();
        let line = |place: &Place| CopyLine {
            host: place.host,
            host_name: place.host_name.clone(),
            placed_at: place.placed_at,
        };
        former(&own).into_iter().map(line).collect()
    };
    let line = |row: db::volumes::Row| VolumeLine {
        path: spec.mounts.iter().find(|mount| mount.volume == row.id).map(|mount| mount.path.to_string()),
        host_name: container::volume_name(row.id).into(),
        copies: copies(row.id),
        id: row.id,
        name: row.name.into(),
        host: row.host,
        created_at: row.created_at,
    };
    rows.into_iter().map(line).collect()
}
