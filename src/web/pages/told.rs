//! The last time proxies were told of a change, on the page where the change was made. Not here: the job's own page.

use askama::Template;
use askama::filters::HtmlSafe;

use crate::actions::jobs::JobLine;
use crate::actions::routes::trouble;
use crate::domain::job::JobState;
use crate::web::ui::{Form, SafeUrl, Shape};

/// The last time, where it is not over or went wrong.
#[derive(Template)]
#[template(path = "jobs/_told.html")]
pub struct Told {
    /// The job.
    pub job: JobLine,
    /// Its page.
    pub href: SafeUrl,
    /// The button that has them told once more, where there is something in the way.
    pub again: Option<Form>,
}

impl HtmlSafe for Told {}

impl Told {
    /// What is worth saying of the last job.
    pub fn of(team: &str, last: Option<&JobLine>) -> Option<Self> {
        let job = last.filter(|job| !matches!(job.state, JobState::Succeeded | JobState::Superseded))?.clone();
        let href = SafeUrl::path(["t", team, "jobs", &job.id.to_string()]);
        Some(Self { job, href, again: None })
    }

    /// The same with this button, where something was in the way.
    pub fn or_again(self, form: Option<Form>) -> Self {
        let again = form.filter(|_| !self.why().is_empty());
        Self { again, ..self }
    }

    fn failed(&self) -> bool {
        self.job.state.is_final()
    }

    fn why(&self) -> &str {
        trouble(Some(&self.job))
    }
}
