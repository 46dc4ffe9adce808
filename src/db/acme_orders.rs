//! Certificates that a team wants, how each stands, and whose turn it is. Not here: what was got (`certificates.rs`), the
//! panel's account (`acme.rs`).

use sqlx::PgConnection;
use sqlx::types::Json;
use time::OffsetDateTime;

use super::Leased;
use crate::domain::acme::{CertName, LETS_ENCRYPT_STAGING, Trouble, names_key};
use crate::domain::ids::{AcmeOrderId, CertificateId, DnsAccountId, JobId, TeamId};
use crate::domain::rights::Permit;

/// A certificate that is wanted.
#[derive(Clone, Debug)]
pub struct Row {
    /// The order.
    pub id: AcmeOrderId,
    /// The names.
    pub names: Vec<String>,
    /// Proves by DNS with this account; without one by HTTP.
    pub dns_account: Option<DnsAccountId>,
    /// What that account is called.
    pub dns_account_name: Option<String>,
    /// Where what was got is kept.
    pub certificate: Option<CertificateId>,
    /// From when what was got is valid.
    pub not_before: Option<OffsetDateTime>,
    /// Until when.
    pub not_after: Option<OffsetDateTime>,
    /// The directory of the authority that gave it; none or empty where nothing is there, or that is not known.
    pub directory: Option<String>,
    /// When the authority wants it renewed.
    pub window_start: Option<OffsetDateTime>,
    /// Until when.
    pub window_end: Option<OffsetDateTime>,
    /// What went wrong last; none where it went well.
    pub trouble: Option<Json<Trouble>>,
    /// Tries in a row that went wrong.
    pub tries: i32,
    /// When it is tried or renewed next; none while it waits for a person.
    pub next_at: Option<OffsetDateTime>,
    /// When it was last tried.
    pub tried_at: Option<OffsetDateTime>,
    /// An order under way at the authority; empty for none.
    pub order_url: String,
    /// The directory it is under way at.
    pub order_directory: String,
    /// The key of its certificate, sealed.
    pub order_key: Option<Vec<u8>>,
    /// The job that waits or runs for it.
    pub job: Option<JobId>,
    /// When it was first wanted.
    pub created_at: OffsetDateTime,
}

impl Row {
    /// True where what is there was given by another authority than the one with this directory.
    pub fn is_of_another_than(&self, directory: &str) -> bool {
        self.directory.as_deref().is_some_and(|of| !of.is_empty() && of != directory)
    }
}

/// The team's orders by their names; or only this one.
pub async fn list(
    conn: &mut PgConnection,
    permit: &Permit,
    only: Option<AcmeOrderId>,
) -> Result<Vec<Row>, sqlx::Error> {
    sqlx::query_as!(
        Row,
        r#"select o.id as "id: AcmeOrderId", o.names, o.dns_account_id as "dns_account: DnsAccountId",
                  d.name as "dns_account_name?", o.certificate_id as "certificate: CertificateId", o.not_before, o.not_after,
                  (select v.directory from certificates c
                     join certificate_versions v on v.team_id = c.team_id and v.id = c.current_id
                    where c.team_id = o.team_id and c.id = o.certificate_id) as directory,
                  o.window_start, o.window_end, o.trouble as "trouble: Json<Trouble>", o.tries, o.next_at, o.tried_at,
                  o.order_url, o.order_directory, o.order_key, o.created_at,
                  (select j.id from jobs j where j.team_id = o.team_id and j.kind = 'obtain_certificate'
                      and j.args->>'order' = o.id::text and j.finished_at is null
                    order by j.created_at desc limit 1) as "job: JobId"
             from acme_orders o left join dns_accounts d on d.team_id = o.team_id and d.id = o.dns_account_id
            where o.team_id = $1 and ($2::uuid is null or o.id = $2) order by o.names, o.id"#,
        permit.team().0,
        only.map(|id| id.0),
    )
    .fetch_all(conn)
    .await
}

