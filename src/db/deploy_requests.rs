//! Names that askers gave their requests for deploys.

use std::time::Duration;

use sqlx::PgConnection;

use crate::domain::ids::{AccountId, DeployId};
use crate::domain::rights::Permit;

/// How long a name is remembered: whoever asks again does so within minutes.
const KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// A request that was named.
pub struct Row {
    /// What it asked for.
    pub asked: String,
    /// The deploy that came of it.
    pub deploy: DeployId,
}

/// The request an account made under this name.
pub async fn find(
    conn: &mut PgConnection,
    permit: &Permit,
    account: AccountId,
    once: &str,
) -> Result<Option<Row>, sqlx::Error> {
    sqlx::query_as!(
        Row,
        r#"select asked, deploy_id as "deploy: DeployId" from deploy_requests
            where team_id = $1 and account_id = $2 and once = $3 and created_at > now() - make_interval(secs => $4)"#,
        permit.team().0,
        account.0,
        once,
        KEPT.as_secs_f64(),
    )
    .fetch_optional(conn)
    .await
}

/// Remembers one, and forgets those of the team that are too old.
pub async fn insert(
    conn: &mut PgConnection,
    permit: &Permit,
    account: AccountId,
    once: &str,
    asked: &str,
    deploy: DeployId,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "delete from deploy_requests where team_id = $1 and created_at <= now() - make_interval(secs => $2)",
        permit.team().0,
        KEPT.as_secs_f64(),
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "insert into deploy_requests (team_id, account_id, once, asked, deploy_id) values ($1, $2, $3, $4, $5)",
        permit.team().0,
        account.0,
        once,
        asked,
        deploy.0,
    )
    .execute(conn)
    .await
    .map(drop)
}
