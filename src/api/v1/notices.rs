//! Notices: channels, the mail server, one's own choice, what was sent. What leads to a channel is taken and never given back.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::jobs::Nothing;
use crate::actions::notices::{
    self, AlertLine, Answered, ChannelLine, MailLine, Mine, NoticeLine, SetChannel, SetMail, SetMine, WantedForm,
};
use crate::actions::tokens::Caller;
use crate::api::Api;
use crate::api::answer::{Created, Page, Time};
use crate::api::problem::Problem;
use crate::api::routes::{Routes, delete, get, post, put};
use crate::api::take::{OfId, Sent};
use crate::domain::channel::{Security, Service};
use crate::domain::help::Topic;
use crate::domain::ids::ChannelId;
use crate::domain::notice::{Kind, Wanted};
use crate::domain::rights::Permission;

/// The calls.
pub fn routes() -> Routes {
    let (view, manage) = (Permission::View, Permission::ManageNotices);
    Routes::new()
        .about(Topic::Channels)
        .add(
            get("/notices/channels", manage).title("Where the team is told what happened").gives::<Page<Channel>>(),
            list,
        )
        .add(
            post("/notices/channels", manage)
                .title("Add a channel; a signing secret that is made for it is in this answer only")
                .gives::<Created<NewChannel>>(),
            add,
        )
        .add(
            put("/notices/channels/{id}", manage)
                .title("Change a channel; secrets that are left out stay as they are")
                .gives::<Json<Channel>>(),
            edit,
        )
        .add(delete("/notices/channels/{id}", manage).title("Remove a channel"), remove)
        .add(
            post("/notices/channels/{id}/test", manage)
                .title("Send a test to a channel, and say what the service answered")
                .gives::<Json<Test>>(),
            test,
        )
        .about(Topic::MailServer)
        .add(get("/notices/mail-server", manage).title("The team's mail server").gives::<Json<MailServer>>(), mail)
        .add(
            put("/notices/mail-server", manage)
                .title("Set the team's mail server; without a host it is removed")
                .gives::<Json<MailServer>>(),
            set_mail,
        )
        .add(get("/notices/mine", view).title("What one is told of oneself").gives::<Json<Choice>>(), mine)
        .about(Topic::NoticesMine)
        .add(put("/notices/mine", view).title("Choose what one is told of oneself").gives::<Json<Choice>>(), choose)
        .add(
            get("/notices/alerts", view)
                .title("What of hosts and certificates is wrong now, and what was lately; as far as one sees them")
                .gives::<Page<Alert>>(),
            alerts,
        )
        .add(
            get("/notices/sent", view)
                .title("The last 50 notices and what was answered; only one's own for who manages no channels")
                .gives::<Page<Notice>>(),
            sent,
        )
}

/// Something that is wrong, or was.
#[derive(Serialize, JsonSchema)]
struct Alert {
    /// The id.
    id: Uuid,
    /// What is wrong: "fra-1 does not answer".
    words: String,
    /// Why, where it is known.
    cause: String,
    /// Since when.
    opened_at: Time,
    /// Until when; null while it lasts.
    closed_at: Option<Time>,
}

impl From<AlertLine> for Alert {
    fn from(line: AlertLine) -> Self {
        let (opened_at, closed_at) = (line.opened_at.into(), line.closed_at.map(Time::from));
        Self { id: line.id.0, words: line.words, cause: line.cause, opened_at, closed_at }
    }
}

async fn alerts(State(api): State<Api>, caller: Caller) -> Result<Json<Page<Alert>>, Problem> {
    let all = notices::alerts(api.actions(), &caller.actor).await?;
    Ok(Page::whole(all.into_iter().map(Alert::from)))
}

/// A channel. What leads to it is not shown.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "NoticeChannel")]
struct Channel {
    /// The id.
    id: Uuid,
    /// Its name.
    name: String,
    /// Its service.
    service: Service,
    /// What may be shown of where it leads: a host's name, a chat.
    leads_to: String,
    /// What it is told.
    events: Vec<Kind>,
    /// The projects it is told of; `null` for all.
    projects: Option<Vec<Uuid>>,
}

impl From<ChannelLine> for Channel {
    fn from(line: ChannelLine) -> Self {
        Self {
            id: line.id.0,
            name: line.name,
            service: line.service,
            leads_to: line.leads_to,
            events: line.wanted.events,
            projects: ids(line.wanted.projects),
        }
    }
}