/// At most so many of the team's orders from behind this one on: what went wrong first, then by their names.
pub async fn page(
    conn: &mut PgConnection,
    permit: &Permit,
    after: Option<AcmeOrderId>,
    limit: i64,
) -> Result<Vec<Row>, sqlx::Error> {
    sqlx::query_as!(
        Row,
        r#"select o.id as "id: AcmeOrderId", o.names, o.dns_account_id as "dns_account: DnsAccountId",
                  d.name as "dns_account_name?", o.certificate_id as "certificate: CertificateId", o.not_before, o.not_after,
                  (select v.directory from certificates c
                     join certificate_versions v on v.team_id = c.team_id and v.id = c.current_id
                    where c.team_id = o.team_id and c.id = o.certificate_id) as directory,
                  o.window_start, o.window_end, o.trouble as "trouble: Json<Trouble>", o.tries, o.next_at, o.tried_at,
                  o.order_url, o.order_directory, o.order_key, o.created_at,
                  (select j.id from jobs j where j.team_id = o.team_id and j.kind = 'obtain_certificate'
                      and j.args->>'order' = o.id::text and j.finished_at is null
                    order by j.created_at desc limit 1) as "job: JobId"
             from acme_orders o left join dns_accounts d on d.team_id = o.team_id and d.id = o.dns_account_id
            where o.team_id = $1
              and ($2::uuid is null
                   or (o.trouble is null, o.names, o.id) > (select x.trouble is null, x.names, x.id from acme_orders x
                                                             where x.team_id = $1 and x.id = $2))
            order by (o.trouble is null), o.names, o.id limit $3"#,
        permit.team().0,
        after.map(|id| id.0),
        limit,
    )
    .fetch_all(conn)
    .await
}

/// How many the team has.
pub async fn count(conn: &mut PgConnection, permit: &Permit) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(r#"select count(*) as "count!" from acme_orders where team_id = $1"#, permit.team().0)
        .fetch_one(conn)
        .await
}

/// An order for this name, alone or among others.
pub async fn of_name(conn: &mut PgConnection, permit: &Permit, name: &str) -> Result<Option<Row>, sqlx::Error> {
    let id = sqlx::query_scalar!(
        r#"select id as "id: AcmeOrderId" from acme_orders where team_id = $1 and $2 = any(names)
            order by cardinality(names), created_at limit 1"#,
        permit.team().0,
        name,
    );
    match id.fetch_optional(&mut *conn).await? {
        Some(id) => Ok(list(conn, permit, Some(id)).await?.pop()),
        None => Ok(None),
    }
}

/// The order that got this certificate, where one still wants it.
pub async fn of_certificate(
    conn: &mut PgConnection,
    permit: &Permit,
    certificate: CertificateId,
) -> Result<Option<Row>, sqlx::Error> {
    let id = sqlx::query_scalar!(
        r#"select id as "id: AcmeOrderId" from acme_orders where team_id = $1 and certificate_id = $2 limit 1"#,
        permit.team().0,
        certificate.0,
    );
    match id.fetch_optional(&mut *conn).await? {
        Some(id) => Ok(list(conn, permit, Some(id)).await?.pop()),
        None => Ok(None),
    }
}

