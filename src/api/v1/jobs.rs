//! Jobs: what is being done and what was done, with steps and log.

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::actions::jobs::{self, JOBS_ON_PAGE, JobLine, JobView, LogLine, StepLine};
use crate::actions::log_page::{self, LogPage};
use crate::actions::tokens::Caller;
use crate::api::Api;
use crate::api::answer::{Accepted, Page, Text, Time};
use crate::api::follow::{self, Behind, Events, Wait};
use crate::api::problem::Problem;
use crate::api::routes::{Routes, get, post};
use crate::api::take::{Asked, OfId, Sent};
use crate::domain::help::{self, Topic};
use crate::domain::ids::JobId;
use crate::domain::job::{JobState, StepState, Stream};
use crate::domain::rights::Permission;

/// The calls.
pub fn routes() -> Routes {
    let view = Permission::View;
    Routes::new()
        .about(Topic::JobFailed)
        .add(get("/jobs", view).title("Jobs, newest first").gives::<Page<Job>>(), list)
        .add(
            get("/jobs/{id}", view).title("One job; waits for its end where asked to").gives::<Json<JobDetail>>(),
            show,
        )
        .add(
            post("/jobs/{id}/cancel", Permission::Deploy)
                .title("Cancel a job that is no deploy")
                .gives::<Accepted<JobDetail>>(),
            cancel,
        )
        .add(get("/jobs/{id}/log", view).title("Lines of a job's log").gives::<Json<Log>>(), log)
        .add(get("/jobs/{id}/log.txt", view).title("A job's whole log as text").gives::<Text>(), text)
        .add(
            get("/jobs/{id}/events", view).title("A job's lines, steps and state as they happen").gives::<Events>(),
            events,
        )
}

/// One job in a list.
#[derive(Serialize, JsonSchema)]
pub struct Job {
    #[serde(flatten)]
    head: Head,
    /// Steps done.
    steps_done: u32,
    /// All steps; 0 before they are known.
    steps: u32,
}

/// What every answer about a job says.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "JobHead")]
struct Head {
    /// The id.
    id: Uuid,
    /// What people read: "Deploy web".
    title: String,
    /// Its kind: `deploy`, `provision` …
    kind: String,
    /// How it stands.
    state: JobState,
    /// True once it is over.
    r#final: bool,
    /// Why it waits, where it does.
    wait_reason: String,
    /// Why it failed, where it did.
    reason: String,
    /// Where the docs say more about that.
    help: Option<Topic>,
    /// Who or what asked for it.
    who: String,
    /// The deploy it carries out.
    deploy: Option<Uuid>,
    /// The app it is about.
    app: Option<Uuid>,
    /// The host it is about.
    host: Option<Uuid>,
    /// The step it is at, in words.
    step: String,
    /// When it was asked for.
    created_at: Time,
    /// When a worker first took it.
    started_at: Option<Time>,
    /// When it ended.
    finished_at: Option<Time>,
}

impl From<JobLine> for Head {
    fn from(line: JobLine) -> Self {
        Self {
            id: line.id.0,
            title: line.title,
            kind: line.kind,
            r#final: line.state.is_final(),
            state: line.state,
            wait_reason: line.wait_reason,
            help: help::of_job(&line.reason).filter(|_| line.state == JobState::Failed),
            reason: line.reason,
            who: line.who,
            deploy: line.deploy.map(|id| id.0),
            app: line.app.map(|id| id.0),
            host: line.host.map(|id| id.0),
            step: line.step,
            created_at: line.created_at.into(),
            started_at: line.started_at.map(Time),
            finished_at: line.finished_at.map(Time),
        }
    }
}

impl From<JobLine> for Job {
    fn from(line: JobLine) -> Self {
        let (steps_done, steps) = line.progress;
        Self { head: line.into(), steps_done, steps }
    }
}

/// One job as a whole.
#[derive(Serialize, JsonSchema)]
pub struct JobDetail {
    #[serde(flatten)]
    head: Head,
    /// Its steps.
    steps: Vec<Step>,
    /// Steps done.
    steps_done: u32,
    /// All steps; 0 before they are known.
    steps_total: u32,
    /// Who asked to cancel it, where somebody did.
    cancel_asked_by: Option<String>,
    /// True where this token may cancel it now.
    may_cancel: bool,
}

impl From<JobView> for JobDetail {
    fn from(view: JobView) -> Self {
        let (steps_done, steps_total) = view.line.progress;
        Self {
            head: view.line.into(),
            steps: view.steps.into_iter().map(Step::from).collect(),
            steps_done,
            steps_total,
            cancel_asked_by: view.cancel_asked_by,
            may_cancel: view.may_cancel,
        }
    }
}

