//! The description of all calls. It says nothing of any team, and is open.

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};

use crate::api::Api;
use crate::api::openapi::{Answer, Gives};
use crate::api::routes::{Routes, get};
use crate::domain::rights::Permission;

/// The calls.
pub fn routes() -> Routes {
    let read = get("/openapi.json", Permission::View).open();
    Routes::new().add(read.title("This document").gives::<Document>(), show)
}

/// The document itself.
struct Document;

impl Gives for Document {
    fn answer() -> Answer {
        Answer::of_media::<serde_json::Value>("OpenAPI 3.1.", &["application/json"])
    }
}

async fn show(State(api): State<Api>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], api.document().to_owned()).into_response()
}
