//! What forges sent to hooks with a right signature, and what came of it.

use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::domain::deploy::DeployState;
use crate::domain::hook::{Answer, Provider};
use crate::domain::ids::{AppId, DeliveryId, DeployId};
use crate::domain::names::CommitId;
use crate::domain::rights::Permit;

/// Deliveries of an app that are kept: a busy day's. Older ones go when a new one comes.
pub const KEPT: i64 = 200;

/// A delivery to write down.
pub struct New<'a> {
    /// The delivery.
    pub id: DeliveryId,
    /// Who called.
    pub provider: Provider,
    /// The forge's id of it.
    pub key: &'a str,
    /// The event by the forge's name.
    pub event: &'a str,
    /// The branch, or whatever moved.
    pub branch: &'a str,
    /// The commit; empty where it names none.
    pub commit: &'a str,
    /// Its author.
    pub author: &'a str,
    /// Its subject.
    pub subject: &'a str,
    /// The client's address.
    pub address: &'a str,
}

/// A delivery.
#[derive(Clone, Debug)]
pub struct Row {
    /// The delivery.
    pub id: DeliveryId,
    /// Who called.
    pub provider: Provider,
    /// The forge's id of it.
    pub key: String,
    /// The event by the forge's name.
    pub event: String,
    /// The branch, or whatever moved.
    pub branch: String,
    /// The commit; empty where it names none.
    pub commit: String,
    /// Its author.
    pub author: String,
    /// Its subject.
    pub subject: String,
    /// What came of it.
    pub answer: Answer,
    /// Why, in a sentence.
    pub reason: String,
    /// The newest deploy it led to.
    pub deploy: Option<DeployId>,
    /// How that stands.
    pub deploy_state: Option<DeployState>,
    /// Where it came from.
    pub address: String,
    /// When.
    pub received_at: OffsetDateTime,
    /// When somebody replayed it last.
    pub replayed_at: Option<OffsetDateTime>,
    /// Who.
    pub replayed_by: String,
}

/// Writes deliveries of an app down, in their order; which of them were not there already.
pub async fn insert(
    conn: &mut PgConnection,
    permit: &Permit,
    app: AppId,
    new: &[New<'_>],
) -> Result<Vec<DeliveryId>, sqlx::Error> {
    let ids: Vec<_> = new.iter().map(|new| new.id.0).collect();
    let providers: Vec<_> = new.iter().map(|new| new.provider.slug().to_owned()).collect();
    let texts = |text: for<'a> fn(&New<'a>) -> &'a str| new.iter().map(|new| text(new).to_owned()).collect::<Vec<_>>();
    sqlx::query_scalar!(
        r#"insert into deliveries (team_id, id, app_id, provider, key, event, branch, commit_id, author, subject, address)
           select $1, n.id, $2, n.provider, n.key, n.event, n.branch, n.commit_id, n.author, n.subject, n.address
             from unnest($3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[],
                         $11::text[]) with ordinality
                  as n(id, provider, key, event, branch, commit_id, author, subject, address, number)
            order by n.number
           on conflict (team_id, app_id, provider, key) do nothing returning id as "id: DeliveryId""#,
        permit.team().0,
        app.0,
        &ids,
        &providers,
        &texts(|new| new.key),
        &texts(|new| new.event),
        &texts(|new| new.branch),
        &texts(|new| new.commit),
        &texts(|new| new.author),
        &texts(|new| new.subject),
        &texts(|new| new.address),
    )
    .fetch_all(conn)
    .await
}

/// What came of a delivery.
pub struct Came {
    /// The delivery.
    pub id: DeliveryId,
    /// What came of it.
    pub answer: Answer,
    /// Why, in a sentence.
    pub reason: String,
    /// The deploy that was asked for.
    pub deploy: Option<DeployId>,
}

