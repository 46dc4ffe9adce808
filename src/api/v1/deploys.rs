//! Deploys: asked for, waited for, followed, cancelled; and going back to a release.

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use tokio::time::{Instant, sleep_until};
use uuid::Uuid;

use super::jobs::{Log, Nothing, Step};
use crate::actions::deploys::{self, DEPLOYS_ON_PAGE, DeployLine, DeployView, PlanStage, Preview, RequestDeploy};
use crate::actions::log_page;
use crate::actions::tokens::Caller;
use crate::api::Api;
use crate::api::answer::{Accepted, Page, Text, Time};
use crate::api::follow::{self, Behind, Events, Wait};
use crate::api::problem::Problem;
use crate::api::routes::{Routes, get, post};
use crate::api::take::{Asked, OfApp, OfId, Once, Sent};
use crate::domain::deploy::{DeployState, Target};
use crate::domain::diff;
use crate::domain::help::Topic;
use crate::domain::ids::{AppId, DeployId};
use crate::domain::release;
use crate::domain::rights::Permission;

/// The calls.
pub fn routes() -> Routes {
    let (view, deploy) = (Permission::View, Permission::Deploy);
    let request =
        post("/apps/{app}/deploys", deploy).title("Ask for a deploy: of the head, a ref, an image or a release");
    let preview = post("/apps/{app}/deploys/preview", deploy).title("What a deploy would do; changes nothing");
    let rollback = post("/apps/{app}/rollback", deploy).title("Go back to a kept release");
    Routes::new()
        .about(Topic::Deploying)
        .add(get("/apps/{app}/deploys", view).title("An app's deploys, newest first").gives::<Page<Deploy>>(), list)
        .add(request.gives::<Accepted<DeployDetail>>(), ask)
        .add(preview.gives::<Json<Plan>>(), plan)
        .add(rollback.gives::<Accepted<DeployDetail>>(), roll_back)
        .add(
            get("/deploys/{id}", view)
                .title("One deploy; waits for its end where asked to")
                .gives::<Json<DeployDetail>>(),
            show,
        )
        .add(
            post("/deploys/{id}/cancel", deploy)
                .title("Cancel a deploy before its switch")
                .gives::<Accepted<DeployDetail>>(),
            cancel,
        )
        .add(get("/deploys/{id}/log", view).title("Lines of a deploy's log").gives::<Json<Log>>(), log)
        .add(get("/deploys/{id}/log.txt", view).title("A deploy's whole log as text").gives::<Text>(), text)
        .add(
            get("/deploys/{id}/events", view)
                .title("A deploy's lines, steps and state as they happen")
                .gives::<Events>(),
            events,
        )
}

/// What a deploy set out to do.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "to")]
#[schemars(rename = "Target")]
enum Aim {
    /// The head of the source's branch, or the image as it is now.
    Head,
    /// Another branch, or a tag.
    Ref {
        /// Its name.
        name: String,
    },
    /// One commit.
    Commit {
        /// The full id.
        id: String,
    },
    /// A kept release.
    Release {
        /// Its number.
        number: i32,
    },
    /// A kept release, placed as the app is now.
    Scale {
        /// Its number.
        number: i32,
    },
}

impl From<Target> for Aim {
    fn from(target: Target) -> Self {
        match target {
            Target::Head => Self::Head,
            Target::Ref { name } => Self::Ref { name: name.into() },
            Target::Commit { id } => Self::Commit { id: id.into() },
            Target::Release { number } => Self::Release { number },
            Target::Scale { number } => Self::Scale { number },
        }
    }
}

/// A commit. What its author wrote is hostile text.
#[derive(Serialize, JsonSchema)]
pub struct Commit {
    /// The full id.
    id: String,
    /// Its author.
    author: String,
    /// The first line of its message.
    subject: String,
}

impl From<release::Commit> for Commit {
    fn from(commit: release::Commit) -> Self {
        Self { id: commit.id.into(), author: commit.author, subject: commit.subject }
    }
}

/// The app of a deploy.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "AppBrief")]
struct OfWhich {
    /// The id.
    id: Uuid,
    /// The name.
    name: String,
}

