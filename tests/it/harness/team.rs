//! Somebody to act for: a team with its permit.

use skiff::db::Db;
use skiff::domain::cause::Cause;
use skiff::domain::ids::{AccountId, TeamId};
use skiff::domain::rights::{Actor, Grant, On, Permission, Permit, Role, Scope};
use uuid::Uuid;

/// A team that exists in the database.
#[derive(Clone)]
pub struct TestTeam {
    /// The team.
    pub id: TeamId,
    /// Its owner.
    pub owner: Actor,
    /// The owner's permit.
    pub permit: Permit,
}

impl TestTeam {
    /// A new team. Its owner has no account and no session: enough for everything below the doors.
    pub async fn new(db: &Db) -> Self {
        let id = TeamId(Uuid::now_v7());
        let mut tx = db.begin_door().await.unwrap();
        sqlx::query("insert into teams (id, slug, name, data_key) values ($1, $2, 'A team', '\\x00')")
            .bind(id.0)
            .bind(format!("team-{}", id.simple()))
            .execute(&mut *tx)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        let grant = Grant { scope: Scope::Team(id), role: Role::Owner };
        let owner = Actor::new(AccountId(Uuid::now_v7()), "Ada".into(), "127.0.0.1".into(), id, vec![grant]);
        let permit = owner.may(Permission::OwnTeam, On::team(id)).unwrap();
        Self { id, owner, permit }
    }
}

/// A cause for jobs nobody asked for.
pub fn cause() -> Cause {
    Cause::System { why: "a test".into(), deploy: None }
}
