//! One channel: its form, the test, what was sent there.

use askama::Template;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use tower_sessions::Session;

use super::{Letters, shell, wanted_again, wanted_fields, wanted_sent};
use crate::actions::Refused;
use crate::actions::notices::{self, ChannelView, Made, ProjectChoice, SetChannel};
use crate::domain::channel::Service;
use crate::domain::help::Topic;
use crate::domain::ids::ChannelId;
use crate::domain::notice::{Kind, Wanted};
use crate::domain::rights::Permission;
use crate::web::actor::{At, Here};
use crate::web::error::Problem;
use crate::web::routes::{Policy, Routes};
use crate::web::ui::{Field, Form, Input, SafeUrl, Sent, Shell, page, page_with};
use crate::web::{Web, session};

/// The routes.
pub fn routes() -> Routes {
    let manage = Policy::Team(Permission::ManageNotices);
    Routes::new()
        .about(Topic::Channels)
        .get("/t/{team}/notices/channels/new", manage, new)
        .post("/t/{team}/notices/channels", manage, add)
        .get("/t/{team}/notices/channels/{id}", manage, show)
        .post("/t/{team}/notices/channels/{id}", manage, edit)
        .post("/t/{team}/notices/channels/{id}/test", manage, test)
        .post("/t/{team}/notices/channels/{id}/remove", manage, remove)
}

/// Which service a new channel is of.
#[derive(serde::Deserialize)]
struct Asked {
    #[serde(default)]
    service: String,
}

/// The page of a new channel.
#[derive(Template)]
#[template(path = "notices/new.html")]
pub struct New {
    /// The frame.
    pub shell: Shell,
    /// The service.
    pub service: &'static str,
    /// What has to be done there.
    pub how: &'static str,
    /// The form.
    pub form: Form,
}

/// A channel's page.
#[derive(Template)]
#[template(path = "notices/channel.html")]
pub struct Show {
    /// The frame.
    pub shell: Shell,
    /// The channel.
    pub view: ChannelView,
    /// The secret that was just made, this once.
    pub secret: Option<String>,
    /// The form that changes it.
    pub form: Form,
    /// The button that tries it.
    pub test: Form,
    /// The button that removes it.
    pub remove: Form,
    /// What was sent there.
    pub sent: Letters,
}

/// What is in the form of a channel; secrets are never in it.
struct Typed {
    name: String,
    to: String,
    chat: String,
    wanted: Wanted,
}

impl Show {
    fn new(here: &Here, mut view: ChannelView) -> Result<Self, Problem> {
        let team = here.place()?.team.slug.clone();
        let id = view.line.id.to_string();
        let at = |act: &str| SafeUrl::path(["t", &team, "notices", "channels", &id, act]);
        let line = &view.line;
        let typed = Typed {
            name: line.name.clone(),
            to: if line.service == Service::Email { line.leads_to.replace(", ", "\n") } else { String::new() },
            chat: line.leads_to.trim_start_matches("chat ").to_owned(),
            wanted: line.wanted.clone(),
        };
        let own = SafeUrl::path(["t", &team, "notices", "channels", &id]);
        let fields = fields(line.service, &typed, &view.choices, true);
        let shell = shell(here, line.name.clone(), &team)
            .crumb("Notices", Some(SafeUrl::path(["t", &team, "notices"])))
            .crumb(line.name.clone(), None);
        Ok(Self {
            form: Form::new(own, &here.token, "Save", fields).style(""),
            test: Form::act(at("test"), &here.token, "Send a test", "primary"),
            remove: Form::act(at("remove"), &here.token, "Remove this channel", "danger"),
            sent: Letters { lines: std::mem::take(&mut view.sent) },
            secret: None,
            shell,
            view,
        })
    }
}

