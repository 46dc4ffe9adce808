//! How the database and the queue in it are, for the doctor. Counts and versions only, no team's data. Not here: what they mean
//! (`domain/doctor`).

use sqlx::PgConnection;
use time::OffsetDateTime;

use super::connect;
use crate::domain::doctor::{Queue, SchemaSeen};

/// The server, and the room things take in it.
#[derive(Clone, Debug)]
pub struct Server {
    /// Its version.
    pub version: String,
    /// Bytes of this database.
    pub bytes: i64,
    /// Open connections, of everybody.
    pub connections: i64,
    /// Connections it allows.
    pub most: i64,
    /// Its clock, in milliseconds since 1970.
    pub clock_ms: i64,
}

/// The server.
pub async fn server(conn: &mut PgConnection) -> Result<Server, sqlx::Error> {
    sqlx::query_as!(
        Server,
        r#"select current_setting('server_version') as "version!", pg_database_size(current_database()) as "bytes!",
                  (select count(*) from pg_stat_activity where backend_type = 'client backend') as "connections!",
                  current_setting('max_connections')::bigint as "most!",
                  (extract(epoch from clock_timestamp()) * 1000)::bigint as "clock_ms!""#
    )
    .fetch_one(conn)
    .await
}

/// Which schema it has.
pub async fn schema(conn: &mut PgConnection) -> Result<SchemaSeen, sqlx::Error> {
    let row = sqlx::query!(
        r#"select coalesce(max(version), 0) as "found!", count(*) filter (where not success) as "broken!"
             from _sqlx_migrations"#
    )
    .fetch_one(conn)
    .await?;
    Ok(SchemaSeen { found: row.found, known: connect::newest_step(), broken: row.broken })
}

/// A step that brought the schema up.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Step {
    /// Its number.
    pub version: i64,
    /// Its name.
    pub description: String,
    /// Whether it ended well.
    pub success: bool,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
}

/// All steps that were applied.
pub async fn steps(conn: &mut PgConnection) -> Result<Vec<Step>, sqlx::Error> {
    sqlx::query_as!(
        Step,
        "select version, description, success, installed_on as at from _sqlx_migrations order by version"
    )
    .fetch_all(conn)
    .await
}

/// The queue, of all teams. Needs the worker's scope.
pub async fn queue(conn: &mut PgConnection) -> Result<Queue, sqlx::Error> {
    let row = sqlx::query!(
        r#"select count(*) filter (where state = 'queued') as "waiting!",
                  count(*) filter (where state = 'running') as "running!",
                  count(*) filter (where state = 'running' and lease_until < now() - interval '60 s') as "overdue!",
                  extract(epoch from now() - min(run_at) filter (where state = 'queued' and run_at <= now()))::bigint as oldest
             from jobs where finished_at is null"#
    )
    .fetch_one(conn)
    .await?;
    Ok(Queue { waiting: row.waiting, running: row.running, oldest_s: row.oldest, overdue: row.overdue })
}

/// How many jobs of one kind stand in one state.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Kind {
    /// The kind.
    pub kind: String,
    /// The state.
    pub state: String,
    /// How many.
    pub count: i64,
    /// The newest of them.
    #[serde(with = "time::serde::rfc3339")]
    pub newest: OffsetDateTime,
}

/// Jobs of all teams by kind and state. Needs the worker's scope.
pub async fn kinds(conn: &mut PgConnection) -> Result<Vec<Kind>, sqlx::Error> {
    sqlx::query_as!(
        Kind,
        r#"select kind, state, count(*) as "count!", max(created_at) as "newest!" from jobs group by 1, 2 order by 1, 2"#
    )
    .fetch_all(conn)
    .await
}

/// A job that failed.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Failed {
    /// Its id.
    pub id: uuid::Uuid,
    /// Its kind.
    pub kind: String,
    /// Why: a sentence that may quote others.
    pub reason: String,
    /// How often it was begun.
    pub attempt: i16,
    /// When it ended.
    #[serde(with = "time::serde::rfc3339")]
    pub finished_at: OffsetDateTime,
}

/// The newest jobs of all teams that failed. Needs the worker's scope.
pub async fn failed(conn: &mut PgConnection, most: i64) -> Result<Vec<Failed>, sqlx::Error> {
    sqlx::query_as!(
        Failed,
        r#"select id, kind, reason, attempt, finished_at as "finished_at!" from jobs
            where state = 'failed' order by finished_at desc limit $1"#,
        most,
    )
    .fetch_all(conn)
    .await
}
