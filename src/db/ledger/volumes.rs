//! Volumes: where each one is. They are removed only by typed name, elsewhere.

use sqlx::PgConnection;

use crate::domain::ids::{HostId, VolumeId};
use crate::domain::rights::Permit;

/// Notes the host before the volume is made there.
pub async fn placed(
    conn: &mut PgConnection,
    permit: &Permit,
    volume: VolumeId,
    host: HostId,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "with known as (
           update ledger_volumes set host_id = $3 where team_id = $1 and id = $2 and removed_at is null returning id)
         insert into ledger_volume_places (team_id, volume_id, host_id) select $1, id, $3 from known
         on conflict (team_id, volume_id, host_id) do nothing",
        permit.team().0,
        volume.0,
        host.0,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Forgets a volume on a host after it was removed there. Where it is nowhere any more, its row is closed as well.
pub async fn left(
    conn: &mut PgConnection,
    permit: &Permit,
    volume: VolumeId,
    host: HostId,
    by: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "delete from ledger_volume_places where team_id = $1 and volume_id = $2 and host_id = $3",
        permit.team().0,
        volume.0,
        host.0,
    )
    .execute(&mut *conn)
    .await?;
    let place = sqlx::query_scalar!(
        r#"select host_id as "host: HostId" from ledger_volume_places
            where team_id = $1 and volume_id = $2 order by placed_at desc, host_id limit 1"#,
        permit.team().0,
        volume.0,
    );
    match place.fetch_optional(&mut *conn).await? {
        None => super::super::volumes::removed(conn, permit, volume, by).await,
        Some(place) => sqlx::query!(
            "update ledger_volumes set host_id = $4 where team_id = $1 and id = $2 and host_id = $3",
            permit.team().0,
            volume.0,
            host.0,
            place.0,
        )
        .execute(conn)
        .await
        .map(drop),
    }
}
