//! Members of teams and their grants. Not here: what a role may do.

use sqlx::PgConnection;
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
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into members (team_id, id, account_id) values ($1, $2, $3)",
        permit.team().0,
        id.0,
        account.0,
    )
    .execute(conn)
    .await?;
    Ok(())
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
