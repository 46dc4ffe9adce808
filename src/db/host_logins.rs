//! What is needed to sign in to hosts: addresses, pinned keys, and the sealed private key with what opens it.

use sqlx::PgConnection;

use super::panel_addresses;
use crate::domain::ids::{HostId, SecretId};
use crate::domain::names::{HostAddress, SshUser};
use crate::domain::rights::Permit;

/// One host's sign-in, its key still sealed.
#[derive(Clone, Debug)]
pub struct Row {
    /// The host.
    pub id: HostId,
    /// Its number in the address plan.
    pub number: i16,
    /// Its name.
    pub name: String,
    /// Where it answers.
    pub address: HostAddress,
    /// The port of its sshd.
    pub ssh_port: i32,
    /// The user.
    pub ssh_user: SshUser,
    /// The pinned fingerprint.
    pub host_key: String,
    /// Where the jump host answers; none where the host is reached straight.
    pub jump_address: Option<HostAddress>,
    /// The port of the jump host's sshd.
    pub jump_port: Option<i32>,
    /// The user there.
    pub jump_user: Option<SshUser>,
    /// The jump host's pinned fingerprint.
    pub jump_host_key: String,
    /// The port its proxy listens on once the host was made ready again.
    pub http_port: i32,
    /// The port it listens on now; the wanted one before the host was ever made ready.
    pub proxy_port: i32,
    /// The port of HTTPS once the host was made ready again; none where it shall not serve that.
    pub https_port: Option<i32>,
    /// The port it listens on for HTTPS now.
    pub proxy_https_port: Option<i32>,
    /// Its machine architecture; empty before it was ever looked at.
    pub arch: String,
    /// Whether it builds for the others.
    pub builds: bool,
    /// The port of its image registry, once one runs there.
    pub registry_port: Option<i32>,
    /// The secret that holds the registry's password.
    pub registry_key: Option<SecretId>,
    /// The address its proxy listens on for the team's other hosts once the host was made ready again, as text.
    pub private_address: Option<String>,
    /// The address it listens on for them now, as text.
    pub peer_address: Option<String>,
    /// The secret that holds the private key.
    pub key: SecretId,
    /// Its current version.
    pub version: i32,
    /// The sealed key.
    pub sealed: Vec<u8>,
}

/// The sign-ins of these hosts.
pub async fn of(conn: &mut PgConnection, permit: &Permit, hosts: &[HostId]) -> Result<Vec<Row>, sqlx::Error> {
    let ids: Vec<uuid::Uuid> = hosts.iter().map(|id| id.0).collect();
    sqlx::query_as!(
        Row,
        r#"select h.id as "id: HostId", h.number, h.name, h.address as "address: HostAddress", h.ssh_port,
                  h.ssh_user as "ssh_user: SshUser", h.host_key, h.http_port,
                  h.jump_address as "jump_address: HostAddress", h.jump_port, h.jump_user as "jump_user: SshUser",
                  h.jump_host_key,
                  coalesce(h.proxy_port, h.http_port) as "proxy_port!", h.https_port, h.proxy_https_port,
                  coalesce(h.facts->>'arch', '') as "arch!", h.builds, h.registry_port,
                  h.registry_key as "registry_key: SecretId",
                  host(h.private_address) as private_address, host(h.peer_address) as peer_address,
                  s.id as "key: SecretId", s.version, v.sealed
             from hosts h
             join secrets s on s.team_id = h.team_id and s.id = h.ssh_key
             join secret_versions v on v.team_id = s.team_id and v.secret_id = s.id and v.version = s.version
            where h.team_id = $1 and h.id = any($2)"#,
        permit.team().0,
        &ids,
    )
    .fetch_all(conn)
    .await
}

/// Where a proxy listens.
#[derive(Clone, Copy, Debug)]
pub struct Listens<'a> {
    /// The port of plain HTTP.
    pub http: i32,
    /// The port of HTTPS, where it serves that.
    pub https: Option<i32>,
    /// The address for the team's other hosts, as text.
    pub peers: Option<&'a str>,
}

/// The host's proxy listens there now; names of the panel that it serves are reached on its port.
pub async fn proxy_listens(
    conn: &mut PgConnection,
    permit: &Permit,
    host: HostId,
    listens: &Listens<'_>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update hosts set proxy_port = $3, peer_address = $4::text::inet, proxy_https_port = $5
          where team_id = $1 and id = $2",
        permit.team().0,
        host.0,
        listens.http,
        listens.peers,
        listens.https,
    )
    .execute(&mut *conn)
    .await?;
    match listens.https {
        Some(port) => panel_addresses::move_port(conn, permit, host, port).await,
        None => Ok(()),
    }
}

