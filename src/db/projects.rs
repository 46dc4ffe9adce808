//! Projects.

use sqlx::PgConnection;

use crate::domain::ids::ProjectId;
use crate::domain::names::{DisplayName, Slug};
use crate::domain::rights::Permit;

/// A project.
#[derive(Clone, Debug)]
pub struct Row {
    /// The project.
    pub id: ProjectId,
    /// Its short name.
    pub slug: String,
    /// Its name.
    pub name: String,
}

/// Makes a project.
pub async fn insert(
    conn: &mut PgConnection,
    permit: &Permit,
    id: ProjectId,
    slug: &Slug,
    name: &DisplayName,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into projects (team_id, id, slug, name) values ($1, $2, $3, $4)",
        permit.team().0,
        id.0,
        slug.as_ref(),
        name.as_ref(),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The team's projects, by name; or only this one.
pub async fn list(conn: &mut PgConnection, permit: &Permit, only: Option<ProjectId>) -> Result<Vec<Row>, sqlx::Error> {
    sqlx::query_as!(
        Row,
        r#"select id as "id: ProjectId", slug, name from projects
            where team_id = $1 and removed_at is null and ($2::uuid is null or id = $2) order by name, id"#,
        permit.team().0,
        only.map(|id| id.0),
    )
    .fetch_all(conn)
    .await
}

/// Locks a project until the transaction ends. False where there is none.
pub async fn lock(conn: &mut PgConnection, permit: &Permit, id: ProjectId) -> Result<bool, sqlx::Error> {
    let found = sqlx::query_scalar!(
        r#"select true as "found!" from projects where team_id = $1 and id = $2 and removed_at is null for update"#,
        permit.team().0,
        id.0,
    )
    .fetch_optional(conn)
    .await?;
    Ok(found.is_some())
}

/// Marks a project as removed, with the roles that were given in it.
pub async fn remove(conn: &mut PgConnection, permit: &Permit, id: ProjectId, by: &str) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "with grants_gone as (delete from grants where team_id = $1 and scope_kind = 'project' and scope_id = $2)
         update projects set removed_at = now(), removed_by = $3 where team_id = $1 and id = $2",
        permit.team().0,
        id.0,
        by,
    )
    .execute(conn)
    .await
    .map(drop)
}
