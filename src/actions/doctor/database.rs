//! The database and its queue, looked at.

use time::OffsetDateTime;

use crate::actions::Refused;
use crate::db::{Db, health};
use crate::domain::doctor::{self, Database, Finding};

/// Looks at them.
pub async fn database(db: &Db) -> Result<Vec<Finding>, Refused> {
    let mut tx = db.begin_door().await?;
    let asked = OffsetDateTime::now_utc();
    let server = health::server(&mut tx).await?;
    let took: time::Duration = OffsetDateTime::now_utc() - asked;
    let here: OffsetDateTime = asked + took / 2_i32;
    let schema = health::schema(&mut tx).await?;
    tx.commit().await?;
    let here_ms = i64::try_from(here.unix_timestamp_nanos() / 1_000_000).unwrap_or(server.clock_ms);
    let mut found = doctor::database(&Database {
        version: server.version,
        size_mib: u64::try_from(server.bytes).unwrap_or(0) >> 20,
        connections: server.connections,
        most_connections: server.most,
        schema,
        ahead_ms: here_ms.saturating_sub(server.clock_ms),
    });
    // Of another schema nothing more is asked: its tables may be others.
    if schema.found == schema.known && schema.broken == 0 {
        let mut tx = db.begin_worker().await?;
        found.push(doctor::queue(&health::queue(&mut tx).await?));
        tx.commit().await?;
    }
    Ok(found)
}