/// One step of a job.
#[derive(Serialize, JsonSchema)]
pub struct Step {
    /// Order of display, from 1; lines of the log name it.
    seq: i32,
    /// The stage it belongs to; empty where a job has none.
    stage: String,
    /// What is done: "start web-2 on fra-1".
    words: String,
    /// How it stands.
    state: StepState,
    /// What was seen meanwhile: "answers 503".
    note: String,
    /// The first log line said in it.
    log_from: Option<i64>,
    /// When it began.
    started_at: Option<Time>,
    /// When it ended.
    finished_at: Option<Time>,
}

impl From<StepLine> for Step {
    fn from(line: StepLine) -> Self {
        Self {
            seq: line.seq,
            stage: line.stage,
            words: line.words,
            state: line.state,
            note: line.note,
            log_from: line.log_from,
            started_at: line.started_at.map(Time),
            finished_at: line.finished_at.map(Time),
        }
    }
}

/// One line of a job's log.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "LogLine")]
pub struct Line {
    /// 1, 2, … without a gap.
    pub seq: i64,
    /// When it was said.
    at: Time,
    /// By whom.
    stream: Stream,
    /// The step it was said in.
    step: Option<i32>,
    /// The line, redacted. What programs print is hostile: it may hold sequences that steer a terminal.
    text: String,
}

impl From<LogLine> for Line {
    fn from(line: LogLine) -> Self {
        Self {
            seq: line.seq,
            at: line.at.into(),
            stream: line.stream,
            step: line.step,
            text: String::from_utf8_lossy(&line.line).into_owned(),
        }
    }
}

/// Lines of a log.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "LogPage")]
pub struct Log {
    /// The lines, oldest first.
    lines: Vec<Line>,
    /// Send it as `after` to go on.
    next: i64,
    /// True where the job is over and this was all.
    done: bool,
}

impl From<LogPage> for Log {
    fn from(page: LogPage) -> Self {
        Self { lines: page.lines.into_iter().map(Line::from).collect(), next: page.next, done: page.done }
    }
}

/// A job that was begun.
#[derive(Serialize, JsonSchema)]
pub struct Begun {
    /// The job to follow; none where everything is done already.
    job: Option<Uuid>,
}

impl Begun {
    /// The answer that names the job.
    pub fn of(job: Option<JobId>) -> Accepted<Self> {
        let body = Self { job: job.map(|job| job.0) };
        match job {
            Some(job) => Accepted::at(format!("/jobs/{job}"), body),
            None => Accepted::new(body),
        }
    }
}

/// Which jobs are listed.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Which {
    /// Leaves out what is over.
    #[serde(default)]
    unfinished: bool,
    /// Where the page begins: `next` of the one before.
    #[serde(default)]
    cursor: Option<Uuid>,
}

/// Nothing.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

async fn list(State(api): State<Api>, caller: Caller, Asked(which): Asked<Which>) -> Result<Json<Page<Job>>, Problem> {
    let lines = jobs::list(api.actions(), &caller.actor, which.unfinished, which.cursor.map(JobId)).await?;
    Ok(Page::part(lines, JOBS_ON_PAGE, |line| line.id.to_string()))
}

async fn show(
    State(api): State<Api>,
    caller: Caller,
    OfId(id): OfId<JobId>,
    Asked(wait): Asked<Wait>,
) -> Result<Json<JobDetail>, Problem> {
    follow::until_over(&api, &caller, wait, async |after| {
        Ok(follow::Source::Job(jobs::follow(api.actions(), &caller.actor, id, after).await?))
    })
    .await?;
    Ok(Json(jobs::get(api.actions(), &caller.actor, id).await?.into()))
}

async fn cancel(
    State(api): State<Api>,
    caller: Caller,
    OfId(id): OfId<JobId>,
    Sent(Nothing {}): Sent<Nothing>,
) -> Result<Accepted<JobDetail>, Problem> {
    jobs::cancel(api.actions(), &caller.actor, id).await?;
    Ok(Accepted::new(jobs::get(api.actions(), &caller.actor, id).await?.into()))
}

async fn log(
    State(api): State<Api>,
    caller: Caller,
    OfId(id): OfId<JobId>,
    Asked(from): Asked<Behind>,
) -> Result<Json<Log>, Problem> {
    Ok(Json(log_page::of_job(api.actions(), &caller.actor, id, from.after(), from.limit()?).await?.into()))
}

async fn text(State(api): State<Api>, caller: Caller, OfId(id): OfId<JobId>) -> Result<Text, Problem> {
    Ok(Text(jobs::log(api.actions(), &caller.actor, id).await?))
}

async fn events(
    State(api): State<Api>,
    caller: Caller,
    OfId(id): OfId<JobId>,
    Asked(from): Asked<Behind>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let source = jobs::follow(api.actions(), &caller.actor, id, from.begin(&headers)).await?;
    follow::stream(&api, caller, follow::Source::Job(source), &headers)
}
