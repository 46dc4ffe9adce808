//! Notices: what one wants to hear oneself, where the team is told, what was sent and what came of it.

mod channels;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use time::OffsetDateTime;
use tower_sessions::Session;

use crate::actions::Refused;
use crate::actions::notices::{
    self, ChannelLine, MailLine, NoticeLine, Overview, ProjectChoice, SetMail, SetMine, WantedForm,
};
use crate::domain::channel::{Security, Service};
use crate::domain::help::Topic;
use crate::domain::ids::ProjectId;
use crate::domain::notice::{Kind, Wanted};
use crate::domain::rights::Permission;
use crate::web::actor::Here;
use crate::web::error::Problem;
use crate::web::routes::{Policy, Routes};
use crate::web::ui::{Badge, Choice, Field, Form, Input, SafeUrl, Sent, Shape, Shell, Tone, When, page, page_with};
use crate::web::{Web, session};

/// The routes.
pub fn routes() -> Routes {
    let (view, manage) = (Policy::Team(Permission::View), Policy::Team(Permission::ManageNotices));
    Routes::new()
        .about(Topic::NoticesMine)
        .get("/t/{team}/notices", view, index)
        .post("/t/{team}/notices/mine", view, choose)
        .about(Topic::MailServer)
        .get("/t/{team}/notices/mail", manage, mail)
        .post("/t/{team}/notices/mail", manage, set_mail)
        .merge(channels::routes())
}

/// The page.
#[derive(Template)]
#[template(path = "notices/index.html")]
pub struct Index {
    /// The frame.
    pub shell: Shell,
    /// The team's slug.
    pub team: String,
    /// What it shows.
    pub view: Overview,
    /// Channels, each with the button that tries it.
    pub channels: Vec<(ChannelLine, Form)>,
    /// What was sent.
    pub sent: Letters,
    /// The form of what one wants oneself.
    pub mine: Form,
}

/// What was sent, as a table.
#[derive(Template)]
#[template(path = "notices/_sent.html")]
pub struct Letters {
    /// The letters, newest first.
    pub lines: Vec<NoticeLine>,
}

impl askama::filters::HtmlSafe for Letters {}

/// The page of the mail server.
#[derive(Template)]
#[template(path = "notices/mail.html")]
pub struct MailPage {
    /// The frame.
    pub shell: Shell,
    /// The form.
    pub form: Form,
}

impl Index {
    /// The page of this overview.
    pub fn new(here: &Here, mut view: Overview) -> Result<Self, Problem> {
        let team = here.place()?.team.slug.clone();
        let test = |line: ChannelLine| {
            let action = SafeUrl::path(["t", &team, "notices", "channels", &line.id.to_string(), "test"]);
            (line, Form::act(action, &here.token, "Test", "small"))
        };
        Ok(Self {
            shell: shell(here, "Notices", &team).crumb("Notices", None),
            channels: std::mem::take(&mut view.channels).into_iter().map(test).collect(),
            sent: Letters { lines: std::mem::take(&mut view.sent) },
            mine: mine_form(here, &team, &view.mine.email, &view.mine.wanted, &view.mine.projects),
            team,
            view,
        })
    }

    fn new_channel(&self, service: &Service) -> SafeUrl {
        let new = SafeUrl::path(["t", &self.team, "notices", "channels", "new"]);
        new.asking([("service", service.slug())])
    }

    fn services(&self) -> [Service; 6] {
        Service::ALL
    }

    fn channel_page(&self, line: &ChannelLine) -> SafeUrl {
        SafeUrl::path(["t", &self.team, "notices", "channels", &line.id.to_string()])
    }

    fn mail_page(&self) -> SafeUrl {
        SafeUrl::path(["t", &self.team, "notices", "mail"])
    }

    fn security(&self, mail: &MailLine) -> &'static str {
        match mail.security {
            Security::Starttls => "STARTTLS",
            Security::Tls => "TLS",
            Security::None => "not encrypted",
        }
    }

    fn told(&self, line: &ChannelLine) -> String {
        let events: Vec<&str> = line.wanted.events.iter().map(|kind| kind.label()).collect();
        if events.is_empty() { "nothing".to_owned() } else { events.join(", ") }
    }

    fn of(&self, line: &ChannelLine) -> String {
        match (&line.wanted.projects, line.projects.is_empty()) {
            (None, _) => "all projects".to_owned(),
            (Some(_), true) => "no project any more".to_owned(),
            (Some(_), false) => line.projects.join(", "),
        }
    }

    fn alert_badge(&self, closed: &Option<OffsetDateTime>) -> Badge {
        match closed {
            None => Badge::new(Shape::Triangle, Tone::Watch, "open"),
            Some(_) => Badge::new(Shape::Disc, Tone::Well, "over"),
        }
    }

    fn when(&self, at: &OffsetDateTime) -> When {
        When::new(*at)
    }
}

