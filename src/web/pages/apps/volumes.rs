//! An app's volumes: added, and no longer mounted. Their data stays in either case; it goes only by a typed name.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use tower_sessions::Session;

use super::configuration::{gone, removed, saved};
use super::{Head, In};
use crate::actions::apps::{self, AppView};
use crate::actions::volumes::{self, CopyLine, NewVolume, RemoveCopy, RemoveVolume, VolumeLine};
use crate::actions::{FieldError, Refused};
use crate::domain::help::Topic;
use crate::domain::ids::{AppId, VolumeId};
use crate::domain::rights::Permission;
use crate::web::Web;
use crate::web::actor::{At, Here};
use crate::web::error::Problem;
use crate::web::routes::{Policy, Routes};
use crate::web::session;
use crate::web::ui::{Field, Form, SafeUrl, Sent, Shell, When, page_with};

/// The routes.
pub fn routes() -> Routes {
    let (view, edit) = (Policy::Team(Permission::View), Policy::Team(Permission::EditApps));
    Routes::new()
        .about(Topic::VolumesAdd)
        .get("/t/{team}/apps/{id}/volumes", view, show)
        .post("/t/{team}/apps/{id}/volumes", edit, add)
        .about(Topic::VolumesLeave)
        .post("/t/{team}/apps/{id}/volumes/detach", edit, detach)
        .post("/t/{team}/apps/{id}/volumes/copies/remove", Policy::Team(Permission::EditProjects), remove_copy)
        .post("/t/{team}/apps/{id}/volumes/remove", Policy::Team(Permission::EditProjects), remove)
}

/// A volume and its button.
pub struct Row {
    /// The volume.
    pub line: VolumeLine,
    /// When it was added.
    pub added: When,
    /// The button after which the app does not mount it any more.
    pub detach: Option<Form>,
    /// The form that removes it with its data, where nothing mounts it.
    pub remove: Option<Form>,
    /// Copies that stayed on hosts the app has left.
    pub copies: Vec<Copy>,
}

/// A copy of a volume that stayed behind.
pub struct Copy {
    /// The copy.
    pub line: CopyLine,
    /// When it was made there.
    pub placed: When,
    /// The host's page.
    pub page: SafeUrl,
    /// The form that removes it.
    pub remove: Option<Form>,
}

/// The page.
#[derive(Template)]
#[template(path = "apps/volumes.html")]
pub struct Show {
    /// The frame.
    pub shell: Shell,
    /// The app's head.
    pub head: Head,
    /// The volumes.
    pub volumes: Vec<Row>,
    /// The form that adds one.
    pub add: Option<Form>,
}

impl Show {
    /// The page of this app, with what was typed.
    pub fn new(here: &Here, view: &AppView, input: &NewVolume) -> Result<Self, Problem> {
        let (shell, head) = In::app(here, view, "Volumes")?;
        let (team, id) = (here.place()?.team.slug.clone(), view.line.id.to_string());
        let row = |line: &VolumeLine| {
            let action = SafeUrl::path(["t", &team, "apps", &id, "volumes", "detach"]);
            let mut form = Form::act(action, &here.token, "Stop mounting", "small");
            for group in &mut form.groups {
                group.fields = vec![Field::hidden("id", line.id.to_string())];
            }
            let detach = (view.may.edit && line.path.is_some()).then_some(form);
            let action = SafeUrl::path(["t", &team, "apps", &id, "volumes", "remove"]);
            let typed = vec![
                Field::hidden("id", line.id.to_string()),
                Field::code("typed", format!("Type {} to remove it with its data", line.name)).exactly(&line.name),
            ];
            let form = Form::new(action, &here.token, "Remove with its data", typed).style("danger").inline();
            let remove = (view.may.remove && line.path.is_none()).then_some(form);
            let copy = |copy: &CopyLine| {
                let action = SafeUrl::path(["t", &team, "apps", &id, "volumes", "copies", "remove"]);
                let typed = vec![
                    Field::hidden("id", line.id.to_string()),
                    Field::hidden("host", copy.host.to_string()),
                    Field::code("typed", format!("Type {} to remove this copy with its data", line.name))
                        .exactly(&line.name),
                ];
                let form = Form::new(action, &here.token, "Remove this copy", typed).style("danger").inline();
                Copy {
                    placed: When::new(copy.placed_at),
                    page: SafeUrl::path(["t", &team, "hosts", &copy.host.to_string()]),
                    remove: view.may.remove.then_some(form),
                    line: copy.clone(),
                }
            };
            let copies = line.copies.iter().map(copy).collect();
            Row { added: When::new(line.created_at), line: line.clone(), detach, remove, copies }
        };
        let fields = vec![
            Field::code("name", "Name").value(&input.name).empty("data"),
            Field::code("path", "Path in the container").value(&input.path).empty("/var/lib/app"),
        ];
        let action = SafeUrl::path(["t", &team, "apps", &id, "volumes"]);
        Ok(Self {
            shell,
            head,
            volumes: view.volumes.iter().map(row).collect(),
            add: view.may.edit.then(|| Form::new(action, &here.token, "Add volume", fields).style("").inline()),
        })
    }
}

