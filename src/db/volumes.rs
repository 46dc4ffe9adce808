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

/// A host where a volume was made.
#[derive(Clone, Debug)]
pub struct Place {
    /// The volume.
    pub volume: VolumeId,
    /// The host.
    pub host: HostId,
    /// The host's name.
    pub host_name: String,
    /// When it was made there.
    pub placed_at: OffsetDateTime,
    /// True where the release that serves is placed there, or anything of the app still is.
    pub in_use: bool,
}

/// Where an app's volumes are: the latest place of each first.
pub async fn places(conn: &mut PgConnection, permit: &Permit, app: AppId) -> Result<Vec<Place>, sqlx::Error> {
    sqlx::query_as!(
        Place,
        r#"select p.volume_id as "volume: VolumeId", p.host_id as "host: HostId", h.name as host_name, p.placed_at,
                  (exists (select from apps a join releases r on r.team_id = a.team_id and r.id = a.current_release_id
                            where a.team_id = $1 and a.id = $2 and r.body->'placement'
                                  @> jsonb_build_array(jsonb_build_object('host', p.host_id)))
                   or exists (select from ledger_instances i where i.team_id = $1 and i.app_id = $2
                                 and i.host_id = p.host_id and i.removed_at is null)) as "in_use!"
             from ledger_volume_places p
             join ledger_volumes v on v.team_id = p.team_id and v.id = p.volume_id
             join hosts h on h.team_id = p.team_id and h.id = p.host_id
            where p.team_id = $1 and v.app_id = $2 and v.removed_at is null
            order by p.volume_id, p.placed_at desc, p.host_id"#,
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
