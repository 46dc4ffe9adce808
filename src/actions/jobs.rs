//! Jobs: what is being done, what was done, with steps and log. Not here: what any kind of job does.

use std::pin::Pin;

use futures_util::{Stream as AsyncStream, StreamExt};
use time::OffsetDateTime;

use super::follow::Follow;
use super::gate::{self, Open};
use super::{Ctx, Refused};
use crate::db::{self, Tx, audit, job_log, job_steps};
use crate::domain::ids::{AppId, DeployId, HostId, JobId};
use crate::domain::job::{JobState, StepState, Stream};
use crate::domain::names::Slug;
use crate::domain::parts::Sight;
use crate::domain::rights::{Actor, On, Permission, Permit};
use crate::jobs::remove_app::RemoveApp;
use crate::jobs::restart_instance::RestartInstance;
use crate::jobs::stop_app::StopApp;
use crate::queue::{self, Cancelled, Job};

/// One job in a list.
#[derive(Clone, Debug)]
pub struct JobLine {
    /// The job.
    pub id: JobId,
    /// What people read: "Deploy web".
    pub title: String,
    /// The kind, as the queue knows it: `deploy`, `provision` …
    pub kind: String,
    /// How it stands.
    pub state: JobState,
    /// Why it waits, where it does: "web is being deployed".
    pub wait_reason: String,
    /// Why it failed, where it did: one sentence.
    pub reason: String,
    /// Who or what asked for it, in words.
    pub who: String,
    /// The deploy it carries out, where it is one: its page is the job's page.
    pub deploy: Option<DeployId>,
    /// The app it is about, where it is about one.
    pub app: Option<AppId>,
    /// The host it is about, where it is about one.
    pub host: Option<HostId>,
    /// The step it is at: "drain web-1 on fra-1"; empty before the first.
    pub step: String,
    /// Steps done, and all steps; (0, 0) before there are any.
    pub progress: (u32, u32),
    /// When it was asked for.
    pub created_at: OffsetDateTime,
    /// When a worker first took it.
    pub started_at: Option<OffsetDateTime>,
    /// When it ended.
    pub finished_at: Option<OffsetDateTime>,
}

/// One step of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepLine {
    /// Order of display, from 1; lines of the log name it.
    pub seq: i32,
    /// The stage it belongs to: "prepare"; empty where a job has no stages.
    pub stage: String,
    /// What is done: "start web-2 on fra-1".
    pub words: String,
    /// How it stands.
    pub state: StepState,
    /// What was seen meanwhile: "answers 503", "5 of 7 cached".
    pub note: String,
    /// The first log line said in it, where one was.
    pub log_from: Option<i64>,
    /// When it began.
    pub started_at: Option<OffsetDateTime>,
    /// When it ended.
    pub finished_at: Option<OffsetDateTime>,
}

/// One line of a job's log. The bytes are hostile text: redacted and capped, not cleaned of escape sequences.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// 1, 2, … without a gap: the event id of the live log.
    pub seq: i64,
    /// When it was said.
    pub at: OffsetDateTime,
    /// By whom.
    pub stream: Stream,
    /// The step it was said in.
    pub step: Option<i32>,
    /// The line without its newline, at most 16 KiB.
    pub line: Vec<u8>,
}

/// A job's page.
#[derive(Clone, Debug)]
pub struct JobView {
    /// The job.
    pub line: JobLine,
    /// Its steps.
    pub steps: Vec<StepLine>,
    /// The last lines of its log, at most `LOG_ON_PAGE`.
    pub log: Vec<LogLine>,
    /// Where the live log begins: the seq of the last line above, or 0.
    pub log_seq: i64,
    /// True where the actor may cancel it now.
    pub may_cancel: bool,
    /// Who asked to cancel it, where somebody did.
    pub cancel_asked_by: Option<String>,
}

/// Log lines a page begins with: older ones are in the download, and the page stays small.
pub const LOG_ON_PAGE: i64 = 500;

/// Jobs on one page of the list.
pub const JOBS_ON_PAGE: i64 = 50;

