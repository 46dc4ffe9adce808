//! The panel's choice of a certificate authority, the teams' accounts there, proofs that failed, what was got lately.
//! Not here: what a team wants certificates for (`acme_orders.rs`).

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::domain::rights::Permit;

/// What was chosen.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where the authority's directory is.
    pub directory: String,
    /// Whom it may write to; empty for nobody.
    pub email: String,
    /// The authority's own root (PEM); empty where the machine trusts it anyway.
    pub ca_root: String,
    /// The id of the key that binds the account; empty for none.
    pub eab_id: String,
    /// The key, sealed.
    pub eab_sealed: Option<Vec<u8>>,
    /// Who agreed to the authority's terms.
    pub terms_agreed_by: String,
    /// When.
    pub terms_agreed_at: OffsetDateTime,
}

/// A team's account at an authority. Each team has its own, so that what one has proven is a proof for no other.
#[derive(Clone, Debug)]
pub struct Account {
    /// What it is sealed for.
    pub id: Uuid,
    /// Its address there.
    pub url: String,
    /// What proves it over HTTP.
    pub thumbprint: String,
    /// Its key and address, sealed.
    pub sealed: Vec<u8>,
    /// Whom the authority was last told that it may write to, empty for nobody; none where that is not known.
    pub contact: Option<String>,
}

/// What was chosen; none before anybody did.
pub async fn settings(conn: &mut PgConnection) -> Result<Option<Settings>, sqlx::Error> {
    sqlx::query_as!(
        Settings,
        "select directory, email, ca_root, eab_id, eab_sealed, terms_agreed_by, terms_agreed_at from acme_settings",
    )
    .fetch_optional(conn)
    .await
}

/// Chooses. The teams' certificates are looked at soon after: those of another authority are got anew then.
pub async fn choose(conn: &mut PgConnection, settings: &Settings) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into acme_settings (directory, email, ca_root, eab_id, eab_sealed, terms_agreed_by, terms_agreed_at)
         values ($1, $2, $3, $4, $5, $6, $7)
         on conflict (one) do update set directory = $1, email = $2, ca_root = $3, eab_id = $4, eab_sealed = $5,
                terms_agreed_by = $6, terms_agreed_at = $7, changed_at = now(),
                directory_at = case when acme_settings.directory = $1 then acme_settings.directory_at else now() end",
        settings.directory,
        settings.email,
        settings.ca_root,
        settings.eab_id,
        settings.eab_sealed,
        settings.terms_agreed_by,
        settings.terms_agreed_at,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!("update teams set acme_at = now()").execute(conn).await.map(drop)
}

/// Chooses none any more. What was got goes on serving until it runs out.
pub async fn forget(conn: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query!("delete from acme_settings").execute(conn).await.map(drop)
}

/// The team's account at the chosen authority.
pub async fn account(
    conn: &mut PgConnection,
    permit: &Permit,
    settings: &Settings,
) -> Result<Option<Account>, sqlx::Error> {
    sqlx::query_as!(
        Account,
        "select id, url, thumbprint, sealed, contact from acme_accounts
          where team_id = $1 and directory = $2 and eab_id = $3",
        permit.team().0,
        settings.directory,
        settings.eab_id,
    )
    .fetch_optional(conn)
    .await
}

/// The thumbprint of that account, which the proxies of the team's hosts answer challenges with.
pub async fn thumbprint(conn: &mut PgConnection, permit: &Permit) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar!(
        "select a.thumbprint from acme_accounts a
           join acme_settings s on s.directory = a.directory and s.eab_id = a.eab_id where a.team_id = $1",
        permit.team().0,
    )
    .fetch_optional(conn)
    .await
}

/// The team's accounts at any authority, sealed: whoever writes a text for others takes their keys out of it.
pub async fn accounts(conn: &mut PgConnection, permit: &Permit) -> Result<Vec<(Uuid, Vec<u8>)>, sqlx::Error> {
    let rows = sqlx::query!(
        "select id, sealed from acme_accounts where team_id = $1 and length(sealed) > 0",
        permit.team().0,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.sealed)).collect())
}

/// Keeps an account. Of two that were made at once the first stays.
pub async fn keep_account(
    conn: &mut PgConnection,
    permit: &Permit,
    settings: &Settings,
    account: &Account,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into acme_accounts (team_id, id, directory, eab_id, url, thumbprint, sealed, contact)
         values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict (team_id, directory, eab_id) do nothing",
        permit.team().0,
        account.id,
        settings.directory,
        settings.eab_id,
        account.url,
        account.thumbprint,
        account.sealed,
        account.contact,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Notes whom the authority was told that it may write to.
pub async fn note_contact(
    conn: &mut PgConnection,
    permit: &Permit,
    account: Uuid,
    contact: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update acme_accounts set contact = $3 where team_id = $1 and id = $2",
        permit.team().0,
        account,
        contact,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Forgets an account that the authority does not accept: another one is made.
pub async fn forget_account(conn: &mut PgConnection, permit: &Permit, settings: &Settings) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "delete from acme_accounts where team_id = $1 and directory = $2 and eab_id = $3",
        permit.team().0,
        settings.directory,
        settings.eab_id,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Notes that proofs of these names failed now. Those of more than a day ago are forgotten.
pub async fn note_failures(conn: &mut PgConnection, names: &[String]) -> Result<(), sqlx::Error> {
    sqlx::query!("delete from acme_failures where at < now() - interval '1 day'").execute(&mut *conn).await?;
    sqlx::query!("insert into acme_failures (name) select unnest($1::text[])", names).execute(conn).await.map(drop)
}

/// When proofs of any of these names failed within the last hour, the oldest first; and the database's time.
pub async fn failures(
    conn: &mut PgConnection,
    names: &[String],
) -> Result<(Vec<OffsetDateTime>, OffsetDateTime), sqlx::Error> {
    let failed = sqlx::query_scalar!(
        "select at from acme_failures where name = any($1) and at > now() - interval '1 hour' order by at",
        names,
    )
    .fetch_all(&mut *conn)
    .await?;
    let now = sqlx::query_scalar!(r#"select now() as "now!""#).fetch_one(conn).await?;
    Ok((failed, now))
}

/// Notes that a certificate for exactly these names was got there: now, or then. Those of more than a week ago are forgotten.
pub async fn note_issue(
    conn: &mut PgConnection,
    directory: &str,
    names_key: &str,
    at: Option<OffsetDateTime>,
) -> Result<(), sqlx::Error> {
    sqlx::query!("delete from acme_issues where at < now() - interval '8 days'").execute(&mut *conn).await?;
    sqlx::query!(
        "insert into acme_issues (directory, names_key, at) values ($1, $2, coalesce($3, now()))",
        directory,
        names_key,
        at,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// When certificates for exactly these names were got there within the last week, the oldest first; and the database's time.
pub async fn issues(
    conn: &mut PgConnection,
    directory: &str,
    names_key: &str,
) -> Result<(Vec<OffsetDateTime>, OffsetDateTime), sqlx::Error> {
    let got = sqlx::query_scalar!(
        "select at from acme_issues
          where directory = $1 and names_key = $2 and at > now() - interval '7 days' order by at",
        directory,
        names_key,
    )
    .fetch_all(&mut *conn)
    .await?;
    let now = sqlx::query_scalar!(r#"select now() as "now!""#).fetch_one(conn).await?;
    Ok((got, now))
}
