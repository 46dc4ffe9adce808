//! Home: hosts and apps at a glance, what runs now, what changed lately, what to do next. Not here: anything that changes.

use time::OffsetDateTime;

use super::apps::{self, AppLine, AppState, RoutesStand, TakenBack};
use super::audit::{self, AuditLine};
use super::gate::{self, Open};
use super::hosts::{self, HostLine};
use super::jobs::{self, JobLine};
use super::kept::Weigh;
use super::{Ctx, Refused, notices};
use crate::db;
use crate::db::app_lines::Filter;
use crate::domain::deploy::DeployState;
use crate::domain::host::HostState;
use crate::domain::ids::{AppId, HostId};
use crate::domain::rights::{Actor, On, Permission};

/// The home page.
#[derive(Clone, Debug)]
pub struct Home {
    /// The headline: "All well · 12 apps on 3 hosts".
    pub headline: String,
    /// What a person should look at, worst first, at most 20.
    pub needs: Vec<Need>,
    /// Jobs that run or wait now, at most 20.
    pub now: Vec<JobLine>,
    /// All apps.
    pub apps: Vec<AppLine>,
    /// All hosts.
    pub hosts: Vec<HostLine>,
    /// The latest changes, newest first, at most 10.
    pub lately: Vec<AuditLine>,
    /// What to do next on the way to the first running app.
    pub next: NextStep,
    /// True where the actor may create an app.
    pub may_create_apps: bool,
    /// When the database was read.
    pub read_at: OffsetDateTime,
}

/// One thing that needs a person.
#[derive(Clone, Debug)]
pub struct Need {
    /// What is the matter: one sentence.
    pub sentence: String,
    /// The app it is about.
    pub app: Option<AppId>,
    /// The host it is about.
    pub host: Option<HostId>,
    /// True where it is about a certificate.
    pub certificate: bool,
}

/// The way to the first running app.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NextStep {
    /// Add a host.
    AddHost,
    /// A host is there, and is not ready yet.
    FinishHost(HostId),
    /// Add an app.
    AddApp,
    /// Deploy the app for the first time.
    Deploy(AppId),
    /// Nothing: it runs.
    Nothing,
}

/// Things that need a person, on the page.
const NEEDS: usize = 20;
/// Certificates in trouble that are looked at.
const NEEDS_READ: i64 = 100;
/// Running and waiting jobs on the page.
const NOW: i64 = 20;
/// Changes on the page.
const LATELY: i64 = 10;

/// The home page, in a fixed number of statements.
pub async fn get(ctx: &Ctx, actor: &Actor) -> Result<Home, Refused> {
    let Open { mut tx, permit, .. } = gate::team(ctx, actor).await?;
    let apps = apps::lines(&mut tx, &permit, actor, Filter::default()).await?;
    let hosts = hosts::lines(&mut tx, &permit, actor).await?;
    let filter = db::jobs::Filter { unfinished: true, ..Default::default() };
    let now = jobs::lines(&mut tx, &permit, actor, &filter, NOW).await?;
    let lately = audit::latest(&mut tx, &permit, actor, LATELY).await?;
    let certificates = db::alerts::of_certificates(&mut tx, &permit, NEEDS_READ).await?;
    tx.commit().await?;

    let mut needs = needs(&apps, &hosts);
    let seen = certificates.into_iter().filter(|row| notices::sees(actor, row));
    needs.extend(seen.map(|row| Need {
        sentence: format!("The certificate of {}: {}", row.subject_name, row.cause),
        app: None,
        host: None,
        certificate: true,
    }));
    let may_create_apps = actor.may_somewhere(Permission::EditApps).is_ok();
    let on = On::team(actor.team());
    // Hosts that one cannot see are not counted as none, nor is one sent to add them who may not.
    let (sees_hosts, may_add_hosts) = (gate::sees(actor, on), actor.may(Permission::ManageHosts, on).is_ok());
    Ok(Home {
        headline: headline(needs.len(), apps.len(), sees_hosts.then_some(hosts.len())),
        next: if may_add_hosts { next(&apps, &hosts) } else { next_app(&apps, may_create_apps) },
        may_create_apps,
        read_at: OffsetDateTime::now_utc(),
        needs: needs.into_iter().take(NEEDS).collect(),
        now,
        apps,
        hosts,
        lately,
    })
}

