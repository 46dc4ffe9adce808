//! Apps that were removed, and what outlives them: their rows stay, as history names them. Not here: what hosts still have of
//! them (`ledger/left.rs`).

use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::domain::ids::{AppId, DeployId, EnvironmentId, JobId, ProjectId, VolumeId};
use crate::domain::names::PlainName;
use crate::domain::rights::Permit;

/// A removed app.
#[derive(Clone, Debug)]
pub struct Tombstone {
    /// The name it had.
    pub name: String,
    /// Who removed it.
    pub by: String,
    /// When.
    pub removed_at: OffsetDateTime,
    /// When the last host was cleared of it.
    pub cleared_at: Option<OffsetDateTime>,
    /// The job that takes away what is left, where one waits or runs.
    pub job: Option<JobId>,
    /// Why that job waits.
    pub wait_reason: String,
}

/// A removed app; none where it is not.
pub async fn get(conn: &mut PgConnection, permit: &Permit, app: AppId) -> Result<Option<Tombstone>, sqlx::Error> {
    sqlx::query_as!(
        Tombstone,
        r#"select a.name, a.removed_by as by, a.removed_at as "removed_at!", a.cleared_at,
                  j.id as "job?: JobId", coalesce(j.wait_reason, '') as "wait_reason!"
             from apps a
             left join lateral (select id, wait_reason from jobs
                                 where team_id = $1 and lock_key = 'app:' || a.id and finished_at is null
                                 order by id desc limit 1) j on true
            where a.team_id = $1 and a.id = $2 and a.removed_at is not null"#,
        permit.team().0,
        app.0,
    )
    .fetch_optional(conn)
    .await
}

/// Where an app is or was, also where it was removed.
pub async fn above(
    conn: &mut PgConnection,
    permit: &Permit,
    app: AppId,
) -> Result<Option<super::apps::Above>, sqlx::Error> {
    sqlx::query_as!(
        super::apps::Above,
        r#"select e.project_id as "project: ProjectId", a.environment_id as "environment: EnvironmentId"
             from apps a join environments e on e.team_id = a.team_id and e.id = a.environment_id
            where a.team_id = $1 and a.id = $2"#,
        permit.team().0,
        app.0,
    )
    .fetch_optional(conn)
    .await
}

/// Marks an app as removed. Its addresses and its hook are nobody's from now on. False where it was removed already.
pub async fn mark(conn: &mut PgConnection, permit: &Permit, app: AppId, by: &str) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "with routes_gone as (delete from routes where team_id = $1 and app_id = $2),
              hooks_gone as (delete from hooks where team_id = $1 and app_id = $2)
         update apps set removed_at = now(), removed_by = $3 where team_id = $1 and id = $2 and removed_at is null",
        permit.team().0,
        app.0,
        by,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The deploy of an app that runs, its job, and whether traffic has moved.
#[derive(Clone, Copy, Debug)]
pub struct Running {
    /// The deploy.
    pub deploy: DeployId,
    /// Its job.
    pub job: JobId,
    /// Whether traffic has moved.
    pub switched: bool,
}

/// The deploy of an app that runs, or whose job was just claimed.
pub async fn running(conn: &mut PgConnection, permit: &Permit, app: AppId) -> Result<Option<Running>, sqlx::Error> {
    sqlx::query_as!(
        Running,
        r#"select id as "deploy: DeployId", job_id as "job: JobId", switched_at is not null as "switched!"
             from deploys d
            where team_id = $1 and app_id = $2
              and (state = 'running'
                   or state = 'queued' and exists (select from jobs j where j.team_id = $1 and j.id = d.job_id
                                                      and j.state = 'running'))
            order by state = 'running' desc limit 1"#,
        permit.team().0,
        app.0,
    )
    .fetch_optional(conn)
    .await
}

