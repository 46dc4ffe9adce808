//! What is left to see of an app that was removed: by whom and when, what is still on its way from its hosts, and its history.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;

use crate::actions::FieldError;
use crate::actions::apps::{self, Gone};
use crate::domain::ids::AppId;
use crate::web::Web;
use crate::web::actor::Here;
use crate::web::error::Problem;
use crate::web::pages::deploys;
use crate::web::ui::{Field, Form, SafeUrl, Shape, Shell, When, page_with};

/// The page.
#[derive(Template)]
#[template(path = "apps/gone.html")]
pub struct Show {
    /// The frame.
    pub shell: Shell,
    /// The app.
    pub view: Gone,
    /// When it was removed.
    pub when: When,
    /// The page of the job that takes away what is left.
    pub job: Option<SafeUrl>,
    /// The page of its releases.
    pub releases: SafeUrl,
    /// Where its volumes are found.
    pub projects: SafeUrl,
    /// This page.
    pub own: SafeUrl,
    /// The form that goes on with its removal.
    pub again: Option<Form>,
    /// Its deploys.
    pub deploys: deploys::Table,
}

impl Show {
    fn new(here: &Here, view: Gone) -> Result<Self, Problem> {
        let team = here.place()?.team.slug.clone();
        let id = view.id.to_string();
        let typed = Field::code("name", format!("Type {} to go on with its removal", view.name)).exactly(&view.name);
        let action = SafeUrl::path(["t", &team, "apps", &id, "remove"]);
        let again = || Form::new(action, &here.token, "Go on removing it", vec![typed]).style("danger").inline();
        Ok(Self {
            shell: Shell::new(here, view.name.clone(), "Apps")
                .crumb("Apps", Some(SafeUrl::path(["t", &team, "apps"])))
                .crumb(view.name.clone(), None),
            when: When::new(view.removed_at),
            job: view.job.map(|job| SafeUrl::path(["t", &team, "jobs", &job.to_string()])),
            releases: SafeUrl::path(["t", &team, "apps", &id, "releases"]),
            projects: SafeUrl::path(["t", &team, "projects"]),
            own: SafeUrl::path(["t", &team, "apps", &id]),
            again: view.may_remove.then(again),
            deploys: deploys::Table { team, deploys: view.deploys.clone() },
            view,
        })
    }
}

/// The page of a removed app; not found for one that never was, or may not be seen.
pub async fn show(web: &Web, here: &Here, id: AppId) -> Result<Response, Problem> {
    let view = apps::gone(web.actions(), here.actor()?, id).await?;
    // Not 410: whoever has the app's page open is shown this in its place.
    Ok(page_with(StatusCode::OK, &Show::new(here, view)?))
}

/// The same, with what was refused.
pub async fn refused(web: &Web, here: &Here, id: AppId, errors: &[FieldError]) -> Result<Response, Problem> {
    let view = apps::gone(web.actions(), here.actor()?, id).await?;
    let mut show = Show::new(here, view)?;
    show.again = show.again.map(|form| form.refuse(errors));
    Ok(page_with(StatusCode::UNPROCESSABLE_ENTITY, &show))
}
