//! Where an app runs: the form on its configuration page, and scaling on its own page. Not here: what the numbers mean.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use tower_sessions::Session;

use super::configuration::{configuration_page, pairs, saved};
use crate::actions::apps::{self, AppView, PlaceApp};
use crate::actions::{Refused, deploys};
use crate::domain::help::Topic;
use crate::domain::ids::AppId;
use crate::domain::rights::Permission;
use crate::web::Web;
use crate::web::actor::{At, Here};
use crate::web::error::Problem;
use crate::web::routes::{Policy, Routes};
use crate::web::ui::{Count, Field, Form, Input, SafeUrl, Sent, page_with};

/// The routes.
pub fn routes() -> Routes {
    let (edit, deploy) = (Policy::Team(Permission::EditApps), Policy::Team(Permission::Deploy));
    Routes::new().about(Topic::WhereItRuns).post("/t/{team}/apps/{id}/placement", edit, place).post(
        "/t/{team}/apps/{id}/scale",
        deploy,
        scale,
    )
}

/// Whether there is a choice: with one host, how many instances is one number among the configuration.
pub fn matters(view: &AppView) -> bool {
    view.places.len() > 1
}

/// The form with the numbers as they are kept.
pub fn form(here: &Here, view: &AppView, to: &'static str, verb: &'static str) -> Result<Form, Problem> {
    let action = SafeUrl::path(["t", &here.place()?.team.slug, "apps", &view.line.id.to_string(), to]);
    let counts = view.places.iter().map(|place| Count {
        key: place.id.to_string(),
        label: place.name.clone(),
        hint: if place.ready { place.arch.clone() } else { "not ready".to_owned() },
        number: place.instances.to_string(),
    });
    let field = Field::of(Input::Counts(counts.collect()), "places", "Instances");
    Ok(Form::new(action, &here.token, verb, vec![field]).style(if to == "scale" { "" } else { "primary" }))
}

/// What was typed, in its places.
fn typed(mut form: Form, input: &PlaceApp) -> Form {
    for field in form.groups.iter_mut().flat_map(|group| &mut group.fields) {
        let Input::Counts(counts) = &mut field.input else { continue };
        for count in counts {
            if let Some(pair) = input.places.iter().find(|pair| pair.name == count.key) {
                count.number.clone_from(&pair.value);
            }
        }
    }
    form
}

/// The configuration page with the form refused.
async fn refused(
    web: &Web,
    here: &Here,
    id: AppId,
    to: &'static str,
    input: &PlaceApp,
    refused: Refused,
) -> Result<Response, Problem> {
    let Refused::Fields(errors) = refused else { return Err(refused.into()) };
    let view = apps::get(web.actions(), here.actor()?, id).await?;
    let mut show = configuration_page(here, &view, &view.configuration)?;
    let verb = if to == "scale" { "Scale" } else { "Save" };
    show.place = Some(typed(form(here, &view, to, verb)?, input).refuse(&errors));
    Ok(page_with(StatusCode::UNPROCESSABLE_ENTITY, &show))
}

async fn place(
    State(web): State<Web>,
    here: Here,
    session: Session,
    At((_, id)): At<(String, AppId)>,
    sent: Sent,
) -> Result<Response, Problem> {
    let input = PlaceApp { places: pairs(&sent, "places") };
    match apps::place(web.actions(), here.actor()?, id, input.clone()).await {
        Ok(()) => saved(&here, &session, id, "configuration").await,
        Err(error) => refused(&web, &here, id, "placement", &input, error).await,
    }
}

async fn scale(
    State(web): State<Web>,
    here: Here,
    At((_, id)): At<(String, AppId)>,
    sent: Sent,
) -> Result<Response, Problem> {
    let input = PlaceApp { places: pairs(&sent, "places") };
    match deploys::scale(web.actions(), here.actor()?, id, input.clone()).await {
        Ok(deploy) => {
            let page = SafeUrl::path(["t", &here.place()?.team.slug, "deploys", &deploy.to_string()]);
            Ok(Redirect::to(page.as_str()).into_response())
        }
        Err(error) => refused(&web, &here, id, "scale", &input, error).await,
    }
}
