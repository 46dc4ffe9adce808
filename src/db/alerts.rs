//! Alerts: what is wrong now, and what was; and what of hosts is needed to decide it. Not here: deciding.

use sqlx::PgConnection;
use sqlx::types::Json;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::domain::ids::{AcmeOrderId, AlertId, CertificateId, HostId, ProjectId};
use crate::domain::notice::{Detail, Kind};
use crate::domain::rights::Permit;

/// A host that does not answer.
pub const HOST_DOWN: &str = "host_down";
/// No host answers: the panel's own network. Its subject is the team.
pub const NOBODY_ANSWERS: &str = "nobody_answers";
/// A certificate that cannot be had, or runs out.
pub const CERTIFICATE: &str = "certificate";

/// Trouble that begins.
#[derive(Clone, Debug)]
pub struct New<'a> {
    /// What kind: one of those above.
    pub kind: &'static str,
    /// The kind of thing it is with: `host`.
    pub subject_kind: &'static str,
    /// The thing.
    pub subject: Uuid,
    /// Its name, now.
    pub name: &'a str,
    /// Why, where it is known.
    pub cause: &'a str,
    /// The project it belongs to, where it belongs to one.
    pub project: Option<ProjectId>,
}

/// An alert in a list.
#[derive(Clone, Debug)]
pub struct Row {
    /// The alert.
    pub id: AlertId,
    /// What kind.
    pub kind: String,
    /// The kind of thing it is with.
    pub subject_kind: String,
    /// The thing.
    pub subject: Uuid,
    /// The project it belongs to, where it belongs to one.
    pub project: Option<ProjectId>,
    /// Its name at that time.
    pub subject_name: String,
    /// Why.
    pub cause: String,
    /// Since when.
    pub opened_at: OffsetDateTime,
    /// Until when; none while it lasts.
    pub closed_at: Option<OffsetDateTime>,
}

/// What was seen of one host lately.
#[derive(Clone, Debug)]
pub struct HostSeen {
    /// The host.
    pub host: HostId,
    /// Its name.
    pub name: String,
    /// Where it is reached.
    pub address: String,
    /// Why it does not answer.
    pub note: String,
    /// Looks in a row in vain.
    pub failures: i32,
    /// Seconds since the first of them.
    pub failing_s: i64,
    /// Looks in a row that were answered.
    pub answers: i32,
    /// Seconds since the first of them.
    pub answering_s: i64,
    /// An alert of it is open.
    pub told: bool,
}

/// What is open of the panel's own network.
#[derive(Clone, Copy, Debug)]
pub struct NetworkSeen {
    /// No host answers, and that was told.
    pub gone: bool,
    /// Seconds since it was back, where it was ever gone.
    pub back_s: Option<i64>,
}