impl Letters {
    /// What it is about.
    fn page(&self, line: &NoticeLine) -> SafeUrl {
        SafeUrl::path(line.path.split('/').filter(|part| !part.is_empty()))
    }

    fn badge(&self, line: &NoticeLine) -> Badge {
        use crate::actions::notices::State;
        let (shape, tone, word) = match line.state {
            State::Waiting if line.attempts == 0 => (Shape::Ring, Tone::Quiet, "waits"),
            State::Waiting => (Shape::Half, Tone::Watch, "tries again"),
            State::Sending => (Shape::Half, Tone::Busy, "being sent"),
            State::Sent => (Shape::Disc, Tone::Well, "sent"),
            State::Failed => (Shape::Cross, Tone::Wrong, "not taken"),
            State::Unclear => (Shape::Dotted, Tone::Watch, "unclear"),
            State::Dropped => (Shape::Square, Tone::Quiet, "not sent"),
        };
        Badge::new(shape, tone, word)
    }

    /// Where the docs say more about one that was not taken.
    fn help(&self, line: &NoticeLine) -> Option<SafeUrl> {
        line.help().map(SafeUrl::help)
    }

    fn when(&self, at: &OffsetDateTime) -> When {
        When::new(*at)
    }
}

/// The frame of these pages.
fn shell(here: &Here, title: impl Into<String>, team: &str) -> Shell {
    Shell::new(here, title, "Team").crumb("Team", Some(SafeUrl::path(["t", team, "members"])))
}

/// The fields of what is wanted.
fn wanted_fields(wanted: &Wanted, projects: &[ProjectChoice]) -> Vec<Field> {
    let event = |kind: Kind| (Choice::new(kind.slug(), kind.label(), kind.hint()), wanted.events.contains(&kind));
    let events = Kind::OFFERED.into_iter().map(event).collect();
    let chosen: &[ProjectId] = wanted.projects.as_deref().unwrap_or_default();
    let project =
        |choice: &ProjectChoice| (Choice::new(choice.id.to_string(), &choice.name, ""), chosen.contains(&choice.id));
    // One that is gone stays ticked until somebody takes it out: without it the choice could become the empty one, which means all.
    let gone = chosen.iter().filter(|id| projects.iter().all(|choice| choice.id != **id));
    let gone = gone.map(|id| (Choice::new(id.to_string(), "a project that is gone", ""), true));
    let boxes: Vec<_> = projects.iter().map(project).chain(gone).collect();
    let mut fields = vec![Field::of(Input::Checks(events), "events", "Tell of")];
    if !boxes.is_empty() {
        fields.push(
            Field::of(Input::Checks(boxes), "projects", "Of these projects")
                .hint("None ticked means all of them. Hosts belong to no project."),
        );
    }
    fields
}

/// What a form sent of what is wanted.
fn wanted_sent(sent: &Sent) -> WantedForm {
    WantedForm { events: sent.all("events"), projects: sent.all("projects") }
}

/// The same as it is shown again.
fn wanted_again(form: &WantedForm) -> Wanted {
    let projects: Vec<_> = form.projects.iter().filter_map(|id| id.parse().ok()).collect();
    let events = form.events.iter().filter_map(|word| Kind::of_slug(word)).collect();
    Wanted { events, projects: (!projects.is_empty()).then_some(projects) }
}

fn mine_form(here: &Here, team: &str, email: &str, wanted: &Wanted, projects: &[ProjectChoice]) -> Form {
    let mut fields = vec![
        Field::of(Input::Email, "email", "E-mail").value(email).hint("Only you get this, by the team's mail server."),
    ];
    fields.extend(wanted_fields(wanted, projects));
    Form::new(SafeUrl::path(["t", team, "notices", "mine"]), &here.token, "Save", fields).style("")
}

async fn index(State(web): State<Web>, here: Here) -> Result<Response, Problem> {
    let view = notices::overview(web.actions(), here.actor()?).await?;
    Ok(page(&Index::new(&here, view)?))
}

