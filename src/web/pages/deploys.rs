//! Deploys: the plan before, the course and the live log meanwhile, the sentence after. Not here: carrying one out.

use askama::Template;
use askama::filters::HtmlSafe;
use axum::extract::State;
use axum::response::{Redirect, Response};
use time::OffsetDateTime;

use super::jobs::{Course, Lines, LogPane};
use super::releases::{Changes, roll_back};
use crate::actions::Weigh;
use crate::actions::apps as app_actions;
use crate::actions::deploys::{self, DeployLine, DeployView, FailureView, PlanStage, Preview, RequestDeploy};
use crate::domain::deploy::{DeployState, Target};
use crate::domain::help::Topic;
use crate::domain::ids::{AppId, DeployId};
use crate::domain::rights::Permission;
use crate::web::actor::{At, Here};
use crate::web::error::Problem;
use crate::web::routes::{Policy, Routes};
use crate::web::ui::{Badge, Drawn, Field, Form, Lasting, SafeUrl, Sent, Shape, Shell, Tone, When, lasting, page};
use crate::web::{Web, live};

/// The routes.
pub fn routes() -> Routes {
    let (view, deploy) = (Policy::Team(Permission::View), Policy::Team(Permission::Deploy));
    Routes::new()
        .about(Topic::Deploying)
        .get("/t/{team}/apps/{id}/deploys/new", deploy, plan)
        .post("/t/{team}/apps/{id}/deploys", deploy, request)
        .get("/t/{team}/deploys/{id}", view, show)
        .get("/t/{team}/deploys/{id}/live", view, live::deploy)
        .get("/t/{team}/deploys/{id}/log", view, download)
        .post("/t/{team}/deploys/{id}/cancel", deploy, cancel)
}

/// "v42", or what it sets out to do while the number is not known.
pub fn name(line: &DeployLine) -> String {
    match (line.number, &line.target) {
        (Some(number), _) => format!("v{number}"),
        (None, Target::Release { number }) if line.again => format!("v{number} again"),
        (None, Target::Release { number }) => format!("back to v{number}"),
        (None, Target::Scale { number }) => format!("v{number} scaled"),
        (None, Target::Commit { id }) => id.as_ref().chars().take(7).collect(),
        (None, Target::Ref { name }) => name.to_string(),
        (None, Target::Head) => "new".to_owned(),
    }
}

/// The commit in one line, or why it failed.
pub fn what(line: &DeployLine) -> String {
    match (&line.failure, &line.commit, &line.target) {
        (Some(failure), _, _) => failure.clone(),
        (None, _, Target::Release { number }) if line.again => format!("restart of v{number}"),
        (None, _, Target::Release { number }) => format!("back to v{number}"),
        (None, _, Target::Scale { number }) => format!("v{number} with its instances placed anew"),
        (None, Some(commit), _) => {
            let short: String = commit.id.as_ref().chars().take(7).collect();
            [&short, " ", &commit.subject].concat()
        }
        (None, None, Target::Head) => "the newest there is".to_owned(),
        (None, None, Target::Ref { name }) => ["the head of ", name.as_ref()].concat(),
        (None, None, Target::Commit { .. }) => String::new(),
    }
}

/// Deploys as a table.
#[derive(Template)]
#[template(path = "deploys/_table.html")]
pub struct Table {
    /// The team's slug.
    pub team: String,
    /// The deploys.
    pub deploys: Vec<DeployLine>,
}

impl HtmlSafe for Table {}

impl Table {
    fn page(&self, deploy: &DeployLine) -> SafeUrl {
        SafeUrl::path(["t", &self.team, "deploys", &deploy.id.to_string()])
    }

    fn name(&self, deploy: &DeployLine) -> String {
        name(deploy)
    }

    fn what(&self, deploy: &DeployLine) -> String {
        what(deploy)
    }

    fn badge(&self, deploy: &DeployLine) -> Badge {
        deploy.state.into()
    }

