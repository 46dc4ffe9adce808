//! What a running deploy reads and writes. Not here: what people ask about deploys (`deploys.rs`).

use sqlx::PgConnection;
use sqlx::types::Json;

use crate::domain::app::Spec;
use crate::domain::cause::Cause;
use crate::domain::deploy::{DeployState, Failure, Target};
use crate::domain::dockerfile::DockerfileText;
use crate::domain::ids::{AppId, DeployId, EnvironmentId, JobId, ReleaseId, SourceId};
use crate::domain::plan::Plan;
use crate::domain::release::{Place, Release};
use crate::domain::rights::Permit;
use crate::domain::source::Source;

/// A deploy with everything about its app that it needs.
#[derive(Debug)]
pub struct Row {
    /// The deploy's state.
    pub state: DeployState,
    /// What it sets out to do.
    pub target: Json<Target>,
    /// Who or what asked.
    pub cause: Json<Cause>,
    /// Its release, once it is known.
    pub release: Option<ReleaseId>,
    /// What served when it began.
    pub former: Option<ReleaseId>,
    /// True once traffic has moved.
    pub switched: bool,
    /// Whether its release command has run.
    pub ran_release_command: bool,
    /// The app.
    pub app: AppId,
    /// Its name.
    pub app_name: String,
    /// Its environment.
    pub environment: EnvironmentId,
    /// The configuration as it is now.
    pub spec: Json<Spec>,
    /// Hosts and instances as wanted now.
    pub placement: Json<Vec<Place>>,
    /// The source.
    pub source_id: SourceId,
    /// The source's description as it is now.
    pub source: Json<Source>,
    /// The release that serves now.
    pub current: Option<ReleaseId>,
    /// Whether the app is wanted to stand still: then nothing serves that one could go back to.
    pub stopped: bool,
    /// Whether the app was removed.
    pub removed: bool,
}

/// Reads a deploy and its app in one round trip.
pub async fn load(conn: &mut PgConnection, permit: &Permit, deploy: DeployId) -> Result<Option<Row>, sqlx::Error> {
    sqlx::query_as!(
        Row,
        r#"select d.state as "state: DeployState", d.target as "target: Json<Target>", d.cause as "cause: Json<Cause>",
                  d.release_id as "release: ReleaseId", d.former_release_id as "former: ReleaseId",
                  d.switched_at is not null as "switched!", d.ran_release_command,
                  a.id as "app: AppId", a.name as app_name, a.environment_id as "environment: EnvironmentId",
                  a.spec as "spec: Json<Spec>", a.placement as "placement: Json<Vec<Place>>",
                  s.id as "source_id: SourceId", s.spec as "source: Json<Source>",
                  a.current_release_id as "current: ReleaseId", a.stopped_at is not null as "stopped!",
                  a.removed_at is not null as "removed!"
             from deploys d
             join apps a on a.team_id = d.team_id and a.id = d.app_id
             join sources s on s.team_id = a.team_id and s.id = a.source_id
            where d.team_id = $1 and d.id = $2"#,
        permit.team().0,
        deploy.0,
    )
    .fetch_optional(conn)
    .await
}

/// Marks the deploy as begun and notes what served before. Running again changes neither.
pub async fn begin(
    conn: &mut PgConnection,
    permit: &Permit,
    deploy: DeployId,
    former: Option<ReleaseId>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update deploys set state = 'running', started_at = coalesce(started_at, now()),
                former_release_id = case when started_at is null then $3 else former_release_id end
          where team_id = $1 and id = $2 and state in ('queued', 'running')",
        permit.team().0,
        deploy.0,
        former.map(|id| id.0),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The next release number of an app. Locks the app's row until the transaction ends.
pub async fn next_number(conn: &mut PgConnection, permit: &Permit, app: AppId) -> Result<i32, sqlx::Error> {
    sqlx::query_scalar!(
        "update apps set last_release = last_release + 1 where team_id = $1 and id = $2 returning last_release",
        permit.team().0,
        app.0,
    )
    .fetch_one(conn)
    .await
}

/// A release that was made, and what it was made of.
#[derive(Clone, Copy, Debug)]
pub struct Made<'a> {
    /// The release.
    pub release: &'a Release,
    /// The source of its time.
    pub source: &'a Source,
    /// The Dockerfile it was built with, where that is not the repository's own.
    pub dockerfile: Option<&'a DockerfileText>,
    /// Who asked for it.
    pub by: &'a str,
}

