//! What stands before every handler: is this request ours, who sends it, may they? Not here: rights on one app or host
//! (the action asks again, on the very thing).

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{ConnectInfo, Extension, RawPathParams, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http_body_util::{BodyExt, Limited};
use tower_sessions::Session;

use super::Web;
use super::actor::{Here, Newcomer};
use super::error::Problem;
use super::routes::{Policy, is_unsafe};
use super::{csrf, session};
use crate::actions::setup;
use crate::domain::names::Slug;

/// A form must have come in whole by then, however steadily it trickles.
const FORM_TIMEOUT: Duration = Duration::from_secs(30);

/// What the guard asks for at one route.
#[derive(Clone, Copy, Debug)]
pub struct Duty {
    /// Who may.
    pub policy: Policy,
    /// Most bytes of the body.
    pub body_bytes: usize,
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
        Ok(request) => next.run(request).await,
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
    let (mut parts, body) = request.into_parts();
    let act = is_unsafe(&parts.method);
    if act && !csrf::same_origin(&parts.headers, web.scheme_of(&parts.headers)) {
        return Err(Problem::Forged);
    }
    // Pages that ask for nobody do not look into the store: health must not hang on a database that does not answer.
    let signed_in = match duty.policy {
        Policy::Open | Policy::SetUp => None,
        Policy::Account | Policy::Team(_) => session::signed_in(session).await?,
    };
    let body = if act { take(body, duty.body_bytes).await? } else { Vec::new() };
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
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
    let address = peer.map(|peer| client(peer.0.ip(), &parts.headers, web.secure())).unwrap_or_default();
    match duty.policy {
        Policy::Open => {}
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

/// Where the request comes from. A panel known by an https address has a proxy in front of it; where that is on this
/// machine, its word counts: the last address it wrote, as anybody may have written those before.
fn client(peer: IpAddr, headers: &HeaderMap, proxied: bool) -> String {
    let said = || headers.get_all("x-forwarded-for").iter().next_back()?.to_str().ok()?.rsplit(',').next();
    let told = (proxied && peer.to_canonical().is_loopback()).then(said).flatten();
    told.and_then(|address| address.trim().parse::<IpAddr>().ok()).unwrap_or(peer).to_canonical().to_string()
}

/// The whole body, if it is not larger than the route takes and comes in time.
async fn take(body: Body, limit: usize) -> Result<Vec<u8>, Problem> {
    let whole = tokio::time::timeout(FORM_TIMEOUT, Limited::new(body, limit).collect());
    match whole.await {
        Ok(Ok(collected)) => Ok(collected.to_bytes().to_vec()),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => {
            Err(Problem::Unreadable(StatusCode::PAYLOAD_TOO_LARGE))
        }
        Ok(Err(error)) if slow(error.as_ref()) => Err(Problem::Unreadable(StatusCode::REQUEST_TIMEOUT)),
        Ok(Err(_)) => Err(Problem::Unreadable(StatusCode::BAD_REQUEST)),
        Err(_) => Err(Problem::Unreadable(StatusCode::REQUEST_TIMEOUT)),
    }
}

/// True where the body stood still for too long.
fn slow(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut causes = std::iter::successors(Some(error), |error| error.source());
    causes.any(|cause| cause.is::<tower_http::timeout::TimeoutError>())
}

fn given_token(headers: &HeaderMap, body: &[u8]) -> Option<String> {
    let header = headers.get(csrf::HEADER).and_then(|token| token.to_str().ok());
    header.map(str::to_owned).or_else(|| csrf::form_token(body))
}

/// What the browser calls itself, for the list of signed-in devices.
pub fn device(headers: &HeaderMap) -> String {
    /// Characters kept: the whole line is long and its end says nothing.
    const KEPT: usize = 200;
    let agent = headers.get(axum::http::header::USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
    agent.chars().take(KEPT).collect()
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use axum::http::HeaderMap;

    use super::client;

    #[test]
    fn only_the_proxy_of_an_https_panel_says_where_a_client_is() {
        let mut headers = HeaderMap::new();
        headers.append("x-forwarded-for", "192.0.2.1".parse().unwrap());
        headers.append("x-forwarded-for", "203.0.113.9, 198.51.100.7".parse().unwrap());
        let (proxy, stranger): (IpAddr, IpAddr) = ([127, 0, 0, 1].into(), [203, 0, 113, 5].into());
        assert_eq!(client(proxy, &headers, true), "198.51.100.7");
        assert_eq!(client(proxy, &headers, false), "127.0.0.1", "a panel without a proxy");
        assert_eq!(client(stranger, &headers, true), "203.0.113.5", "somebody who came past the proxy");
        headers.append("x-forwarded-for", "<script>".parse().unwrap());
        assert_eq!(client(proxy, &headers, true), "127.0.0.1");
    }
}
