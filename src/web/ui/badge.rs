//! The state of a thing: shape, word and colour together, so that none is needed alone.

use askama::Template;
use askama::filters::HtmlSafe;

use super::When;
use crate::actions::apps::AppState;
use crate::actions::hosts::{HostLine, InstanceState};
use crate::domain::deploy::DeployState;
use crate::domain::host::HostState;
use crate::domain::job::{JobState, StepState};

/// What the state looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Template)]
#[template(path = "ui/_shape.html")]
pub enum Shape {
    /// ● runs, done.
    Disc,
    /// ◐ in progress; the only one that turns.
    Half,
    /// ○ planned.
    Ring,
    /// ▲ needs a person.
    Triangle,
    /// ■ stopped.
    Square,
    /// ✕ failed.
    Cross,
    /// ◌ not known since.
    Dotted,
}

/// What the colour says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// All right.
    Well,
    /// At work.
    Busy,
    /// Look at it.
    Watch,
    /// Wrong.
    Wrong,
    /// Neither.
    Quiet,
}

/// A state in a page.
#[derive(Clone, Debug, PartialEq, Eq, Template)]
#[template(path = "ui/_badge.html")]
pub struct Badge {
    /// The shape.
    pub shape: Shape,
    /// The colour.
    pub tone: Tone,
    /// The word.
    pub word: String,
    /// More, on hover and for readers: when it was observed.
    pub title: String,
}

impl HtmlSafe for Badge {}
impl HtmlSafe for Shape {}

impl Tone {
    /// The name of its style.
    pub fn class(self) -> &'static str {
        match self {
            Self::Well => "well",
            Self::Busy => "busy",
            Self::Watch => "watch",
            Self::Wrong => "wrong",
            Self::Quiet => "quiet",
        }
    }
}

impl Badge {
    /// A state with these words.
    pub fn new(shape: Shape, tone: Tone, word: impl Into<String>) -> Self {
        Self { shape, tone, word: word.into(), title: String::new() }
    }

    /// The same, with when it was observed.
    pub fn observed(mut self, at: Option<time::OffsetDateTime>) -> Self {
        self.title = match at {
            Some(at) => ["observed ", &When::new(at).exact].concat(),
            None => "not observed yet".to_owned(),
        };
        self
    }
}

impl From<AppState> for Badge {
    fn from(state: AppState) -> Self {
        let (shape, tone) = match state {
            AppState::New => (Shape::Ring, Tone::Quiet),
            AppState::Running => (Shape::Disc, Tone::Well),
            AppState::Deploying => (Shape::Half, Tone::Busy),
            AppState::NeedsYou => (Shape::Triangle, Tone::Watch),
            AppState::Down => (Shape::Cross, Tone::Wrong),
            AppState::Unknown => (Shape::Dotted, Tone::Watch),
            AppState::Stopped => (Shape::Square, Tone::Quiet),
            AppState::Stopping => (Shape::Half, Tone::Busy),
        };
        Self::new(shape, tone, state.word())
    }
}

impl From<DeployState> for Badge {
    fn from(state: DeployState) -> Self {
        let (shape, tone) = match state {
            DeployState::Queued => (Shape::Ring, Tone::Quiet),
            DeployState::Running => (Shape::Half, Tone::Busy),
            DeployState::Succeeded => (Shape::Disc, Tone::Well),
            DeployState::Failed => (Shape::Cross, Tone::Wrong),
            DeployState::Cancelled => (Shape::Square, Tone::Quiet),
            DeployState::Superseded => (Shape::Square, Tone::Quiet),
            DeployState::TakenBack => (Shape::Triangle, Tone::Watch),
        };
        Self::new(shape, tone, state.word())
    }
}

impl From<JobState> for Badge {
    fn from(state: JobState) -> Self {
        let (shape, tone) = match state {
            JobState::Queued | JobState::WaitingForApproval => (Shape::Ring, Tone::Quiet),
            JobState::Running => (Shape::Half, Tone::Busy),
            JobState::Succeeded => (Shape::Disc, Tone::Well),
            JobState::Failed => (Shape::Cross, Tone::Wrong),
            JobState::Cancelled | JobState::Superseded => (Shape::Square, Tone::Quiet),
        };
        Self::new(shape, tone, state.word())
    }
}

impl From<StepState> for Badge {
    fn from(state: StepState) -> Self {
        let (shape, tone) = match state {
            StepState::Planned => (Shape::Ring, Tone::Quiet),
            StepState::Running => (Shape::Half, Tone::Busy),
            StepState::Changed => (Shape::Disc, Tone::Well),
            StepState::Unchanged => (Shape::Disc, Tone::Quiet),
            StepState::Failed => (Shape::Cross, Tone::Wrong),
            StepState::Skipped => (Shape::Square, Tone::Quiet),
        };
        Self::new(shape, tone, state.word())
    }
}

impl From<InstanceState> for Badge {
    fn from(state: InstanceState) -> Self {
        let (shape, tone) = match state {
            InstanceState::Serving => (Shape::Disc, Tone::Well),
            InstanceState::Starting => (Shape::Half, Tone::Busy),
            InstanceState::Leaving => (Shape::Half, Tone::Quiet),
            InstanceState::Kept => (Shape::Square, Tone::Watch),
            InstanceState::Stopped => (Shape::Square, Tone::Quiet),
            InstanceState::Ended => (Shape::Cross, Tone::Wrong),
            InstanceState::Missing => (Shape::Cross, Tone::Wrong),
            InstanceState::Unknown => (Shape::Dotted, Tone::Watch),
        };
        Self::new(shape, tone, state.word())
    }
}

impl From<&HostLine> for Badge {
    fn from(host: &HostLine) -> Self {
        let (shape, tone, word) = match host.state {
            HostState::New if host.busy.is_some() => (Shape::Half, Tone::Busy, "being made ready"),
            HostState::New => (Shape::Ring, Tone::Quiet, "not ready yet"),
            HostState::Ready => (Shape::Disc, Tone::Well, "ready"),
            HostState::Unreachable => (Shape::Dotted, Tone::Wrong, "does not answer"),
            HostState::KeyMismatch => (Shape::Triangle, Tone::Wrong, "shows another key"),
        };
        Self::new(shape, tone, word).observed(host.seen_at)
    }
}
