//! The form that makes an app: what must be said first, the rest folded with defaults that work.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};

use super::configuration::{
    build_fields, change_fields, health_fields, kind_fields, pairs, read_configuration, read_source, registry_fields,
    rows, size_fields, source_fields,
};
use crate::actions::Refused;
use crate::actions::apps::{self, NewApp, NewAppForm, NewRoute, Pair};
use crate::actions::volumes::NewVolume;
use crate::domain::help::Topic;
use crate::domain::rights::Permission;
use crate::web::Web;
use crate::web::actor::Here;
use crate::web::error::Problem;
use crate::web::routes::{Policy, Routes};
use crate::web::ui::{Choice, Field, Form, Input, SafeUrl, Sent, Shell, Way, page_with};

/// The routes.
pub fn routes() -> Routes {
    let edit = Policy::Team(Permission::EditApps);
    Routes::new().about(Topic::Sources).get("/t/{team}/apps/new", edit, show).post("/t/{team}/apps", edit, create)
}

/// The page.
#[derive(Template)]
#[template(path = "apps/new.html")]
pub struct New {
    /// The frame.
    pub shell: Shell,
    /// The way to the first running app, while one is on it.
    pub way: Option<Way>,
    /// The form.
    pub form: Form,
}

impl New {
    /// The form, offering this, with what was typed.
    pub fn new(here: &Here, offer: &NewAppForm, input: &NewApp) -> Result<Self, Problem> {
        let team = &here.place()?.team.slug;
        let list = SafeUrl::path(["t", team, "apps"]);
        let configuration = &input.configuration;
        let mut first =
            vec![Field::text("name", "Name").value(&input.name).hint("What people call it: web, api, worker.").focus()];
        first.extend(source_fields(&input.source));
        first.extend(kind_fields(configuration));
        first.push(
            rows("routes", "Route", "Domain", "Path", false, &route_pairs(&input.routes))
                .hint(["Where it shall answer. Here, ", &offer.domain_hint, " works without any DNS. Left empty, it gets one under its host's domain, where the host has one."].concat())
                .when("kind=web"),
        );
        let form = Form::new(list.clone(), &here.token, "Create app", first)
            .folded("Place", &place_hint(offer), "", place_fields(offer, input))
            .folded(
                "Variables and secrets",
                "what every instance gets",
                "",
                vec![
                    rows("variables", "Variables", "Name", "Value", false, &input.variables),
                    rows("secrets", "Secrets", "Name", "Value", true, &input.secrets)
                        .hint("Sealed, and never shown again."),
                ],
            )
            .folded("Build", "Dockerfile, folder, stage, arguments", "from=git", build_fields(&input.source))
            .folded("Registry login", "only where it wants one", "from=image", registry_fields(&input.source))
            .folded("Health", "how it proves that it is well", "", health_fields(configuration))
            .folded("Size", "instances, memory, CPU", "", size_fields(configuration, true))
            .folded(
                "Volumes",
                "data that outlives a deploy",
                "",
                vec![rows("volumes", "Volumes", "Name", "Path in the container", false, &volume_pairs(&input.volumes))],
            )
            .folded("From one release to the next", "drain, stop, watch", "", change_fields(configuration))
            .back(list.clone());
        let shell = Shell::new(here, "New app", "Apps").crumb("Apps", Some(list)).crumb("New app", None);
        Ok(Self { shell, way: offer.environments.is_empty().then(|| Way::new(2)), form })
    }
}

fn place_hint(offer: &NewAppForm) -> String {
    let environment = offer.environments.first().map_or("Main / prod", |choice| &choice.words);
    let host = offer.hosts.first().map_or("no host yet", |host| &host.name);
    [environment, " on ", host].concat()
}

fn place_fields(offer: &NewAppForm, input: &NewApp) -> Vec<Field> {
    let environments = offer.environments.iter().map(|choice| Choice::new(choice.id.to_string(), &choice.words, ""));
    let environments: Vec<Choice> = match offer.environments.is_empty() {
        true => vec![Choice::new("", "Main / prod (made with the app)", "")],
        false => environments.collect(),
    };
    let word = |ready: bool| if ready { "" } else { " (not ready)" };
    let hosts = offer
        .hosts
        .iter()
        .map(|host| Choice::new(host.id.to_string(), [host.name.as_str(), word(host.ready)].concat(), ""));
    let hosts: Vec<Choice> = match offer.hosts.is_empty() {
        true => vec![Choice::new("", "no host yet", "")],
        false => hosts.collect(),
    };
    vec![
        Field::of(Input::Select(environments), "environment", "Environment").value(&input.environment),
        Field::of(Input::Select(hosts), "host", "Host").value(&input.host),
    ]
}

fn route_pairs(routes: &[NewRoute]) -> Vec<Pair> {
    routes.iter().map(|route| Pair { name: route.domain.clone(), value: route.path.clone() }).collect()
}

fn volume_pairs(volumes: &[NewVolume]) -> Vec<Pair> {
    volumes.iter().map(|volume| Pair { name: volume.name.clone(), value: volume.path.clone() }).collect()
}

/// Rows in which something was typed.
fn typed(pairs: Vec<Pair>) -> impl Iterator<Item = Pair> {
    pairs.into_iter().filter(|pair| !pair.name.is_empty() || !pair.value.is_empty())
}

async fn show(State(web): State<Web>, here: Here) -> Result<Response, Problem> {
    let offer = apps::new_form(web.actions(), here.actor()?).await?;
    let input = NewApp { configuration: offer.configuration.clone(), ..NewApp::default() };
    Ok(page_with(StatusCode::OK, &New::new(&here, &offer, &input)?))
}

async fn create(State(web): State<Web>, here: Here, sent: Sent) -> Result<Response, Problem> {
    let input = NewApp {
        name: sent.get("name"),
        environment: sent.get("environment"),
        host: sent.get("host"),
        source: read_source(&sent),
        configuration: read_configuration(&sent),
        routes: typed(pairs(&sent, "routes")).map(|pair| NewRoute { domain: pair.name, path: pair.value }).collect(),
        variables: typed(pairs(&sent, "variables")).collect(),
        secrets: typed(pairs(&sent, "secrets")).collect(),
        volumes: typed(pairs(&sent, "volumes")).map(|pair| NewVolume { name: pair.name, path: pair.value }).collect(),
    };
    match apps::create(web.actions(), here.actor()?, input.clone()).await {
        Ok(id) => {
            let page = SafeUrl::path(["t", &here.place()?.team.slug, "apps", &id.to_string()]);
            Ok(Redirect::to(page.as_str()).into_response())
        }
        Err(Refused::Fields(errors)) => {
            let offer = apps::new_form(web.actions(), here.actor()?).await?;
            let mut new = New::new(&here, &offer, &input)?;
            new.form = new.form.refuse(&errors);
            Ok(page_with(StatusCode::UNPROCESSABLE_ENTITY, &new))
        }
        Err(refused) => Err(refused.into()),
    }
}
