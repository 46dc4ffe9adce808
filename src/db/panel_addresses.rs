//! The panel's own address: the name that serves, and the one on trial. No team's data. Not here: trying a name.

use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::domain::ids::{HostId, TeamId};
use crate::domain::names::Domain;
use crate::domain::rights::Permit;

/// How a name of the panel stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum State {
    /// It leads here, and is to be confirmed; else it goes again by itself.
    Trial,
    /// The panel is known by it.
    Serving,
}

impl State {
    fn as_str(self) -> &'static str {
        match self {
            Self::Trial => "trial",
            Self::Serving => "serving",
        }
    }
}

/// A name of the panel.
#[derive(Clone, Debug)]
pub struct Row {
    /// How it stands.
    pub state: State,
    /// The name.
    pub domain: Domain,
    /// The team of the host.
    pub team: TeamId,
    /// The host whose proxy leads here.
    pub host: HostId,
    /// Where the panel listens on that host's loopback.
    pub door: i32,
    /// The port where that host's proxy serves HTTPS.
    pub port: i32,
    /// What the panel answers on the path that proves that the name leads here.
    pub nonce: String,
    /// What the last try found.
    pub note: String,
    /// When it was first reached through the name.
    pub reached_at: Option<OffsetDateTime>,
    /// Since when it stands so.
    pub since: OffsetDateTime,
    /// The trial's end.
    pub until: Option<OffsetDateTime>,
}

/// "https://panel.example.org", with the port where it is another than 443.
pub fn url(domain: &Domain, port: u16) -> String {
    match port {
        443 => format!("https://{domain}"),
        port => format!("https://{domain}:{port}"),
    }
}

/// The address under the name the panel is known by, where it has one.
pub async fn serving_url(conn: &mut PgConnection) -> Result<Option<String>, sqlx::Error> {
    let serving = all(conn).await?.into_iter().find(|row| row.state == State::Serving);
    Ok(serving.map(|row| url(&row.domain, u16::try_from(row.port).unwrap_or(443))))
}

/// A name to be tried.
#[derive(Clone, Debug)]
pub struct New<'a> {
    /// The name.
    pub domain: &'a Domain,
    /// The team of the host.
    pub team: TeamId,
    /// The host.
    pub host: HostId,
    /// Where the panel listens on its loopback.
    pub door: u16,
    /// The port of HTTPS of its proxy.
    pub port: u16,
    /// What it proves itself with.
    pub nonce: &'a str,
    /// How long the trial may take, seconds.
    pub seconds: f64,
}

/// All of them: two at most.
pub async fn all(conn: &mut PgConnection) -> Result<Vec<Row>, sqlx::Error> {
    sqlx::query_as!(
        Row,
        r#"select state as "state: State", domain as "domain: Domain", owner_team as "team: TeamId", host_id as "host: HostId",
                  door, port, nonce, note, reached_at, since, until
             from panel_addresses where until is null or until > now() order by state"#,
    )
    .fetch_all(conn)
    .await
}

/// The one with this nonce, also where its trial is over.
pub async fn of_nonce(conn: &mut PgConnection, nonce: &str) -> Result<Option<Row>, sqlx::Error> {
    sqlx::query_as!(
        Row,
        r#"select state as "state: State", domain as "domain: Domain", owner_team as "team: TeamId", host_id as "host: HostId",
                  door, port, nonce, note, reached_at, since, until
             from panel_addresses where nonce = $1"#,
        nonce,
    )
    .fetch_optional(conn)
    .await
}

/// Begins a trial, in place of the one before.
pub async fn try_out(conn: &mut PgConnection, new: &New<'_>) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into panel_addresses (state, domain, owner_team, host_id, door, nonce, until, port)
         values ('trial', $1, $2, $3, $4, $5, now() + make_interval(secs => $6), $7)
         on conflict (state) do update set domain = excluded.domain, owner_team = excluded.owner_team,
           host_id = excluded.host_id, door = excluded.door, port = excluded.port, nonce = excluded.nonce, note = '', reached_at = null,
           since = now(), until = excluded.until",
        new.domain.as_ref(),
        new.team.0,
        new.host.0,
        i32::from(new.door),
        new.nonce,
        new.seconds,
        i32::from(new.port),
    )
    .execute(conn)
    .await
    .map(drop)
}

/// The panel listens on this door from now on.
pub async fn move_door(conn: &mut PgConnection, nonce: &str, door: u16) -> Result<(), sqlx::Error> {
    sqlx::query!("update panel_addresses set door = $2 where nonce = $1", nonce, i32::from(door))
        .execute(conn)
        .await
        .map(drop)
}

/// The proxy of this host serves HTTPS on this port from now on, and the names it leads here are reached there.
pub async fn move_port(conn: &mut PgConnection, permit: &Permit, host: HostId, port: i32) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update panel_addresses set port = $3 where owner_team = $1 and host_id = $2",
        permit.team().0,
        host.0,
        port,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Notes what a try of the name with this nonce found; a trial that is reached goes on for so many seconds from now.
pub async fn note(conn: &mut PgConnection, nonce: &str, note: &str, reached: Option<f64>) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update panel_addresses set note = $2,
                reached_at = case when $3::float8 is null then reached_at else coalesce(reached_at, now()) end,
                until = case when $3::float8 is null or state <> 'trial' then until else now() + make_interval(secs => $3) end
          where nonce = $1",
        nonce,
        note,
        reached,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Makes the name on trial the one the panel is known by. False where that trial is over.
pub async fn confirm(conn: &mut PgConnection, nonce: &str) -> Result<bool, sqlx::Error> {
    let there = sqlx::query_scalar!(
        r#"select true as "there!" from panel_addresses
            where state = 'trial' and nonce = $1 and reached_at is not null and until > now() for update"#,
        nonce,
    )
    .fetch_optional(&mut *conn)
    .await?;
    if there.is_none() {
        return Ok(false);
    }
    sqlx::query!("delete from panel_addresses where state = 'serving'").execute(&mut *conn).await?;
    let done = sqlx::query!(
        "update panel_addresses set state = 'serving', since = now(), until = null where state = 'trial' and nonce = $1",
        nonce,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Ends a trial that was not confirmed in time. True where there was one.
pub async fn end_trial(conn: &mut PgConnection, nonce: &str) -> Result<bool, sqlx::Error> {
    let done =
        sqlx::query!("delete from panel_addresses where state = 'trial' and nonce = $1 and until <= now()", nonce,)
            .execute(conn)
            .await?;
    Ok(done.rows_affected() == 1)
}

/// Gives a name up. True where it was there.
pub async fn remove(conn: &mut PgConnection, state: State) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!("delete from panel_addresses where state = $1", state.as_str()).execute(conn).await?;
    Ok(done.rows_affected() == 1)
}

/// True where some app has a route of this domain, whosever it is. For the door, which sees the routes of all teams.
pub async fn is_routed(conn: &mut PgConnection, domain: &Domain) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(r#"select exists (select from routes where domain = $1) as "routed!""#, domain.as_ref(),)
        .fetch_one(conn)
        .await
}