impl Weigh for Home {
    fn bytes(&self) -> usize {
        /// An app's line with its names and address.
        const LINE: usize = 800;
        LINE * (self.apps.len() + self.hosts.len() + self.needs.len() + self.now.len() + self.lately.len() + 1)
    }
}

/// What a person should look at: hosts first, as their apps follow from them.
fn needs(apps: &[AppLine], hosts: &[HostLine]) -> Vec<Need> {
    let mut needs = Vec::new();
    for host in hosts {
        let sentence = match host.state {
            HostState::Unreachable => format!("{} does not answer. {}", host.name, host.note),
            HostState::KeyMismatch => format!("{} shows another host key than before. {}", host.name, host.note),
            HostState::New | HostState::Ready => continue,
        };
        needs.push(Need {
            sentence: sentence.trim_end().to_owned(),
            app: None,
            host: Some(host.id),
            certificate: false,
        });
    }
    for app in apps {
        let path = format!("{} / {} / {}", app.project_name, app.environment_name, app.name);
        let sentence = match app.state {
            AppState::Down => format!("{path} is down: none of its instances runs."),
            AppState::NeedsYou => {
                match (app.last_deploy.as_ref().map(|deploy| deploy.state), &app.current, answers(app)) {
                    (Some(DeployState::Failed), Some(current), _) => {
                        format!("The last deploy of {path} failed; v{} goes on serving.", current.number)
                    }
                    (Some(DeployState::Failed), None, _) => format!("The first deploy of {path} failed."),
                    (_, Some(current), Some(taken)) => {
                        format!("A deploy of {path} was found bad by the {}; v{} serves.", taken.why, current.number)
                    }
                    _ => format!("{path} runs {} of {} instances.", app.serving, app.wanted),
                }
            }
            AppState::New
            | AppState::Running
            | AppState::Deploying
            | AppState::Unknown
            | AppState::Stopped
            | AppState::Stopping => continue,
        };
        needs.push(Need { sentence, app: Some(app.id), host: None, certificate: false });
    }
    for app in apps.iter().filter(|app| app.routes == RoutesStand::Stuck) {
        let path = format!("{} / {} / {}", app.project_name, app.environment_name, app.name);
        let sentence =
            format!("The proxies did not take the last change of the routes of {path}: its Routes page says why.");
        needs.push(Need { sentence, app: Some(app.id), host: None, certificate: false });
    }
    needs
}

/// The deploy that was taken back before this app's last one.
fn answers(app: &AppLine) -> Option<&TakenBack> {
    app.last_deploy.as_ref()?.answers.as_ref()
}

/// The page in one line.
fn headline(needs: usize, apps: usize, hosts: Option<usize>) -> String {
    let count = |n: usize, one: &str, many: &str| if n == 1 { format!("1 {one}") } else { format!("{n} {many}") };
    let on = hosts.map(|hosts| [" on ", &count(hosts, "host", "hosts")].concat()).unwrap_or_default();
    let things = [count(apps, "app", "apps"), on].concat();
    match (needs, apps, hosts.unwrap_or(0)) {
        (0, 0, 0) => "Nothing here yet".into(),
        (0, _, _) => format!("All well · {things}"),
        (n, _, _) => format!("{} you · {things}", count(n, "thing needs", "things need")),
    }
}

/// The same for whoever adds no hosts: what is left of the way.
fn next_app(apps: &[AppLine], may_create: bool) -> NextStep {
    match apps.first() {
        _ if !may_create || apps.iter().any(|app| app.current.is_some()) => NextStep::Nothing,
        None => NextStep::AddApp,
        Some(app) => NextStep::Deploy(app.id),
    }
}

/// The way to the first running app.
fn next(apps: &[AppLine], hosts: &[HostLine]) -> NextStep {
    if apps.iter().any(|app| app.current.is_some()) {
        return NextStep::Nothing;
    }
    let ready = hosts.iter().any(|host| host.state != HostState::New);
    match (hosts.first(), apps.first()) {
        (None, _) => NextStep::AddHost,
        (Some(host), _) if !ready => NextStep::FinishHost(host.id),
        (Some(_), None) => NextStep::AddApp,
        (Some(_), Some(app)) => NextStep::Deploy(app.id),
    }
}
