//! Members of teams and their grants. Not here: what a role may do.

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::teams;
use crate::domain::ids::{AccountId, EnvironmentId, HostId, MemberId, ProjectId, TeamId};
use crate::domain::rights::{Grant, Moment, Permit, Role, Scope};

/// Makes an account a member of the permit's team.
pub async fn insert(
    conn: &mut PgConnection,
    permit: &Permit,
    id: MemberId,
    account: AccountId,
) -> Result<MemberId, sqlx::Error> {
    sqlx::query_scalar!(
        r#"insert into members (team_id, id, account_id) values ($1, $2, $3)
           on conflict (team_id, account_id) do update set account_id = excluded.account_id
           returning id as "id: MemberId""#,
        permit.team().0,
        id.0,
        account.0,
    )
    .fetch_one(conn)
    .await
}

/// Gives a member a role in a scope, in place of the one it had there.
pub async fn grant(
    conn: &mut PgConnection,
    permit: &Permit,
    member: MemberId,
    grant: Grant,
) -> Result<(), sqlx::Error> {
    let (kind, id) = scope_parts(grant.scope);
    sqlx::query!(
        "insert into grants (team_id, member_id, scope_kind, scope_id, role) values ($1, $2, $3, $4, $5)
         on conflict (team_id, member_id, scope_kind, scope_id) do update set role = excluded.role",
        permit.team().0,
        member.0,
        kind,
        id,
        grant.role as _,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Takes back what a member may in a scope. False where they had nothing there.
pub async fn ungrant(
    conn: &mut PgConnection,
    permit: &Permit,
    member: MemberId,
    scope: Scope,
) -> Result<bool, sqlx::Error> {
    let (kind, id) = scope_parts(scope);
    let gone = sqlx::query!(
        "delete from grants where team_id = $1 and member_id = $2 and scope_kind = $3 and scope_id = $4",
        permit.team().0,
        member.0,
        kind,
        id,
    )
    .execute(conn)
    .await?;
    Ok(gone.rows_affected() > 0)
}

/// Ends a membership, with its grants and tokens. False where there is none.
pub async fn remove(conn: &mut PgConnection, permit: &Permit, member: MemberId) -> Result<bool, sqlx::Error> {
    let gone = sqlx::query!("delete from members where team_id = $1 and id = $2", permit.team().0, member.0)
        .execute(conn)
        .await?;
    Ok(gone.rows_affected() > 0)
}

/// Makes changes of the team's members wait for one another until the transaction ends: two owners who demote each other
/// at once would both be right by what they read. Rows that only refer to the team wait for nothing.
pub async fn lock(conn: &mut PgConnection, permit: &Permit) -> Result<(), sqlx::Error> {
    sqlx::query!("select id from teams where id = $1 for no key update", permit.team().0)
        .fetch_one(conn)
        .await
        .map(drop)
}

/// A member.
#[derive(Clone, Debug)]
pub struct Row {
    /// The membership.
    pub id: MemberId,
    /// The account.
    pub account: AccountId,
    /// Its name.
    pub name: String,
    /// What it signs in with.
    pub email: String,
    /// Since when it is in the team.
    pub created_at: OffsetDateTime,
}

/// The members, by name; or only this one.
pub async fn list(conn: &mut PgConnection, permit: &Permit, only: Option<MemberId>) -> Result<Vec<Row>, sqlx::Error> {
    sqlx::query_as!(
        Row,
        r#"select m.id as "id: MemberId", m.account_id as "account: AccountId", a.name, a.email, m.created_at
             from members m join accounts a on a.id = m.account_id
            where m.team_id = $1 and ($2::uuid is null or m.id = $2)
            order by lower(a.name), m.id"#,
        permit.team().0,
        only.map(|id| id.0),
    )
    .fetch_all(conn)
    .await
}

/// What the members may, or only what this one may: the widest scopes first.
pub async fn grants(
    conn: &mut PgConnection,
    permit: &Permit,
    only: Option<MemberId>,
) -> Result<Vec<(MemberId, Grant)>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"select member_id as "member: MemberId", scope_kind, scope_id, role as "role: Role" from grants
            where team_id = $1 and ($2::uuid is null or member_id = $2)
            order by member_id, array_position(array['team', 'project', 'environment', 'host'], scope_kind), created_at"#,
        permit.team().0,
        only.map(|id| id.0),
    )
    .fetch_all(conn)
    .await?;
    let grant = |kind: &str, id, role| scope(kind, id).map(|scope| Grant { scope, role });
    Ok(rows.into_iter().filter_map(|r| Some((r.member, grant(&r.scope_kind, r.scope_id, r.role)?))).collect())
}

