//! Routes: which domain and path lead to which app, and by which rules. A pair leads to one app on the whole panel. What is
//! wanted stands beside what the proxies have, so that what they refuse is in nobody's way.

use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use crate::domain::app::Route;
use crate::domain::ids::{AppId, EnvironmentId, HostId, ProjectId, RouteId, TeamId};
use crate::domain::names::{Domain, PathPrefix};
use crate::domain::rights::Permit;
use crate::domain::rules::{Front, Port, Rules};

/// A route.
#[derive(Clone, Debug)]
pub struct Row {
    /// The route.
    pub id: RouteId,
    /// The domain.
    pub domain: Domain,
    /// The path.
    pub path: PathPrefix,
    /// Its rules, as wanted.
    pub rules: Json<Rules>,
    /// Its rules, as the proxies have them; none before it was ever let in.
    pub applied: Option<Json<Rules>>,
}

impl Row {
    /// The route itself.
    pub fn route(&self) -> Route {
        Route { domain: self.domain.clone(), path: self.path.clone() }
    }
}

/// Whoever gives a name away holds it until commit: the panel's own address and an app's route look for each other first.
pub async fn hold_name(conn: &mut PgConnection, domain: &str) -> Result<(), sqlx::Error> {
    sqlx::query!("select pg_advisory_xact_lock(hashtextextended('name:' || $1::text, 0))", domain)
        .execute(conn)
        .await
        .map(drop)
}

/// The environments, with their projects, of other apps of the team that have routes of this domain.
pub async fn neighbours(
    conn: &mut PgConnection,
    permit: &Permit,
    domain: &Domain,
    app: AppId,
) -> Result<Vec<(ProjectId, EnvironmentId)>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"select distinct e.project_id as "project: ProjectId", e.id as "environment: EnvironmentId"
             from routes t join apps a on a.team_id = t.team_id and a.id = t.app_id
             join environments e on e.team_id = a.team_id and e.id = a.environment_id
            where t.team_id = $1 and t.domain = $2 and t.app_id <> $3"#,
        permit.team().0,
        domain.as_ref(),
        app.0,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.project, row.environment)).collect())
}

/// True where an app of another team has a route of this domain. For the door, which sees the routes of all teams.
pub async fn is_elsewhere(conn: &mut PgConnection, team: TeamId, domain: &Domain) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select exists (select from routes where domain = $1 and team_id <> $2) as "elsewhere!""#,
        domain.as_ref(),
        team.0,
    )
    .fetch_one(conn)
    .await
}

/// Claims a route for an app. False where it is claimed already, by whomever; the panel's own names are.
pub async fn claim(
    conn: &mut PgConnection,
    permit: &Permit,
    id: RouteId,
    app: AppId,
    route: &Route,
) -> Result<bool, sqlx::Error> {
    hold_name(&mut *conn, route.domain.as_ref()).await?;
    let done = sqlx::query!(
        "insert into routes (team_id, id, app_id, domain, path)
         select $1, $2, $3, $4, $5 where not exists (select from panel_addresses p where p.domain = $4)
         on conflict (domain, path) do nothing",
        permit.team().0,
        id.0,
        app.0,
        route.domain.as_ref(),
        route.path.as_ref(),
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Sees to it that these routes are the app's, claiming those that are nobody's. Gives the first that is another's.
pub async fn hold<'a>(
    conn: &mut PgConnection,
    permit: &Permit,
    app: AppId,
    routes: &'a [Route],
) -> Result<Option<&'a Route>, sqlx::Error> {
    let held = of_app(&mut *conn, permit, app).await?;
    for route in routes {
        let mine = held.iter().any(|row| row.domain == route.domain && row.path == route.path);
        if !mine && !claim(&mut *conn, permit, RouteId(Uuid::now_v7()), app, route).await? {
            return Ok(Some(route));
        }
    }
    Ok(None)
}

/// Gives up the app's routes that neither its description, nor its serving release, nor a deploy under way or waiting, nor
/// the release that a watch may bring back names.
pub async fn release_unserved(conn: &mut PgConnection, permit: &Permit, app: AppId) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "delete from routes t using apps a
          where t.team_id = $1 and t.app_id = $2 and a.team_id = $1 and a.id = $2
            and not a.spec->'routes' @> jsonb_build_array(jsonb_build_object('domain', t.domain, 'path', t.path))
            and not exists (
              select from releases r
               where r.team_id = $1
                 and (r.id = a.current_release_id
                      or r.id in (select d.release_id from deploys d
                                   where d.team_id = $1 and d.app_id = $2 and d.state = 'running')
                      or r.app_id = $2 and r.number::text in
                           (select d.target->>'number' from deploys d
                             where d.team_id = $1 and d.app_id = $2 and d.state in ('queued', 'running'))
                      or r.id in (select d.former_release_id from deploys d
                                   where d.team_id = $1 and d.app_id = $2 and d.state = 'succeeded'
                                     and d.watch_until > now() + interval '1 second'))
                 and r.body->'spec'->'routes'
                     @> jsonb_build_array(jsonb_build_object('domain', t.domain, 'path', t.path)))",
        permit.team().0,
        app.0,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// An app's routes, as they were added.
