//! What happened and what was sent of it: events, and a delivery for each who is told. Not here: whom that is.

use sqlx::PgConnection;
use sqlx::types::Json;
use time::OffsetDateTime;

use crate::domain::cause::Cause;
use crate::domain::deploy::Failure;
use crate::domain::ids::{AccountId, ChannelId, DeployId, EnvironmentId, NoticeEventId, NoticeId, ProjectId};
use crate::domain::names::Email;
use crate::domain::notice::{Detail, Kind, Letter};
use crate::domain::rights::Permit;

/// Something that happened.
#[derive(Clone, Debug)]
pub struct Event {
    /// What.
    pub kind: Kind,
    /// The deploy it is about.
    pub deploy: Option<DeployId>,
    /// The project it happened in.
    pub project: Option<ProjectId>,
    /// The rest.
    pub detail: Json<Detail>,
}

/// A deploy as it is told.
#[derive(Clone, Debug)]
pub struct DeployTold {
    /// The app.
    pub app: String,
    /// Its environment.
    pub environment: EnvironmentId,
    /// The environment's name.
    pub environment_name: String,
    /// Its project.
    pub project: ProjectId,
    /// The project's name.
    pub project_name: String,
    /// The release's number, where one was made.
    pub number: Option<i32>,
    /// The number of what served before.
    pub former: Option<i32>,
    /// Why it ended as it did.
    pub failure: Option<Json<Failure>>,
    /// The last words of its job: without secrets.
    pub reason: String,
    /// Whether the job is over.
    pub over: bool,
    /// Who or what asked.
    pub cause: Json<Cause>,
}

/// How a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
#[schemars(rename = "NoticeState")]
pub enum State {
    /// Not sent yet.
    Waiting,
    /// Being sent.
    Sending,
    /// The service took it.
    Sent,
    /// The service did not take it, and is not asked again.
    Failed,
    /// Its sender was lost before the answer came: it is not sent again, so that nobody gets it twice.
    Unclear,
    /// Not sent on purpose.
    Dropped,
}

/// A delivery that is to be made.
#[derive(Clone, Debug)]
pub struct New<'a> {
    /// The delivery.
    pub id: NoticeId,
    /// What it tells of; none for a test.
    pub event: Option<NoticeEventId>,
    /// To a channel …
    pub channel: Option<ChannelId>,
    /// … or to a member.
    pub account: Option<AccountId>,
    /// Whom, in words.
    pub to: &'a str,
    /// What is sent.
    pub letter: &'a Letter,
}

/// A delivery, as its job takes it.
#[derive(Clone, Debug)]
pub struct Taken {
    /// To a channel …
    pub channel: Option<ChannelId>,
    /// … or to a member.
    pub account: Option<AccountId>,
    /// What is sent.
    pub letter: Json<Letter>,
    /// How it stands.
    pub state: State,
    /// How often it was tried.
    pub attempts: i32,
    /// Who is still without it; none where nobody has it.
    pub left: Option<Json<Left>>,
}

/// Who is without a letter that others have.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Left {
    /// Those that are to get it later.
    pub to: Vec<Email>,
    /// Those that were refused for good, in words; empty where there are none.
    pub dead: String,
}

/// A delivery in a list.
#[derive(Clone, Debug)]
pub struct Row {
    /// The delivery.
    pub id: NoticeId,
    /// To which channel.
    pub channel: Option<ChannelId>,
    /// Whom, in words.
    pub to_name: String,
    /// What is sent.
    pub letter: Json<Letter>,
    /// How it stands.
    pub state: State,
    /// How often it was tried.
    pub attempts: i32,
    /// What the other side said last.
    pub answer: String,
    /// When it was asked for.
    pub created_at: OffsetDateTime,
    /// When it last changed.
    pub changed_at: OffsetDateTime,
}

/// An event; none where it is gone.
pub async fn event(conn: &mut PgConnection, permit: &Permit, id: NoticeEventId) -> Result<Option<Event>, sqlx::Error> {
    sqlx::query_as!(
        Event,
        r#"select kind as "kind: Kind", deploy_id as "deploy: DeployId", project_id as "project: ProjectId",
                  detail as "detail: Json<Detail>"
             from notice_events where team_id = $1 and id = $2"#,
        permit.team().0,
        id.0,
    )
    .fetch_optional(conn)
    .await
}

/// A deploy as it is told; none where it is gone.
pub async fn deploy(conn: &mut PgConnection, permit: &Permit, id: DeployId) -> Result<Option<DeployTold>, sqlx::Error> {
    sqlx::query_as!(
        DeployTold,
        r#"select a.name as app, e.id as "environment: EnvironmentId", e.name as environment_name,
                  p.id as "project: ProjectId", p.name as project_name, r.number as "number?", f.number as "former?",
                  d.failure as "failure: Json<Failure>", j.reason, j.finished_at is not null as "over!",
                  d.cause as "cause: Json<Cause>"
             from deploys d
             join jobs j on j.team_id = d.team_id and j.id = d.job_id
             join apps a on a.team_id = d.team_id and a.id = d.app_id
             join environments e on e.team_id = a.team_id and e.id = a.environment_id
             join projects p on p.team_id = e.team_id and p.id = e.project_id
             left join releases r on r.team_id = d.team_id and r.id = d.release_id
             left join releases f on f.team_id = d.team_id and f.id = d.former_release_id
            where d.team_id = $1 and d.id = $2"#,
        permit.team().0,
        id.0,
    )
    .fetch_optional(conn)
    .await
}

