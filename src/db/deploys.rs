//! Deploys as people ask for them and look at them. Not here: what a running one writes (`deploy_runs.rs`).

use sqlx::PgConnection;
use sqlx::types::Json;
use time::OffsetDateTime;

use crate::domain::cause::Cause;
use crate::domain::deploy::{DeployState, Failure, Target};
use crate::domain::ids::{AppId, DeployId, EnvironmentId, JobId, ProjectId, ReleaseId};
use crate::domain::plan::Plan;
use crate::domain::release::Commit;
use crate::domain::rights::Permit;

/// One deploy in a list.
#[derive(Clone, Debug)]
pub struct Line {
    /// The deploy.
    pub id: DeployId,
    /// Its app.
    pub app: AppId,
    /// The app's name.
    pub app_name: String,
    /// Its job.
    pub job: JobId,
    /// What it sets out to do.
    pub target: Json<Target>,
    /// How it stands.
    pub state: DeployState,
    /// The release's number.
    pub number: Option<i32>,
    /// The number of what served before.
    pub former: Option<i32>,
    /// True where it deploys the release that served already.
    pub again: bool,
    /// The release's commit.
    pub commit: Option<Json<Option<Commit>>>,
    /// Who asked.
    pub cause: Json<Cause>,
    /// Why it failed.
    pub failure: Option<Json<Failure>>,
    /// When it was asked for.
    pub created_at: OffsetDateTime,
    /// When it began.
    pub started_at: Option<OffsetDateTime>,
    /// When it ended.
    pub finished_at: Option<OffsetDateTime>,
}

/// What a deploy's page shows beside its line.
#[derive(Clone, Debug)]
pub struct More {
    /// Its app's project.
    pub project: ProjectId,
    /// Its app's environment.
    pub environment: EnvironmentId,
    /// The plan.
    pub plan: Option<Json<Plan>>,
    /// Its release.
    pub release: Option<ReleaseId>,
    /// What served before.
    pub former: Option<ReleaseId>,
    /// When traffic moved.
    pub switched_at: Option<OffsetDateTime>,
    /// Until when it is watched.
    pub watch_until: Option<OffsetDateTime>,
    /// Whether the release command ran.
    pub ran_release_command: bool,
    /// Why its job waits.
    pub wait_reason: String,
    /// Who asked to cancel it.
    pub cancel_asked_by: Option<String>,
}

/// Which deploys are listed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Filter {
    /// Only this one.
    pub deploy: Option<DeployId>,
    /// Only this app's.
    pub app: Option<AppId>,
    /// Only those that made or brought back this release.
    pub release: Option<ReleaseId>,
    /// Only those that were asked for before this one.
    pub before: Option<DeployId>,
}

/// Deploys, newest first.
pub async fn list(
    conn: &mut PgConnection,
    permit: &Permit,
    filter: Filter,
    limit: i64,
) -> Result<Vec<Line>, sqlx::Error> {
    sqlx::query_as!(
        Line,
        r#"select d.id as "id: DeployId", d.app_id as "app: AppId", a.name as app_name, d.job_id as "job: JobId",
                  d.target as "target: Json<Target>", d.state as "state: DeployState",
                  r.number as "number?", f.number as "former?",
                  coalesce(d.target->>'to' = 'release' and (d.target->>'number')::int
                           = (case when d.started_at is null then c.number else f.number end), false) as "again!",
                  r.body->'commit' as "commit: Json<Option<Commit>>",
                  d.cause as "cause: Json<Cause>", d.failure as "failure: Json<Failure>",
                  d.created_at, d.started_at, d.finished_at
             from deploys d
             join apps a on a.team_id = d.team_id and a.id = d.app_id
             left join releases r on r.team_id = d.team_id and r.id = d.release_id
             left join releases f on f.team_id = d.team_id and f.id = d.former_release_id
             left join releases c on c.team_id = a.team_id and c.id = a.current_release_id
            where d.team_id = $1 and ($2::uuid is null or d.id = $2) and ($3::uuid is null or d.app_id = $3)
              and ($4::uuid is null or d.release_id = $4)
              and ($6::uuid is null
                   or (d.created_at, d.id) < (select b.created_at, b.id from deploys b where b.team_id = $1 and b.id = $6))
            order by d.created_at desc, d.id desc limit $5"#,
        permit.team().0,
        filter.deploy.map(|id| id.0),
        filter.app.map(|id| id.0),
        filter.release.map(|id| id.0),
        limit,
        filter.before.map(|id| id.0),
    )
    .fetch_all(conn)
    .await
}

