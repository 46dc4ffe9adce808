//! What a host's proxy is told besides its apps: which proxies before it are believed, and the domain under which apps get
//! addresses. Not here: the port it listens on.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use tower_sessions::Session;

use crate::actions::hosts::{self, HostView};
use crate::actions::routes::{self, EditTrust, HostFront};
use crate::actions::{FieldError, Refused};
use crate::domain::help::Topic;
use crate::domain::ids::HostId;
use crate::domain::rights::Permission;
use crate::web::actor::{At, Here};
use crate::web::error::Problem;
use crate::web::pages::apps::Differences;
use crate::web::pages::told::Told;
use crate::web::routes::{Policy, Routes};
use crate::web::ui::{Choice, Field, Form, Input, SafeUrl, Sent, Shell, page, page_with};
use crate::web::{Web, session};

/// The routes.
pub fn routes() -> Routes {
    let manage = Policy::Team(Permission::ManageHosts);
    Routes::new()
        .about(Topic::RoutesOfHost)
        .get("/t/{team}/hosts/{id}/front", manage, show)
        .post("/t/{team}/hosts/{id}/trust", manage, set_trust)
        .post("/t/{team}/hosts/{id}/base-domain", manage, set_base_domain)
}

/// The page.
#[derive(Template)]
#[template(path = "hosts/front.html")]
pub struct Front {
    /// The frame.
    pub shell: Shell,
    /// What the host is called.
    pub name: String,
    /// The last time its proxy was told, where it is not over or went wrong.
    pub told: Option<Told>,
    /// The form of its domain.
    pub base: Form,
    /// The form of those who are believed.
    pub trust: Form,
    /// What saving it would change, where that was asked.
    pub differences: Option<Differences>,
}

impl Front {
    /// The page of this host.
    pub fn new(here: &Here, view: &HostView, front: &HostFront) -> Result<Self, Problem> {
        let (team, id) = (here.place()?.team.slug.clone(), view.line.id.to_string());
        let below = |what: &str| SafeUrl::path(["t", &team, "hosts", &id, what]);
        let own = SafeUrl::path(["t", &team, "hosts", &id]);
        let shell = Shell::new(here, format!("Proxy of {}", view.line.name), "Hosts")
            .crumb("Hosts", Some(SafeUrl::path(["t", &team, "hosts"])))
            .crumb(view.line.name.clone(), Some(own))
            .crumb("Proxy", None);
        let hint = match front.offered.as_str() {
            "" => "An app without a route of its own then gets app-environment under it. Every name below it must lead to this host.".to_owned(),
            offered => format!("An app without a route of its own then gets app-environment under it. Every name below {offered} leads to this host already; a domain of your own needs a wildcard record."),
        };
        let base = vec![Field::code("base_domain", "Domain").value(&front.base_domain).empty("none").hint(hint)];
        Ok(Self {
            shell,
            name: view.line.name.clone(),
            told: Told::of(&team, front.last.as_ref()),
            base: Form::new(below("base-domain"), &here.token, "Save", base).style(""),
            differences: None,
            trust: Form::new(below("trust"), &here.token, "Save", trusted(&front.trust))
                .also("see", "See what changes"),
        })
    }
}

fn trusted(input: &EditTrust) -> Vec<Field> {
    let cloudflare = vec![
        Choice::new("no", "Nobody", "the client is who connects"),
        Choice::new("yes", "Cloudflare", "its networks say who the client is"),
    ];
    vec![
        Field::hidden("as_of", &input.as_of),
        Field::of(Input::Radio(cloudflare), "cloudflare", "Before this host stands")
            .value(if input.cloudflare == "yes" { "yes" } else { "no" }),
        Field::of(Input::Area, "forwarded", "Proxies of your own")
            .value(&input.forwarded)
            .empty("none")
            .hint("Their networks, one a line. They put the client last into X-Forwarded-For, and say by X-Forwarded-Proto whether it came by HTTPS."),
        Field::of(Input::Area, "proxy_protocol", "Proxies with the PROXY protocol")
            .value(&input.proxy_protocol)
            .empty("none")
            .hint("Their networks, one a line. Each of their connections must begin with its line; without it, it is closed."),
    ]
}

