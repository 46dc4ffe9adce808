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
            where e.team_id = $1
            order by p.name, e.project_id, e.created_at, e.id"#,
        permit.team().0,
    )
    .fetch_all(conn)
    .await
}
