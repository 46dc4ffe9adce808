//! Instances as pages show them. Not here: what jobs write (`ledger/instances.rs`).

use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::domain::ids::{AppId, HostId, InstanceId, ReleaseId};
use crate::domain::rights::Permit;

/// One open row of the ledger, with names.
#[derive(Clone, Debug)]
pub struct Row {
    /// The instance.
    pub id: InstanceId,
    /// The container's name.
    pub name: String,
    /// Its app.
    pub app: AppId,
    /// The app's name.
    pub app_name: String,
    /// Its host.
    pub host: HostId,
    /// The host's name.
    pub host_name: String,
    /// The release.
    pub release: ReleaseId,
    /// The release's number.
    pub number: i32,
    /// 1, 2, … in its deploy.
    pub position: i32,
    /// Its address.
    pub address: String,
    /// The container.
    pub container: Option<String>,
    /// Whether it is wanted.
    pub wanted: bool,
    /// Whether it is kept for inspection.
    pub kept: bool,
    /// True while the deploy that made it runs.
    pub deploying: bool,
    /// True where its app is wanted to stand still.
    pub stopped: bool,
    /// True where its host does not answer.
    pub host_silent: bool,
    /// What it was last seen to be: empty, `up`, `created`, `ended`, `missing`.
    pub seen: String,
    /// When.
    pub seen_at: Option<OffsetDateTime>,
    /// When it was made.
    pub created_at: OffsetDateTime,
}

/// The open rows of an app, of a host, or of the team: newest release first. At most `limit`.
pub async fn list(
    conn: &mut PgConnection,
    permit: &Permit,
    app: Option<AppId>,
    host: Option<HostId>,
    limit: i64,
) -> Result<Vec<Row>, sqlx::Error> {
    sqlx::query_as!(
        Row,
        r#"select i.id as "id: InstanceId", i.name, i.app_id as "app: AppId", a.name as app_name,
                  i.host_id as "host: HostId", h.name as host_name, i.release_id as "release: ReleaseId", i.number, i.position,
                  host(i.address) as "address!", i.container_id as container, i.wanted, i.kept,
                  d.state = 'running' as "deploying!",
                  a.stopped_at is not null as "stopped!",
                  h.state in ('unreachable', 'key_mismatch') as "host_silent!", i.seen, i.seen_at, i.created_at
             from ledger_instances i
             join apps a on a.team_id = i.team_id and a.id = i.app_id
             join hosts h on h.team_id = i.team_id and h.id = i.host_id
             join deploys d on d.team_id = i.team_id and d.id = i.deploy_id
            where i.team_id = $1 and i.removed_at is null
              and ($2::uuid is null or i.app_id = $2) and ($3::uuid is null or i.host_id = $3)
            order by i.number desc, h.name, i.position, i.created_at desc limit $4"#,
        permit.team().0,
        app.map(|id| id.0),
        host.map(|id| id.0),
        limit,
    )
    .fetch_all(conn)
    .await
}
