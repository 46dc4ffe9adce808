//! Bearer tokens of the API, and wrong ones counted. Not here: making them, what they may.

use std::time::Duration;

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{members, sign_ins};
use crate::domain::ids::{AccountId, TeamId, TokenId};
use crate::domain::rights::{Bearer, Grant, Permit, Role};

/// "Last used" is written at most this often: a program that asks every second must not write a row each time.
const SEEN_EVERY: Duration = Duration::from_secs(60);
/// Wrong tokens from one client in the time that sign-ins are counted over. No one can be guessed; a program that goes on with one that ran out costs.
const PER_CLIENT: i64 = 50;

/// A new token.
pub struct New<'a> {
    /// The token.
    pub id: TokenId,
    /// For whom it acts.
    pub account: AccountId,
    /// What its owner calls it.
    pub name: &'a str,
    /// Its SHA-256.
    pub hash: &'a [u8],
    /// Its last characters.
    pub hint: &'a str,
    /// How far it reaches.
    pub reach: Grant,
    /// When it runs out; none for never.
    pub days: Option<i32>,
}

/// One token in a list.
#[derive(Clone, Debug)]
pub struct Row {
    /// The token.
    pub id: TokenId,
    /// For whom it acts.
    pub account: AccountId,
    /// Their name.
    pub account_name: String,
    /// What its owner calls it.
    pub name: String,
    /// Its last characters.
    pub hint: String,
    /// How far it reaches.
    pub reach: Grant,
    /// The name of the project or environment it is for; empty where it is for the team.
    pub scope_name: String,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// When it runs out; none for never.
    pub expires_at: Option<OffsetDateTime>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<OffsetDateTime>,
    /// Where from.
    pub last_used_from: String,
    /// True where it has run out.
    pub expired: bool,
}

/// A token that was found by its hash, with what its account may at this moment.
#[derive(Clone, Debug)]
pub struct Known {
    /// Whose it is and how far it reaches.
    pub bearer: Bearer,
    /// Its team.
    pub team: TeamId,
    /// The team's short name.
    pub team_slug: String,
    /// The team's name.
    pub team_name: String,
    /// When it runs out; none for never.
    pub expires_at: Option<OffsetDateTime>,
    /// The grants of its account.
    pub grants: Vec<Grant>,
    /// True where "last used" is to be written.
    pub unseen: bool,
}

/// Keeps a token; false where the account has one of this name.
pub async fn insert(conn: &mut PgConnection, permit: &Permit, new: &New<'_>) -> Result<bool, sqlx::Error> {
    let (kind, scope) = members::scope_parts(new.reach.scope);
    let done = sqlx::query!(
        "insert into api_tokens
           (team_id, id, account_id, name, hash, hint, role, scope_kind, scope_id, expires_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, now() + make_interval(days => $10))
         on conflict (team_id, account_id, name) do nothing",
        permit.team().0,
        new.id.0,
        new.account.0,
        new.name,
        new.hash,
        new.hint,
        new.reach.role as _,
        kind,
        scope,
        new.days,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The tokens of a team, newest first; of one account where it is named, or one token.
pub async fn list(
    conn: &mut PgConnection,
    permit: &Permit,
    account: Option<AccountId>,
    only: Option<TokenId>,
) -> Result<Vec<Row>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"select k.id, k.account_id, a.name as account_name, k.name, k.hint, k.role as "role: Role", k.scope_kind,
                  k.scope_id, coalesce(p.name, ep.name || ' / ' || e.name, h.name, '') as "scope_name!", k.created_at,
                  k.expires_at, k.last_used_at, k.last_used_from, coalesce(k.expires_at <= now(), false) as "expired!"
             from api_tokens k
             join accounts a on a.id = k.account_id
             left join projects p on p.team_id = k.team_id and p.id = k.scope_id
             left join environments e on e.team_id = k.team_id and e.id = k.scope_id
             left join projects ep on ep.team_id = e.team_id and ep.id = e.project_id
             left join hosts h on h.team_id = k.team_id and h.id = k.scope_id
            where k.team_id = $1 and ($2::uuid is null or k.account_id = $2) and ($3::uuid is null or k.id = $3)
            order by k.created_at desc, k.id desc"#,
        permit.team().0,
        account.map(|account| account.0),
        only.map(|only| only.0),
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .filter_map(|row| {
            Some(Row {
                id: TokenId(row.id),
                account: AccountId(row.account_id),
                account_name: row.account_name,
                name: row.name,
                hint: row.hint,
                reach: Grant { scope: members::scope(&row.scope_kind, row.scope_id)?, role: row.role },
                scope_name: row.scope_name,
                created_at: row.created_at,
                expires_at: row.expires_at,
                last_used_at: row.last_used_at,
                last_used_from: row.last_used_from,
                expired: row.expired,
            })
        })
        .collect())
}

