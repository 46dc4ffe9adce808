//! Volumes of an app, and those that have outlived theirs.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::jobs::Begun;
use crate::actions::apps;
use crate::actions::tokens::Caller;
use crate::actions::volumes::{self, CopyLine, LeftVolume, RemoveCopy, RemoveVolume, VolumeLine};
use crate::api::Api;
use crate::api::answer::{Accepted, Created, Page, Time};
use crate::api::problem::Problem;
use crate::api::routes::{Routes, delete, get, post};
use crate::api::take::{OfApp, OfId, Sent};
use crate::domain::help::Topic;
use crate::domain::ids::VolumeId;
use crate::domain::rights::Permission;

/// The calls.
pub fn routes() -> Routes {
    let (view, edit, all) = (Permission::View, Permission::EditApps, "/apps/{app}/volumes");
    let gone = post("/apps/{app}/volumes/{id}/removal", Permission::EditProjects);
    Routes::new()
        .about(Topic::VolumesAdd)
        .add(get(all, view).title("An app's volumes").gives::<Page<Volume>>(), list)
        .add(post(all, edit).title("Add a volume, or mount one again").gives::<Created<Volume>>(), add)
        .about(Topic::VolumesLeave)
        .add(delete("/apps/{app}/volumes/{id}/mount", edit).title("Mount a volume no longer; its data stays"), detach)
        .add(gone.title("Remove a volume with its data").gives::<Accepted<Begun>>(), remove)
        .add(
            post("/apps/{app}/volumes/{id}/copies/removal", Permission::EditProjects)
                .title("Remove the copy of a volume on a host the app has left")
                .gives::<Accepted<Begun>>(),
            remove_copy,
        )
        .add(get("/volumes", view).title("Volumes whose app was removed").gives::<Page<Left>>(), left)
        .add(
            post("/volumes/{id}/removal", Permission::EditProjects)
                .title("Remove a volume whose app was removed, with its data")
                .gives::<Accepted<Begun>>(),
            remove_left,
        )
}

/// A volume.
#[derive(Serialize, JsonSchema)]
pub struct Volume {
    /// The id: its name on the host is made of it.
    id: Uuid,
    /// The name its owner gave it.
    name: String,
    /// Where it appears in the container; none where the app does not mount it any more (its data is kept).
    path: Option<String>,
    /// Where it is, once it was made.
    host: Option<Uuid>,
    /// Its name on hosts.
    host_name: String,
    /// When it was added.
    created_at: Time,
    /// Copies that stayed on hosts the app has left.
    copies: Vec<Copy>,
}

/// A copy of a volume on a host that the app has left.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "VolumeCopy")]
struct Copy {
    /// The host.
    host: Uuid,
    /// Its name.
    host_name: String,
    /// When it was made there.
    placed_at: Time,
}

/// A volume that has outlived its app.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "LeftVolume")]
struct Left {
    /// The id: its name on the host is made of it.
    id: Uuid,
    /// Its name within the app.
    name: String,
    /// Its name on hosts.
    host_name: String,
    /// The app it was of.
    app: Uuid,
    /// The app's name.
    app_name: String,
    /// Project and environment of the app.
    place: String,
    /// Names of the hosts it is on.
    hosts: Vec<String>,
    /// When the app was removed.
    removed_at: Time,
    /// Why it cannot be removed now; empty where it can.
    waits: &'static str,
}

impl From<LeftVolume> for Left {
    fn from(line: LeftVolume) -> Self {
        Self {
            id: line.id.0,
            name: line.name,
            host_name: line.host_name,
            app: line.app.0,
            app_name: line.app_name,
            place: line.place,
            hosts: line.hosts,
            removed_at: line.removed_at.into(),
            waits: line.waits,
        }
    }
}

impl From<VolumeLine> for Volume {
    fn from(line: VolumeLine) -> Self {
        Self {
            id: line.id.0,
            name: line.name,
            path: line.path,
            host: line.host.map(|host| host.0),
            host_name: line.host_name,
            created_at: line.created_at.into(),
            copies: line.copies.into_iter().map(Copy::from).collect(),
        }
    }
}

impl From<CopyLine> for Copy {
    fn from(line: CopyLine) -> Self {
        Self { host: line.host.0, host_name: line.host_name, placed_at: line.placed_at.into() }
    }
}

/// A volume that shall be there.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewVolume {
    /// Its name within the app: lowercase letters, digits and hyphens.
    name: String,
    /// Where it appears in the container: an absolute path.
    path: String,
}

impl From<NewVolume> for volumes::NewVolume {
    fn from(new: NewVolume) -> Self {
        Self { name: new.name, path: new.path }
    }
}

/// Says that a volume shall be gone.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Removal {
    /// The volume's name: its data will be gone.
    name: String,
}

/// Says that a copy of a volume shall be gone.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "CopyRemoval")]
struct OfCopy {
    /// The id of the host it is on.
    host: String,
    /// The volume's name: the data of this copy will be gone.
    name: String,
}

async fn list(State(api): State<Api>, caller: Caller, OfApp(id): OfApp) -> Result<Json<Page<Volume>>, Problem> {
    let view = apps::get(api.actions(), &caller.actor, id).await?;
    Ok(Page::whole(view.volumes.into_iter().map(Volume::from)))
}

async fn add(
    State(api): State<Api>,
    caller: Caller,
    OfApp(app): OfApp,
    Sent(new): Sent<NewVolume>,
) -> Result<Created<Volume>, Problem> {
    let id = volumes::add(api.actions(), &caller.actor, app, new.into()).await?;
    let view = apps::get(api.actions(), &caller.actor, app).await?;
    let made = view.volumes.into_iter().find(|line| line.id == id).ok_or(Problem::NotFound)?;
    Ok(Created::at(format!("/apps/{app}/volumes/{id}"), made.into()))
}

async fn detach(
    State(api): State<Api>,
    caller: Caller,
    OfApp(app): OfApp,
    OfId(id): OfId<VolumeId>,
) -> Result<StatusCode, Problem> {
    volumes::detach(api.actions(), &caller.actor, app, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn remove(
    State(api): State<Api>,
    caller: Caller,
    OfApp(app): OfApp,
    OfId(id): OfId<VolumeId>,
    Sent(Removal { name }): Sent<Removal>,
) -> Result<Accepted<Begun>, Problem> {
    let job = volumes::remove(api.actions(), &caller.actor, app, id, RemoveVolume { name }).await?;
    Ok(Begun::of(job))
}

async fn remove_copy(
    State(api): State<Api>,
    caller: Caller,
    OfApp(app): OfApp,
    OfId(id): OfId<VolumeId>,
    Sent(OfCopy { host, name }): Sent<OfCopy>,
) -> Result<Accepted<Begun>, Problem> {
    let job = volumes::remove_copy(api.actions(), &caller.actor, app, id, RemoveCopy { host, name }).await?;
    Ok(Begun::of(job))
}

async fn left(State(api): State<Api>, caller: Caller) -> Result<Json<Page<Left>>, Problem> {
    let lines = volumes::left(api.actions(), &caller.actor).await?;
    Ok(Page::whole(lines.into_iter().map(Left::from)))
}

async fn remove_left(
    State(api): State<Api>,
    caller: Caller,
    OfId(id): OfId<VolumeId>,
    Sent(Removal { name }): Sent<Removal>,
) -> Result<Accepted<Begun>, Problem> {
    let job = volumes::remove_left(api.actions(), &caller.actor, id, RemoveVolume { name }).await?;
    Ok(Begun::of(job))
}
