//! Push to deploy: an app's hook, and what came through it. A secret is told to the token that makes it, and no token reads one
//! that is there: it would deploy with it when it has run out itself. Not here: the door that forges call.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::deploys::DeployDetail;
use super::jobs::Nothing;
use crate::actions::hooks::{self, DeliveryLine, HookLine, Shown};
use crate::actions::tokens::Caller;
use crate::actions::{Refused, deploys};
use crate::api::Api;
use crate::api::answer::{Accepted, Created, Page, Time};
use crate::api::problem::Problem;
use crate::api::routes::{Routes, delete, get, post};
use crate::api::take::{OfApp, OfId, Sent};
use crate::domain::deploy::DeployState;
use crate::domain::help::Topic;
use crate::domain::hook::{Answer, Provider};
use crate::domain::ids::{AppId, DeliveryId};
use crate::domain::rights::Permission;

/// The calls.
pub fn routes() -> Routes {
    let (view, edit) = (Permission::View, Permission::EditApps);
    let one = "/apps/{app}/hook";
    Routes::new()
        .about(Topic::Calls)
        .add(get(one, view).title("Whether pushes deploy an app, and by which address").gives::<Json<Push>>(), show)
        .add(
            post(one, edit).title("Have pushes deploy an app; answers with the secret").gives::<Created<WithSecret>>(),
            create,
        )
        .add(delete(one, edit).title("Have pushes deploy it no more"), remove)
        .add(
            post("/apps/{app}/hook/rotate", edit)
                .title("Give the hook another secret; the old one ends at once")
                .gives::<Json<WithSecret>>(),
            rotate,
        )
        .add(
            get("/apps/{app}/deliveries", view).title("What forges sent, newest first").gives::<Page<Delivery>>(),
            list,
        )
        .add(get("/apps/{app}/deliveries/{id}", view).title("One delivery").gives::<Json<Delivery>>(), delivery)
        .add(
            post("/apps/{app}/deliveries/{id}/replay", Permission::Deploy)
                .title("Deploy the head as it is now, in place of what a delivery asked for")
                .gives::<Accepted<DeployDetail>>(),
            replay,
        )
}

/// Push to deploy.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "PushToDeploy")]
struct Push {
    /// The hook; none while pushes do not deploy.
    hook: Option<Hook>,
    /// Who is likely to call, by the app's repository.
    likely: Provider,
    /// True where no forge reaches the panel: its own address leads to the machine it is asked on.
    loopback: bool,
}

/// A hook; never its secret.
#[derive(Serialize, JsonSchema)]
struct Hook {
    /// The id.
    id: Uuid,
    /// Who calls it.
    provider: Provider,
    /// The address to enter at the forge.
    url: String,
    /// When it was made.
    created_at: Time,
    /// When its secret was made.
    changed_at: Time,
}

impl From<HookLine> for Hook {
    fn from(line: HookLine) -> Self {
        Self {
            id: line.id.0,
            provider: line.provider,
            url: line.url,
            created_at: line.created_at.into(),
            changed_at: line.changed_at.into(),
        }
    }
}

/// A hook with its secret.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "HookWithSecret")]
struct WithSecret {
    #[serde(flatten)]
    hook: Hook,
    /// What is entered at the forge, which signs with it.
    secret: String,
}

impl WithSecret {
    async fn of(api: &Api, caller: &Caller, app: AppId, shown: Shown) -> Result<Self, Problem> {
        let push = hooks::get(api.actions(), &caller.actor, app).await?;
        let hook = push.hook.ok_or(Refused::NotFound)?.into();
        Ok(Self { hook, secret: shown.secret.expose().clone() })
    }
}

