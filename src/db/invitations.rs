//! Invitations: links for one person each, of which only the hash is kept. Not here: who may invite whom.

use sqlx::PgConnection;
use sqlx::types::Json;
use time::OffsetDateTime;

use crate::domain::ids::{AccountId, InvitationId, TeamId, TokenId};
use crate::domain::rights::{Grant, Permit};

/// What is written down of a new one.
#[derive(Clone, Debug)]
pub struct New<'a> {
    /// The invitation.
    pub id: InvitationId,
    /// The SHA-256 of its token.
    pub token_hash: &'a [u8],
    /// Whom it is for, as the inviter calls them.
    pub note: &'a str,
    /// What the invited will be.
    pub grants: &'a [Grant],
    /// The same as people read it.
    pub words: &'a str,
    /// Who invites.
    pub by: AccountId,
    /// With which token, where it is by one: the invitation ends with it.
    pub by_token: Option<TokenId>,
    /// How many days the link works.
    pub days: i32,
}

/// An invitation in the team's list.
#[derive(Clone, Debug)]
pub struct Row {
    /// The invitation.
    pub id: InvitationId,
    /// Whom it is for.
    pub note: String,
    /// What the invited will be, as people read it.
    pub words: String,
    /// Who invited.
    pub by_name: String,
    /// When.
    pub created_at: OffsetDateTime,
    /// Until when the link works.
    pub expires_at: OffsetDateTime,
}

/// An open invitation, found by its link.
#[derive(Clone, Debug)]
pub struct Found {
    /// The invitation.
    pub id: InvitationId,
    /// Its team.
    pub team: TeamId,
    /// The team's slug.
    pub team_slug: String,
    /// The team's name.
    pub team_name: String,
    /// Whom it is for.
    pub note: String,
    /// What the invited will be.
    pub grants: Json<Vec<Grant>>,
    /// The same as people read it.
    pub words: String,
    /// Who invited.
    pub by_name: String,
    /// Until when the link works.
    pub expires_at: OffsetDateTime,
}

/// Writes one down.
pub async fn insert(conn: &mut PgConnection, permit: &Permit, new: &New<'_>) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into invitations (team_id, id, token_hash, note, grants, words, invited_by, expires_at, by_token)
         values ($1, $2, $3, $4, $5, $6, $7, now() + make_interval(days => $8), $9)",
        permit.team().0,
        new.id.0,
        new.token_hash,
        new.note,
        Json(new.grants) as _,
        new.words,
        new.by.0,
        new.days,
        new.by_token.map(|token| token.0),
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Those whose links still work, newest first.
pub async fn open(conn: &mut PgConnection, permit: &Permit, limit: i64) -> Result<Vec<Row>, sqlx::Error> {
    sqlx::query_as!(
        Row,
        r#"select i.id as "id: InvitationId", i.note, i.words, a.name as by_name, i.created_at,
                  least(i.expires_at, k.expires_at) as "expires_at!"
             from invitations i join accounts a on a.id = i.invited_by
             left join api_tokens k on k.team_id = i.team_id and k.id = i.by_token
            where i.team_id = $1 and i.used_at is null and i.revoked_at is null
              and (i.by_token is null or k.id is not null) and least(i.expires_at, k.expires_at) > now()
            order by i.created_at desc, i.id limit $2"#,
        permit.team().0,
        limit,
    )
    .fetch_all(conn)
    .await
}

/// Takes one back. None where there is no such invitation; else whom it was for, and whether this ended it: one that was
/// used, taken back or too old stays as it is.
pub async fn revoke(
    conn: &mut PgConnection,
    permit: &Permit,
    id: InvitationId,
) -> Result<Option<(String, bool)>, sqlx::Error> {
    let row = sqlx::query!(
        r#"with ended as (update invitations set revoked_at = now()
                           where team_id = $1 and id = $2 and used_at is null and revoked_at is null returning id)
           select note, exists (select from ended) as "ended!" from invitations where team_id = $1 and id = $2"#,
        permit.team().0,
        id.0,
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| (row.note, row.ended)))
}

/// Takes back all open ones of this inviter: an invitation is worth what its inviter may.
pub async fn revoke_of(conn: &mut PgConnection, permit: &Permit, by: AccountId) -> Result<u64, sqlx::Error> {
    let ended = sqlx::query!(
        "update invitations set revoked_at = now()
          where team_id = $1 and invited_by = $2 and used_at is null and revoked_at is null",
        permit.team().0,
        by.0,
    )
    .execute(conn)
    .await?;
    Ok(ended.rows_affected())
}

/// The open invitation of a link. Needs the door's scope.
pub async fn find(conn: &mut PgConnection, token_hash: &[u8]) -> Result<Option<Found>, sqlx::Error> {
    sqlx::query_as!(
        Found,
        r#"select i.id as "id: InvitationId", t.id as "team: TeamId", t.slug as team_slug, t.name as team_name, i.note,
                  i.grants as "grants: Json<Vec<Grant>>", i.words, a.name as by_name,
                  least(i.expires_at, k.expires_at) as "expires_at!"
             from invitations i join teams t on t.id = i.team_id join accounts a on a.id = i.invited_by
             left join api_tokens k on k.team_id = i.team_id and k.id = i.by_token
            where i.token_hash = $1 and i.used_at is null and i.revoked_at is null
              and (i.by_token is null or k.id is not null) and least(i.expires_at, k.expires_at) > now()"#,
        token_hash,
    )
    .fetch_optional(conn)
    .await
}

/// Uses an open one up for this account: of several at once, one gets true.
pub async fn spend(
    conn: &mut PgConnection,
    permit: &Permit,
    id: InvitationId,
    by: AccountId,
) -> Result<bool, sqlx::Error> {
    let used = sqlx::query!(
        "update invitations set used_at = now(), used_by = $3
          where team_id = $1 and id = $2 and used_at is null and revoked_at is null and expires_at > now()
            and (by_token is null
                 or exists (select from api_tokens k where k.team_id = $1 and k.id = by_token
                               and (k.expires_at is null or k.expires_at > now())))",
        permit.team().0,
        id.0,
        by.0,
    )
    .execute(conn)
    .await?;
    Ok(used.rows_affected() == 1)
}
