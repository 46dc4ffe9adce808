//! An app's plain variables and its secrets. Not here: a secret's value; nothing gives one back.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use tower_sessions::Session;

use super::configuration::{removed, saved};
use super::{Head, In};
use crate::actions::apps::{self, AppView, SetVariable, VariableLine};
use crate::actions::secrets::{self, SecretLine, SetSecret};
use crate::actions::{FieldError, Refused};
use crate::domain::help::Topic;
use crate::domain::ids::AppId;
use crate::domain::rights::Permission;
use crate::web::Web;
use crate::web::actor::{At, Here};
use crate::web::error::Problem;
use crate::web::routes::{Policy, Routes};
use crate::web::ui::{Field, Form, Input, SafeUrl, Sent, Shell, When, page_with};

/// The routes.
pub fn routes() -> Routes {
    let (view, edit) = (Policy::Team(Permission::View), Policy::Team(Permission::EditApps));
    Routes::new()
        .about(Topic::Variables)
        .get("/t/{team}/apps/{id}/variables", view, show)
        .post("/t/{team}/apps/{id}/variables", edit, set_variable)
        .post("/t/{team}/apps/{id}/variables/remove", edit, remove_variable)
        .about(Topic::Secrets)
        .post("/t/{team}/apps/{id}/secrets", edit, set_secret)
        .post("/t/{team}/apps/{id}/secrets/remove", edit, remove_secret)
}

/// A variable and the button that removes it.
pub struct VariableRow {
    /// The variable.
    pub line: VariableLine,
    /// The button.
    pub remove: Option<Form>,
}

/// A secret and the button that removes it.
pub struct SecretRow {
    /// The secret.
    pub line: SecretLine,
    /// True where the next deploy brings a newer version than the one in use.
    pub newer: bool,
    /// When it was set or replaced.
    pub changed: When,
    /// The button.
    pub remove: Option<Form>,
}

/// The page.
#[derive(Template)]
#[template(path = "apps/variables.html")]
pub struct Show {
    /// The frame.
    pub shell: Shell,
    /// The app's head.
    pub head: Head,
    /// Plain variables.
    pub variables: Vec<VariableRow>,
    /// Secrets.
    pub secrets: Vec<SecretRow>,
    /// The form for a variable, where one may.
    pub set_variable: Option<Form>,
    /// The form for a secret, where one may.
    pub set_secret: Option<Form>,
}

impl Show {
    /// The page of this app.
    pub fn new(here: &Here, view: &AppView) -> Result<Self, Problem> {
        let (shell, head) = In::app(here, view, "Variables")?;
        let (team, id) = (here.place()?.team.slug.clone(), view.line.id.to_string());
        let at = |below: &str| SafeUrl::path(["t", &team, "apps", &id].into_iter().chain(below.split('/')));
        let removal = |below: &str, field: &'static str, value: String| {
            let mut form = Form::act(at(below), &here.token, "Remove", "small");
            for group in &mut form.groups {
                group.fields = vec![Field::hidden(field, value.clone())];
            }
            view.may.edit.then_some(form)
        };
        let variable = |line: &VariableLine| VariableRow {
            remove: removal("variables/remove", "name", line.name.clone()),
            line: line.clone(),
        };
        let secret = |line: &SecretLine| SecretRow {
            remove: removal("secrets/remove", "name", line.name.clone()),
            newer: line.in_use.is_some_and(|version| version != line.version),
            changed: When::new(line.changed_at),
            line: line.clone(),
        };
        Ok(Self {
            shell,
            head,
            variables: view.variables.iter().map(variable).collect(),
            secrets: view.secrets.iter().map(secret).collect(),
            set_variable: view.may.edit.then(|| variable_form(at("variables"), &here.token, &SetVariable::default())),
            set_secret: view.may.edit.then(|| secret_form(at("secrets"), &here.token, "")),
        })
    }
}

fn variable_form(action: SafeUrl, token: &str, input: &SetVariable) -> Form {
    let fields = vec![
        Field::code("name", "Name").value(&input.name),
        Field::of(Input::Area, "value", "Value").value(&input.value),
    ];
    Form::new(action, token, "Set variable", fields).style("")
}

fn secret_form(action: SafeUrl, token: &str, name: &str) -> Form {
    let fields = vec![
        Field::code("name", "Name").value(name),
        Field::of(Input::Area, "value", "Value").hint("An existing name gets a new version of its secret."),
    ];
    Form::new(action, token, "Set secret", fields).style("")
}

async fn show(State(web): State<Web>, here: Here, At((_, id)): At<(String, AppId)>) -> Result<Response, Problem> {
    let view = apps::get(web.actions(), here.actor()?, id).await?;
    Ok(page_with(StatusCode::OK, &Show::new(&here, &view)?))
}

/// Which of the two forms was refused.
enum Which {
    Variable(SetVariable),
    Secret(String),
}

async fn refused(web: &Web, here: &Here, id: AppId, which: Which, errors: &[FieldError]) -> Result<Response, Problem> {
    let view = apps::get(web.actions(), here.actor()?, id).await?;
    let mut show = Show::new(here, &view)?;
    let at = |below: &str| SafeUrl::path(["t", &head_team(&show), "apps", &id.to_string(), below]);
    match which {
        Which::Variable(input) => {
            show.set_variable = Some(variable_form(at("variables"), &here.token, &input).refuse(errors));
        }
        Which::Secret(name) => show.set_secret = Some(secret_form(at("secrets"), &here.token, &name).refuse(errors)),
    }
    Ok(page_with(StatusCode::UNPROCESSABLE_ENTITY, &show))
}

fn head_team(show: &Show) -> String {
    show.head.team.clone()
}

async fn set_variable(
    State(web): State<Web>,
    here: Here,
    session: Session,
    At((_, id)): At<(String, AppId)>,
    sent: Sent,
) -> Result<Response, Problem> {
    let input = SetVariable { name: sent.get("name"), value: sent.get("value") };
    match apps::set_variable(web.actions(), here.actor()?, id, input.clone()).await {
        Ok(()) => saved(&here, &session, id, "variables").await,
        Err(Refused::Fields(errors)) => refused(&web, &here, id, Which::Variable(input), &errors).await,
        Err(refused) => Err(refused.into()),
    }
}

async fn remove_variable(
    State(web): State<Web>,
    here: Here,
    session: Session,
    At((_, id)): At<(String, AppId)>,
    sent: Sent,
) -> Result<Response, Problem> {
    let done = apps::remove_variable(web.actions(), here.actor()?, id, &sent.get("name")).await;
    removed(&web, &here, &session, id, "variables", done).await
}

async fn set_secret(
    State(web): State<Web>,
    here: Here,
    session: Session,
    At((_, id)): At<(String, AppId)>,
    sent: Sent,
) -> Result<Response, Problem> {
    let input = SetSecret { name: sent.get("name"), value: sent.get("value") };
    match secrets::set(web.actions(), here.actor()?, id, input).await {
        Ok(_) => saved(&here, &session, id, "variables").await,
        Err(Refused::Fields(errors)) => refused(&web, &here, id, Which::Secret(sent.get("name")), &errors).await,
        Err(refused) => Err(refused.into()),
    }
}

async fn remove_secret(
    State(web): State<Web>,
    here: Here,
    session: Session,
    At((_, id)): At<(String, AppId)>,
    sent: Sent,
) -> Result<Response, Problem> {
    let done = secrets::remove(web.actions(), here.actor()?, id, &sent.get("name")).await;
    removed(&web, &here, &session, id, "variables", done).await
}
