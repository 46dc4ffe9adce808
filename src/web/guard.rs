//! What stands before every handler: is this request ours, who sends it, may they? Not here: rights on one app or host
//! (the action asks again, on the very thing).

use axum::body::Body;
use axum::extract::{Extension, RawPathParams, Request, State};
use axum::http::HeaderMap;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tower_sessions::Session;

use super::Web;
use super::actor::{Here, Newcomer};
use super::error::{About, Problem};
use super::routes::{Policy, is_unsafe};
use super::{csrf, session, ui};
use crate::actions::setup;
use crate::domain::help::Topic;
use crate::domain::names::Slug;
use crate::door::{body, client};

/// What the guard asks for at one route.
#[derive(Clone, Copy, Debug)]
pub struct Duty {
    /// Who may.
    pub policy: Policy,
    /// Most bytes of the body.
    pub body_bytes: usize,
    /// Where the docs say more about what is done here.
    pub help: Option<Topic>,
}

/// Lets the request through to its handler, with who sent it in its extensions, or says why not.
pub async fn guard(
    State(duty): State<Duty>,
    Extension(web): Extension<Web>,
    session: Session,
    params: RawPathParams,
    request: Request,
    next: Next,
) -> Response {
    match admit(duty, &web, &session, &params, request).await {
        Ok(request) => {
            let Some(topic) = duty.help else { return next.run(request).await };
            // Forms that are drawn meanwhile know where to lead whom they refuse, and so does a page of a problem.
            let mut response = ui::about(topic, next.run(request)).await;
            response.extensions_mut().insert(About(topic));
            response
        }
        Err(problem) => problem.into_response(),
    }
}

async fn admit(
    duty: Duty,
    web: &Web,
    session: &Session,
    params: &RawPathParams,
    request: Request,
) -> Result<Request, Problem> {
    if duty.policy == Policy::Signed {
        // No cookie is looked at and no form is read: the handler takes the body as it came and asks for its signature.
        return Ok(request);
    }
    let (mut parts, body) = request.into_parts();
    let act = is_unsafe(&parts.method);
    if act && !csrf::same_origin(&parts.headers, web.scheme_of(&parts.headers)) {
        return Err(Problem::Forged);
    }
    // Pages that ask for nobody do not look into the store: health must not hang on a database that does not answer.
    let signed_in = match duty.policy {
        Policy::Open | Policy::SetUp | Policy::Signed => None,
        Policy::Account | Policy::Team(_) => session::signed_in(session).await?,
    };
    let body = match act {
        true => body::take(&parts.headers, body, duty.body_bytes).await.map_err(Problem::Unreadable)?,
        false => Vec::new(),
    };
    let cookie = csrf::cookie_token(&parts.headers, web.secure());
    let wanted = match &signed_in {
        Some(signed_in) => Some(signed_in.token.clone()),
        None => cookie.clone(),
    };
    if act {
        // Who is not signed in any more is told that, not that the form is bad.
        if signed_in.is_none() && matches!(duty.policy, Policy::Account | Policy::Team(_)) {
            return Err(Problem::SignIn { back: String::new() });
        }
        let given = given_token(&parts.headers, &body);
        if !wanted.as_deref().zip(given.as_deref()).is_some_and(|(wanted, given)| csrf::same(wanted, given)) {
            return Err(Problem::Forged);
        }
    }
    let address = client::address(&parts, web.secure());
    match duty.policy {
        Policy::Open | Policy::Signed => {}
        Policy::SetUp => {
            if setup::stage(web.actions()).await? == setup::Stage::Done {
                return Err(Problem::NotFound);
            }
        }
        Policy::Account | Policy::Team(_) if signed_in.is_none() => {
            return Err(Problem::SignIn { back: parts.uri.path().to_owned() });
        }
        Policy::Account => {}
        Policy::Team(_) => {}
    }
    if let (Some(signed_in), Policy::Account | Policy::Team(_)) = (&signed_in, duty.policy) {
        let team = params.iter().find(|(name, _)| *name == "team").map(|(_, slug)| slug);
        if team.is_some_and(|team| team.parse::<Slug>().is_err()) {
            return Err(Problem::NotFound);
        }
        let here = Here::find(web, session, signed_in, team, &address).await?;
        if let Policy::Team(permission) = duty.policy {
            let place = here.place.as_ref().ok_or(Problem::NotFound)?;
            place.actor.may_somewhere(permission).map_err(|why| Problem::Forbidden(why.to_string()))?;
        }
        parts.extensions.insert(here);
    } else {
        let token = wanted.unwrap_or_else(csrf::token);
        parts.extensions.insert(Newcomer { token, address });
    }
    Ok(Request::from_parts(parts, if act { Body::from(body) } else { Body::empty() }))
}

fn given_token(headers: &HeaderMap, body: &[u8]) -> Option<String> {
    let header = headers.get(csrf::HEADER).and_then(|token| token.to_str().ok());
    header.map(str::to_owned).or_else(|| csrf::form_token(body))
}
