//! Certificates, their sealed versions, and what was brought to which host. Not here: sealing, opening, and what is in one.

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::certificate_ends;
use crate::domain::certificate::{Candidate, Facts, Origin};
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
    certificate_ends::note(&mut *conn, permit, facts.not_after).await?;
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

/// Notes which authority gave a version, by its directory.
pub async fn note_directory(
    conn: &mut PgConnection,
    permit: &Permit,
    version: Uuid,
    directory: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update certificate_versions set directory = $3 where team_id = $1 and id = $2",
        permit.team().0,
        version,
        directory,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// The team's certificates that another authority gave than the one with this directory.
pub async fn of_others(
    conn: &mut PgConnection,
    permit: &Permit,
    directory: &str,
) -> Result<Vec<CertificateId>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select c.id as "id: CertificateId"
             from certificates c join certificate_versions v on v.team_id = c.team_id and v.id = c.current_id
            where c.team_id = $1 and v.directory <> '' and v.directory <> $2"#,
        permit.team().0,
        directory,
    )
    .fetch_all(conn)
    .await
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
                  v.fingerprint, v.not_before, v.not_after, c.created_at
             from certificates c join certificate_versions v on v.team_id = c.team_id and v.id = c.current_id
            where c.team_id = $1 and ($2::uuid is null or c.id = $2) order by c.names, c.created_at, c.id"#,
        permit.team().0,
        only.map(|id| id.0),
    )
    .fetch_all(conn)
    .await
}

/// At most so many of the team's certificates, by their names, from behind this one on.
pub async fn page(
    conn: &mut PgConnection,
    permit: &Permit,
    after: Option<CertificateId>,
    limit: i64,
) -> Result<Vec<Row>, sqlx::Error> {
    sqlx::query_as!(
        Row,
        r#"select c.id as "id: CertificateId", c.names, c.origin as "origin: Origin", v.id as version, v.issuer, v.serial,
                  v.fingerprint, v.not_before, v.not_after, c.created_at
             from certificates c join certificate_versions v on v.team_id = c.team_id and v.id = c.current_id
            where c.team_id = $1
              and ($2::uuid is null
                   or (c.names, c.id) > (select x.names, x.id from certificates x where x.team_id = $1 and x.id = $2))
            order by c.names, c.id limit $3"#,
        permit.team().0,
        after.map(|id| id.0),
        limit,
    )
    .fetch_all(conn)
    .await
}

/// These of the team's certificates.
pub async fn some(conn: &mut PgConnection, permit: &Permit, ids: &[CertificateId]) -> Result<Vec<Row>, sqlx::Error> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    sqlx::query_as!(
        Row,
        r#"select c.id as "id: CertificateId", c.names, c.origin as "origin: Origin", v.id as version, v.issuer, v.serial,
                  v.fingerprint, v.not_before, v.not_after, c.created_at
             from certificates c join certificate_versions v on v.team_id = c.team_id and v.id = c.current_id
            where c.team_id = $1 and c.id = any($2) order by c.names, c.created_at, c.id"#,
        permit.team().0,
        &ids,
    )
    .fetch_all(conn)
    .await
}

/// Of these certificates, those that a host does not have as they are now: another version was noted, or none, or it is among those
/// that got `lost`.
pub async fn lacking(
    conn: &mut PgConnection,
    permit: &Permit,
    host: HostId,
    wanted: &[CertificateId],
    lost: &[CertificateId],
) -> Result<Vec<Row>, sqlx::Error> {
    let uuids = |ids: &[CertificateId]| -> Vec<Uuid> { ids.iter().map(|id| id.0).collect() };
    // What is noted is looked up for each, not joined: where the tables were not analysed yet, a join holds every one against every other.
    sqlx::query_as!(
        Row,
        r#"select c.id as "id: CertificateId", c.names, c.origin as "origin: Origin", v.id as version, v.issuer, v.serial,
                  v.fingerprint, v.not_before, v.not_after, c.created_at
             from certificates c join certificate_versions v on v.team_id = c.team_id and v.id = c.current_id
            where c.team_id = $1 and c.id = any($3)
              and (c.id = any($4) or v.fingerprint is distinct from
                   (select l.fingerprint from ledger_certificates l
                     where l.team_id = c.team_id and l.host_id = $2 and l.certificate_id = c.id))
            order by c.names, c.created_at, c.id"#,
        permit.team().0,
        host.0,
        &uuids(wanted),
        &uuids(lost),
    )
    .fetch_all(conn)
    .await
}

/// Of these certificates, those that a host has as they are now, as far as is noted: file and running proxy.
pub async fn noted(
    conn: &mut PgConnection,
    permit: &Permit,
    host: HostId,
    ids: &[CertificateId],
) -> Result<Vec<Row>, sqlx::Error> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    sqlx::query_as!(
        Row,
        r#"select c.id as "id: CertificateId", c.names, c.origin as "origin: Origin", v.id as version, v.issuer, v.serial,
                  v.fingerprint, v.not_before, v.not_after, c.created_at
             from certificates c join certificate_versions v on v.team_id = c.team_id and v.id = c.current_id
            where c.team_id = $1 and c.id = any($3)
              and v.fingerprint = (select l.fingerprint from ledger_certificates l
                                    where l.team_id = c.team_id and l.host_id = $2 and l.certificate_id = c.id)
            order by c.names, c.created_at, c.id"#,
        permit.team().0,
        host.0,
        &ids,
    )
    .fetch_all(conn)
    .await
}