/// One deploy in a list.
#[derive(Serialize, JsonSchema)]
pub struct Deploy {
    /// The id.
    pub id: Uuid,
    /// Its app.
    app: OfWhich,
    /// How it stands. `succeeded` may yet become `taken_back` while its release is watched.
    state: DeployState,
    /// True once it is over.
    r#final: bool,
    /// What it set out to do.
    target: Aim,
    /// The number of its release, once it is known.
    release: Option<i32>,
    /// The number of the release that served before.
    former_release: Option<i32>,
    /// True where it deploys the release that served already: a restart, or a start of a stopped app.
    again: bool,
    /// The commit, once it is known.
    commit: Option<Commit>,
    /// Who or what asked for it.
    who: String,
    /// Why it failed, where it did.
    failure: Option<String>,
    /// When it was asked for.
    created_at: Time,
    /// When a worker took it.
    started_at: Option<Time>,
    /// When it ended.
    finished_at: Option<Time>,
}

impl From<DeployLine> for Deploy {
    fn from(line: DeployLine) -> Self {
        Self {
            id: line.id.0,
            app: OfWhich { id: line.app.0, name: line.app_name },
            r#final: line.state.is_final(),
            state: line.state,
            target: line.target.into(),
            release: line.number,
            former_release: line.former,
            again: line.again,
            commit: line.commit.map(Commit::from),
            who: line.who,
            failure: line.failure,
            created_at: line.created_at.into(),
            started_at: line.started_at.map(Time),
            finished_at: line.finished_at.map(Time),
        }
    }
}

/// One deploy as a whole.
#[derive(Serialize, JsonSchema)]
pub struct DeployDetail {
    #[serde(flatten)]
    deploy: Deploy,
    /// Its job.
    job: Uuid,
    /// The delivery of a push that it comes from, or that was replayed.
    delivery: Option<Uuid>,
    /// What it sets out to do, in words.
    intent: String,
    /// Why it waits, while it does.
    wait_reason: String,
    /// The stages of its plan in words, once there is one.
    plan: Vec<Stage>,
    /// What the plan's reader should know.
    notes: Vec<String>,
    /// Its steps.
    steps: Vec<Step>,
    /// What to try, where it failed.
    advice: Option<String>,
    /// Where the docs say more about that failure.
    help: Option<Topic>,
    /// What is different from the release that served before.
    changes: Vec<Change>,
    /// When traffic moved: from then on it is not cancelled, but rolled back.
    switched_at: Option<Time>,
    /// Until when its release is watched.
    watch_until: Option<Time>,
    /// Who asked to cancel it, where somebody did.
    cancel_asked_by: Option<String>,
    /// Where the app answers.
    urls: Vec<String>,
    /// What this token may do with it now.
    may: May,
    /// True where its release command ran: going back does not undo what that did.
    ran_release_command: bool,
}

/// What a token may do with a deploy.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "MayWithDeploy")]
struct May {
    /// Cancel it now.
    cancel: bool,
    /// Ask for the same again.
    deploy: bool,
    /// Go back to this release, where that makes sense.
    roll_back_to: Option<i32>,
}

impl From<DeployView> for DeployDetail {
    fn from(view: DeployView) -> Self {
        Self {
            job: view.job.0,
            delivery: view.delivery.map(|id| id.0),
            intent: view.intent,
            wait_reason: view.wait_reason,
            plan: view.plan.into_iter().map(Stage::from).collect(),
            notes: view.notes,
            steps: view.steps.into_iter().map(Step::from).collect(),
            help: view.failure.as_ref().map(|failure| failure.help),
            advice: view.failure.map(|failure| failure.advice),
            changes: view.changes.into_iter().map(Change::from).collect(),
            switched_at: view.switched_at.map(Time),
            watch_until: view.watch_until.map(Time),
            cancel_asked_by: view.cancel_asked_by,
            urls: view.urls,
            may: May { cancel: view.may_cancel, deploy: view.may_deploy, roll_back_to: view.may_roll_back_to },
            ran_release_command: view.ran_release_command,
            deploy: view.line.into(),
        }
    }
}

