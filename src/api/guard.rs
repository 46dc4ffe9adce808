//! What stands before every call: whose token is it, and may it? Cookies are never looked at, so that no page of others can
//! make a browser call. Not here: rights on one app or host (the action asks again, on the very thing).

use axum::body::Body;
use axum::extract::{Extension, Request, State};
use axum::http::{HeaderMap, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::Api;
use super::problem::{About, Problem};
use super::routes::Policy;
use crate::actions::tokens;
use crate::domain::help::Topic;
use crate::door::{body, client};

/// What the guard asks for at one call.
#[derive(Clone, Copy, Debug)]
pub struct Duty {
    /// Who may.
    pub policy: Policy,
    /// Most bytes of the body.
    pub body_bytes: usize,
    /// Where the docs say more about what is done here.
    pub help: Option<Topic>,
}

/// Lets the request through to its handler, with whose token it carries in its extensions, or says why not.
pub async fn guard(State(duty): State<Duty>, Extension(api): Extension<Api>, request: Request, next: Next) -> Response {
    match admit(duty, &api, request).await {
        Ok(request) => {
            let mut response = next.run(request).await;
            if let Some(topic) = duty.help {
                response.extensions_mut().insert(About(topic));
            }
            response
        }
        Err(problem) => problem.into_response(),
    }
}

async fn admit(duty: Duty, api: &Api, request: Request) -> Result<Request, Problem> {
    let (mut parts, body) = request.into_parts();
    if let Policy::Token(permission) = duty.policy {
        let shown = bearer(&parts.headers).ok_or(Problem::Token)?;
        let address = client::address(&parts, api.secure());
        let caller = tokens::caller(api.actions(), shown, &address).await?.ok_or(Problem::Token)?;
        caller.actor.may_somewhere(permission).map_err(|why| Problem::Forbidden(why.to_string()))?;
        parts.extensions.insert(caller);
    }
    // A body is read only for somebody who may send one.
    let body = match parts.method {
        Method::GET | Method::HEAD => Body::empty(),
        _ => Body::from(body::take(&parts.headers, body, duty.body_bytes).await.map_err(Problem::of_status)?),
    };
    Ok(Request::from_parts(parts, body))
}

/// The token that is shown: in the one header it may be in.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut all = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(only), None) = (all.next(), all.next()) else { return None };
    let (scheme, token) = only.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_from_one_header_of_one_form() {
        let read = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::AUTHORIZATION, header::HeaderValue::from_static(value));
            }
            bearer(&headers).map(str::to_owned)
        };
        assert_eq!(read(&["Bearer skf_x"]).as_deref(), Some("skf_x"));
        assert_eq!(read(&["bearer  skf_x "]).as_deref(), Some("skf_x"));
        for wrong in [&[][..], &["skf_x"], &["Basic YTpi"], &["Bearer"], &["Bearer a", "Bearer b"]] {
            assert_eq!(read(wrong), None, "{wrong:?}");
        }
    }
}