/// What is needed to choose among the team's certificates.
pub async fn candidates(conn: &mut PgConnection, permit: &Permit) -> Result<Vec<Candidate>, sqlx::Error> {
    sqlx::query_as!(
        Candidate,
        r#"select c.id as "id: CertificateId", c.names, v.not_after
             from certificates c join certificate_versions v on v.team_id = c.team_id and v.id = c.current_id
            where c.team_id = $1"#,
        permit.team().0,
    )
    .fetch_all(conn)
    .await
}

/// A certificate of the team that is this very one, or that a person brought for the same names; the former first.
pub async fn alike(
    conn: &mut PgConnection,
    permit: &Permit,
    facts: &Facts,
) -> Result<Option<(CertificateId, String)>, sqlx::Error> {
    let row = sqlx::query!(
        r#"select c.id as "id: CertificateId", v.fingerprint
             from certificates c join certificate_versions v on v.team_id = c.team_id and v.id = c.current_id
            where c.team_id = $1 and (v.fingerprint = $2 or c.origin = 'uploaded' and c.names = $3)
            order by (v.fingerprint = $2) desc, c.created_at, c.id limit 1"#,
        permit.team().0,
        facts.fingerprint,
        &facts.names,
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| (row.id, row.fingerprint)))
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

/// Removes certificates of an authority that no order wants and nothing needs: they have expired; or no name of theirs leads anywhere,
/// and two thirds of their lives are over; or for each of their names there is another one that is renewed and good for longer. How many.
pub async fn remove_unwanted(conn: &mut PgConnection, permit: &Permit) -> Result<u64, sqlx::Error> {
    let ids = sqlx::query_scalar!(
        r#"select c.id
             from certificates c join certificate_versions v on v.team_id = c.team_id and v.id = c.current_id
            where c.team_id = $1 and c.origin = 'acme'
              and not exists (select from acme_orders o where o.team_id = $1 and o.certificate_id = c.id)
              and (v.not_after <= now()
                or now() > v.not_before + (v.not_after - v.not_before) * (2.0 / 3)::float8
                   and not exists (
                     select from (select domain from routes where team_id = $1
                                  union all select domain from panel_addresses where owner_team = $1) w
                      where w.domain = any(c.names) or '*' || substring(w.domain from position('.' in w.domain)) = any(c.names))
                or cardinality(c.names) > 0 and not exists (
                     select from unnest(c.names) one (name) where not exists (
                       select from acme_orders o
                         join certificates k on k.team_id = o.team_id and k.id = o.certificate_id
                         join certificate_versions n on n.team_id = k.team_id and n.id = k.current_id
                        where o.team_id = $1 and one.name = any(k.names) and n.not_after > now() and n.not_after >= v.not_after)))"#,
        permit.team().0,
    )
    .fetch_all(&mut *conn)
    .await?;
    if ids.is_empty() {
        return Ok(0);
    }
    sqlx::query!(
        "update certificates set current_id = null where team_id = $1 and id = any($2)",
        permit.team().0,
        &ids
    )
    .execute(&mut *conn)
    .await?;
    let done = sqlx::query!("delete from certificates where team_id = $1 and id = any($2)", permit.team().0, &ids);
    Ok(done.execute(conn).await?.rows_affected())
}

/// What is of these certificates on the team's hosts.
pub async fn installed(
    conn: &mut PgConnection,
    permit: &Permit,
    ids: &[CertificateId],
) -> Result<Vec<Installed>, sqlx::Error> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    sqlx::query_as!(
        Installed,
        r#"select l.certificate_id as "certificate: CertificateId", l.host_id as "host: HostId", h.name as host_name,
                  l.fingerprint, l.installed_at as at, l.trouble
             from ledger_certificates l join hosts h on h.team_id = l.team_id and h.id = l.host_id
            where l.team_id = $1 and l.certificate_id = any($2) order by h.name, l.certificate_id"#,
        permit.team().0,
        &ids,
    )
    .fetch_all(conn)
    .await
}

/// The certificates that are on a host, or were to be.
pub async fn on_host(
    conn: &mut PgConnection,
    permit: &Permit,
    host: HostId,
) -> Result<Vec<CertificateId>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select certificate_id as "id: CertificateId" from ledger_certificates where team_id = $1 and host_id = $2"#,
        permit.team().0,
        host.0,
    )
    .fetch_all(conn)
    .await
}

/// Notes that versions were brought to a host, by their certificates and fingerprints.
pub async fn note_installed(
    conn: &mut PgConnection,
    permit: &Permit,
    host: HostId,
    brought: &[(CertificateId, &str)],
) -> Result<(), sqlx::Error> {
    let (ids, fingerprints): (Vec<Uuid>, Vec<String>) =
        brought.iter().map(|(id, fingerprint)| (id.0, (*fingerprint).to_owned())).unzip();
    sqlx::query!(
        "insert into ledger_certificates (team_id, host_id, certificate_id, fingerprint, installed_at)
         select $1, $2, b.id, b.fingerprint, now() from unnest($3::uuid[], $4::text[]) b (id, fingerprint)
         on conflict (team_id, host_id, certificate_id)
         do update set fingerprint = excluded.fingerprint, installed_at = now(), trouble = ''",
        permit.team().0,
        host.0,
        &ids,
        &fingerprints,
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

/// Forgets certificates that are gone from a host, or are to be brought anew.
pub async fn forget(
    conn: &mut PgConnection,
    permit: &Permit,
    host: HostId,
    ids: &[CertificateId],
) -> Result<(), sqlx::Error> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    sqlx::query!(
        "delete from ledger_certificates where team_id = $1 and host_id = $2 and certificate_id = any($3)",
        permit.team().0,
        host.0,
        &ids,
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