/// The rest of a deploy's page.
pub async fn more(conn: &mut PgConnection, permit: &Permit, id: DeployId) -> Result<Option<More>, sqlx::Error> {
    sqlx::query_as!(
        More,
        r#"select e.project_id as "project: ProjectId", e.id as "environment: EnvironmentId",
                  d.plan as "plan: Json<Plan>", d.release_id as "release: ReleaseId",
                  d.former_release_id as "former: ReleaseId", d.switched_at, d.watch_until, d.ran_release_command,
                  case when j.wait_reason <> '' then j.wait_reason
                       when ahead.title is not null then 'Waits for: ' || ahead.title
                       else '' end as "wait_reason!", j.cancel_asked_by
             from deploys d
             join apps a on a.team_id = d.team_id and a.id = d.app_id
             join environments e on e.team_id = a.team_id and e.id = a.environment_id
             join jobs j on j.team_id = d.team_id and j.id = d.job_id
             left join jobs ahead
                    on j.state = 'queued' and ahead.state = 'running' and ahead.lock_key = j.lock_key
            where d.team_id = $1 and d.id = $2"#,
        permit.team().0,
        id.0,
    )
    .fetch_optional(conn)
    .await
}

/// A deploy's state and whether traffic has moved, locked until the transaction ends.
#[derive(Clone, Copy, Debug)]
pub struct Locked {
    /// Its app.
    pub app: AppId,
    /// Its job.
    pub job: JobId,
    /// How it stands.
    pub state: DeployState,
    /// Whether traffic has moved.
    pub switched: bool,
}

/// Locks a deploy until the transaction ends.
pub async fn lock(conn: &mut PgConnection, permit: &Permit, id: DeployId) -> Result<Option<Locked>, sqlx::Error> {
    sqlx::query_as!(
        Locked,
        r#"select app_id as "app: AppId", job_id as "job: JobId", state as "state: DeployState",
                  switched_at is not null as "switched!"
             from deploys where team_id = $1 and id = $2 for update"#,
        permit.team().0,
        id.0,
    )
    .fetch_optional(conn)
    .await
}

/// Ends a deploy that waited, when its job was cancelled.
pub async fn cancel_waiting(conn: &mut PgConnection, permit: &Permit, id: DeployId) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update deploys set state = 'cancelled', finished_at = now()
          where team_id = $1 and id = $2 and state = 'queued'",
        permit.team().0,
        id.0,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Where a deploy's live page looks: its job and state.
#[derive(Clone, Copy, Debug)]
pub struct Pulse {
    /// Its job.
    pub job: JobId,
    /// How it stands.
    pub state: DeployState,
}

/// A deploy's job and state.
pub async fn pulse(conn: &mut PgConnection, permit: &Permit, id: DeployId) -> Result<Option<Pulse>, sqlx::Error> {
    sqlx::query_as!(
        Pulse,
        r#"select job_id as "job: JobId", state as "state: DeployState" from deploys where team_id = $1 and id = $2"#,
        permit.team().0,
        id.0,
    )
    .fetch_optional(conn)
    .await
}

/// Where a deploy's app is.
pub async fn above(
    conn: &mut PgConnection,
    permit: &Permit,
    id: DeployId,
) -> Result<Option<super::apps::Above>, sqlx::Error> {
    sqlx::query_as!(
        super::apps::Above,
        r#"select e.project_id as "project: ProjectId", a.environment_id as "environment: EnvironmentId"
             from deploys d
             join apps a on a.team_id = d.team_id and a.id = d.app_id
             join environments e on e.team_id = a.team_id and e.id = a.environment_id
            where d.team_id = $1 and d.id = $2"#,
        permit.team().0,
        id.0,
    )
    .fetch_optional(conn)
    .await
}

/// True while a deploy of the app waits or runs.
pub async fn under_way(conn: &mut PgConnection, permit: &Permit, app: AppId) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select exists (select from deploys
                           where team_id = $1 and app_id = $2 and state in ('queued', 'running')) as "is!""#,
        permit.team().0,
        app.0,
    )
    .fetch_one(conn)
    .await
}
