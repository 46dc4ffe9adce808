//! The browser's door: pages, fragments, session, live logs. Not here: queries, hosts, jobs.

pub mod actor;
pub mod assets;
pub mod csrf;
pub mod error;
pub mod guard;
pub mod headers;
pub mod hooks;
pub mod live;
mod named;
pub mod pages;
pub mod routes;
pub mod session;
pub mod ui;

pub use named::{Named, choose};

use std::sync::Arc;

use axum::http::uri::Authority;
use axum::http::{HeaderMap, header};
use axum::{Extension, Router, middleware};
use tokio_util::sync::CancellationToken;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{DefaultPredicate, NotForContentType, Predicate};
use tower_http::timeout::RequestBodyTimeoutLayer;
use tower_sessions::SessionStore;
use url::Url;

use crate::actions;
use crate::door::seats::Seats;
use crate::door::{body, request_id};

/// What the pages stand on.
#[derive(Clone)]
pub struct Web(Arc<Inner>);

struct Inner {
    actions: actions::Ctx,
    base: Url,
    named: bool,
    streams: Seats,
    shutdown: CancellationToken,
}

/// The door, ready to be served, and the table of what is behind it.
pub struct Door {
    /// Every route behind its guard and the security headers.
    pub router: Router,
    /// Method, path and policy of each.
    pub table: Vec<routes::Route>,
}

impl Web {
    /// A door to these actions, known to its users under `base`. Live streams end when `shutdown` is cancelled.
    pub fn new(actions: actions::Ctx, base: Url, shutdown: CancellationToken) -> Self {
        Self(Arc::new(Inner { actions, base, named: false, streams: Seats::default(), shutdown }))
    }

    /// The same for who comes under a name of the panel's, through the proxy of its server: over https, whatever the base is.
    pub fn named(actions: actions::Ctx, base: Url, shutdown: CancellationToken) -> Self {
        Self(Arc::new(Inner { actions, base, named: true, streams: Seats::default(), shutdown }))
    }

    /// The actions.
    pub fn actions(&self) -> &actions::Ctx {
        &self.0.actions
    }

    /// The panel's own address.
    pub fn base_url(&self) -> &Url {
        &self.0.base
    }

    /// The live streams that are open.
    pub fn streams(&self) -> &Seats {
        &self.0.streams
    }

    /// Cancelled when the door closes.
    pub fn shutdown(&self) -> &CancellationToken {
        &self.0.shutdown
    }

    /// True where the panel is reached over https.
    pub fn secure(&self) -> bool {
        self.0.named || self.0.base.scheme() == "https"
    }

    /// True for the panel's own name, and for loopback, which nobody else can make a browser believe to be a foreign
    /// domain's.
    pub fn answers_to(&self, host: &Authority) -> bool {
        // Who comes under a name of the panel's was looked at before they came here.
        self.0.named || is_loopback(host) || self.is_base(host)
    }

    /// "https" or "http", as the page's origin says it for the host it was asked under.
    pub fn scheme_of(&self, headers: &HeaderMap) -> &str {
        if self.0.named {
            return "https";
        }
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()?.parse::<Authority>().ok());
        match host {
            Some(host) if is_loopback(&host) && !self.is_base(&host) => "http",
            _ => self.0.base.scheme(),
        }
    }

    fn is_base(&self, host: &Authority) -> bool {
        let https = self.0.base.scheme() == "https";
        let port = host.port_u16().or(if https { Some(443) } else { Some(80) });
        self.0.base.host_str().is_some_and(|base| base.eq_ignore_ascii_case(host.host()))
            && port == self.0.base.port_or_known_default()
    }
}

fn is_loopback(host: &Authority) -> bool {
    matches!(host.host(), "localhost" | "127.0.0.1" | "[::1]")
}

/// The whole door.
pub fn door(web: Web, sessions: Arc<dyn SessionStore>) -> Door {
    let (router, table) = pages::routes().build();
    let compress = DefaultPredicate::new().and(NotForContentType::const_new("font/"));
    // From the outside in: id, security headers, error pages, panics, the host's name, compression, the body's pace,
    // the session; the guard stands at each route.
    let router = router
        .fallback(|| async { error::Problem::NotFound })
        .layer(Extension(web.clone()))
        .layer(session::layer(session::Store(sessions), web.secure()))
        .layer(RequestBodyTimeoutLayer::new(body::PROGRESS))
        .layer(CompressionLayer::new().compress_when(compress))
        .layer(middleware::from_fn_with_state(web.clone(), headers::check_host))
        .layer(CatchPanicLayer::custom(|_| axum::response::IntoResponse::into_response(error::Problem::Fault(None))))
        .layer(middleware::from_fn(error::show))
        .layer(middleware::from_fn_with_state(web.clone(), headers::secure))
        .layer(middleware::from_fn(request_id::identify))
        .with_state(web);
    Door { router, table }
}
