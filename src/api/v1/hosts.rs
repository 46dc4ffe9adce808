//! Hosts: listed, added, made ready, looked at.

mod ways;

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::host_checks::Check;
use super::jobs::{Begun, Job, Nothing, Step};
use crate::actions::hosts::{
    self, ConfirmHostKey, HostLine, HostPart, HostView, InstanceLine, SetHttpPort, SetHttpsPort,
};
use crate::actions::tokens::Caller;
use crate::api::Api;
use crate::api::answer::{Accepted, Created, Page, Time};
use crate::api::problem::Problem;
use crate::api::routes::{Routes, get, post, put};
use crate::api::take::{OfHost, Sent};
use crate::domain::help::{self, Topic};
use crate::domain::host::{self, HostState};
use crate::domain::ids::HostId;
use crate::domain::rights::Permission;

/// The calls.
pub fn routes() -> Routes {
    let (view, manage) = (Permission::View, Permission::ManageHosts);
    Routes::new()
        .about(Topic::LettingIn)
        .add(get("/hosts", view).title("All hosts one may see").gives::<Page<Host>>(), list)
        .add(
            post("/hosts", manage)
                .title("Add a host; the key it shows is looked at, where it is not known")
                .gives::<Created<HostDetail>>(),
            create,
        )
        .add(get("/hosts/{host}", view).title("One host").gives::<Json<HostDetail>>(), show)
        .add(
            post("/hosts/{host}/provision", manage).title("Have a host made ready").gives::<Accepted<Begun>>(),
            provision,
        )
        .about(Topic::HostKey)
        .add(put("/hosts/{host}/key", manage).title("Confirm the host key it showed").gives::<Json<HostDetail>>(), key)
        .about(Topic::PortTaken)
        .add(
            put("/hosts/{host}/http-port", manage).title("Give its proxy another port").gives::<Json<HostDetail>>(),
            http_port,
        )
        .about(Topic::HttpsPort)
        .add(
            put("/hosts/{host}/https-port", manage)
                .title("Give its proxy another port for HTTPS, or none")
                .gives::<Json<HostDetail>>(),
            https_port,
        )
        .merge(ways::routes())
        .about(Topic::WhoBuilds)
        .add(put("/hosts/{host}/part", manage).title("Say what part a host has").gives::<Json<HostDetail>>(), part)
}

/// What a host said about itself.
#[derive(Serialize, JsonSchema)]
struct Facts {
    /// "Debian GNU/Linux 12 (bookworm)".
    os: Option<String>,
    /// Kernel release.
    kernel: Option<String>,
    /// Machine architecture as Docker names it.
    arch: Option<String>,
    /// CPU cores.
    cpus: Option<u32>,
    /// Memory in MiB.
    memory_mib: Option<u64>,
    /// Size of the file system of Docker's data in MiB.
    disk_mib: Option<u64>,
    /// Free space on it in MiB.
    disk_free_mib: Option<u64>,
    /// Docker Engine's version.
    docker: Option<String>,
    /// HAProxy's version.
    haproxy: Option<String>,
    /// The init system.
    init: Option<String>,
}

impl From<host::Facts> for Facts {
    fn from(facts: host::Facts) -> Self {
        let text = |text: String| (!text.is_empty()).then_some(text);
        let size = |number: u64| (number > 0).then_some(number);
        Self {
            os: text(facts.os),
            kernel: text(facts.kernel),
            arch: text(facts.arch),
            cpus: (facts.cpus > 0).then_some(facts.cpus),
            memory_mib: size(facts.memory_mib),
            disk_mib: size(facts.disk_mib),
            disk_free_mib: size(facts.disk_mib).map(|_| facts.disk_free_mib),
            docker: text(facts.docker),
            haproxy: text(facts.haproxy),
            init: text(facts.init),
        }
    }
}

