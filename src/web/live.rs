//! Live streams: what a job says and how it stands, sent as it happens. Each client pulls from the table at its own pace,
//! so a slow one slows nobody. Not here: reading the table (the actions follow it).

use std::convert::Infallible;
use std::time::Duration;

use askama::Template;
use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::{Stream, StreamExt, stream};
use tower_sessions::Session;

use super::actor::{At, Here};
use super::error::Problem;
use super::pages::apps::logs as log_pages;
use super::pages::deploys as deploy_pages;
use super::pages::jobs as job_pages;
use super::pages::releases as release_pages;
use super::ui::SafeUrl;
use super::{Web, session};
use crate::actions::jobs::{Download, LogLine, StepLine};
use crate::actions::{deploys, instances, jobs};
use crate::domain::ids::{AccountId, AppId, DeployId, JobId};
use crate::door::seats::Seat;

/// A comment is sent this often where nothing happens, so that proxies keep the connection and a dead one is noticed.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// The session is looked at again this often: who is signed out sees no more.
const RECHECK: Duration = Duration::from_secs(5);

/// Takes a seat for one more stream.
fn sit(web: &Web, account: AccountId) -> Result<Seat, Problem> {
    let full = || Problem::Unavailable("Too many live pages are open: close some tabs.".to_owned());
    web.streams().take(account).ok_or_else(full)
}

/// Where the stream of a page is: of which noun, of which one, from behind which line.
pub fn address(team: &str, noun: &'static str, id: &str, after: i64) -> SafeUrl {
    SafeUrl::path(["t", team, noun, id, "live"]).after(after)
}

/// The line a stream begins behind, where the browser does not say it in `Last-Event-ID`.
#[derive(serde::Deserialize)]
pub struct From {
    #[serde(default)]
    after: i64,
}

/// Pieces of a page, each for the place with its id.
#[derive(Template)]
#[template(path = "jobs/_update.html")]
struct Pieces {
    lines: Option<job_pages::Lines>,
    course: Option<job_pages::Course>,
    changes: Option<release_pages::Changes>,
    plan: Option<deploy_pages::Plan>,
    deploy: Option<deploy_pages::Head>,
    job: Option<job_pages::Head>,
}

/// What a browser is sent: pieces, behind which line it is now, and whether that was all.
struct Told {
    html: String,
    last: Option<i128>,
    done: bool,
}

impl Told {
    fn pieces(pieces: &Pieces, lines: &[LogLine], done: bool) -> Self {
        let last = lines.last().map(|line| i128::from(line.seq));
        Self { html: pieces.render().unwrap_or_default(), last, done }
    }
}

/// GET `…/deploys/{id}/live`.
pub async fn deploy(
    State(web): State<Web>,
    here: Here,
    session: Session,
    At((team, id)): At<(String, DeployId)>,
    Query(from): Query<From>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let seat = sit(&web, here.account)?;
    let actor = here.actor()?.clone();
    let follow = deploys::follow(web.actions(), &actor, id, begin(&headers, from.after)).await?;
    let state = (follow, None, seat, web.clone(), here.token.clone());
    let told = stream::unfold(state, move |(mut follow, mut before, seat, web, token)| {
        let (actor, team) = (actor.clone(), team.clone());
        async move {
            let update = follow.next().await.ok().flatten()?;
            let mut pieces = pieces(&update.lines, update.steps.as_deref(), deploy_pages::NO_STEPS);
            if before != Some(update.state) || update.done || update.steps.is_some() {
                before = Some(update.state);
                let view = deploys::get(web.actions(), &actor, id).await.ok()?;
                // What changes is known once there is a release.
                let changes = release_pages::Changes { changes: view.changes.clone() };
                pieces.changes = (!changes.changes.is_empty()).then_some(changes);
                pieces.plan = Some(deploy_pages::Plan { notes: view.notes.clone(), stages: view.plan.clone() });
                pieces.deploy = Some(deploy_pages::Head::new(&team, &token, view));
            }
            let told = Told::pieces(&pieces, &update.lines, update.done);
            Some((told, (follow, before, seat, web, token)))
        }
    });
    Ok(send(&web, session, told))
}

