//! A piece of a page that was drawn already, kept beside the view it was drawn from. Not here: anything that is of one session, as
//! forms are.

use std::fmt;

use askama::Template;
use askama::filters::HtmlSafe;

use crate::actions::{Refused, Weigh};

/// The text of a template; nothing else becomes one, so that everything in it was escaped.
pub struct Drawn(String);

impl Drawn {
    /// Draws it.
    pub fn new(template: &impl Template) -> Result<Self, Refused> {
        template.render().map(Self).map_err(|error| Refused::internal(&error))
    }
}

impl Weigh for Drawn {
    fn bytes(&self) -> usize {
        self.0.len()
    }
}

impl fmt::Display for Drawn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl HtmlSafe for Drawn {}
