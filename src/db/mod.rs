//! Every SQL statement, a file per table group. Not here: HTTP, SSH, decisions.
//!
//! Functions take the caller's connection (of a transaction begun by [`Db`]) and, for a team's things, its permit:
//! the caller owns the transaction, and row-level security repeats in the database what the permit says.

pub mod accounts;
pub mod acme;
pub mod acme_orders;
pub mod acme_routes;
pub mod alerts;
pub mod app_lines;
pub mod apps;
pub mod audit;
pub mod builds;
pub mod certificate_ends;
pub mod certificates;
pub mod changes;
pub mod channels;
pub mod cluster;
mod connect;
pub mod deliveries;
pub mod deploy_requests;
pub mod deploy_runs;
pub mod deploys;
pub mod dns_accounts;
pub mod dockerfiles;
pub mod environments;
pub mod fronts;
pub mod health;
pub mod hooks;
pub mod host_checks;
pub mod host_logins;
pub mod host_passes;
pub mod host_ways;
pub mod hosts;
pub mod instances;
pub mod invitations;
pub mod job_log;
pub mod job_steps;
pub mod jobs;
mod leased;
pub mod ledger;
pub mod members;
pub mod moments;
pub mod notices;
pub mod panel;
pub mod panel_addresses;
pub mod projects;
pub mod releases;
pub mod removed;
pub mod renewals;
pub mod retention;
pub mod routes;
pub mod secrets;
pub mod sessions;
pub mod setup;
pub mod sights;
pub mod sign_ins;
pub mod sources;
pub mod teams;
pub mod tokens;
pub mod volumes;

pub use connect::{ConnectError, DatabaseSettings};
pub use leased::Leased;

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPool};
use sqlx::{AssertSqlSafe, Connection, PgConnection, Postgres};

use crate::domain::rights::{Permit, Who};

/// A transaction; `&mut *tx` is the connection the functions of this floor take.
pub type Tx<'a> = sqlx::Transaction<'a, sqlx::Postgres>;

/// Unused connections that a pool keeps for whoever comes next.
const KEPT_UNUSED: usize = 2;

/// The database. Cheap to clone. Pages and workers have a pool each, so that neither can starve the other.
#[derive(Clone, Debug)]
pub struct Db {
    app: PgPool,
    worker: PgPool,
    door: PgPool,
}

impl Db {
    /// Begins a transaction that sees the permit's team and no other. One round trip.
    pub async fn begin(&self, permit: &Permit) -> Result<Tx<'static>, sqlx::Error> {
        let pool = match permit.who() {
            Who::Person { .. } | Who::Token { .. } | Who::Delivery { .. } | Who::Machine => &self.app,
            Who::Worker => &self.worker,
        };
        // A UUID prints as hex digits and hyphens only; `set` takes no bind parameters.
        pool.begin_with(AssertSqlSafe(format!("begin; set local skiff.team = '{}'", permit.team()))).await
    }

    /// Begins a transaction of the doorkeeper: panel, accounts and sessions, and whose member an account is. No team's
    /// things.
    pub async fn begin_door(&self) -> Result<Tx<'static>, sqlx::Error> {
        self.app.begin_with("begin; set local skiff.scope = 'door'").await
    }

    /// A connection of the doorkeeper for one statement that only reads: its scope was set when it was made, so that asking
    /// who somebody is takes one round trip.
    pub async fn door(&self) -> Result<PoolConnection<Postgres>, sqlx::Error> {
        #[expect(clippy::disallowed_methods, reason = "a pool of the door's scope alone: no team is ever set on it")]
        self.door.acquire().await
    }

    /// Begins a transaction of the queue: sees the jobs of all teams and nothing else of theirs.
    pub async fn begin_worker(&self) -> Result<Tx<'static>, sqlx::Error> {
        self.worker.begin_with("begin; set local skiff.scope = 'worker'").await
    }

    /// A connection of its own beside the pools, which sees the jobs of all teams: a heartbeat must not wait for a
    /// free one. The caller keeps and replaces it.
    pub async fn connect_worker(&self) -> Result<PgConnection, sqlx::Error> {
        let mut conn = PgConnection::connect_with(&self.worker_options()).await?;
        sqlx::raw_sql("set skiff.scope = 'worker'").execute(&mut conn).await?;
        Ok(conn)
    }

    /// Closes one unused connection of each pool that has more than a few. Unused ones are taken in turn, so that whoever looks every
    /// two seconds keeps all of them open that a busy minute needed, each for some 4 MB of the server's memory.
    pub async fn spare(&self) {
        for pool in [&self.app, &self.worker, &self.door] {
            let unused = (pool.num_idle() > KEPT_UNUSED).then(|| pool.try_acquire()).flatten();
            if let Some(unused) = unused {
                unused.close().await.ok();
            }
        }
    }

    /// Asks the database for a sign of life.
    pub async fn ping(&self) -> Result<(), sqlx::Error> {
        sqlx::query_scalar!("select 1").fetch_one(&self.app).await.map(drop)
    }

    /// Closes both pools: waits for what runs, refuses what comes.
    pub async fn close(&self) {
        self.app.close().await;
        self.door.close().await;
        self.worker.close().await;
    }

    /// How workers connect, for the listener and the heartbeat.
    fn worker_options(&self) -> PgConnectOptions {
        self.worker.connect_options().as_ref().clone()
    }
}
