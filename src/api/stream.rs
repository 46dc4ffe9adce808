//! How what stays open travels: one object a line, or the same as server-sent events, with a sign of life where nothing
//! happens. It ends when its source does, when the token is good no more, and when the door closes. Each client pulls at
//! its own pace, so a slow one slows nobody. Not here: what is told.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, BoxStream};
use futures_util::{FutureExt, StreamExt};
use serde::Serialize;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::Api;
use super::problem::Problem;
use crate::actions::tokens::{self, Caller};
use crate::door::seats::Seat;

/// The media type of one object a line.
pub const NDJSON: &str = "application/x-ndjson";
/// Both ways an answer may travel.
pub const MEDIA: &[&str] = &[NDJSON, EVENTS];
/// The media type of server-sent events.
const EVENTS: &str = "text/event-stream";
/// A sign of life is sent this often where nothing happens, so that proxies keep the connection and a dead one is noticed.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// The token is looked at again this often: one that was ended ends its streams.
const RECHECK: Duration = Duration::from_secs(5);

/// What a stream tells.
pub trait Event: Serialize + Send + 'static {
    /// Its name among server-sent events.
    fn name(&self) -> &'static str;

    /// What a client that comes back says it has seen; none where this is nothing to come back to.
    fn id(&self) -> Option<String>;

    /// A sign of life.
    fn ping() -> Self;
}

/// Where events come from.
pub trait Source: Send + 'static {
    /// What is told.
    type Event: Event;

    /// Waits for the next ones. None when there are no more.
    fn next(&mut self) -> impl Future<Output = Option<Vec<Self::Event>>> + Send;
}

/// Takes a seat for what stays open.
pub fn sit(api: &Api, caller: &Caller) -> Result<Seat, Problem> {
    let full = || Problem::Unavailable("Too many streams and waits of this account are open: end some.".to_owned());
    api.seats().take(caller.account).ok_or_else(full)
}

/// The stream of a source.
pub fn stream(api: &Api, caller: Caller, source: impl Source, headers: &HeaderMap) -> Result<Response, Problem> {
    let seat = sit(api, &caller)?;
    let accepted = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    let sse = accepted.contains(EVENTS);
    let telling = Telling { api: api.clone(), caller, beats: beats(source), told_at: Instant::now(), _seat: seat };
    let pieces = stream::unfold(telling, move |mut telling| async move {
        let events = telling.next().await?;
        let text: String = events.iter().map(|event| text(event, sse)).collect();
        Some((Ok::<_, Infallible>(text), telling))
    });
    let closing = api.shutdown().clone();
    let body = Body::from_stream(pieces.take_until(async move { closing.cancelled().await }));
    let kind = HeaderValue::from_static(if sse { EVENTS } else { NDJSON });
    let mut response = ([(header::CONTENT_TYPE, kind)], body).into_response();
    // A proxy in front that collects answers would make the stream a dead one.
    response.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

/// An event as a piece of the stream.
fn text(event: &impl Event, sse: bool) -> String {
    let json = serde_json::to_string(event).unwrap_or_default();
    if !sse {
        return json + "\n";
    }
    let id = event.id().map(|id| format!("id: {id}\n")).unwrap_or_default();
    [id.as_str(), "event: ", event.name(), "\ndata: ", &json, "\n\n"].concat()
}

/// What keeps a stream going.
enum Beat<E> {
    /// Something to tell.
    Events(Vec<E>),
    /// Time to look at the token.
    Look,
    /// There is no more to tell.
    Over,
}

/// A source's events, and between them the looks at the token. What a source waits for is never broken off: it could be
/// lost with what was gathered.
fn beats<S: Source>(source: S) -> BoxStream<'static, Beat<S::Event>> {
    let events = stream::unfold(source, |mut source| async move {
        let events = source.next().await?;
        Some((Beat::Events(events), source))
    });
    let mut looks = interval(RECHECK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let looks = stream::unfold(looks, |mut looks| async move {
        looks.tick().await;
        Some((Beat::Look, looks))
    });
    stream::select(events.chain(async { Beat::Over }.into_stream()), looks).boxed()
}

/// What a stream goes on with.
struct Telling<E> {
    api: Api,
    caller: Caller,
    beats: BoxStream<'static, Beat<E>>,
    told_at: Instant,
    _seat: Seat,
}

impl<E: Event> Telling<E> {
    /// The next events; none when the stream ends.
    async fn next(&mut self) -> Option<Vec<E>> {
        loop {
            match self.beats.next().await? {
                Beat::Over => return None,
                Beat::Events(events) if events.is_empty() => {}
                Beat::Events(events) => {
                    self.told_at = Instant::now();
                    return Some(events);
                }
                Beat::Look => {
                    if !tokens::still_good(self.api.actions(), &self.caller).await.ok()? {
                        return None;
                    }
                    if self.told_at.elapsed() >= HEARTBEAT {
                        self.told_at = Instant::now();
                        return Some(vec![E::ping()]);
                    }
                }
            }
        }
    }
}