/// GET `…/jobs/{id}/live`.
pub async fn job(
    State(web): State<Web>,
    here: Here,
    session: Session,
    At((team, id)): At<(String, JobId)>,
    Query(from): Query<From>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let seat = sit(&web, here.account)?;
    let actor = here.actor()?.clone();
    let follow = jobs::follow(web.actions(), &actor, id, begin(&headers, from.after)).await?;
    let state = (follow, None, seat, web.clone(), here.token.clone());
    let told = stream::unfold(state, move |(mut follow, mut before, seat, web, token)| {
        let (actor, team) = (actor.clone(), team.clone());
        async move {
            let update = follow.next().await.ok().flatten()?;
            let mut pieces = pieces(&update.lines, update.steps.as_deref(), "");
            if before != Some(update.state) || update.done {
                before = Some(update.state);
                let view = jobs::get(web.actions(), &actor, id).await.ok()?;
                pieces.job = Some(job_pages::Head::new(&team, &token, &view));
            }
            let told = Told::pieces(&pieces, &update.lines, update.done);
            Some((told, (follow, before, seat, web, token)))
        }
    });
    Ok(send(&web, session, told))
}

/// GET `…/apps/{id}/logs/live`. What instances print has no numbers: a moment says where to go on.
pub async fn logs(
    State(web): State<Web>,
    here: Here,
    session: Session,
    At((_, id)): At<(String, AppId)>,
    Query(asked): Query<log_pages::Asked>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let seat = sit(&web, here.account)?;
    let wanted = log_pages::wanted(&asked, seen(&headers));
    let follow = instances::follow(web.actions(), here.actor()?, id, wanted).await?;
    let told = stream::unfold((follow, seat), |(mut follow, seat)| async move {
        let lines = follow.next().await.ok().flatten()?;
        let last = lines.iter().filter(|line| line.origin.is_some()).map(|line| line.at.unix_timestamp_nanos()).max();
        let html = log_pages::Update { lines: log_pages::Lines::new(&lines) }.render().unwrap_or_default();
        Some((Told { html, last, done: false }, (follow, seat)))
    });
    Ok(send(&web, session, told))
}

/// The browser says what it has seen last; a page that was just loaded says it in its address.
fn begin(headers: &HeaderMap, after: i64) -> i64 {
    seen(headers).unwrap_or(after).max(0)
}

/// What the browser says it has seen last.
fn seen<T: std::str::FromStr>(headers: &HeaderMap) -> Option<T> {
    headers.get("last-event-id")?.to_str().ok()?.parse().ok()
}

fn pieces(lines: &[LogLine], steps: Option<&[StepLine]>, nothing: &'static str) -> Pieces {
    Pieces {
        lines: (!lines.is_empty()).then(|| job_pages::Lines::new(lines)),
        course: steps.map(|steps| job_pages::Course::new(steps, nothing)),
        changes: None,
        plan: None,
        deploy: None,
        job: None,
    }
}

/// The stream as server-sent events. It ends after "done", when the browser is signed in no more, and when the door closes;
/// the browser then comes back by itself, and is asked who it is.
fn send(web: &Web, session: Session, told: impl Stream<Item = Told> + Send + 'static) -> Response {
    let closing = web.shutdown().clone();
    let over = async move {
        closing.run_until_cancelled(signed_out(session)).await;
    };
    let events = told.take_until(over).flat_map(|told| {
        let event = Event::default().data(told.html);
        let event = match told.last {
            Some(seq) => event.id(seq.to_string()),
            None => event,
        };
        let done = told.done.then(|| Event::default().event("done").data("done"));
        stream::iter(std::iter::once(event).chain(done).map(Ok::<_, Infallible>))
    });
    let mut response = Sse::new(events).keep_alive(KeepAlive::new().interval(HEARTBEAT)).into_response();
    // A proxy in front that collects answers would make the live log a dead one.
    response.headers_mut().insert("x-accel-buffering", axum::http::HeaderValue::from_static("no"));
    response
}

/// Waits until the session is over: signed out here or elsewhere, or run out.
async fn signed_out(session: Session) {
    loop {
        tokio::time::sleep(RECHECK).await;
        // A store that does not answer has ended nobody's session.
        if session.load().await.is_ok() && matches!(session::signed_in(&session).await, Ok(None)) {
            return;
        }
    }
}

/// A log as a file to keep. Whatever is in it, no browser shows it as a page.
pub fn file(download: Download) -> Response {
    let name = ["attachment; filename=\"", &download.file, "\""].concat();
    let kind = "text/plain; charset=utf-8".to_owned();
    let body = Body::from_stream(download.bytes);
    ([(header::CONTENT_TYPE, kind), (header::CONTENT_DISPOSITION, name)], body).into_response()
}
