//! What holds for all routes of an app, its maintenance, and what a host's proxy is told besides its apps.

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::routes::Difference;
use crate::actions::apps::Pair;
use crate::actions::routes::{self, Changed, EditFront, EditTrust, HostFront, RoutesView};
use crate::actions::tokens::Caller;
use crate::api::Api;
use crate::api::problem::Problem;
use crate::api::routes::{Routes, get, post, put};
use crate::api::take::{OfApp, OfHost, Sent};
use crate::domain::help::Topic;
use crate::domain::ids::{AppId, HostId};
use crate::domain::rights::Permission;

/// The calls.
pub fn routes() -> Routes {
    let (view, edit, manage) = (Permission::View, Permission::EditApps, Permission::ManageHosts);
    let (front, trust) = ("/apps/{app}/front", "/hosts/{host}/trust");
    let maintenance_ = put("/apps/{app}/maintenance", edit);
    Routes::new()
        .about(Topic::RoutesOfApp)
        .add(get(front, view).title("What holds for all routes of an app").gives::<Json<Front>>(), show)
        .add(put(front, edit).title("Replace what holds for all routes of an app").gives::<Json<Front>>(), set)
        .add(
            maintenance_.title("Show everybody the page of maintenance, or the app again").gives::<Json<Front>>(),
            maintain,
        )
        .about(Topic::RoutesOfHost)
        .add(get(trust, view).title("Which proxies before a host are believed").gives::<Json<Trust>>(), trusts)
        .add(put(trust, manage).title("Say which proxies before a host are believed").gives::<Json<Trust>>(), set_trust)
        .add(
            post("/hosts/{host}/trust/preview", manage)
                .title("What that would make of the host's file; nothing is changed")
                .gives::<Json<Difference>>(),
            preview_trust,
        )
        .add(
            put("/hosts/{host}/base-domain", manage)
                .title("Give the domain under which a host's apps get addresses")
                .gives::<Json<Trust>>(),
            set_base_domain,
        )
}

/// What holds for all routes of an app. What is not there is not so.
#[derive(Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Front {
    /// Whether everybody sees the page of maintenance. Changed by a call of its own.
    #[serde(skip_deserializing)]
    maintenance: bool,
    /// Networks that see the app all the same.
    maintenance_allow: Vec<String>,
    /// The page of maintenance, as HTML.
    maintenance_page: Option<String>,
    /// The page where the app does not answer, as HTML.
    error_page: Option<String>,
    /// Text is sent compressed.
    gzip: bool,
    /// Who came once is sent to the same instance again.
    sticky: bool,
    /// The app speaks HTTP/2 without TLS (gRPC).
    h2c: bool,
    /// Ports whose connections go to the app as they are.
    ports: Vec<Port>,
    /// Each of these begins with a line of the PROXY protocol, version 2, which names the client. Without a word of it, it stays as it is.
    send_proxy: Option<bool>,
    /// What it was read as: sent back, nothing is changed where something else holds by now. Without it whatever is there is replaced.
    #[serde(skip_serializing_if = "Option::is_none")]
    as_of: Option<String>,
    /// True where the proxies have something else still.
    #[serde(skip_deserializing)]
    waits: bool,
    /// The job that tells the proxies of the last change, to be followed to its end; none where there was none.
    #[serde(skip_deserializing)]
    job: Option<Uuid>,
    /// Why not every proxy has the last change yet, where something is in the way.
    #[serde(skip_deserializing)]
    trouble: String,
}

/// A port of an app's hosts.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Port {
    /// The port.
    port: u16,
    /// Networks one may come from; none is everywhere.
    #[serde(default)]
    allow: Vec<String>,
}

impl From<Front> for EditFront {
    fn from(front: Front) -> Self {
        let yes = |yes: bool| if yes { "yes" } else { "no" }.to_owned();
        let port = |port: Port| Pair { name: port.port.to_string(), value: port.allow.join(" ") };
        Self {
            gzip: yes(front.gzip),
            sticky: yes(front.sticky),
            h2c: yes(front.h2c),
            maintenance_allow: front.maintenance_allow.join("\n"),
            maintenance_page: front.maintenance_page.unwrap_or_default(),
            error_page: front.error_page.unwrap_or_default(),
            ports: front.ports.into_iter().map(port).collect(),
            send_proxy: front.send_proxy.map(yes).unwrap_or_default(),
            as_of: front.as_of.unwrap_or_default(),
        }
    }
}

impl From<RoutesView> for Front {
    fn from(view: RoutesView) -> Self {
        let front = view.front;
        let texts = |all: &[crate::domain::rules::Cidr]| all.iter().map(ToString::to_string).collect();
        Self {
            maintenance: front.maintenance,
            maintenance_allow: texts(&front.maintenance_allow),
            maintenance_page: front.maintenance_page.map(String::from),
            error_page: front.error_page.map(String::from),
            gzip: front.gzip,
            sticky: front.sticky,
            h2c: front.h2c,
            ports: front.ports.iter().map(|port| Port { port: port.port, allow: texts(&port.allow) }).collect(),
            send_proxy: Some(front.send_proxy),
            as_of: Some(view.form.as_of),
            waits: view.waits,
            job: view.last.as_ref().map(|job| job.id.0),
            trouble: routes::trouble(view.last.as_ref()).to_owned(),
        }
    }
}