pub async fn of_app(conn: &mut PgConnection, permit: &Permit, app: AppId) -> Result<Vec<Row>, sqlx::Error> {
    sqlx::query_as!(
        Row,
        r#"select id as "id: RouteId", domain as "domain: Domain", path as "path: PathPrefix",
                  rules as "rules: Json<Rules>", applied as "applied: Json<Rules>" from routes
            where team_id = $1 and app_id = $2 order by created_at, id"#,
        permit.team().0,
        app.0,
    )
    .fetch_all(conn)
    .await
}

/// Which of these names certificates on hosts are for, with the port at which the host serves HTTPS.
pub async fn by_https(
    conn: &mut PgConnection,
    permit: &Permit,
    names: &[String],
) -> Result<Vec<(HostId, String, i32)>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"select l.host_id as "host: HostId", n.name as "name!", h.proxy_https_port as "port!"
             from ledger_certificates l
             join hosts h on h.team_id = l.team_id and h.id = l.host_id
             join certificates c on c.team_id = l.team_id and c.id = l.certificate_id
            cross join lateral unnest(c.names) n (name)
            where l.team_id = $1 and l.fingerprint <> '' and h.proxy_https_port is not null and n.name = any($2)"#,
        permit.team().0,
        names,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.host, row.name, row.port)).collect())
}

/// The apps behind a host's proxy of which something is wanted that not all proxies have yet, as far as is known, with their names.
pub async fn waiting(
    conn: &mut PgConnection,
    permit: &Permit,
    host: HostId,
) -> Result<Vec<(AppId, String)>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"select a.id as "id: AppId", a.name
             from ledger_backends b join apps a on a.team_id = b.team_id and a.id = b.app_id
            where b.team_id = $1 and b.host_id = $2 and a.removed_at is null
              and (a.front <> a.front_applied or a.front_former is not null
                   or exists (select from routes t where t.team_id = a.team_id and t.app_id = a.id
                                and (t.applied is distinct from t.rules or t.former is not null)))
            order by a.id"#,
        permit.team().0,
        host.0,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.name)).collect())
}

