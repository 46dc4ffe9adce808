//! Hosts as people see and edit them. Not here: what a job needs to sign in (`host_logins.rs`).

use std::net::Ipv4Addr;

use sqlx::PgConnection;
use sqlx::types::Json;
use time::OffsetDateTime;

use crate::domain::host::{Facts, HostState};
use crate::domain::ids::{HostId, JobId, SecretId};
use crate::domain::jump::JumpHost;
use crate::domain::names::{DisplayName, HostAddress, Slug, SshUser};
use crate::domain::rights::Permit;

/// A host to add.
#[derive(Clone, Debug)]
pub struct New<'a> {
    /// Its identity.
    pub id: HostId,
    /// Its short name.
    pub slug: &'a Slug,
    /// Its name.
    pub name: &'a DisplayName,
    /// Where it answers SSH.
    pub address: &'a HostAddress,
    /// The port of its sshd.
    pub ssh_port: u16,
    /// The user.
    pub ssh_user: &'a SshUser,
    /// The secret that holds the private key.
    pub ssh_key: SecretId,
    /// The public line.
    pub ssh_public: &'a str,
    /// The pinned fingerprint; empty until it is confirmed.
    pub host_key: &'a str,
    /// The port of its proxy.
    pub http_port: u16,
    /// The port of HTTPS; none where it shall not serve that.
    pub https_port: Option<u16>,
}

/// A host.
#[derive(Clone, Debug)]
pub struct Row {
    /// The host.
    pub id: HostId,
    /// Its number in the address plan.
    pub number: i16,
    /// Its short name.
    pub slug: String,
    /// Its name.
    pub name: String,
    /// Where it answers SSH.
    pub address: String,
    /// The port of its sshd.
    pub ssh_port: i32,
    /// The user.
    pub ssh_user: String,
    /// The public line.
    pub ssh_public: String,
    /// The pinned fingerprint.
    pub host_key: String,
    /// The fingerprint that waits for a person.
    pub host_key_seen: String,
    /// The kind of the key that waits; empty where it is not known.
    pub host_key_seen_kind: String,
    /// Where its jump host answers; none where it is reached straight.
    pub jump_address: Option<HostAddress>,
    /// The port of the jump host's sshd.
    pub jump_port: Option<i32>,
    /// The user there.
    pub jump_user: Option<SshUser>,
    /// The jump host's pinned fingerprint.
    pub jump_host_key: String,
    /// The jump host's fingerprint that waits for a person.
    pub jump_key_seen: String,
    /// Its kind.
    pub jump_key_seen_kind: String,
    /// When something was given to sign in with once, where it can still be used.
    pub pass_given_at: Option<OffsetDateTime>,
    /// The port its proxy listens on once the host was made ready again.
    pub http_port: i32,
    /// The port it listens on now; the wanted one before the host was ever made ready.
    pub proxy_port: i32,
    /// The port of HTTPS once the host was made ready again; none where it shall not serve that.
    pub https_port: Option<i32>,
    /// The port it listens on for HTTPS now.
    pub proxy_https_port: Option<i32>,
    /// Whether it builds for the others.
    pub builds: bool,
    /// The port of its image registry, once one runs.
    pub registry_port: Option<i32>,
    /// The address under which the team's other hosts are to reach it.
    pub private_address: Option<String>,
    /// The one its proxy listens on for them now.
    pub peer_address: Option<String>,
    /// How it stands.
    pub state: HostState,
    /// More words to that.
    pub note: String,
    /// What it said about itself.
    pub facts: Json<Facts>,
    /// When it last answered.
    pub seen_at: Option<OffsetDateTime>,
    /// When it was added.
    pub created_at: OffsetDateTime,
    /// Instances of ours on it.
    pub instances: i64,
    /// The job about it that waits or runs.
    pub busy: Option<JobId>,
}

impl Row {
    /// The jump host, where there is one.
    pub fn jump(&self) -> Option<JumpHost> {
        let (address, port, user) = (self.jump_address.clone()?, self.jump_port?, self.jump_user.clone()?);
        Some(JumpHost { user, address, port: u16::try_from(port).ok()? })
    }
}

/// Adds a host. Its number is the lowest one free on the panel: none where all 252 are taken.
pub async fn insert(conn: &mut PgConnection, permit: &Permit, new: &New<'_>) -> Result<Option<i16>, sqlx::Error> {
    // Row-level security hides other teams' numbers, and numbers are unique on the panel: the function below sees them.
    let Some(number) = sqlx::query_scalar!("select skiff_free_host_number()").fetch_one(&mut *conn).await? else {
        return Ok(None);
    };
    sqlx::query!(
        "insert into hosts (team_id, id, number, slug, name, address, ssh_port, ssh_user, ssh_key, ssh_public,
                            host_key, http_port, https_port)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
        permit.team().0,
        new.id.0,
        number,
        new.slug.as_ref(),
        new.name.as_ref(),
        new.address.as_ref(),
        i32::from(new.ssh_port),
        new.ssh_user.as_ref(),
        new.ssh_key.0,
        new.ssh_public,
        new.host_key,
        i32::from(new.http_port),
        new.https_port.map(i32::from),
    )
    .execute(conn)
    .await?;
    Ok(Some(number))
}

