//! Hosts: the list, adding one, one with its facts and the run that makes it ready. Not here: speaking to a host.

mod check;
mod front;
mod http_port;
mod https_port;
mod leaving;
mod next;
mod part;
mod pass;
mod script;
mod settings;

use askama::Template;
use askama::filters::HtmlSafe;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use time::OffsetDateTime;
use tower_sessions::Session;

use super::jobs::{Course, Table as JobTable};
use crate::actions::hosts::{self, ConfirmHostKey, HostLine, HostView, InstanceLine, NewHost};
use crate::actions::{Refused, panel};
use crate::domain::help;
use crate::domain::help::Topic;
use crate::domain::host::{HostState, paste_line};
use crate::domain::ids::HostId;
use crate::domain::rights::{On, Permission};
use crate::web::actor::{At, Here};
use crate::web::error::Problem;
use crate::web::routes::{Policy, Routes};
use crate::web::ui::{Badge, Field, Form, SafeUrl, Sent, Shell, Way, When, mib, page, page_with};
use crate::web::{Web, session};
pub use next::Next;

/// The routes.
pub fn routes() -> Routes {
    let (view, manage) = (Policy::Team(Permission::View), Policy::Team(Permission::ManageHosts));
    Routes::new()
        .about(Topic::LettingIn)
        .get("/t/{team}/hosts", view, index)
        .get("/t/{team}/hosts/new", manage, new)
        .post("/t/{team}/hosts", manage, create)
        .get("/t/{team}/hosts/{id}", view, show)
        .post("/t/{team}/hosts/{id}/look", manage, look)
        .post("/t/{team}/hosts/{id}/provision", manage, provision)
        .about(Topic::HostKey)
        .post("/t/{team}/hosts/{id}/key", manage, confirm_key)
        .merge(http_port::routes())
        .merge(https_port::routes())
        .merge(part::routes())
        .merge(check::routes())
        .merge(script::routes())
        .merge(pass::routes())
        .merge(settings::routes())
        .merge(front::routes())
}

/// Hosts as a table.
#[derive(Template)]
#[template(path = "hosts/_table.html")]
pub struct Table {
    /// The team's slug.
    pub team: String,
    /// The hosts.
    pub hosts: Vec<HostLine>,
}

impl HtmlSafe for Table {}

impl Table {
    fn page(&self, host: &HostLine) -> SafeUrl {
        SafeUrl::path(["t", &self.team, "hosts", &host.id.to_string()])
    }

    fn badge(&self, host: &HostLine) -> Badge {
        host.into()
    }

    fn size(&self, size: &u64) -> String {
        mib(*size)
    }

    /// Per cent of the disk that is used.
    fn disk_used(&self, host: &HostLine) -> u64 {
        let facts = &host.facts;
        facts.disk_mib.saturating_sub(facts.disk_free_mib) * 100 / facts.disk_mib.max(1)
    }

    fn when(&self, at: &OffsetDateTime) -> When {
        When::new(*at)
    }
}

/// Instances as a table.
#[derive(Template)]
#[template(path = "hosts/_instances.html")]
pub struct Instances {
    /// The team's slug.
    pub team: String,
    /// The instances.
    pub instances: Vec<InstanceLine>,
    /// Whether the app is shown, or the host.
    pub with_app: bool,
}

impl HtmlSafe for Instances {}

impl Instances {
    fn short(&self, instance: &InstanceLine) -> String {
        format!("{}-{}", instance.app_name, instance.position)
    }

    fn badge(&self, instance: &InstanceLine) -> Badge {
        instance.state.into()
    }

    fn app_page(&self, instance: &InstanceLine) -> SafeUrl {
        SafeUrl::path(["t", &self.team, "apps", &instance.app.to_string()])
    }

    fn host_page(&self, instance: &InstanceLine) -> SafeUrl {
        SafeUrl::path(["t", &self.team, "hosts", &instance.host.to_string()])
    }

    fn when(&self, at: &OffsetDateTime) -> When {
        When::new(*at)
    }
}

/// The list.
#[derive(Template)]
#[template(path = "hosts/index.html")]
pub struct Index {
    /// The frame.
    pub shell: Shell,
    /// The hosts.
    pub hosts: Table,
    /// Whether one may add one.
    pub may_manage: bool,
    /// The page that adds one.
    pub new: SafeUrl,
    /// The page of certificates, for who sees all of the team.
    pub certificates: Option<SafeUrl>,
    /// The page of the panel's own address, for owners of its first team.
    pub panel: Option<SafeUrl>,
    /// The doctor.
    pub doctor: SafeUrl,
    /// This page.
    pub own: SafeUrl,
}

