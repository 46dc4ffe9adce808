//! Push to deploy: an app's hook, how to enter it at the forge, and what came through it.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use time::OffsetDateTime;
use tower_sessions::Session;

use super::configuration::gone;
use super::{Head, In};
use crate::actions::Refused;
use crate::actions::apps::{self, AppView};
use crate::actions::hooks::{self, DeliveryLine, HookLine, PushView, Shown};
use crate::domain::deploy::DeployState;
use crate::domain::help::Topic;
use crate::domain::hook::{Answer, Provider};
use crate::domain::ids::{AppId, DeliveryId, DeployId};
use crate::domain::rights::Permission;
use crate::web::Web;
use crate::web::actor::{At, Here};
use crate::web::error::Problem;
use crate::web::routes::{Policy, Routes};
use crate::web::session;
use crate::web::ui::{Badge, Choice, Field, Form, Input, SafeUrl, Sent, Shape, Shell, Tone, When, page_with};

/// The routes.
pub fn routes() -> Routes {
    let edit = Policy::Team(Permission::EditApps);
    Routes::new()
        .about(Topic::Calls)
        .get("/t/{team}/apps/{id}/push", Policy::Team(Permission::View), show)
        .post("/t/{team}/apps/{id}/push", edit, create)
        .post("/t/{team}/apps/{id}/push/secret", edit, secret)
        .post("/t/{team}/apps/{id}/push/rotate", edit, rotate)
        .post("/t/{team}/apps/{id}/push/off", edit, off)
        .post("/t/{team}/apps/{id}/push/replay", Policy::Team(Permission::Deploy), replay)
}

/// A delivery and its button.
pub struct Row {
    /// The delivery.
    pub line: DeliveryLine,
    /// When it came.
    pub when: When,
    /// The button that deploys again.
    pub replay: Option<Form>,
}

/// The page.
#[derive(Template)]
#[template(path = "apps/push.html")]
pub struct Show {
    /// The frame.
    pub shell: Shell,
    /// The app's head.
    pub head: Head,
    /// The hook.
    pub hook: Option<HookLine>,
    /// Its secret, where it was asked for.
    pub secret: Option<String>,
    /// The forms beside the hook: show, rotate, off.
    pub acts: Vec<Form>,
    /// The form that turns it on.
    pub on: Option<Form>,
    /// What came through it.
    pub rows: Vec<Row>,
    /// True where no forge reaches the panel.
    pub loopback: bool,
    /// The branch, for an app with a repository.
    pub branch: Option<String>,
}

impl Show {
    /// The page of this app.
    pub fn new(here: &Here, view: &AppView, push: PushView, shown: Option<Shown>) -> Result<Self, Problem> {
        let (shell, head) = In::app(here, view, "Push")?;
        let (team, id) = (here.place()?.team.slug.clone(), view.line.id.to_string());
        let to = |last: &'static str| {
            let parts = ["t", &team, "apps", &id, "push", last];
            SafeUrl::path(parts.into_iter().filter(|part| !part.is_empty()))
        };
        let act = |last, verb: &str, style| Form::act(to(last), &here.token, verb, style);
        let acts = match (&push.hook, view.may.edit) {
            (Some(_), true) => vec![
                act("secret", "Show the secret", "small"),
                act("rotate", "Make a new secret", "small"),
                act("off", "Turn off", "small danger"),
            ],
            _ => Vec::new(),
        };
        let choices = Provider::ALL.map(|provider| Choice::new(provider.slug(), provider.word(), hint(provider)));
        let field = Field::of(Input::Radio(choices.to_vec()), "provider", "Who calls").value(push.likely.slug());
        let on = (push.hook.is_none() && view.may.edit)
            .then(|| Form::new(to(""), &here.token, "Turn push to deploy on", vec![field]));
        let row = |line: DeliveryLine| {
            let mut form = act("replay", "Replay", "small");
            for group in &mut form.groups {
                group.fields = vec![Field::hidden("delivery", line.id.to_string())];
            }
            Row { when: When::new(line.received_at), replay: view.may.deploy.then_some(form), line }
        };
        Ok(Self {
            shell,
            head,
            secret: shown.map(|shown| shown.secret.expose().clone()),
            acts,
            on,
            loopback: push.loopback,
            branch: view.source.branch.clone(),
            rows: push.deliveries.into_iter().map(row).collect(),
            hook: push.hook,
        })
    }

    fn when(&self, at: &OffsetDateTime) -> When {
        When::new(*at)
    }

    fn badge(&self, answer: &Answer) -> Badge {
        let (shape, tone) = match answer {
            Answer::Deploys => (Shape::Disc, Tone::Well),
            Answer::Present => (Shape::Disc, Tone::Quiet),
            Answer::Ignored => (Shape::Ring, Tone::Quiet),
            Answer::Refused => (Shape::Triangle, Tone::Watch),
        };
        Badge::new(shape, tone, answer.word())
    }

    fn state(&self, state: &DeployState) -> Badge {
        Badge::from(*state)
    }

    fn deploy_page(&self, deploy: &DeployId) -> SafeUrl {
        SafeUrl::path(["t", &self.head.team, "deploys", &deploy.to_string()])
    }

    /// Where at the forge it is entered.
    fn steps(&self, provider: &Provider) -> &'static [&'static str] {
        match provider {
            Provider::Github => &[
                "Open the repository's Settings, Webhooks, Add webhook.",
                "Payload URL: the address. Content type: application/json. Secret: the secret.",
                "Leave “Just the push event”, and add it. GitHub sends a ping at once, which appears below.",
            ],
            Provider::Gitlab => &[
                "Open the project's Settings, Webhooks, Add new webhook.",
                "URL: the address. Signing token: the secret. An older GitLab has none: enter it as Secret token.",
                "Trigger: Push events. Save it, then Test, Push events.",
            ],
            Provider::Gitea => &[
                "Open the repository's Settings, Webhooks, Add webhook, and choose Gitea or Forgejo.",
                "Target URL: the address. POST, application/json. Secret: the secret. Trigger on: Push events.",
                "Add it, open it again, and choose Test delivery.",
            ],
            Provider::Generic => &[
                "Sign the body with HMAC-SHA256 and the secret, and send it by POST to the address.",
                "The signature goes into X-Skiff-Signature, behind sha256=; it may be over an empty body.",
                "With X-Skiff-Delivery, the same id sent again deploys nothing again.",
            ],
        }
    }

    /// The address and the secret, ready for a shell.
    fn line(&self, hook: &HookLine) -> Option<String> {
        let sign = "printf '{\"ref\":\"main\"}' | openssl dgst -sha256 -hmac \"$SKIFF_HOOK_SECRET\" -r | cut -d' ' -f1";
        let sign = match &self.branch {
            Some(branch) => sign.replace("main", branch),
            None => sign.replace("{\"ref\":\"main\"}", ""),
        };
        let body = self.branch.as_ref().map(|branch| format!("{{\"ref\":\"{branch}\"}}")).unwrap_or_default();
        // A branch may have a quote in its name: such a one is written by hand.
        let plain = !body.contains('\'') && !body.contains('%') && !body.contains('$');
        (hook.provider == Provider::Generic && plain)
            .then(|| format!("curl -H \"X-Skiff-Signature: sha256=$({sign})\" -d '{body}' {}", hook.url))
    }
}

