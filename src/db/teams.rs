//! Teams. The table has no row-level security: a team's name and slug are read before one is chosen.

use sqlx::PgConnection;

use super::Leased;
use crate::domain::ids::{AccountId, TeamId};
use crate::domain::names::{DisplayName, Slug};
use crate::domain::rights::Permit;

/// A team.
#[derive(Clone, Debug)]
pub struct Row {
    /// The team.
    pub id: TeamId,
    /// The first part of its addresses.
    pub slug: String,
    /// Its name.
    pub name: String,
}

/// Makes a team with its wrapped data key.
pub async fn insert(
    conn: &mut PgConnection,
    id: TeamId,
    slug: &Slug,
    name: &DisplayName,
    data_key: &[u8],
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into teams (id, slug, name, data_key) values ($1, $2, $3, $4)",
        id.0,
        slug.as_ref(),
        name.as_ref(),
        data_key,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Gives a team another name and slug.
pub async fn rename(conn: &mut PgConnection, id: TeamId, slug: &Slug, name: &DisplayName) -> Result<(), sqlx::Error> {
    sqlx::query!("update teams set slug = $2, name = $3 where id = $1", id.0, slug.as_ref(), name.as_ref())
        .execute(conn)
        .await?;
    Ok(())
}

/// Gives a team another name; its addresses stay.
pub async fn set_name(conn: &mut PgConnection, id: TeamId, name: &DisplayName) -> Result<(), sqlx::Error> {
    sqlx::query!("update teams set name = $2 where id = $1", id.0, name.as_ref()).execute(conn).await.map(drop)
}

/// A team's name.
pub async fn name(conn: &mut PgConnection, id: TeamId) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar!("select name from teams where id = $1", id.0).fetch_optional(conn).await
}

/// Slugs that begin so: a new one must not be among them.
pub async fn slugs_like(conn: &mut PgConnection, start: &str) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar!("select slug from teams where starts_with(slug, $1)", start).fetch_all(conn).await
}

/// True where the account owns a team. Needs the door's scope.
pub async fn owns_any(conn: &mut PgConnection, account: AccountId) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select exists (select from members m join grants g on g.team_id = m.team_id and g.member_id = m.id
                           where m.account_id = $1 and g.scope_kind = 'team' and g.role = 'owner') as "owns!""#,
        account.0,
    )
    .fetch_one(conn)
    .await
}

/// The oldest team: the one that exists before anybody owns it.
pub async fn first(conn: &mut PgConnection) -> Result<Option<Row>, sqlx::Error> {
    sqlx::query_as!(Row, r#"select id as "id: TeamId", slug, name from teams order by created_at, id limit 1"#)
        .fetch_optional(conn)
        .await
}

/// All teams, the oldest first: for whoever holds the panel's machine.
pub async fn all(conn: &mut PgConnection) -> Result<Vec<Row>, sqlx::Error> {
    sqlx::query_as!(Row, r#"select id as "id: TeamId", slug, name from teams order by created_at, id"#)
        .fetch_all(conn)
        .await
}

/// A team by its slug.
pub async fn by_slug(conn: &mut PgConnection, slug: &str) -> Result<Option<Row>, sqlx::Error> {
    sqlx::query_as!(Row, r#"select id as "id: TeamId", slug, name from teams where slug = $1"#, slug)
        .fetch_optional(conn)
        .await
}

/// The teams an account belongs to, by name. Needs the door's scope.
pub async fn of_account(conn: &mut PgConnection, account: AccountId) -> Result<Vec<Row>, sqlx::Error> {
    sqlx::query_as!(
        Row,
        r#"select t.id as "id: TeamId", t.slug, t.name from members m join teams t on t.id = m.team_id
            where m.account_id = $1 order by t.name, t.id"#,
        account.0,
    )
    .fetch_all(conn)
    .await
}

/// The team's slug.
pub async fn slug(conn: &mut PgConnection, permit: &Permit) -> Result<String, sqlx::Error> {
    sqlx::query_scalar!("select slug from teams where id = $1", permit.team().0).fetch_one(conn).await
}

/// Takes the turn of teams whose old things were not looked through for a day. Who else asks finds nothing.
pub async fn to_tidy(conn: &mut PgConnection, limit: i64) -> Result<Vec<Leased>, sqlx::Error> {
    let rows = sqlx::query_scalar!(
        r#"update teams set tidy_at = now() + interval '1 day'
            where id in (select id from teams where tidy_at <= now() order by tidy_at limit $1 for update skip locked)
           returning id as "id: TeamId""#,
        limit,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(Leased::of).collect())
}
