//! The steps of a job, as its plan names them. Writes carry the fence of the run and touch nothing when it is stale;
//! steps left over when the job ends are closed by the trigger `jobs_ended`. Not here: what a step does.

use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::domain::ids::{HostId, JobId};
use crate::domain::job::StepState;
use crate::domain::rights::Permit;

/// A step to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewStep {
    /// The stage it belongs to; empty where the job has no stages.
    pub stage: String,
    /// The host it acts on.
    pub host: Option<HostId>,
    /// "start web-2 on fra-1".
    pub words: String,
}

/// A step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Order of display, from 1.
    pub seq: i32,
    /// The stage it belongs to.
    pub stage: String,
    /// The host it acts on.
    pub host: Option<HostId>,
    /// "start web-2 on fra-1".
    pub words: String,
    /// How it stands.
    pub state: StepState,
    /// "answers 503", "5 of 7 cached".
    pub note: String,
    /// The first log line said in it.
    pub log_from: Option<i64>,
    /// When it began.
    pub started_at: Option<OffsetDateTime>,
    /// When it ended.
    pub finished_at: Option<OffsetDateTime>,
}

/// Stores a plan and returns the number of its first step; the others follow by one. What a former run of the job did
/// stays, what it only planned goes, what it was at is closed as interrupted. None when this run is stale.
pub async fn plan(
    conn: &mut PgConnection,
    permit: &Permit,
    job: JobId,
    fence: i64,
    steps: &[NewStep],
) -> Result<Option<i32>, sqlx::Error> {
    let mine = sqlx::query_scalar!(
        "select fence from jobs where team_id = $1 and id = $2 and fence = $3 and state = 'running' for share",
        permit.team().0,
        job.0,
        fence,
    );
    if mine.fetch_optional(&mut *conn).await?.is_none() {
        return Ok(None);
    }
    sqlx::query!(
        "with dropped as (delete from job_steps where team_id = $1 and job_id = $2 and state = 'planned')
         update job_steps set state = 'failed', finished_at = now(), note = 'interrupted'
          where team_id = $1 and job_id = $2 and state = 'running'",
        permit.team().0,
        job.0,
    )
    .execute(&mut *conn)
    .await?;
    let stages: Vec<&str> = steps.iter().map(|step| step.stage.as_str()).collect();
    let hosts: Vec<Option<uuid::Uuid>> = steps.iter().map(|step| step.host.map(|host| host.0)).collect();
    let words: Vec<&str> = steps.iter().map(|step| step.words.as_str()).collect();
    sqlx::query_scalar!(
        r#"with former as (
             select coalesce(max(seq), 0) as seq from job_steps where team_id = $1 and job_id = $2),
           written as (
             insert into job_steps (team_id, job_id, seq, stage, host_id, words)
             select $1, $2, former.seq + s.number, s.stage, s.host, s.words
               from former, unnest($3::text[], $4::uuid[], $5::text[]) with ordinality as s(stage, host, words, number))
           select seq + 1 as "first!" from former"#,
        permit.team().0,
        job.0,
        &stages as &[&str],
        &hosts as &[Option<uuid::Uuid>],
        &words as &[&str],
    )
    .fetch_one(conn)
    .await
    .map(Some)
}

/// Marks a step as begun, and where the log goes on in it. False when this run is stale.
pub async fn start(
    conn: &mut PgConnection,
    permit: &Permit,
    job: JobId,
    fence: i64,
    seq: i32,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "with mine as (select from jobs where team_id = $1 and id = $2 and fence = $3 and state = 'running' for share)
         update job_steps s
            set state = 'running', started_at = now(),
                log_from = 1 + coalesce((select e.seq from job_log_ends e where e.team_id = $1 and e.job_id = $2), 0)
           from mine where s.team_id = $1 and s.job_id = $2 and s.seq = $4",
        permit.team().0,
        job.0,
        fence,
        seq,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Says what is seen while a step runs. False when this run is stale.
pub async fn note(
    conn: &mut PgConnection,
    permit: &Permit,
    job: JobId,
    fence: i64,
    seq: i32,
    note: &str,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "with mine as (select from jobs where team_id = $1 and id = $2 and fence = $3 and state = 'running' for share)
         update job_steps s set note = $5 from mine where s.team_id = $1 and s.job_id = $2 and s.seq = $4",
        permit.team().0,
        job.0,
        fence,
        seq,
        note,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Marks how a step ended. False when this run is stale.
pub async fn finish(
    conn: &mut PgConnection,
    permit: &Permit,
    job: JobId,
    fence: i64,
    seq: i32,
    state: StepState,
    note: &str,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "with mine as (select from jobs where team_id = $1 and id = $2 and fence = $3 and state = 'running' for share)
         update job_steps s set state = $5, note = $6, finished_at = now()
           from mine where s.team_id = $1 and s.job_id = $2 and s.seq = $4",
        permit.team().0,
        job.0,
        fence,
        seq,
        state as StepState,
        note,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// All steps in order.
pub async fn list(conn: &mut PgConnection, permit: &Permit, job: JobId) -> Result<Vec<Step>, sqlx::Error> {
    sqlx::query_as!(
        Step,
        r#"select seq, stage, host_id as "host: HostId", words, state as "state: StepState", note, log_from, started_at,
                  finished_at
             from job_steps where team_id = $1 and job_id = $2 order by seq"#,
        permit.team().0,
        job.0,
    )
    .fetch_all(conn)
    .await
}