async fn show(State(web): State<Web>, here: Here, At((_, id)): At<(String, AppId)>) -> Result<Response, Problem> {
    let view = apps::get(web.actions(), here.actor()?, id).await?;
    Ok(page_with(StatusCode::OK, &Show::new(&here, &view, &NewVolume::default())?))
}

async fn add(
    State(web): State<Web>,
    here: Here,
    session: Session,
    At((_, id)): At<(String, AppId)>,
    sent: Sent,
) -> Result<Response, Problem> {
    let input = NewVolume { name: sent.get("name"), path: sent.get("path") };
    match volumes::add(web.actions(), here.actor()?, id, input.clone()).await {
        Ok(_) => saved(&here, &session, id, "volumes").await,
        Err(Refused::Fields(errors)) => {
            let view = apps::get(web.actions(), here.actor()?, id).await?;
            let mut show = Show::new(&here, &view, &input)?;
            show.add = show.add.map(|form| form.refuse(&errors));
            Ok(page_with(StatusCode::UNPROCESSABLE_ENTITY, &show))
        }
        Err(refused) => Err(refused.into()),
    }
}

async fn detach(
    State(web): State<Web>,
    here: Here,
    session: Session,
    At((_, id)): At<(String, AppId)>,
    sent: Sent,
) -> Result<Response, Problem> {
    let done = match sent.get("id").parse::<VolumeId>() {
        Ok(volume) => volumes::detach(web.actions(), here.actor()?, id, volume).await,
        Err(_) => Err(Refused::NotFound),
    };
    removed(&web, &here, &session, id, "volumes", done).await
}

async fn remove(
    State(web): State<Web>,
    here: Here,
    session: Session,
    At((_, id)): At<(String, AppId)>,
    sent: Sent,
) -> Result<Response, Problem> {
    let Ok(volume) = sent.get("id").parse::<VolumeId>() else {
        return Err(gone(&web, &here, id, Refused::NotFound).await);
    };
    let input = RemoveVolume { name: sent.get("typed") };
    match volumes::remove(web.actions(), here.actor()?, id, volume, input).await {
        Ok(job) => {
            let team = &here.place()?.team.slug;
            let (words, page) = match job {
                Some(job) => {
                    ("It is being removed with its data.", SafeUrl::path(["t", team, "jobs", &job.to_string()]))
                }
                None => {
                    ("Removed. It had no data yet.", SafeUrl::path(["t", team, "apps", &id.to_string(), "volumes"]))
                }
            };
            session::flash(&session, words).await?;
            Ok(Redirect::to(page.as_str()).into_response())
        }
        Err(Refused::Fields(errors)) => {
            let view = apps::get(web.actions(), here.actor()?, id).await?;
            let mut show = Show::new(&here, &view, &NewVolume::default())?;
            let errors: Vec<FieldError> = errors.into_iter().map(|e| FieldError { field: "typed", ..e }).collect();
            for row in show.volumes.iter_mut().filter(|row| row.line.id == volume) {
                row.remove = row.remove.take().map(|form| form.refuse(&errors));
            }
            Ok(page_with(StatusCode::UNPROCESSABLE_ENTITY, &show))
        }
        Err(refused) => Err(gone(&web, &here, id, refused).await),
    }
}

async fn remove_copy(
    State(web): State<Web>,
    here: Here,
    session: Session,
    At((_, id)): At<(String, AppId)>,
    sent: Sent,
) -> Result<Response, Problem> {
    let Ok(volume) = sent.get("id").parse::<VolumeId>() else {
        return Err(gone(&web, &here, id, Refused::NotFound).await);
    };
    let input = RemoveCopy { host: sent.get("host"), name: sent.get("typed") };
    match volumes::remove_copy(web.actions(), here.actor()?, id, volume, input).await {
        Ok(job) => {
            session::flash(&session, "The copy is being removed with its data.").await?;
            let (team, app) = (&here.place()?.team.slug, id.to_string());
            let page = match job {
                Some(job) => SafeUrl::path(["t", team, "jobs", &job.to_string()]),
                None => SafeUrl::path(["t", team, "apps", &app, "volumes"]),
            };
            Ok(Redirect::to(page.as_str()).into_response())
        }
        Err(Refused::Fields(errors)) => {
            let view = apps::get(web.actions(), here.actor()?, id).await?;
            let mut show = Show::new(&here, &view, &NewVolume::default())?;
            let errors: Vec<FieldError> = errors.into_iter().map(|e| FieldError { field: "typed", ..e }).collect();
            let rows = show.volumes.iter_mut().filter(|row| row.line.id == volume);
            let copies = rows.flat_map(|row| &mut row.copies);
            for copy in copies.filter(|copy| copy.line.host.to_string() == sent.get("host")) {
                copy.remove = copy.remove.take().map(|form| form.refuse(&errors));
            }
            Ok(page_with(StatusCode::UNPROCESSABLE_ENTITY, &show))
        }
        Err(refused) => Err(gone(&web, &here, id, refused).await),
    }
}