/// The host's image registry listens on this port now, or there is none.
pub async fn registry_listens(
    conn: &mut PgConnection,
    permit: &Permit,
    host: HostId,
    port: Option<i32>,
) -> Result<(), sqlx::Error> {
    sqlx::query!("update hosts set registry_port = $3 where team_id = $1 and id = $2", permit.team().0, host.0, port)
        .execute(conn)
        .await
        .map(drop)
}

/// The team's hosts that build for the others, by their numbers.
pub async fn builders(conn: &mut PgConnection, permit: &Permit) -> Result<Vec<HostId>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select id as "id: HostId" from hosts
            where team_id = $1 and builds and state in ('ready', 'unreachable') order by number"#,
        permit.team().0,
    )
    .fetch_all(conn)
    .await
}

/// The team's wrapped data key: it opens the sealed values.
pub async fn data_key(conn: &mut PgConnection, permit: &Permit) -> Result<Vec<u8>, sqlx::Error> {
    sqlx::query_scalar!("select data_key from teams where id = $1", permit.team().0).fetch_one(conn).await
}

/// One sealed value.
#[derive(Clone, Debug)]
pub struct Sealed {
    /// The secret.
    pub id: SecretId,
    /// The version.
    pub version: i32,
    /// The sealed bytes.
    pub sealed: Vec<u8>,
}

/// The current versions of these secrets.
pub async fn current(
    conn: &mut PgConnection,
    permit: &Permit,
    secrets: &[SecretId],
) -> Result<Vec<Sealed>, sqlx::Error> {
    let ids: Vec<uuid::Uuid> = secrets.iter().map(|id| id.0).collect();
    sqlx::query_as!(
        Sealed,
        r#"select s.id as "id: SecretId", v.version, v.sealed
             from secrets s
             join secret_versions v on v.team_id = s.team_id and v.secret_id = s.id and v.version = s.version
            where s.team_id = $1 and s.id = any($2)"#,
        permit.team().0,
        &ids,
    )
    .fetch_all(conn)
    .await
}

/// These versions of these secrets.
pub async fn versions(
    conn: &mut PgConnection,
    permit: &Permit,
    wanted: &[(SecretId, i32)],
) -> Result<Vec<Sealed>, sqlx::Error> {
    let ids: Vec<uuid::Uuid> = wanted.iter().map(|(id, _)| id.0).collect();
    let versions: Vec<i32> = wanted.iter().map(|(_, version)| *version).collect();
    sqlx::query_as!(
        Sealed,
        r#"select v.secret_id as "id: SecretId", v.version, v.sealed
             from secret_versions v
             join unnest($2::uuid[], $3::int[]) as w(id, version) on w.id = v.secret_id and w.version = v.version
            where v.team_id = $1"#,
        permit.team().0,
        &ids,
        &versions,
    )
    .fetch_all(conn)
    .await
}

/// Notes how a host stands and when it was seen. One that is ready showed the pinned keys.
pub async fn observed(
    conn: &mut PgConnection,
    permit: &Permit,
    host: HostId,
    state: crate::domain::host::HostState,
    note: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update hosts set state = $3, state_note = $4, seen_at = case when $3 = 'ready' then now() else seen_at end,
                host_key_seen = case when $3 = 'ready' then '' else host_key_seen end,
                host_key_seen_kind = case when $3 = 'ready' then '' else host_key_seen_kind end,
                jump_key_seen = case when $3 = 'ready' then '' else jump_key_seen end,
                jump_key_seen_kind = case when $3 = 'ready' then '' else jump_key_seen_kind end
          where team_id = $1 and id = $2",
        permit.team().0,
        host.0,
        state as _,
        note,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Notes what came of a look at a host that has yet to be made ready; one that is, has its own words.
pub async fn looked(conn: &mut PgConnection, permit: &Permit, host: HostId, note: &str) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update hosts set state_note = $3 where team_id = $1 and id = $2 and state = 'new'",
        permit.team().0,
        host.0,
        note,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Stores what a host said about itself.
pub async fn facts(
    conn: &mut PgConnection,
    permit: &Permit,
    host: HostId,
    facts: &crate::domain::host::Facts,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update hosts set facts = $3, seen_at = now() where team_id = $1 and id = $2",
        permit.team().0,
        host.0,
        sqlx::types::Json(facts) as _,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Notes the user to sign in as from now on.
pub async fn sign_in_as(conn: &mut PgConnection, permit: &Permit, host: HostId, user: &str) -> Result<(), sqlx::Error> {
    sqlx::query!("update hosts set ssh_user = $3 where team_id = $1 and id = $2", permit.team().0, host.0, user)
        .execute(conn)
        .await?;
    Ok(())
}
