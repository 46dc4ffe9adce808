//! Where a team is told: its channels and its mail server, and what each member wants. Not here: what was sent (`notices.rs`).

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::domain::channel::{MailServer, Security, Service};
use crate::domain::ids::{AccountId, ChannelId, ProjectId};
use crate::domain::names::{Email, HostAddress};
use crate::domain::notice::{Kind, Wanted};
use crate::domain::rights::Permit;

/// A channel.
#[derive(Clone, Debug)]
pub struct Row {
    /// The channel.
    pub id: ChannelId,
    /// Its name.
    pub name: String,
    /// Its service.
    pub service: Service,
    /// What may be shown of where it leads.
    pub leads_to: String,
    /// The version of its sealed target.
    pub version: i32,
    /// The sealed target.
    pub sealed: Vec<u8>,
    /// What it is told.
    pub wanted: Wanted,
    /// It did not answer: nothing is tried before this.
    pub rests_until: Option<OffsetDateTime>,
}

/// A channel to be kept.
#[derive(Clone, Debug)]
pub struct New<'a> {
    /// The channel.
    pub id: ChannelId,
    /// Its name.
    pub name: &'a str,
    /// Its service.
    pub service: Service,
    /// What may be shown of where it leads.
    pub leads_to: &'a str,
    /// The version of its sealed target.
    pub version: i32,
    /// The sealed target.
    pub sealed: &'a [u8],
    /// What it is told.
    pub wanted: &'a Wanted,
}

/// The team's mail server.
#[derive(Clone, Debug)]
pub struct Mail {
    /// The server.
    pub server: MailServer,
    /// The version of its sealed password.
    pub version: i32,
    /// The sealed password; none where there is none.
    pub sealed: Option<Vec<u8>>,
}

/// What a member wants to be told.
#[derive(Clone, Debug)]
pub struct Choice {
    /// Whose it is.
    pub account: AccountId,
    /// Where to.
    pub email: Email,
    /// What.
    pub wanted: Wanted,
}

/// Events as the database has them; a word of a later version is left out.
fn kinds(words: Vec<String>) -> Vec<Kind> {
    words.iter().filter_map(|word| Kind::of_slug(word)).collect()
}

fn wanted(events: Vec<String>, all: bool, projects: Vec<Uuid>) -> Wanted {
    let projects = (!all).then(|| projects.into_iter().map(ProjectId).collect());
    Wanted { events: kinds(events), projects }
}

/// The same as columns.
fn columns(wanted: &Wanted) -> (Vec<&'static str>, bool, Vec<Uuid>) {
    let events = wanted.events.iter().map(|kind| kind.slug()).collect();
    let projects = wanted.projects.iter().flatten().map(|id| id.0).collect();
    (events, wanted.projects.is_none(), projects)
}

/// The team's channels by name, or one of them.
pub async fn list(conn: &mut PgConnection, permit: &Permit, only: Option<ChannelId>) -> Result<Vec<Row>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"select id as "id: ChannelId", name, service as "service: Service", leads_to, version, sealed, events,
                  all_projects, projects, rests_until
             from notice_channels where team_id = $1 and ($2::uuid is null or id = $2) order by lower(name), id"#,
        permit.team().0,
        only.map(|id| id.0),
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Row {
            id: row.id,
            name: row.name,
            service: row.service,
            leads_to: row.leads_to,
            version: row.version,
            sealed: row.sealed,
            wanted: wanted(row.events, row.all_projects, row.projects),
            rests_until: row.rests_until,
        })
        .collect())
}

