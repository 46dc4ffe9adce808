//! Whether the process lives, and whether it can work. For machines: plain text.

use axum::extract::State;
use axum::http::StatusCode;

use crate::actions::panel;
use crate::web::Web;
use crate::web::routes::{Policy, Routes};

/// The routes.
pub fn routes() -> Routes {
    Routes::new().get("/up", Policy::Open, up).get("/ready", Policy::Open, ready)
}

async fn up() -> &'static str {
    "up\n"
}

async fn ready(State(web): State<Web>) -> (StatusCode, &'static str) {
    match panel::ready(web.actions()).await {
        Ok(()) => (StatusCode::OK, "ready\n"),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer\n"),
    }
}
