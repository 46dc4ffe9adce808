//! What a host's proxy is told besides its apps: who before it is believed, and the domain that apps without one of their own
//! get an address under.

use sqlx::PgConnection;
use sqlx::types::Json;

use crate::domain::ids::HostId;
use crate::domain::names::Domain;
use crate::domain::rights::Permit;
use crate::domain::trust::Trust;

/// Whom a host believes.
#[derive(Clone, Debug)]
pub struct Trusts {
    /// As wanted.
    pub wanted: Json<Trust>,
    /// As its proxy has it.
    pub applied: Json<Trust>,
    /// The domain under which its apps get addresses.
    pub base_domain: Option<Domain>,
}

/// Whom a host believes.
pub async fn trust(conn: &mut PgConnection, permit: &Permit, host: HostId) -> Result<Option<Trusts>, sqlx::Error> {
    sqlx::query_as!(
        Trusts,
        r#"select trust as "wanted: Json<Trust>", trust_applied as "applied: Json<Trust>",
                  base_domain as "base_domain: Domain"
             from hosts where team_id = $1 and id = $2"#,
        permit.team().0,
        host.0,
    )
    .fetch_optional(conn)
    .await
}

/// Holds a host until the transaction ends: changes of whom it believes come one after the other.
pub async fn hold(conn: &mut PgConnection, permit: &Permit, host: HostId) -> Result<(), sqlx::Error> {
    // Not its key: jobs that refer to the host are asked for meanwhile.
    sqlx::query!("select id from hosts where team_id = $1 and id = $2 for no key update", permit.team().0, host.0)
        .fetch_optional(conn)
        .await
        .map(drop)
}

/// Notes whom a host shall believe.
pub async fn want_trust(
    conn: &mut PgConnection,
    permit: &Permit,
    host: HostId,
    trust: &Trust,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update hosts set trust = $3 where team_id = $1 and id = $2",
        permit.team().0,
        host.0,
        Json(trust) as _
    )
    .execute(conn)
    .await
    .map(drop)
}

/// What is wanted of a host holds from now on; what held before stays known until `settle_trust`.
pub async fn apply_trust(conn: &mut PgConnection, permit: &Permit, host: HostId) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update hosts set trust_former = coalesce(trust_former, trust_applied), trust_applied = trust
          where team_id = $1 and id = $2 and trust_applied <> trust",
        permit.team().0,
        host.0,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Its proxy has it.
pub async fn settle_trust(conn: &mut PgConnection, permit: &Permit, host: HostId) -> Result<(), sqlx::Error> {
    sqlx::query!("update hosts set trust_former = null where team_id = $1 and id = $2", permit.team().0, host.0)
        .execute(conn)
        .await
        .map(drop)
}

/// What held before holds again: its proxy did not take the change.
pub async fn restore_trust(conn: &mut PgConnection, permit: &Permit, host: HostId) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update hosts set trust_applied = trust_former, trust_former = null
          where team_id = $1 and id = $2 and trust_former is not null",
        permit.team().0,
        host.0,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Notes the domain under which a host's apps get addresses.
pub async fn set_base_domain(
    conn: &mut PgConnection,
    permit: &Permit,
    host: HostId,
    domain: Option<&Domain>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update hosts set base_domain = $3 where team_id = $1 and id = $2",
        permit.team().0,
        host.0,
        domain.map(AsRef::as_ref),
    )
    .execute(conn)
    .await
    .map(drop)
}
