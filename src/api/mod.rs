//! The door for programs: JSON under `/api/v1`, for whoever shows a token. What it takes and gives is described by the same
//! types that are read and written (`openapi.json`). Not here: pages, sessions, cookies; queries, hosts, jobs.

mod answer;
mod change;
mod follow;
mod guard;
mod openapi;
pub mod problem;
pub mod routes;
mod stream;
mod take;
pub mod v1;

use std::sync::Arc;

use axum::http::{HeaderName, HeaderValue, header};
use axum::{Extension, Router, middleware};
use tokio_util::sync::CancellationToken;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{DefaultPredicate, NotForContentType, Predicate};
use tower_http::set_header::SetResponseHeaderLayer;
use tower_http::timeout::RequestBodyTimeoutLayer;
use url::Url;

use crate::actions;
use crate::domain::VERSION;
use crate::door::seats::Seats;
use crate::door::{body, request_id};

/// Where all of it is.
pub const BASE: &str = "/api/v1";

/// What the calls stand on.
#[derive(Clone)]
pub struct Api(Arc<Inner>);

struct Inner {
    actions: actions::Ctx,
    base: Url,
    secure: bool,
    seats: Seats,
    shutdown: CancellationToken,
    document: String,
}

/// The door, ready to be served below [`BASE`], and the table of what is behind it.
pub struct Door {
    /// Every call behind its guard.
    pub router: Router,
    /// Method, path and policy of each.
    pub table: Vec<routes::Route>,
}

impl Api {
    /// The actions.
    pub fn actions(&self) -> &actions::Ctx {
        &self.0.actions
    }

    /// The panel's own address.
    pub fn base_url(&self) -> &Url {
        &self.0.base
    }

    /// True where it is called over https, through a proxy of this machine.
    fn secure(&self) -> bool {
        self.0.secure
    }

    /// Seats for what stays open.
    fn seats(&self) -> &Seats {
        &self.0.seats
    }

    /// Cancelled when the door closes.
    fn shutdown(&self) -> &CancellationToken {
        &self.0.shutdown
    }

    /// The description of all calls.
    fn document(&self) -> &str {
        &self.0.document
    }
}

/// The whole door, known to its users below `base`; `secure` says that they come over https. Streams end when `shutdown` is cancelled.
pub fn door(actions: actions::Ctx, base: Url, secure: bool, shutdown: CancellationToken) -> Door {
    let (router, table, document) = v1::routes().build();
    let api = Api(Arc::new(Inner { actions, base, secure, seats: Seats::default(), shutdown, document }));
    let compress = DefaultPredicate::new().and(NotForContentType::const_new(stream::NDJSON));
    // From the outside in: id, headers, the words of errors, panics, compression, the body's pace; the guard stands at each
    // call.
    let router = router
        .fallback(|| async { problem::Problem::NotFound })
        .layer(Extension(api.clone()))
        .layer(RequestBodyTimeoutLayer::new(body::PROGRESS))
        .layer(CompressionLayer::new().compress_when(compress))
        .layer(CatchPanicLayer::custom(|_| axum::response::IntoResponse::into_response(problem::Problem::Fault(None))))
        .layer(middleware::from_fn(problem::show));
    let router = headers(secure)
        .into_iter()
        .fold(router, |router, (name, value)| router.layer(SetResponseHeaderLayer::if_not_present(name, value)));
    Door { router: router.layer(middleware::from_fn(request_id::identify)).with_state(api), table }
}

/// What every answer carries: no browser makes a page of it, nothing keeps it.
fn headers(secure: bool) -> Vec<(HeaderName, HeaderValue)> {
    let mut headers = vec![
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
        (HeaderName::from_static("x-skiff-version"), HeaderValue::from_static(VERSION)),
    ];
    if secure {
        headers.push((header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000")));
    }
    headers
}
