//! The settings of a host: its name, the way in, and the end of it. Not here: what it does for the other hosts (`part.rs`).

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use tower_sessions::Session;

use crate::actions::Refused;
use crate::actions::hosts::{self, EditHost, ForgetHost, Forgotten, HostView};
use crate::domain::help::Topic;
use crate::domain::host::{HostState, REMAINS};
use crate::domain::ids::HostId;
use crate::domain::rights::Permission;
use crate::web::actor::{At, Here};
use crate::web::error::Problem;
use crate::web::routes::{Policy, Routes};
use crate::web::ui::{Choice, Field, Form, Input, SafeUrl, Sent, Shell, page, page_with};
use crate::web::{Web, session};

/// The routes.
pub fn routes() -> Routes {
    let manage = Policy::Team(Permission::ManageHosts);
    Routes::new()
        .about(Topic::HostMoves)
        .get("/t/{team}/hosts/{id}/settings", manage, show)
        .post("/t/{team}/hosts/{id}/settings", manage, edit)
        .about(Topic::HostForgotten)
        .post("/t/{team}/hosts/{id}/forget", manage, forget)
}

/// The page.
#[derive(Template)]
#[template(path = "hosts/settings.html")]
pub struct Settings {
    /// The frame.
    pub shell: Shell,
    /// What it is called.
    pub name: String,
    /// The form that changes its name and the way in.
    pub edit: Form,
    /// The form that forgets it.
    pub forget: Form,
    /// What would remain on the server, and the line that takes it away.
    pub remains: Vec<(&'static str, &'static str)>,
}

/// What is left to do by hand.
#[derive(Template)]
#[template(path = "hosts/forgotten.html")]
pub struct Gone {
    /// The frame.
    pub shell: Shell,
    /// What it was called.
    pub name: String,
    /// What remains on the server, and the line that takes it away.
    pub remains: Vec<(&'static str, &'static str)>,
    /// The page of those that are left.
    pub hosts: SafeUrl,
}

impl Settings {
    /// The settings of this host, as they are.
    pub fn new(here: &Here, view: &HostView) -> Result<Self, Problem> {
        let (team, id) = (here.place()?.team.slug.clone(), view.line.id.to_string());
        let own = SafeUrl::path(["t", &team, "hosts", &id]);
        let below = |what: &str| SafeUrl::path(["t", &team, "hosts", &id, what]);
        let edit = Form::new(below("settings"), &here.token, "Save", fields(view));
        let forget = Form::new(below("forget"), &here.token, "Forget this host", end(view)).style("danger");
        let shell = Shell::new(here, format!("Settings of {}", view.line.name), "Hosts")
            .crumb("Hosts", Some(SafeUrl::path(["t", &team, "hosts"])))
            .crumb(view.line.name.clone(), Some(own.clone()))
            .crumb("Settings", None);
        Ok(Self { shell, name: view.line.name.clone(), edit: edit.back(own), forget, remains: REMAINS.to_vec() })
    }
}

fn fields(view: &HostView) -> Vec<Field> {
    vec![
        Field::text("name", "Name").value(&view.line.name).hint("Its short name in addresses stays."),
        Field::code("address", "Address")
            .value(&view.line.address)
            .hint("The pinned key stays: if another server answers there, Skiff stops and shows its key."),
        Field::number("port", "SSH port", "").value(view.ssh_port.to_string()).empty("22"),
        Field::code("user", "User")
            .value(&view.ssh_user)
            .hint("Once it is made ready Skiff signs in as skiff, a user of its own."),
        Field::code("jump", "Jump host").value(&view.jump).empty("none").hint(
            "Where the server is reached only through another: user@address:port. Skiff's key is needed there too.",
        ),
    ]
}

fn end(view: &HostView) -> Vec<Field> {
    let name = Field::text("name", format!("Type {} to forget it", view.line.name)).exactly(&view.line.name);
    let gone = vec![
        Choice::new("no", "It is there", "and nothing of an app may be left on it"),
        Choice::new("yes", "It is gone for good", "with the instances and the volumes that were on it"),
    ];
    let gone = Field::of(Input::Radio(gone), "gone", "The server").value("no");
    // Of one that answers nobody has to say it.
    if view.line.state == HostState::Ready { vec![name] } else { vec![gone, name] }
}

async fn show(State(web): State<Web>, here: Here, At((_, id)): At<(String, HostId)>) -> Result<Response, Problem> {
    let view = hosts::get(web.actions(), here.actor()?, id).await?;
    Ok(page(&Settings::new(&here, &view)?))
}

async fn edit(
    State(web): State<Web>,
    here: Here,
    session: Session,
    At((_, id)): At<(String, HostId)>,
    sent: Sent,
) -> Result<Response, Problem> {
    let names = ["name", "address", "port", "user", "jump"];
    let [name, address, port, user, jump] = names.map(|name| sent.get(name));
    let refused =
        match hosts::edit(web.actions(), here.actor()?, id, EditHost { name, address, port, user, jump }).await {
            Ok(()) => {
                session::flash(&session, "Saved. Skiff goes this way from now on.").await?;
                let page = SafeUrl::path(["t", &here.place()?.team.slug, "hosts", &id.to_string()]);
                return Ok(Redirect::to(page.as_str()).into_response());
            }
            Err(refused) => refused,
        };
    let mut settings = Settings::new(&here, &hosts::get(web.actions(), here.actor()?, id).await?)?;
    let typed = names.iter().fold(settings.edit, |form, name| form.with(name, &sent.get(name)));
    let (status, form) = again(typed, refused)?;
    settings.edit = form;
    Ok(page_with(status, &settings))
}

async fn forget(
    State(web): State<Web>,
    here: Here,
    At((_, id)): At<(String, HostId)>,
    sent: Sent,
) -> Result<Response, Problem> {
    let input = ForgetHost { name: sent.get("name"), gone: sent.get("gone") };
    let refused = match hosts::forget(web.actions(), here.actor()?, id, input).await {
        Ok(Forgotten { name, remains }) => {
            let list = SafeUrl::path(["t", &here.place()?.team.slug, "hosts"]);
            let shell = Shell::new(&here, format!("{name} is forgotten"), "Hosts")
                .crumb("Hosts", Some(list.clone()))
                .crumb(name.clone(), None);
            return Ok(page(&Gone { shell, name, remains, hosts: list }));
        }
        Err(refused) => refused,
    };
    let mut settings = Settings::new(&here, &hosts::get(web.actions(), here.actor()?, id).await?)?;
    let typed = settings.forget.with("name", &sent.get("name")).with("gone", &sent.get("gone"));
    let (status, form) = again(typed, refused)?;
    settings.forget = form;
    Ok(page_with(status, &settings))
}

/// The form once more, with why it was refused.
fn again(form: Form, refused: Refused) -> Result<(StatusCode, Form), Problem> {
    match refused {
        Refused::Fields(errors) => Ok((StatusCode::UNPROCESSABLE_ENTITY, form.refuse(&errors))),
        Refused::Conflict(why) => Ok((StatusCode::CONFLICT, form.refuse_whole(why))),
        other => Err(other.into()),
    }
}
