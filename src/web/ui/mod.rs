//! Visible things that stand on more than one page: each a struct with its own template. Not here: whole pages.

mod badge;
mod drawn;
mod form;
mod linked;
mod log;
mod shell;
mod url;
mod way;
mod when;
mod whole;

pub use badge::{Badge, Shape, Tone};
pub use drawn::Drawn;
pub use form::{Choice, Count, Field, Form, Group, Input, Sent, about};
pub use linked::Linked;
pub use log::{LogText, Piece, pieces};
pub use shell::{Crumb, Shell, Tab};
pub use url::SafeUrl;
pub use way::Way;
pub use when::{Lasting, When, ago, lasting, mib};
pub use whole::Whole;

use askama::Template;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::error::Problem;

/// A page as an answer.
pub fn page(template: &impl Template) -> Response {
    page_with(StatusCode::OK, template)
}

/// A page with another status than 200.
pub fn page_with(status: StatusCode, template: &impl Template) -> Response {
    match template.render() {
        Ok(html) => (status, [(header::CONTENT_TYPE, "text/html; charset=utf-8")], html).into_response(),
        Err(error) => Problem::fault(error).into_response(),
    }
}