/// Stores a release and names it as the deploy's own.
pub async fn insert_release(
    conn: &mut PgConnection,
    permit: &Permit,
    deploy: DeployId,
    Made { release, source, dockerfile, by }: Made<'_>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into releases (team_id, id, app_id, number, body, source, created_by, dockerfile)
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
        permit.team().0,
        release.id.0,
        release.app.0,
        release.number,
        Json(release) as _,
        Json(source) as _,
        by,
        dockerfile.map(DockerfileText::as_ref),
    )
    .execute(&mut *conn)
    .await?;
    name_release(conn, permit, deploy, release.id).await
}

/// Names an existing release as the deploy's own (a rollback).
pub async fn name_release(
    conn: &mut PgConnection,
    permit: &Permit,
    deploy: DeployId,
    release: ReleaseId,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update deploys set release_id = $3 where team_id = $1 and id = $2",
        permit.team().0,
        deploy.0,
        release.0,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// A release by its identity.
pub async fn release(
    conn: &mut PgConnection,
    permit: &Permit,
    release: ReleaseId,
) -> Result<Option<Release>, sqlx::Error> {
    let row = sqlx::query_scalar!(
        r#"select body as "body: Json<Release>" from releases where team_id = $1 and id = $2"#,
        permit.team().0,
        release.0,
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|body| body.0))
}

/// A kept release of an app by its number.
pub async fn release_numbered(
    conn: &mut PgConnection,
    permit: &Permit,
    app: AppId,
    number: i32,
) -> Result<Option<Release>, sqlx::Error> {
    let row = sqlx::query_scalar!(
        r#"select body as "body: Json<Release>" from releases
            where team_id = $1 and app_id = $2 and number = $3 and retired_at is null"#,
        permit.team().0,
        app.0,
        number,
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|body| body.0))
}

