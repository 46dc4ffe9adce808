//! When a team's certificates are looked after again because one comes to its end. Not here: what is done then (`jobs`).

use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::domain::certificate::HAND_OVER;
use crate::domain::rights::Permit;

/// Has the team's certificates looked after when this one hands over, if that is before their turn.
pub async fn note(conn: &mut PgConnection, permit: &Permit, not_after: OffsetDateTime) -> Result<(), sqlx::Error> {
    sqlx::query!("update teams set acme_at = $2 where id = $1 and acme_at > $2", permit.team().0, not_after - HAND_OVER)
        .execute(conn)
        .await
        .map(drop)
}

/// Has them looked after again when the next of them hands over to another, and when it ends, if that is before their turn. True where one
/// did either within the last hours.
pub async fn follow(conn: &mut PgConnection, permit: &Permit) -> Result<bool, sqlx::Error> {
    let row = sqlx::query!(
        r#"select min(m.at) filter (where m.at > now()) as next,
                  coalesce(bool_or(m.at between now() - interval '7 hours' and now()), false) as "lately!"
             from certificates c
             join certificate_versions v on v.team_id = c.team_id and v.id = c.current_id
             cross join lateral (values (v.not_after), (v.not_after - make_interval(secs => $2))) m (at)
            where c.team_id = $1"#,
        permit.team().0,
        HAND_OVER.as_seconds_f64(),
    )
    .fetch_one(&mut *conn)
    .await?;
    if let Some(next) = row.next {
        sqlx::query!("update teams set acme_at = $2 where id = $1 and acme_at > $2", permit.team().0, next)
            .execute(conn)
            .await?;
    }
    Ok(row.lately)
}
