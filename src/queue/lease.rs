//! The statements of a claim's life: take, take over, extend, end, give back. Each is short; no transaction stays open
//! while a job works. Not here: when any of it is done.

use std::time::Duration;

use sqlx::PgConnection;
use sqlx::types::Json;

use super::push::hold_key;
use super::{Outcome, Registry};
use crate::db::changes::{self, Topic};
use crate::db::{Db, Leased};
use crate::domain::cause::Cause;
use crate::domain::ids::{JobId, TeamId};
use crate::domain::job::JobState;
use crate::domain::rights::Permit;

/// How long a claim holds without a heartbeat, by the database's clock: four heartbeats, so that one lost packet ends
/// nothing, and short enough that a killed panel's deploy goes on within 25 seconds.
pub(super) const LEASE: Duration = Duration::from_secs(20);

/// A row that is ours now.
#[derive(Debug)]
pub(super) struct Claimed {
    pub job: JobId,
    pub team: TeamId,
    pub kind: String,
    pub args: serde_json::Value,
    pub title: String,
    pub lock_key: Option<String>,
    pub attempt: i16,
    pub fence: i64,
    pub cause: Json<Cause>,
    pub cancel_asked: bool,
}

impl Claimed {
    pub(super) fn permit(&self) -> Permit {
        Permit::of_claimed_row(self.team)
    }
}

/// How a run ended, as the runner knows it.
#[derive(Debug)]
pub(super) enum End {
    /// The job's own word.
    Outcome(Outcome),
    /// Stopped with the panel: whoever comes next goes on, and this attempt does not count.
    Released,
}

/// Claims up to `most` jobs: first those whose worker was lost, as they stand half-done, then those that wait.
pub(super) async fn claim(
    db: &Db,
    registry: &Registry,
    worker: &str,
    most: usize,
) -> Result<Vec<Claimed>, sqlx::Error> {
    let (kinds, deadlines) = registry.deadlines();
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let mut tx = db.begin_worker().await?;
    let mut claimed = take_over(&mut tx, &kinds, &deadlines, most, worker).await?;
    let room = most.saturating_sub(i64::try_from(claimed.len()).unwrap_or(i64::MAX));
    if room > 0 {
        claimed.extend(take_waiting(&mut tx, &kinds, &deadlines, room, worker).await?);
    }
    tx.commit().await?;
    Ok(claimed)
}

/// Claims jobs that wait and may run.
async fn take_waiting(
    conn: &mut PgConnection,
    kinds: &[String],
    deadlines: &[f64],
    most: i64,
    worker: &str,
) -> Result<Vec<Claimed>, sqlx::Error> {
    sqlx::query_as!(
        Claimed,
        r#"with next as (
             select id from jobs j
              where state = 'queued' and run_at <= now() and kind = any($1)
                and not exists (select from jobs r where r.state = 'running' and r.lock_key = j.lock_key)
              order by priority desc, run_at, id limit $3 for update skip locked)
           update jobs j
              set state = 'running', attempt = attempt + 1, fence = fence + 1, leased_by = $4, wait_reason = '',
                  lease_until = now() + make_interval(secs => $5),
                  started_at = coalesce(started_at, now()), deadline = now() + make_interval(secs => k.deadline)
             from next, unnest($1::text[], $2::float8[]) as k(kind, deadline)
            where j.id = next.id and k.kind = j.kind
           returning j.id as "job: JobId", j.team_id as "team: TeamId", j.kind, j.args, j.title, j.lock_key,
                     j.attempt, j.fence, j.cause as "cause: Json<Cause>",
                     j.cancel_asked_at is not null as "cancel_asked!""#,
        kinds,
        deadlines,
        most,
        worker,
        LEASE.as_secs_f64(),
    )
    .fetch_all(conn)
    .await
}

