//! Whether the process lives, whether it can work, and whether a name leads to it. For machines: plain text.

use axum::extract::State;
use axum::http::StatusCode;

use crate::actions::panel;
use crate::web::Web;
use crate::web::actor::At;
use crate::web::error::Problem;
use crate::web::routes::{Policy, Routes};

/// The routes.
pub fn routes() -> Routes {
    Routes::new().get("/up", Policy::Open, up).get("/ready", Policy::Open, ready).get(
        "/.well-known/skiff-panel/{nonce}",
        Policy::Open,
        proof,
    )
}

/// Says what was asked back where it is what this panel proves itself with: a name that is tried leads to this very one then.
async fn proof(State(web): State<Web>, At(nonce): At<String>) -> Result<String, Problem> {
    match panel::proves(web.actions(), &nonce).await? {
        true => Ok(nonce),
        false => Err(Problem::NotFound),
    }
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