/// The newest jobs, or those before this one; `unfinished` leaves out what is over.
pub async fn list(ctx: &Ctx, actor: &Actor, unfinished: bool, before: Option<JobId>) -> Result<Vec<JobLine>, Refused> {
    let Open { mut tx, permit, .. } = gate::team(ctx, actor).await?;
    let filter = db::jobs::Filter { unfinished, before, ..Default::default() };
    let lines = lines(&mut tx, &permit, actor, &filter, JOBS_ON_PAGE).await?;
    tx.commit().await?;
    Ok(lines)
}

/// Jobs one may see, in the caller's transaction.
pub(super) async fn lines(
    tx: &mut Tx<'_>,
    permit: &Permit,
    actor: &Actor,
    filter: &db::jobs::Filter<'_>,
    limit: i64,
) -> Result<Vec<JobLine>, Refused> {
    let sight = Sight::of(actor);
    let rows = db::jobs::list(tx, permit, &db::jobs::Filter { sight: Some(&sight), ..*filter }, limit).await?;
    Ok(rows.into_iter().filter(|row| gate::sees(actor, on(actor, row))).map(line).collect())
}

/// One job with steps and log.
pub async fn get(ctx: &Ctx, actor: &Actor, id: JobId) -> Result<JobView, Refused> {
    let Open { mut tx, permit, .. } = gate::team(ctx, actor).await?;
    let row = db::jobs::get(&mut tx, &permit, id).await?.ok_or(Refused::NotFound)?;
    let on = on(actor, &row);
    if !gate::sees(actor, on) {
        return Err(Refused::NotFound);
    }
    let steps = steps(&mut tx, &permit, id).await?;
    let log = log_end(&mut tx, &permit, id).await?;
    tx.commit().await?;
    Ok(JobView {
        may_cancel: !row.state.is_final()
            && stops_for_a_person(&row)
            && row.cancel_asked_by.is_none()
            && actor.may(needs(&row), on).is_ok(),
        cancel_asked_by: row.cancel_asked_by.clone(),
        log_seq: log.last().map_or(0, |line| line.seq),
        line: line(row),
        steps,
        log,
    })
}

/// Follows a job's log and steps, from behind this line on.
pub async fn follow(ctx: &Ctx, actor: &Actor, id: JobId, after: i64) -> Result<Follow, Refused> {
    let (permit, _) = see(ctx, actor, id).await?;
    Ok(Follow::new(ctx, permit, id, after))
}

/// A job's whole log as it is now, for a download.
pub async fn log(ctx: &Ctx, actor: &Actor, id: JobId) -> Result<Download, Refused> {
    let (permit, row) = see(ctx, actor, id).await?;
    Ok(download(ctx, permit, id, &row.title))
}

/// A log to be saved.
pub struct Download {
    /// A name for the file: letters, digits and hyphens, ending in `.log`.
    pub file: String,
    /// Its bytes: lines as they were said, each with its newline. Hostile text.
    pub bytes: Pin<Box<dyn AsyncStream<Item = Result<Vec<u8>, Refused>> + Send>>,
}

/// The log of a job one may see.
pub(super) fn download(ctx: &Ctx, permit: Permit, id: JobId, title: &str) -> Download {
    let file = format!("{}-{}.log", Slug::of(title, "job", &[]), id.simple());
    let bytes = job_log::pages(ctx.db.clone(), permit, id).map(|page| {
        let mut bytes = Vec::new();
        for line in page? {
            bytes.extend_from_slice(&line.line);
            bytes.push(b'\n');
        }
        Ok(bytes)
    });
    Download { file, bytes: Box::pin(bytes) }
}

/// A job one may see, and the permit it was seen with.
pub(super) async fn see(ctx: &Ctx, actor: &Actor, id: JobId) -> Result<(Permit, db::jobs::Row), Refused> {
    let Open { mut tx, permit, .. } = gate::team(ctx, actor).await?;
    let row = db::jobs::get(&mut tx, &permit, id).await?.ok_or(Refused::NotFound)?;
    tx.commit().await?;
    if !gate::sees(actor, on(actor, &row)) {
        return Err(Refused::NotFound);
    }
    Ok((permit, row))
}

