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
        "update ledger_volumes set host_id = $3 where team_id = $1 and id = $2 and removed_at is null",
        permit.team().0,
        volume.0,
        host.0,
    )
    .execute(conn)
    .await?;
    Ok(())
}
