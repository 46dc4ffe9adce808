//! The audit: who did what to what, before and after. Rows are never changed, and never hold a secret.

use sqlx::PgConnection;
use sqlx::types::Json;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::domain::ids::{AuditEventId, EnvironmentId, ProjectId};
use crate::domain::parts::Sight;
use crate::domain::rights::Permit;

/// What is written down.
#[derive(Clone, Debug)]
pub struct New<'a> {
    /// What was done, as a word of ours: `app.created`.
    pub action: &'static str,
    /// What kind of thing it was done to: `app`.
    pub kind: &'static str,
    /// Its id.
    pub subject: Option<Uuid>,
    /// Its name, now.
    pub name: &'a str,
    /// How it was.
    pub before: Option<serde_json::Value>,
    /// How it became.
    pub after: Option<serde_json::Value>,
}

/// One event.
#[derive(Clone, Debug)]
pub struct Row {
    /// The event.
    pub id: AuditEventId,
    /// When.
    pub at: OffsetDateTime,
    /// Who.
    pub who: String,
    /// From where.
    pub address: String,
    /// What.
    pub action: String,
    /// To what kind of thing.
    pub subject_kind: String,
    /// Its id.
    pub subject_id: Option<Uuid>,
    /// Its name at that time.
    pub subject_name: String,
    /// How it was.
    pub before: Option<Json<serde_json::Value>>,
    /// How it became.
    pub after: Option<Json<serde_json::Value>>,
    /// The project it was done in, or to.
    pub project: Option<ProjectId>,
    /// The environment it was done in, or to.
    pub environment: Option<EnvironmentId>,
}

/// Writes an event down, in the permit holder's name.
pub async fn record(conn: &mut PgConnection, permit: &Permit, new: New<'_>) -> Result<(), sqlx::Error> {
    let (account, address) = (permit.who().account().map(|account| account.0), permit.who().address());
    sqlx::query!(
        "insert into audit_events
           (team_id, id, who, account_id, address, action, subject_kind, subject_id, subject_name, before, after)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        permit.team().0,
        Uuid::now_v7(),
        permit.who().name(),
        account,
        address,
        new.action,
        new.kind,
        new.subject,
        new.name,
        new.before.map(Json) as _,
        new.after.map(Json) as _,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// What of the audit is asked for. Empty texts and nothing mean: all.
#[derive(Clone, Debug, Default)]
pub struct Asked<'a> {
    /// Those before this one.
    pub before: Option<AuditEventId>,
    /// Done by somebody with this in their name.
    pub who: &'a str,
    /// Done to this kind of thing.
    pub kind: &'a str,
    /// Done to a thing with this in its name.
    pub name: &'a str,
    /// Not before this moment.
    pub from: Option<OffsetDateTime>,
    /// Before this moment.
    pub until: Option<OffsetDateTime>,
    /// Only what was done in the parts of the team that are seen.
    pub sight: Option<&'a Sight>,
}

/// The newest events of those asked for. Whose part of the team an event belongs to is read from what it was done to: what
/// is gone since belongs to the team alone.
pub async fn latest(
    conn: &mut PgConnection,
    permit: &Permit,
    asked: &Asked<'_>,
    limit: i64,
) -> Result<Vec<Row>, sqlx::Error> {
    let everything = Sight::whole();
    let Sight { granted, reach } = asked.sight.unwrap_or(&everything);
    sqlx::query_as!(
        Row,
        r#"select e.id as "id: AuditEventId", e.at, e.who, e.address, e.action, e.subject_kind, e.subject_id, e.subject_name,
                  e.before as "before: Json<serde_json::Value>", e.after as "after: Json<serde_json::Value>",
                  case when e.subject_kind = 'project' then e.subject_id else n.project_id end as "project: ProjectId",
                  n.id as "environment?: EnvironmentId"
             from (select * from audit_events
                    where team_id = $1
                      and ($2::uuid is null
                           or (at, id) < (select b.at, b.id from audit_events b where b.team_id = $1 and b.id = $2))
                      and ($3 = '' or position(lower($3) in lower(who)) > 0)
                      and ($4 = '' or subject_kind = $4)
                      and ($5 = '' or position(lower($5) in lower(subject_name)) > 0)
                      and ($6::timestamptz is null or at >= $6)
                      and ($7::timestamptz is null or at < $7)
                    order by at desc, id desc
                    -- Whoever sees all of the team needs no more than these looked at; what is above an event costs a look each.
                    limit case when $8 and $12 then $16::bigint end) e
             left join deploys d on e.subject_kind = 'deploy' and d.team_id = e.team_id and d.id = e.subject_id
             left join apps a on a.team_id = e.team_id
                             and a.id = case e.subject_kind when 'app' then e.subject_id else d.app_id end
             left join environments n on n.team_id = e.team_id
                             and n.id = case e.subject_kind when 'environment' then e.subject_id else a.environment_id end
            where ($8 or n.id = any($9) or n.project_id = any($10)
                   or (e.subject_kind = 'project' and e.subject_id = any($10))
                   or (e.subject_kind = 'host' and e.subject_id = any($11)))
              and ($12 or n.id = any($13) or n.project_id = any($14)
                   or (e.subject_kind = 'project' and e.subject_id = any($14))
                   or (e.subject_kind = 'host' and e.subject_id = any($15)))
            order by e.at desc, e.id desc limit $16::bigint"#,
        permit.team().0,
        asked.before.map(|id| id.0),
        asked.who,
        asked.kind,
        asked.name,
        asked.from,
        asked.until,
        granted.whole,
        &granted.environments,
        &granted.projects,
        &granted.hosts,
        reach.whole,
        &reach.environments,
        &reach.projects,
        &reach.hosts,
        limit,
    )
    .fetch_all(conn)
    .await
}
