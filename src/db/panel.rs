//! The one row of the panel itself: the key check value, and when it was set up. No team's data.

use sqlx::PgConnection;
use time::OffsetDateTime;

/// What the panel knows of itself.
#[derive(Clone, Debug)]
pub struct Panel {
    /// The panel's own name in the labels of what it makes.
    pub id: uuid::Uuid,
    /// A constant sealed with the master key: opens only with the right one.
    pub key_check: Vec<u8>,
    /// When the first owner was made; set-up is closed from then on.
    pub set_up_at: Option<OffsetDateTime>,
}

/// The row, once the panel has started for the first time.
pub async fn get(conn: &mut PgConnection) -> Result<Option<Panel>, sqlx::Error> {
    sqlx::query_as!(Panel, "select id, key_check, set_up_at from panel").fetch_optional(conn).await
}

/// Writes the row at the first start. Of two panels starting at once, the second finds the first one's.
pub async fn create(conn: &mut PgConnection, key_check: &[u8]) -> Result<(), sqlx::Error> {
    sqlx::query!("insert into panel (key_check) values ($1) on conflict do nothing", key_check)
        .execute(conn)
        .await
        .map(drop)
}

/// The thumbprint of the panel's account at an ACME server, where it has one.
pub async fn acme_thumbprint(conn: &mut PgConnection) -> Result<Option<String>, sqlx::Error> {
    Ok(sqlx::query_scalar!("select acme_thumbprint from panel").fetch_optional(conn).await?.flatten())
}

/// Keeps it, or forgets it.
pub async fn set_acme_thumbprint(conn: &mut PgConnection, thumbprint: Option<&str>) -> Result<(), sqlx::Error> {
    sqlx::query!("update panel set acme_thumbprint = $1", thumbprint).execute(conn).await.map(drop)
}

/// Closes set-up. False where somebody was faster.
pub async fn close_set_up(conn: &mut PgConnection) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!("update panel set set_up_at = now() where set_up_at is null").execute(conn).await?;
    Ok(done.rows_affected() == 1)
}