/// The arguments of the newest job that was to remove an app.
pub async fn asked(
    conn: &mut PgConnection,
    permit: &Permit,
    lock_key: &str,
) -> Result<Option<serde_json::Value>, sqlx::Error> {
    sqlx::query_scalar!(
        "select args from jobs where team_id = $1 and lock_key = $2 and kind = 'remove_app' order by id desc limit 1",
        permit.team().0,
        lock_key,
    )
    .fetch_optional(conn)
    .await
}

/// Lets go of what a removed app held: what a deploy that still ran had claimed, its releases, and with the last of them all
/// values of its secrets, and those of its source where no other app has it.
pub async fn let_go(conn: &mut PgConnection, permit: &Permit, app: AppId) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "with routes_gone as (delete from routes where team_id = $1 and app_id = $2)
         update releases set retired_at = now() where team_id = $1 and app_id = $2 and retired_at is null",
        permit.team().0,
        app.0,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "delete from secrets s using apps a
          where s.team_id = $1 and a.team_id = $1 and a.id = $2 and a.removed_at is not null
            and (s.owner_kind = 'app' and s.owner_id = a.id
                 or s.owner_kind = 'source' and s.owner_id = a.source_id
                    and not exists (select from apps o where o.team_id = $1 and o.source_id = a.source_id
                                       and o.removed_at is null))",
        permit.team().0,
        app.0,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Notes that the last host was cleared of it.
pub async fn cleared(conn: &mut PgConnection, permit: &Permit, app: AppId) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update apps set cleared_at = now() where team_id = $1 and id = $2 and removed_at is not null and cleared_at is null",
        permit.team().0,
        app.0,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// A volume that has outlived its app.
#[derive(Clone, Debug)]
pub struct Volume {
    /// The volume.
    pub id: VolumeId,
    /// Its name within the app.
    pub name: PlainName,
    /// The app it was of.
    pub app: AppId,
    /// The app's name.
    pub app_name: String,
    /// Where the app was.
    pub project: ProjectId,
    /// Where the app was.
    pub environment: EnvironmentId,
    /// The names of both.
    pub place: String,
    /// Names of the hosts it is on.
    pub hosts: Vec<String>,
    /// When the app was removed.
    pub removed_at: OffsetDateTime,
    /// True while the app's containers are still being taken away.
    pub leaving: bool,
    /// True while a removal of it waits or runs.
    pub going: bool,
}

/// Volumes whose app was removed, by their app; or only this one.
pub async fn volumes(
    conn: &mut PgConnection,
    permit: &Permit,
    only: Option<VolumeId>,
) -> Result<Vec<Volume>, sqlx::Error> {
    sqlx::query_as!(
        Volume,
        r#"select v.id as "id: VolumeId", v.name as "name: PlainName", a.id as "app: AppId", a.name as app_name,
                  e.project_id as "project: ProjectId", e.id as "environment: EnvironmentId",
                  p.name || ' / ' || e.name as "place!",
                  coalesce((select array_agg(h.name order by h.name) from ledger_volume_places l
                              join hosts h on h.team_id = l.team_id and h.id = l.host_id
                             where l.team_id = v.team_id and l.volume_id = v.id), '{}') as "hosts!",
                  a.removed_at as "removed_at!", a.cleared_at is null as "leaving!",
                  exists (select from jobs j where j.team_id = v.team_id and j.lock_key like 'volume:' || v.id || '%'
                             and j.finished_at is null) as "going!"
             from ledger_volumes v
             join apps a on a.team_id = v.team_id and a.id = v.app_id
             join environments e on e.team_id = a.team_id and e.id = a.environment_id
             join projects p on p.team_id = e.team_id and p.id = e.project_id
            where v.team_id = $1 and v.removed_at is null and a.removed_at is not null
              and ($2::uuid is null or v.id = $2)
            order by a.removed_at desc, a.id, v.name, v.id"#,
        permit.team().0,
        only.map(|id| id.0),
    )
    .fetch_all(conn)
    .await
}