/// The page that adds a host.
#[derive(Template)]
#[template(path = "hosts/new.html")]
pub struct New {
    /// The frame.
    pub shell: Shell,
    /// The way to the first running app, while one is on it.
    pub way: Option<Way>,
    /// The form.
    pub form: Form,
    /// The line that lets Skiff in.
    pub paste: String,
    /// The page with the script for servers that Skiff does not reach yet.
    pub script: SafeUrl,
}

impl New {
    /// The form, with what was typed.
    pub fn new(here: &Here, input: &NewHost, first: bool, key: &str) -> Result<Self, Problem> {
        let list = SafeUrl::path(["t", &here.place()?.team.slug, "hosts"]);
        let fields = vec![
            Field::text("name", "Name")
                .value(&input.name)
                .hint("What people call it: fra-1, home, this machine.")
                .focus(),
            Field::code("address", "Address")
                .value(&input.address)
                .hint("Where it answers SSH: a name or an IP address. 127.0.0.1 is this machine."),
        ];
        let form = Form::new(list.clone(), &here.token, "Add host", fields)
            .folded("SSH", "port 22, user root", "", vec![
                Field::number("port", "SSH port", "").value(&input.port).empty("22"),
                Field::code("user", "User").value(&input.user).empty("root"),
                Field::code("jump", "Jump host")
                    .value(&input.jump)
                    .empty("none")
                    .hint("Where the server is reached only through another: user@address:port. The line above is needed there too."),
                Field::code("host_key", "Host key")
                    .value(&input.host_key)
                    .empty("SHA256:…")
                    .hint("Its fingerprint, where you know it. Otherwise Skiff shows the one it sees, and you confirm it."),
            ])
            .folded("A password or a key, once", "instead of the line above", "", pass::fields(&input.pass))
            .folded("Web", "ports 80 and 443", "", vec![
                Field::number("http_port", "Port for the web", "").value(&input.http_port).empty("80"),
                Field::code("https_port", "Port for HTTPS")
                    .value(&input.https_port)
                    .empty("443")
                    .hint("Or none, where something else has that port."),
            ])
            .back(list.clone());
        let shell = Shell::new(here, "Add host", "Hosts").crumb("Hosts", Some(list)).crumb("Add host", None);
        let script = SafeUrl::path(["t", &here.place()?.team.slug, "hosts", "script"]);
        Ok(Self { shell, way: first.then(|| Way::new(1)), form, paste: paste_line(key), script })
    }
}

/// A host's page.
#[derive(Template)]
#[template(path = "hosts/show.html")]
pub struct Show {
    /// The frame.
    pub shell: Shell,
    /// The team's slug.
    pub team: String,
    /// The host.
    pub view: HostView,
    /// The button that makes it ready.
    pub provision: Option<Form>,
    /// The form that gives its proxy another port.
    pub http_port: Option<Form>,
    /// The form that gives it another port for HTTPS.
    pub https_port: Option<Form>,
    /// The form that says what it does for the other hosts.
    pub part: Option<Form>,
    /// What the last check found.
    pub check: Option<check::Check>,
    /// The form that gives a password or a key to let Skiff in with.
    pub pass: Option<Form>,
    /// Whether that form is unfolded: it was refused.
    pub pass_open: bool,
    /// The page that changes its name and its way in.
    pub settings: Option<SafeUrl>,
    /// The page of its proxy, for whoever may change it.
    pub front: Option<SafeUrl>,
    /// What to do next.
    pub next: Option<Next>,
    /// The steps of the newest run.
    pub course: Course,
    /// The page of the newest run.
    pub job_page: Option<SafeUrl>,
    /// What runs on it.
    pub instances: Instances,
    /// The newest jobs about it.
    pub jobs: JobTable,
}

