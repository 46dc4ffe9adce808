//! Jobs: the list, one with its steps and live log; and the fragments a deploy's page shares. Not here: the stream (`live`).

use askama::Template;
use askama::filters::HtmlSafe;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use time::OffsetDateTime;
use tower_sessions::Session;

use crate::actions::jobs::{self, JobLine, JobView, LogLine, StepLine};
use crate::domain::help;
use crate::domain::help::Topic;
use crate::domain::ids::JobId;
use crate::domain::job::{JobState, StepState, Stream};
use crate::domain::rights::Permission;
use crate::web::actor::{At, Here};
use crate::web::error::Problem;
use crate::web::routes::{Policy, Routes};
use crate::web::ui::{Badge, Drawn, Form, Lasting, LogText, SafeUrl, Shape, Shell, Tone, When, lasting, page, pieces};
use crate::web::{Web, live, session};

/// The routes.
pub fn routes() -> Routes {
    let view = Policy::Team(Permission::View);
    Routes::new()
        .about(Topic::JobFailed)
        .get("/t/{team}/jobs", view, index)
        .get("/t/{team}/jobs/{id}", view, show)
        .get("/t/{team}/jobs/{id}/live", view, live::job)
        .get("/t/{team}/jobs/{id}/log", view, download)
        .post("/t/{team}/jobs/{id}/cancel", Policy::Team(Permission::Deploy), cancel)
}

/// Jobs as a table.
#[derive(Template)]
#[template(path = "jobs/_table.html")]
pub struct Table {
    /// The team's slug.
    pub team: String,
    /// The jobs.
    pub jobs: Vec<JobLine>,
}

impl HtmlSafe for Table {}

impl Table {
    fn page(&self, job: &JobLine) -> SafeUrl {
        match job.deploy {
            Some(deploy) => SafeUrl::path(["t", &self.team, "deploys", &deploy.to_string()]),
            None => SafeUrl::path(["t", &self.team, "jobs", &job.id.to_string()]),
        }
    }

    fn badge(&self, job: &JobLine) -> Badge {
        job.state.into()
    }

    fn bar(&self, job: &JobLine) -> Bar {
        Bar { done: job.progress.0, all: job.progress.1 }
    }

    fn detail<'a>(&self, job: &'a JobLine) -> &'a str {
        // Of one that went well, the last step says nothing.
        if job.state == JobState::Succeeded {
            return "";
        }
        [&job.reason, &job.wait_reason, &job.step].into_iter().find(|text| !text.is_empty()).map_or("", String::as_str)
    }

    fn when(&self, at: &OffsetDateTime) -> When {
        When::new(*at)
    }

    fn took(&self, job: &JobLine) -> Option<Lasting> {
        lasting(job.started_at, job.finished_at)
    }
}

/// How far a job is.
#[derive(Template)]
#[template(path = "jobs/_bar.html")]
pub struct Bar {
    /// Steps done.
    pub done: u32,
    /// All steps.
    pub all: u32,
}

impl HtmlSafe for Bar {}

impl Bar {
    /// At most so many cells are drawn.
    const CELLS: u32 = 12;

    fn cells(&self) -> Vec<bool> {
        let cells = self.all.min(Self::CELLS);
        let filled = (self.done * cells).checked_div(self.all).unwrap_or(0);
        (0..cells).map(|cell| cell < filled).collect()
    }
}

/// One stop of a course.
pub struct Stop {
    /// The name of the stage that begins with it.
    pub stage: Option<String>,
    /// Its shape.
    pub shape: Shape,
    /// Its style.
    pub class: &'static str,
    /// What is done.
    pub words: String,
    /// Its state.
    pub word: &'static str,
    /// What was seen.
    pub note: String,
    /// How long it took.
    pub took: String,
    /// Since when it runs.
    pub since: Option<When>,
    /// The first line of the log said in it.
    pub log: Option<i64>,
}

/// A job's steps, drawn down the page.
#[derive(Template)]
#[template(path = "jobs/_course.html")]
pub struct Course {
    /// The stops.
    pub stops: Vec<Stop>,
    /// What stands there while there are none.
    pub nothing: &'static str,
}

impl HtmlSafe for Course {}

impl Course {
    /// The course of these steps.
    pub fn new(steps: &[StepLine], nothing: &'static str) -> Self {
        let mut stage = "";
        let mut stops = Vec::with_capacity(steps.len());
        for (at, step) in steps.iter().enumerate() {
            let begins = step.stage != stage && !step.stage.is_empty();
            stage = &step.stage;
            let mut stop = stop(step, begins);
            // A step in which nothing was said needs no way to its lines.
            let after = steps.iter().skip(at + 1).find_map(|next| next.log_from);
            stop.log = stop.log.filter(|from| match after {
                Some(next) => next > *from,
                None => matches!(step.state, StepState::Running | StepState::Failed),
            });
            stops.push(stop);
        }
        Self { stops: fold(stops), nothing }
    }
}