/// What has to be done at the service before.
fn how(service: Service) -> &'static str {
    match service {
        Service::Email => "Letters go out by the team's mail server.",
        Service::Slack => {
            "At Slack, make an app with an incoming webhook for the channel, and enter the address it shows."
        }
        Service::Discord => {
            "At Discord, open the channel's settings, Integrations, Webhooks: make one, and enter the address it shows."
        }
        Service::Telegram => {
            "Make a bot with @BotFather, let it into the chat, and enter its token and the chat's number."
        }
        Service::Ntfy => {
            "Enter the address of a topic, at ntfy.sh or your own server. Whoever knows an open topic reads it."
        }
        Service::Webhook => {
            "Skiff sends JSON to an address of yours, signed: the guide says how to check the signature."
        }
    }
}

/// The fields of a channel of this service.
fn fields(service: Service, typed: &Typed, projects: &[ProjectChoice], known: bool) -> Vec<Field> {
    let kept = if known { " Left empty it stays as it is." } else { "" };
    let hint = |text: &str| [text, kept].concat().trim_start().to_owned();
    let url = |example: &str, text: &str| Field::code("url", "Address").empty(example).hint(hint(text));
    let mut fields = vec![Field::text("name", "Name").value(&typed.name).empty("ops")];
    match service {
        Service::Email => fields.push(
            Field::of(Input::Area, "to", "To").value(&typed.to).empty("ops@example.org").hint("Addresses, one a line."),
        ),
        Service::Slack => {
            fields.push(url("https://hooks.slack.com/services/…", "It is kept sealed and not shown again."))
        }
        Service::Discord => {
            fields.push(url("https://discord.com/api/webhooks/…", "It is kept sealed and not shown again."));
        }
        Service::Telegram => fields.extend([
            Field::of(Input::Password("off"), "token", "Bot token").hint(hint("As BotFather gives it.")),
            Field::code("chat", "Chat").value(&typed.chat).empty("-1001234567890"),
        ]),
        Service::Ntfy => fields.extend([
            url("https://ntfy.sh/our-topic", "It is kept sealed and not shown again."),
            Field::of(Input::Password("off"), "token", "Access token").hint(hint("Only where the topic asks for one.")),
        ]),
        Service::Webhook => fields.extend([
            url("https://hooks.example.org/skiff", "It is kept sealed and not shown again."),
            Field::of(Input::Password("off"), "secret", "Signing secret").hint(match known {
                true => "Left empty it stays as it is.",
                false => "Left empty Skiff makes one, and shows it once.",
            }),
        ]),
    }
    fields.extend(wanted_fields(&typed.wanted, projects));
    fields
}

fn new_page(here: &Here, service: Service, typed: &Typed, projects: &[ProjectChoice]) -> Result<New, Problem> {
    let team = here.place()?.team.slug.clone();
    let mut fields = fields(service, typed, projects, false);
    fields.push(Field::hidden("service", service.slug()));
    let back = SafeUrl::path(["t", &team, "notices"]);
    let form = Form::new(SafeUrl::path(["t", &team, "notices", "channels"]), &here.token, "Add channel", fields);
    let shell = shell(here, "New channel", &team).crumb("Notices", Some(back.clone())).crumb("New channel", None);
    Ok(New { shell, service: service.name(), how: how(service), form: form.back(back) })
}

fn input(sent: &Sent) -> SetChannel {
    SetChannel {
        name: sent.get("name"),
        service: sent.get("service"),
        to: sent.get("to"),
        url: sent.get("url"),
        token: sent.get("token"),
        chat: sent.get("chat"),
        secret: sent.get("secret"),
        wanted: wanted_sent(sent),
    }
}

fn typed(sent: &Sent) -> Typed {
    let wanted = wanted_again(&wanted_sent(sent));
    Typed { name: sent.get("name"), to: sent.get("to"), chat: sent.get("chat"), wanted }
}

async fn new(State(web): State<Web>, here: Here, Query(asked): Query<Asked>) -> Result<Response, Problem> {
    let service = Service::of_slug(&asked.service).unwrap_or(Service::Email);
    let view = notices::overview(web.actions(), here.actor()?).await?;
    let wanted = Wanted { events: Kind::USUAL.to_vec(), projects: None };
    let typed = Typed { name: String::new(), to: String::new(), chat: String::new(), wanted };
    Ok(page(&new_page(&here, service, &typed, &view.mine.projects)?))
}

