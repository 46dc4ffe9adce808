//! The first run: whoever has the one-time link becomes the owner, and is signed in at once.

use askama::Template;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use tower_sessions::Session;

use super::login::with_token;
use crate::actions::Refused;
use crate::actions::setup::{self, SetUp};
use crate::domain::help::Topic;
use crate::door::client;
use crate::web::actor::Newcomer;
use crate::web::assets::{self, Links};
use crate::web::error::Problem;
use crate::web::routes::{Policy, Routes};
use crate::web::ui::{Field, Form, Input, SafeUrl, Sent, Way, page_with};
use crate::web::{Web, session};

/// The routes.
pub fn routes() -> Routes {
    Routes::new().about(Topic::SignIn).get("/setup", Policy::SetUp, show).post("/setup", Policy::SetUp, set_up)
}

/// The page.
#[derive(Template)]
#[template(path = "setup/show.html")]
pub struct Show {
    /// The assets.
    pub assets: Links,
    /// The way to the first running app.
    pub way: Way,
    /// The form.
    pub form: Form,
}

impl Show {
    /// The form, with what was typed.
    pub fn new(token: &str, input: &SetUp) -> Self {
        let fields = vec![
            Field::hidden("token", &input.token),
            Field::text("name", "Your name").value(&input.name).focus(),
            Field::of(Input::Email, "email", "E-mail").value(&input.email).hint("What you sign in with."),
            Field::of(Input::Password("new-password"), "password", "Password").hint("At least 12 characters."),
            Field::text("team", "Team")
                .value(&input.team)
                .hint("Who it all belongs to: a company, a group, a name of your own."),
        ];
        let form = Form::new(SafeUrl::path(["setup"]), token, "Become the owner", fields);
        Self { assets: assets::links(), way: Way::new(0), form }
    }
}

#[derive(serde::Deserialize)]
struct Asked {
    #[serde(default)]
    token: String,
}

async fn show(State(web): State<Web>, newcomer: Newcomer, Query(asked): Query<Asked>) -> Result<Response, Problem> {
    if !setup::opens(web.actions(), &asked.token).await? {
        return Err(Problem::Conflict(
            "This link was used, is too old, or a newer one was printed. On the panel's machine, sudo skiff setup prints a new one.".to_owned(),
        ));
    }
    let input = SetUp { token: asked.token, ..SetUp::default() };
    Ok(with_token(page_with(StatusCode::OK, &Show::new(&newcomer.token, &input)), &web, &newcomer))
}

async fn set_up(
    State(web): State<Web>,
    newcomer: Newcomer,
    session: Session,
    headers: HeaderMap,
    sent: Sent,
) -> Result<Response, Problem> {
    let input = SetUp {
        token: sent.get("token"),
        name: sent.get("name"),
        email: sent.get("email"),
        password: sent.get("password"),
        team: sent.get("team"),
    };
    match setup::create_owner(web.actions(), &newcomer.address, input.clone()).await {
        Ok(owner) => {
            session::sign_in(&session, owner.account, &client::agent(&headers), &newcomer.address).await?;
            Ok(Redirect::to(SafeUrl::path(["t", &owner.team]).as_str()).into_response())
        }
        Err(Refused::Fields(errors)) => {
            let mut show = Show::new(&newcomer.token, &input);
            show.form = show.form.refuse(&errors);
            Ok(with_token(page_with(StatusCode::UNPROCESSABLE_ENTITY, &show), &web, &newcomer))
        }
        Err(refused) => Err(refused.into()),
    }
}
