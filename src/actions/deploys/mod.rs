//! Deploys: ask for one, see its plan, steps and log, cancel it, go back. Not here: carrying one out; that is a job.

mod get;
mod live;
mod preview;
mod request;
mod views;

pub(in crate::actions) use get::line;
pub use get::{get, list};
pub use live::{Follow, follow, log};
pub use preview::preview;
pub use request::{cancel, request};
pub use views::{DeployLine, DeployView, FailureView, PlanStage, Preview, RequestDeploy, Update};

use crate::domain::deploy::Target;
use crate::domain::source::Source;

/// What a deploy sets out to do, in words.
fn intent(target: &Target, source: &Source) -> String {
    match (target, source) {
        (Target::Head, Source::Git(git)) => format!("the head of {}", git.branch),
        (Target::Head, Source::Image(image)) => format!("the image {}", image.image),
        (Target::Commit { id }, _) => format!("the commit {}", id.short()),
        (Target::Release { number }, _) => format!("back to v{number}"),
    }
}