/// Claims jobs that stand as running while their lease ran out. The row never goes back to waiting: a newer job of the
/// same lock key may wait there already.
async fn take_over(
    conn: &mut PgConnection,
    kinds: &[String],
    deadlines: &[f64],
    most: i64,
    worker: &str,
) -> Result<Vec<Claimed>, sqlx::Error> {
    sqlx::query!(
        "update jobs set state = 'failed', finished_at = now(), lease_until = null, leased_by = null,
                reason = 'Its worker was lost ' || attempt || ' times while it ran.'
          where state = 'running' and lease_until < now() and attempt >= max_attempts and kind = any($1)",
        kinds,
    )
    .execute(&mut *conn)
    .await?;
    // A lease may run out between the two statements: what was tried often enough is left to the next look.
    sqlx::query_as!(
        Claimed,
        r#"with next as (
             select id from jobs
              where state = 'running' and lease_until < now() and attempt < max_attempts and kind = any($1)
              order by lease_until limit $3 for update skip locked)
           update jobs j
              set attempt = attempt + 1, fence = fence + 1, leased_by = $4,
                  lease_until = now() + make_interval(secs => $5), deadline = now() + make_interval(secs => k.deadline)
             from next, unnest($1::text[], $2::float8[]) as k(kind, deadline)
            where j.id = next.id and k.kind = j.kind
           returning j.id as "job: JobId", j.team_id as "team: TeamId", j.kind, j.args, j.title, j.lock_key,
                     j.attempt, j.fence, j.cause as "cause: Json<Cause>",
                     j.cancel_asked_at is not null as "cancel_asked!""#,
        kinds,
        deadlines,
        most,
        worker,
        LEASE.as_secs_f64(),
    )
    .fetch_all(conn)
    .await
}

/// Seconds until the next job that waits for its time may run. None where none does.
pub(super) async fn next_due(db: &Db, registry: &Registry) -> Result<Option<f64>, sqlx::Error> {
    let (kinds, _) = registry.deadlines();
    let mut tx = db.begin_worker().await?;
    let due = sqlx::query_scalar!(
        "select extract(epoch from min(run_at) - now())::float8 from jobs
          where state = 'queued' and run_at > now() and kind = any($1)",
        &kinds,
    )
    .fetch_one(&mut *tx)
    .await?;
    tx.rollback().await?;
    Ok(due)
}

/// A lease that was extended.
pub(super) struct Extended {
    pub job: JobId,
    pub fence: i64,
    pub cancel_asked: bool,
}

/// Extends these leases. One that does not come back is lost.
pub(super) async fn extend(
    conn: &mut PgConnection,
    jobs: &[uuid::Uuid],
    fences: &[i64],
) -> Result<Vec<Extended>, sqlx::Error> {
    sqlx::query_as!(
        Extended,
        r#"update jobs j set lease_until = now() + make_interval(secs => $3)
             from unnest($1::uuid[], $2::bigint[]) as held(id, fence)
            where j.id = held.id and j.fence = held.fence and j.state = 'running'
           returning j.id as "job: JobId", j.fence, j.cancel_asked_at is not null as "cancel_asked!""#,
        jobs,
        fences,
        LEASE.as_secs_f64(),
    )
    .fetch_all(conn)
    .await
}

/// Writes how the run ended. None when the job was not this run's any more: then nothing was written.
pub(super) async fn end(db: &Db, claimed: &Claimed, end: &End) -> Result<Option<JobState>, sqlx::Error> {
    let permit = claimed.permit();
    let mut tx = db.begin(&permit).await?;
    let ended = match end {
        End::Outcome(Outcome::Succeeded) => finish(&mut tx, claimed, JobState::Succeeded, "").await?,
        End::Outcome(Outcome::Failed { reason }) => finish(&mut tx, claimed, JobState::Failed, reason).await?,
        End::Outcome(Outcome::Cancelled) => finish(&mut tx, claimed, JobState::Cancelled, "").await?,
        End::Outcome(Outcome::Again { after, why }) => wait_again(&mut tx, claimed, *after, why, 0).await?,
        End::Outcome(Outcome::Later { after, why }) => wait_again(&mut tx, claimed, *after, why, 1).await?,
        End::Released => release(&mut tx, claimed).await?,
    };
    tx.commit().await?;
    Ok(ended)
}

