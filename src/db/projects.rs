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
            where team_id = $1 and ($2::uuid is null or id = $2) order by name, id"#,
        permit.team().0,
        only.map(|id| id.0),
    )
    .fetch_all(conn)
    .await
}
