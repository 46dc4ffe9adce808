//! What the form asks for and pages show of deploys. Not here: how it is read.

use std::sync::Arc;

use time::OffsetDateTime;

use crate::actions::apps::PendingChange;
use crate::actions::jobs::{LogLine, StepLine};
use crate::domain::deploy::{DeployState, Target};
use crate::domain::help::Topic;
use crate::domain::ids::{AppId, DeliveryId, DeployId, JobId};
use crate::domain::release::Commit;

/// The form that asks for a deploy.
#[derive(Clone, Debug, Default)]
pub struct RequestDeploy {
    /// `head` (also when empty), `ref`, `image`, `commit`, `release` (as it was), `scale` (a release placed as the app is now),
    /// `former` (the newest kept release below the one that serves), or `again`: the release that serves, in new instances. It
    /// restarts an app, and starts one that is stopped.
    pub to: String,
    /// The name of a branch or tag, for `ref`.
    pub reference: String,
    /// The image, for `image`: it becomes the app's from now on.
    pub image: String,
    /// A name the asker gave this request: asked again under the same one, the same deploy is the answer. Empty: none.
    pub once: String,
    /// The full commit id, for `commit`.
    pub commit: String,
    /// The release's number, for `release` and `scale`.
    pub release: String,
}

/// One deploy in a list.
#[derive(Clone, Debug)]
pub struct DeployLine {
    /// The deploy.
    pub id: DeployId,
    /// The app.
    pub app: AppId,
    /// The app's name.
    pub app_name: String,
    /// What it set out to do.
    pub target: Target,
    /// How it stands.
    pub state: DeployState,
    /// The release's number, once it is known.
    pub number: Option<i32>,
    /// The number of the release that served before.
    pub former: Option<i32>,
    /// True where it puts new instances of the release that served already in the place of the old ones: a restart.
    pub again: bool,
    /// The commit, once it is known. Author and subject are hostile text.
    pub commit: Option<Commit>,
    /// Who or what asked for it.
    pub who: String,
    /// Why it failed, where it did: one sentence.
    pub failure: Option<String>,
    /// When it was asked for.
    pub created_at: OffsetDateTime,
    /// When a worker took it.
    pub started_at: Option<OffsetDateTime>,
    /// When it ended.
    pub finished_at: Option<OffsetDateTime>,
}

/// A deploy's page.
#[derive(Clone, Debug)]
pub struct DeployView {
    /// The deploy.
    pub line: DeployLine,
    /// Its job.
    pub job: JobId,
    /// The delivery of a push that it comes from, or that was replayed.
    pub delivery: Option<DeliveryId>,
    /// What it sets out to do, in words: "the head of main", "back to v3".
    pub intent: String,
    /// Why it waits, while it does.
    pub wait_reason: String,
    /// The stages of the plan in words, once there is one.
    pub plan: Vec<PlanStage>,
    /// What the plan's reader should know: "stop-first, because …".
    pub notes: Vec<String>,
    /// Its steps, with times.
    pub steps: Vec<StepLine>,
    /// The failure, where it failed.
    pub failure: Option<FailureView>,
    /// What is different from the release that served before.
    pub changes: Vec<PendingChange>,
    /// The last lines of its log, at most `jobs::LOG_ON_PAGE`.
    pub log: Arc<[LogLine]>,
    /// Where the live log begins: the seq of the last line above, or 0.
    pub log_seq: i64,
    /// When traffic moved: from then on cancel is refused.
    pub switched_at: Option<OffsetDateTime>,
    /// Until when the new release is watched.
    pub watch_until: Option<OffsetDateTime>,
    /// Who asked to cancel it, where somebody did.
    pub cancel_asked_by: Option<String>,
    /// Where the app answers, for the link at the end; empty for workers.
    pub urls: Vec<String>,
    /// True where the actor may cancel it now.
    pub may_cancel: bool,
    /// The release to offer going back to, where that makes sense and the actor may.
    pub may_roll_back_to: Option<i32>,
    /// True where the actor may ask for the same again.
    pub may_deploy: bool,
    /// True where the release command ran: going back does not undo what it did.
    pub ran_release_command: bool,
}

/// A failure as a page shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailureView {
    /// What, where, why.
    pub sentence: String,
    /// What to try.
    pub advice: String,
    /// Where the docs say more.
    pub help: Topic,
}

/// One stage of a plan, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanStage {
    /// Its name.
    pub name: String,
    /// True once traffic has moved.
    pub after_switch: bool,
    /// Its steps: "start web-2 on fra-1".
    pub steps: Vec<String>,
}

/// What a deploy would do, before it is asked for.
#[derive(Clone, Debug)]
pub struct Preview {
    /// What it sets out to do, in words.
    pub intent: String,
    /// The stages, planned from what the ledger knows; the deploy itself observes first and may find less to do.
    pub plan: Vec<PlanStage>,
    /// What its reader should know.
    pub notes: Vec<String>,
    /// What would change.
    pub changes: Vec<PendingChange>,
    /// Why it would be refused, where it would.
    pub refusal: Option<String>,
}

/// What a live page is told next.
#[derive(Clone, Debug)]
pub struct Update {
    /// New lines, oldest first, at most `follow::FOLLOW_LINES`.
    pub lines: Vec<LogLine>,
    /// The state now.
    pub state: DeployState,
    /// All steps, where one has changed since the last update.
    pub steps: Option<Vec<StepLine>>,
    /// True for the last update: the deploy has ended and every line was sent.
    pub done: bool,
}