impl Show {
    /// The page of this host.
    pub fn new(here: &Here, view: HostView) -> Result<Self, Problem> {
        let team = here.place()?.team.slug.clone();
        let id = view.line.id.to_string();
        let act = |verb: &str, style| {
            Form::act(SafeUrl::path(["t", &team, "hosts", &id, "provision"]), &here.token, verb, style)
        };
        let idle = view.may_manage && view.line.busy.is_none();
        let next = Next::of(&team, &id, &here.token, &view);
        let provision = (idle && view.line.state != HostState::New).then(|| act("Make ready again", ""));
        let mut shell = Shell::new(here, view.line.name.clone(), "Hosts")
            .crumb("Hosts", Some(SafeUrl::path(["t", &team, "hosts"])))
            .crumb(view.line.name.clone(), None);
        shell.state = Some((&view.line).into());
        let newest = view.jobs.iter().find(|job| job.kind == "provision");
        Ok(Self {
            shell,
            provision,
            http_port: view.may_manage.then(|| {
                let action = SafeUrl::path(["t", &team, "hosts", &id, "http-port"]);
                let field = Field::number("http_port", "Another web port", "").value(view.http_port.to_string());
                Form::new(action, &here.token, "Change", vec![field]).style("").inline()
            }),
            https_port: view.may_manage.then(|| https_port::form(&team, &id, &here.token, &view)),
            check: check::Check::new(&team, &id, &here.token, &view),
            part: view.may_manage.then(|| part::form(&team, &id, &here.token, &view)),
            pass: (idle && view.line.state == HostState::New && !view.loopback)
                .then(|| pass::form(&team, &id, &here.token)),
            pass_open: false,
            settings: view.may_manage.then(|| SafeUrl::path(["t", &team, "hosts", &id, "settings"])),
            front: view.may_manage.then(|| SafeUrl::path(["t", &team, "hosts", &id, "front"])),
            next,
            course: Course::new(&view.steps, ""),
            job_page: newest.map(|job| SafeUrl::path(["t", &team, "jobs", &job.id.to_string()])),
            instances: Instances { team: team.clone(), instances: view.instances.clone(), with_app: true },
            jobs: JobTable { team: team.clone(), jobs: view.jobs.clone() },
            team,
            view,
        })
    }

    /// The line that lets Skiff in.
    fn paste(&self) -> String {
        paste_line(&self.view.public_key)
    }

    /// The user of the jump host.
    fn jump_user(&self) -> &str {
        self.view.jump.split('@').next().unwrap_or_default()
    }

    fn own(&self) -> SafeUrl {
        SafeUrl::path(["t", &self.team, "hosts", &self.view.line.id.to_string()])
    }

    fn badge(&self) -> Badge {
        (&self.view.line).into()
    }

    fn when(&self, at: &OffsetDateTime) -> When {
        When::new(*at)
    }

    /// True where the newest run is history: it went well, and nothing is asked of anybody.
    fn settled(&self) -> bool {
        self.view.line.state == HostState::Ready && self.view.line.busy.is_none()
    }

    /// True where the key stands in what is to be done next.
    fn key_is_next(&self) -> bool {
        self.next.as_ref().is_some_and(|next| next.with_key)
    }

    /// What it said about itself: only what is known.
    fn facts(&self) -> Vec<(&'static str, String)> {
        let facts = &self.view.line.facts;
        let disk = format!("{} free of {}", mib(facts.disk_free_mib), mib(facts.disk_mib));
        let all = [
            ("System", facts.os.clone()),
            ("Kernel", facts.kernel.clone()),
            ("Machine", facts.arch.clone()),
            ("CPU", if facts.cpus > 0 { format!("{} cores", facts.cpus) } else { String::new() }),
            ("Memory", if facts.memory_mib > 0 { mib(facts.memory_mib) } else { String::new() }),
            ("Disk", if facts.disk_mib > 0 { disk } else { String::new() }),
            ("Docker", facts.docker.clone()),
            ("HAProxy", facts.haproxy.clone()),
            ("Init", facts.init.clone()),
        ];
        all.into_iter().filter(|(_, value)| !value.is_empty()).collect()
    }
}

impl Show {
    fn help(&self) -> Option<SafeUrl> {
        help::of_host(self.view.line.state, &self.view.line.note).map(SafeUrl::help)
    }
}

async fn index(State(web): State<Web>, here: Here) -> Result<Response, Problem> {
    let hosts = hosts::list(web.actions(), here.actor()?).await?;
    let place = here.place()?;
    let team = place.team.slug.clone();
    let sees_all = place.actor.may(Permission::View, On::team(place.actor.team())).is_ok();
    let owns_panel = panel::may(web.actions(), here.actor()?).await?;
    Ok(page(&Index {
        shell: Shell::new(&here, "Hosts", "Hosts").crumb("Hosts", None),
        may_manage: place.actor.may_somewhere(Permission::ManageHosts).is_ok(),
        new: SafeUrl::path(["t", &team, "hosts", "new"]),
        certificates: sees_all.then(|| SafeUrl::path(["t", &team, "certificates"])),
        panel: owns_panel.then(|| SafeUrl::path(["t", &team, "panel"])),
        doctor: SafeUrl::path(["t", &team, "doctor"]),
        own: SafeUrl::path(["t", &team, "hosts"]),
        hosts: Table { team, hosts },
    }))
}