    fn when(&self, at: &OffsetDateTime) -> When {
        When::new(*at)
    }

    fn took(&self, deploy: &DeployLine) -> Option<Lasting> {
        lasting(deploy.started_at, deploy.finished_at)
    }
}

/// A plan in words.
#[derive(Template)]
#[template(path = "deploys/_plan.html")]
pub struct Plan {
    /// What its reader should know.
    pub notes: Vec<String>,
    /// Its stages.
    pub stages: Vec<PlanStage>,
}

impl HtmlSafe for Plan {}

/// What changes at the top of a deploy's page.
#[derive(Template)]
#[template(path = "deploys/_head.html")]
pub struct Head {
    /// The deploy.
    pub view: DeployView,
    /// The button that cancels it.
    pub cancel: Option<Form>,
    /// The button that goes back.
    pub back: Option<Form>,
    /// The button that asks for the same again.
    pub again: Option<Form>,
    /// Where the app answers, once it does.
    pub urls: Vec<SafeUrl>,
    /// The delivery of a push that it comes from, among the app's.
    pub delivery: Option<SafeUrl>,
}

impl HtmlSafe for Head {}

impl Head {
    /// The head of this deploy's page.
    pub fn new(team: &str, token: &str, view: DeployView) -> Self {
        let id = view.line.id.to_string();
        let app = view.line.app;
        let cancel = view.may_cancel.then(|| {
            Form::act(SafeUrl::path(["t", team, "deploys", &id, "cancel"]), token, "Cancel this deploy", "danger")
        });
        let back = view.may_roll_back_to.map(|number| roll_back(team, app, token, number, ""));
        let failed = matches!(view.line.state, DeployState::Failed | DeployState::Cancelled);
        let again = (view.may_deploy && failed).then(|| {
            let action = SafeUrl::path(["t", team, "apps", &app.to_string(), "deploys"]);
            let mut form = Form::act(action, token, "Deploy again", "primary");
            let (to, field) = match &view.line.target {
                Target::Head => ("head", None),
                Target::Ref { name } => ("ref", Some(Field::hidden("ref", name.as_ref()))),
                Target::Commit { id } => ("commit", Some(Field::hidden("commit", id.as_ref()))),
                Target::Release { number } => ("release", Some(Field::hidden("release", number.to_string()))),
                Target::Scale { number } => ("scale", Some(Field::hidden("release", number.to_string()))),
            };
            for group in &mut form.groups {
                group.fields = std::iter::once(Field::hidden("to", to)).chain(field.clone()).collect();
            }
            form
        });
        let done = view.line.state == DeployState::Succeeded;
        let urls = view.urls.iter().filter(|_| done).filter_map(|url| SafeUrl::web(url)).collect();
        let delivery = view
            .delivery
            .map(|delivery| SafeUrl::path(["t", team, "apps", &app.to_string(), "push"]).at("delivery", delivery.0));
        Self { view, cancel, back, again, urls, delivery }
    }

    fn title(&self) -> String {
        let line = &self.view.line;
        match (line.former, line.number) {
            (Some(former), Some(number)) => format!("Deploy {} v{former} → v{number}", line.app_name),
            (None, Some(number)) => format!("Deploy {} v{number}", line.app_name),
            _ => format!("Deploy {}", line.app_name),
        }
    }

    fn badge(&self) -> Badge {
        let line = &self.view.line;
        match (&self.view.cancel_asked_by, self.watching()) {
            (Some(_), _) if !line.state.is_final() => Badge::new(Shape::Half, Tone::Watch, "cancelling"),
            (_, true) => Badge::new(Shape::Disc, Tone::Well, "succeeded"),
            _ => line.state.into(),
        }
    }

