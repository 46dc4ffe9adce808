//! The life of a job and of its steps.

use serde::{Deserialize, Serialize};

/// The state of a job. Stored as text; the table's CHECK repeats which states are final.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, sqlx::Type, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum JobState {
    /// Waits for its time and for a worker.
    Queued,
    /// Waits for a person's approval.
    WaitingForApproval,
    /// Held by a worker under a lease.
    Running,
    /// Ended as wanted.
    Succeeded,
    /// Ended otherwise; the reason is on the row.
    Failed,
    /// Ended by a person before it took effect.
    Cancelled,
    /// Overtaken by a newer job while it waited.
    Superseded,
}

impl JobState {
    /// True for states nothing leaves.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled | Self::Superseded)
    }

    /// True where `next` may follow. A running job whose lease ran out stays running: the next worker takes it over.
    /// One that has to wait again while a newer one waits is superseded.
    pub fn may_become(self, next: Self) -> bool {
        match self {
            Self::Queued => matches!(next, Self::Running | Self::Cancelled | Self::Superseded | Self::Failed),
            Self::WaitingForApproval => matches!(next, Self::Queued | Self::Cancelled | Self::Superseded),
            Self::Running => {
                matches!(next, Self::Succeeded | Self::Failed | Self::Cancelled | Self::Superseded | Self::Queued)
            }
            Self::Succeeded | Self::Failed | Self::Cancelled | Self::Superseded => false,
        }
    }

    /// The word people read.
    pub fn word(self) -> &'static str {
        match self {
            Self::Queued => "waiting",
            Self::WaitingForApproval => "waiting for approval",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Superseded => "superseded",
        }
    }
}

/// The state of one step of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, sqlx::Type, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum StepState {
    /// Planned, not begun.
    Planned,
    /// Begun.
    Running,
    /// Done, and something was changed.
    Changed,
    /// Done, and nothing had to be changed.
    Unchanged,
    /// Went wrong.
    Failed,
    /// Not reached.
    Skipped,
}

impl StepState {
    /// The word people read.
    pub fn word(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Running => "running",
            Self::Changed => "done",
            Self::Unchanged => "nothing to do",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }
}

/// Which output a log line came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, sqlx::Type, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Stream {
    /// Said by Skiff.
    Skiff,
    /// Standard output of a build step, script or container.
    Out,
    /// Standard error.
    Err,
}
