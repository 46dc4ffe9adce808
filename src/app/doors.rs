//! The doors of HTTP, one beside the other: pages, and the API below its own path.

use std::sync::Arc;

use axum::{Router, middleware};
use tokio_util::sync::CancellationToken;
use tower_sessions::SessionStore;
use url::Url;

use crate::{actions, api, web};

/// All of them, ready to be served.
pub struct Doors {
    /// Every page and every call.
    pub router: Router,
    /// The pages: method, path and policy of each.
    pub pages: Vec<web::routes::Route>,
    /// The calls of the API: the same, below [`api::BASE`].
    pub calls: Vec<api::routes::Route>,
}

/// Opens them on these actions. Users know the panel under `base`; streams end when `shutdown` is cancelled.
pub fn open(actions: actions::Ctx, base: Url, sessions: Arc<dyn SessionStore>, shutdown: CancellationToken) -> Doors {
    let pages = web::door(web::Web::new(actions.clone(), base.clone(), shutdown.clone()), sessions.clone());
    let secure = base.scheme() == "https";
    let calls = api::door(actions.clone(), base.clone(), secure, shutdown.clone());
    // The same once more for who comes under a name of the panel's own.
    let named = web::door(web::Web::named(actions.clone(), base.clone(), shutdown.clone()), sessions);
    let door = named.router.nest(api::BASE, api::door(actions.clone(), base, true, shutdown).router);
    let router = pages.router.nest(api::BASE, calls.router);
    let router = router.layer(middleware::from_fn_with_state(web::Named { actions, door }, web::choose));
    Doors { router, pages: pages.table, calls: calls.table }
}
