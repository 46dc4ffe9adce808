//! Backends: which spare backend of a host's proxy an app was given, and everything the proxy's file is made of.

use sqlx::PgConnection;
use sqlx::types::Json;

use crate::domain::app::{Route, Spec};
use crate::domain::ids::{AppId, HostId, RouteId};
use crate::domain::names::ContainerName;
use crate::domain::rights::Permit;
use crate::domain::rules::{Front, Rules};

/// One app as a host's proxy serves it.
#[derive(Debug)]
pub struct Row {
    /// The backend's number.
    pub slot: i32,
    /// The app.
    pub app: AppId,
    /// The configuration of the release that serves, or of the app where none does yet. Its routes are history.
    pub spec: Json<Spec>,
    /// The app's routes, with their rules as the proxies have them.
    pub routes: Json<Vec<Ruled>>,
    /// What holds for all of them, as the proxies have it.
    pub front: Json<Front>,
    /// Whether browsers are told to come by HTTPS only.
    pub hsts: bool,
}

/// A route and its rules.
#[derive(Clone, Debug, serde::Deserialize)]
pub struct Ruled {
    /// The route's identity.
    pub id: RouteId,
    /// The route.
    #[serde(flatten)]
    pub route: Route,
    /// Its rules.
    pub rules: Rules,
}

/// One instance that stands in the file.
#[derive(Clone, Debug)]
pub struct Server {
    /// Whose.
    pub app: AppId,
    /// The container's name.
    pub name: ContainerName,
    /// Its address, as text.
    pub address: String,
}

/// The app's backend on the host; the lowest free one is given where it has none.
pub async fn claim(conn: &mut PgConnection, permit: &Permit, host: HostId, app: AppId) -> Result<i32, sqlx::Error> {
    sqlx::query!(
        "insert into ledger_backends (team_id, host_id, slot, app_id)
         select $1, $2, coalesce((select min(b.slot + 1) from ledger_backends b where b.host_id = $2
                  and not exists (select from ledger_backends n where n.host_id = $2 and n.slot = b.slot + 1)), 1), $3
         on conflict (host_id, app_id) do nothing",
        permit.team().0,
        host.0,
        app.0,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query_scalar!(
        "select slot from ledger_backends where team_id = $1 and host_id = $2 and app_id = $3",
        permit.team().0,
        host.0,
        app.0,
    )
    .fetch_one(conn)
    .await
}

/// Every app that has a backend on the host.
pub async fn of_host(conn: &mut PgConnection, permit: &Permit, host: HostId) -> Result<Vec<Row>, sqlx::Error> {
    sqlx::query_as!(
        Row,
        r#"select b.slot, b.app_id as "app: AppId",
                  coalesce(r.body->'spec', a.spec) as "spec!: Json<Spec>",
                  (select coalesce(jsonb_agg(jsonb_build_object('id', t.id, 'domain', t.domain, 'path', t.path,
                                                                'rules', t.applied) order by t.domain, t.path), '[]')
                     from routes t where t.team_id = b.team_id and t.app_id = b.app_id
                      and t.applied is not null) as "routes!: Json<Vec<Ruled>>",
                  a.front_applied as "front: Json<Front>",
                  a.hsts
             from ledger_backends b
             join apps a on a.team_id = b.team_id and a.id = b.app_id
             left join releases r on r.team_id = a.team_id and r.id = a.current_release_id
            where b.team_id = $1 and b.host_id = $2
            order by b.slot"#,
        permit.team().0,
        host.0,
    )
    .fetch_all(conn)
    .await
}

/// Every instance that stands in the host's file, by app and name.
pub async fn servers(conn: &mut PgConnection, permit: &Permit, host: HostId) -> Result<Vec<Server>, sqlx::Error> {
    sqlx::query_as!(
        Server,
        r#"select app_id as "app: AppId", name as "name: ContainerName", host(address) as "address!"
             from ledger_instances
            where team_id = $1 and host_id = $2 and wanted and removed_at is null
            order by app_id, deploy_id, position"#,
        permit.team().0,
        host.0,
    )
    .fetch_all(conn)
    .await
}