/// Steps left out after a failure, from this many on, are one line: what was done is what its reader looks for.
const FOLDED_FROM: usize = 3;

/// Draws steps that were left out in a row as one.
fn fold(stops: Vec<Stop>) -> Vec<Stop> {
    let left_out = |stop: &Stop| stop.class == "skipped";
    let mut drawn: Vec<Stop> = Vec::with_capacity(stops.len());
    let mut rest = stops.into_iter().peekable();
    while let Some(first) = rest.next() {
        let mut row = vec![first];
        while row.first().is_some_and(left_out)
            && let Some(next) = rest.next_if(left_out)
        {
            row.push(next);
        }
        match (row.len() >= FOLDED_FROM, row.len()) {
            (true, count) => drawn.extend(row.into_iter().next().map(|first| Stop {
                stage: None,
                words: format!("{count} more steps were left out"),
                note: String::new(),
                log: None,
                ..first
            })),
            (false, _) => drawn.extend(row),
        }
    }
    drawn
}

fn stop(step: &StepLine, begins_stage: bool) -> Stop {
    let badge = Badge::from(step.state);
    let class = match step.state {
        StepState::Planned => "planned",
        StepState::Running => "live",
        StepState::Changed => "past",
        StepState::Unchanged => "past same",
        StepState::Failed => "bad",
        StepState::Skipped => "skipped",
    };
    let running = step.state == StepState::Running;
    Stop {
        stage: begins_stage.then(|| step.stage.clone()),
        shape: badge.shape,
        class,
        words: step.words.clone(),
        word: step.state.word(),
        note: match (step.state, step.note.is_empty()) {
            (StepState::Unchanged, true) => "nothing to do".to_owned(),
            // "make the network 10.64.0.0/24": what was made stands there already.
            _ if step.words.contains(&step.note) => String::new(),
            _ => step.note.clone(),
        },
        took: lasting(step.started_at, step.finished_at).map(|took| took.to_string()).unwrap_or_default(),
        since: step.started_at.filter(|_| running).map(When::new),
        log: step.log_from,
    }
}

/// A line of a log, ready for the page.
pub struct Line {
    /// Its number: the anchor of its link.
    pub seq: i64,
    /// When it was said.
    pub at: When,
    /// The name of its stream's style.
    pub stream: &'static str,
    /// The text.
    pub text: LogText,
}

/// Lines of a log.
#[derive(Template)]
#[template(path = "jobs/_lines.html")]
pub struct Lines {
    /// One after the other.
    pub lines: Vec<Line>,
}

impl HtmlSafe for Lines {}

impl Lines {
    /// These lines.
    pub fn new(lines: &[LogLine]) -> Self {
        let line = |line: &LogLine| Line {
            seq: line.seq,
            at: When::alone(line.at),
            stream: match line.stream {
                Stream::Skiff => "skiff",
                Stream::Out => "out",
                Stream::Err => "err",
            },
            text: pieces(&line.line),
        };
        Self { lines: lines.iter().map(line).collect() }
    }
}

/// A log with its tools.
#[derive(Template)]
#[template(path = "jobs/_log.html")]
pub struct LogPane<'a> {
    /// The lines it begins with.
    pub lines: &'a Drawn,
    /// How many these are.
    pub count: usize,
    /// True where older ones were left out.
    pub older: bool,
    /// The stream that brings more, while there can be more.
    pub live: Option<SafeUrl>,
    /// The whole as a file.
    pub download: SafeUrl,
}

impl HtmlSafe for LogPane<'_> {}

impl<'a> LogPane<'a> {
    /// The log of a page: `base` is the page's own address.
    pub fn new(log: &[LogLine], lines: &'a Drawn, live: Option<SafeUrl>, download: SafeUrl) -> Self {
        let older = log.first().is_some_and(|line| line.seq > 1);
        Self { lines, count: log.len(), older, live, download }
    }
}

/// What changes at the top of a job's page.
#[derive(Template)]
#[template(path = "jobs/_head.html")]
pub struct Head {
    /// The job.
    pub line: JobLine,
    /// Who asked to cancel it.
    pub cancel_asked_by: Option<String>,
    /// The button that cancels it.
    pub cancel: Option<Form>,
    /// The page of what it is about, and the word on its link.
    pub subject: Option<(SafeUrl, &'static str)>,
}

impl HtmlSafe for Head {}

impl Head {
    /// The head of this job's page.
    pub fn new(team: &str, token: &str, view: &JobView) -> Self {
        let action = SafeUrl::path(["t", team, "jobs", &view.line.id.to_string(), "cancel"]);
        let cancel = view.may_cancel.then(|| Form::act(action, token, "Cancel", "plain"));
        let page = |noun, id: uuid::Uuid| SafeUrl::path(["t", team, noun, &id.to_string()]);
        let subject = match (view.line.host, view.line.app) {
            (Some(host), _) => Some((page("hosts", host.0), "To the host")),
            (None, Some(app)) => Some((page("apps", app.0), "To the app")),
            (None, None) => None,
        };
        Self { line: view.line.clone(), cancel_asked_by: view.cancel_asked_by.clone(), cancel, subject }
    }