/// One stage of a plan, in words.
#[derive(Serialize, JsonSchema)]
struct Stage {
    /// Its name.
    name: String,
    /// True once traffic has moved.
    after_switch: bool,
    /// Its steps: "start web-2 on fra-1".
    steps: Vec<String>,
}

impl From<PlanStage> for Stage {
    fn from(stage: PlanStage) -> Self {
        Self { name: stage.name, after_switch: stage.after_switch, steps: stage.steps }
    }
}

/// One difference.
#[derive(Serialize, JsonSchema)]
pub struct Change {
    /// What: "memory", "variable GREETING".
    what: String,
    /// How it is; none where it is new.
    before: Option<String>,
    /// How it becomes; none where it goes.
    after: Option<String>,
}

impl From<diff::Change> for Change {
    fn from(change: diff::Change) -> Self {
        Self { what: change.what, before: change.before, after: change.after }
    }
}

/// What a deploy would do.
#[derive(Serialize, JsonSchema)]
struct Plan {
    /// What it sets out to do, in words.
    intent: String,
    /// The stages, from what is known; the deploy itself looks first and may find less to do.
    plan: Vec<Stage>,
    /// What its reader should know.
    notes: Vec<String>,
    /// What would change.
    changes: Vec<Change>,
    /// Why it would be refused, where it would.
    refusal: Option<String>,
}

impl From<Preview> for Plan {
    fn from(preview: Preview) -> Self {
        Self {
            intent: preview.intent,
            plan: preview.plan.into_iter().map(Stage::from).collect(),
            notes: preview.notes,
            changes: preview.changes.into_iter().map(Change::from).collect(),
            refusal: preview.refusal,
        }
    }
}

/// What shall be deployed: the head of the app's branch, or its image as it is now, where nothing is said.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewDeploy")]
struct Wanted {
    /// A branch, a tag or a full commit id, of an app built from a repository.
    #[serde(default)]
    r#ref: Option<String>,
    /// An image, of an app that runs one: it becomes the app's from now on.
    #[serde(default)]
    image: Option<String>,
    /// The number of a kept release.
    #[serde(default)]
    release: Option<i32>,
}

impl Wanted {
    fn input(self, once: String) -> Result<RequestDeploy, Problem> {
        let form = RequestDeploy { once, ..RequestDeploy::default() };
        Ok(match (self.r#ref, self.image, self.release) {
            (None, None, None) => RequestDeploy { to: "head".to_owned(), ..form },
            (Some(reference), None, None) => RequestDeploy { to: "ref".to_owned(), reference, ..form },
            (None, Some(image), None) => RequestDeploy { to: "image".to_owned(), image, ..form },
            (None, None, Some(number)) => {
                RequestDeploy { to: "release".to_owned(), release: number.to_string(), ..form }
            }
            _ => return Err(follow::only_one(&["ref", "image", "release"])),
        })
    }
}

/// Where to go back to.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Rollback {
    /// The number of a kept release. Without it: the newest kept one below the one that serves.
    #[serde(default)]
    release: Option<i32>,
}

/// Where a page of a list begins.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Which {
    /// `next` of the page before.
    #[serde(default)]
    cursor: Option<Uuid>,
}

async fn list(
    State(api): State<Api>,
    caller: Caller,
    OfApp(app): OfApp,
    Asked(which): Asked<Which>,
) -> Result<Json<Page<Deploy>>, Problem> {
    let lines = deploys::list(api.actions(), &caller.actor, app, which.cursor.map(DeployId)).await?;
    Ok(Page::part(lines, DEPLOYS_ON_PAGE, |line| line.id.to_string()))
}

async fn ask(
    State(api): State<Api>,
    caller: Caller,
    OfApp(app): OfApp,
    Asked(wait): Asked<Wait>,
    Once(once): Once,
    Sent(wanted): Sent<Wanted>,
) -> Result<Accepted<DeployDetail>, Problem> {
    request(&api, &caller, app, wait, wanted.input(once)?).await
}

async fn roll_back(
    State(api): State<Api>,
    caller: Caller,
    OfApp(app): OfApp,
    Asked(wait): Asked<Wait>,
    Once(once): Once,
    Sent(rollback): Sent<Rollback>,
) -> Result<Accepted<DeployDetail>, Problem> {
    let to = if rollback.release.is_some() { "release" } else { "former" };
    let release = rollback.release.map(|number| number.to_string()).unwrap_or_default();
    let input = RequestDeploy { to: to.to_owned(), release, once, ..RequestDeploy::default() };
    request(&api, &caller, app, wait, input).await
}