/// What a forge sent, and what came of it. Branch, author and subject are text of others.
#[derive(Serialize, JsonSchema)]
struct Delivery {
    /// The id.
    id: Uuid,
    /// Who called.
    provider: Provider,
    /// The event by the forge's name.
    event: String,
    /// The branch, or whatever moved.
    branch: String,
    /// The first digits of the commit; empty where it names none.
    commit: String,
    /// Who wrote the commit.
    author: String,
    /// The first line of its message.
    subject: String,
    /// What came of it.
    answer: Answer,
    /// Why, in a sentence.
    reason: String,
    /// The newest deploy it led to.
    deploy: Option<Uuid>,
    /// How that stands.
    deploy_state: Option<DeployState>,
    /// When it came.
    received_at: Time,
    /// When somebody replayed it last.
    replayed_at: Option<Time>,
    /// Who.
    replayed_by: Option<String>,
}

impl From<DeliveryLine> for Delivery {
    fn from(line: DeliveryLine) -> Self {
        let (deploy, deploy_state) = line.deploy.unzip();
        let (replayed_at, replayed_by) = line.replayed.unzip();
        Self {
            id: line.id.0,
            provider: line.provider,
            event: line.event,
            branch: line.branch,
            commit: line.commit,
            author: line.author,
            subject: line.subject,
            answer: line.answer,
            reason: line.reason,
            deploy: deploy.map(|id| id.0),
            deploy_state,
            received_at: line.received_at.into(),
            replayed_at: replayed_at.map(Time),
            replayed_by,
        }
    }
}

/// Who shall call.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewHook")]
struct Wanted {
    /// `github`, `gitlab`, `gitea` (Forgejo too), or `generic`: anything that can sign a request.
    provider: String,
}

async fn show(State(api): State<Api>, caller: Caller, OfApp(id): OfApp) -> Result<Json<Push>, Problem> {
    let push = hooks::get(api.actions(), &caller.actor, id).await?;
    Ok(Json(Push { hook: push.hook.map(Hook::from), likely: push.likely, loopback: push.loopback }))
}

async fn create(
    State(api): State<Api>,
    caller: Caller,
    OfApp(id): OfApp,
    Sent(Wanted { provider }): Sent<Wanted>,
) -> Result<Created<WithSecret>, Problem> {
    let shown = hooks::create(api.actions(), &caller.actor, id, &provider).await?;
    Ok(Created::at(format!("/apps/{id}/hook"), WithSecret::of(&api, &caller, id, shown).await?))
}

async fn remove(State(api): State<Api>, caller: Caller, OfApp(id): OfApp) -> Result<StatusCode, Problem> {
    hooks::remove(api.actions(), &caller.actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn rotate(
    State(api): State<Api>,
    caller: Caller,
    OfApp(id): OfApp,
    Sent(Nothing {}): Sent<Nothing>,
) -> Result<Json<WithSecret>, Problem> {
    let shown = hooks::rotate(api.actions(), &caller.actor, id).await?;
    WithSecret::of(&api, &caller, id, shown).await.map(Json)
}

async fn list(State(api): State<Api>, caller: Caller, OfApp(id): OfApp) -> Result<Json<Page<Delivery>>, Problem> {
    let lines = hooks::deliveries(api.actions(), &caller.actor, id, None).await?;
    Ok(Page::whole(lines.into_iter().map(Delivery::from)))
}

async fn delivery(
    State(api): State<Api>,
    caller: Caller,
    OfApp(app): OfApp,
    OfId(id): OfId<DeliveryId>,
) -> Result<Json<Delivery>, Problem> {
    let lines = hooks::deliveries(api.actions(), &caller.actor, app, Some(id)).await?;
    lines.into_iter().next().map(|line| Json(line.into())).ok_or(Problem::NotFound)
}

async fn replay(
    State(api): State<Api>,
    caller: Caller,
    OfApp(app): OfApp,
    OfId(id): OfId<DeliveryId>,
    Sent(Nothing {}): Sent<Nothing>,
) -> Result<Accepted<DeployDetail>, Problem> {
    let deploy = hooks::replay(api.actions(), &caller.actor, app, id).await?;
    let view = deploys::get(api.actions(), &caller.actor, deploy).await?;
    Ok(Accepted::at(format!("/deploys/{deploy}"), view.into()))
}