/// The team's slug and name, as letters say them.
pub async fn team(conn: &mut PgConnection, permit: &Permit) -> Result<(String, String), sqlx::Error> {
    let row = sqlx::query!("select slug, name from teams where id = $1", permit.team().0).fetch_one(conn).await?;
    Ok((row.slug, row.name))
}

/// Puts a delivery in; false where this event has one to the same receiver already.
pub async fn insert(
    conn: &mut PgConnection,
    permit: &Permit,
    new: &New<'_>,
    state: State,
    answer: &str,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "insert into notice_deliveries
           (team_id, id, event_id, channel_id, account_id, to_name, kind, letter, state, answer, attempts)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, case $9 when 'sending' then 1 else 0 end)
         on conflict do nothing",
        permit.team().0,
        new.id.0,
        new.event.map(|id| id.0),
        new.channel.map(|id| id.0),
        new.account.map(|id| id.0),
        new.to,
        new.letter.kind.slug(),
        Json(new.letter) as _,
        state as _,
        answer,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Takes a delivery, whose row is held until the transaction ends.
pub async fn take(conn: &mut PgConnection, permit: &Permit, id: NoticeId) -> Result<Option<Taken>, sqlx::Error> {
    sqlx::query_as!(
        Taken,
        r#"select channel_id as "channel: ChannelId", account_id as "account: AccountId", letter as "letter: Json<Letter>",
                  state as "state: State", attempts, still_without as "left: Json<Left>"
             from notice_deliveries where team_id = $1 and id = $2 for update"#,
        permit.team().0,
        id.0,
    )
    .fetch_optional(conn)
    .await
}

/// Writes down how a delivery stands and what was answered. Beginning to send it counts as an attempt.
pub async fn mark(
    conn: &mut PgConnection,
    permit: &Permit,
    id: NoticeId,
    state: State,
    answer: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update notice_deliveries
            set state = $3, answer = case $3 when 'sending' then answer else $4 end, changed_at = now(),
                attempts = attempts + case $3 when 'sending' then 1 else 0 end
          where team_id = $1 and id = $2",
        permit.team().0,
        id.0,
        state as _,
        answer,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Writes down who is still without a letter that others have: these alone get it from now on.
pub async fn leave(conn: &mut PgConnection, permit: &Permit, id: NoticeId, left: &Left) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update notice_deliveries set still_without = $3 where team_id = $1 and id = $2",
        permit.team().0,
        id.0,
        Json(left) as _,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Letters that were put in for this receiver within the last hour.
pub async fn lately(
    conn: &mut PgConnection,
    permit: &Permit,
    channel: Option<ChannelId>,
    account: Option<AccountId>,
) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select count(*) as "count!" from notice_deliveries
            where team_id = $1 and created_at > now() - interval '1 hour' and state <> 'dropped'
              and (channel_id = $2 or account_id = $3)"#,
        permit.team().0,
        channel.map(|id| id.0),
        account.map(|id| id.0),
    )
    .fetch_one(conn)
    .await
}

/// Tests of this team within the last minute.
pub async fn tests_lately(conn: &mut PgConnection, permit: &Permit) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select count(*) as "count!" from notice_deliveries
            where team_id = $1 and kind = 'test' and created_at > now() - interval '1 minute'"#,
        permit.team().0,
    )
    .fetch_one(conn)
    .await
}

/// What was sent, newest first: everything, to one channel, or to one member. A test whose asker went away has no job that
/// would end it.
pub async fn list(
    conn: &mut PgConnection,
    permit: &Permit,
    channel: Option<ChannelId>,
    account: Option<AccountId>,
    limit: i64,
) -> Result<Vec<Row>, sqlx::Error> {
    sqlx::query_as!(
        Row,
        r#"select id as "id: NoticeId", channel_id as "channel: ChannelId", to_name, letter as "letter: Json<Letter>",
                  case when kind = 'test' and state = 'sending' and created_at < now() - interval '2 minutes'
                       then 'unclear' else state end as "state!: State",
                  attempts, answer, created_at, changed_at
             from notice_deliveries
            where team_id = $1 and ($2::uuid is null or channel_id = $2) and ($3::uuid is null or account_id = $3)
            order by created_at desc, id desc limit $4"#,
        permit.team().0,
        channel.map(|id| id.0),
        account.map(|id| id.0),
        limit,
    )
    .fetch_all(conn)
    .await
}

/// Forgets events and what was sent of them after so many days. At most a batch; how many.
pub async fn forget(conn: &mut PgConnection, permit: &Permit, days: i32) -> Result<u64, sqlx::Error> {
    let sent = sqlx::query!(
        "delete from notice_deliveries where team_id = $1 and id in
           (select id from notice_deliveries where team_id = $1 and created_at < now() - make_interval(days => $2) limit 500)",
        permit.team().0,
        days,
    )
    .execute(&mut *conn)
    .await?;
    let events = sqlx::query!(
        "delete from notice_events where team_id = $1 and id in
           (select id from notice_events where team_id = $1 and created_at < now() - make_interval(days => $2) limit 500)",
        permit.team().0,
        days,
    )
    .execute(&mut *conn)
    .await?;
    let alerts = sqlx::query!(
        "delete from alerts where team_id = $1 and id in
           (select id from alerts where team_id = $1 and closed_at < now() - make_interval(days => $2) limit 500)",
        permit.team().0,
        days,
    )
    .execute(conn)
    .await?;
    Ok(sent.rows_affected() + events.rows_affected() + alerts.rows_affected())
}
