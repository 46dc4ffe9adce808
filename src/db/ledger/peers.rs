//! Other hosts that a host's proxy sends an app's requests to, and the addresses hosts have for one another.

use sqlx::PgConnection;

use crate::domain::ids::{AppId, HostId};
use crate::domain::rights::Permit;

/// One app on a host, and another host that gets its requests too.
#[derive(Clone, Debug)]
pub struct Row {
    /// The app.
    pub app: AppId,
    /// The other host.
    pub peer: HostId,
    /// Its instances of the app.
    pub weight: i16,
}

/// A host and the address under which the others reach it, as text.
#[derive(Clone, Debug)]
pub struct Address {
    /// The host.
    pub host: HostId,
    /// Its address.
    pub address: String,
}

/// Sends the app's requests to exactly these hosts too.
pub async fn set(
    conn: &mut PgConnection,
    permit: &Permit,
    host: HostId,
    app: AppId,
    peers: &[(HostId, u16)],
) -> Result<(), sqlx::Error> {
    let ids: Vec<uuid::Uuid> = peers.iter().map(|(peer, _)| peer.0).collect();
    let weights: Vec<i16> = peers.iter().map(|(_, weight)| i16::try_from(*weight).unwrap_or(i16::MAX)).collect();
    sqlx::query!(
        "delete from ledger_peers where team_id = $1 and host_id = $2 and app_id = $3 and peer_id <> all($4)",
        permit.team().0,
        host.0,
        app.0,
        &ids,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "insert into ledger_peers (team_id, host_id, app_id, peer_id, weight)
         select $1, $2, $3, p.peer, p.weight from unnest($4::uuid[], $5::smallint[]) as p(peer, weight)
         on conflict (host_id, app_id, peer_id) do update set weight = excluded.weight",
        permit.team().0,
        host.0,
        app.0,
        &ids,
        &weights,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Everything a host's proxy sends elsewhere.
pub async fn of_host(conn: &mut PgConnection, permit: &Permit, host: HostId) -> Result<Vec<Row>, sqlx::Error> {
    sqlx::query_as!(
        Row,
        r#"select app_id as "app: AppId", peer_id as "peer: HostId", weight
             from ledger_peers where team_id = $1 and host_id = $2 order by app_id, peer_id"#,
        permit.team().0,
        host.0,
    )
    .fetch_all(conn)
    .await
}

/// The team's hosts that take requests from one another.
pub async fn addresses(conn: &mut PgConnection, permit: &Permit) -> Result<Vec<Address>, sqlx::Error> {
    sqlx::query_as!(
        Address,
        r#"select id as "host: HostId", host(peer_address) as "address!"
             from hosts where team_id = $1 and peer_address is not null order by number"#,
        permit.team().0,
    )
    .fetch_all(conn)
    .await
}
