//! When a team's certificates are looked after again because one comes to its end. Not here: what is done then (`jobs`).

use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::domain::certificate::HAND_OVER;
use crate::domain::rights::Permit;

/// What a look finds of the time since the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Since {
    /// A certificate came so near to its end that another is to be served, or ended.
    pub ended: bool,
    /// When the authority was last asked about those that are renewed.
    pub asked_at: Option<OffsetDateTime>,
}

/// Has the team's certificates looked after when this one hands over, if that is before their turn.
pub async fn note(conn: &mut PgConnection, permit: &Permit, not_after: OffsetDateTime) -> Result<(), sqlx::Error> {
    sqlx::query!("update teams set acme_at = $2 where id = $1 and acme_at > $2", permit.team().0, not_after - HAND_OVER)
        .execute(conn)
        .await
        .map(drop)
}

/// What came to pass since the last look, which is this one from now on; and has them looked after again when the next of them hands over
/// to another, and when it ends, if that is before their turn.
pub async fn follow(conn: &mut PgConnection, permit: &Permit) -> Result<Since, sqlx::Error> {
    let row = sqlx::query!(
        r#"with moments as materialized (
             select m.at from certificates c
               join certificate_versions v on v.team_id = c.team_id and v.id = c.current_id
               cross join lateral (values (v.not_after), (v.not_after - make_interval(secs => $2))) m (at)
              where c.team_id = $1),
           before as materialized (select certificates_seen_at from teams where id = $1)
           update teams
              set certificates_seen_at = now(),
                  acme_at = least(acme_at, (select min(at) from moments where at > now()))
            where id = $1
           returning exists (select from moments, before where at > before.certificates_seen_at and at <= now()) as "ended!",
                     acme_asked_at"#,
        permit.team().0,
        HAND_OVER.as_seconds_f64(),
    )
    .fetch_one(conn)
    .await?;
    Ok(Since { ended: row.ended, asked_at: row.acme_asked_at })
}

/// Notes that the authority is asked now about those that are renewed.
pub async fn note_asked(conn: &mut PgConnection, permit: &Permit) -> Result<(), sqlx::Error> {
    sqlx::query!("update teams set acme_asked_at = now() where id = $1", permit.team().0).execute(conn).await.map(drop)
}
