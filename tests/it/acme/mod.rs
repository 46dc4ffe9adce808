//! Certificates that are got by themselves: from Pebble, a real authority, with real proxies and a real name server; and what goes
//! wrong at one, by a stand-in that speaks the protocol.

mod another;
pub mod ca;
mod dns;
mod doctor;
mod faults;
mod gone;
mod hammer;
mod http;
mod life;
mod limits;
pub mod names;
mod nat;
mod pages;
mod services;
mod settings;
mod stand_in;

use skiff::actions::acme::{self, OrderView};
use skiff::db::acme::Settings;
use skiff::domain::ids::{AcmeOrderId, DnsAccountId, JobId};
use time::OffsetDateTime;

use crate::harness::world::{Ended, World};

/// Chooses an authority, past the form, which takes only https.
async fn choose(world: &World, directory: &str, ca_root: &str) {
    let settings = Settings {
        directory: directory.into(),
        email: "ada@example.org".into(),
        ca_root: ca_root.into(),
        eab_id: String::new(),
        eab_sealed: None,
        terms_agreed_by: "Ada".into(),
        terms_agreed_at: OffsetDateTime::now_utc(),
    };
    let mut tx = world.db.begin(&world.team.permit).await.unwrap();
    skiff::db::acme::choose(&mut tx, &settings).await.unwrap();
    tx.commit().await.unwrap();
}

/// The team's only order.
async fn order(world: &World) -> OrderView {
    let mut all = acme::list(&world.actions(), &world.team.owner).await.unwrap();
    assert_eq!(all.len(), 1, "{all:?}");
    all.pop().unwrap()
}

/// Orders a certificate that is proven by DNS.
async fn order_by_dns(world: &World, names: &str, account: DnsAccountId) -> (AcmeOrderId, JobId) {
    let input = acme::NewOrder { names: names.into(), dns_account: account.to_string() };
    acme::order(&world.actions(), &world.team.owner, input).await.unwrap()
}

/// Has it got now, and waits until that is over.
async fn again(world: &World, id: AcmeOrderId) -> Ended {
    let job = acme::get_now(&world.actions(), &world.team.owner, id).await.unwrap();
    world.over(job).await
}

/// One value of a statement.
async fn one<T>(world: &World, sql: &str) -> T
where
    T: for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres> + Send + Unpin,
{
    let mut conn = world.db.superuser().await;
    sqlx::query_scalar(sqlx::AssertSqlSafe(sql.to_owned())).fetch_one(&mut conn).await.unwrap()
}

/// Does something to the database, past everything.
async fn sql(world: &World, sql: &str) {
    let mut conn = world.db.superuser().await;
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned())).execute(&mut conn).await.unwrap();
}