/// Keeps a new channel; false where the team has one of this name.
pub async fn insert(conn: &mut PgConnection, permit: &Permit, new: &New<'_>) -> Result<bool, sqlx::Error> {
    let (events, all, projects) = columns(new.wanted);
    let done = sqlx::query!(
        "insert into notice_channels (team_id, id, name, service, leads_to, version, sealed, events, all_projects, projects)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) on conflict (team_id, name) do nothing",
        permit.team().0,
        new.id.0,
        new.name,
        new.service as _,
        new.leads_to,
        new.version,
        new.sealed,
        &events as &[&str],
        all,
        &projects,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Changes a channel; false where it is gone, or another one has this name. It is tried again at once.
pub async fn update(conn: &mut PgConnection, permit: &Permit, new: &New<'_>) -> Result<bool, sqlx::Error> {
    let (events, all, projects) = columns(new.wanted);
    let done = sqlx::query!(
        "update notice_channels c
            set name = $3, leads_to = $4, version = $5, sealed = $6, events = $7, all_projects = $8, projects = $9,
                rests_until = null
          where c.team_id = $1 and c.id = $2
            and not exists (select from notice_channels o where o.team_id = $1 and o.name = $3 and o.id <> $2)",
        permit.team().0,
        new.id.0,
        new.name,
        new.leads_to,
        new.version,
        new.sealed,
        &events as &[&str],
        all,
        &projects,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Removes a channel; false where it is gone.
pub async fn remove(conn: &mut PgConnection, permit: &Permit, id: ChannelId) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!("delete from notice_channels where team_id = $1 and id = $2", permit.team().0, id.0)
        .execute(conn)
        .await?;
    Ok(done.rows_affected() == 1)
}

/// How many channels the team has.
pub async fn count(conn: &mut PgConnection, permit: &Permit) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(r#"select count(*) as "count!" from notice_channels where team_id = $1"#, permit.team().0,)
        .fetch_one(conn)
        .await
}

/// Lets a channel that did not answer rest for so many seconds; none: it answers.
pub async fn rest(
    conn: &mut PgConnection,
    permit: &Permit,
    id: ChannelId,
    seconds: Option<f64>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update notice_channels set rests_until = now() + make_interval(secs => $3)
          where team_id = $1 and id = $2 and ($3::float8 is not null or rests_until is not null)",
        permit.team().0,
        id.0,
        seconds,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// How many seconds a channel rests yet.
pub async fn rests_for(conn: &mut PgConnection, permit: &Permit, id: ChannelId) -> Result<f64, sqlx::Error> {
    let seconds = sqlx::query_scalar!(
        r#"select coalesce(extract(epoch from rests_until - now()), 0)::float8 as "seconds!"
             from notice_channels where team_id = $1 and id = $2"#,
        permit.team().0,
        id.0,
    )
    .fetch_optional(conn)
    .await?;
    Ok(seconds.unwrap_or_default().max(0.0))
}

/// The team's mail server, where it has one.
pub async fn mail(conn: &mut PgConnection, permit: &Permit) -> Result<Option<Mail>, sqlx::Error> {
    let row = sqlx::query!(
        r#"select host as "host: HostAddress", port, security as "security: Security", username, version, sealed,
                  sender as "sender: Email"
             from notice_mail where team_id = $1"#,
        permit.team().0,
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| Mail {
        server: MailServer {
            host: row.host,
            port: u16::try_from(row.port).unwrap_or_default(),
            security: row.security,
            username: row.username,
            sender: row.sender,
        },
        version: row.version,
        sealed: row.sealed,
    }))
}

/// Sets the team's mail server.
pub async fn set_mail(conn: &mut PgConnection, permit: &Permit, mail: &Mail) -> Result<(), sqlx::Error> {
    let server = &mail.server;
    sqlx::query!(
        "insert into notice_mail (team_id, host, port, security, username, version, sealed, sender)
         values ($1, $2, $3, $4, $5, $6, $7, $8)
         on conflict (team_id) do update
            set host = excluded.host, port = excluded.port, security = excluded.security, username = excluded.username,
                version = excluded.version, sealed = excluded.sealed, sender = excluded.sender",
        permit.team().0,
        server.host.as_ref(),
        i32::from(server.port),
        server.security as _,
        server.username,
        mail.version,
        mail.sealed.as_deref(),
        server.sender.as_ref(),
    )
    .execute(&mut *conn)
    .await?;
    // What rests because the old one did not answer is tried again.
    sqlx::query!(
        "update notice_channels set rests_until = null where team_id = $1 and service = 'email'",
        permit.team().0,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Removes the team's mail server; false where there is none.
pub async fn remove_mail(conn: &mut PgConnection, permit: &Permit) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!("delete from notice_mail where team_id = $1", permit.team().0).execute(conn).await?;
    Ok(done.rows_affected() == 1)
}

/// What members want; of one account where it is named.
pub async fn choices(
    conn: &mut PgConnection,
    permit: &Permit,
    only: Option<AccountId>,
) -> Result<Vec<Choice>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"select account_id as "account: AccountId", email as "email: Email", events, all_projects, projects
             from notice_choices where team_id = $1 and ($2::uuid is null or account_id = $2)"#,
        permit.team().0,
        only.map(|id| id.0),
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Choice {
            account: row.account,
            email: row.email,
            wanted: wanted(row.events, row.all_projects, row.projects),
        })
        .collect())
}

/// Sets what a member wants.
pub async fn choose(conn: &mut PgConnection, permit: &Permit, choice: &Choice) -> Result<(), sqlx::Error> {
    let (events, all, projects) = columns(&choice.wanted);
    sqlx::query!(
        "insert into notice_choices (team_id, account_id, email, events, all_projects, projects)
         values ($1, $2, $3, $4, $5, $6)
         on conflict (team_id, account_id) do update
            set email = excluded.email, events = excluded.events, all_projects = excluded.all_projects,
                projects = excluded.projects",
        permit.team().0,
        choice.account.0,
        choice.email.as_ref(),
        &events as &[&str],
        all,
        &projects,
    )
    .execute(conn)
    .await
    .map(drop)
}
