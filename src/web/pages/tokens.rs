//! Tokens of the API: one's own, and those of all for admins. A token's secret is shown once, on the page that answers the form.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use time::OffsetDateTime;
use tower_sessions::Session;

use crate::actions::tokens::{self, Made, NewToken, ScopeChoice, TokenLine};
use crate::actions::{Refused, panel};
use crate::domain::help::Topic;
use crate::domain::ids::TokenId;
use crate::domain::rights::{Permission, Role};
use crate::web::actor::{At, Here};
use crate::web::error::Problem;
use crate::web::routes::{Policy, Routes};
use crate::web::ui::{Choice, Field, Form, Input, SafeUrl, Sent, Shell, When, page_with};
use crate::web::{Web, session};

/// The routes.
pub fn routes() -> Routes {
    let view = Policy::Team(Permission::View);
    Routes::new().about(Topic::Token).get("/t/{team}/tokens", view, index).post("/t/{team}/tokens", view, create).post(
        "/t/{team}/tokens/{id}/revoke",
        view,
        revoke,
    )
}

/// A token and the button that ends it.
pub struct Row {
    /// The token.
    pub line: TokenLine,
    /// The button.
    pub end: Form,
}

/// The page.
#[derive(Template)]
#[template(path = "tokens/index.html")]
pub struct Index {
    /// The frame.
    pub shell: Shell,
    /// The secret that was just made, this once.
    pub made: Option<Made>,
    /// The tokens.
    pub rows: Vec<Row>,
    /// True where tokens of others are among them.
    pub others: bool,
    /// The form that makes one.
    pub form: Form,
    /// The panel's own address.
    pub base: String,
}

impl Index {
    /// The page of these tokens.
    pub fn new(base: String, here: &Here, lines: Vec<TokenLine>, scopes: Vec<ScopeChoice>) -> Result<Self, Problem> {
        let team = here.place()?.team.slug.clone();
        let row = |line: TokenLine| {
            let action = SafeUrl::path(["t", &team, "tokens", &line.id.to_string(), "revoke"]);
            Row { end: Form::act(action, &here.token, "End", "small"), line }
        };
        Ok(Self {
            shell: Shell::new(here, "Tokens", "").crumb("Tokens", None),
            made: None,
            others: lines.iter().any(|line| !line.mine),
            rows: lines.into_iter().map(row).collect(),
            form: form(&team, &here.token, scopes),
            base,
        })
    }

    fn when(&self, at: &OffsetDateTime) -> When {
        When::new(*at)
    }

    fn role(&self, line: &TokenLine) -> &'static str {
        line.role.word()
    }

    fn secret(&self, made: &Made) -> String {
        made.secret.expose().clone()
    }
}

/// The form that makes a token.
fn form(team: &str, token: &str, scopes: Vec<ScopeChoice>) -> Form {
    let role = |role: Role, hint: &str| Choice::new(role.word(), role.word(), hint);
    let roles = vec![
        role(Role::Viewer, "reads everything but secrets"),
        role(Role::Developer, "deploys and configures apps"),
        role(Role::Admin, "manages hosts, projects and members"),
        role(Role::Owner, "everything you may"),
    ];
    let mut places = vec![Choice::new("team", "The whole team", "")];
    places.extend(scopes.into_iter().map(|scope| Choice::new(scope.value, scope.words, "")));
    let days = ["7", "30", "90", "365"].map(|days| Choice::new(days, [days, " days"].concat(), ""));
    let mut days = days.to_vec();
    days.push(Choice::new("never", "Never", ""));
    let fields = vec![
        Field::text("name", "Name").empty("ci").hint("What it is for: history shows it beside your name."),
        Field::of(Input::Radio(roles), "role", "May at most")
            .value("developer")
            .hint("Never more than you may yourself, at the moment it is used."),
        Field::of(Input::Select(places), "scope", "In").value("team"),
        Field::of(Input::Select(days), "days", "Runs out after").value("90"),
    ];
    Form::new(SafeUrl::path(["t", team, "tokens"]), token, "Make token", fields)
}

async fn page(web: &Web, here: &Here) -> Result<Index, Problem> {
    let lines = tokens::list(web.actions(), here.actor()?).await?;
    let scopes = tokens::scopes(web.actions(), here.actor()?).await?;
    let own = || web.base_url().as_str().trim_end_matches('/').to_owned();
    let base = panel::named_url(web.actions()).await?.unwrap_or_else(own);
    Index::new(base, here, lines, scopes)
}

async fn index(State(web): State<Web>, here: Here) -> Result<Response, Problem> {
    Ok(page_with(StatusCode::OK, &page(&web, &here).await?))
}

async fn create(State(web): State<Web>, here: Here, sent: Sent) -> Result<Response, Problem> {
    let names = ["name", "role", "scope", "days"];
    let [name, role, scope, days] = names.map(|name| sent.get(name));
    match tokens::create(web.actions(), here.actor()?, NewToken { name, role, scope, days }).await {
        Ok(made) => {
            let mut page = page(&web, &here).await?;
            page.made = Some(made);
            Ok(page_with(StatusCode::OK, &page))
        }
        Err(Refused::Fields(errors)) => {
            let mut page = page(&web, &here).await?;
            let typed = names.iter().fold(page.form, |form, name| form.with(name, &sent.get(name)));
            page.form = typed.refuse(&errors);
            Ok(page_with(StatusCode::UNPROCESSABLE_ENTITY, &page))
        }
        Err(refused) => Err(refused.into()),
    }
}

async fn revoke(
    State(web): State<Web>,
    here: Here,
    session: Session,
    At((_, id)): At<(String, TokenId)>,
) -> Result<Response, Problem> {
    tokens::revoke(web.actions(), here.actor()?, id).await?;
    session::flash(&session, "The token opens nothing any more.").await?;
    Ok(Redirect::to(SafeUrl::path(["t", &here.place()?.team.slug, "tokens"]).as_str()).into_response())
}