/// Writes down what came of deliveries.
pub async fn answer(conn: &mut PgConnection, permit: &Permit, came: &[Came]) -> Result<(), sqlx::Error> {
    let ids: Vec<_> = came.iter().map(|came| came.id.0).collect();
    let answers: Vec<_> = came.iter().map(|came| came.answer).collect();
    let reasons: Vec<_> = came.iter().map(|came| came.reason.clone()).collect();
    let deploys: Vec<_> = came.iter().map(|came| came.deploy.map(|deploy| deploy.0)).collect();
    sqlx::query!(
        "update deliveries d set answer = c.answer, reason = c.reason, deploy_id = c.deploy
           from unnest($2::uuid[], $3::text[], $4::text[], $5::uuid[]) as c(id, answer, reason, deploy)
          where d.team_id = $1 and d.id = c.id",
        permit.team().0,
        &ids,
        &answers as _,
        &reasons,
        &deploys as _,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Writes down that somebody replayed a delivery, with the deploy that came of it.
pub async fn replayed(
    conn: &mut PgConnection,
    permit: &Permit,
    id: DeliveryId,
    by: &str,
    deploy: DeployId,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update deliveries set replayed_at = now(), replayed_by = $3, deploy_id = $4 where team_id = $1 and id = $2",
        permit.team().0,
        id.0,
        by,
        deploy.0,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// True where a deploy of this commit need not be asked for: the newest push led to one that waits, runs or went through;
/// or it serves, and nothing else is under way.
pub async fn covered(
    conn: &mut PgConnection,
    permit: &Permit,
    app: AppId,
    commit: &CommitId,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select exists (
                    select from (select commit_id, deploy_id from deliveries
                                  where team_id = $1 and app_id = $2 and deploy_id is not null
                                  order by received_at desc, id desc limit 1) newest
                      join deploys p on p.team_id = $1 and p.id = newest.deploy_id
                     where newest.commit_id = $3 and p.state in ('queued', 'running', 'succeeded'))
               or (not exists (select from deploys
                                where team_id = $1 and app_id = $2 and state in ('queued', 'running'))
                   and exists (select from apps a
                                 join releases r on r.team_id = a.team_id and r.id = a.current_release_id
                                where a.team_id = $1 and a.id = $2 and r.body->'commit'->>'id' = $3)) as "is!""#,
        permit.team().0,
        app.0,
        commit.as_ref(),
    )
    .fetch_one(conn)
    .await
}

/// Deliveries of an app, newest first; one of them where it is named.
pub async fn list(
    conn: &mut PgConnection,
    permit: &Permit,
    app: AppId,
    one: Option<DeliveryId>,
    limit: i64,
) -> Result<Vec<Row>, sqlx::Error> {
    sqlx::query_as!(
        Row,
        r#"select d.id as "id: DeliveryId", d.provider as "provider: Provider", d.key, d.event, d.branch,
                  d.commit_id as commit, d.author, d.subject, d.answer as "answer: Answer", d.reason,
                  d.deploy_id as "deploy: DeployId", p.state as "deploy_state?: DeployState", d.address, d.received_at,
                  d.replayed_at, d.replayed_by
             from deliveries d left join deploys p on p.team_id = d.team_id and p.id = d.deploy_id
            where d.team_id = $1 and d.app_id = $2 and ($3::uuid is null or d.id = $3)
            order by d.received_at desc, d.id desc limit $4"#,
        permit.team().0,
        app.0,
        one.map(|one| one.0),
        limit,
    )
    .fetch_all(conn)
    .await
}

/// The delivery that a deploy comes from (its cause), or that was replayed by it; none where it is forgotten.
pub async fn of_deploy(
    conn: &mut PgConnection,
    permit: &Permit,
    app: AppId,
    deploy: DeployId,
    cause: Option<DeliveryId>,
) -> Result<Option<DeliveryId>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select id as "id: DeliveryId" from deliveries
            where team_id = $1 and app_id = $2 and (deploy_id = $3 or id = $4) order by id = $4 desc nulls last limit 1"#,
        permit.team().0,
        app.0,
        deploy.0,
        cause.map(|id| id.0),
    )
    .fetch_optional(conn)
    .await
}

/// Forgets the oldest of an app's, beyond those that are kept.
pub async fn forget_old(conn: &mut PgConnection, permit: &Permit, app: AppId) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "delete from deliveries where team_id = $1 and id in (
             select id from deliveries where team_id = $1 and app_id = $2
              order by received_at desc, id desc offset $3)",
        permit.team().0,
        app.0,
        KEPT,
    )
    .execute(conn)
    .await
    .map(drop)
}
