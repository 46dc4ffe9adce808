//! The ways in to hosts, changed: address, user, the jump host and its key; and the end of a host. Not here: what jobs read
//! to sign in (`host_logins`).

use sqlx::PgConnection;

use crate::domain::ids::HostId;
use crate::domain::jump::JumpHost;
use crate::domain::names::{DisplayName, HostAddress, SshUser};
use crate::domain::rights::Permit;

/// Gives a host another name and another way in. Its pinned key stays: another server there is noticed.
pub async fn edit(
    conn: &mut PgConnection,
    permit: &Permit,
    id: HostId,
    name: &DisplayName,
    address: &HostAddress,
    port: u16,
    user: &SshUser,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update hosts set name = $3, address = $4, ssh_port = $5, ssh_user = $6,
                host_key_seen = case when address = $4 and ssh_port = $5 then host_key_seen else '' end,
                host_key_seen_kind = case when address = $4 and ssh_port = $5 then host_key_seen_kind else '' end
          where team_id = $1 and id = $2",
        permit.team().0,
        id.0,
        name.as_ref(),
        address.as_ref(),
        i32::from(port),
        user.as_ref(),
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Puts a jump host before a host, or takes it away. At another address stands another server: its key is looked at.
pub async fn set_jump(
    conn: &mut PgConnection,
    permit: &Permit,
    id: HostId,
    jump: Option<&JumpHost>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update hosts set jump_address = $3, jump_port = $4, jump_user = $5,
                jump_host_key = case when jump_address = $3 and jump_port = $4 then jump_host_key else '' end,
                jump_key_seen = case when jump_address = $3 and jump_port = $4 then jump_key_seen else '' end,
                jump_key_seen_kind = case when jump_address = $3 and jump_port = $4 then jump_key_seen_kind else '' end
          where team_id = $1 and id = $2",
        permit.team().0,
        id.0,
        jump.map(|jump| jump.address.as_ref()),
        jump.map(|jump| i32::from(jump.port)),
        jump.map(|jump| jump.user.as_ref()),
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Pins the jump host's fingerprint, which a person confirmed. A host that stood still for it goes on.
pub async fn pin_jump(conn: &mut PgConnection, permit: &Permit, id: HostId, key: &str) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update hosts set jump_host_key = $3, jump_key_seen = '', jump_key_seen_kind = '',
                state_note = case when state = 'key_mismatch' and host_key_seen = '' then '' else state_note end,
                state = case when state <> 'key_mismatch' or host_key_seen <> '' then state
                             when proxy_port is null then 'new' else 'unreachable' end
          where team_id = $1 and id = $2",
        permit.team().0,
        id.0,
        key,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Notes the fingerprint the jump host showed, for a person to confirm.
pub async fn jump_key_seen(
    conn: &mut PgConnection,
    permit: &Permit,
    id: HostId,
    seen: &str,
    kind: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update hosts set jump_key_seen = $3, jump_key_seen_kind = $4
          where team_id = $1 and id = $2 and jump_host_key <> $3",
        permit.team().0,
        id.0,
        seen,
        kind,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// The pinned keys are shown again: what else was seen is forgotten, and the host is as it was. One that was never made
/// ready is new.
pub async fn keys_are_back(conn: &mut PgConnection, permit: &Permit, id: HostId) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update hosts set host_key_seen = '', host_key_seen_kind = '', jump_key_seen = '', jump_key_seen_kind = '',
                state = case when proxy_port is null then 'new' else 'ready' end, state_note = ''
          where team_id = $1 and id = $2 and state = 'key_mismatch'",
        permit.team().0,
        id.0,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// What keeps a host from being forgotten.
#[derive(Clone, Debug, Default)]
pub struct Used {
    /// Names of the apps that are placed there.
    pub placed: Vec<String>,
    /// Names of the apps of which instances are there.
    pub running: Vec<String>,
    /// Volumes whose data is there: "app: name".
    pub volumes: Vec<String>,
}

/// What keeps a host from being forgotten.
pub async fn used(conn: &mut PgConnection, permit: &Permit, id: HostId) -> Result<Used, sqlx::Error> {
    let row = sqlx::query!(
        r#"select coalesce((select array_agg(a.name order by a.name) from apps a
                             where a.team_id = $1 and a.removed_at is null
                               and a.placement @> jsonb_build_array(jsonb_build_object('host', $2::uuid::text))),
                           '{}') as "placed!",
                  coalesce((select array_agg(distinct a.name) from ledger_instances i
                              join apps a on a.team_id = i.team_id and a.id = i.app_id
                             where i.team_id = $1 and i.host_id = $2 and i.removed_at is null), '{}') as "running!",
                  coalesce((select array_agg(a.name || ': ' || v.name order by a.name, v.name) from ledger_volumes v
                              join apps a on a.team_id = v.team_id and a.id = v.app_id
                             where v.team_id = $1 and v.removed_at is null
                               and (v.host_id = $2 or exists (select from ledger_volume_places p where p.team_id = $1
                                                                 and p.volume_id = v.id and p.host_id = $2))),
                           '{}') as "volumes!""#,
        permit.team().0,
        id.0,
    )
    .fetch_one(conn)
    .await?;
    Ok(Used { placed: row.placed, running: row.running, volumes: row.volumes })
}

/// Forgets a host with all that the ledger has of it. Jobs and their logs stay: they name it by its id only. The server
/// itself is not touched.
pub async fn forget(conn: &mut PgConnection, permit: &Permit, id: HostId) -> Result<(), sqlx::Error> {
    let (team, host) = (permit.team().0, id.0);
    sqlx::query!("delete from host_locks where team_id = $1 and host_id = $2", team, host).execute(&mut *conn).await?;
    sqlx::query!("delete from builds where team_id = $1 and host_id = $2", team, host).execute(&mut *conn).await?;
    sqlx::query!("delete from ledger_backends where team_id = $1 and host_id = $2", team, host)
        .execute(&mut *conn)
        .await?;
    sqlx::query!("delete from ledger_images where team_id = $1 and host_id = $2", team, host)
        .execute(&mut *conn)
        .await?;
    sqlx::query!("delete from ledger_instances where team_id = $1 and host_id = $2", team, host)
        .execute(&mut *conn)
        .await?;
    sqlx::query!("delete from ledger_networks where team_id = $1 and host_id = $2", team, host)
        .execute(&mut *conn)
        .await?;
    // A volume of a server that is gone is made anew where its app goes next.
    sqlx::query!("update ledger_volumes set host_id = null where team_id = $1 and host_id = $2", team, host)
        .execute(&mut *conn)
        .await?;
    sqlx::query!("delete from grants where team_id = $1 and scope_kind = 'host' and scope_id = $2", team, host)
        .execute(&mut *conn)
        .await?;
    // Sights, peers and what was given for one sign-in go with the row, and its number is free.
    sqlx::query!("delete from hosts where team_id = $1 and id = $2", team, host).execute(&mut *conn).await?;
    sqlx::query!("delete from secrets where team_id = $1 and owner_kind = 'host' and owner_id = $2", team, host)
        .execute(conn)
        .await
        .map(drop)
}