/// What an account may in the team now; nothing where it is no member.
pub async fn grants_of(
    conn: &mut PgConnection,
    permit: &Permit,
    account: AccountId,
) -> Result<Vec<Grant>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"select g.scope_kind, g.scope_id, g.role as "role: Role"
             from members m join grants g on g.team_id = m.team_id and g.member_id = m.id
            where m.team_id = $1 and m.account_id = $2
            order by g.scope_kind, g.scope_id"#,
        permit.team().0,
        account.0,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .filter_map(|r| Some(Grant { scope: scope(&r.scope_kind, r.scope_id)?, role: r.role }))
        .collect())
}

/// Somebody at the door: the account's name, its teams, and the place in one of them.
#[derive(Clone, Debug)]
pub struct Whoami {
    /// The name.
    pub name: String,
    /// The teams, by name.
    pub teams: Vec<teams::Row>,
    /// The team that was named and the grants there; none where the account is not a member.
    pub place: Option<(TeamId, Vec<Grant>)>,
    /// When this was so.
    pub moment: Moment,
}

/// Who an account is, in one statement; none where it is gone. Needs the door's scope.
pub async fn whoami(
    conn: &mut PgConnection,
    account: AccountId,
    slug: Option<&str>,
) -> Result<Option<Whoami>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"select a.name as who, t.id as "team?", t.slug as "slug?", t.name as "name?", g.scope_kind as "kind?",
                  g.scope_id as "scope?", g.role as "role?: Role", pg_current_snapshot()::text as "moment!"
             from accounts a
             left join members m on m.account_id = a.id
             left join teams t on t.id = m.team_id
             left join grants g on t.slug = $2 and g.team_id = m.team_id and g.member_id = m.id
            where a.id = $1
            order by t.name, t.id"#,
        account.0,
        slug,
    )
    .fetch_all(conn)
    .await?;
    let Some(first) = rows.first() else { return Ok(None) };
    let mut whoami =
        Whoami { name: first.who.clone(), teams: Vec::new(), place: None, moment: Moment(first.moment.clone()) };
    for row in &rows {
        let (Some(id), Some(row_slug), Some(name)) = (row.team.map(TeamId), &row.slug, &row.name) else { continue };
        if whoami.teams.last().is_none_or(|last| last.id != id) {
            whoami.teams.push(teams::Row { id, slug: row_slug.clone(), name: name.clone() });
        }
        if slug == Some(row_slug) {
            let grants = &mut whoami.place.get_or_insert_with(|| (id, Vec::new())).1;
            let scope = row.kind.as_deref().zip(row.scope).and_then(|(kind, id)| scope(kind, id));
            grants.extend(scope.zip(row.role).map(|(scope, role)| Grant { scope, role }));
        }
    }
    Ok(Some(whoami))
}

/// A scope's columns.
pub(super) fn scope_parts(scope: Scope) -> (&'static str, Uuid) {
    match scope {
        Scope::Team(id) => ("team", id.0),
        Scope::Project(id) => ("project", id.0),
        Scope::Environment(id) => ("environment", id.0),
        Scope::Host(id) => ("host", id.0),
    }
}

/// A scope as the table has it.
pub(super) fn scope(kind: &str, id: Uuid) -> Option<Scope> {
    match kind {
        "team" => Some(Scope::Team(TeamId(id))),
        "project" => Some(Scope::Project(ProjectId(id))),
        "environment" => Some(Scope::Environment(EnvironmentId(id))),
        "host" => Some(Scope::Host(HostId(id))),
        _ => None,
    }
}
