//! The audit: who did what to what, before and after. Rows are never changed, and never hold a secret.

use sqlx::PgConnection;
use sqlx::types::Json;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::domain::ids::AuditEventId;
use crate::domain::rights::Permit;

/// What is written down.
#[derive(Clone, Debug)]
pub struct New<'a> {
    /// What was done, as a word of ours: `app.created`.
    pub action: &'static str,
    /// What kind of thing it was done to: `app`.
    pub kind: &'static str,
    /// Its id.
    pub subject: Option<Uuid>,
    /// Its name, now.
    pub name: &'a str,
    /// How it was.
    pub before: Option<serde_json::Value>,
    /// How it became.
    pub after: Option<serde_json::Value>,
}

/// One event.
#[derive(Clone, Debug)]
pub struct Row {
    /// The event.
    pub id: AuditEventId,
    /// When.
    pub at: OffsetDateTime,
    /// Who.
    pub who: String,
    /// From where.
    pub address: String,
    /// What.
    pub action: String,
    /// To what kind of thing.
    pub subject_kind: String,
    /// Its id.
    pub subject_id: Option<Uuid>,
    /// Its name at that time.
    pub subject_name: String,
    /// How it was.
    pub before: Option<Json<serde_json::Value>>,
    /// How it became.
    pub after: Option<Json<serde_json::Value>>,
}

/// Writes an event down, in the permit holder's name.
pub async fn record(conn: &mut PgConnection, permit: &Permit, new: New<'_>) -> Result<(), sqlx::Error> {
    let (account, address) = (permit.who().account().map(|account| account.0), permit.who().address());
    sqlx::query!(
        "insert into audit_events
           (team_id, id, who, account_id, address, action, subject_kind, subject_id, subject_name, before, after)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        permit.team().0,
        Uuid::now_v7(),
        permit.who().name(),
        account,
        address,
        new.action,
        new.kind,
        new.subject,
        new.name,
        new.before.map(Json) as _,
        new.after.map(Json) as _,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The newest events, before this one where one is given.
pub async fn latest(
    conn: &mut PgConnection,
    permit: &Permit,
    before: Option<AuditEventId>,
    limit: i64,
) -> Result<Vec<Row>, sqlx::Error> {
    sqlx::query_as!(
        Row,
        r#"select id as "id: AuditEventId", at, who, address, action, subject_kind, subject_id, subject_name,
                  before as "before: Json<serde_json::Value>", after as "after: Json<serde_json::Value>"
             from audit_events
            where team_id = $1
              and ($2::uuid is null
                   or (at, id) < (select b.at, b.id from audit_events b where b.team_id = $1 and b.id = $2))
            order by at desc, id desc limit $3"#,
        permit.team().0,
        before.map(|id| id.0),
        limit,
    )
    .fetch_all(conn)
    .await
}
