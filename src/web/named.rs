//! Who comes under a name of the panel's, through the proxy of its server, has a door of their own: over https, with cookies that say
//! so. Not here: which names those are (`actions::panel`).

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, header, uri::Authority};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tower::ServiceExt;

use super::is_loopback;
use crate::actions::{self, panel};

/// The door under the panel's names.
#[derive(Clone)]
pub struct Named {
    /// What knows the names.
    pub actions: actions::Ctx,
    /// The door.
    pub door: Router,
}

/// Leads a request to the door under the panel's names where it came there, and on otherwise.
pub async fn choose(State(named): State<Named>, request: Request, next: Next) -> Response {
    let Some(name) = comes_named(&named.actions, request.headers()).await else { return next.run(request).await };
    let mut answer = named.door.oneshot(request).await.into_response();
    if !name.serving {
        // A browser that was told so for a year could not come to this name by plain http when it is something else's again.
        answer.headers_mut().remove(header::STRICT_TRANSPORT_SECURITY);
    }
    answer
}

/// Under which of its names the proxy of the panel's server brings a request, where it does. The proxy says for itself how it was
/// asked, and takes nobody's word for it; plain http it does not bring.
async fn comes_named(actions: &actions::Ctx, headers: &HeaderMap) -> Option<panel::Name> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    if text(header::HeaderName::from_static("x-forwarded-proto")) != Some("https") {
        return None;
    }
    let host = text(header::HOST).and_then(|host| host.parse::<Authority>().ok())?;
    if is_loopback(&host) {
        return None;
    }
    let known = |name: &panel::Name| {
        host.host().trim_end_matches('.').eq_ignore_ascii_case(name.domain.as_ref())
            && host.port_u16().unwrap_or(443) == name.port
    };
    panel::names(actions).await.ok()?.into_iter().find(known)
}
