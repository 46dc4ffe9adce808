//! Images: the tags of ours that keep an image on a host.

use sqlx::PgConnection;

use crate::domain::ids::{AppId, HostId};
use crate::domain::names::{ImageId, ImageRef};
use crate::domain::rights::Permit;

/// One tag of ours.
#[derive(Clone, Debug)]
pub struct Row {
    /// Where.
    pub host: HostId,
    /// The tag.
    pub image: ImageRef,
    /// What it keeps.
    pub image_id: ImageId,
}

/// Notes a tag before it is made.
pub async fn open(
    conn: &mut PgConnection,
    permit: &Permit,
    fresh: uuid::Uuid,
    app: AppId,
    row: &Row,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into ledger_images (team_id, id, host_id, app_id, image, image_id) values ($1, $2, $3, $4, $5, $6)
         on conflict (host_id, image) where removed_at is null do update set image_id = excluded.image_id",
        permit.team().0,
        fresh,
        row.host.0,
        app.0,
        row.image.as_ref(),
        row.image_id.as_ref(),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Notes the registry's name of an image before a pull brings it to a host where it was not. It goes again as soon as the image
/// has a name of ours; where a worker dies in between, with what else is beyond the kept releases. What it keeps is not known
/// before it is there.
pub async fn passing(
    conn: &mut PgConnection,
    permit: &Permit,
    fresh: uuid::Uuid,
    app: AppId,
    host: HostId,
    image: &ImageRef,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into ledger_images (team_id, id, host_id, app_id, image, image_id)
         values ($1, $2, $3, $4, $5, 'sha256:' || repeat('0', 64))
         on conflict (host_id, image) where removed_at is null do nothing",
        permit.team().0,
        fresh,
        host.0,
        app.0,
        image.as_ref(),
    )
    .execute(conn)
    .await
    .map(drop)
}

/// The app's tags that no kept release names.
pub async fn beyond(conn: &mut PgConnection, permit: &Permit, app: AppId) -> Result<Vec<Row>, sqlx::Error> {
    sqlx::query_as!(
        Row,
        r#"select host_id as "host: HostId", image as "image: ImageRef", image_id as "image_id: ImageId"
             from ledger_images i
            where team_id = $1 and app_id = $2 and removed_at is null
              and not exists (select from releases r where r.team_id = $1 and r.app_id = $2
                                 and r.retired_at is null and r.body->>'image' = i.image)
            order by host_id, image"#,
        permit.team().0,
        app.0,
    )
    .fetch_all(conn)
    .await
}

/// Closes a row after the tag was seen gone.
pub async fn removed(
    conn: &mut PgConnection,
    permit: &Permit,
    host: HostId,
    image: &ImageRef,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update ledger_images set removed_at = now()
          where team_id = $1 and host_id = $2 and image = $3 and removed_at is null",
        permit.team().0,
        host.0,
        image.as_ref(),
    )
    .execute(conn)
    .await?;
    Ok(())
}