/// Opens an alert; false where one of its kind is open for this thing.
pub async fn open(conn: &mut PgConnection, permit: &Permit, new: &New<'_>) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "insert into alerts (team_id, id, kind, subject_kind, subject_id, subject_name, cause, project_id)
         values ($1, $2, $3, $4, $5, $6, $7, $8)
         on conflict (team_id, kind, subject_id) where closed_at is null do nothing",
        permit.team().0,
        Uuid::now_v7(),
        new.kind,
        new.subject_kind,
        new.subject,
        new.name,
        new.cause,
        new.project.map(|id| id.0),
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Closes what is open of this kind for this thing; false where nothing is.
pub async fn close(conn: &mut PgConnection, permit: &Permit, kind: &str, subject: Uuid) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "update alerts set closed_at = now() where team_id = $1 and kind = $2 and subject_id = $3 and closed_at is null",
        permit.team().0,
        kind,
        subject,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Writes down that something happened, to be told to whoever wants to know: in the caller's transaction.
pub async fn happened(
    conn: &mut PgConnection,
    permit: &Permit,
    kind: Kind,
    project: Option<ProjectId>,
    detail: &Detail,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "select skiff_happened($1, $2, null, $3, $4)",
        permit.team().0,
        kind.slug(),
        project.map(|id| id.0),
        Json(detail) as _,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Why a certificate needs somebody.
#[derive(Clone, Copy, Debug)]
pub struct Needs<'a> {
    /// Why, and what to try.
    pub cause: &'a str,
    /// How far it has come: each stage is told once. Empty for trouble without stages.
    pub stage: &'a str,
    /// Whether a person brought it.
    pub uploaded: bool,
}

/// The stage of trouble in which nothing goes on before a person has done something.
pub const PERSON: &str = "person";

/// What becomes of a certificate: trouble is told when it begins, when it has come to another stage, and when it is over; the same trouble
/// again, or another one in its place, says nothing new, and what is shown is the latest. Whoever looks after certificates calls this in
/// the transaction in which it finds out; `needs` is none where all is well.
pub async fn certificate(
    conn: &mut PgConnection,
    permit: &Permit,
    certificate: Uuid,
    names: &[String],
    needs: Option<Needs<'_>>,
) -> Result<(), sqlx::Error> {
    let is_news = match needs {
        Some(needs) => is_news(&mut *conn, permit, certificate, names, &needs).await?,
        None => close(&mut *conn, permit, CERTIFICATE, certificate).await?,
    };
    if is_news { tell(conn, permit, names, needs).await } else { Ok(()) }
}

/// Notes trouble, and says whether it is to be told.
async fn is_news(
    conn: &mut PgConnection,
    permit: &Permit,
    subject: Uuid,
    names: &[String],
    needs: &Needs<'_>,
) -> Result<bool, sqlx::Error> {
    let known = sqlx::query!(
        "select cause, stage from alerts
          where team_id = $1 and kind = $2 and subject_id = $3 and closed_at is null for update",
        permit.team().0,
        CERTIFICATE,
        subject,
    )
    .fetch_optional(&mut *conn)
    .await?;
    // What was told in the same words before there were stages is told.
    let told = known.as_ref().is_some_and(|known| {
        needs.stage.is_empty() || known.stage == needs.stage || known.stage.is_empty() && known.cause == needs.cause
    });
    let mut is_news = false;
    if !told {
        // It is no better: what was told before ends without news.
        close(&mut *conn, permit, CERTIFICATE, subject).await?;
        let name = names.first().map(String::as_str).unwrap_or_default();
        let project = project_of(&mut *conn, permit, names).await?;
        let (kind, subject_kind, cause) = (CERTIFICATE, "certificate", needs.cause);
        is_news = open(&mut *conn, permit, &New { kind, subject_kind, subject, name, cause, project }).await?;
    }
    sqlx::query!(
        "update alerts set cause = $4, stage = case when $5 = '' then stage else $5 end
          where team_id = $1 and kind = $2 and subject_id = $3 and closed_at is null
            and (cause <> $4 or $5 not in ('', stage))",
        permit.team().0,
        CERTIFICATE,
        subject,
        needs.cause,
        needs.stage,
    )
    .execute(conn)
    .await?;
    Ok(is_news)
}

/// Tells of it.
async fn tell(
    conn: &mut PgConnection,
    permit: &Permit,
    names: &[String],
    needs: Option<Needs<'_>>,
) -> Result<(), sqlx::Error> {
    let project = project_of(&mut *conn, permit, names).await?;
    let (cause, uploaded) = needs.map(|needs| (needs.cause.to_owned(), needs.uploaded)).unwrap_or_default();
    let detail = Detail { domain: names.first().cloned().unwrap_or_default(), cause, uploaded, ..Detail::default() };
    happened(conn, permit, Kind::Certificate, project, &detail).await
}

/// A certificate was got: what was wrong with the order, and with what it had got before, is over, and that is told once.
pub async fn got(
    conn: &mut PgConnection,
    permit: &Permit,
    (order, certificate): (AcmeOrderId, CertificateId),
    names: &[String],
) -> Result<(), sqlx::Error> {
    let not_had = close(&mut *conn, permit, CERTIFICATE, order.0).await?;
    let ran_out = close(&mut *conn, permit, CERTIFICATE, certificate.0).await?;
    if not_had || ran_out { tell(conn, permit, names, None).await } else { Ok(()) }
}

/// The project that all routes under these names belong to, where they are one's. Stars, and the panel's own name, are the team's.
async fn project_of(
    conn: &mut PgConnection,
    permit: &Permit,
    names: &[String],
) -> Result<Option<ProjectId>, sqlx::Error> {
    let found = sqlx::query_scalar!(
        r#"select distinct e.project_id as "project: ProjectId"
             from routes r
             join apps a on a.team_id = r.team_id and a.id = r.app_id
             join environments e on e.team_id = a.team_id and e.id = a.environment_id
            where r.team_id = $1 and r.domain = any($2)
              and not exists (select from unnest($2::text[]) n where n like '*%') limit 2"#,
        permit.team().0,
        names,
    )
    .fetch_all(conn)
    .await?;
    Ok(<[ProjectId; 1]>::try_from(found).ok().map(|[one]| one))
}

/// The certificates of which an alert is open.
pub async fn open_certificates(conn: &mut PgConnection, permit: &Permit) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select subject_id as "id!" from alerts
            where team_id = $1 and kind = $2 and closed_at is null and subject_id is not null"#,
        permit.team().0,
        CERTIFICATE,
    )
    .fetch_all(conn)
    .await
}