/// Whether everybody shall see the page of maintenance.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Maintenance {
    /// Whether they shall.
    on: bool,
}

/// Which proxies before a host are believed about where a request comes from.
#[derive(Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Trust {
    /// Cloudflare, which names the client in CF-Connecting-IP.
    cloudflare: bool,
    /// Networks of proxies that put the client last into X-Forwarded-For.
    forwarded: Vec<String>,
    /// Networks of proxies that speak the PROXY protocol.
    proxy_protocol: Vec<String>,
    /// What it was read as: sent back, nothing is changed where others are believed by now. Without it whatever is there is replaced.
    #[serde(skip_serializing_if = "Option::is_none")]
    as_of: Option<String>,
    /// The domain under which the host's apps get addresses. Changed by a call of its own.
    #[serde(skip_deserializing)]
    base_domain: Option<String>,
    /// True where the proxy believes others still.
    #[serde(skip_deserializing)]
    waits: bool,
    /// The job that tells the proxy of the last change, to be followed to its end; none where there was none.
    #[serde(skip_deserializing)]
    job: Option<Uuid>,
    /// Why the proxy does not have the last change yet, where something is in the way.
    #[serde(skip_deserializing)]
    trouble: String,
}

impl From<HostFront> for Trust {
    fn from(front: HostFront) -> Self {
        let lines = |text: &str| text.lines().map(str::to_owned).collect();
        Self {
            cloudflare: front.trust.cloudflare == "yes",
            forwarded: lines(&front.trust.forwarded),
            proxy_protocol: lines(&front.trust.proxy_protocol),
            as_of: Some(front.trust.as_of),
            base_domain: Some(front.base_domain).filter(|domain| !domain.is_empty()),
            waits: front.waits,
            job: front.last.as_ref().map(|job| job.id.0),
            trouble: routes::trouble(front.last.as_ref()).to_owned(),
        }
    }
}

impl From<Trust> for EditTrust {
    fn from(wanted: Trust) -> Self {
        Self {
            cloudflare: if wanted.cloudflare { "yes" } else { "no" }.to_owned(),
            forwarded: wanted.forwarded.join("\n"),
            proxy_protocol: wanted.proxy_protocol.join("\n"),
            as_of: wanted.as_of.unwrap_or_default(),
        }
    }
}

/// The domain under which a host's apps shall get addresses.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct BaseDomain {
    /// The domain; null gives none any more.
    domain: Option<String>,
}

async fn front(api: &Api, caller: &Caller, id: AppId) -> Result<Json<Front>, Problem> {
    Ok(Json(routes::look(api.actions(), &caller.actor, id).await?.into()))
}

/// What holds after a change, with the job of that change.
async fn after(api: &Api, caller: &Caller, id: AppId, changed: Changed) -> Result<Json<Front>, Problem> {
    let Json(now) = front(api, caller, id).await?;
    Ok(Json(Front { job: changed.job.map(|job| job.0), ..now }))
}

async fn show(State(api): State<Api>, caller: Caller, OfApp(id): OfApp) -> Result<Json<Front>, Problem> {
    front(&api, &caller, id).await
}

async fn set(
    State(api): State<Api>,
    caller: Caller,
    OfApp(id): OfApp,
    Sent(wanted): Sent<Front>,
) -> Result<Json<Front>, Problem> {
    let changed = routes::set_front(api.actions(), &caller.actor, id, wanted.into()).await?;
    after(&api, &caller, id, changed).await
}

async fn maintain(
    State(api): State<Api>,
    caller: Caller,
    OfApp(id): OfApp,
    Sent(Maintenance { on }): Sent<Maintenance>,
) -> Result<Json<Front>, Problem> {
    let changed = routes::maintain(api.actions(), &caller.actor, id, on).await?;
    after(&api, &caller, id, changed).await
}

async fn trust(api: &Api, caller: &Caller, id: HostId) -> Result<Json<Trust>, Problem> {
    Ok(Json(routes::host_front(api.actions(), &caller.actor, id).await?.into()))
}

async fn trusts(State(api): State<Api>, caller: Caller, OfHost(id): OfHost) -> Result<Json<Trust>, Problem> {
    trust(&api, &caller, id).await
}

async fn set_trust(
    State(api): State<Api>,
    caller: Caller,
    OfHost(id): OfHost,
    Sent(wanted): Sent<Trust>,
) -> Result<Json<Trust>, Problem> {
    let job = routes::set_trust(api.actions(), &caller.actor, id, wanted.into()).await?;
    let Json(now) = trust(&api, &caller, id).await?;
    Ok(Json(Trust { job: Some(job.0), ..now }))
}

async fn preview_trust(
    State(api): State<Api>,
    caller: Caller,
    OfHost(id): OfHost,
    Sent(wanted): Sent<Trust>,
) -> Result<Json<Difference>, Problem> {
    Ok(Json(routes::preview_trust(api.actions(), &caller.actor, id, &wanted.into()).await?.into()))
}

async fn set_base_domain(
    State(api): State<Api>,
    caller: Caller,
    OfHost(id): OfHost,
    Sent(wanted): Sent<BaseDomain>,
) -> Result<Json<Trust>, Problem> {
    let domain = wanted.domain.unwrap_or_default();
    routes::set_base_domain(api.actions(), &caller.actor, id, &domain).await?;
    trust(&api, &caller, id).await
}
