//! Looks at hosts: who looks at which one, and what was seen.

use sqlx::PgConnection;

use super::Leased;
use crate::domain::host::HostState;
use crate::domain::ids::{HostId, TeamId};
use crate::domain::names::ContainerName;
use crate::domain::rights::Permit;

/// A host to be looked at.
#[derive(Debug, PartialEq, Eq)]
pub struct Due {
    /// The lease.
    pub lease: Leased,
    /// The host.
    pub host: HostId,
}

/// Leases hosts that are due, across teams. They are due again after `every_s` seconds; the lease is over then too.
pub async fn claim(conn: &mut PgConnection, by: &str, every_s: i32, limit: i64) -> Result<Vec<Due>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"with due as (
             select team_id, host_id from host_sights
              where due_at <= now() and (lease_until is null or lease_until < now())
              order by due_at limit $3 for update skip locked)
           update host_sights s
              set leased_by = $1, lease_until = now() + make_interval(secs => $2::int * 3),
                  due_at = now() + make_interval(secs => $2::int)
             from due where s.team_id = due.team_id and s.host_id = due.host_id
           returning s.team_id as "team: TeamId", s.host_id as "host: HostId""#,
        by,
        every_s,
        limit,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| Due { lease: Leased::of(row.team), host: row.host }).collect())
}

/// How looks at a host went lately.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Streak {
    /// Looks in a row that found nobody.
    pub failures: i32,
    /// Seconds since the first of them.
    pub failing_s: i64,
    /// Looks in a row that were answered.
    pub answers: i32,
    /// An alert is open for this host, or because no host answers.
    pub open: bool,
}

/// One look is over: the lease is given back, and how often in a row nobody answered, or somebody did, is counted. What was
/// counted before a long time without a look says nothing: the panel was away.
pub async fn looked(
    conn: &mut PgConnection,
    permit: &Permit,
    host: HostId,
    answered: bool,
) -> Result<Streak, sqlx::Error> {
    sqlx::query_as!(
        Streak,
        r#"update host_sights s set lease_until = null, leased_by = null, looked_at = now(),
                failures = case when $3 then 0 when old.stale then 1 else least(s.failures + 1, 1000000) end,
                answers = case when not $3 then 0 when old.stale then 1 else least(s.answers + 1, 1000000) end,
                failing_since = case when $3 then null when old.stale or s.failures = 0 then now()
                                     else coalesce(s.failing_since, now()) end,
                answering_since = case when not $3 then null when old.stale or s.answers = 0 then now()
                                       else coalesce(s.answering_since, now()) end
           from (select coalesce(looked_at < now() - interval '3 minutes', false) as stale
                   from host_sights where team_id = $1 and host_id = $2) old
          where s.team_id = $1 and s.host_id = $2
          returning s.failures, s.answers,
                    coalesce(extract(epoch from now() - s.failing_since), 0)::bigint as "failing_s!",
                    exists (select from alerts a where a.team_id = $1 and a.closed_at is null
                               and ((a.kind = 'host_down' and a.subject_id = $2) or a.kind = 'nobody_answers')) as "open!""#,
        permit.team().0,
        host.0,
        answered,
    )
    .fetch_one(conn)
    .await
}

/// The state the host has now; a host that was never provisioned is not looked at.
pub async fn state(conn: &mut PgConnection, permit: &Permit, host: HostId) -> Result<Option<HostState>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select state as "state: HostState" from hosts where team_id = $1 and id = $2"#,
        permit.team().0,
        host.0,
    )
    .fetch_optional(conn)
    .await
}

/// Notes what each instance on a host was seen to be: `up`, `created`, `ended` or `missing`.
pub async fn instances(
    conn: &mut PgConnection,
    permit: &Permit,
    host: HostId,
    names: &[ContainerName],
    seen: &[&str],
) -> Result<(), sqlx::Error> {
    let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    sqlx::query!(
        "update ledger_instances i set seen = s.seen, seen_at = now()
           from unnest($3::text[], $4::text[]) as s(name, seen)
          where i.team_id = $1 and i.host_id = $2 and i.name = s.name and i.removed_at is null",
        permit.team().0,
        host.0,
        &names as &[&str],
        seen as &[&str],
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The names of the open rows on a host.
pub async fn expected(
    conn: &mut PgConnection,
    permit: &Permit,
    host: HostId,
) -> Result<Vec<ContainerName>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select name as "name: ContainerName" from ledger_instances
            where team_id = $1 and host_id = $2 and removed_at is null"#,
        permit.team().0,
        host.0,
    )
    .fetch_all(conn)
    .await
}

/// Notes the free disk of a host.
pub async fn free_disk(conn: &mut PgConnection, permit: &Permit, host: HostId, mib: i64) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update hosts set facts = jsonb_set(facts, '{disk_free_mib}', to_jsonb($3::bigint))
          where team_id = $1 and id = $2",
        permit.team().0,
        host.0,
        mib,
    )
    .execute(conn)
    .await?;
    Ok(())
}