async fn add(State(web): State<Web>, here: Here, session: Session, sent: Sent) -> Result<Response, Problem> {
    match notices::add(web.actions(), here.actor()?, input(&sent)).await {
        Ok(Made { id, secret: None }) => {
            session::flash(&session, "The channel is added. Send a test to see whether it is reached.").await?;
            let page = SafeUrl::path(["t", &here.place()?.team.slug, "notices", "channels", &id.to_string()]);
            Ok(Redirect::to(page.as_str()).into_response())
        }
        Ok(Made { id, secret: Some(secret) }) => {
            let view = notices::get(web.actions(), here.actor()?, id).await?;
            let mut show = Show::new(&here, view)?;
            show.secret = Some(secret.expose().clone());
            Ok(page(&show))
        }
        Err(refused) => {
            let service = Service::of_slug(&sent.get("service")).unwrap_or(Service::Email);
            let view = notices::overview(web.actions(), here.actor()?).await?;
            let mut page = new_page(&here, service, &typed(&sent), &view.mine.projects)?;
            let (status, form) = again(page.form.with("url", &sent.get("url")), refused)?;
            page.form = form;
            Ok(page_with(status, &page))
        }
    }
}

async fn show(State(web): State<Web>, here: Here, At((_, id)): At<(String, ChannelId)>) -> Result<Response, Problem> {
    let view = notices::get(web.actions(), here.actor()?, id).await?;
    Ok(page(&Show::new(&here, view)?))
}

async fn edit(
    State(web): State<Web>,
    here: Here,
    session: Session,
    At((_, id)): At<(String, ChannelId)>,
    sent: Sent,
) -> Result<Response, Problem> {
    match notices::edit(web.actions(), here.actor()?, id, input(&sent)).await {
        Ok(()) => {
            session::flash(&session, "Saved.").await?;
            let page = SafeUrl::path(["t", &here.place()?.team.slug, "notices", "channels", &id.to_string()]);
            Ok(Redirect::to(page.as_str()).into_response())
        }
        Err(refused) => {
            let view = notices::get(web.actions(), here.actor()?, id).await?;
            let again_fields = fields(view.line.service, &typed(&sent), &view.choices, true);
            let mut show = Show::new(&here, view)?;
            let action = show.form.action.clone();
            let form = Form::new(action, &here.token, "Save", again_fields).style("").with("url", &sent.get("url"));
            let (status, form) = again(form, refused)?;
            show.form = form;
            Ok(page_with(status, &show))
        }
    }
}

async fn test(
    State(web): State<Web>,
    here: Here,
    session: Session,
    At((_, id)): At<(String, ChannelId)>,
) -> Result<Response, Problem> {
    let answered = notices::test(web.actions(), here.actor()?, id).await?;
    match answered.taken {
        true => session::flash(&session, &answered.words).await?,
        false => {
            let why = ["Not taken. ", &answered.words].concat();
            session::flash_refused(&session, &why, Topic::NotSent).await?;
        }
    }
    let page = SafeUrl::path(["t", &here.place()?.team.slug, "notices", "channels", &id.to_string()]);
    Ok(Redirect::to(page.as_str()).into_response())
}

async fn remove(
    State(web): State<Web>,
    here: Here,
    session: Session,
    At((_, id)): At<(String, ChannelId)>,
) -> Result<Response, Problem> {
    notices::remove(web.actions(), here.actor()?, id).await?;
    session::flash(&session, "The channel is removed: what waited for it is not sent.").await?;
    Ok(Redirect::to(SafeUrl::path(["t", &here.place()?.team.slug, "notices"]).as_str()).into_response())
}

/// The form once more, with why it was refused.
fn again(form: Form, refused: Refused) -> Result<(StatusCode, Form), Problem> {
    match refused {
        Refused::Fields(errors) => Ok((StatusCode::UNPROCESSABLE_ENTITY, form.refuse(&errors))),
        Refused::Conflict(why) => Ok((StatusCode::CONFLICT, form.refuse_whole(why))),
        other => Err(other.into()),
    }
}
