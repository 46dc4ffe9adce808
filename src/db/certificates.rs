//! Certificates, their sealed versions, and what was brought to which host. Not here: sealing, opening, and what is in one.

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::domain::certificate::{Facts, Origin};
use crate::domain::ids::{CertificateId, HostId};
use crate::domain::rights::Permit;

/// A certificate, and the version of it that is served.
#[derive(Clone, Debug)]
pub struct Row {
    /// The certificate.
    pub id: CertificateId,
    /// The names it is for.
    pub names: Vec<String>,
    /// Where it comes from.
    pub origin: Origin,
    /// The version that is served.
    pub version: Uuid,
    /// Who issued it.
    pub issuer: String,
    /// Its serial number, hex.
    pub serial: String,
    /// The SHA-256 of the certificate, hex.
    pub fingerprint: String,
    /// From when it is valid.
    pub not_before: OffsetDateTime,
    /// Until when.
    pub not_after: OffsetDateTime,
    /// When this version came.
    pub version_at: OffsetDateTime,
    /// When the certificate was first stored.
    pub created_at: OffsetDateTime,
}

/// A certificate on a host.
#[derive(Clone, Debug)]
pub struct Installed {
    /// The certificate.
    pub certificate: CertificateId,
    /// The host.
    pub host: HostId,
    /// The host's name.
    pub host_name: String,
    /// The fingerprint of what was brought last; empty before anything was.
    pub fingerprint: String,
    /// When.
    pub at: Option<OffsetDateTime>,
    /// Why the last try failed; empty where it did not.
    pub trouble: String,
}

/// Makes a certificate that has no version yet: [`add_version`] gives it one in the same transaction.
pub async fn insert(
    conn: &mut PgConnection,
    permit: &Permit,
    id: CertificateId,
    origin: Origin,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into certificates (team_id, id, origin) values ($1, $2, $3)",
        permit.team().0,
        id.0,
        origin.as_str(),
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Adds a version, sealed by the caller, and makes it the one that is served. False where the certificate is gone.
pub async fn add_version(
    conn: &mut PgConnection,
    permit: &Permit,
    id: CertificateId,
    version: Uuid,
    facts: &Facts,
    sealed: &[u8],
) -> Result<bool, sqlx::Error> {
    let there = sqlx::query_scalar!(
        r#"select true as "there!" from certificates where team_id = $1 and id = $2 for update"#,
        permit.team().0,
        id.0,
    )
    .fetch_optional(&mut *conn)
    .await?;
    if there.is_none() {
        return Ok(false);
    }
    sqlx::query!(
        "insert into certificate_versions
                (team_id, id, certificate_id, sealed, names, issuer, serial, fingerprint, not_before, not_after)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        permit.team().0,
        version,
        id.0,
        sealed,
        &facts.names,
        facts.issuer,
        facts.serial,
        facts.fingerprint,
        facts.not_before,
        facts.not_after,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "update certificates set current_id = $3, names = $4 where team_id = $1 and id = $2",
        permit.team().0,
        id.0,
        version,
        &facts.names,
    )
    .execute(&mut *conn)
    .await?;
    // The one before stays, for whoever looks back; older keys are not kept.
    sqlx::query!(
        "delete from certificate_versions v where v.team_id = $1 and v.certificate_id = $2 and v.id <> $3
            and v.id not in (select o.id from certificate_versions o
                              where o.team_id = $1 and o.certificate_id = $2 and o.id <> $3
                              order by o.created_at desc limit 1)",
        permit.team().0,
        id.0,
        version,
    )
    .execute(conn)
    .await?;
    Ok(true)
}

/// The team's certificates that have a version, by their names; or only this one.
pub async fn list(
    conn: &mut PgConnection,
    permit: &Permit,
    only: Option<CertificateId>,
) -> Result<Vec<Row>, sqlx::Error> {
    sqlx::query_as!(
        Row,
        r#"select c.id as "id: CertificateId", c.names, c.origin as "origin: Origin", v.id as version, v.issuer, v.serial,
                  v.fingerprint, v.not_before, v.not_after, v.created_at as version_at, c.created_at
             from certificates c join certificate_versions v on v.team_id = c.team_id and v.id = c.current_id
            where c.team_id = $1 and ($2::uuid is null or c.id = $2) order by c.names, c.created_at, c.id"#,
        permit.team().0,
        only.map(|id| id.0),
    )
    .fetch_all(conn)
    .await
}

/// The sealed PEM texts of these versions.
pub async fn sealed(
    conn: &mut PgConnection,
    permit: &Permit,
    versions: &[Uuid],
) -> Result<Vec<(Uuid, Vec<u8>)>, sqlx::Error> {
    let rows = sqlx::query!(
        "select id, sealed from certificate_versions where team_id = $1 and id = any($2)",
        permit.team().0,
        versions,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.sealed)).collect())
}