/// Ends a token; false where it is gone.
pub async fn remove(conn: &mut PgConnection, permit: &Permit, id: TokenId) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!("delete from api_tokens where team_id = $1 and id = $2", permit.team().0, id.0)
        .execute(conn)
        .await?;
    Ok(done.rows_affected() == 1)
}

/// How many tokens an account has in the team.
pub async fn count(conn: &mut PgConnection, permit: &Permit, account: AccountId) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select count(*) as "count!" from api_tokens where team_id = $1 and account_id = $2"#,
        permit.team().0,
        account.0,
    )
    .fetch_one(conn)
    .await
}

/// The token with this hash, in one statement: none where there is none, where it has run out, and where its account is
/// no member any more. Needs the door's scope.
pub async fn find(conn: &mut PgConnection, hash: &[u8]) -> Result<Option<Known>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"select k.id, k.team_id, k.account_id, k.name, k.role as "role: Role", k.scope_kind, k.scope_id, k.expires_at,
                  a.name as who, t.slug, t.name as team_name, g.scope_kind as "kind?", g.scope_id as "scope?",
                  g.role as "granted?: Role",
                  coalesce(k.last_used_at < now() - make_interval(secs => $2), true) as "unseen!"
             from api_tokens k
             join accounts a on a.id = k.account_id
             join members m on m.team_id = k.team_id and m.account_id = k.account_id
             join teams t on t.id = k.team_id
             left join grants g on g.team_id = m.team_id and g.member_id = m.id
            where k.hash = $1 and (k.expires_at is null or k.expires_at > now())"#,
        hash,
        SEEN_EVERY.as_secs_f64(),
    )
    .fetch_all(conn)
    .await?;
    let Some(first) = rows.first() else { return Ok(None) };
    let Some(scope) = members::scope(&first.scope_kind, first.scope_id) else { return Ok(None) };
    let grant = |kind: Option<&str>, id: Option<Uuid>, role: Option<Role>| -> Option<Grant> {
        Some(Grant { scope: members::scope(kind?, id?)?, role: role? })
    };
    Ok(Some(Known {
        bearer: Bearer {
            account: AccountId(first.account_id),
            account_name: first.who.clone(),
            token: TokenId(first.id),
            token_name: first.name.clone(),
            reach: Grant { scope, role: first.role },
        },
        team: TeamId(first.team_id),
        team_slug: first.slug.clone(),
        team_name: first.team_name.clone(),
        expires_at: first.expires_at,
        unseen: first.unseen,
        grants: rows.iter().filter_map(|row| grant(row.kind.as_deref(), row.scope, row.granted)).collect(),
    }))
}

/// Writes down that a token was used now, from there.
pub async fn used(conn: &mut PgConnection, permit: &Permit, id: TokenId, from: &str) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update api_tokens set last_used_at = now(), last_used_from = $3 where team_id = $1 and id = $2",
        permit.team().0,
        id.0,
        from,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Counts a wrong token. Some where this client has shown too many and must wait for so long.
pub async fn wrong(conn: &mut PgConnection, address: &str) -> Result<Option<Duration>, sqlx::Error> {
    let subject = sign_ins::subject("token", &sign_ins::place(address));
    let wait = sign_ins::must_wait(&mut *conn, &subject, PER_CLIENT).await?;
    if wait.is_none() {
        sign_ins::count(conn, &[subject]).await?;
    }
    Ok(wait)
}
