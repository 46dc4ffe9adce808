//! The durable queue: push, claim, lease, heartbeat, cancel, rescue. Not here: any kind of job by name.
//!
//! The promise: a job runs at least once, and of all runs of it only the newest may write. A claim raises the row's
//! `fence` and leases the row for 20 seconds by the database's clock; a heartbeat extends the lease; whoever finds a
//! lease that ran out takes the job over under the next fence. So a job must look at the world before it acts, ask
//! [`Run::still_mine`] before every write elsewhere, and carry its fence in every write to the database.
//!
//! A deploy and the steps of a job end with the job's row, by the trigger `jobs_ended`, however it ends.

mod heartbeat;
mod lease;
mod push;
mod registry;
mod run;
mod runner;

pub use lease::permit_of_row;
pub use push::{Cancelled, New, Pushed, cancel, hurry, push, waits};
pub use registry::Registry;
pub use run::{Lost, Run};
pub use runner::{Runner, RunnerSettings};

use std::future::Future;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Something done later. The value itself is its arguments, stored with the row.
pub trait Job: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The name in the table. Never changes.
    const KIND: &'static str;
    /// A run that takes longer is asked to stop, and soon after stopped.
    const DEADLINE: Duration;
    /// What it works with.
    type Ctx: Send + Sync + 'static;

    /// Does it. May be dropped at any `await`: when its lease is lost, its time is over, or the panel stops.
    fn run(self, ctx: &Self::Ctx, run: &Run) -> impl Future<Output = Outcome> + Send;
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// As wanted.
    Succeeded,
    /// Otherwise, and trying again would not help.
    Failed {
        /// One sentence for people.
        reason: String,
    },
    /// By a person's wish.
    Cancelled,
    /// Not now. While a newer job of the same lock key waits, that one does it instead.
    Again {
        /// Not before this has passed; see [`Run::backoff`].
        after: Duration,
        /// What it waits for, for people.
        why: String,
    },
    /// Not before something outside answers, which may take days: this run counts as no attempt.
    Later {
        /// Not before this has passed.
        after: Duration,
        /// What it waits for, for people.
        why: String,
    },
}