    fn badge(&self) -> Badge {
        match &self.cancel_asked_by {
            Some(_) if !self.line.state.is_final() => Badge::new(Shape::Half, Tone::Watch, "cancelling"),
            _ => self.line.state.into(),
        }
    }

    fn sentence(&self) -> String {
        match &self.cancel_asked_by {
            Some(by) if !self.line.state.is_final() => ["Cancel was asked for by ", by, "."].concat(),
            _ => self.line.wait_reason.clone(),
        }
    }

    fn when(&self, at: &OffsetDateTime) -> When {
        When::new(*at)
    }

    fn took(&self) -> Option<Lasting> {
        lasting(self.line.started_at, self.line.finished_at)
    }

    fn help(&self) -> Option<SafeUrl> {
        let failed = self.line.state == JobState::Failed;
        help::of_job(&self.line.reason).filter(|_| failed).map(SafeUrl::help)
    }
}

/// The list.
#[derive(Template)]
#[template(path = "jobs/index.html")]
pub struct Index {
    /// The frame.
    pub shell: Shell,
    /// The jobs.
    pub jobs: Table,
    /// This page.
    pub own: SafeUrl,
    /// The page with older ones.
    pub older: Option<SafeUrl>,
}

#[derive(serde::Deserialize)]
struct Asked {
    before: Option<JobId>,
}

/// A job's page.
#[derive(Template)]
#[template(path = "jobs/show.html")]
pub struct Show<'a> {
    /// The frame.
    pub shell: Shell,
    /// The stream that keeps it live.
    pub live: Option<SafeUrl>,
    /// Its top.
    pub head: Head,
    /// Its steps.
    pub course: Course,
    /// Its log.
    pub log: LogPane<'a>,
}

impl<'a> Show<'a> {
    /// The page of this job, with its lines as they were drawn.
    pub fn new(here: &Here, view: &JobView, lines: &'a Drawn) -> Result<Self, Problem> {
        let team = &here.place()?.team.slug;
        let id = view.line.id.to_string();
        let running = !view.line.state.is_final();
        let live = running.then(|| live::address(team, "jobs", &id, view.log_seq));
        let mut shell = Shell::new(here, view.line.title.clone(), "Jobs")
            .crumb("Jobs", Some(SafeUrl::path(["t", team, "jobs"])))
            .crumb(view.line.title.clone(), None);
        shell.state = Some(view.line.state.into());
        Ok(Self {
            shell,
            head: Head::new(team, &here.token, view),
            course: Course::new(&view.steps, "The steps are known once it begins."),
            log: LogPane::new(&view.log, lines, live.clone(), SafeUrl::path(["t", team, "jobs", &id, "log"])),
            live,
        })
    }
}

async fn index(State(web): State<Web>, here: Here, Query(asked): Query<Asked>) -> Result<Response, Problem> {
    let jobs = jobs::list(web.actions(), here.actor()?, false, asked.before).await?;
    let team = here.place()?.team.slug.clone();
    let list = SafeUrl::path(["t", &team, "jobs"]);
    let full = i64::try_from(jobs.len()).unwrap_or(jobs::JOBS_ON_PAGE) >= jobs::JOBS_ON_PAGE;
    let older = jobs.last().filter(|_| full).map(|last| list.clone().before(last.id.0));
    let own = match asked.before {
        Some(before) => list.before(before.0),
        None => list,
    };
    let shell = Shell::new(&here, "Jobs", "Jobs").crumb("Jobs", None);
    Ok(page(&Index { shell, jobs: Table { team, jobs }, own, older }))
}

async fn show(State(web): State<Web>, here: Here, At((_, id)): At<(String, JobId)>) -> Result<Response, Problem> {
    let view = jobs::get(web.actions(), here.actor()?, id).await?;
    if let Some(deploy) = view.line.deploy {
        // A deploy's page says more, and has the buttons that go with it.
        let page = SafeUrl::path(["t", &here.place()?.team.slug, "deploys", &deploy.to_string()]);
        return Ok(Redirect::to(page.as_str()).into_response());
    }
    let lines = Drawn::new(&Lines::new(&view.log))?;
    Ok(page(&Show::new(&here, &view, &lines)?))
}

async fn download(State(web): State<Web>, here: Here, At((_, id)): At<(String, JobId)>) -> Result<Response, Problem> {
    Ok(live::file(jobs::log(web.actions(), here.actor()?, id).await?))
}

async fn cancel(
    State(web): State<Web>,
    here: Here,
    session: Session,
    At((_, id)): At<(String, JobId)>,
) -> Result<Redirect, Problem> {
    jobs::cancel(web.actions(), here.actor()?, id).await?;
    session::flash(&session, "Cancel was asked for.").await?;
    Ok(Redirect::to(SafeUrl::path(["t", &here.place()?.team.slug, "jobs", &id.to_string()]).as_str()))
}
