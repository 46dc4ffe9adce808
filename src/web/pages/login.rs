//! Signing in and out.

use askama::Template;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use tower_sessions::Session;

use crate::actions::{Refused, accounts};
use crate::domain::help::Topic;
use crate::door::client;
use crate::web::actor::{Here, Newcomer};
use crate::web::assets::{self, Links};
use crate::web::error::Problem;
use crate::web::routes::{Policy, Routes};
use crate::web::ui::{Field, Form, Input, SafeUrl, Sent, page_with};
use crate::web::{Web, csrf, session};

/// The routes.
pub fn routes() -> Routes {
    Routes::new().about(Topic::SignIn).get("/login", Policy::Open, show).post("/login", Policy::Open, sign_in).post(
        "/logout",
        Policy::Account,
        sign_out,
    )
}

/// The page.
#[derive(Template)]
#[template(path = "login/show.html")]
pub struct Show {
    /// The assets.
    pub assets: Links,
    /// The form.
    pub form: Form,
}

fn form(token: &str, email: &str, back: &str) -> Form {
    let fields = vec![
        Field::hidden("back", back),
        Field::of(Input::Email, "email", "E-mail").value(email).focus(),
        Field::of(Input::Password("current-password"), "password", "Password"),
    ];
    Form::new(SafeUrl::path(["login"]), token, "Sign in", fields)
}

/// A page for somebody without a session: their token goes along in a cookie.
pub fn with_token(mut response: Response, web: &Web, newcomer: &Newcomer) -> Response {
    if let Ok(cookie) = csrf::set_cookie(&newcomer.token, web.secure()).parse() {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

fn drawn(web: &Web, newcomer: &Newcomer, status: StatusCode, form: Form) -> Response {
    with_token(page_with(status, &Show { assets: assets::links(), form }), web, newcomer)
}

#[derive(serde::Deserialize)]
struct Asked {
    #[serde(default)]
    back: String,
}

async fn show(
    State(web): State<Web>,
    newcomer: Newcomer,
    session: Session,
    axum::extract::Query(asked): axum::extract::Query<Asked>,
) -> Result<Response, Problem> {
    if session::signed_in(&session).await?.is_some() {
        return Ok(Redirect::to("/").into_response());
    }
    Ok(drawn(&web, &newcomer, StatusCode::OK, form(&newcomer.token, "", &asked.back)))
}

async fn sign_in(
    State(web): State<Web>,
    newcomer: Newcomer,
    session: Session,
    headers: HeaderMap,
    sent: Sent,
) -> Result<Response, Problem> {
    let input = accounts::SignIn { email: sent.get("email"), password: sent.get("password") };
    let form = form(&newcomer.token, &sent.get("email"), &sent.get("back"));
    match accounts::sign_in(web.actions(), &newcomer.address, input).await {
        Ok(signed_in) => {
            session::sign_in(&session, signed_in.account, &client::agent(&headers), &newcomer.address).await?;
            let back = SafeUrl::back(&sent.get("back"));
            Ok(Redirect::to(back.as_ref().map_or("/", SafeUrl::as_str)).into_response())
        }
        Err(Refused::Fields(fields)) => {
            Ok(drawn(&web, &newcomer, StatusCode::UNPROCESSABLE_ENTITY, form.refuse(&fields)))
        }
        Err(Refused::Conflict(why)) => {
            Ok(drawn(&web, &newcomer, StatusCode::UNPROCESSABLE_ENTITY, form.refuse_whole(why)))
        }
        Err(Refused::TooOften(why)) => {
            Ok(drawn(&web, &newcomer, StatusCode::TOO_MANY_REQUESTS, form.refuse_whole(why)))
        }
        Err(refused) => Err(refused.into()),
    }
}

async fn sign_out(_here: Here, session: Session) -> Result<Redirect, Problem> {
    session::sign_out(&session).await?;
    Ok(Redirect::to("/login"))
}
