//! Sessions. The cookie holds a random id; the table only its hash, so that a copy of the table opens nothing. Whose
//! session it is, on which device and from where are columns, not part of the record.

use async_trait::async_trait;
use serde_json::Value;
use sha2::{Digest, Sha256};
use sqlx::PgConnection;
use sqlx::types::Json;
use time::OffsetDateTime;
use tower_sessions::SessionStore;
use tower_sessions::session::{Id, Record};
use tower_sessions::session_store::{Error, Result as Stored};

use super::Db;
use crate::domain::ids::AccountId;

/// The key in a session's data that is kept as the column `account_id`: a UUID as text.
pub const ACCOUNT: &str = "account";
/// The key that is kept as the column `device`: "Firefox on Linux".
pub const DEVICE: &str = "device";
/// The key that is kept as the column `address`: where the client was last seen.
pub const ADDRESS: &str = "address";

/// The key under which a loaded session says at which moment of the database it was read. Never stored.
pub const MOMENT: &str = "moment";

/// Ids drawn before giving up: two equal ones of 128 random bits do not happen.
const DRAWS: usize = 3;

/// The store behind the session layer.
#[derive(Clone, Debug)]
pub struct Sessions {
    db: Db,
}

/// A signed-in device.
#[derive(Clone, Debug)]
pub struct Row {
    /// The hash of its id; its hex may be shown, as it opens nothing.
    pub id_hash: Vec<u8>,
    /// "Firefox on Linux".
    pub device: String,
    /// Where it was last seen from.
    pub address: String,
    /// When it signed in.
    pub created_at: OffsetDateTime,
    /// When it was last seen, to the minute.
    pub last_seen_at: OffsetDateTime,
}

impl Sessions {
    /// A store on this database.
    pub fn new(db: &Db) -> Self {
        Self { db: db.clone() }
    }
}

/// What is kept of a session's id.
pub fn id_hash(id: &Id) -> Vec<u8> {
    Sha256::digest(id.0.to_le_bytes()).to_vec()
}

/// The sessions of an account, last seen first.
pub async fn of_account(conn: &mut PgConnection, account: AccountId) -> Result<Vec<Row>, sqlx::Error> {
    sqlx::query_as!(
        Row,
        "select id_hash, device, address, created_at, last_seen_at from sessions
          where account_id = $1 and expires_at > now() order by last_seen_at desc, id_hash",
        account.0,
    )
    .fetch_all(conn)
    .await
}

/// Ends one session of an account. False where it has none such.
pub async fn end(conn: &mut PgConnection, account: AccountId, id_hash: &[u8]) -> Result<bool, sqlx::Error> {
    let ended = sqlx::query!("delete from sessions where account_id = $1 and id_hash = $2", account.0, id_hash)
        .execute(conn)
        .await?;
    Ok(ended.rows_affected() == 1)
}

/// Ends all sessions of an account but this one: after a change of the password.
pub async fn end_others(conn: &mut PgConnection, account: AccountId, keep: &[u8]) -> Result<u64, sqlx::Error> {
    let ended = sqlx::query!("delete from sessions where account_id = $1 and id_hash <> $2", account.0, keep)
        .execute(conn)
        .await?;
    Ok(ended.rows_affected())
}

/// Removes what has run out.
pub async fn sweep(conn: &mut PgConnection) -> Result<u64, sqlx::Error> {
    Ok(sqlx::query!("delete from sessions where expires_at <= now()").execute(conn).await?.rows_affected())
}

/// A record as the table keeps it.
struct Parts {
    id_hash: Vec<u8>,
    account: Option<uuid::Uuid>,
    device: String,
    address: String,
    data: Value,
}

impl Parts {
    fn of(record: &Record) -> Self {
        let text = |key: &str| record.data.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let rest = record.data.iter().filter(|(key, _)| ![ACCOUNT, DEVICE, ADDRESS, MOMENT].contains(&key.as_str()));
        Self {
            id_hash: id_hash(&record.id),
            account: text(ACCOUNT).parse().ok(),
            device: text(DEVICE),
            address: text(ADDRESS),
            data: rest.map(|(key, value)| (key.clone(), value.clone())).collect::<serde_json::Map<_, _>>().into(),
        }
    }
}

#[async_trait]
impl SessionStore for Sessions {
    async fn create(&self, record: &mut Record) -> Stored<()> {
        for _ in 0..DRAWS {
            let parts = Parts::of(record);
            let made = sqlx::query!(
                "insert into sessions (id_hash, account_id, device, address, data, expires_at)
                 values ($1, $2, $3, $4, $5, $6) on conflict do nothing",
                parts.id_hash,
                parts.account,
                parts.device,
                parts.address,
                parts.data,
                record.expiry_date,
            )
            .execute(&self.db.app)
            .await
            .map_err(backend)?;
            if made.rows_affected() == 1 {
                return Ok(());
            }
            record.id = Id::default();
        }
        Err(Error::Backend("no free session id".into()))
    }

    /// Never brings back a session that was ended meanwhile.
    async fn save(&self, record: &Record) -> Stored<()> {
        let parts = Parts::of(record);
        sqlx::query!(
            "update sessions set account_id = $2, device = $3, address = $4, data = $5, expires_at = $6,
                    last_seen_at = now()
              where id_hash = $1",
            parts.id_hash,
            parts.account,
            parts.device,
            parts.address,
            parts.data,
            record.expiry_date,
        )
        .execute(&self.db.app)
        .await
        .map_err(backend)?;
        Ok(())
    }

    async fn load(&self, id: &Id) -> Stored<Option<Record>> {
        let hash = id_hash(id);
        let found = sqlx::query!(
            r#"select account_id as "account: AccountId", device, address, data as "data: Json<serde_json::Map<String, Value>>",
                      expires_at, last_seen_at < now() - interval '1 minute' as "seen_long_ago!",
                      pg_current_snapshot()::text as "moment!"
                 from sessions where id_hash = $1 and expires_at > now()"#,
            hash,
        )
        .fetch_optional(&self.db.app)
        .await
        .map_err(backend)?;
        let Some(found) = found else { return Ok(None) };
        if found.seen_long_ago {
            sqlx::query!("update sessions set last_seen_at = now() where id_hash = $1", hash)
                .execute(&self.db.app)
                .await
                .map_err(backend)?;
        }
        let mut data: std::collections::HashMap<String, Value> = found.data.0.into_iter().collect();
        data.insert(MOMENT.into(), found.moment.into());
        if let Some(account) = found.account {
            data.insert(ACCOUNT.into(), account.to_string().into());
        }
        for (key, value) in [(DEVICE, found.device), (ADDRESS, found.address)] {
            if !value.is_empty() {
                data.insert(key.into(), value.into());
            }
        }
        Ok(Some(Record { id: *id, data, expiry_date: found.expires_at }))
    }

    async fn delete(&self, id: &Id) -> Stored<()> {
        sqlx::query!("delete from sessions where id_hash = $1", id_hash(id))
            .execute(&self.db.app)
            .await
            .map_err(backend)?;
        Ok(())
    }
}

fn backend(error: sqlx::Error) -> Error {
    Error::Backend(error.to_string())
}