/// The team's hosts, by name; or only this one.
pub async fn list(conn: &mut PgConnection, permit: &Permit, only: Option<HostId>) -> Result<Vec<Row>, sqlx::Error> {
    sqlx::query_as!(
        Row,
        r#"select h.id as "id: HostId", h.number, h.slug, h.name, h.address, h.ssh_port, h.ssh_user, h.ssh_public,
                  h.host_key, h.host_key_seen, h.host_key_seen_kind, h.http_port,
                  h.jump_address as "jump_address: HostAddress", h.jump_port, h.jump_user as "jump_user: SshUser",
                  h.jump_host_key, h.jump_key_seen, h.jump_key_seen_kind,
                  (select p.given_at from host_passes p where p.team_id = h.team_id and p.host_id = h.id
                      and p.given_at > now() - interval '1 hour') as pass_given_at,
                  coalesce(h.proxy_port, h.http_port) as "proxy_port!",
                  h.https_port, h.proxy_https_port, h.builds, h.registry_port,
                  host(h.private_address) as private_address, host(h.peer_address) as peer_address,
                  h.state as "state: HostState", h.state_note as note,
                  h.facts as "facts: Json<Facts>", h.seen_at, h.created_at,
                  (select count(*) from ledger_instances i
                    where i.team_id = h.team_id and i.host_id = h.id and i.removed_at is null) as "instances!",
                  (select j.id from jobs j
                    where j.team_id = h.team_id and j.host_id = h.id and j.kind = 'provision'
                      and j.state in ('queued', 'running')
                    order by j.created_at desc limit 1) as "busy: JobId"
             from hosts h
            where h.team_id = $1 and ($2::uuid is null or h.id = $2)
            order by h.name, h.id"#,
        permit.team().0,
        only.map(|id| id.0),
    )
    .fetch_all(conn)
    .await
}

/// The name of one of these that was never made ready, if there is one.
pub async fn first_new(conn: &mut PgConnection, permit: &Permit, of: &[HostId]) -> Result<Option<String>, sqlx::Error> {
    let of: Vec<_> = of.iter().map(|host| host.0).collect();
    sqlx::query_scalar!(
        "select name from hosts where team_id = $1 and id = any($2) and state = 'new' order by name, id limit 1",
        permit.team().0,
        &of,
    )
    .fetch_optional(conn)
    .await
}

/// Slugs that are taken.
pub async fn slugs(conn: &mut PgConnection, permit: &Permit) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar!("select slug from hosts where team_id = $1", permit.team().0).fetch_all(conn).await
}

/// Pins a fingerprint that a person confirmed.
pub async fn pin(conn: &mut PgConnection, permit: &Permit, id: HostId, host_key: &str) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update hosts set host_key = $3, host_key_seen = '', host_key_seen_kind = '',
                state_note = case when state = 'key_mismatch' then '' else state_note end,
                state = case when state = 'key_mismatch' then 'new' else state end
          where team_id = $1 and id = $2",
        permit.team().0,
        id.0,
        host_key,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Notes the fingerprint a host showed and the kind of its key, for a person to confirm. The kind is empty where it is
/// not known.
pub async fn key_seen(
    conn: &mut PgConnection,
    permit: &Permit,
    id: HostId,
    seen: &str,
    kind: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update hosts set host_key_seen = $3, host_key_seen_kind = $4
          where team_id = $1 and id = $2 and host_key <> $3",
        permit.team().0,
        id.0,
        seen,
        kind,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Notes the port of HTTPS that the host's proxy shall have; none for no HTTPS.
pub async fn set_https_port(
    conn: &mut PgConnection,
    permit: &Permit,
    id: HostId,
    port: Option<u16>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update hosts set https_port = $3 where team_id = $1 and id = $2",
        permit.team().0,
        id.0,
        port.map(i32::from),
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Gives the proxy another port.
pub async fn set_http_port(conn: &mut PgConnection, permit: &Permit, id: HostId, port: u16) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update hosts set http_port = $3 where team_id = $1 and id = $2",
        permit.team().0,
        id.0,
        i32::from(port),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Notes what the host shall do for the others.
pub async fn set_part(
    conn: &mut PgConnection,
    permit: &Permit,
    id: HostId,
    private_address: Option<Ipv4Addr>,
    builds: bool,
    registry_key: Option<SecretId>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update hosts set private_address = $3::text::inet, builds = $4, registry_key = coalesce($5, registry_key)
          where team_id = $1 and id = $2",
        permit.team().0,
        id.0,
        private_address.map(|address| address.to_string()),
        builds,
        registry_key.map(|key| key.0),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// True where the team has this host.
pub async fn exists(conn: &mut PgConnection, permit: &Permit, id: HostId) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select exists (select from hosts where team_id = $1 and id = $2) as "there!""#,
        permit.team().0,
        id.0,
    )
    .fetch_one(conn)
    .await
}

/// The public half of the team's key, empty before it was made; the row is held, so that two at once make one key.
pub async fn team_key(conn: &mut PgConnection, permit: &Permit) -> Result<String, sqlx::Error> {
    sqlx::query_scalar!("select ssh_public from teams where id = $1 for update", permit.team().0).fetch_one(conn).await
}

/// Notes the public half of the team's key.
pub async fn set_team_key(conn: &mut PgConnection, permit: &Permit, public: &str) -> Result<(), sqlx::Error> {
    sqlx::query!("update teams set ssh_public = $2 where id = $1", permit.team().0, public)
        .execute(conn)
        .await
        .map(drop)
}
