//! A team's accounts with whoever keeps its domains, with their sealed tokens and keys. Not here: sealing and opening.

use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::domain::dns::AccountKind;
use crate::domain::ids::DnsAccountId;
use crate::domain::rights::Permit;

/// An account.
#[derive(Clone, Debug)]
pub struct Row {
    /// The account.
    pub id: DnsAccountId,
    /// What it is called.
    pub name: String,
    /// Who keeps the domains.
    pub kind: AccountKind,
    /// Of a name server: where it is.
    pub server: String,
    /// Its key's name.
    pub key_name: String,
    /// How it signs.
    pub algorithm: String,
    /// The token or key, sealed.
    pub sealed: Vec<u8>,
    /// When it was entered.
    pub created_at: OffsetDateTime,
    /// How many orders prove with it.
    pub orders: i64,
}

/// The team's accounts by name; or only this one.
pub async fn list(
    conn: &mut PgConnection,
    permit: &Permit,
    only: Option<DnsAccountId>,
) -> Result<Vec<Row>, sqlx::Error> {
    sqlx::query_as!(
        Row,
        r#"select id as "id: DnsAccountId", name, kind as "kind: AccountKind", server, key_name, algorithm, sealed, created_at,
                  (select count(*) from acme_orders o where o.team_id = d.team_id and o.dns_account_id = d.id) as "orders!"
             from dns_accounts d where team_id = $1 and ($2::uuid is null or id = $2) order by name"#,
        permit.team().0,
        only.map(|id| id.0),
    )
    .fetch_all(conn)
    .await
}

/// Keeps an account. False where the name is taken.
pub async fn insert(conn: &mut PgConnection, permit: &Permit, row: &Row) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "insert into dns_accounts (team_id, id, name, kind, server, key_name, algorithm, sealed)
         values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict (team_id, name) do nothing",
        permit.team().0,
        row.id.0,
        row.name,
        row.kind as _,
        row.server,
        row.key_name,
        row.algorithm,
        row.sealed,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Keeps how an account is got into from now on. False where it is gone.
pub async fn update(conn: &mut PgConnection, permit: &Permit, row: &Row) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "update dns_accounts set server = $3, key_name = $4, algorithm = $5, sealed = $6 where team_id = $1 and id = $2",
        permit.team().0,
        row.id.0,
        row.server,
        row.key_name,
        row.algorithm,
        row.sealed,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Removes an account that no order proves with. False where one does, or where it is gone.
pub async fn remove(conn: &mut PgConnection, permit: &Permit, id: DnsAccountId) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "delete from dns_accounts d where team_id = $1 and id = $2
            and not exists (select from acme_orders o where o.team_id = $1 and o.dns_account_id = $2)",
        permit.team().0,
        id.0,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}
