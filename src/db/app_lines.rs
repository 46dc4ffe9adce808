//! Lists of apps with everything a line shows, in one statement however many there are.

use sqlx::PgConnection;
use sqlx::types::Json;
use time::OffsetDateTime;

use crate::domain::app::Kind;
use crate::domain::cause::Cause;
use crate::domain::deploy::DeployState;
use crate::domain::ids::{AppId, DeployId, EnvironmentId, HostId, ProjectId, ReleaseId};
use crate::domain::rights::Permit;

/// Names of the apps in an environment.
pub async fn names(
    conn: &mut PgConnection,
    permit: &Permit,
    environment: EnvironmentId,
) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar!(
        "select name from apps where team_id = $1 and environment_id = $2 and removed_at is null",
        permit.team().0,
        environment.0,
    )
    .fetch_all(conn)
    .await
}

/// One app in a list.
#[derive(Clone, Debug)]
pub struct Row {
    /// The app.
    pub id: AppId,
    /// Its short name.
    pub slug: String,
    /// Its name.
    pub name: String,
    /// Web or worker.
    pub kind: Kind,
    /// Its project.
    pub project: ProjectId,
    /// The project's short name.
    pub project_slug: String,
    /// The project's name.
    pub project_name: String,
    /// Its environment.
    pub environment: EnvironmentId,
    /// The environment's short name.
    pub environment_slug: String,
    /// The environment's name.
    pub environment_name: String,
    /// Its first route's domain.
    pub domain: Option<String>,
    /// Its first route's path.
    pub path: Option<String>,
    /// The port of the proxy of its first host.
    pub http_port: Option<i32>,
    /// That host.
    pub host: Option<HostId>,
    /// The release that serves.
    pub release: Option<ReleaseId>,
    /// Its number.
    pub number: Option<i32>,
    /// The commit it was built from.
    pub commit: Option<String>,
    /// Instances that release wants.
    pub wanted: i64,
    /// Instances that serve.
    pub serving: i64,
    /// Instances that serve and were last seen not running.
    pub lost: i64,
    /// When the one that was not looked at for longest was last seen.
    pub seen_at: Option<OffsetDateTime>,
    /// True where a host of its instances does not answer.
    pub host_silent: bool,
    /// True where an edit waits for the next deploy.
    pub pending: bool,
    /// Since when it is wanted to stand still, where it is.
    pub stopped_at: Option<OffsetDateTime>,
    /// Who wanted that.
    pub stopped_by: String,
    /// Instances that were last seen running, wanted or not.
    pub up: i64,
    /// True where everybody sees its page of maintenance, as wanted.
    pub maintenance: bool,
    /// True where something else is wanted of its routes and ports than every proxy has.
    pub routes_differ: bool,
    /// True where a job that tells the proxies waits or runs.
    pub routes_told: bool,
    /// The newest deploy.
    pub deploy: Option<DeployId>,
    /// How it stands.
    pub deploy_state: Option<DeployState>,
    /// Who asked for it.
    pub deploy_cause: Option<Json<Cause>>,
    /// When it was asked for.
    pub deploy_created_at: Option<OffsetDateTime>,
    /// When it ended.
    pub deploy_finished_at: Option<OffsetDateTime>,
}

/// Which apps are listed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Filter {
    /// Only this one.
    pub app: Option<AppId>,
    /// Only this project's.
    pub project: Option<ProjectId>,
}

