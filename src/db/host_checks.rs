//! Checks of hosts: what came of the last one, and whose turn it is. Not here: what is compared.

use sqlx::PgConnection;
use sqlx::types::Json;
use time::OffsetDateTime;

use super::Leased;
use crate::domain::host::HostState;
use crate::domain::host_check::{Checked, Network};
use crate::domain::ids::{HostId, JobId, TeamId};
use crate::domain::names::NetworkName;
use crate::domain::rights::Permit;

/// What came of the last check, and when that was.
#[derive(Clone, Debug)]
pub struct Row {
    /// What was found.
    pub checked: Json<Checked>,
    /// When.
    pub at: OffsetDateTime,
}

/// The last check of a host; none before there was one.
pub async fn last(conn: &mut PgConnection, permit: &Permit, host: HostId) -> Result<Option<Row>, sqlx::Error> {
    sqlx::query_as!(
        Row,
        r#"select checked as "checked!: Json<Checked>", checked_at as "at!" from hosts
            where team_id = $1 and id = $2 and checked is not null and checked_at is not null"#,
        permit.team().0,
        host.0,
    )
    .fetch_optional(conn)
    .await
}

/// Notes what a check found. The next one is due a day later.
pub async fn note(
    conn: &mut PgConnection,
    permit: &Permit,
    host: HostId,
    checked: &Checked,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update hosts set checked = $3, checked_at = now() where team_id = $1 and id = $2",
        permit.team().0,
        host.0,
        Json(checked) as _,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "update host_sights set check_at = now() + interval '1 day' * (0.95 + 0.1 * random())
          where team_id = $1 and host_id = $2",
        permit.team().0,
        host.0,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Forgets what the last check found: the host was made ready since. The next one is due.
pub async fn forget(conn: &mut PgConnection, permit: &Permit, host: HostId) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update hosts set checked = null, checked_at = null where team_id = $1 and id = $2",
        permit.team().0,
        host.0,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!("update host_sights set check_at = now() where team_id = $1 and host_id = $2", permit.team().0, host.0)
        .execute(conn)
        .await
        .map(drop)
}

/// Takes the turn of one host that was not checked for a day, across teams; none where none is due. Who else asks meanwhile
/// finds another one. From here on the transaction sees that host's team.
pub async fn take_turn(conn: &mut PgConnection) -> Result<Option<(Leased, HostId)>, sqlx::Error> {
    let row = sqlx::query!(
        r#"update host_sights set check_at = now() + interval '1 day' * (0.95 + 0.1 * random())
            where (team_id, host_id) in (
              select team_id, host_id from host_sights where check_at <= now()
               order by check_at limit 1 for update skip locked)
           returning team_id as "team: TeamId", host_id as "host: HostId""#,
    )
    .fetch_optional(&mut *conn)
    .await?;
    let Some(row) = row else { return Ok(None) };
    sqlx::query!("select set_config('skiff.team', $1, true)", row.team.to_string()).fetch_one(conn).await?;
    Ok(Some((Leased::of(row.team), row.host)))
}

/// Gives the turn back for an hour: something is being done with the host.
pub async fn later(conn: &mut PgConnection, permit: &Permit, host: HostId) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update host_sights set check_at = now() + interval '1 hour' where team_id = $1 and host_id = $2",
        permit.team().0,
        host.0,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// What says whether a host may be checked now.
#[derive(Clone, Debug)]
pub struct Now {
    /// The host's name.
    pub name: String,
    /// How it stands.
    pub state: HostState,
    /// The job that makes it ready, where one waits or runs.
    pub provisioning: Option<JobId>,
    /// The check that waits or runs.
    pub checking: Option<JobId>,
}

/// How a host stands now; none where it is gone. The row is held: two who ask at once ask for one check.
pub async fn now(conn: &mut PgConnection, permit: &Permit, host: HostId) -> Result<Option<Now>, sqlx::Error> {
    sqlx::query_as!(
        Now,
        r#"select h.name, h.state as "state: HostState",
                  (select j.id from jobs j where j.team_id = h.team_id and j.host_id = h.id and j.kind = 'provision'
                      and j.state in ('queued', 'running') order by j.created_at desc limit 1) as "provisioning: JobId",
                  (select j.id from jobs j where j.team_id = h.team_id and j.host_id = h.id and j.kind = 'check_host'
                      and j.state in ('queued', 'running') order by j.created_at desc limit 1) as "checking: JobId"
             from hosts h where h.team_id = $1 and h.id = $2 for update of h"#,
        permit.team().0,
        host.0,
    )
    .fetch_optional(conn)
    .await
}

/// True while something of the team's is being deployed, stopped or moved: its proxies are ahead of the ledger then.
pub async fn in_motion(conn: &mut PgConnection, permit: &Permit) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select exists (select from jobs where team_id = $1 and state = 'running'
                            and kind not in ('check_host', 'keep_renewal', 'look_at_host', 'look_at_source', 'tidy', 'watch')) as "busy!""#,
        permit.team().0,
    )
    .fetch_one(conn)
    .await
}

/// The networks of environments that something serves in on this host.
pub async fn networks(conn: &mut PgConnection, permit: &Permit, host: HostId) -> Result<Vec<Network>, sqlx::Error> {
    sqlx::query_as!(
        Network,
        r#"select n.name as "name: NetworkName", e.name as environment, h.number as host_number, n.bridge
             from ledger_networks n
             join hosts h on h.team_id = n.team_id and h.id = n.host_id
             join environments e on e.team_id = n.team_id and e.id = n.environment_id
            where n.team_id = $1 and n.host_id = $2 and exists (
              select from ledger_instances i join apps a on a.team_id = i.team_id and a.id = i.app_id
               where i.team_id = n.team_id and i.host_id = n.host_id and i.wanted and i.removed_at is null
                 and a.environment_id = n.environment_id)
            order by n.name"#,
        permit.team().0,
        host.0,
    )
    .fetch_all(conn)
    .await
}

/// The time by the database's clock, in milliseconds since 1970: that of the panel's leases and states.
pub async fn clock_ms(conn: &mut PgConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(r#"select (extract(epoch from clock_timestamp()) * 1000)::bigint as "ms!""#)
        .fetch_one(conn)
        .await
}