async fn new(State(web): State<Web>, here: Here) -> Result<Response, Problem> {
    let first = hosts::list(web.actions(), here.actor()?).await?.is_empty();
    let key = hosts::team_key(web.actions(), here.actor()?).await?;
    Ok(page(&New::new(&here, &NewHost::default(), first, &key)?))
}

async fn create(State(web): State<Web>, here: Here, sent: Sent) -> Result<Response, Problem> {
    let input = NewHost {
        name: sent.get("name"),
        address: sent.get("address"),
        port: sent.get("port"),
        user: sent.get("user"),
        http_port: sent.get("http_port"),
        https_port: sent.get("https_port"),
        host_key: sent.get("host_key"),
        jump: sent.get("jump"),
        pass: pass::given(&sent),
    };
    match hosts::create(web.actions(), here.actor()?, input.clone()).await {
        Ok(id) => {
            // Where the key is known already this asks nothing; otherwise the page shows what is seen.
            hosts::look(web.actions(), here.actor()?, id).await?;
            let page = SafeUrl::path(["t", &here.place()?.team.slug, "hosts", &id.to_string()]);
            Ok(Redirect::to(page.as_str()).into_response())
        }
        Err(Refused::Fields(errors)) => {
            let key = hosts::team_key(web.actions(), here.actor()?).await?;
            let mut new = New::new(&here, &input, false, &key)?;
            new.form = new.form.refuse(&errors);
            Ok(page_with(StatusCode::UNPROCESSABLE_ENTITY, &new))
        }
        Err(refused) => Err(refused.into()),
    }
}

async fn show(State(web): State<Web>, here: Here, At((_, id)): At<(String, HostId)>) -> Result<Response, Problem> {
    let view = hosts::get(web.actions(), here.actor()?, id).await?;
    Ok(page(&Show::new(&here, view)?))
}

async fn provision(State(web): State<Web>, here: Here, At((_, id)): At<(String, HostId)>) -> Result<Redirect, Problem> {
    let job = hosts::provision(web.actions(), here.actor()?, id).await?;
    Ok(Redirect::to(SafeUrl::path(["t", &here.place()?.team.slug, "jobs", &job.to_string()]).as_str()))
}

async fn look(State(web): State<Web>, here: Here, At((_, id)): At<(String, HostId)>) -> Result<Redirect, Problem> {
    hosts::look(web.actions(), here.actor()?, id).await?;
    Ok(Redirect::to(SafeUrl::path(["t", &here.place()?.team.slug, "hosts", &id.to_string()]).as_str()))
}

async fn confirm_key(
    State(web): State<Web>,
    here: Here,
    session: Session,
    At((_, id)): At<(String, HostId)>,
    sent: Sent,
) -> Result<Response, Problem> {
    let input = ConfirmHostKey { host_key: sent.get("host_key"), name: sent.get("name") };
    match hosts::confirm_key(web.actions(), here.actor()?, id, input).await {
        Ok(()) => {}
        Err(Refused::Fields(errors)) => {
            let mut show = Show::new(&here, hosts::get(web.actions(), here.actor()?, id).await?)?;
            if let Some(next) = &mut show.next {
                next.form = next.form.take().map(|form| form.with("name", &sent.get("name")).refuse(&errors));
            }
            return Ok(page_with(StatusCode::UNPROCESSABLE_ENTITY, &show));
        }
        Err(refused) => return Err(refused.into()),
    }
    let team = &here.place()?.team.slug;
    if hosts::get(web.actions(), here.actor()?, id).await?.line.state == HostState::New {
        if hosts::get(web.actions(), here.actor()?, id).await?.host_key.is_empty() {
            session::flash(&session, "The jump host's key is pinned. Skiff looks at the server's key through it.")
                .await?;
            return Ok(Redirect::to(SafeUrl::path(["t", team, "hosts", &id.to_string()]).as_str()).into_response());
        }
        // What was begun before the key was known goes on.
        let job = hosts::provision(web.actions(), here.actor()?, id).await?;
        session::flash(&session, "The key is pinned: any other is refused from now on. The host is being made ready.")
            .await?;
        return Ok(Redirect::to(SafeUrl::path(["t", team, "jobs", &job.to_string()]).as_str()).into_response());
    }
    session::flash(&session, "The key is pinned: any other is refused from now on.").await?;
    Ok(Redirect::to(SafeUrl::path(["t", team, "hosts", &id.to_string()]).as_str()).into_response())
}