/// The sealed PEM texts of all versions that are kept: whoever writes a text for others takes their keys out of it.
pub async fn all_sealed(conn: &mut PgConnection, permit: &Permit) -> Result<Vec<(Uuid, Vec<u8>)>, sqlx::Error> {
    let rows = sqlx::query!("select id, sealed from certificate_versions where team_id = $1", permit.team().0)
        .fetch_all(conn)
        .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.sealed)).collect())
}

/// Removes a certificate and all its versions. False where it is gone.
pub async fn remove(conn: &mut PgConnection, permit: &Permit, id: CertificateId) -> Result<bool, sqlx::Error> {
    sqlx::query!("update certificates set current_id = null where team_id = $1 and id = $2", permit.team().0, id.0)
        .execute(&mut *conn)
        .await?;
    let done = sqlx::query!("delete from certificates where team_id = $1 and id = $2", permit.team().0, id.0)
        .execute(conn)
        .await?;
    Ok(done.rows_affected() == 1)
}

/// What is on the team's hosts; or on this one only.
pub async fn installed(
    conn: &mut PgConnection,
    permit: &Permit,
    host: Option<HostId>,
) -> Result<Vec<Installed>, sqlx::Error> {
    sqlx::query_as!(
        Installed,
        r#"select l.certificate_id as "certificate: CertificateId", l.host_id as "host: HostId", h.name as host_name,
                  l.fingerprint, l.installed_at as at, l.trouble
             from ledger_certificates l join hosts h on h.team_id = l.team_id and h.id = l.host_id
            where l.team_id = $1 and ($2::uuid is null or l.host_id = $2) order by h.name, l.certificate_id"#,
        permit.team().0,
        host.map(|host| host.0),
    )
    .fetch_all(conn)
    .await
}

/// Notes that a version was brought to a host.
pub async fn note_installed(
    conn: &mut PgConnection,
    permit: &Permit,
    host: HostId,
    id: CertificateId,
    fingerprint: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into ledger_certificates (team_id, host_id, certificate_id, fingerprint, installed_at)
         values ($1, $2, $3, $4, now())
         on conflict (team_id, host_id, certificate_id)
         do update set fingerprint = excluded.fingerprint, installed_at = now(), trouble = ''",
        permit.team().0,
        host.0,
        id.0,
        fingerprint,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Notes why a certificate could not be brought to a host.
pub async fn note_trouble(
    conn: &mut PgConnection,
    permit: &Permit,
    host: HostId,
    id: CertificateId,
    trouble: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into ledger_certificates (team_id, host_id, certificate_id, trouble) values ($1, $2, $3, $4)
         on conflict (team_id, host_id, certificate_id) do update set trouble = excluded.trouble",
        permit.team().0,
        host.0,
        id.0,
        trouble,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Forgets a certificate that is gone from a host.
pub async fn forget(
    conn: &mut PgConnection,
    permit: &Permit,
    host: HostId,
    id: CertificateId,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "delete from ledger_certificates where team_id = $1 and host_id = $2 and certificate_id = $3",
        permit.team().0,
        host.0,
        id.0,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// The team's hosts whose proxies serve HTTPS now.
pub async fn hosts(conn: &mut PgConnection, permit: &Permit) -> Result<Vec<(HostId, String)>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"select id as "id: HostId", name from hosts
            where team_id = $1 and proxy_https_port is not null order by name"#,
        permit.team().0,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.name)).collect())
}
