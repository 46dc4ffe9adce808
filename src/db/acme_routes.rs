//! Certificates that are wanted, held against the routes: which domains need one, which are served where. Not here: the orders
//! themselves (`acme_orders.rs`).

use sqlx::PgConnection;

use crate::domain::ids::{AppId, HostId};
use crate::domain::rights::Permit;

/// The domains of the team's routes, and the panel's own name where it is served by a host of the team, for which it has no order.
pub async fn domains_without(conn: &mut PgConnection, permit: &Permit) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select w.domain as "domain!"
             from (select domain from routes where team_id = $1
                   union select domain from panel_addresses where owner_team = $1) w
            -- By a hash of all names: held one against the other, a thousand of each take a second.
            where w.domain not in (select unnest(o.names) from acme_orders o where o.team_id = $1)
            order by w.domain"#,
        permit.team().0,
    )
    .fetch_all(conn)
    .await
}

/// All domains that are served for the team: those of its routes, and the panel's where it is reached by a host of the team.
pub async fn domains(conn: &mut PgConnection, permit: &Permit) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select domain as "domain!" from routes where team_id = $1
           union select domain from panel_addresses where owner_team = $1"#,
        permit.team().0,
    )
    .fetch_all(conn)
    .await
}

/// A server that a name should lead to.
#[derive(Clone, Debug)]
pub struct Server {
    /// The host.
    pub host: HostId,
    /// Its name.
    pub name: String,
    /// Where it answers SSH: as a rule where the world finds it, too.
    pub address: String,
    /// Where its proxy listens for plain HTTP.
    pub proxy_port: i32,
}

/// The hosts on which a domain's routes are served.
pub async fn servers(conn: &mut PgConnection, permit: &Permit, domain: &str) -> Result<Vec<Server>, sqlx::Error> {
    sqlx::query_as!(
        Server,
        r#"select h.id as "host: HostId", h.name, h.address, coalesce(h.proxy_port, h.http_port) as "proxy_port!" from hosts h
            where h.team_id = $1 and exists (
              select from routes r join apps a on a.team_id = r.team_id and a.id = r.app_id
               where r.team_id = $1 and r.domain = $2
                 and a.placement @> jsonb_build_array(jsonb_build_object('host', h.id)))
               or h.team_id = $1 and exists (
              select from panel_addresses p where p.owner_team = $1 and p.host_id = h.id and p.domain = $2)
            order by h.name"#,
        permit.team().0,
        domain,
    )
    .fetch_all(conn)
    .await
}

/// The domains of an app's routes.
pub async fn domains_of(conn: &mut PgConnection, permit: &Permit, app: AppId) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar!(
        "select distinct domain from routes where team_id = $1 and app_id = $2 order by domain",
        permit.team().0,
        app.0,
    )
    .fetch_all(conn)
    .await
}

/// Whether a route of the team has this domain still.
pub async fn is_routed(conn: &mut PgConnection, permit: &Permit, domain: &str) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select exists (select from routes where team_id = $1 and domain = $2)
               or exists (select from panel_addresses where owner_team = $1 and domain = $2) as "there!""#,
        permit.team().0,
        domain,
    )
    .fetch_one(conn)
    .await
}

/// Forgets orders proven by HTTP of which no name is routed any more: an authority would not find us under them. How many.
pub async fn remove_unrouted(conn: &mut PgConnection, permit: &Permit) -> Result<u64, sqlx::Error> {
    let done = sqlx::query!(
        "delete from acme_orders o
          where o.team_id = $1 and o.dns_account_id is null
            and not exists (select from routes r where r.team_id = $1 and r.domain = any(o.names))
            and not exists (select from panel_addresses p where p.owner_team = $1 and p.domain = any(o.names))
            and not exists (select from jobs j where j.team_id = $1 and j.kind = 'obtain_certificate'
                              and j.args->>'order' = o.id::text and j.finished_at is null)",
        permit.team().0,
    );
    Ok(done.execute(conn).await?.rows_affected())
}
