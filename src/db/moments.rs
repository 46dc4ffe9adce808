//! Moments of the database. Equal ones see the same rows: a snapshot names every transaction that was under way, and any
//! that ended in between would be missing from the second.

use sqlx::PgConnection;

use crate::domain::rights::Moment;

/// The moment of now, in a transaction or out of one. Only writing transactions move it.
pub async fn now(conn: &mut PgConnection) -> Result<Moment, sqlx::Error> {
    sqlx::query_scalar!(r#"select pg_current_snapshot()::text as "moment!""#).fetch_one(conn).await.map(Moment)
}
