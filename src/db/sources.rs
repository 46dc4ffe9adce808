//! Sources: where apps come from.

use sqlx::PgConnection;
use sqlx::types::Json;

use crate::domain::ids::SourceId;
use crate::domain::rights::Permit;
use crate::domain::source::Source;

/// Makes a source.
pub async fn insert(conn: &mut PgConnection, permit: &Permit, id: SourceId, spec: &Source) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into sources (team_id, id, spec) values ($1, $2, $3)",
        permit.team().0,
        id.0,
        Json(spec) as _,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Describes a source anew.
pub async fn update(conn: &mut PgConnection, permit: &Permit, id: SourceId, spec: &Source) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update sources set spec = $3, changed_at = now() where team_id = $1 and id = $2",
        permit.team().0,
        id.0,
        Json(spec) as _,
    )
    .execute(conn)
    .await?;
    Ok(())
}