    fn tone(&self) -> &'static str {
        self.badge().tone.class()
    }

    fn watching(&self) -> bool {
        let now = OffsetDateTime::now_utc();
        self.view.line.state == DeployState::Succeeded && self.view.watch_until.is_some_and(|until| until > now)
    }

    fn sentence(&self) -> String {
        let view = &self.view;
        match &view.cancel_asked_by {
            Some(by) if !view.line.state.is_final() => return ["Cancel was asked for by ", by, "."].concat(),
            _ => {}
        }
        let first = view.line.former.is_none();
        match view.line.state {
            DeployState::Queued => view.wait_reason.clone(),
            DeployState::Running if view.switched_at.is_some() => {
                "The new version answers; the old one is leaving.".to_owned()
            }
            DeployState::Running if first => "The app opens once it is healthy.".to_owned(),
            DeployState::Running => "The old version serves until the new one is healthy.".to_owned(),
            DeployState::Succeeded if self.watching() => "It serves, and is being watched.".to_owned(),
            DeployState::Failed if first => "Nothing of it was opened to anybody.".to_owned(),
            DeployState::Failed => "The old version goes on serving.".to_owned(),
            DeployState::TakenBack => "It served, was found bad, and the former release was brought back.".to_owned(),
            DeployState::Superseded => "A newer deploy took its place.".to_owned(),
            DeployState::Cancelled if first => "Nothing of it was opened to anybody.".to_owned(),
            DeployState::Cancelled => "The old version goes on serving.".to_owned(),
            DeployState::Succeeded => String::new(),
        }
    }

    fn when(&self, at: &OffsetDateTime) -> When {
        When::new(*at)
    }

    fn took(&self) -> Option<Lasting> {
        lasting(self.view.line.started_at, self.view.line.finished_at)
    }

    fn help(&self, failure: &FailureView) -> SafeUrl {
        SafeUrl::help(failure.help)
    }

    fn since(&self) -> Option<When> {
        self.view.line.started_at.filter(|_| self.view.line.finished_at.is_none()).map(When::new)
    }
}

/// What is kept of it: what it shows, and the lines of its log as they were drawn.
pub struct Looked {
    view: DeployView,
    lines: Drawn,
}

impl Weigh for Looked {
    fn bytes(&self) -> usize {
        self.view.bytes() + self.lines.bytes()
    }
}

/// A deploy's page.
#[derive(Template)]
#[template(path = "deploys/show.html")]
pub struct Show<'a> {
    /// The frame.
    pub shell: Shell,
    /// The stream that keeps it live.
    pub live: Option<SafeUrl>,
    /// Its top.
    pub head: Head,
    /// Its steps.
    pub course: Course,
    /// What changes with it.
    pub changes: Changes,
    /// Its plan.
    pub plan: Plan,
    /// Its log.
    pub log: LogPane<'a>,
}

/// What the course says before there are steps.
pub const NO_STEPS: &str = "The course is drawn once the hosts were looked at.";

impl<'a> Show<'a> {
    /// The page of this deploy.
    pub fn new(here: &Here, looked: &'a Looked) -> Result<Self, Problem> {
        let Looked { view, lines } = looked;
        let team = &here.place()?.team.slug;
        let id = view.line.id.to_string();
        let live = (!view.line.state.is_final()).then(|| live::address(team, "deploys", &id, view.log_seq));
        let app = SafeUrl::path(["t", team, "apps", &view.line.app.to_string()]);
        let called = match view.line.number {
            Some(number) => format!("Deploy v{number}"),
            None => "Deploy".to_owned(),
        };
        let mut shell = Shell::new(here, format!("{called} · {}", view.line.app_name), "Apps")
            .crumb("Apps", Some(SafeUrl::path(["t", team, "apps"])))
            .crumb(view.line.app_name.clone(), Some(app))
            .crumb(called, None);
        shell.state = Some(view.line.state.into());
        Ok(Self {
            shell,
            course: Course::new(&view.steps, NO_STEPS),
            changes: Changes { changes: view.changes.clone() },
            plan: Plan { notes: view.notes.clone(), stages: view.plan.clone() },
            log: LogPane::new(&view.log, lines, live.clone(), SafeUrl::path(["t", team, "deploys", &id, "log"])),
            head: Head::new(team, &here.token, view.clone()),
            live,
        })
    }
}