/// To a final state; the next one of its lock key is woken.
async fn finish(
    conn: &mut PgConnection,
    claimed: &Claimed,
    state: JobState,
    reason: &str,
) -> Result<Option<JobState>, sqlx::Error> {
    let ended = sqlx::query_scalar!(
        r#"update jobs
              set state = $4, finished_at = now(), lease_until = null, leased_by = null,
                  reason = case when $4 = 'cancelled' then 'Cancelled by ' || coalesce(cancel_asked_by, 'Skiff') || '.'
                                else $5 end
            where team_id = $1 and id = $2 and fence = $3 and state = 'running'
           returning state as "state: JobState""#,
        claimed.team.0,
        claimed.job.0,
        claimed.fence,
        state as JobState,
        reason,
    )
    .fetch_optional(&mut *conn)
    .await?;
    if ended.is_some() && claimed.lock_key.is_some() {
        changes::notify(conn, Topic::Jobs).await?;
    }
    Ok(ended)
}

/// Back to waiting, unless it was cancelled meanwhile, a newer one waits, or it was tried often enough. `forgiven` attempts
/// are not counted.
async fn wait_again(
    conn: &mut PgConnection,
    claimed: &Claimed,
    after: Duration,
    why: &str,
    forgiven: i16,
) -> Result<Option<JobState>, sqlx::Error> {
    if let Some(key) = &claimed.lock_key {
        hold_key(conn, key).await?;
    }
    let ended = sqlx::query_scalar!(
        r#"with next as (
             select id,
                    case when cancel_asked_at is not null then 'cancelled'
                         when exists (select from jobs w where w.lock_key = j.lock_key and w.state = 'queued') then 'superseded'
                         when attempt - $6::smallint >= max_attempts then 'failed'
                         else 'queued' end as state
               from jobs j
              where team_id = $1 and id = $2 and fence = $3 and state = 'running')
           update jobs j
              set state = next.state, lease_until = null, leased_by = null, attempt = attempt - $6::smallint,
                  run_at = now() + make_interval(secs => $4), wait_reason = case next.state when 'queued' then $5 else '' end,
                  finished_at = case next.state when 'queued' then null else now() end,
                  reason = case next.state
                             when 'cancelled' then 'Cancelled by ' || coalesce(cancel_asked_by, 'Skiff') || '.'
                             when 'superseded' then 'A newer one came while this one had to wait: ' || $5
                             when 'failed' then 'Given up after ' || attempt || ' attempts: ' || $5
                             else '' end
             from next where j.id = next.id
           returning j.state as "state: JobState""#,
        claimed.team.0,
        claimed.job.0,
        claimed.fence,
        after.as_secs_f64(),
        why,
        forgiven,
    )
    .fetch_optional(&mut *conn)
    .await?;
    if ended.is_some() {
        changes::notify(conn, Topic::Jobs).await?;
    }
    Ok(ended)
}

/// Ends the lease and nothing else: the job stands as running, and the next worker takes it over at once. The fence
/// moves on, or a heartbeat already under way would extend the lease that was just given back.
async fn release(conn: &mut PgConnection, claimed: &Claimed) -> Result<Option<JobState>, sqlx::Error> {
    let released = sqlx::query_scalar!(
        r#"update jobs set lease_until = now() - interval '1 microsecond', leased_by = null, attempt = attempt - 1,
                  fence = fence + 1
            where team_id = $1 and id = $2 and fence = $3 and state = 'running'
           returning state as "state: JobState""#,
        claimed.team.0,
        claimed.job.0,
        claimed.fence,
    )
    .fetch_optional(&mut *conn)
    .await?;
    if released.is_some() {
        changes::notify(conn, Topic::Jobs).await?;
    }
    Ok(released)
}

/// Ends the leases of a process that is known to be dead, so that its jobs need not wait until they run out. The fence
/// moves on: its last heartbeat may still be under way in the database.
pub(super) async fn inherit(db: &Db, worker: &str) -> Result<u64, sqlx::Error> {
    let mut tx = db.begin_worker().await?;
    let left = sqlx::query!(
        "update jobs set lease_until = now() - interval '1 microsecond', leased_by = null, fence = fence + 1
          where state = 'running' and leased_by = $1",
        worker,
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(left.rows_affected())
}

/// The permit of a worker for a row of another table that it leased: hosts that are looked at, teams that are tidied.
pub fn permit_of_row(row: &Leased) -> Permit {
    Permit::of_claimed_row(row.team())
}