/// Stores the plan that is about to run.
pub async fn set_plan(
    conn: &mut PgConnection,
    permit: &Permit,
    deploy: DeployId,
    plan: &Plan,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update deploys set plan = $3 where team_id = $1 and id = $2",
        permit.team().0,
        deploy.0,
        Json(plan) as _,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Marks the moment from which cancel is refused. False when a person's cancel came first: then nothing was marked.
pub async fn switch(conn: &mut PgConnection, permit: &Permit, deploy: DeployId) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "update deploys d set switched_at = coalesce(d.switched_at, now())
           from jobs j
          where d.team_id = $1 and d.id = $2 and j.team_id = d.team_id and j.id = d.job_id
            and (d.switched_at is not null or j.cancel_asked_at is null)",
        permit.team().0,
        deploy.0,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Notes that the release command has run: a rollback from here warns.
pub async fn ran_release_command(
    conn: &mut PgConnection,
    permit: &Permit,
    deploy: DeployId,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update deploys set ran_release_command = true where team_id = $1 and id = $2",
        permit.team().0,
        deploy.0,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Ends the deploy as succeeded: its release is the app's current one, and is watched for so many seconds. An app that was
/// stopped runs again.
pub async fn succeed(
    conn: &mut PgConnection,
    permit: &Permit,
    deploy: DeployId,
    watch_s: i32,
) -> Result<(), sqlx::Error> {
    let app = sqlx::query_scalar!(
        r#"with done as (
             update deploys set state = 'succeeded', finished_at = now(),
                    watch_until = case when $3 > 0 then now() + make_interval(secs => $3::int) end
              where team_id = $1 and id = $2 and state = 'running' returning app_id, release_id)
           update apps set current_release_id = done.release_id, stopped_at = null, stopped_by = '' from done where team_id = $1 and apps.id = done.app_id
           returning apps.id as "id: AppId""#,
        permit.team().0,
        deploy.0,
        watch_s,
    )
    .fetch_optional(&mut *conn)
    .await?;
    match app {
        Some(app) => super::routes::release_unserved(conn, permit, app).await,
        None => Ok(()),
    }
}

/// Ends the deploy otherwise.
pub async fn end(
    conn: &mut PgConnection,
    permit: &Permit,
    deploy: DeployId,
    state: DeployState,
    failure: Option<&Failure>,
) -> Result<(), sqlx::Error> {
    let app = sqlx::query_scalar!(
        r#"update deploys set state = $3, finished_at = now(), failure = $4, started_at = coalesce(started_at, now())
            where team_id = $1 and id = $2 and state in ('queued', 'running') returning app_id as "app: AppId""#,
        permit.team().0,
        deploy.0,
        state as _,
        failure.map(Json) as _,
    )
    .fetch_optional(&mut *conn)
    .await?;
    // The addresses that only its release has are free again.
    match app {
        Some(app) => super::routes::release_unserved(conn, permit, app).await,
        None => Ok(()),
    }
}

/// Marks a deploy that succeeded as taken back by its watch. False when it is not the app's current one any more.
pub async fn take_back(
    conn: &mut PgConnection,
    permit: &Permit,
    deploy: DeployId,
    why: &Failure,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "update deploys d set state = 'taken_back', failure = $3 from apps a
          where d.team_id = $1 and d.id = $2 and d.state = 'succeeded'
            and a.team_id = d.team_id and a.id = d.app_id and a.current_release_id = d.release_id",
        permit.team().0,
        deploy.0,
        Json(why) as _,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// A new deploy that Skiff itself asks for. Its job was pushed in the same transaction.
pub async fn insert(
    conn: &mut PgConnection,
    permit: &Permit,
    deploy: DeployId,
    app: AppId,
    job: JobId,
    target: &Target,
    cause: &Cause,
) -> Result<(), sqlx::Error> {
    // One whose job was claimed a moment ago waits no more, though its own row will say so only when it is read.
    sqlx::query!(
        "update deploys d set state = 'running' from jobs j
          where d.team_id = $1 and d.app_id = $2 and d.state = 'queued'
            and j.team_id = $1 and j.id = d.job_id and j.state = 'running'",
        permit.team().0,
        app.0,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "insert into deploys (team_id, id, app_id, job_id, target, cause) values ($1, $2, $3, $4, $5, $6)",
        permit.team().0,
        deploy.0,
        app.0,
        job.0,
        Json(target) as _,
        Json(cause) as _,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Ends the waiting deploy whose job was overtaken.
pub async fn supersede(conn: &mut PgConnection, permit: &Permit, job: JobId) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update deploys set state = 'superseded', finished_at = now()
          where team_id = $1 and job_id = $2 and state = 'queued'",
        permit.team().0,
        job.0,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The deploy whose instances serve.
#[derive(Clone, Copy, Debug)]
pub struct Serving {
    /// The deploy.
    pub deploy: DeployId,
    /// Whether its release answers requests.
    pub web: bool,
}

/// The deploy whose instances serve: the last one that succeeded, also where its watch wants it back.
pub async fn serving(conn: &mut PgConnection, permit: &Permit, app: AppId) -> Result<Option<Serving>, sqlx::Error> {
    sqlx::query_as!(
        Serving,
        r#"select d.id as "deploy: DeployId", coalesce(r.body->'spec'->>'kind' = 'web', true) as "web!"
             from deploys d
             left join releases r on r.team_id = d.team_id and r.id = d.release_id
            where d.team_id = $1 and d.app_id = $2 and d.state in ('succeeded', 'taken_back')
            order by d.finished_at desc limit 1"#,
        permit.team().0,
        app.0,
    )
    .fetch_optional(conn)
    .await
}

/// What a watch needs to know.
#[derive(Debug)]
pub struct Watched {
    /// The app's name.
    pub app_name: String,
    /// The release that is watched.
    pub release: Json<Release>,
    /// The number of the release that served before, where there was one.
    pub former: Option<i32>,
    /// Seconds left.
    pub left_s: f64,
}

/// Reads what is watched; nothing where the deploy is not the current one of its app any more, or somebody stopped the app.
pub async fn watched(
    conn: &mut PgConnection,
    permit: &Permit,
    deploy: DeployId,
) -> Result<Option<Watched>, sqlx::Error> {
    sqlx::query_as!(
        Watched,
        r#"select a.name as app_name, r.body as "release: Json<Release>", f.number as "former?",
                  greatest(0, extract(epoch from d.watch_until - now()))::float8 as "left_s!"
             from deploys d
             join apps a on a.team_id = d.team_id and a.id = d.app_id and a.current_release_id = d.release_id
             join releases r on r.team_id = d.team_id and r.id = d.release_id
             left join releases f on f.team_id = d.team_id and f.id = d.former_release_id and f.id <> d.release_id
            where d.team_id = $1 and d.id = $2 and d.state = 'succeeded' and d.watch_until is not null
              and a.stopped_at is null and a.removed_at is null"#,
        permit.team().0,
        deploy.0,
    )
    .fetch_optional(conn)
    .await
}

/// True while a newer deploy of the app waits, runs or has taken over.
pub async fn overtaken(conn: &mut PgConnection, permit: &Permit, deploy: DeployId) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select exists (select from deploys n join deploys d on d.team_id = n.team_id and d.app_id = n.app_id
                           where d.team_id = $1 and d.id = $2 and n.created_at > d.created_at
                             and n.state in ('queued', 'running', 'succeeded')) as "overtaken!""#,
        permit.team().0,
        deploy.0,
    )
    .fetch_one(conn)
    .await
}
