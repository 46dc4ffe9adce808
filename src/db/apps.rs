//! Apps. Not here: what a running deploy reads of one (`deploy_runs.rs`), lists of many (`app_lines.rs`).

use sqlx::PgConnection;
use sqlx::types::Json;
use time::OffsetDateTime;

use crate::domain::app::Spec;
use crate::domain::ids::{AppId, EnvironmentId, ProjectId, ReleaseId, SourceId};
use crate::domain::names::{DisplayName, Slug};
use crate::domain::release::Place;
use crate::domain::rights::Permit;
use crate::domain::source::Source;

/// An app to make.
#[derive(Clone, Debug)]
pub struct New<'a> {
    /// Its identity.
    pub id: AppId,
    /// Its environment.
    pub environment: EnvironmentId,
    /// Its source.
    pub source: SourceId,
    /// Its short name.
    pub slug: &'a Slug,
    /// Its name.
    pub name: &'a DisplayName,
    /// What it runs with.
    pub spec: &'a Spec,
    /// Where it runs.
    pub placement: &'a [Place],
}

/// An app with its source and the places above it.
#[derive(Clone, Debug)]
pub struct Row {
    /// The app.
    pub id: AppId,
    /// Its short name.
    pub slug: String,
    /// Its name.
    pub name: String,
    /// What it runs with, as edited.
    pub spec: Json<Spec>,
    /// Where it runs, as edited.
    pub placement: Json<Vec<Place>>,
    /// Its environment.
    pub environment: EnvironmentId,
    /// Its project.
    pub project: ProjectId,
    /// Its source.
    pub source_id: SourceId,
    /// The source, as edited.
    pub source: Json<Source>,
    /// The release that serves.
    pub current: Option<ReleaseId>,
    /// The highest release number given.
    pub last_release: i32,
    /// When it was last edited.
    pub config_changed_at: OffsetDateTime,
    /// Since when it is wanted to stand still, where it is.
    pub stopped_at: Option<OffsetDateTime>,
    /// Whether browsers are told to come by HTTPS only.
    pub hsts: bool,
}

/// Where an app is: what rights on it are asked on.
#[derive(Clone, Copy, Debug)]
pub struct Above {
    /// Its project.
    pub project: ProjectId,
    /// Its environment.
    pub environment: EnvironmentId,
}

/// Makes an app.
pub async fn insert(conn: &mut PgConnection, permit: &Permit, new: &New<'_>) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into apps (team_id, id, environment_id, source_id, slug, name, spec, placement)
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
        permit.team().0,
        new.id.0,
        new.environment.0,
        new.source.0,
        new.slug.as_ref(),
        new.name.as_ref(),
        Json(new.spec) as _,
        Json(new.placement) as _,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Slugs that are taken in an environment.
pub async fn slugs(
    conn: &mut PgConnection,
    permit: &Permit,
    environment: EnvironmentId,
) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar!(
        "select slug from apps where team_id = $1 and environment_id = $2 and removed_at is null",
        permit.team().0,
        environment.0,
    )
    .fetch_all(conn)
    .await
}

/// An app; none where it was removed.
pub async fn get(conn: &mut PgConnection, permit: &Permit, id: AppId) -> Result<Option<Row>, sqlx::Error> {
    sqlx::query_as!(
        Row,
        r#"select a.id as "id: AppId", a.slug, a.name, a.spec as "spec: Json<Spec>",
                  a.placement as "placement: Json<Vec<Place>>", a.environment_id as "environment: EnvironmentId",
                  e.project_id as "project: ProjectId", a.source_id as "source_id: SourceId",
                  s.spec as "source: Json<Source>", a.current_release_id as "current: ReleaseId",
                  a.last_release, a.config_changed_at, a.stopped_at, a.hsts
             from apps a
             join environments e on e.team_id = a.team_id and e.id = a.environment_id
             join sources s on s.team_id = a.team_id and s.id = a.source_id
            where a.team_id = $1 and a.id = $2 and a.removed_at is null"#,
        permit.team().0,
        id.0,
    )
    .fetch_optional(conn)
    .await
}

