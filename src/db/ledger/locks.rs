//! The lock on a host's proxy file, worth as much as the lease of the job that holds it.

use sqlx::PgConnection;

use crate::domain::ids::{HostId, JobId};
use crate::domain::rights::Permit;

/// Takes the lock, if nobody with a living lease holds it.
pub async fn take(
    conn: &mut PgConnection,
    permit: &Permit,
    host: HostId,
    job: JobId,
    fence: i64,
) -> Result<bool, sqlx::Error> {
    let taken = sqlx::query!(
        "insert into host_locks as l (team_id, host_id, job_id, fence) values ($1, $2, $3, $4)
         on conflict (team_id, host_id) do update set job_id = $3, fence = $4, taken_at = now()
          where (l.job_id = $3 and l.fence <= $4)
             or not exists (select from jobs j where j.team_id = l.team_id and j.id = l.job_id
                              and j.state = 'running' and j.fence = l.fence and j.lease_until > now())",
        permit.team().0,
        host.0,
        job.0,
        fence,
    )
    .execute(conn)
    .await?;
    Ok(taken.rows_affected() == 1)
}

/// Gives the lock back.
pub async fn release(
    conn: &mut PgConnection,
    permit: &Permit,
    host: HostId,
    job: JobId,
    fence: i64,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "delete from host_locks where team_id = $1 and host_id = $2 and job_id = $3 and fence = $4",
        permit.team().0,
        host.0,
        job.0,
        fence,
    )
    .execute(conn)
    .await?;
    Ok(())
}
