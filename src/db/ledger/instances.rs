//! Instances: containers of releases.

use std::net::Ipv4Addr;

use sqlx::PgConnection;

use crate::domain::ids::{AppId, DeployId, HostId, InstanceId, ReleaseId};
use crate::domain::names::{ContainerId, ContainerName};
use crate::domain::rights::Permit;

/// One open row.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its identity.
    pub id: InstanceId,
    /// Where it is.
    pub host: HostId,
    /// What it runs.
    pub release: ReleaseId,
    /// The release's number.
    pub number: i32,
    /// Who made it.
    pub deploy: DeployId,
    /// 1, 2, … in its deploy.
    pub position: i32,
    /// The container's name.
    pub name: ContainerName,
    /// Its fixed address, as text.
    pub address: String,
    /// The container, once it was created.
    pub container: Option<ContainerId>,
    /// Whether it stands in the proxy's file.
    pub wanted: bool,
    /// Whether it failed and was kept for inspection.
    pub kept: bool,
}

/// What a row begins with.
#[derive(Clone, Debug)]
pub struct New<'a> {
    /// Its identity.
    pub id: InstanceId,
    /// Where it will be.
    pub host: HostId,
    /// Whose it is.
    pub app: AppId,
    /// What it will run.
    pub release: ReleaseId,
    /// The release's number.
    pub number: i32,
    /// Who makes it.
    pub deploy: DeployId,
    /// 1, 2, … in its deploy.
    pub position: u16,
    /// The container's name.
    pub name: &'a ContainerName,
    /// Its fixed address.
    pub address: Ipv4Addr,
}

/// The app's open rows, on all hosts, oldest first.
pub async fn of_app(conn: &mut PgConnection, permit: &Permit, app: AppId) -> Result<Vec<Row>, sqlx::Error> {
    sqlx::query_as!(
        Row,
        r#"select id as "id: InstanceId", host_id as "host: HostId", release_id as "release: ReleaseId", number,
                  deploy_id as "deploy: DeployId", position, name as "name: ContainerName",
                  host(address) as "address!", container_id as "container: ContainerId", wanted, kept
             from ledger_instances
            where team_id = $1 and app_id = $2 and removed_at is null
            order by created_at, position"#,
        permit.team().0,
        app.0,
    )
    .fetch_all(conn)
    .await
}

/// The hosts where the ledger says that something of the app is.
pub async fn hosts_of_app(conn: &mut PgConnection, permit: &Permit, app: AppId) -> Result<Vec<HostId>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select distinct host_id as "host: HostId" from ledger_instances
            where team_id = $1 and app_id = $2 and removed_at is null order by 1"#,
        permit.team().0,
        app.0,
    )
    .fetch_all(conn)
    .await
}

/// Addresses in use on a host, as text.
pub async fn addresses(conn: &mut PgConnection, permit: &Permit, host: HostId) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select host(address) as "address!" from ledger_instances
            where team_id = $1 and host_id = $2 and removed_at is null"#,
        permit.team().0,
        host.0,
    )
    .fetch_all(conn)
    .await
}

/// Opens a row. The same row again (a step that runs twice) changes nothing.
pub async fn open(conn: &mut PgConnection, permit: &Permit, new: &New<'_>) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into ledger_instances
           (team_id, id, host_id, app_id, release_id, deploy_id, number, position, name, address)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10::text::inet)
         on conflict (team_id, id) do nothing",
        permit.team().0,
        new.id.0,
        new.host.0,
        new.app.0,
        new.release.0,
        new.deploy.0,
        new.number,
        i32::from(new.position),
        new.name.as_ref(),
        new.address.to_string(),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Notes the container's id.
pub async fn created(
    conn: &mut PgConnection,
    permit: &Permit,
    host: HostId,
    name: &ContainerName,
    container: &ContainerId,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update ledger_instances set container_id = $4 where team_id = $1 and host_id = $2 and name = $3",
        permit.team().0,
        host.0,
        name.as_ref(),
        container.as_ref(),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Makes exactly these instances of the app the ones that stand in the host's proxy file.
pub async fn want_only(
    conn: &mut PgConnection,
    permit: &Permit,
    host: HostId,
    app: AppId,
    names: &[String],
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update ledger_instances set wanted = (name = any($4))
          where team_id = $1 and host_id = $2 and app_id = $3 and removed_at is null
            and wanted <> (name = any($4))",
        permit.team().0,
        host.0,
        app.0,
        names,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Closes a row after the removal was observed: its address may be given out again.
pub async fn removed(
    conn: &mut PgConnection,
    permit: &Permit,
    host: HostId,
    name: &ContainerName,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update ledger_instances set removed_at = now(), wanted = false
          where team_id = $1 and host_id = $2 and name = $3 and removed_at is null",
        permit.team().0,
        host.0,
        name.as_ref(),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Notes that a stopped container is kept for inspection.
pub async fn keep(
    conn: &mut PgConnection,
    permit: &Permit,
    host: HostId,
    name: &ContainerName,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update ledger_instances set kept = true, wanted = false
          where team_id = $1 and host_id = $2 and name = $3",
        permit.team().0,
        host.0,
        name.as_ref(),
    )
    .execute(conn)
    .await?;
    Ok(())
}
