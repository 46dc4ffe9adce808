//! Releases as people look at them. Not here: what a running deploy writes (`deploy_runs.rs`).

use sqlx::PgConnection;
use sqlx::types::Json;
use time::OffsetDateTime;

use crate::domain::dockerfile::DockerfileText;
use crate::domain::ids::{AppId, ReleaseId};
use crate::domain::release::{Commit, Release};
use crate::domain::rights::Permit;
use crate::domain::source::Source;

/// One release in a list.
#[derive(Clone, Debug)]
pub struct Line {
    /// The release.
    pub id: ReleaseId,
    /// Its number.
    pub number: i32,
    /// The image's name.
    pub image: String,
    /// The image's id.
    pub image_id: String,
    /// Its commit.
    pub commit: Option<Json<Option<Commit>>>,
    /// Who asked for it.
    pub created_by: String,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// Whether one can go back to it.
    pub kept: bool,
}

/// A whole release.
#[derive(Clone, Debug)]
pub struct Row {
    /// What it runs.
    pub body: Json<Release>,
    /// Where it came from.
    pub source: Json<Source>,
    /// Who asked for it.
    pub created_by: String,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// Whether one can go back to it.
    pub kept: bool,
    /// The Dockerfile it was built with, where that was not the repository's own.
    pub dockerfile: Option<DockerfileText>,
}

/// An app's releases, newest first; older than `before` where one is given.
pub async fn list(
    conn: &mut PgConnection,
    permit: &Permit,
    app: AppId,
    before: Option<i32>,
    limit: i64,
) -> Result<Vec<Line>, sqlx::Error> {
    sqlx::query_as!(
        Line,
        r#"select id as "id: ReleaseId", number, body->>'image' as "image!", body->>'image_id' as "image_id!",
                  body->'commit' as "commit: Json<Option<Commit>>", created_by, created_at,
                  retired_at is null as "kept!"
             from releases
            where team_id = $1 and app_id = $2 and ($3::int is null or number < $3)
            order by number desc limit $4"#,
        permit.team().0,
        app.0,
        before,
        limit,
    )
    .fetch_all(conn)
    .await
}

/// A release.
pub async fn get(conn: &mut PgConnection, permit: &Permit, id: ReleaseId) -> Result<Option<Row>, sqlx::Error> {
    sqlx::query_as!(
        Row,
        r#"select body as "body: Json<Release>", source as "source: Json<Source>", created_by, created_at,
                  retired_at is null as "kept!", dockerfile as "dockerfile: DockerfileText"
             from releases where team_id = $1 and id = $2"#,
        permit.team().0,
        id.0,
    )
    .fetch_optional(conn)
    .await
}

/// A release by its number.
pub async fn numbered(
    conn: &mut PgConnection,
    permit: &Permit,
    app: AppId,
    number: i32,
) -> Result<Option<Row>, sqlx::Error> {
    sqlx::query_as!(
        Row,
        r#"select body as "body: Json<Release>", source as "source: Json<Source>", created_by, created_at,
                  retired_at is null as "kept!", dockerfile as "dockerfile: DockerfileText"
             from releases where team_id = $1 and app_id = $2 and number = $3"#,
        permit.team().0,
        app.0,
        number,
    )
    .fetch_optional(conn)
    .await
}

/// The release before this number.
pub async fn before(
    conn: &mut PgConnection,
    permit: &Permit,
    app: AppId,
    number: i32,
) -> Result<Option<Row>, sqlx::Error> {
    sqlx::query_as!(
        Row,
        r#"select body as "body: Json<Release>", source as "source: Json<Source>", created_by, created_at,
                  retired_at is null as "kept!", dockerfile as "dockerfile: DockerfileText"
             from releases where team_id = $1 and app_id = $2 and number < $3 order by number desc limit 1"#,
        permit.team().0,
        app.0,
        number,
    )
    .fetch_optional(conn)
    .await
}
