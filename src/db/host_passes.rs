//! Passwords and private keys that were given for one sign-in to a host, sealed. Not here: sealing and opening.

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::domain::ids::HostId;
use crate::domain::rights::Permit;

/// One that was taken out: it is in the table no more.
#[derive(Clone, Debug)]
pub struct Taken {
    /// What it was sealed for.
    pub id: Uuid,
    /// The sealed bytes.
    pub sealed: Vec<u8>,
}

/// Keeps what was given in place of what was there.
pub async fn give(
    conn: &mut PgConnection,
    permit: &Permit,
    host: HostId,
    id: Uuid,
    sealed: &[u8],
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into host_passes (team_id, host_id, id, sealed) values ($1, $2, $3, $4)
         on conflict (team_id, host_id) do update set id = excluded.id, sealed = excluded.sealed, given_at = now()",
        permit.team().0,
        host.0,
        id,
        sealed,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// When something was given that can still be used.
pub async fn given(
    conn: &mut PgConnection,
    permit: &Permit,
    host: HostId,
) -> Result<Option<OffsetDateTime>, sqlx::Error> {
    sqlx::query_scalar!(
        "select given_at from host_passes
          where team_id = $1 and host_id = $2 and given_at > now() - interval '1 hour'",
        permit.team().0,
        host.0,
    )
    .fetch_optional(conn)
    .await
}

/// Takes out what was given: whoever gets it is the only one. None where there is nothing, or it is too old.
pub async fn take(conn: &mut PgConnection, permit: &Permit, host: HostId) -> Result<Option<Taken>, sqlx::Error> {
    let taken = sqlx::query!(
        r#"delete from host_passes where team_id = $1 and host_id = $2
           returning id, sealed, given_at > now() - interval '1 hour' as "fresh!""#,
        permit.team().0,
        host.0,
    )
    .fetch_optional(conn)
    .await?;
    Ok(taken.filter(|row| row.fresh).map(|row| Taken { id: row.id, sealed: row.sealed }))
}

/// Forgets what was given: it was given for another way in, or for another key.
pub async fn forget(conn: &mut PgConnection, permit: &Permit, host: HostId) -> Result<(), sqlx::Error> {
    sqlx::query!("delete from host_passes where team_id = $1 and host_id = $2", permit.team().0, host.0)
        .execute(conn)
        .await
        .map(drop)
}

/// Forgets what nobody used within an hour, across teams.
pub async fn forget_old(conn: &mut PgConnection) -> Result<u64, sqlx::Error> {
    let gone = sqlx::query!("delete from host_passes where given_at < now() - interval '1 hour'").execute(conn).await?;
    Ok(gone.rows_affected())
}

/// All that are kept for the team, and stay: whoever writes a text for others takes them out of it.
pub async fn all(conn: &mut PgConnection, permit: &Permit) -> Result<Vec<Taken>, sqlx::Error> {
    sqlx::query_as!(Taken, "select id, sealed from host_passes where team_id = $1", permit.team().0)
        .fetch_all(conn)
        .await
}