/// What a provider shows to prove itself.
fn hint(provider: Provider) -> &'static str {
    match provider {
        Provider::Github => "signs each delivery",
        Provider::Gitlab => "signs each delivery, or sends the secret along",
        Provider::Gitea => "signs each delivery; Codeberg too",
        Provider::Generic => "a script or a CI, with curl and openssl",
    }
}

async fn draw(
    web: &Web,
    here: &Here,
    id: AppId,
    status: StatusCode,
    shown: Option<Shown>,
) -> Result<Response, Problem> {
    let (view, push) =
        tokio::try_join!(apps::get(web.actions(), here.actor()?, id), hooks::get(web.actions(), here.actor()?, id))?;
    Ok(page_with(status, &Show::new(here, &view, push, shown)?))
}

async fn show(State(web): State<Web>, here: Here, At((_, id)): At<(String, AppId)>) -> Result<Response, Problem> {
    draw(&web, &here, id, StatusCode::OK, None).await
}

async fn create(
    State(web): State<Web>,
    here: Here,
    At((_, id)): At<(String, AppId)>,
    sent: Sent,
) -> Result<Response, Problem> {
    match hooks::create(web.actions(), here.actor()?, id, &sent.get("provider")).await {
        Ok(shown) => draw(&web, &here, id, StatusCode::OK, Some(shown)).await,
        Err(Refused::Fields(errors)) => {
            let view = apps::get(web.actions(), here.actor()?, id).await?;
            let push = hooks::get(web.actions(), here.actor()?, id).await?;
            let mut show = Show::new(&here, &view, push, None)?;
            // Radios have no place for a sentence of their own: it stands over the form.
            let sentence = errors.into_iter().map(|error| error.sentence).collect::<Vec<_>>().join(" ");
            show.on = show.on.map(|form| form.refuse_whole(sentence));
            Ok(page_with(StatusCode::UNPROCESSABLE_ENTITY, &show))
        }
        Err(refused) => Err(refused.into()),
    }
}

async fn secret(State(web): State<Web>, here: Here, At((_, id)): At<(String, AppId)>) -> Result<Response, Problem> {
    let shown = hooks::show(web.actions(), here.actor()?, id).await?;
    draw(&web, &here, id, StatusCode::OK, Some(shown)).await
}

async fn rotate(State(web): State<Web>, here: Here, At((_, id)): At<(String, AppId)>) -> Result<Response, Problem> {
    let shown = hooks::rotate(web.actions(), here.actor()?, id).await?;
    draw(&web, &here, id, StatusCode::OK, Some(shown)).await
}

async fn off(
    State(web): State<Web>,
    here: Here,
    session: Session,
    At((_, id)): At<(String, AppId)>,
) -> Result<Response, Problem> {
    hooks::remove(web.actions(), here.actor()?, id).await?;
    session::flash(&session, "Push to deploy is off. Remove the webhook at the forge too.").await?;
    let page = SafeUrl::path(["t", &here.place()?.team.slug, "apps", &id.to_string(), "push"]);
    Ok(Redirect::to(page.as_str()).into_response())
}

async fn replay(
    State(web): State<Web>,
    here: Here,
    At((_, id)): At<(String, AppId)>,
    sent: Sent,
) -> Result<Response, Problem> {
    let done = match sent.get("delivery").parse::<DeliveryId>() {
        Ok(delivery) => hooks::replay(web.actions(), here.actor()?, id, delivery).await,
        Err(_) => Err(Refused::NotFound),
    };
    match done {
        Ok(deploy) => {
            let page = SafeUrl::path(["t", &here.place()?.team.slug, "deploys", &deploy.to_string()]);
            Ok(Redirect::to(page.as_str()).into_response())
        }
        Err(refused) => Err(gone(&web, &here, id, refused).await),
    }
}