/// What a deploy would do.
#[derive(Template)]
#[template(path = "deploys/new.html")]
pub struct Before {
    /// The frame.
    pub shell: Shell,
    /// The app's name.
    pub app: String,
    /// What would be done.
    pub view: Preview,
    /// The plan.
    pub plan: Plan,
    /// What would change.
    pub changes: Changes,
    /// Whether it is the app's first.
    pub first: bool,
    /// The button that asks for it.
    pub form: Form,
}

impl Before {
    fn help(&self) -> SafeUrl {
        SafeUrl::help(Topic::PlanRefused)
    }

    fn no_changes(&self) -> &'static str {
        match self.first {
            true => "Everything is new: this is the first release.",
            false => "New code only, or nothing: no edit is pending.",
        }
    }
}

async fn plan(State(web): State<Web>, here: Here, At((_, id)): At<(String, AppId)>) -> Result<Response, Problem> {
    let app = app_actions::get(web.actions(), here.actor()?, id).await?;
    let view = deploys::preview(web.actions(), here.actor()?, id, RequestDeploy::default()).await?;
    let team = &here.place()?.team.slug;
    let own = SafeUrl::path(["t", team, "apps", &id.to_string()]);
    let action = SafeUrl::path(["t", team, "apps", &id.to_string(), "deploys"]);
    let shell = Shell::new(&here, format!("Deploy {}", app.line.name), "Apps")
        .crumb("Apps", Some(SafeUrl::path(["t", team, "apps"])))
        .crumb(app.line.name.clone(), Some(own))
        .crumb("Plan", None);
    Ok(page(&Before {
        shell,
        first: app.line.current.is_none(),
        app: app.line.name,
        plan: Plan { notes: view.notes.clone(), stages: view.plan.clone() },
        changes: Changes { changes: view.changes.clone() },
        view,
        form: Form::act(action, &here.token, "Deploy", "primary"),
    }))
}

async fn request(
    State(web): State<Web>,
    here: Here,
    At((_, id)): At<(String, AppId)>,
    sent: Sent,
) -> Result<Redirect, Problem> {
    let input = RequestDeploy {
        to: sent.get("to"),
        reference: sent.get("ref"),
        commit: sent.get("commit"),
        release: sent.get("release"),
        ..RequestDeploy::default()
    };
    let deploy = deploys::request(web.actions(), here.actor()?, id, input).await?;
    Ok(Redirect::to(SafeUrl::path(["t", &here.place()?.team.slug, "deploys", &deploy.to_string()]).as_str()))
}

async fn show(State(web): State<Web>, here: Here, At((_, id)): At<(String, DeployId)>) -> Result<Response, Problem> {
    let (ctx, actor) = (web.actions(), here.actor()?);
    let look = async || {
        let view = deploys::get(ctx, actor, id).await?;
        let lines = Drawn::new(&Lines::new(&view.log))?;
        Ok(Looked { view, lines })
    };
    let looked = ctx.kept.view(ctx, actor, id.0, look).await?;
    Ok(page(&Show::new(&here, &looked)?))
}

async fn download(
    State(web): State<Web>,
    here: Here,
    At((_, id)): At<(String, DeployId)>,
) -> Result<Response, Problem> {
    Ok(live::file(deploys::log(web.actions(), here.actor()?, id).await?))
}

async fn cancel(State(web): State<Web>, here: Here, At((_, id)): At<(String, DeployId)>) -> Result<Redirect, Problem> {
    deploys::cancel(web.actions(), here.actor()?, id).await?;
    Ok(Redirect::to(SafeUrl::path(["t", &here.place()?.team.slug, "deploys", &id.to_string()]).as_str()))
}