async fn look(web: &Web, here: &Here, id: HostId) -> Result<(HostView, HostFront), Problem> {
    let view = hosts::get(web.actions(), here.actor()?, id).await?;
    Ok((view, routes::host_front(web.actions(), here.actor()?, id).await?))
}

async fn show(State(web): State<Web>, here: Here, At((_, id)): At<(String, HostId)>) -> Result<Response, Problem> {
    let (view, front) = look(&web, &here, id).await?;
    Ok(page(&Front::new(&here, &view, &front)?))
}

async fn saved(here: &Here, session: &Session, id: HostId, words: &str) -> Result<Response, Problem> {
    session::flash(session, words).await?;
    let page = SafeUrl::path(["t", &here.place()?.team.slug, "hosts", &id.to_string(), "front"]);
    Ok(Redirect::to(page.as_str()).into_response())
}

async fn set_trust(
    State(web): State<Web>,
    here: Here,
    session: Session,
    At((_, id)): At<(String, HostId)>,
    sent: Sent,
) -> Result<Response, Problem> {
    let names = ["cloudflare", "forwarded", "proxy_protocol", "as_of"];
    let [cloudflare, forwarded, proxy_protocol, as_of] = names.map(|name| sent.get(name));
    let input = EditTrust { cloudflare, forwarded, proxy_protocol, as_of };
    let refused = if sent.get("see").is_empty() {
        match routes::set_trust(web.actions(), here.actor()?, id, input.clone()).await {
            Ok(_) => return saved(&here, &session, id, "Saved. The proxy is being told.").await,
            Err(refused) => refused,
        }
    } else {
        match routes::preview_trust(web.actions(), here.actor()?, id, &input).await {
            Ok(found) => {
                let (view, front) = look(&web, &here, id).await?;
                let mut show = typed(&here, &view, front, input, &[])?;
                show.differences = Some(Differences { hosts: vec![found] });
                return Ok(page(&show));
            }
            Err(refused) => refused,
        }
    };
    let (view, front) = look(&web, &here, id).await?;
    let errors = if let Refused::Fields(errors) = &refused { errors.as_slice() } else { &[] };
    let mut show = typed(&here, &view, front, input, errors)?;
    let (status, form) = again(show.trust, refused)?;
    show.trust = form;
    Ok(page_with(status, &show))
}

/// The page with what was typed about those who are believed, of which this was refused.
fn typed(
    here: &Here,
    view: &HostView,
    front: HostFront,
    input: EditTrust,
    errors: &[FieldError],
) -> Result<Front, Problem> {
    let (now, from) = (front.trust.as_of.clone(), input.as_of.clone());
    let mut show = Front::new(here, view, &HostFront { trust: EditTrust { as_of: now, ..input }, ..front })?;
    show.trust = show.trust.made_from(&from, errors);
    Ok(show)
}

async fn set_base_domain(
    State(web): State<Web>,
    here: Here,
    session: Session,
    At((_, id)): At<(String, HostId)>,
    sent: Sent,
) -> Result<Response, Problem> {
    let refused = match routes::set_base_domain(web.actions(), here.actor()?, id, &sent.get("base_domain")).await {
        Ok(()) => return saved(&here, &session, id, "Saved. Addresses that were given stay.").await,
        Err(refused) => refused,
    };
    let (view, front) = look(&web, &here, id).await?;
    let mut show = Front::new(&here, &view, &front)?;
    let (status, form) = again(show.base.with("base_domain", &sent.get("base_domain")), refused)?;
    show.base = form;
    Ok(page_with(status, &show))
}

/// The form once more, with why it was refused.
fn again(form: Form, refused: Refused) -> Result<(StatusCode, Form), Problem> {
    match refused {
        Refused::Fields(errors) => Ok((StatusCode::UNPROCESSABLE_ENTITY, form.refuse(&errors))),
        Refused::Conflict(why) => Ok((StatusCode::CONFLICT, form.refuse_whole(why))),
        other => Err(other.into()),
    }
}
