//! Secrets and their sealed versions. Not here: sealing and opening.

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::domain::ids::{AppId, SecretId};
use crate::domain::rights::Permit;

/// Whose a secret is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// An app's variable.
    App(AppId),
    /// A source's token, key, password or build secret.
    Source(crate::domain::ids::SourceId),
    /// A host's private key, where it was added before the team had one, and its registry's password.
    Host(crate::domain::ids::HostId),
    /// The team's own: the private key it signs in to hosts with.
    Team(crate::domain::ids::TeamId),
}

impl Owner {
    /// As the table has it.
    fn parts(self) -> (&'static str, Uuid) {
        match self {
            Self::App(id) => ("app", id.0),
            Self::Source(id) => ("source", id.0),
            Self::Host(id) => ("host", id.0),
            Self::Team(id) => ("team", id.0),
        }
    }
}

/// That a secret is there.
#[derive(Clone, Debug)]
pub struct Row {
    /// The secret.
    pub id: SecretId,
    /// Its name within its owner.
    pub name: String,
    /// Its current version.
    pub version: i32,
    /// When it was first set.
    pub created_at: OffsetDateTime,
    /// When it was last replaced.
    pub changed_at: OffsetDateTime,
}

/// The secret of this name, locked until the transaction ends.
pub async fn lock(
    conn: &mut PgConnection,
    permit: &Permit,
    owner: Owner,
    name: &str,
) -> Result<Option<Row>, sqlx::Error> {
    let (kind, id) = owner.parts();
    sqlx::query_as!(
        Row,
        r#"select id as "id: SecretId", name, version, created_at, changed_at from secrets
            where team_id = $1 and owner_kind = $2 and owner_id = $3 and name = $4 for update"#,
        permit.team().0,
        kind,
        id,
        name,
    )
    .fetch_optional(conn)
    .await
}

/// Makes a secret with its first version, sealed by the caller.
pub async fn insert(
    conn: &mut PgConnection,
    permit: &Permit,
    owner: Owner,
    id: SecretId,
    name: &str,
    sealed: &[u8],
) -> Result<(), sqlx::Error> {
    let (kind, owner_id) = owner.parts();
    sqlx::query!(
        "insert into secrets (team_id, id, owner_kind, owner_id, name, version) values ($1, $2, $3, $4, $5, 1)",
        permit.team().0,
        id.0,
        kind,
        owner_id,
        name,
    )
    .execute(&mut *conn)
    .await?;
    version(conn, permit, id, 1, sealed).await
}

/// Adds a version and makes it the current one.
pub async fn replace(
    conn: &mut PgConnection,
    permit: &Permit,
    id: SecretId,
    number: i32,
    sealed: &[u8],
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update secrets set version = $3, changed_at = now() where team_id = $1 and id = $2",
        permit.team().0,
        id.0,
        number,
    )
    .execute(&mut *conn)
    .await?;
    version(conn, permit, id, number, sealed).await
}

/// Stores one sealed version.
async fn version(
    conn: &mut PgConnection,
    permit: &Permit,
    id: SecretId,
    number: i32,
    sealed: &[u8],
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into secret_versions (team_id, secret_id, version, sealed) values ($1, $2, $3, $4)",
        permit.team().0,
        id.0,
        number,
        sealed,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Removes versions of an app's secret that neither a release of the app nor the current state names. A deploy under way
/// may be about to name the current one, never an older one.
pub async fn forget_unused(
    conn: &mut PgConnection,
    permit: &Permit,
    app: AppId,
    id: SecretId,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "delete from secret_versions v using secrets s
          where v.team_id = $1 and v.secret_id = $2 and s.team_id = $1 and s.id = $2 and v.version < s.version - 1
            and not exists (select from releases r where r.team_id = $1 and r.app_id = $3
                              and (r.body->'secret_versions'->>($2::uuid::text))::int = v.version)",
        permit.team().0,
        id.0,
        app.0,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Frees a secret's name while kept releases still name its versions: it is theirs alone from now on.
pub async fn retire(conn: &mut PgConnection, permit: &Permit, id: SecretId) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update secrets set name = name || ' (removed ' || id::text || ')' where team_id = $1 and id = $2",
        permit.team().0,
        id.0,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// These secrets, without values.
pub async fn of(conn: &mut PgConnection, permit: &Permit, ids: &[SecretId]) -> Result<Vec<Row>, sqlx::Error> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    sqlx::query_as!(
        Row,
        r#"select id as "id: SecretId", name, version, created_at, changed_at from secrets
            where team_id = $1 and id = any($2) order by name"#,
        permit.team().0,
        &ids,
    )
    .fetch_all(conn)
    .await
}

/// One sealed version of a secret.
#[derive(Clone, Debug)]
pub struct Sealed {
    /// The secret.
    pub id: SecretId,
    /// The version.
    pub version: i32,
    /// The sealed value.
    pub sealed: Vec<u8>,
}

/// Every version of every secret of the team that is still kept: whoever writes a text for others takes their values out of it.
pub async fn all_sealed(conn: &mut PgConnection, permit: &Permit) -> Result<Vec<Sealed>, sqlx::Error> {
    sqlx::query_as!(
        Sealed,
        r#"select secret_id as "id: SecretId", version, sealed from secret_versions where team_id = $1"#,
        permit.team().0,
    )
    .fetch_all(conn)
    .await
}