/// One host in a list.
#[derive(Serialize, JsonSchema)]
pub struct Host {
    /// The id.
    id: Uuid,
    /// Its short name.
    slug: String,
    /// Its name.
    name: String,
    /// Where it answers SSH.
    address: String,
    /// How it stands, as last observed.
    state: HostState,
    /// More words to the state.
    note: String,
    /// Where the docs say more, where something is wrong.
    help: Option<Topic>,
    /// What it said about itself.
    facts: Facts,
    /// Instances of ours on it.
    instances: i64,
    /// When it last answered.
    seen_at: Option<Time>,
    /// The job that makes it ready, where one waits or runs.
    busy: Option<Uuid>,
}

impl From<HostLine> for Host {
    fn from(line: HostLine) -> Self {
        Self {
            id: line.id.0,
            slug: line.slug,
            name: line.name,
            address: line.address,
            help: help::of_host(line.state, &line.note),
            state: line.state,
            note: line.note,
            facts: line.facts.into(),
            instances: line.instances,
            seen_at: line.seen_at.map(Time),
            busy: line.busy.map(|job| job.0),
        }
    }
}

/// One host as a whole.
#[derive(Serialize, JsonSchema)]
pub struct HostDetail {
    #[serde(flatten)]
    host: Host,
    /// Its number in the address plan.
    number: i16,
    /// Its SSH port.
    ssh_port: i32,
    /// The user Skiff signs in as.
    ssh_user: String,
    /// The port its proxy shall listen on.
    http_port: i32,
    /// The port on which it shall serve HTTPS; none where it shall not.
    https_port: Option<i32>,
    /// The port on which it serves HTTPS now.
    proxy_https_port: Option<i32>,
    /// The line for the user's `authorized_keys` on the host.
    public_key: String,
    /// The pinned fingerprint; empty until it is confirmed.
    host_key: String,
    /// The fingerprint the host showed and a person has yet to confirm; empty where there is none.
    host_key_seen: String,
    /// What runs on it.
    instances_on: Vec<Instance>,
    /// The latest jobs about it.
    jobs: Vec<Job>,
    /// The steps of the newest run that made it ready.
    steps: Vec<Step>,
    /// When it was added.
    created_at: Time,
    /// True where this token may have it made ready.
    may_manage: bool,
    /// True where it builds for all hosts.
    builds: bool,
    /// Under which address the team's other hosts reach it; empty where they do not.
    private_address: String,
    /// What came of the last look whether it is as it was made; none before there was one.
    check: Option<Check>,
    /// The server it is reached through, `user@address:port`; empty where it is reached straight.
    jump: String,
    /// The pinned fingerprint of that server; empty until it is confirmed.
    jump_host_key: String,
    /// The fingerprint it showed and a person has yet to confirm; empty where there is none.
    jump_key_seen: String,
    /// When a password or a key was given that waits to be used once; none where nothing is kept.
    pass_given_at: Option<Time>,
}

impl From<HostView> for HostDetail {
    fn from(view: HostView) -> Self {
        Self {
            host: view.line.into(),
            number: view.number,
            ssh_port: view.ssh_port,
            ssh_user: view.ssh_user,
            http_port: view.http_port,
            https_port: view.https_port,
            proxy_https_port: view.proxy_https_port,
            public_key: view.public_key,
            host_key: view.host_key,
            host_key_seen: view.host_key_seen,
            instances_on: view.instances.into_iter().map(Instance::from).collect(),
            jobs: view.jobs.into_iter().map(Job::from).collect(),
            steps: view.steps.into_iter().map(Step::from).collect(),
            created_at: view.created_at.into(),
            may_manage: view.may_manage,
            builds: view.builds,
            private_address: view.private_address,
            check: view.check.map(Check::from),
            jump: view.jump,
            jump_host_key: view.jump_host_key,
            jump_key_seen: view.jump_key_seen,
            pass_given_at: view.pass_given_at.map(Time),
        }
    }
}

/// How an instance stands.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum InstanceState {
    /// Gets requests (or is the worker that is wanted).
    Serving,
    /// Made, not yet wanted by the proxy.
    Starting,
    /// No longer wanted, not yet removed.
    Leaving,
    /// A failed one, stopped and kept for inspection.
    Kept,
    /// Of an app that is stopped.
    Stopped,
    /// Is to serve, and was last seen ended: Docker may be starting it again.
    Ended,
    /// Is to serve, and was last seen gone from its host.
    Missing,
    /// Is to serve, and its host does not answer: not known since it was last seen.
    Unknown,
}