/// An app, also where it was removed: for its history, and for those who take away what is left of it.
pub async fn known(conn: &mut PgConnection, permit: &Permit, id: AppId) -> Result<Option<Row>, sqlx::Error> {
    sqlx::query_as!(
        Row,
        r#"select a.id as "id: AppId", a.slug, a.name, a.spec as "spec: Json<Spec>",
                  a.placement as "placement: Json<Vec<Place>>", a.environment_id as "environment: EnvironmentId",
                  e.project_id as "project: ProjectId", a.source_id as "source_id: SourceId",
                  s.spec as "source: Json<Source>", a.current_release_id as "current: ReleaseId",
                  a.last_release, a.config_changed_at, a.stopped_at, a.hsts
             from apps a
             join environments e on e.team_id = a.team_id and e.id = a.environment_id
             join sources s on s.team_id = a.team_id and s.id = a.source_id
            where a.team_id = $1 and a.id = $2"#,
        permit.team().0,
        id.0,
    )
    .fetch_optional(conn)
    .await
}

/// Locks an app's row until the transaction ends: edits of one app come one after the other. False where there is none, or it
/// was removed meanwhile.
pub async fn lock(conn: &mut PgConnection, permit: &Permit, id: AppId) -> Result<bool, sqlx::Error> {
    let found = sqlx::query_scalar!(
        r#"select true as "found!" from apps where team_id = $1 and id = $2 and removed_at is null for update"#,
        permit.team().0,
        id.0,
    )
    .fetch_optional(conn)
    .await?;
    Ok(found.is_some())
}

/// The same, also for one that was removed.
pub async fn lock_known(conn: &mut PgConnection, permit: &Permit, id: AppId) -> Result<bool, sqlx::Error> {
    let found = sqlx::query_scalar!(
        r#"select true as "found!" from apps where team_id = $1 and id = $2 for update"#,
        permit.team().0,
        id.0,
    )
    .fetch_optional(conn)
    .await?;
    Ok(found.is_some())
}

/// Where an app is; none where it was removed.
pub async fn above(conn: &mut PgConnection, permit: &Permit, id: AppId) -> Result<Option<Above>, sqlx::Error> {
    sqlx::query_as!(
        Above,
        r#"select e.project_id as "project: ProjectId", a.environment_id as "environment: EnvironmentId"
             from apps a join environments e on e.team_id = a.team_id and e.id = a.environment_id
            where a.team_id = $1 and a.id = $2 and a.removed_at is null"#,
        permit.team().0,
        id.0,
    )
    .fetch_optional(conn)
    .await
}

/// Describes an app anew.
pub async fn update_spec(
    conn: &mut PgConnection,
    permit: &Permit,
    id: AppId,
    spec: &Spec,
    placement: &[Place],
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update apps set spec = $3, placement = $4, config_changed_at = now() where team_id = $1 and id = $2",
        permit.team().0,
        id.0,
        Json(spec) as _,
        Json(placement) as _,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Notes that something beside the description was edited: a secret's value, the source.
pub async fn touch(conn: &mut PgConnection, permit: &Permit, id: AppId) -> Result<(), sqlx::Error> {
    sqlx::query!("update apps set config_changed_at = now() where team_id = $1 and id = $2", permit.team().0, id.0)
        .execute(conn)
        .await?;
    Ok(())
}

/// Gives an app another name.
pub async fn rename(
    conn: &mut PgConnection,
    permit: &Permit,
    id: AppId,
    name: &DisplayName,
) -> Result<(), sqlx::Error> {
    sqlx::query!("update apps set name = $3 where team_id = $1 and id = $2", permit.team().0, id.0, name.as_ref())
        .execute(conn)
        .await?;
    Ok(())
}

/// Notes that somebody wants it to stand still. What is noted already stays.
pub async fn stop(conn: &mut PgConnection, permit: &Permit, id: AppId, by: &str) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update apps set stopped_at = now(), stopped_by = $3 where team_id = $1 and id = $2 and stopped_at is null",
        permit.team().0,
        id.0,
        by,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Says whether browsers are told to come by HTTPS only.
pub async fn set_hsts(conn: &mut PgConnection, permit: &Permit, id: AppId, hsts: bool) -> Result<(), sqlx::Error> {
    sqlx::query!("update apps set hsts = $3 where team_id = $1 and id = $2", permit.team().0, id.0, hsts)
        .execute(conn)
        .await
        .map(drop)
}