/// Cancels a job that is no deploy; a deploy has its own way, as it may not stop after the switch.
pub async fn cancel(ctx: &Ctx, actor: &Actor, id: JobId) -> Result<(), Refused> {
    let Open { mut tx, permit, .. } = gate::team(ctx, actor).await?;
    let row = db::jobs::get(&mut tx, &permit, id).await?.ok_or(Refused::NotFound)?;
    let on = on(actor, &row);
    if !gate::sees(actor, on) {
        return Err(Refused::NotFound);
    }
    let permit = actor.may(needs(&row), on)?;
    if row.deploy.is_some() {
        return Err(Refused::Conflict("This job carries out a deploy: cancel the deploy instead.".into()));
    }
    if !stops_for_a_person(&row) {
        return Err(Refused::Conflict("It has begun, and is brought to its end: half of it would be worse.".into()));
    }
    match queue::cancel(&mut tx, &permit, id, actor.name()).await? {
        Cancelled::AtOnce | Cancelled::Asked => {}
        Cancelled::TooLate(state) => return Err(Refused::Conflict(format!("It has already {}.", state.word()))),
        Cancelled::NotFound => return Err(Refused::NotFound),
    }
    let event = audit::New {
        action: "job.cancelled",
        kind: "job",
        subject: Some(id.0),
        name: &row.title,
        before: None,
        after: None,
    };
    audit::record(&mut tx, &permit, event).await?;
    tx.commit().await?;
    Ok(())
}

/// What a right on a job is asked on: its app where it is a deploy, else its host, else the team.
fn on(actor: &Actor, row: &db::jobs::Row) -> On {
    match (row.project, row.environment, row.host) {
        (Some(project), Some(environment), _) => On::environment(actor.team(), project, environment),
        (_, _, Some(host)) => On::host(actor.team(), host),
        _ => On::team(actor.team()),
    }
}

/// Whether it can be cancelled now: what stops or restarts something is brought to its end once it has begun, and what takes
/// a removed app off its hosts always.
fn stops_for_a_person(row: &db::jobs::Row) -> bool {
    if row.kind == RemoveApp::KIND {
        return false;
    }
    row.state != JobState::Running || ![StopApp::KIND, RestartInstance::KIND].contains(&row.kind.as_str())
}

/// What cancelling it needs.
fn needs(row: &db::jobs::Row) -> Permission {
    if row.app.is_some() { Permission::Deploy } else { Permission::ManageHosts }
}

/// A row as a line.
pub(super) fn line(row: db::jobs::Row) -> JobLine {
    let count = |n: i64| u32::try_from(n).unwrap_or(0);
    JobLine {
        id: row.id,
        title: row.title,
        kind: row.kind,
        state: row.state,
        wait_reason: row.wait_reason,
        reason: row.reason,
        who: row.cause.who().to_owned(),
        deploy: row.deploy,
        app: row.app,
        host: row.host,
        step: row.step,
        progress: (count(row.steps_done), count(row.steps)),
        created_at: row.created_at,
        started_at: row.started_at,
        finished_at: row.finished_at,
    }
}

/// The steps of a job.
pub(super) async fn steps(tx: &mut Tx<'_>, permit: &Permit, job: JobId) -> Result<Vec<StepLine>, Refused> {
    let rows = job_steps::list(tx, permit, job).await?;
    let step = |row: job_steps::Step| StepLine {
        seq: row.seq,
        stage: row.stage,
        words: row.words,
        state: row.state,
        note: row.note,
        log_from: row.log_from,
        started_at: row.started_at,
        finished_at: row.finished_at,
    };
    Ok(rows.into_iter().map(step).collect())
}

/// The last lines of a job's log.
pub(super) async fn log_end(tx: &mut Tx<'_>, permit: &Permit, job: JobId) -> Result<Vec<LogLine>, Refused> {
    let rows = job_log::last(tx, permit, job, LOG_ON_PAGE).await?;
    Ok(rows.into_iter().map(log_line).collect())
}

/// A row of the log as a line.
pub(super) fn log_line(row: job_log::Line) -> LogLine {
    LogLine { seq: row.seq, at: row.at, stream: row.stream, step: row.step, line: row.line }
}
