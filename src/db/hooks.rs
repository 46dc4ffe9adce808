//! Hooks of apps, with their sealed secrets. Not here: what forges sent (`deliveries.rs`).

use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::domain::hook::Provider;
use crate::domain::ids::{AppId, HookId, TeamId};
use crate::domain::rights::Permit;

/// A hook.
#[derive(Clone, Debug)]
pub struct Row {
    /// The hook.
    pub id: HookId,
    /// Who calls it.
    pub provider: Provider,
    /// 1, 2, … with each new secret.
    pub version: i32,
    /// The secret, sealed.
    pub sealed: Vec<u8>,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// When its secret was made.
    pub changed_at: OffsetDateTime,
}

/// A hook as it is found by its id alone, with what opens its secret.
#[derive(Clone, Debug)]
pub struct Known {
    /// The hook.
    pub id: HookId,
    /// Its team.
    pub team: TeamId,
    /// Its app.
    pub app: AppId,
    /// Who calls it.
    pub provider: Provider,
    /// The version of its secret.
    pub version: i32,
    /// The secret, sealed.
    pub sealed: Vec<u8>,
    /// The team's wrapped data key.
    pub data_key: Vec<u8>,
}

/// The hooks of these ids, of whichever teams. Needs the door's scope.
pub async fn at_door(conn: &mut PgConnection, ids: &[HookId]) -> Result<Vec<Known>, sqlx::Error> {
    let ids: Vec<_> = ids.iter().map(|id| id.0).collect();
    sqlx::query_as!(
        Known,
        r#"select h.id as "id: HookId", h.team_id as "team: TeamId", h.app_id as "app: AppId",
                  h.provider as "provider: Provider", h.version, h.sealed, t.data_key
             from hooks h join teams t on t.id = h.team_id where h.id = any($1)"#,
        &ids,
    )
    .fetch_all(conn)
    .await
}

/// The hook of an app, if it has one.
pub async fn of_app(conn: &mut PgConnection, permit: &Permit, app: AppId) -> Result<Option<Row>, sqlx::Error> {
    sqlx::query_as!(
        Row,
        r#"select id as "id: HookId", provider as "provider: Provider", version, sealed, created_at, changed_at
             from hooks where team_id = $1 and app_id = $2"#,
        permit.team().0,
        app.0,
    )
    .fetch_optional(conn)
    .await
}

/// Gives an app a hook; it must have none.
pub async fn insert(
    conn: &mut PgConnection,
    permit: &Permit,
    app: AppId,
    id: HookId,
    provider: Provider,
    sealed: &[u8],
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into hooks (team_id, id, app_id, provider, sealed) values ($1, $2, $3, $4, $5)",
        permit.team().0,
        id.0,
        app.0,
        provider as _,
        sealed,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Gives a hook another secret.
pub async fn replace(
    conn: &mut PgConnection,
    permit: &Permit,
    id: HookId,
    version: i32,
    sealed: &[u8],
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update hooks set version = $3, sealed = $4, changed_at = now() where team_id = $1 and id = $2",
        permit.team().0,
        id.0,
        version,
        sealed,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Takes the hook from an app. What came through it stays.
pub async fn remove(conn: &mut PgConnection, permit: &Permit, id: HookId) -> Result<(), sqlx::Error> {
    sqlx::query!("delete from hooks where team_id = $1 and id = $2", permit.team().0, id.0)
        .execute(conn)
        .await
        .map(drop)
}

/// All hooks of the team: whoever writes a text for others takes their secrets out of it.
pub async fn all(conn: &mut PgConnection, permit: &Permit) -> Result<Vec<Row>, sqlx::Error> {
    sqlx::query_as!(
        Row,
        r#"select id as "id: HookId", provider as "provider: Provider", version, sealed, created_at, changed_at
             from hooks where team_id = $1"#,
        permit.team().0,
    )
    .fetch_all(conn)
    .await
}
