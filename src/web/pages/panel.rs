//! The panel's own address: the name it is known by, one on trial, and the form that begins one. Not here: trying; that is a job.

use askama::Template;
use axum::extract::State;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use time::OffsetDateTime;
use tower_sessions::Session;

use crate::actions::Refused;
use crate::actions::panel::{self, AddressLine, AddressView, NewAddress};
use crate::domain::help::Topic;
use crate::domain::rights::Permission;
use crate::web::actor::Here;
use crate::web::error::Problem;
use crate::web::routes::{Policy, Routes};
use crate::web::ui::{Choice, Field, Form, Input, SafeUrl, Sent, Shell, When, page_with};
use crate::web::{Web, session};

/// The routes.
pub fn routes() -> Routes {
    let own = Policy::Team(Permission::OwnTeam);
    Routes::new()
        .about(Topic::PanelAddress)
        .get("/t/{team}/panel", own, show)
        .post("/t/{team}/panel/address", own, try_out)
        .post("/t/{team}/panel/address/confirm", own, confirm)
        .post("/t/{team}/panel/address/remove", own, remove)
}

/// The page.
#[derive(Template)]
#[template(path = "panel/show.html")]
pub struct Show {
    /// The frame.
    pub shell: Shell,
    /// The address.
    pub view: AddressView,
    /// The form that tries a name; none where no server could lead here.
    pub form: Option<Form>,
    /// The button that keeps the name on trial; there for who came under it.
    pub keep: Option<Form>,
    /// The button that gives the name up.
    pub give_up: Option<Form>,
    /// The page of certificates.
    pub certificates: SafeUrl,
    /// The page of hosts.
    pub hosts: SafeUrl,
    /// This page.
    pub own: SafeUrl,
    /// This page under the name on trial.
    pub under: Option<SafeUrl>,
}

impl Show {
    fn new(here: &Here, view: AddressView, under: &str) -> Result<Self, Problem> {
        let team = here.place()?.team.slug.clone();
        let at = |last: &[&str]| SafeUrl::path(["t", team.as_str(), "panel"].into_iter().chain(last.iter().copied()));
        let trial = view.trial.as_ref();
        let keep = trial.filter(|line| line.reached_at.is_some() && line.domain.as_ref().eq_ignore_ascii_case(under));
        let keep = keep.map(|line| {
            Form::act(at(&["address", "confirm"]), &here.token, format!("Keep {}", line.domain), "primary")
        });
        let some = trial.or(view.serving.as_ref());
        let give_up = some.map(|line| {
            Form::act(at(&["address", "remove"]), &here.token, format!("Give up {}", line.domain), "small")
        });
        let away = trial
            .filter(|line| line.reached_at.is_some())
            .and_then(|line| SafeUrl::web(&format!("{}{}", line.url, at(&[]).as_str())));
        Ok(Self {
            shell: Shell::new(here, "Panel", "").crumb("Panel", None),
            form: (!view.servers.is_empty()).then(|| form(&team, &here.token, &view)),
            keep,
            give_up,
            certificates: SafeUrl::path(["t", &team, "certificates"]),
            hosts: SafeUrl::path(["t", &team, "hosts"]),
            own: at(&[]),
            under: away,
            view,
        })
    }

    fn when(&self, at: &OffsetDateTime) -> When {
        When::new(*at)
    }

    fn href(&self, line: &AddressLine) -> SafeUrl {
        SafeUrl::web(&line.url).unwrap_or_else(|| self.own.clone())
    }

    /// What the certificate of a name is good for.
    fn certificate(&self, line: &AddressLine) -> String {
        match line.days_left {
            None => "none yet".to_owned(),
            Some(days) if days < 0 => "expired".to_owned(),
            Some(1) => "1 day left".to_owned(),
            Some(days) => format!("{days} days left"),
        }
    }
}

/// The form that tries a name.
fn form(team: &str, token: &str, view: &AddressView) -> Form {
    let made = view.servers.iter().find_map(|server| server.made_name.clone());
    let mut domain = Field::code("domain", "Name").empty("panel.example.org");
    domain = match &made {
        Some(made) => domain
            .hint(format!("Of your own, with a DNS record for the server's address; or {made}, which needs none.")),
        None => domain.hint("With a DNS record for the address of the server that the panel runs on."),
    };
    let mut fields = vec![domain];
    match view.servers.as_slice() {
        [one] => fields.push(Field::hidden("host", one.id.to_string())),
        many => {
            let choices =
                many.iter().map(|server| Choice::new(server.id.to_string(), server.name.clone(), "")).collect();
            let field = Field::of(Input::Select(choices), "host", "Server");
            fields.push(field.hint("The one the panel runs on: its proxy leads the name here."));
        }
    }
    Form::new(SafeUrl::path(["t", team, "panel", "address"]), token, "Try it", fields)
}

/// The name a request came under.
fn under(headers: &HeaderMap) -> String {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()?.parse::<Authority>().ok());
    host.map(|host| host.host().trim_end_matches('.').to_owned()).unwrap_or_default()
}

async fn drawn(web: &Web, here: &Here, headers: &HeaderMap) -> Result<Show, Problem> {
    Show::new(here, panel::address(web.actions(), here.actor()?).await?, &under(headers))
}

async fn show(State(web): State<Web>, here: Here, headers: HeaderMap) -> Result<Response, Problem> {
    Ok(page_with(StatusCode::OK, &drawn(&web, &here, &headers).await?))
}

async fn try_out(
    State(web): State<Web>,
    here: Here,
    session: Session,
    headers: HeaderMap,
    sent: Sent,
) -> Result<Response, Problem> {
    let input = NewAddress { domain: sent.get("domain"), host: sent.get("host"), keep: false };
    match panel::try_address(web.actions(), here.actor()?, input).await {
        Ok(()) => {
            session::flash(&session, "The name is being tried. This address goes on working, whatever comes of it.")
                .await?;
            back(&here)
        }
        Err(Refused::Fields(errors)) => {
            let mut page = drawn(&web, &here, &headers).await?;
            let typed =
                |form: Form| form.with("domain", &sent.get("domain")).with("host", &sent.get("host")).refuse(&errors);
            page.form = page.form.map(typed);
            Ok(page_with(StatusCode::UNPROCESSABLE_ENTITY, &page))
        }
        Err(refused) => Err(refused.into()),
    }
}

async fn confirm(
    State(web): State<Web>,
    here: Here,
    session: Session,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    panel::confirm_address(web.actions(), here.actor()?, &under(&headers)).await?;
    session::flash(&session, "This is the panel's address now. Links are made with it.").await?;
    back(&here)
}

async fn remove(State(web): State<Web>, here: Here, session: Session) -> Result<Response, Problem> {
    panel::give_up_address(web.actions(), here.actor()?).await?;
    session::flash(&session, "The name is given up, and leads here no more.").await?;
    back(&here)
}

fn back(here: &Here) -> Result<Response, Problem> {
    let page = SafeUrl::path(["t", &here.place()?.team.slug, "panel"]);
    Ok(Redirect::to(page.as_str()).into_response())
}