/// Notes the rules that a route shall have. One that was just claimed is let in with them, and not before.
pub async fn want(
    conn: &mut PgConnection,
    permit: &Permit,
    id: RouteId,
    rules: &Rules,
    new: bool,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update routes set rules = $3, applied = case when $4 then null else applied end where team_id = $1 and id = $2",
        permit.team().0,
        id.0,
        Json(rules) as _,
        new,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Gives a route up.
pub async fn remove(conn: &mut PgConnection, permit: &Permit, id: RouteId) -> Result<(), sqlx::Error> {
    sqlx::query!("delete from routes where team_id = $1 and id = $2", permit.team().0, id.0)
        .execute(conn)
        .await
        .map(drop)
}

/// Lets a route be another app's, with its rules as they are.
pub async fn lead(conn: &mut PgConnection, permit: &Permit, id: RouteId, to: AppId) -> Result<(), sqlx::Error> {
    sqlx::query!("update routes set app_id = $3 where team_id = $1 and id = $2", permit.team().0, id.0, to.0)
        .execute(conn)
        .await
        .map(drop)
}

/// What holds for all routes of an app.
#[derive(Clone, Debug, Default)]
pub struct Fronts {
    /// As wanted.
    pub wanted: Json<Front>,
    /// As the proxies have it.
    pub applied: Json<Front>,
    /// As it was before a change that not every proxy has yet.
    pub former: Option<Json<Front>>,
}

/// What holds for all routes of an app; none where it is not there, or was removed.
pub async fn front(conn: &mut PgConnection, permit: &Permit, app: AppId) -> Result<Option<Fronts>, sqlx::Error> {
    sqlx::query_as!(
        Fronts,
        r#"select front as "wanted: Json<Front>", front_applied as "applied: Json<Front>", front_former as "former: Json<Front>"
             from apps
            where team_id = $1 and id = $2 and removed_at is null"#,
        permit.team().0,
        app.0,
    )
    .fetch_optional(conn)
    .await
}

/// Notes what shall hold for all routes of an app.
pub async fn want_front(
    conn: &mut PgConnection,
    permit: &Permit,
    app: AppId,
    front: &Front,
) -> Result<(), sqlx::Error> {
    sqlx::query!("update apps set front = $3 where team_id = $1 and id = $2", permit.team().0, app.0, Json(front) as _)
        .execute(conn)
        .await
        .map(drop)
}

/// What is wanted of an app's routes holds from now on; what held before stays known until `settle`.
pub async fn apply(conn: &mut PgConnection, permit: &Permit, app: AppId) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update routes set former = coalesce(former, applied, 'null'), applied = rules
          where team_id = $1 and app_id = $2 and applied is distinct from rules",
        permit.team().0,
        app.0,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "update apps set front_former = coalesce(front_former, front_applied), front_applied = front
          where team_id = $1 and id = $2 and front_applied <> front",
        permit.team().0,
        app.0,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Every proxy has it: there is no way back any more.
pub async fn settle(conn: &mut PgConnection, permit: &Permit, app: AppId) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update routes set former = null where team_id = $1 and app_id = $2 and former is not null",
        permit.team().0,
        app.0,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "update apps set front_former = null where team_id = $1 and id = $2 and front_former is not null",
        permit.team().0,
        app.0,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// What held before holds again: a proxy did not take the change.
pub async fn restore(conn: &mut PgConnection, permit: &Permit, app: AppId) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update routes set applied = nullif(former, 'null'), former = null
          where team_id = $1 and app_id = $2 and former is not null",
        permit.team().0,
        app.0,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "update apps set front_applied = front_former, front_former = null
          where team_id = $1 and id = $2 and front_former is not null",
        permit.team().0,
        app.0,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// The other apps that take one of these ports on one of these hosts, or did and have a backend there still: name and port.
pub async fn ports_of_others(
    conn: &mut PgConnection,
    permit: &Permit,
    app: AppId,
    ports: &[Port],
    hosts: &[HostId],
) -> Result<Vec<(String, i32)>, sqlx::Error> {
    let wanted: Vec<i32> = ports.iter().map(|port| i32::from(port.port)).collect();
    let hosts: Vec<Uuid> = hosts.iter().map(|host| host.0).collect();
    let rows = sqlx::query!(
        r#"select o.name, (p->>'port')::int as "port!"
             from apps o
            cross join lateral jsonb_array_elements(coalesce(o.front->'ports', '[]') || coalesce(o.front_applied->'ports', '[]')) p
            where o.team_id = $1 and o.id <> $2 and o.removed_at is null and (p->>'port')::int = any($3)
              and (exists (select from jsonb_array_elements(o.placement) y where (y->>'host')::uuid = any($4))
                   or exists (select from ledger_instances i where i.team_id = o.team_id and i.app_id = o.id and i.host_id = any($4)))
            order by 2, 1 limit 1"#,
        permit.team().0,
        app.0,
        &wanted,
        &hosts,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.name, row.port)).collect())
}

/// The hosts whose proxies have a backend for the app.
pub async fn hosts(conn: &mut PgConnection, permit: &Permit, app: AppId) -> Result<Vec<HostId>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select host_id as "id: HostId" from ledger_backends where team_id = $1 and app_id = $2 order by host_id"#,
        permit.team().0,
        app.0,
    )
    .fetch_all(conn)
    .await
}

/// A domain that leads to an app, and where that app is placed.
#[derive(Clone, Debug)]
pub struct Served {
    /// The domain.
    pub domain: Domain,
    /// The app's name.
    pub app: String,
    /// Its project.
    pub project: ProjectId,
    /// Its environment.
    pub environment: EnvironmentId,
    /// Its hosts.
    pub hosts: Vec<Uuid>,
}

/// The domains of a team's apps that serve, each once; at most so many.
pub async fn served(conn: &mut PgConnection, permit: &Permit, most: i64) -> Result<Vec<Served>, sqlx::Error> {
    sqlx::query_as!(
        Served,
        r#"select t.domain as "domain!: Domain", min(a.name) as "app!", (array_agg(e.project_id))[1] as "project!: ProjectId",
                  (array_agg(e.id))[1] as "environment!: EnvironmentId",
                  array_agg(distinct (p->>'host')::uuid) as "hosts!"
             from routes t
             join apps a on a.team_id = t.team_id and a.id = t.app_id
             join environments e on e.team_id = a.team_id and e.id = a.environment_id
             cross join lateral jsonb_array_elements(a.placement) p
            where t.team_id = $1 and a.current_release_id is not null
            group by t.domain order by t.domain limit $2"#,
        permit.team().0,
        most,
    )
    .fetch_all(conn)
    .await
}
