//! Deploys: ask for one, see its plan, steps and log, cancel it, go back. Not here: carrying one out; that is a job.

mod get;
mod live;
mod once;
mod preview;
mod request;
mod scale;
mod views;

pub(in crate::actions) use get::line;
pub use get::{DEPLOYS_ON_PAGE, get, list};
pub use live::{Follow, follow, log};
pub use preview::preview;
pub use request::{Asked, cancel, request, request_once};
pub(in crate::actions) use request::{Said, ask};
pub use scale::scale;
pub use views::{DeployLine, DeployView, FailureView, PlanStage, Preview, RequestDeploy, Update};

use crate::domain::deploy::Target;
use crate::domain::source::Source;

/// What a deploy sets out to do, in words.
fn intent(target: &Target, source: &Source) -> String {
    match (target, source) {
        (Target::Head, Source::Git(git)) => format!("the head of {}", git.branch),
        (Target::Head, Source::Image(image)) => format!("the image {}", image.image),
        (Target::Ref { name }, _) => format!("the head of {name}"),
        (Target::Commit { id }, _) => format!("the commit {}", id.short()),
        (Target::Release { number }, _) => format!("back to v{number}"),
        (Target::Scale { number }, _) => format!("v{number}, placed anew"),
    }
}
