//! The one-time token that opens set-up; only its hash is kept. Not here: making it, and whether set-up is over
//! (`panel.rs`).

use std::time::Duration;

use sqlx::PgConnection;

/// Keeps this token's hash and forgets all others: only the newest link works.
pub async fn replace(conn: &mut PgConnection, token_hash: &[u8], lives: Duration) -> Result<(), sqlx::Error> {
    sqlx::query!("delete from setup_tokens").execute(&mut *conn).await?;
    sqlx::query!(
        "insert into setup_tokens (token_hash, expires_at) values ($1, now() + make_interval(secs => $2))",
        token_hash,
        lives.as_secs_f64(),
    )
    .execute(conn)
    .await
    .map(drop)
}

/// True while the token opens set-up.
pub async fn opens(conn: &mut PgConnection, token_hash: &[u8]) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select exists (select from setup_tokens
                           where token_hash = $1 and used_at is null and expires_at > now()) as "opens!""#,
        token_hash,
    )
    .fetch_one(conn)
    .await
}

/// Uses the token up. False where it is not one, too old, or used: of two at once only one gets true.
pub async fn spend(conn: &mut PgConnection, token_hash: &[u8]) -> Result<bool, sqlx::Error> {
    let spent = sqlx::query!(
        "update setup_tokens set used_at = now() where token_hash = $1 and used_at is null and expires_at > now()",
        token_hash,
    )
    .execute(conn)
    .await?;
    Ok(spent.rows_affected() == 1)
}
