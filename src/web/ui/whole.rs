//! A whole page kept beside the view it was drawn from, for the session it was drawn for: it holds that session's form token.
//! Not here: how long a view is kept.

use askama::Template;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;

use crate::actions::{Refused, Weigh};
use crate::web::actor::Here;

/// The page.
pub struct Whole {
    token: String,
    html: Bytes,
}

impl Whole {
    /// Draws it. The template must show nothing that is shown once.
    pub fn new(here: &Here, template: &impl Template) -> Result<Self, Refused> {
        let html = template.render().map_err(|error| Refused::internal(&error))?;
        Ok(Self { token: here.token.clone(), html: html.into() })
    }

    /// The page, where it is this session's, and there is no sentence to be shown once.
    pub fn answer(&self, here: &Here) -> Option<Response> {
        let same = here.flash.is_none() && self.token == here.token;
        same.then(|| ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], self.html.clone()).into_response())
    }
}

impl Weigh for Whole {
    fn bytes(&self) -> usize {
        self.html.len()
    }
}
