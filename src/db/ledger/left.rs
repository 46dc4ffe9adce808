//! What the ledger says hosts still have of an app, when all of it is to go.

use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::domain::ids::{AppId, EnvironmentId, HostId, JobId, ProjectId};
use crate::domain::rights::Permit;

/// One host, and what of the app the ledger has there.
#[derive(Clone, Debug)]
pub struct Row {
    /// The host.
    pub host: HostId,
    /// Whether instances are open there.
    pub instances: bool,
    /// Whether the app has a backend in the host's proxy, or sends requests to others from it.
    pub proxy: bool,
    /// Tags of ours that keep its images.
    pub images: Vec<String>,
    /// Whether its environment has a network there. Whether something else needs it is asked when it is to go.
    pub network: bool,
}

impl Row {
    /// Whether anything is to be taken away there. A network alone is not: something that is not ours may be on it.
    pub fn is_open(&self) -> bool {
        self.instances || self.proxy || !self.images.is_empty()
    }
}

/// The hosts that have, or once had, something of the app.
pub async fn of_app(
    conn: &mut PgConnection,
    permit: &Permit,
    app: AppId,
    environment: EnvironmentId,
) -> Result<Vec<Row>, sqlx::Error> {
    let all = sqlx::query_as!(
        Row,
        r#"select h.id as "host: HostId",
                  exists (select from ledger_instances i where i.team_id = $1 and i.host_id = h.id and i.app_id = $2
                             and i.removed_at is null) as "instances!",
                  (exists (select from ledger_backends b where b.team_id = $1 and b.host_id = h.id and b.app_id = $2)
                   or exists (select from ledger_peers p where p.team_id = $1 and p.host_id = h.id and p.app_id = $2))
                    as "proxy!",
                  coalesce((select array_agg(m.image order by m.image) from ledger_images m
                             where m.team_id = $1 and m.host_id = h.id and m.app_id = $2 and m.removed_at is null),
                           '{}') as "images!",
                  exists (select from ledger_networks n where n.team_id = $1 and n.host_id = h.id
                             and n.environment_id = $3) as "network!"
             from hosts h
            where h.team_id = $1
              and (exists (select from ledger_instances i where i.team_id = $1 and i.host_id = h.id and i.app_id = $2)
                   or exists (select from ledger_images m where m.team_id = $1 and m.host_id = h.id and m.app_id = $2)
                   or exists (select from ledger_backends b where b.team_id = $1 and b.host_id = h.id and b.app_id = $2)
                   or exists (select from ledger_peers p where p.team_id = $1 and p.host_id = h.id and p.app_id = $2))
            order by h.number"#,
        permit.team().0,
        app.0,
        environment.0,
    );
    all.fetch_all(conn).await
}

/// A removed app that a host still has something of.
#[derive(Clone, Debug)]
pub struct Leaving {
    /// The app.
    pub app: AppId,
    /// Where it was.
    pub project: ProjectId,
    /// Where it was.
    pub environment: EnvironmentId,
    /// Its name.
    pub name: String,
    /// Who removed it.
    pub by: String,
    /// When.
    pub removed_at: OffsetDateTime,
    /// Its instances that are still there.
    pub instances: i64,
    /// Its images that are still there.
    pub images: i64,
    /// The job that takes them away, where one waits or runs.
    pub job: Option<JobId>,
}

/// The removed apps that a host still has something of.
pub async fn on_host(conn: &mut PgConnection, permit: &Permit, host: HostId) -> Result<Vec<Leaving>, sqlx::Error> {
    sqlx::query_as!(
        Leaving,
        r#"select a.id as "app: AppId", e.project_id as "project: ProjectId", e.id as "environment: EnvironmentId", a.name,
                  a.removed_by as by, a.removed_at as "removed_at!",
                  i.count as "instances!", m.count as "images!",
                  (select j.id from jobs j where j.team_id = a.team_id and j.lock_key = 'app:' || a.id
                      and j.finished_at is null order by j.id desc limit 1) as "job: JobId"
             from apps a
             join environments e on e.team_id = a.team_id and e.id = a.environment_id
            cross join lateral (select count(*) from ledger_instances x where x.team_id = a.team_id and x.app_id = a.id
                                   and x.host_id = $2 and x.removed_at is null) i
            cross join lateral (select count(*) from ledger_images x where x.team_id = a.team_id and x.app_id = a.id
                                   and x.host_id = $2 and x.removed_at is null) m
            where a.team_id = $1 and a.removed_at is not null and a.cleared_at is null and i.count + m.count > 0
            order by a.removed_at, a.id"#,
        permit.team().0,
        host.0,
    )
    .fetch_all(conn)
    .await
}

/// Forgets the app's backend on a host: its number may be another app's from now on.
pub async fn free_backend(
    conn: &mut PgConnection,
    permit: &Permit,
    host: HostId,
    app: AppId,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "with peers as (delete from ledger_peers where team_id = $1 and host_id = $2 and app_id = $3)
         delete from ledger_backends where team_id = $1 and host_id = $2 and app_id = $3",
        permit.team().0,
        host.0,
        app.0,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// True where nothing but this app needs the environment's network on a host.
pub async fn network_is_idle(
    conn: &mut PgConnection,
    permit: &Permit,
    host: HostId,
    environment: EnvironmentId,
    app: AppId,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select not skiff_needs_network($1, $2, $3, $4) as "idle!""#,
        permit.team().0,
        host.0,
        environment.0,
        app.0,
    )
    .fetch_one(conn)
    .await
}

/// Forgets the environment's network on a host, unless something came to need it meanwhile.
pub async fn free_network(
    conn: &mut PgConnection,
    permit: &Permit,
    host: HostId,
    environment: EnvironmentId,
    app: AppId,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "delete from ledger_networks where team_id = $1 and host_id = $2 and environment_id = $3
            and not skiff_needs_network($1, $2, $3, $4)",
        permit.team().0,
        host.0,
        environment.0,
        app.0,
    )
    .execute(conn)
    .await
    .map(drop)
}