async fn choose(State(web): State<Web>, here: Here, session: Session, sent: Sent) -> Result<Response, Problem> {
    let input = SetMine { email: sent.get("email"), wanted: wanted_sent(&sent) };
    let team = here.place()?.team.slug.clone();
    match notices::choose(web.actions(), here.actor()?, input.clone()).await {
        Ok(()) => {
            let nothing = input.wanted.events.is_empty();
            let words =
                if nothing { "Saved: you are told of nothing." } else { "Saved: this is what you are told of." };
            session::flash(&session, words).await?;
            Ok(Redirect::to(SafeUrl::path(["t", &team, "notices"]).as_str()).into_response())
        }
        Err(Refused::Fields(errors)) => {
            let view = notices::overview(web.actions(), here.actor()?).await?;
            let projects = view.mine.projects.clone();
            let mut index = Index::new(&here, view)?;
            let form = mine_form(&here, &team, &input.email, &wanted_again(&input.wanted), &projects);
            index.mine = form.refuse(&errors);
            Ok(page_with(StatusCode::UNPROCESSABLE_ENTITY, &index))
        }
        Err(refused) => Err(refused.into()),
    }
}

/// The names of the mail server's fields, of which the password is never shown again.
const MAIL: [&str; 5] = ["host", "port", "security", "username", "sender"];

fn mail_form(here: &Here, team: &str, mail: Option<&MailLine>) -> Form {
    let choices = vec![
        Choice::new("starttls", "STARTTLS", "usually port 587; without it nothing is sent"),
        Choice::new("tls", "TLS", "usually port 465"),
        Choice::new("none", "None", "for a server on the panel's own machine or network"),
    ];
    let of = |value: fn(&MailLine) -> String| mail.map(value).unwrap_or_default();
    let has_password = mail.is_some_and(|mail| mail.has_password);
    let kept = if has_password { "Left empty it stays as it is, for the same host and user." } else { "" };
    let fields = vec![
        Field::code("host", "Mail server")
            .value(of(|mail| mail.host.clone()))
            .empty("smtp.example.org")
            .hint("Empty: the team sends no mail."),
        Field::of(Input::Radio(choices), "security", "Security")
            .value(mail.map_or("starttls", |mail| mail.security.slug())),
        Field::number("port", "Port", "").value(of(|mail| mail.port.to_string())).empty("the usual one"),
        Field::code("username", "User").value(of(|mail| mail.username.clone())).empty("none"),
        Field::of(Input::Password("off"), "password", "Password").hint(kept),
        Field::code("sender", "Sender")
            .value(of(|mail| mail.sender.clone()))
            .empty("skiff@example.org")
            .hint("The address that mail is from. The server has to let this user send from it."),
    ];
    let back = SafeUrl::path(["t", team, "notices"]);
    Form::new(SafeUrl::path(["t", team, "notices", "mail"]), &here.token, "Save", fields).back(back)
}

fn server_page(here: &Here, team: &str, form: Form) -> MailPage {
    let shell = shell(here, "Mail server", team)
        .crumb("Notices", Some(SafeUrl::path(["t", team, "notices"])))
        .crumb("Mail server", None);
    MailPage { shell, form }
}

async fn mail(State(web): State<Web>, here: Here) -> Result<Response, Problem> {
    let team = here.place()?.team.slug.clone();
    let mail = notices::mail(web.actions(), here.actor()?).await?;
    Ok(page(&server_page(&here, &team, mail_form(&here, &team, mail.as_ref()))))
}

async fn set_mail(State(web): State<Web>, here: Here, session: Session, sent: Sent) -> Result<Response, Problem> {
    let team = here.place()?.team.slug.clone();
    let [host, port, security, username, sender] = MAIL.map(|name| sent.get(name));
    let gone = host.trim().is_empty();
    let input = SetMail { host, port, security, username, password: sent.get("password"), sender };
    match notices::set_mail(web.actions(), here.actor()?, input).await {
        Ok(()) => {
            let words =
                if gone { "The team sends no mail any more." } else { "Saved. Test a channel of e-mail to try it." };
            session::flash(&session, words).await?;
            Ok(Redirect::to(SafeUrl::path(["t", &team, "notices"]).as_str()).into_response())
        }
        Err(Refused::Fields(errors)) => {
            let known = notices::mail(web.actions(), here.actor()?).await?;
            let form = mail_form(&here, &team, known.as_ref());
            let form = MAIL.iter().fold(form, |form, name| form.with(name, &sent.get(name))).refuse(&errors);
            Ok(page_with(StatusCode::UNPROCESSABLE_ENTITY, &server_page(&here, &team, form)))
        }
        Err(refused) => Err(refused.into()),
    }
}
