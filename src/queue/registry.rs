//! The kinds of jobs this process can run, each with what it works with.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use super::{Job, Outcome, Run};

/// A job that was started, its kind forgotten.
pub(super) type Started = Pin<Box<dyn Future<Output = Outcome> + Send>>;
type Start = Box<dyn Fn(serde_json::Value, Run) -> Result<Started, serde_json::Error> + Send + Sync>;

/// The list of kinds. Jobs of other kinds are left for other processes.
#[derive(Default)]
pub struct Registry {
    kinds: HashMap<&'static str, Kind>,
}

struct Kind {
    deadline: Duration,
    start: Start,
}

impl Registry {
    /// An empty list.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a kind and what it works with.
    pub fn with<J: Job>(mut self, ctx: impl Into<Arc<J::Ctx>>) -> Self {
        let ctx: Arc<J::Ctx> = ctx.into();
        let start: Start = Box::new(move |args, run| {
            let job: J = serde_json::from_value(args)?;
            let ctx = Arc::clone(&ctx);
            Ok(Box::pin(async move { job.run(&ctx, &run).await }))
        });
        self.kinds.insert(J::KIND, Kind { deadline: J::DEADLINE, start });
        self
    }

    /// Kinds and their deadlines in seconds, as the claim wants them.
    pub(super) fn deadlines(&self) -> (Vec<String>, Vec<f64>) {
        self.kinds.iter().map(|(name, kind)| ((*name).to_owned(), kind.deadline.as_secs_f64())).unzip()
    }

    /// The deadline of a kind.
    pub(super) fn deadline(&self, kind: &str) -> Duration {
        self.kinds.get(kind).map_or(Duration::ZERO, |kind| kind.deadline)
    }

    /// Makes the future of a claimed job. None for a kind or arguments this program cannot read.
    pub(super) fn start(&self, kind: &str, args: serde_json::Value, run: Run) -> Option<Started> {
        self.kinds.get(kind).and_then(|kind| (kind.start)(args, run).ok())
    }
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.kinds.keys()).finish()
    }
}