fn ids(projects: Option<Vec<crate::domain::ids::ProjectId>>) -> Option<Vec<Uuid>> {
    projects.map(|all| all.into_iter().map(|id| id.0).collect())
}

/// A channel that was just added.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "MadeNoticeChannel")]
struct NewChannel {
    #[serde(flatten)]
    channel: Channel,
    /// The secret that was made for a webhook. It is shown this once.
    secret: Option<String>,
}

/// What a channel shall be. Which fields count depends on the service.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "SetNoticeChannel")]
struct WantedChannel {
    /// What people call it.
    #[serde(default)]
    name: String,
    /// The service; a change leaves it as it is.
    service: Option<Service>,
    /// E-mail: the addresses.
    #[serde(default)]
    to: Vec<String>,
    /// Slack, Discord, ntfy, webhook: its address.
    #[serde(default)]
    url: String,
    /// Telegram: the bot's token. ntfy: an access token.
    #[serde(default)]
    token: String,
    /// Telegram: the chat.
    #[serde(default)]
    chat: String,
    /// Webhook: what requests are signed with; without one it is made.
    #[serde(default)]
    secret: String,
    /// What it is told.
    #[serde(default)]
    events: Vec<String>,
    /// Of which projects; none means all.
    #[serde(default)]
    projects: Vec<String>,
}

impl From<WantedChannel> for SetChannel {
    fn from(wanted: WantedChannel) -> Self {
        Self {
            name: wanted.name,
            service: wanted.service.map(Service::slug).unwrap_or_default().to_owned(),
            to: wanted.to.join("\n"),
            url: wanted.url,
            token: wanted.token,
            chat: wanted.chat,
            secret: wanted.secret,
            wanted: WantedForm { events: wanted.events, projects: wanted.projects },
        }
    }
}

/// What came of a test.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "NoticeTest")]
struct Test {
    /// Whether the service took it.
    taken: bool,
    /// What it answered, in words.
    answer: String,
    /// Where the docs say more, where it did not take it.
    help: Option<Topic>,
}

/// The mail server, without its password.
#[derive(Serialize, JsonSchema)]
struct MailServer {
    /// Where it listens; empty where the team has none.
    host: String,
    /// Its port.
    port: u16,
    /// How the connection is made private.
    security: Security,
    /// Who signs in; empty where it asks nobody.
    username: String,
    /// Whom mail is from.
    sender: String,
    /// Whether it has a password.
    has_password: bool,
}

impl From<Option<MailLine>> for MailServer {
    fn from(mail: Option<MailLine>) -> Self {
        match mail {
            Some(mail) => Self {
                host: mail.host,
                port: mail.port,
                security: mail.security,
                username: mail.username,
                sender: mail.sender,
                has_password: mail.has_password,
            },
            None => Self {
                host: String::new(),
                port: 0,
                security: Security::Starttls,
                username: String::new(),
                sender: String::new(),
                has_password: false,
            },
        }
    }
}

/// What the mail server shall be.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "SetMailServer")]
struct WantedMail {
    /// A host name or an address; empty removes the server.
    #[serde(default)]
    host: String,
    /// The port; without one the usual of the security.
    port: Option<u16>,
    /// How the connection is made private.
    #[serde(default = "starttls")]
    security: Security,
    /// Who signs in.
    #[serde(default)]
    username: String,
    /// The password; without one it stays as it is, for the same host and user.
    #[serde(default)]
    password: String,
    /// Whom mail is from.
    #[serde(default)]
    sender: String,
}

fn starttls() -> Security {
    Security::Starttls
}

/// What one is told of oneself.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "NoticeChoice")]
struct Choice {
    /// Where to.
    email: String,
    /// What.
    events: Vec<Kind>,
    /// Of which projects; `null` for all.
    projects: Option<Vec<Uuid>>,
}

impl From<Mine> for Choice {
    fn from(mine: Mine) -> Self {
        let Wanted { events, projects } = mine.wanted;
        Self { email: mine.email, events, projects: ids(projects) }
    }
}

/// What one wants to be told.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "SetNoticeChoice")]
struct WantedChoice {
    /// An e-mail address.
    #[serde(default)]
    email: String,
    /// What; nothing ends it.
    #[serde(default)]
    events: Vec<String>,
    /// Of which projects; none means all.
    #[serde(default)]
    projects: Vec<String>,
}

