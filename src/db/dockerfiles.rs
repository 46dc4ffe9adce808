//! The Dockerfile that is kept with a source, for repositories that have none, and what came of the last look at one. Not here:
//! writing the text.

use sqlx::PgConnection;
use sqlx::types::Json;
use time::OffsetDateTime;

use crate::domain::dockerfile::{DockerfileText, Look};
use crate::domain::ids::SourceId;
use crate::domain::rights::Permit;

/// What is kept.
#[derive(Clone, Debug)]
pub struct Row {
    /// The text.
    pub text: Option<DockerfileText>,
    /// Who wrote it; empty: Skiff.
    pub by: String,
    /// When it was written.
    pub at: Option<OffsetDateTime>,
    /// What came of the last look.
    pub look: Option<Json<Look>>,
    /// When that was.
    pub looked_at: Option<OffsetDateTime>,
}

/// What is kept with a source.
pub async fn of(conn: &mut PgConnection, permit: &Permit, source: SourceId) -> Result<Option<Row>, sqlx::Error> {
    sqlx::query_as!(
        Row,
        r#"select dockerfile as "text: DockerfileText", dockerfile_by as "by", dockerfile_at as "at",
                  look as "look: Json<Look>", looked_at
             from sources where team_id = $1 and id = $2"#,
        permit.team().0,
        source.0,
    )
    .fetch_optional(conn)
    .await
}

/// Notes what came of a look.
pub async fn looked(
    conn: &mut PgConnection,
    permit: &Permit,
    source: SourceId,
    look: &Look,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update sources set look = $3, looked_at = now() where team_id = $1 and id = $2",
        permit.team().0,
        source.0,
        Json(look) as _,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Keeps a text that Skiff wrote, where none is kept.
pub async fn keep_first(
    conn: &mut PgConnection,
    permit: &Permit,
    source: SourceId,
    text: &DockerfileText,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update sources set dockerfile = $3, dockerfile_by = '', dockerfile_at = now()
          where team_id = $1 and id = $2 and dockerfile is null",
        permit.team().0,
        source.0,
        text.as_ref(),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Keeps a text in place of what was kept.
pub async fn keep(
    conn: &mut PgConnection,
    permit: &Permit,
    source: SourceId,
    text: &DockerfileText,
    by: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update sources set dockerfile = $3, dockerfile_by = $4, dockerfile_at = now() where team_id = $1 and id = $2",
        permit.team().0,
        source.0,
        text.as_ref(),
        by,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Forgets what was seen, and the text with it where Skiff wrote it: the source is another repository or folder now.
pub async fn forget(conn: &mut PgConnection, permit: &Permit, source: SourceId) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update sources set look = null, looked_at = null,
                dockerfile = case when dockerfile_by = '' then null else dockerfile end,
                dockerfile_at = case when dockerfile_by = '' then null else dockerfile_at end
          where team_id = $1 and id = $2",
        permit.team().0,
        source.0,
    )
    .execute(conn)
    .await?;
    Ok(())
}
