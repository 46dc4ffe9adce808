//! Hosts that renew their certificates themselves while the panel is gone. Not here: what is written there (`domain/certificate`).

use sqlx::PgConnection;

use crate::domain::ids::{CertificateId, HostId};
use crate::domain::rights::Permit;

/// What a host has for it.
#[derive(Clone, Debug)]
pub struct Row {
    /// The digest of what was written there last; empty before it was all there.
    pub digest: String,
    /// Why the last try to set it up failed; empty where it did not.
    pub trouble: String,
}

/// A certificate that a host may renew.
#[derive(Clone, Debug)]
pub struct Renewable {
    /// The certificate.
    pub certificate: CertificateId,
    /// Its names.
    pub names: Vec<String>,
}

/// What this host has for it; none where nothing was ever made there.
pub async fn get(conn: &mut PgConnection, permit: &Permit, host: HostId) -> Result<Option<Row>, sqlx::Error> {
    sqlx::query_as!(
        Row,
        "select digest, trouble from host_renewals where team_id = $1 and host_id = $2",
        permit.team().0,
        host.0,
    )
    .fetch_optional(conn)
    .await
}

/// The certificates that this host may renew: proven by HTTP with an account that nothing binds, there and on no other host of the team,
/// and for names that lead to no other.
pub async fn renewable(conn: &mut PgConnection, permit: &Permit, host: HostId) -> Result<Vec<Renewable>, sqlx::Error> {
    sqlx::query_as!(
        Renewable,
        r#"select o.certificate_id as "certificate!: CertificateId", o.names
             from acme_orders o join acme_settings s on s.eab_id = ''
            where o.team_id = $1 and o.dns_account_id is null and o.certificate_id is not null
              and not exists (select from unnest(o.names) n where n like '*%')
              and exists (select from ledger_certificates l where l.team_id = $1 and l.host_id = $2
                             and l.certificate_id = o.certificate_id)
              and not exists (select from ledger_certificates l where l.team_id = $1 and l.host_id <> $2
                                 and l.certificate_id = o.certificate_id)
              and not exists (select from routes r join apps a on a.team_id = r.team_id and a.id = r.app_id,
                                     jsonb_array_elements(a.placement) p
                               where r.team_id = $1 and r.domain = any(o.names) and p->>'host' <> ($2::uuid)::text)
              and not exists (select from panel_addresses p where p.domain = any(o.names) and p.host_id <> $2)
            order by o.names"#,
        permit.team().0,
        host.0,
    )
    .fetch_all(conn)
    .await
}

/// Whether something is to be done on this host: it has certificates that were got by themselves, or had, or their names lead elsewhere by now.
pub async fn concerns(conn: &mut PgConnection, permit: &Permit, host: HostId) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select exists (select from host_renewals where team_id = $1 and host_id = $2)
               or exists (select from ledger_certificates l
                            join certificates c on c.team_id = l.team_id and c.id = l.certificate_id and c.origin = 'acme'
                           where l.team_id = $1 and l.host_id = $2) as "concerns!""#,
        permit.team().0,
        host.0,
    )
    .fetch_one(conn)
    .await
}

/// Notes that something will be made on this host, before it is: whatever becomes of that, it can be taken away.
pub async fn begin(conn: &mut PgConnection, permit: &Permit, host: HostId) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into host_renewals (team_id, host_id) values ($1, $2)
         on conflict (team_id, host_id) do update set digest = ''",
        permit.team().0,
        host.0,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Notes what is there now.
pub async fn note_set(conn: &mut PgConnection, permit: &Permit, host: HostId, digest: &str) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update host_renewals set digest = $3, trouble = '', visited_at = now() where team_id = $1 and host_id = $2",
        permit.team().0,
        host.0,
        digest,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Notes why it could not be made.
pub async fn note_trouble(
    conn: &mut PgConnection,
    permit: &Permit,
    host: HostId,
    trouble: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update host_renewals set trouble = $3 where team_id = $1 and host_id = $2",
        permit.team().0,
        host.0,
        trouble,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Notes that the host has seen the panel, which has seen what the host renewed.
pub async fn note_visit(conn: &mut PgConnection, permit: &Permit, host: HostId) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update host_renewals set visited_at = now() where team_id = $1 and host_id = $2",
        permit.team().0,
        host.0,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Forgets it: nothing of it is on the host any more.
pub async fn forget(conn: &mut PgConnection, permit: &Permit, host: HostId) -> Result<(), sqlx::Error> {
    sqlx::query!("delete from host_renewals where team_id = $1 and host_id = $2", permit.team().0, host.0)
        .execute(conn)
        .await
        .map(drop)
}

/// The hosts that have this certificate and may have renewed it: they have not seen the panel for two days.
pub async fn may_have_renewed(
    conn: &mut PgConnection,
    permit: &Permit,
    certificate: CertificateId,
) -> Result<Vec<HostId>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select r.host_id as "host: HostId" from host_renewals r
             join ledger_certificates l on l.team_id = r.team_id and l.host_id = r.host_id and l.certificate_id = $2
            where r.team_id = $1 and r.visited_at < now() - interval '2 days'"#,
        permit.team().0,
        certificate.0,
    )
    .fetch_all(conn)
    .await
}
