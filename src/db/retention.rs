//! What is kept: releases that are retired, and rows nobody asks about any more. Not here: how long (`domain/retention.rs`).

use sqlx::PgConnection;

use crate::domain::ids::{AppId, DeployId, HostId};
use crate::domain::names::{ContainerId, ContainerName};
use crate::domain::retention::Known;
use crate::domain::rights::Permit;

/// Rows removed by one statement: a lock held for moments.
const BATCH: i64 = 500;

/// The app's kept releases.
pub async fn releases(conn: &mut PgConnection, permit: &Permit, app: AppId) -> Result<Vec<Known>, sqlx::Error> {
    sqlx::query_as!(
        Known,
        r#"select r.number,
                  exists (select from deploys d where d.team_id = $1 and d.release_id = r.id
                             and d.state in ('succeeded', 'taken_back')) as "served!",
                  (r.id is not distinct from a.current_release_id
                   or exists (select from deploys d where d.team_id = $1 and d.app_id = $2 and (
                        (d.state in ('queued', 'running')
                         and (d.release_id = r.id or (d.target->>'number')::int = r.number))
                        or (d.former_release_id = r.id and d.release_id = a.current_release_id)))) as "held!"
             from releases r join apps a on a.team_id = r.team_id and a.id = r.app_id
            where r.team_id = $1 and r.app_id = $2 and r.retired_at is null"#,
        permit.team().0,
        app.0,
    )
    .fetch_all(conn)
    .await
}

/// Retires these releases of the app.
pub async fn retire(conn: &mut PgConnection, permit: &Permit, app: AppId, numbers: &[i32]) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update releases set retired_at = now()
          where team_id = $1 and app_id = $2 and number = any($3) and retired_at is null",
        permit.team().0,
        app.0,
        numbers,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// A failed container whose time is over.
#[derive(Clone, Debug)]
pub struct Failed {
    /// Where.
    pub host: HostId,
    /// The container's name.
    pub name: ContainerName,
    /// The container, where it was made.
    pub container: Option<ContainerId>,
}

/// Failed containers that have been kept for so many hours.
pub async fn failed(conn: &mut PgConnection, permit: &Permit, hours: i32) -> Result<Vec<Failed>, sqlx::Error> {
    sqlx::query_as!(
        Failed,
        r#"select i.host_id as "host: HostId", i.name as "name: ContainerName",
                  i.container_id as "container: ContainerId"
             from ledger_instances i join deploys d on d.team_id = i.team_id and d.id = i.deploy_id
            where i.team_id = $1 and i.kept and i.removed_at is null
              and d.finished_at < now() - make_interval(hours => $2::int)
            order by i.host_id, i.name limit $3"#,
        permit.team().0,
        hours,
        BATCH,
    )
    .fetch_all(conn)
    .await
}

/// Removes rows of the ledger whose object has been gone for so many days. How many went.
pub async fn closed_instances(conn: &mut PgConnection, permit: &Permit, days: i32) -> Result<u64, sqlx::Error> {
    let done = sqlx::query!(
        "delete from ledger_instances where team_id = $1 and id in (
           select id from ledger_instances
            where team_id = $1 and removed_at < now() - make_interval(days => $2::int) limit $3)",
        permit.team().0,
        days,
        BATCH,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

/// Removes deploys that ended so many days ago, but those of kept releases. How many went.
pub async fn deploys(conn: &mut PgConnection, permit: &Permit, days: i32) -> Result<u64, sqlx::Error> {
    let old = sqlx::query_scalar!(
        r#"select d.id as "id: DeployId" from deploys d
             left join releases r on r.team_id = d.team_id and r.id = d.release_id
            where d.team_id = $1 and d.finished_at < now() - make_interval(days => $2::int)
              and (d.release_id is null or r.retired_at is not null)
              and not exists (select from ledger_instances i where i.team_id = d.team_id and i.deploy_id = d.id)
            limit $3"#,
        permit.team().0,
        days,
        BATCH,
    )
    .fetch_all(&mut *conn)
    .await?;
    let old: Vec<uuid::Uuid> = old.into_iter().map(|id| id.0).collect();
    let done = sqlx::query!("delete from deploys where team_id = $1 and id = any($2)", permit.team().0, &old)
        .execute(conn)
        .await?;
    Ok(done.rows_affected())
}

/// Removes releases that were retired so many days ago and that nothing names any more. How many went.
pub async fn retired(conn: &mut PgConnection, permit: &Permit, days: i32) -> Result<u64, sqlx::Error> {
    let done = sqlx::query!(
        "delete from releases where team_id = $1 and id in (
           select r.id from releases r
            where r.team_id = $1 and r.retired_at < now() - make_interval(days => $2::int)
              and not exists (select from deploys d where d.team_id = $1 and r.id in (d.release_id, d.former_release_id))
              and not exists (select from ledger_instances i where i.team_id = $1 and i.release_id = r.id)
            limit $3)",
        permit.team().0,
        days,
        BATCH,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

/// Removes jobs that ended so many days ago and belong to no deploy, with their steps and what is left of their logs.
/// How many went.
pub async fn jobs(conn: &mut PgConnection, permit: &Permit, days: i32) -> Result<u64, sqlx::Error> {
    let old = sqlx::query_scalar!(
        "select id from jobs j
          where team_id = $1 and finished_at < now() - make_interval(days => $2::int)
            and not exists (select from deploys d where d.team_id = j.team_id and d.job_id = j.id)
          limit $3",
        permit.team().0,
        days,
        BATCH,
    )
    .fetch_all(&mut *conn)
    .await?;
    sqlx::query!("delete from job_log where team_id = $1 and job_id = any($2)", permit.team().0, &old)
        .execute(&mut *conn)
        .await?;
    let done = sqlx::query!("delete from jobs where team_id = $1 and id = any($2)", permit.team().0, &old)
        .execute(conn)
        .await?;
    Ok(done.rows_affected())
}

/// Removes builds of so many days ago whose image is on no host any more. How many went.
pub async fn builds(conn: &mut PgConnection, permit: &Permit, days: i32) -> Result<u64, sqlx::Error> {
    let done = sqlx::query!(
        "delete from builds where team_id = $1 and id in (
           select b.id from builds b
            where b.team_id = $1 and b.created_at < now() - make_interval(days => $2::int)
              and not exists (select from ledger_images i where i.team_id = $1 and i.image = b.image
                                 and i.removed_at is null)
            limit $3)",
        permit.team().0,
        days,
        BATCH,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

/// Removes old versions of apps' secrets that no kept release names. The current one always stays, and so does what was
/// current a day ago: a deploy may be reading it. How many went.
pub async fn secret_versions(conn: &mut PgConnection, permit: &Permit) -> Result<u64, sqlx::Error> {
    let done = sqlx::query!(
        "delete from secret_versions v using secrets s
          where v.team_id = $1 and s.team_id = v.team_id and s.id = v.secret_id and s.owner_kind = 'app'
            and v.version < s.version and s.changed_at < now() - interval '1 day'
            and not exists (select from releases r
                             where r.team_id = $1 and r.app_id = s.owner_id and r.retired_at is null
                               and (r.body->'secret_versions'->>(s.id::text))::int = v.version)",
        permit.team().0,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}