async fn request(
    api: &Api,
    caller: &Caller,
    app: AppId,
    wait: Wait,
    input: RequestDeploy,
) -> Result<Accepted<DeployDetail>, Problem> {
    // A wait that cannot be is refused before anything is done.
    wait.deadline()?;
    let asked = deploys::request_once(api.actions(), &caller.actor, app, input).await?;
    let detail = once_over(api, caller, asked.deploy, wait).await?;
    let accepted = Accepted::at(format!("/deploys/{}", asked.deploy), detail);
    Ok(if asked.again { accepted.again() } else { accepted })
}

/// The deploy as it is at its end, or when the wait is over.
async fn once_over(api: &Api, caller: &Caller, id: DeployId, wait: Wait) -> Result<DeployDetail, Problem> {
    let (ctx, actor) = (api.actions(), &caller.actor);
    let (deadline, watched) = (wait.deadline()?, wait.watched());
    follow::until_over(api, caller, wait, async |after| {
        Ok(follow::Source::Deploy(deploys::follow(ctx, actor, id, after).await?))
    })
    .await?;
    loop {
        let view = deploys::get(ctx, actor, id).await?;
        let left = view.watch_until.map(|until| until - OffsetDateTime::now_utc()).filter(|left| left.is_positive());
        let (true, DeployState::Succeeded, Some(left), Some(deadline)) = (watched, view.line.state, left, deadline)
        else {
            return Ok(view.into());
        };
        if Instant::now() >= deadline || api.shutdown().is_cancelled() {
            return Ok(view.into());
        }
        /// A watch that finds something bad is noticed so soon.
        const LOOK_EVERY: std::time::Duration = std::time::Duration::from_secs(1);
        let next = Instant::now() + LOOK_EVERY.min(left.unsigned_abs());
        api.shutdown().run_until_cancelled(sleep_until(next.min(deadline))).await;
    }
}

async fn plan(
    State(api): State<Api>,
    caller: Caller,
    OfApp(app): OfApp,
    Sent(wanted): Sent<Wanted>,
) -> Result<Json<Plan>, Problem> {
    let input = wanted.input(String::new())?;
    Ok(Json(deploys::preview(api.actions(), &caller.actor, app, input).await?.into()))
}

async fn show(
    State(api): State<Api>,
    caller: Caller,
    OfId(id): OfId<DeployId>,
    Asked(wait): Asked<Wait>,
) -> Result<Json<DeployDetail>, Problem> {
    Ok(Json(once_over(&api, &caller, id, wait).await?))
}

async fn cancel(
    State(api): State<Api>,
    caller: Caller,
    OfId(id): OfId<DeployId>,
    Sent(Nothing {}): Sent<Nothing>,
) -> Result<Accepted<DeployDetail>, Problem> {
    deploys::cancel(api.actions(), &caller.actor, id).await?;
    let view = deploys::get(api.actions(), &caller.actor, id).await?;
    Ok(Accepted::at(format!("/deploys/{id}"), view.into()))
}

async fn log(
    State(api): State<Api>,
    caller: Caller,
    OfId(id): OfId<DeployId>,
    Asked(from): Asked<Behind>,
) -> Result<Json<Log>, Problem> {
    let page = log_page::of_deploy(api.actions(), &caller.actor, id, from.after(), from.limit()?).await?;
    Ok(Json(page.into()))
}

async fn text(State(api): State<Api>, caller: Caller, OfId(id): OfId<DeployId>) -> Result<Text, Problem> {
    Ok(Text(deploys::log(api.actions(), &caller.actor, id).await?))
}

async fn events(
    State(api): State<Api>,
    caller: Caller,
    OfId(id): OfId<DeployId>,
    Asked(from): Asked<Behind>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let source = deploys::follow(api.actions(), &caller.actor, id, from.begin(&headers)).await?;
    follow::stream(&api, caller, follow::Source::Deploy(source), &headers)
}
