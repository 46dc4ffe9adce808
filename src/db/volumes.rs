//! Volumes of apps. Rows stay when a volume is removed: who and when stands in them.

use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::domain::app::Mount;
use crate::domain::ids::{AppId, HostId, VolumeId};
use crate::domain::names::PlainName;
use crate::domain::rights::Permit;

/// A volume that was not removed.
#[derive(Clone, Debug)]
pub struct Row {
    /// The volume.
    pub id: VolumeId,
    /// Its owner's name for it.
    pub name: PlainName,
    /// Where it is, once it was made.
    pub host: Option<HostId>,
    /// When it was added.
    pub created_at: OffsetDateTime,
}

/// Adds a volume. False where the app has one of this name.
pub async fn insert(
    conn: &mut PgConnection,
    permit: &Permit,
    app: AppId,
    id: VolumeId,
    name: &PlainName,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "insert into ledger_volumes (team_id, id, app_id, name) values ($1, $2, $3, $4)
         on conflict (team_id, app_id, name) where removed_at is null do nothing",
        permit.team().0,
        id.0,
        app.0,
        name.as_ref(),
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// An app's volumes, as they were added.
pub async fn of_app(conn: &mut PgConnection, permit: &Permit, app: AppId) -> Result<Vec<Row>, sqlx::Error> {
    sqlx::query_as!(
        Row,
        r#"select id as "id: VolumeId", name as "name: PlainName", host_id as "host: HostId", created_at
             from ledger_volumes
            where team_id = $1 and app_id = $2 and removed_at is null order by created_at, id"#,
        permit.team().0,
        app.0,
    )
    .fetch_all(conn)
    .await
}

/// The first of these mounts whose volume was removed with its data: what runs with it would find an empty one.
pub async fn removed_mount<'a>(
    conn: &mut PgConnection,
    permit: &Permit,
    app: AppId,
    mounts: &'a [Mount],
) -> Result<Option<&'a Mount>, sqlx::Error> {
    if mounts.is_empty() {
        return Ok(None);
    }
    let kept = of_app(conn, permit, app).await?;
    Ok(mounts.iter().find(|mount| !kept.iter().any(|row| row.id == mount.volume)))
}

/// Closes a volume's row.
pub async fn removed(conn: &mut PgConnection, permit: &Permit, id: VolumeId, by: &str) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update ledger_volumes set removed_at = now(), removed_by = $3
          where team_id = $1 and id = $2 and removed_at is null",
        permit.team().0,
        id.0,
        by,
    )
    .execute(conn)
    .await?;
    Ok(())
}