/// A notice that was sent, or is to be.
#[derive(Serialize, JsonSchema)]
struct Notice {
    /// The id: receivers see it too.
    id: Uuid,
    /// To which channel; none for a member.
    channel: Option<Uuid>,
    /// Whom, in words.
    to: String,
    /// What happened.
    event: Kind,
    /// Its first line.
    title: String,
    /// How it stands.
    state: crate::actions::notices::State,
    /// How often it was tried.
    attempts: i32,
    /// What the other side said last.
    answer: String,
    /// Where the docs say more about one that was not taken.
    help: Option<Topic>,
    /// When it was put in.
    created_at: Time,
    /// When it last changed.
    changed_at: Time,
}

impl From<NoticeLine> for Notice {
    fn from(line: NoticeLine) -> Self {
        let help = line.help();
        Self {
            id: line.id.0,
            channel: line.channel.map(|id| id.0),
            to: line.to,
            event: line.kind,
            help,
            title: line.title,
            state: line.state,
            attempts: line.attempts,
            answer: line.answer,
            created_at: line.created_at.into(),
            changed_at: line.changed_at.into(),
        }
    }
}

async fn list(State(api): State<Api>, caller: Caller) -> Result<Json<Page<Channel>>, Problem> {
    let channels = notices::channels(api.actions(), &caller.actor).await?;
    Ok(Page::whole(channels.into_iter().map(Channel::from)))
}

async fn add(
    State(api): State<Api>,
    caller: Caller,
    Sent(wanted): Sent<WantedChannel>,
) -> Result<Created<NewChannel>, Problem> {
    let made = notices::add(api.actions(), &caller.actor, wanted.into()).await?;
    let line = notices::get(api.actions(), &caller.actor, made.id).await?.line;
    let secret = made.secret.map(|secret| secret.expose().clone());
    Ok(Created::at(format!("/notices/channels/{}", made.id), NewChannel { channel: line.into(), secret }))
}

async fn edit(
    State(api): State<Api>,
    caller: Caller,
    OfId(id): OfId<ChannelId>,
    Sent(wanted): Sent<WantedChannel>,
) -> Result<Json<Channel>, Problem> {
    notices::edit(api.actions(), &caller.actor, id, wanted.into()).await?;
    Ok(Json(notices::get(api.actions(), &caller.actor, id).await?.line.into()))
}

async fn remove(State(api): State<Api>, caller: Caller, OfId(id): OfId<ChannelId>) -> Result<StatusCode, Problem> {
    notices::remove(api.actions(), &caller.actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn test(
    State(api): State<Api>,
    caller: Caller,
    OfId(id): OfId<ChannelId>,
    Sent(Nothing {}): Sent<Nothing>,
) -> Result<Json<Test>, Problem> {
    let Answered { taken, words } = notices::test(api.actions(), &caller.actor, id).await?;
    Ok(Json(Test { taken, answer: words, help: (!taken).then_some(Topic::NotSent) }))
}

async fn mail(State(api): State<Api>, caller: Caller) -> Result<Json<MailServer>, Problem> {
    Ok(Json(notices::mail(api.actions(), &caller.actor).await?.into()))
}

async fn set_mail(
    State(api): State<Api>,
    caller: Caller,
    Sent(wanted): Sent<WantedMail>,
) -> Result<Json<MailServer>, Problem> {
    let input = SetMail {
        host: wanted.host,
        port: wanted.port.map(|port| port.to_string()).unwrap_or_default(),
        security: wanted.security.slug().to_owned(),
        username: wanted.username,
        password: wanted.password,
        sender: wanted.sender,
    };
    notices::set_mail(api.actions(), &caller.actor, input).await?;
    Ok(Json(notices::mail(api.actions(), &caller.actor).await?.into()))
}

async fn mine(State(api): State<Api>, caller: Caller) -> Result<Json<Choice>, Problem> {
    Ok(Json(notices::mine(api.actions(), &caller.actor).await?.into()))
}

async fn choose(
    State(api): State<Api>,
    caller: Caller,
    Sent(wanted): Sent<WantedChoice>,
) -> Result<Json<Choice>, Problem> {
    let wanted_form = WantedForm { events: wanted.events, projects: wanted.projects };
    notices::choose(api.actions(), &caller.actor, SetMine { email: wanted.email, wanted: wanted_form }).await?;
    Ok(Json(notices::mine(api.actions(), &caller.actor).await?.into()))
}

async fn sent(State(api): State<Api>, caller: Caller) -> Result<Json<Page<Notice>>, Problem> {
    Ok(Page::whole(notices::sent(api.actions(), &caller.actor).await?.into_iter().map(Notice::from)))
}