impl From<hosts::InstanceState> for InstanceState {
    fn from(state: hosts::InstanceState) -> Self {
        match state {
            hosts::InstanceState::Serving => Self::Serving,
            hosts::InstanceState::Starting => Self::Starting,
            hosts::InstanceState::Leaving => Self::Leaving,
            hosts::InstanceState::Kept => Self::Kept,
            hosts::InstanceState::Stopped => Self::Stopped,
            hosts::InstanceState::Ended => Self::Ended,
            hosts::InstanceState::Missing => Self::Missing,
            hosts::InstanceState::Unknown => Self::Unknown,
        }
    }
}

/// One container of a release on a host.
#[derive(Serialize, JsonSchema)]
pub struct Instance {
    /// The id.
    id: Uuid,
    /// The container's name on the host.
    name: String,
    /// The app.
    app: Uuid,
    /// The app's name.
    app_name: String,
    /// The host.
    host: Uuid,
    /// The host's name.
    host_name: String,
    /// The release's number.
    release: i32,
    /// 1, 2, … in its deploy.
    position: i32,
    /// Its address on the environment's network.
    address: String,
    /// The container's id, once it is there.
    container: Option<String>,
    /// How it stands.
    state: InstanceState,
    /// What was last seen of it: `up`, `created`, `ended`, `missing`; empty where nobody looked yet.
    seen: String,
    /// When it was last looked at.
    seen_at: Option<Time>,
    /// When it was made.
    created_at: Time,
}

impl From<InstanceLine> for Instance {
    fn from(line: InstanceLine) -> Self {
        Self {
            id: line.id.0,
            name: line.name,
            app: line.app.0,
            app_name: line.app_name,
            host: line.host.0,
            host_name: line.host_name,
            release: line.number,
            position: line.position,
            address: line.address,
            container: line.container,
            state: line.state.into(),
            seen: line.seen,
            seen_at: line.seen_at.map(Time),
            created_at: line.created_at.into(),
        }
    }
}

/// A host that shall be there.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewHost {
    /// What people call it: 1–80 characters.
    name: String,
    /// Where it answers SSH; `127.0.0.1` is the panel's own machine.
    address: String,
    /// Its SSH port; default 22.
    #[serde(default)]
    port: Option<u64>,
    /// The user to sign in as the first time; default `root`.
    #[serde(default)]
    user: Option<String>,
    /// The port its proxy shall listen on; default 80.
    #[serde(default)]
    http_port: Option<u64>,
    /// The port on which it shall serve HTTPS, 0 for none; default 443.
    #[serde(default)]
    https_port: Option<u64>,
    /// Its host key's fingerprint (`SHA256:…`), where it is known.
    #[serde(default)]
    host_key: Option<String>,
    /// The server to go through, `user@address:port`; default: straight.
    #[serde(default)]
    jump: Option<String>,
    /// The user's password, to let Skiff in with once.
    #[serde(default)]
    password: Option<String>,
    /// A private key for the same, the file's whole text.
    #[serde(default)]
    private_key: Option<String>,
    /// What the key is locked with.
    #[serde(default)]
    passphrase: Option<String>,
}

/// A fingerprint that was compared.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Key {
    /// The one the host or its jump host showed, `SHA256:…`.
    host_key: String,
    /// The host's name; asked for where the key takes the place of a pinned one.
    #[serde(default)]
    name: Option<String>,
}

/// A host's part among the team's. It holds from the moment the host is made ready with it.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Part {
    /// Whether it builds for all hosts, and keeps a registry of images.
    builds: bool,
    /// Under which address the team's other hosts reach it; none where they do not.
    #[serde(default)]
    private_address: Option<String>,
}

/// A port.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Port {
    /// 1–65535. It holds from the moment the host is made ready with it.
    http_port: u64,
}

