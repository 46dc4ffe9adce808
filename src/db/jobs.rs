//! Jobs as people read them. Not here: claiming and ending them, which is the queue's.

use sqlx::PgConnection;
use sqlx::types::Json;
use time::OffsetDateTime;

use crate::domain::cause::Cause;
use crate::domain::ids::{AppId, DeployId, EnvironmentId, HostId, JobId, ProjectId};
use crate::domain::job::JobState;
use crate::domain::parts::Sight;
use crate::domain::rights::Permit;

/// A job with what a list shows of it.
#[derive(Clone, Debug)]
pub struct Row {
    /// The job.
    pub id: JobId,
    /// The kind, as the queue knows it.
    pub kind: String,
    /// "Deploy web".
    pub title: String,
    /// How it stands.
    pub state: JobState,
    /// Why it waits: its own words, or the title of the job it waits for.
    pub wait_reason: String,
    /// Why it ended as it did.
    pub reason: String,
    /// Who or what asked.
    pub cause: Json<Cause>,
    /// How often it was begun.
    pub attempt: i16,
    /// The deploy it carries out.
    pub deploy: Option<DeployId>,
    /// The app it is about: that deploy's, or the one it stops or restarts.
    pub app: Option<AppId>,
    /// That app's project.
    pub project: Option<ProjectId>,
    /// That app's environment.
    pub environment: Option<EnvironmentId>,
    /// The host it is about.
    pub host: Option<HostId>,
    /// The words of the step it is at; empty before the first.
    pub step: String,
    /// Steps that ended.
    pub steps_done: i64,
    /// Steps in all.
    pub steps: i64,
    /// Who asked to cancel it.
    pub cancel_asked_by: Option<String>,
    /// When it was asked for.
    pub created_at: OffsetDateTime,
    /// When a worker first took it.
    pub started_at: Option<OffsetDateTime>,
    /// When it ended.
    pub finished_at: Option<OffsetDateTime>,
}

/// Which jobs to list; nothing set means all.
#[derive(Clone, Copy, Debug, Default)]
pub struct Filter<'a> {
    /// Only those that are not over.
    pub unfinished: bool,
    /// Only those about this host.
    pub host: Option<HostId>,
    /// Only deploys of this app.
    pub app: Option<AppId>,
    /// Only those asked for before this one: the next page.
    pub before: Option<JobId>,
    /// Only those in the parts of the team that are seen.
    pub sight: Option<&'a Sight>,
}

/// Jobs, newest first. Notices are a list of their own (`notices.rs`).
pub async fn list(
    conn: &mut PgConnection,
    permit: &Permit,
    filter: &Filter<'_>,
    limit: i64,
) -> Result<Vec<Row>, sqlx::Error> {
    let everything = Sight::whole();
    let Sight { granted, reach } = filter.sight.unwrap_or(&everything);
    sqlx::query_as!(
        Row,
        r#"select j.id as "id: JobId", j.kind, j.title, j.state as "state: JobState",
                  case when j.wait_reason <> '' then j.wait_reason
                       when ahead.title is not null then 'Waits for: ' || ahead.title
                       else '' end as "wait_reason!",
                  j.reason, j.cause as "cause: Json<Cause>", j.attempt,
                  d.id as "deploy?: DeployId", a.id as "app?: AppId", e.project_id as "project?: ProjectId",
                  e.id as "environment?: EnvironmentId", j.host_id as "host: HostId",
                  coalesce(steps.at, '') as "step!", steps.done as "steps_done!", steps.count as "steps!",
                  j.cancel_asked_by, j.created_at, j.started_at, j.finished_at
             from jobs j
             left join deploys d on d.team_id = j.team_id and d.job_id = j.id
             left join apps a on a.team_id = j.team_id and a.id = coalesce(d.app_id, (j.args->>'app')::uuid)
             left join environments e on e.team_id = a.team_id and e.id = a.environment_id
             left join jobs ahead
                    on j.state = 'queued' and ahead.state = 'running' and ahead.lock_key = j.lock_key
            cross join lateral (
                  select count(*) as count, count(*) filter (where s.state not in ('planned', 'running')) as done,
                         (array_agg(s.words order by s.seq desc) filter (where s.started_at is not null))[1] as at
                    from job_steps s where s.team_id = j.team_id and s.job_id = j.id) steps
            where j.team_id = $1 and j.kind not in ('announce', 'notice') and (not $2 or j.finished_at is null)
              and ($3::uuid is null or j.host_id = $3) and ($4::uuid is null or d.app_id = $4)
              and ($5::uuid is null or j.id < $5)
              and ($7 or e.id = any($8) or e.project_id = any($9) or (e.id is null and j.host_id = any($10)))
              and ($11 or e.id = any($12) or e.project_id = any($13) or (e.id is null and j.host_id = any($14)))
            order by j.id desc limit $6"#,
        permit.team().0,
        filter.unfinished,
        filter.host.map(|id| id.0),
        filter.app.map(|id| id.0),
        filter.before.map(|id| id.0),
        limit,
        granted.whole,
        &granted.environments,
        &granted.projects,
        &granted.hosts,
        reach.whole,
        &reach.environments,
        &reach.projects,
        &reach.hosts,
    )
    .fetch_all(conn)
    .await
}

