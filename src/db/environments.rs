//! Environments of projects.

use sqlx::PgConnection;

use crate::domain::ids::{EnvironmentId, ProjectId};
use crate::domain::names::{DisplayName, Slug};
use crate::domain::rights::Permit;

/// An environment, with its project's name.
#[derive(Clone, Debug)]
pub struct Row {
    /// The environment.
    pub id: EnvironmentId,
    /// Its project.
    pub project: ProjectId,
    /// The project's name.
    pub project_name: String,
    /// Its short name.
    pub slug: String,
    /// Its name.
    pub name: String,
    /// Apps in it.
    pub apps: i64,
}

/// Makes an environment.
pub async fn insert(
    conn: &mut PgConnection,
    permit: &Permit,
    id: EnvironmentId,
    project: ProjectId,
    slug: &Slug,
    name: &DisplayName,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into environments (team_id, id, project_id, slug, name) values ($1, $2, $3, $4, $5)",
        permit.team().0,
        id.0,
        project.0,
        slug.as_ref(),
        name.as_ref(),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The team's environments, oldest first within a project.
pub async fn list(conn: &mut PgConnection, permit: &Permit) -> Result<Vec<Row>, sqlx::Error> {
    sqlx::query_as!(
        Row,
        r#"select e.id as "id: EnvironmentId", e.project_id as "project: ProjectId", p.name as project_name,
                  e.slug, e.name,
                  (select count(*) from apps a where a.team_id = e.team_id and a.environment_id = e.id
                      and a.removed_at is null) as "apps!"
             from environments e join projects p on p.team_id = e.team_id and p.id = e.project_id
            where e.team_id = $1 and e.removed_at is null
            order by p.name, e.project_id, e.created_at, e.id"#,
        permit.team().0,
    )
    .fetch_all(conn)
    .await
}

/// Holds an environment as it is until the transaction ends: nobody removes it meanwhile. False where it was removed.
pub async fn hold(conn: &mut PgConnection, permit: &Permit, id: EnvironmentId) -> Result<bool, sqlx::Error> {
    let found = sqlx::query_scalar!(
        r#"select true as "found!" from environments where team_id = $1 and id = $2 and removed_at is null for share"#,
        permit.team().0,
        id.0,
    )
    .fetch_optional(conn)
    .await?;
    Ok(found.is_some())
}

/// What keeps an environment, or all of a project, from being empty.
#[derive(Clone, Copy, Debug)]
pub struct Filled {
    /// Apps in it.
    pub apps: i64,
    /// Removed apps that hosts still have something of.
    pub leaving: i64,
    /// Volumes of removed apps.
    pub volumes: i64,
}

/// Locks environments of a project, or only one of them, until the transaction ends, and tells what is in them.
pub async fn lock(
    conn: &mut PgConnection,
    permit: &Permit,
    project: ProjectId,
    only: Option<EnvironmentId>,
) -> Result<Filled, sqlx::Error> {
    sqlx::query!(
        "select id from environments
          where team_id = $1 and project_id = $2 and ($3::uuid is null or id = $3) and removed_at is null
          order by id for update",
        permit.team().0,
        project.0,
        only.map(|id| id.0),
    )
    .fetch_all(&mut *conn)
    .await?;
    sqlx::query_as!(
        Filled,
        r#"select count(*) filter (where a.removed_at is null) as "apps!",
                  count(*) filter (where a.removed_at is not null and a.cleared_at is null) as "leaving!",
                  coalesce(sum((select count(*) from ledger_volumes v
                                 where v.team_id = a.team_id and v.app_id = a.id and v.removed_at is null))
                           filter (where a.removed_at is not null), 0)::bigint as "volumes!"
             from apps a join environments e on e.team_id = a.team_id and e.id = a.environment_id
            where a.team_id = $1 and e.project_id = $2 and ($3::uuid is null or e.id = $3)"#,
        permit.team().0,
        project.0,
        only.map(|id| id.0),
    )
    .fetch_one(conn)
    .await
}

/// Marks environments of a project, or only one of them, as removed, with the roles that were given in them.
pub async fn remove(
    conn: &mut PgConnection,
    permit: &Permit,
    project: ProjectId,
    only: Option<EnvironmentId>,
    by: &str,
) -> Result<u64, sqlx::Error> {
    sqlx::query!(
        "delete from grants where team_id = $1 and scope_kind = 'environment' and scope_id in (
           select id from environments where team_id = $1 and project_id = $2 and ($3::uuid is null or id = $3))",
        permit.team().0,
        project.0,
        only.map(|id| id.0),
    )
    .execute(&mut *conn)
    .await?;
    let done = sqlx::query!(
        "update environments set removed_at = now(), removed_by = $4
          where team_id = $1 and project_id = $2 and ($3::uuid is null or id = $3) and removed_at is null",
        permit.team().0,
        project.0,
        only.map(|id| id.0),
        by,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}
