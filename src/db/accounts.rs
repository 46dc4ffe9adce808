//! Accounts: people who can sign in. They belong to the panel, so nothing here takes a permit. Not here: sessions.

use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::domain::ids::AccountId;
use crate::domain::names::Email;

/// An account, without its password's hash.
#[derive(Clone, Debug)]
pub struct Row {
    /// The account.
    pub id: AccountId,
    /// What one signs in with, in lower case.
    pub email: String,
    /// The name.
    pub name: String,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// When the password was last changed.
    pub password_changed_at: OffsetDateTime,
}

/// Who wants to sign in. Not `Debug`: it holds the hash.
pub struct Credentials {
    /// The account.
    pub id: AccountId,
    /// The name.
    pub name: String,
    /// argon2id, as a PHC string.
    pub password_hash: String,
}

/// Makes an account. Fails on an address that has one (`accounts_email_key`).
pub async fn insert(
    conn: &mut PgConnection,
    id: AccountId,
    email: &Email,
    name: &str,
    password_hash: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into accounts (id, email, name, password_hash) values ($1, lower($2), $3, $4)",
        id.0,
        email.as_ref(),
        name,
        password_hash,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// An account.
pub async fn get(conn: &mut PgConnection, id: AccountId) -> Result<Option<Row>, sqlx::Error> {
    sqlx::query_as!(
        Row,
        r#"select id as "id: AccountId", email, name, created_at, password_changed_at from accounts where id = $1"#,
        id.0,
    )
    .fetch_optional(conn)
    .await
}

/// What an address signs in with.
pub async fn credentials(conn: &mut PgConnection, email: &str) -> Result<Option<Credentials>, sqlx::Error> {
    sqlx::query_as!(
        Credentials,
        r#"select id as "id: AccountId", name, password_hash from accounts where email = lower($1)"#,
        email,
    )
    .fetch_optional(conn)
    .await
}

/// The hash of an account's password, to be asked again before it is changed.
pub async fn password_hash(conn: &mut PgConnection, id: AccountId) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar!("select password_hash from accounts where id = $1", id.0).fetch_optional(conn).await
}

/// Changes the password.
pub async fn set_password(conn: &mut PgConnection, id: AccountId, password_hash: &str) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update accounts set password_hash = $2, password_changed_at = now() where id = $1",
        id.0,
        password_hash,
    )
    .execute(conn)
    .await
    .map(drop)
}