/// Wants a certificate for these names. False where the team has an order for them already.
pub async fn insert(
    conn: &mut PgConnection,
    permit: &Permit,
    id: AcmeOrderId,
    names: &[CertName],
    dns_account: Option<DnsAccountId>,
) -> Result<bool, sqlx::Error> {
    let texts: Vec<String> = names.iter().map(ToString::to_string).collect();
    let done = sqlx::query!(
        "insert into acme_orders (team_id, id, names, names_key, dns_account_id, next_at)
         values ($1, $2, $3, $4, $5, now()) on conflict (team_id, names_key) do nothing",
        permit.team().0,
        id.0,
        &texts,
        names_key(names),
        dns_account.map(|id| id.0),
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Holds an order until the transaction ends. False where it is gone.
pub async fn lock(conn: &mut PgConnection, permit: &Permit, id: AcmeOrderId) -> Result<bool, sqlx::Error> {
    let row = sqlx::query_scalar!(
        r#"select true as "there!" from acme_orders where team_id = $1 and id = $2 for update"#,
        permit.team().0,
        id.0,
    );
    Ok(row.fetch_optional(conn).await?.is_some())
}

/// Has orders whose account was not accepted tried again, where something was chosen since, and once a day: the cause may be gone,
/// and nobody would ask for each of them.
pub async fn revive(conn: &mut PgConnection, permit: &Permit) -> Result<u64, sqlx::Error> {
    let done = sqlx::query!(
        "update acme_orders o set next_at = now() from acme_settings s
          where o.team_id = $1 and o.next_at is null and o.trouble->>'what' in ('account', 'binding')
            and (o.tried_at < s.changed_at or o.tried_at < now() - interval '1 day')",
        permit.team().0,
    );
    Ok(done.execute(conn).await?.rows_affected())
}

/// Has orders got anew whose certificate another authority gave than the one that is chosen, and those that went wrong at another one: the
/// first at once, many over some minutes, very many as slowly as an authority takes them. None is put off by that. Where one for trials is
/// chosen, those that browsers trust stay until their time. How many are due.
pub async fn make_those_of_others_due(conn: &mut PgConnection, permit: &Permit) -> Result<u64, sqlx::Error> {
    let done = sqlx::query!(
        "with due as (
           select o.id, now() + make_interval(secs => case when n.nth <= 150 then 2 * (n.nth - 1) else 300 + 40 * (n.nth - 150) end) as at
             from acme_orders o
             join (select o.id, row_number() over (order by o.created_at, o.id) as nth
                     from acme_orders o cross join acme_settings s
                     left join certificates c on c.team_id = o.team_id and c.id = o.certificate_id
                     left join certificate_versions v on v.team_id = c.team_id and v.id = c.current_id
                    where o.team_id = $1
                      and case when o.trouble is null then v.directory <> '' and v.directory <> s.directory and s.directory <> $2
                               else o.tried_at < s.directory_at end) n on n.id = o.id
            where o.team_id = $1)
         update acme_orders o set next_at = due.at, tries = 0 from due
          where o.team_id = $1 and o.id = due.id and (o.next_at is null or o.next_at > due.at)",
        permit.team().0,
        LETS_ENCRYPT_STAGING,
    );
    Ok(done.execute(conn).await?.rows_affected())
}

/// Wants it no more.
pub async fn remove(conn: &mut PgConnection, permit: &Permit, id: AcmeOrderId) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!("delete from acme_orders where team_id = $1 and id = $2", permit.team().0, id.0);
    Ok(done.execute(conn).await?.rows_affected() == 1)
}

