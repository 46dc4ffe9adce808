//! One's teams, and the form that makes another.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};

use crate::actions::{Refused, teams};
use crate::domain::help::Topic;
use crate::web::Web;
use crate::web::actor::Here;
use crate::web::error::Problem;
use crate::web::routes::{Policy, Routes};
use crate::web::ui::{Field, Form, SafeUrl, Sent, Shell, page_with};

/// The routes.
pub fn routes() -> Routes {
    Routes::new().about(Topic::Members).get("/teams", Policy::Account, index).post("/teams", Policy::Account, create)
}

/// The page.
#[derive(Template)]
#[template(path = "teams/index.html")]
pub struct Index {
    /// The frame, with the teams.
    pub shell: Shell,
    /// The form that makes one.
    pub form: Option<Form>,
}

impl Index {
    /// The page, with what was typed.
    pub fn new(here: &Here, may_create: bool, name: &str) -> Self {
        let field =
            Field::text("name", "Another team").value(name).hint("With hosts, projects and members of its own.");
        let form = Form::new(SafeUrl::path(["teams"]), &here.token, "Create team", vec![field]).style("").inline();
        Self { shell: Shell::new(here, "Teams", "").crumb("Teams", None), form: may_create.then_some(form) }
    }
}

async fn index(State(web): State<Web>, here: Here) -> Result<Response, Problem> {
    let may = teams::may_create(web.actions(), here.account).await?;
    Ok(page_with(StatusCode::OK, &Index::new(&here, may, "")))
}

async fn create(State(web): State<Web>, here: Here, sent: Sent) -> Result<Response, Problem> {
    let name = sent.get("name");
    match teams::create(web.actions(), here.account, &here.name, &here.address, &name).await {
        Ok(team) => Ok(Redirect::to(SafeUrl::path(["t", &team.slug]).as_str()).into_response()),
        Err(Refused::Fields(fields)) => {
            let mut index = Index::new(&here, true, &name);
            index.form = index.form.map(|form| form.refuse(&fields));
            Ok(page_with(StatusCode::UNPROCESSABLE_ENTITY, &index))
        }
        Err(refused) => Err(refused.into()),
    }
}
