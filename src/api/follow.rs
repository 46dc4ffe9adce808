//! Following a job: its lines, steps and state as they happen, and waiting for its end. Not here: how it travels (`stream`),
//! reading the table (the actions follow it).

use std::time::Duration;

use axum::http::HeaderMap;
use axum::response::Response;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, timeout_at};

use super::Api;
use super::openapi::{Answer, Gives};
use super::problem::{Problem, Wrong};
use super::stream::{self, MEDIA, sit};
use super::v1::jobs::{Line, Step};
use crate::actions::follow::FOLLOW_LINES;
use crate::actions::jobs::{LogLine, StepLine};
use crate::actions::tokens::Caller;
use crate::actions::{Refused, deploys, follow};

/// The longest wait for an end: proxies in between give up after a minute.
const LONGEST_WAIT: u64 = 60;

/// Whether a call waits for an end.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Wait {
    /// Seconds to wait for the end, 0–60: the answer comes as soon as it is over, at the latest then.
    #[serde(default)]
    #[schemars(range(max = 60))]
    wait: Option<u64>,
    /// What to wait for: `final` (the default), or for deploys `watched`: until the new release was watched as well.
    #[serde(default)]
    until: Option<Until>,
}

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Until {
    /// The end.
    Final,
    /// The end of the watch that follows it.
    Watched,
}

impl Wait {
    /// Until when; none where there is nothing to wait for.
    pub fn deadline(&self) -> Result<Option<Instant>, Problem> {
        let seconds = self.wait.unwrap_or(0);
        if seconds > LONGEST_WAIT {
            return Err(Problem::Unreadable(format!("wait is at most {LONGEST_WAIT} seconds: ask again then.")));
        }
        Ok((seconds > 0).then(|| Instant::now() + Duration::from_secs(seconds)))
    }

    /// True where the watch is waited for too.
    pub fn watched(&self) -> bool {
        self.until == Some(Until::Watched)
    }
}

/// The line one begins behind.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Behind {
    /// Only lines behind this one.
    #[serde(default)]
    after: Option<u32>,
    /// At most so many, 1–500. Streams have no end and do not look at it.
    #[serde(default)]
    #[schemars(range(min = 1, max = 500))]
    limit: Option<i64>,
}

impl Behind {
    /// The line.
    pub fn after(&self) -> i64 {
        self.after.unwrap_or(0).into()
    }

    /// How many lines.
    pub fn limit(&self) -> Result<i64, Problem> {
        let limit = self.limit.unwrap_or(FOLLOW_LINES);
        let fits = (1..=FOLLOW_LINES).contains(&limit);
        fits.then_some(limit).ok_or_else(|| Problem::Unreadable(format!("limit is 1 to {FOLLOW_LINES} lines.")))
    }

    /// The line a stream begins behind: who comes back says it in a header.
    pub fn begin(&self, headers: &HeaderMap) -> i64 {
        let seen = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse::<i64>().ok());
        seen.unwrap_or(self.after()).max(0)
    }
}

/// What is followed.
pub enum Source {
    /// A deploy.
    Deploy(deploys::Follow),
    /// A job.
    Job(follow::Follow),
}

/// What happened since.
struct Update {
    lines: Vec<LogLine>,
    steps: Option<Vec<StepLine>>,
    state: serde_json::Value,
    done: bool,
}

impl Source {
    async fn next(&mut self) -> Result<Option<Update>, Refused> {
        Ok(match self {
            Self::Deploy(follow) => follow.next().await?.map(|update| Update {
                state: serde_json::to_value(update.state).unwrap_or_default(),
                lines: update.lines,
                steps: update.steps,
                done: update.done,
            }),
            Self::Job(follow) => follow.next().await?.map(|update| Update {
                state: serde_json::to_value(update.state).unwrap_or_default(),
                lines: update.lines,
                steps: update.steps,
                done: update.done,
            }),
        })
    }
}

/// One event of a stream.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "type")]
pub enum Event {
    /// New lines of the log.
    Lines {
        /// They, oldest first.
        lines: Vec<Line>,
    },
    /// The steps, where one has changed.
    Steps {
        /// All of them.
        steps: Vec<Step>,
    },
    /// The state, where it has changed.
    State {
        /// As the deploy or job has it.
        state: serde_json::Value,
    },
    /// Nothing happened for a while.
    Ping,
    /// It is over, and every line was told. A stream that ends without this is to be asked for again.
    End {
        /// How it ended.
        state: serde_json::Value,
    },
}

/// A stream of events, for the document.
pub struct Events;

impl Gives for Events {
    fn answer() -> Answer {
        Answer::of_media::<Event>(
            "One object a line; for who accepts text/event-stream the same as server-sent events, whose id is the last line.",
            MEDIA,
        )
    }
}

impl stream::Event for Event {
    fn name(&self) -> &'static str {
        match self {
            Self::Lines { .. } => "lines",
            Self::Steps { .. } => "steps",
            Self::State { .. } => "state",
            Self::Ping => "ping",
            Self::End { .. } => "end",
        }
    }

    fn id(&self) -> Option<String> {
        match self {
            Self::Lines { lines } => lines.last().map(|line| line.seq.to_string()),
            _ => None,
        }
    }

    fn ping() -> Self {
        Self::Ping
    }
}

/// Waits for the end, as long as was asked for. `follow` begins behind the line it is given.
pub async fn until_over(
    api: &Api,
    caller: &Caller,
    wait: Wait,
    follow: impl AsyncFnOnce(i64) -> Result<Source, Refused>,
) -> Result<(), Problem> {
    let Some(deadline) = wait.deadline()? else { return Ok(()) };
    let _seat = sit(api, caller)?;
    // Behind all lines: only the state is waited for.
    let mut source = follow(i64::MAX).await?;
    let closing = api.shutdown().clone();
    let over = async {
        while let Some(update) = source.next().await? {
            if update.done {
                break;
            }
        }
        Ok::<_, Refused>(())
    };
    tokio::select! {
        over = timeout_at(deadline, over) => over.unwrap_or(Ok(())).map_err(Problem::from),
        () = closing.cancelled() => Ok(()),
    }
}

/// A source as a stream tells it.
struct Following {
    source: Source,
    state: serde_json::Value,
}

impl stream::Source for Following {
    type Event = Event;

    async fn next(&mut self) -> Option<Vec<Event>> {
        let update = self.source.next().await.ok()??;
        let mut events = Vec::new();
        if !update.lines.is_empty() {
            events.push(Event::Lines { lines: update.lines.into_iter().map(Line::from).collect() });
        }
        if let Some(steps) = update.steps {
            events.push(Event::Steps { steps: steps.into_iter().map(Step::from).collect() });
        }
        if update.state != self.state {
            self.state.clone_from(&update.state);
            events.push(Event::State { state: update.state.clone() });
        }
        if update.done {
            events.push(Event::End { state: update.state });
        }
        Some(events)
    }
}

/// The stream of what is followed; "end" is its last event.
pub fn stream(api: &Api, caller: Caller, source: Source, headers: &HeaderMap) -> Result<Response, Problem> {
    stream::stream(api, caller, Following { source, state: serde_json::Value::Null }, headers)
}

/// Says that of several fields too many were sent.
pub fn only_one(fields: &[&str]) -> Problem {
    let detail = || format!("Send only one of {}.", fields.join(", "));
    let wrong = |field: &&str| Wrong { field: (*field).to_owned(), entry: None, detail: detail() };
    Problem::Fields(fields.iter().map(wrong).collect())
}
