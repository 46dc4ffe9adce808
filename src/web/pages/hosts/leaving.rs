//! What a host still has of apps that were removed: it goes when the host answers. Not here: taking it away; that is a job.

use askama::Template;
use askama::filters::HtmlSafe;

use super::Show;
use crate::actions::apps::Leaving;
use crate::web::ui::{SafeUrl, Shape, When};

/// One app.
pub struct Row {
    /// The app.
    line: Leaving,
    /// When it was removed.
    when: When,
    /// The page of what is left to see of it.
    page: SafeUrl,
    /// What is still there: "1 instance, 2 images".
    left: String,
}

/// The apps.
#[derive(Template)]
#[template(path = "hosts/_leaving.html")]
pub struct Table {
    rows: Vec<Row>,
}

impl HtmlSafe for Table {}

impl Show {
    /// What is still here of removed apps.
    pub(super) fn leaving(&self) -> Table {
        let row = |line: &Leaving| Row {
            when: When::new(line.removed_at),
            page: SafeUrl::path(["t", &self.team, "apps", &line.app.to_string()]),
            left: left(line.left),
            line: line.clone(),
        };
        Table { rows: self.view.leaving.iter().map(row).collect() }
    }
}

/// Instances and images in words.
fn left((instances, images): (i64, i64)) -> String {
    let count = |n: i64, one: &str| match n {
        0 => None,
        1 => Some(format!("1 {one}")),
        _ => Some(format!("{n} {one}s")),
    };
    [count(instances, "instance"), count(images, "image")].into_iter().flatten().collect::<Vec<_>>().join(", ")
}
