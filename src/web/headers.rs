//! What every answer carries, and what every request must: the panel's own host name, the security headers.
//! Not here: cookies, rights.

use std::sync::OnceLock;

use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::Web;
use super::error::Problem;
use crate::domain::ingress::PROOF_PATH;

/// A nonce that lets one inline style sheet of a page through the policy; put into the answer's extensions by pages
/// that draw a terminal.
#[derive(Clone, Debug)]
pub struct StyleNonce(pub String);

/// Health is asked for by machines that know the panel by another name.
const ANY_HOST: [&str; 2] = ["/up", "/ready"];

/// Refuses requests under a name that is not the panel's: links and cookies are made for that name alone, and a foreign
/// domain that points here must not reach it.
pub async fn check_host(State(web): State<Web>, request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let host = host.and_then(|host| host.parse::<Authority>().ok());
    let known = host.is_some_and(|host| web.answers_to(&host));
    let path = request.uri().path();
    if known || ANY_HOST.contains(&path) || path.starts_with(PROOF_PATH) {
        return next.run(request).await;
    }
    Problem::WrongHost { base: web.base_url().to_string() }.into_response()
}

/// Sets the security headers.
pub async fn secure(State(web): State<Web>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let nonce = response.extensions_mut().remove::<StyleNonce>();
    let headers = response.headers_mut();
    let mut set = |name: HeaderName, value: &'static str| {
        headers.insert(name, HeaderValue::from_static(value));
    };
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::X_FRAME_OPTIONS, "DENY");
    set(header::REFERRER_POLICY, "same-origin");
    set(HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
    set(HeaderName::from_static("cross-origin-resource-policy"), "same-origin");
    set(HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=(), payment=(), usb=()");
    if web.secure() {
        set(header::STRICT_TRANSPORT_SECURITY, "max-age=31536000");
    }
    // What is shown is of one person and of this moment.
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    static PLAIN: OnceLock<Option<HeaderValue>> = OnceLock::new();
    let make = |nonce| HeaderValue::from_str(&content_policy(nonce)).ok();
    let policy = match &nonce {
        None => PLAIN.get_or_init(|| make(None)).clone(),
        Some(nonce) => make(Some(nonce)),
    };
    if let Some(policy) = policy {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}

/// The content security policy: nothing but what this panel itself serves, and no inline script ever.
pub fn content_policy(nonce: Option<&StyleNonce>) -> String {
    let style = match nonce {
        Some(StyleNonce(nonce)) => ["style-src 'self' 'nonce-", nonce, "'"].concat(),
        None => "style-src 'self'".to_owned(),
    };
    [
        "default-src 'none'",
        "script-src 'self'",
        style.as_str(),
        "connect-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    ]
    .join("; ")
}
