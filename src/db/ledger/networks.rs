//! Networks: one bridge per environment on a host.

use sqlx::PgConnection;

use crate::domain::address::{Bridge, MAX_BRIDGES};
use crate::domain::ids::{EnvironmentId, HostId, NetworkId};
use crate::domain::names::NetworkName;
use crate::domain::rights::Permit;

/// The environment's bridge on a host; opens the row with the lowest free number where there is none.
/// `None` when the host has no bridge left.
pub async fn claim(
    conn: &mut PgConnection,
    permit: &Permit,
    fresh: NetworkId,
    host: HostId,
    environment: EnvironmentId,
    name: &NetworkName,
) -> Result<Option<Bridge>, sqlx::Error> {
    sqlx::query!(
        "insert into ledger_networks (team_id, id, host_id, environment_id, bridge, name)
         select $1, $2, $3, $4, free.number, $5
           from generate_series(0, $6::int) as free(number)
          where not exists (select from ledger_networks n where n.host_id = $3 and n.bridge = free.number)
            and not exists (select from ledger_networks n where n.host_id = $3 and n.environment_id = $4)
          order by free.number limit 1
         on conflict do nothing",
        permit.team().0,
        fresh.0,
        host.0,
        environment.0,
        name.as_ref(),
        i32::from(MAX_BRIDGES) - 1,
    )
    .execute(&mut *conn)
    .await?;
    let row = sqlx::query!(
        "select n.bridge, h.number from ledger_networks n join hosts h on h.team_id = n.team_id and h.id = n.host_id
          where n.team_id = $1 and n.host_id = $2 and n.environment_id = $3",
        permit.team().0,
        host.0,
        environment.0,
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.and_then(|row| Bridge::new(u16::try_from(row.number).ok()?, u8::try_from(row.bridge).ok()?)))
}

/// The environment's bridge on a host, where it has one.
pub async fn of(
    conn: &mut PgConnection,
    permit: &Permit,
    host: HostId,
    environment: EnvironmentId,
) -> Result<Option<Bridge>, sqlx::Error> {
    let row = sqlx::query!(
        "select n.bridge, h.number from ledger_networks n join hosts h on h.team_id = n.team_id and h.id = n.host_id
          where n.team_id = $1 and n.host_id = $2 and n.environment_id = $3",
        permit.team().0,
        host.0,
        environment.0,
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.and_then(|row| Bridge::new(u16::try_from(row.number).ok()?, u8::try_from(row.bridge).ok()?)))
}

/// A network that nothing needs any more.
#[derive(Clone, Debug)]
pub struct Idle {
    /// Where.
    pub host: HostId,
    /// Whose it was.
    pub environment: EnvironmentId,
}

/// The networks that nothing needs any more; those of one environment where it is named.
pub async fn idle(
    conn: &mut PgConnection,
    permit: &Permit,
    environment: Option<EnvironmentId>,
) -> Result<Vec<Idle>, sqlx::Error> {
    sqlx::query_as!(
        Idle,
        r#"select host_id as "host: HostId", environment_id as "environment: EnvironmentId" from ledger_networks
            where team_id = $1 and ($2::uuid is null or environment_id = $2)
              and not skiff_needs_network($1, host_id, environment_id, $3)
            order by host_id, environment_id"#,
        permit.team().0,
        environment.map(|environment| environment.0),
        // No app leaves: each that is there counts.
        uuid::Uuid::nil(),
    )
    .fetch_all(conn)
    .await
}

/// Forgets a network, unless something came to need it meanwhile.
pub async fn free(
    conn: &mut PgConnection,
    permit: &Permit,
    host: HostId,
    environment: EnvironmentId,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "delete from ledger_networks where team_id = $1 and host_id = $2 and environment_id = $3
            and not skiff_needs_network($1, $2, $3, $4)",
        permit.team().0,
        host.0,
        environment.0,
        uuid::Uuid::nil(),
    )
    .execute(conn)
    .await
    .map(drop)
}