/// Notes the key that a certificate is to have, before anything is asked for with it.
pub async fn note_key(
    conn: &mut PgConnection,
    permit: &Permit,
    id: AcmeOrderId,
    sealed: &[u8],
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update acme_orders set order_key = $3, order_url = '', order_directory = '', tried_at = now()
          where team_id = $1 and id = $2",
        permit.team().0,
        id.0,
        sealed,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Notes an order under way: a job that is begun again goes on with it.
pub async fn note_order(
    conn: &mut PgConnection,
    permit: &Permit,
    id: AcmeOrderId,
    directory: &str,
    url: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update acme_orders set order_directory = $3, order_url = $4 where team_id = $1 and id = $2",
        permit.team().0,
        id.0,
        directory,
        url,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Notes what was got, and when it is renewed.
pub async fn note_got(
    conn: &mut PgConnection,
    permit: &Permit,
    id: AcmeOrderId,
    certificate: CertificateId,
    valid: (OffsetDateTime, OffsetDateTime),
    renew_at: OffsetDateTime,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update acme_orders
            set certificate_id = $3, not_before = $4, not_after = $5, next_at = $6, window_start = null, window_end = null,
                trouble = null, tries = 0, tried_at = now(), order_url = '', order_directory = '', order_key = null
          where team_id = $1 and id = $2",
        permit.team().0,
        id.0,
        certificate.0,
        valid.0,
        valid.1,
        renew_at,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Takes over what is kept already: nothing was tried for it.
pub async fn bind(
    conn: &mut PgConnection,
    permit: &Permit,
    id: AcmeOrderId,
    certificate: CertificateId,
    valid: (OffsetDateTime, OffsetDateTime),
    renew_at: OffsetDateTime,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update acme_orders set certificate_id = $3, not_before = $4, not_after = $5, next_at = $6
          where team_id = $1 and id = $2",
        permit.team().0,
        id.0,
        certificate.0,
        valid.0,
        valid.1,
        renew_at,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Whether this job got it already: its worker died after that was written down.
pub async fn was_got_by(
    conn: &mut PgConnection,
    permit: &Permit,
    id: AcmeOrderId,
    job: JobId,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select exists (
             select from acme_orders o join jobs j on j.team_id = o.team_id and j.id = $3
              where o.team_id = $1 and o.id = $2 and o.certificate_id is not null and o.trouble is null
                and o.order_key is null and o.tried_at >= j.created_at) as "got!""#,
        permit.team().0,
        id.0,
        job.0,
    )
    .fetch_one(conn)
    .await
}

/// Notes what went wrong, and when it is tried again: after so many seconds, or when a person asks. An order at the authority
/// that came to nothing is let go of.
pub async fn note_trouble(
    conn: &mut PgConnection,
    permit: &Permit,
    id: AcmeOrderId,
    trouble: &Trouble,
    after_s: Option<f64>,
    over: bool,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update acme_orders
            set trouble = $3, tries = tries + 1, tried_at = now(), next_at = now() + make_interval(secs => $4),
                order_url = case when $5 then '' else order_url end,
                order_directory = case when $5 then '' else order_directory end,
                order_key = case when $5 then null else order_key end
          where team_id = $1 and id = $2",
        permit.team().0,
        id.0,
        Json(trouble) as _,
        after_s,
        over,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Notes when the authority wants it renewed, and when that is looked at or done next.
pub async fn note_window(
    conn: &mut PgConnection,
    permit: &Permit,
    id: AcmeOrderId,
    window: Option<(OffsetDateTime, OffsetDateTime)>,
    next_at: OffsetDateTime,
) -> Result<(), sqlx::Error> {
    let (start, end) = window.unzip();
    sqlx::query!(
        "update acme_orders set window_start = $3, window_end = $4, next_at = $5
          where team_id = $1 and id = $2 and trouble is null",
        permit.team().0,
        id.0,
        start,
        end,
        next_at,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Puts it off for so many seconds: nothing was tried.
pub async fn put_off(
    conn: &mut PgConnection,
    permit: &Permit,
    id: AcmeOrderId,
    after_s: f64,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update acme_orders set next_at = now() + make_interval(secs => $3) where team_id = $1 and id = $2",
        permit.team().0,
        id.0,
        after_s,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Makes it due now: a person asked.
pub async fn make_due(conn: &mut PgConnection, permit: &Permit, id: AcmeOrderId) -> Result<(), sqlx::Error> {
    sqlx::query!("update acme_orders set next_at = now() where team_id = $1 and id = $2", permit.team().0, id.0)
        .execute(conn)
        .await
        .map(drop)
}

/// Makes those due now whose record this account did not take, or put where nobody sees it: it was changed since.
pub async fn make_due_again(
    conn: &mut PgConnection,
    permit: &Permit,
    account: DnsAccountId,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update acme_orders set next_at = now(), tries = 0
          where team_id = $1 and dns_account_id = $2 and trouble->>'what' in ('dns_account', 'not_seen')",
        permit.team().0,
        account.0,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// The database's time.
pub async fn now(conn: &mut PgConnection) -> Result<OffsetDateTime, sqlx::Error> {
    sqlx::query_scalar!(r#"select now() as "now!""#).fetch_one(conn).await
}

/// Takes the turn of one order that is due, across teams; it comes again an hour later if nothing comes of it. From here on
/// the transaction sees that order's team.
pub async fn take_turn(conn: &mut PgConnection) -> Result<Option<(Leased, AcmeOrderId)>, sqlx::Error> {
    let row = sqlx::query!(
        r#"update acme_turns set due_at = now() + interval '1 hour'
            where (team_id, order_id) in (
              select team_id, order_id from acme_turns where due_at <= now()
               order by due_at limit 1 for update skip locked)
           returning team_id as "team: TeamId", order_id as "id: AcmeOrderId""#,
    )
    .fetch_optional(&mut *conn)
    .await?;
    let Some(row) = row else { return Ok(None) };
    sqlx::query!("select set_config('skiff.team', $1, true)", row.team.to_string()).fetch_one(conn).await?;
    Ok(Some((Leased::of(row.team), row.id)))
}

/// Takes the turn of teams whose certificates are to be held against their routes: each a quarter of a day later again.
pub async fn teams_due(conn: &mut PgConnection, limit: i64) -> Result<Vec<Leased>, sqlx::Error> {
    let rows = sqlx::query_scalar!(
        r#"update teams set acme_at = now() + interval '6 hours' * (0.95 + 0.1 * random())
            where id in (select id from teams where acme_at <= now() order by acme_at limit $1 for update skip locked)
           returning id as "id: TeamId""#,
        limit,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(Leased::of).collect())
}