/// Closes what is open of certificates that nobody wants any more; that is no news.
pub async fn close_unwanted_certificates(conn: &mut PgConnection, permit: &Permit) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update alerts a set closed_at = now()
          where a.team_id = $1 and a.kind = $2 and a.closed_at is null
            and not exists (select from acme_orders o where o.team_id = $1 and o.id = a.subject_id)
            and not exists (select from certificates c where c.team_id = $1 and c.id = a.subject_id)",
        permit.team().0,
        CERTIFICATE,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// The team's hosts that are looked at, as they were seen. Whoever asks decides for the team alone until the transaction ends:
/// two looks at once would both tell of the same.
pub async fn hosts(conn: &mut PgConnection, permit: &Permit) -> Result<Vec<HostSeen>, sqlx::Error> {
    sqlx::query!("select pg_advisory_xact_lock(hashtextextended('alerts:' || $1::uuid::text, 0))", permit.team().0,)
        .execute(&mut *conn)
        .await?;
    sqlx::query_as!(
        HostSeen,
        r#"select s.host_id as "host: HostId", h.name, h.address, h.state_note as note, s.failures, s.answers,
                  coalesce(extract(epoch from now() - s.failing_since), 0)::bigint as "failing_s!",
                  coalesce(extract(epoch from now() - s.answering_since), 0)::bigint as "answering_s!",
                  exists (select from alerts a where a.team_id = s.team_id and a.kind = 'host_down'
                             and a.subject_id = s.host_id and a.closed_at is null) as "told!"
             from host_sights s join hosts h on h.team_id = s.team_id and h.id = s.host_id
            where s.team_id = $1 and h.state <> 'new' and s.looked_at > now() - interval '3 minutes'
            order by lower(h.name), h.id"#,
        permit.team().0,
    )
    .fetch_all(conn)
    .await
}

/// What was told of the panel's own network.
pub async fn network(conn: &mut PgConnection, permit: &Permit) -> Result<NetworkSeen, sqlx::Error> {
    sqlx::query_as!(
        NetworkSeen,
        r#"select coalesce(bool_or(closed_at is null), false) as "gone!",
                  extract(epoch from now() - max(closed_at))::bigint as back_s
             from alerts where team_id = $1 and kind = 'nobody_answers'"#,
        permit.team().0,
    )
    .fetch_one(conn)
    .await
}

/// What of certificates is wrong now, the latest first.
pub async fn of_certificates(conn: &mut PgConnection, permit: &Permit, limit: i64) -> Result<Vec<Row>, sqlx::Error> {
    sqlx::query_as!(
        Row,
        r#"select id as "id: AlertId", kind, subject_kind, subject_id as subject, project_id as "project: ProjectId",
                  subject_name, cause, opened_at, closed_at
             from alerts where team_id = $1 and kind = $2 and closed_at is null order by opened_at desc, id desc limit $3"#,
        permit.team().0,
        CERTIFICATE,
        limit,
    )
    .fetch_all(conn)
    .await
}

/// The newest alerts, those that are open first.
pub async fn list(conn: &mut PgConnection, permit: &Permit, limit: i64) -> Result<Vec<Row>, sqlx::Error> {
    sqlx::query_as!(
        Row,
        r#"select id as "id: AlertId", kind, subject_kind, subject_id as subject, project_id as "project: ProjectId",
                  subject_name, cause, opened_at, closed_at
             from alerts where team_id = $1
            order by closed_at is null desc, opened_at desc, id desc limit $2"#,
        permit.team().0,
        limit,
    )
    .fetch_all(conn)
    .await
}
