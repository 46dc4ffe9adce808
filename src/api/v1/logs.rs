//! What an app's instances print: the newest lines, and what comes. Not here: what jobs say (`jobs`), looking at an
//! instance (`instances`).

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

use crate::actions::instances::{self, AppLogLine, Follow, Voice, Wanted};
use crate::actions::tokens::Caller;
use crate::api::Api;
use crate::api::answer::Time;
use crate::api::openapi::{Answer, Gives};
use crate::api::problem::Problem;
use crate::api::routes::{Routes, get};
use crate::api::stream::{self, MEDIA};
use crate::api::take::{Asked, OfApp};
use crate::domain::help::Topic;
use crate::domain::job::Stream;
use crate::domain::rights::Permission;

/// The most lines one may begin with.
const MOST: u16 = instances::DOWNLOAD_LINES;
/// The longest text that is looked for, in bytes.
const LONGEST_FILTER: usize = 500;

/// The calls.
pub fn routes() -> Routes {
    let one = get("/apps/{app}/logs", Permission::View);
    Routes::new()
        .about(Topic::AppLogs)
        .add(one.title("What an app's instances print, and go on printing").gives::<Events>(), show)
}

/// Which lines are asked for.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Which {
    /// Go on with what comes; else it ends with the newest lines.
    #[serde(default)]
    follow: bool,
    /// Only lines with this text in them, whatever their case.
    #[serde(default)]
    filter: String,
    /// Begin with so many of the newest lines, 0–5000; 200 without this.
    #[serde(default)]
    #[schemars(range(max = 5000))]
    tail: Option<u16>,
    /// Only this instance: its id, or its number in its deploy (that of the next deploy follows then).
    #[serde(default)]
    instance: String,
    /// Only lines behind this time: the `at` of the last one that was seen.
    #[serde(default)]
    after: String,
}

impl Which {
    /// The same for the action. What a client has seen last is newer than what its address says.
    fn wanted(self, headers: &HeaderMap) -> Result<Wanted, Problem> {
        let wrong = |why: &str| Err(Problem::Unreadable(why.to_owned()));
        let seen = headers.get("last-event-id").and_then(|id| id.to_str().ok()).unwrap_or(&self.after);
        let after = match seen {
            "" => None,
            text => match OffsetDateTime::parse(text, &Rfc3339) {
                Ok(at) => Some(at),
                Err(_) => return wrong("after is a time as it is answered: 2026-11-25T07:58:01.123456789Z."),
            },
        };
        let (instance, position) = match self.instance.as_str() {
            "" => (None, None),
            text => match (text.parse(), text.parse::<i32>()) {
                (_, Ok(position)) if position > 0 => (None, Some(position)),
                (Ok(id), _) => (Some(id), None),
                _ => return wrong("instance is an id, or a number of 1 or more."),
            },
        };
        if self.tail.is_some_and(|tail| tail > MOST) {
            return wrong("tail is 0 to 5000 lines.");
        }
        if self.filter.len() > LONGEST_FILTER {
            return wrong("filter is a text of at most 500 bytes.");
        }
        Ok(Wanted { text: self.filter, instance, position, after, tail: self.tail })
    }
}

/// A line an instance printed, or a word about its log.
#[derive(Serialize, JsonSchema)]
struct PrintedLine {
    /// When, by its host's clock.
    at: Time,
    /// The instance; none for words about all.
    instance: Option<Uuid>,
    /// Its host's name; empty for words about all.
    host: String,
    /// The number of its release.
    release: Option<i32>,
    /// Its number in its deploy.
    position: Option<i32>,
    /// `out` and `err` are the program's; `skiff` says that a host does not answer, or that lines were left out.
    stream: Stream,
    /// The line, redacted. What programs print is hostile: it may hold sequences that steer a terminal.
    text: String,
}

impl From<AppLogLine> for PrintedLine {
    fn from(line: AppLogLine) -> Self {
        let origin = line.origin.as_ref();
        Self {
            at: line.at.into(),
            instance: origin.map(|origin| origin.instance.0),
            host: origin.map(|origin| origin.host.clone()).unwrap_or_default(),
            release: origin.map(|origin| origin.number),
            position: origin.map(|origin| origin.position),
            stream: match line.voice {
                Voice::Out => Stream::Out,
                Voice::Err => Stream::Err,
                Voice::Skiff => Stream::Skiff,
            },
            text: String::from_utf8_lossy(&line.line).into_owned(),
        }
    }
}

/// One event of the stream.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "PrintedEvent")]
#[serde(rename_all = "snake_case", tag = "type")]
enum Event {
    /// Lines, by time.
    Lines {
        /// They, oldest first.
        lines: Vec<PrintedLine>,
    },
    /// Nothing happened for a while.
    Ping,
    /// These were the newest lines. What is followed has no end: a stream that ends without this is to be asked for again.
    End {
        /// False where some could not be read; a line of `skiff` says which.
        complete: bool,
    },
}

impl stream::Event for Event {
    fn name(&self) -> &'static str {
        match self {
            Self::Lines { .. } => "lines",
            Self::Ping => "ping",
            Self::End { .. } => "end",
        }
    }

    fn id(&self) -> Option<String> {
        let Self::Lines { lines } = self else { return None };
        let printed = lines.iter().filter(|line| line.stream != Stream::Skiff);
        let newest = printed.map(|line| line.at.0).max()?;
        newest.to_offset(time::UtcOffset::UTC).format(&Rfc3339).ok()
    }

    fn ping() -> Self {
        Self::Ping
    }
}

/// The stream, for the document.
struct Events;

impl Gives for Events {
    fn answer() -> Answer {
        Answer::of_media::<Event>(
            "One object a line; for who accepts text/event-stream the same as server-sent events, whose id is a time for `after`.",
            MEDIA,
        )
    }
}

/// Where the events come from.
enum Source {
    /// Instances that are listened to.
    Live(Box<Follow>),
    /// What was read.
    Read(Vec<Event>),
    /// All was told.
    Over,
}

impl stream::Source for Source {
    type Event = Event;

    async fn next(&mut self) -> Option<Vec<Event>> {
        match std::mem::replace(self, Self::Over) {
            Self::Live(mut follow) => {
                let lines = follow.next().await.ok()??;
                *self = Self::Live(follow);
                Some(vec![Event::Lines { lines: lines.into_iter().map(PrintedLine::from).collect() }])
            }
            Self::Read(events) => Some(events),
            Self::Over => None,
        }
    }
}

async fn show(
    State(api): State<Api>,
    caller: Caller,
    OfApp(id): OfApp,
    Asked(which): Asked<Which>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let follow = which.follow;
    let wanted = which.wanted(&headers)?;
    let source = match follow {
        true => Source::Live(Box::new(instances::follow(api.actions(), &caller.actor, id, wanted).await?)),
        false => {
            let logs = instances::read(api.actions(), &caller.actor, id, wanted).await?;
            let complete = logs.lines.iter().all(|line| line.voice != Voice::Skiff);
            let lines = logs.lines.into_iter().map(PrintedLine::from).collect();
            Source::Read(vec![Event::Lines { lines }, Event::End { complete }])
        }
    };
    stream::stream(&api, caller, source, &headers)
}