/// The team's apps, by project, environment and name.
pub async fn list(conn: &mut PgConnection, permit: &Permit, filter: Filter) -> Result<Vec<Row>, sqlx::Error> {
    sqlx::query_as!(
        Row,
        r#"select a.id as "id: AppId", a.slug, a.name, a.kind as "kind!: Kind",
                  e.project_id as "project: ProjectId", p.slug as project_slug, p.name as project_name,
                  e.id as "environment: EnvironmentId", e.slug as environment_slug, e.name as environment_name,
                  a.domain, a.path,
                  coalesce(h.proxy_port, h.http_port) as "http_port?",
                  a.host_id as "host: HostId",
                  r.id as "release?: ReleaseId", r.number as "number?", r.commit_id as commit,
                  coalesce(r.instances, 0)::bigint as "wanted!",
                  i.serving as "serving!", i.lost as "lost!", i.seen_at as "seen_at?",
                  coalesce(i.host_silent, false) as "host_silent!",
                  a.pending, a.stopped_at, a.stopped_by, i.up as "up!",
                  coalesce((a.front->>'maintenance')::boolean, false) as "maintenance!",
                  (a.front <> a.front_applied or a.front_former is not null
                   or exists (select from routes t where t.team_id = a.team_id and t.app_id = a.id
                                and (t.applied is distinct from t.rules or t.former is not null))) as "routes_differ!",
                  exists (select from jobs j where j.team_id = a.team_id and j.lock_key = 'routes:' || a.id
                             and j.finished_at is null and j.state in ('queued', 'running')) as "routes_told!",
                  d.id as "deploy?: DeployId", d.state as "deploy_state?: DeployState",
                  d.cause as "deploy_cause?: Json<Cause>", d.created_at as "deploy_created_at?",
                  d.finished_at as "deploy_finished_at?"
             from apps a
             join environments e on e.team_id = a.team_id and e.id = a.environment_id
             join projects p on p.team_id = e.team_id and p.id = e.project_id
             left join hosts h on h.team_id = a.team_id and h.id = a.host_id
             left join releases r on r.team_id = a.team_id and r.id = a.current_release_id
            cross join lateral (
               select count(*) filter (where x.wanted) as serving,
                      count(*) filter (where x.wanted and x.seen in ('ended', 'missing')) as lost,
                      count(*) filter (where x.seen = 'up') as up,
                      min(x.seen_at) filter (where x.wanted) as seen_at,
                      bool_or(x.wanted and y.state in ('unreachable', 'key_mismatch')) as host_silent
                 from ledger_instances x join hosts y on y.team_id = x.team_id and y.id = x.host_id
                where x.team_id = a.team_id and x.app_id = a.id and x.removed_at is null and (x.wanted or not x.kept)) i
             left join lateral (
               select l.id, l.state, l.cause, l.created_at, l.finished_at from deploys l
                where l.team_id = a.team_id and l.app_id = a.id order by l.created_at desc limit 1) d on true
            where a.team_id = $1 and a.removed_at is null and ($2::uuid is null or a.id = $2) and ($3::uuid is null or e.project_id = $3)
            order by p.name, e.created_at, e.id, a.name, a.id"#,
        permit.team().0,
        filter.app.map(|id| id.0),
        filter.project.map(|id| id.0),
    )
    .fetch_all(conn)
    .await
}

/// An app by its short names.
#[derive(Clone, Debug)]
pub struct Named {
    /// The app.
    pub id: AppId,
    /// Its project.
    pub project: ProjectId,
    /// Its environment.
    pub environment: EnvironmentId,
    /// The project's short name.
    pub project_slug: String,
    /// The environment's short name.
    pub environment_slug: String,
}

/// The apps of this short name, in the environment and project of these short names where they are given.
pub async fn named(
    conn: &mut PgConnection,
    permit: &Permit,
    slug: &str,
    environment: Option<&str>,
    project: Option<&str>,
) -> Result<Vec<Named>, sqlx::Error> {
    sqlx::query_as!(
        Named,
        r#"select a.id as "id: AppId", p.id as "project: ProjectId", e.id as "environment: EnvironmentId",
                  p.slug as project_slug, e.slug as environment_slug
             from apps a
             join environments e on e.team_id = a.team_id and e.id = a.environment_id
             join projects p on p.team_id = e.team_id and p.id = e.project_id
            where a.team_id = $1 and a.slug = $2 and a.removed_at is null and ($3::text is null or e.slug = $3) and ($4::text is null or p.slug = $4)
            order by p.slug, e.slug, a.id"#,
        permit.team().0,
        slug,
        environment,
        project,
    )
    .fetch_all(conn)
    .await
}