/// A port of HTTPS.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct HttpsPort {
    /// 1–65535; `null` for no HTTPS. It holds from the moment the host is made ready with it.
    https_port: Option<u64>,
}

async fn list(State(api): State<Api>, caller: Caller) -> Result<Json<Page<Host>>, Problem> {
    Ok(Page::whole(hosts::list(api.actions(), &caller.actor).await?.into_iter().map(Host::from)))
}

async fn create(
    State(api): State<Api>,
    caller: Caller,
    Sent(new): Sent<NewHost>,
) -> Result<Created<HostDetail>, Problem> {
    let number = |number: Option<u64>| number.map(|number| number.to_string()).unwrap_or_default();
    let input = hosts::NewHost {
        name: new.name,
        address: new.address,
        port: number(new.port),
        user: new.user.unwrap_or_default(),
        http_port: number(new.http_port),
        https_port: number(new.https_port),
        host_key: new.host_key.unwrap_or_default(),
        jump: new.jump.unwrap_or_default(),
        pass: hosts::GivePass {
            password: new.password.unwrap_or_default(),
            private_key: new.private_key.unwrap_or_default(),
            passphrase: new.passphrase.unwrap_or_default(),
        },
    };
    let id = hosts::create(api.actions(), &caller.actor, input).await?;
    hosts::look(api.actions(), &caller.actor, id).await?;
    Ok(Created::at(format!("/hosts/{id}"), detail(&api, &caller, id).await?))
}

async fn show(State(api): State<Api>, caller: Caller, OfHost(id): OfHost) -> Result<Json<HostDetail>, Problem> {
    Ok(Json(detail(&api, &caller, id).await?))
}

async fn provision(
    State(api): State<Api>,
    caller: Caller,
    OfHost(id): OfHost,
    Sent(Nothing {}): Sent<Nothing>,
) -> Result<Accepted<Begun>, Problem> {
    Ok(Begun::of(Some(hosts::provision(api.actions(), &caller.actor, id).await?)))
}

async fn key(
    State(api): State<Api>,
    caller: Caller,
    OfHost(id): OfHost,
    Sent(Key { host_key, name }): Sent<Key>,
) -> Result<Json<HostDetail>, Problem> {
    let input = ConfirmHostKey { host_key, name: name.unwrap_or_default() };
    hosts::confirm_key(api.actions(), &caller.actor, id, input).await?;
    Ok(Json(detail(&api, &caller, id).await?))
}

async fn http_port(
    State(api): State<Api>,
    caller: Caller,
    OfHost(id): OfHost,
    Sent(Port { http_port }): Sent<Port>,
) -> Result<Json<HostDetail>, Problem> {
    let input = SetHttpPort { http_port: http_port.to_string() };
    hosts::set_http_port(api.actions(), &caller.actor, id, input).await?;
    Ok(Json(detail(&api, &caller, id).await?))
}

async fn https_port(
    State(api): State<Api>,
    caller: Caller,
    OfHost(id): OfHost,
    Sent(HttpsPort { https_port }): Sent<HttpsPort>,
) -> Result<Json<HostDetail>, Problem> {
    let port = https_port.map_or(hosts::NO_HTTPS.to_owned(), |port| port.to_string());
    hosts::set_https_port(api.actions(), &caller.actor, id, SetHttpsPort { https_port: port }).await?;
    Ok(Json(detail(&api, &caller, id).await?))
}

async fn part(
    State(api): State<Api>,
    caller: Caller,
    OfHost(id): OfHost,
    Sent(part): Sent<Part>,
) -> Result<Json<HostDetail>, Problem> {
    let builds = if part.builds { "yes" } else { "no" }.to_owned();
    let input = HostPart { private_address: part.private_address.unwrap_or_default(), builds };
    hosts::set_part(api.actions(), &caller.actor, id, input).await?;
    Ok(Json(detail(&api, &caller, id).await?))
}

pub(super) async fn detail(api: &Api, caller: &Caller, id: HostId) -> Result<HostDetail, Problem> {
    Ok(hosts::get(api.actions(), &caller.actor, id).await?.into())
}
