//! Putting a job in, within the caller's transaction, and taking it back.

use std::time::Duration;

use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use super::Job;
use crate::db::changes::{self, Topic};
use crate::domain::cause::Cause;
use crate::domain::ids::{HostId, JobId};
use crate::domain::job::JobState;
use crate::domain::rights::Permit;

/// What a new job is besides its arguments.
#[derive(Clone, Debug)]
pub struct New<'a> {
    /// What people read: "Deploy web".
    pub title: &'a str,
    /// Of jobs with the same key one runs and one waits: "app:<id>".
    pub lock_key: Option<String>,
    /// The host it is about, where it is one.
    pub host: Option<HostId>,
    /// Higher first; 0 is usual.
    pub priority: i16,
    /// Not before this has passed.
    pub after: Duration,
    /// Who or what asked.
    pub cause: Cause,
}

impl<'a> New<'a> {
    /// A job that may run at once, beside any other.
    pub fn new(title: &'a str, cause: Cause) -> Self {
        Self { title, lock_key: None, host: None, priority: 0, after: Duration::ZERO, cause }
    }
}

/// A job that was put in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// The new job.
    pub job: JobId,
    /// The one of the same lock key that waited and is overtaken now.
    pub superseded: Option<JobId>,
}

/// What became of the wish to cancel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cancelled {
    /// It had not begun, and never will.
    AtOnce,
    /// It runs, and was asked to stop.
    Asked,
    /// It had already ended like this.
    TooLate(JobState),
    /// There is no such job in this team.
    NotFound,
}

/// Puts a job in: it exists when the caller's transaction commits. A waiting one of the same lock key is superseded.
pub async fn push<J: Job>(
    conn: &mut PgConnection,
    permit: &Permit,
    args: &J,
    new: New<'_>,
) -> Result<Pushed, sqlx::Error> {
    let job = JobId(Uuid::now_v7());
    let mut superseded = None;
    if let Some(key) = &new.lock_key {
        hold_key(conn, key).await?;
        superseded = sqlx::query_scalar!(
            r#"update jobs set state = 'superseded', finished_at = now(), wait_reason = '',
                      reason = 'A newer one came before it began.'
                where team_id = $1 and lock_key = $2 and state = 'queued' returning id as "id: JobId""#,
            permit.team().0,
            key,
        )
        .fetch_optional(&mut *conn)
        .await?;
    }
    sqlx::query!(
        "insert into jobs (id, team_id, kind, args, title, lock_key, host_id, priority, run_at, cause)
         values ($1, $2, $3, $4, $5, $6, $7, $8, now() + make_interval(secs => $9), $10)",
        job.0,
        permit.team().0,
        J::KIND,
        Json(args) as _,
        new.title,
        new.lock_key,
        new.host.map(|host| host.0),
        new.priority,
        new.after.as_secs_f64(),
        Json(&new.cause) as _,
    )
    .execute(&mut *conn)
    .await?;
    changes::notify(conn, Topic::Jobs).await?;
    Ok(Pushed { job, superseded })
}

/// Whether one waits under this lock key.
pub async fn waits(conn: &mut PgConnection, permit: &Permit, lock_key: &str) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select exists(select from jobs where team_id = $1 and lock_key = $2 and state = 'queued') as "waits!""#,
        permit.team().0,
        lock_key,
    )
    .fetch_one(conn)
    .await
}

/// What waits under a lock key for a moment of its own waits no longer.
pub async fn hurry(conn: &mut PgConnection, permit: &Permit, lock_key: &str) -> Result<(), sqlx::Error> {
    let done = sqlx::query!(
        "update jobs set run_at = now() where team_id = $1 and lock_key = $2 and state = 'queued' and run_at > now()",
        permit.team().0,
        lock_key,
    )
    .execute(&mut *conn)
    .await?;
    if done.rows_affected() > 0 {
        changes::notify(conn, Topic::Jobs).await?;
    }
    Ok(())
}

/// Cancels a job: one that waits at once, one that runs by asking it.
pub async fn cancel(conn: &mut PgConnection, permit: &Permit, job: JobId, by: &str) -> Result<Cancelled, sqlx::Error> {
    let state = sqlx::query_scalar!(
        r#"update jobs
              set cancel_asked_at = coalesce(cancel_asked_at, now()), cancel_asked_by = coalesce(cancel_asked_by, $3),
                  state = case state when 'running' then 'running' else 'cancelled' end,
                  finished_at = case state when 'running' then null else now() end,
                  reason = case state when 'running' then reason else 'Cancelled by ' || $3 || '.' end
            where team_id = $1 and id = $2 and state in ('queued', 'waiting_for_approval', 'running')
            returning state as "state: JobState""#,
        permit.team().0,
        job.0,
        by,
    )
    .fetch_optional(&mut *conn)
    .await?;
    match state {
        Some(JobState::Running) => {
            changes::notify(conn, Topic::Cancels).await?;
            Ok(Cancelled::Asked)
        }
        Some(_) => Ok(Cancelled::AtOnce),
        None => Ok(sqlx::query_scalar!(
            r#"select state as "state: JobState" from jobs where team_id = $1 and id = $2"#,
            permit.team().0,
            job.0,
        )
        .fetch_optional(conn)
        .await?
        .map_or(Cancelled::NotFound, Cancelled::TooLate)),
    }
}

/// Whoever changes what waits under a lock key holds the key until commit: two at once would trip over the unique
/// index instead of taking turns.
pub(super) async fn hold_key(conn: &mut PgConnection, key: &str) -> Result<(), sqlx::Error> {
    sqlx::query!("select pg_advisory_xact_lock(hashtextextended($1, 0))", key).execute(conn).await.map(drop)
}