/// The newest job of this lock key.
pub async fn newest_of(conn: &mut PgConnection, permit: &Permit, lock_key: &str) -> Result<Option<Row>, sqlx::Error> {
    // By itself, not as one more condition of the list: the key has an index, and a plan that serves any condition uses none.
    let newest = sqlx::query_scalar!(
        r#"select id as "id: JobId" from jobs where team_id = $1 and lock_key = $2 order by id desc limit 1"#,
        permit.team().0,
        lock_key,
    );
    match newest.fetch_optional(&mut *conn).await? {
        Some(id) => get(conn, permit, id).await,
        None => Ok(None),
    }
}

/// The newest job of this lock key that is not over.
pub async fn unfinished_of(
    conn: &mut PgConnection,
    permit: &Permit,
    lock_key: &str,
) -> Result<Option<Row>, sqlx::Error> {
    // Not among all of the key: those that are not over are few, and have an index of their own.
    let newest = sqlx::query_scalar!(
        r#"select id as "id: JobId" from jobs
            where team_id = $1 and lock_key = $2 and finished_at is null order by id desc limit 1"#,
        permit.team().0,
        lock_key,
    );
    match newest.fetch_optional(&mut *conn).await? {
        Some(id) => get(conn, permit, id).await,
        None => Ok(None),
    }
}

/// Jobs that run or wait.
pub async fn count_unfinished(conn: &mut PgConnection, permit: &Permit) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select count(*) as "count!" from jobs
            where team_id = $1 and finished_at is null and kind not in ('announce', 'notice')"#,
        permit.team().0,
    )
    .fetch_one(conn)
    .await
}

/// One job.
pub async fn get(conn: &mut PgConnection, permit: &Permit, job: JobId) -> Result<Option<Row>, sqlx::Error> {
    sqlx::query_as!(
        Row,
        r#"select j.id as "id: JobId", j.kind, j.title, j.state as "state: JobState",
                  case when j.wait_reason <> '' then j.wait_reason
                       when ahead.title is not null then 'Waits for: ' || ahead.title
                       else '' end as "wait_reason!",
                  j.reason, j.cause as "cause: Json<Cause>", j.attempt,
                  d.id as "deploy?: DeployId", a.id as "app?: AppId", e.project_id as "project?: ProjectId",
                  e.id as "environment?: EnvironmentId", j.host_id as "host: HostId",
                  coalesce(steps.at, '') as "step!", steps.done as "steps_done!", steps.count as "steps!",
                  j.cancel_asked_by, j.created_at, j.started_at, j.finished_at
             from jobs j
             left join deploys d on d.team_id = j.team_id and d.job_id = j.id
             left join apps a on a.team_id = j.team_id and a.id = coalesce(d.app_id, (j.args->>'app')::uuid)
             left join environments e on e.team_id = a.team_id and e.id = a.environment_id
             left join jobs ahead
                    on j.state = 'queued' and ahead.state = 'running' and ahead.lock_key = j.lock_key
            cross join lateral (
                  select count(*) as count, count(*) filter (where s.state not in ('planned', 'running')) as done,
                         (array_agg(s.words order by s.seq desc) filter (where s.started_at is not null))[1] as at
                    from job_steps s where s.team_id = j.team_id and s.job_id = j.id) steps
            where j.team_id = $1 and j.id = $2"#,
        permit.team().0,
        job.0,
    )
    .fetch_optional(conn)
    .await
}

/// Whether any of these waits or runs.
pub async fn any_unfinished(conn: &mut PgConnection, permit: &Permit, jobs: &[JobId]) -> Result<bool, sqlx::Error> {
    let ids: Vec<uuid::Uuid> = jobs.iter().map(|job| job.0).collect();
    sqlx::query_scalar!(
        r#"select exists (select from jobs where team_id = $1 and id = any($2) and finished_at is null) as "any!""#,
        permit.team().0,
        &ids,
    )
    .fetch_one(conn)
    .await
}

/// How a job stands.
pub async fn state(conn: &mut PgConnection, permit: &Permit, job: JobId) -> Result<Option<JobState>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select state as "state: JobState" from jobs where team_id = $1 and id = $2"#,
        permit.team().0,
        job.0,
    )
    .fetch_optional(conn)
    .await
}
