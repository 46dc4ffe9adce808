//! Reaching the database at start: settings, the sentences of what can go wrong, migration, the check of versions.

use std::time::Duration;

use sqlx::migrate::MigrateError;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, Row};

use super::{Db, job_log};

/// The oldest PostgreSQL we run on, as `server_version_num`: 14 brought `client_connection_check_interval`.
const OLDEST_POSTGRES: i32 = 140_000;
/// How long a start waits for a database that is itself still starting (both are often started together).
const CONNECT_PATIENCE: Duration = Duration::from_secs(10);
/// Between two tries of the above.
const CONNECT_RETRY: Duration = Duration::from_millis(100);
/// How long a start waits for another one's migrations, as Postgres reads it.
const MIGRATION_TURN: &str = "120s";
/// The advisory lock of a start: "skiff" as a number.
const START_TURN: i64 = 0x73_6b69_6666;
/// Connections of pages: queries are short, and each connection costs Postgres some megabytes.
const APP_CONNECTIONS: u32 = 12;
/// Connections that ask who somebody is: one short statement each.
const DOOR_CONNECTIONS: u32 = 4;
/// Connections of workers: jobs take one for moments only, between calls to hosts.
const WORKER_CONNECTIONS: u32 = 8;
/// A request that finds no connection in this time answers 503 instead of hanging.
const ACQUIRE_WITHIN: Duration = Duration::from_millis(1500);
/// A pooled connection unused for longer is asked for a sign of life first: after a restart of Postgres all are dead.
const TRUST_IDLE_FOR: Duration = Duration::from_millis(500);
/// Unused connections are given back, so that an idle panel costs little. Whoever looks now and then takes them in turn: with more time,
/// all that a busy minute opened would stay open for these looks.
const CLOSE_IDLE_AFTER: Duration = Duration::from_secs(15);

/// Where the database is, and as whom to come. One role for all three is accepted.
#[derive(Clone)]
pub struct DatabaseSettings {
    /// For pages.
    pub app: PgConnectOptions,
    /// For jobs; may claim across teams.
    pub worker: PgConnectOptions,
    /// For migrations; owns the tables.
    pub owner: PgConnectOptions,
}

/// Why the database cannot be used. Each is one sentence for the operator.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The address is not one.
    #[error("The database address is not one Skiff can read ({0}). Give it as postgres://user:password@host/database.")]
    Address(String),
    /// Nobody answers, or not in time.
    #[error("PostgreSQL at {place} does not answer ({detail}). Is it running, and may this machine reach it?")]
    Unreachable {
        /// Host and port, or socket folder.
        place: String,
        /// What was met.
        detail: String,
    },
    /// It answers, and says no: password, role, or database.
    #[error("PostgreSQL at {place} refuses: {detail}.")]
    Refused {
        /// Host and port, or socket folder.
        place: String,
        /// Its own words.
        detail: String,
    },
    /// Older than we can use.
    #[error("PostgreSQL at {place} is version {found}; Skiff needs 14 or newer.")]
    TooOld {
        /// Host and port, or socket folder.
        place: String,
        /// Its version, "13.4".
        found: String,
    },
    /// Migrated by a newer program: an old one must not write there.
    #[error(
        "This database was migrated by a newer Skiff (its schema is {found}, this program knows {known}). \
         Start the newer program, or restore the backup made before its update."
    )]
    SchemaNewer {
        /// The schema found.
        found: i64,
        /// The newest this program knows.
        known: i64,
    },
    /// A migration went wrong; it left nothing behind.
    #[error("The database could not be brought to schema {version}: {detail}. Nothing was changed by that step.")]
    Migration {
        /// The step.
        version: i64,
        /// Postgres' own words.
        detail: String,
    },
}

impl DatabaseSettings {
    /// From addresses; worker and owner are the same as the app's where not given.
    pub fn from_urls(app: &str, worker: Option<&str>, owner: Option<&str>) -> Result<Self, ConnectError> {
        let read = |url: &str| {
            if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
                return Err(ConnectError::Address("it does not begin with postgres://".into()));
            }
            url.parse::<PgConnectOptions>().map_err(|error| ConnectError::Address(error.to_string()))
        };
        let app_options = read(app)?;
        Ok(Self {
            worker: worker.map_or_else(|| Ok(app_options.clone()), read)?,
            owner: owner.map_or_else(|| Ok(app_options.clone()), read)?,
            app: app_options,
        })
    }

    /// The same database under another name, for tests.
    pub fn with_database(&self, name: &str) -> Self {
        Self {
            app: self.app.clone().database(name),
            worker: self.worker.clone().database(name),
            owner: self.owner.clone().database(name),
        }
    }
}

impl std::fmt::Debug for DatabaseSettings {
    /// Without the passwords the options hold.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("DatabaseSettings").field(&place(&self.app)).field(&self.app.get_database()).finish()
    }
}

impl Db {
    /// Waits for the database, migrates it, and opens the pools.
    pub async fn connect(settings: &DatabaseSettings) -> Result<Self, ConnectError> {
        let place = place(&settings.owner);
        let mut owner = reach(&settings.owner, &place).await?;
        check_version(&mut owner, &place).await?;
        migrate(&mut owner, &place).await?;
        owner.close().await.ok();
        Ok(Self::open(settings))
    }

    /// Waits for the database and opens the pools, and changes nothing in it: its schema may be another than this program's.
    pub async fn look(settings: &DatabaseSettings) -> Result<Self, ConnectError> {
        let place = place(&settings.app);
        let mut conn = reach(&settings.app, &place).await?;
        check_version(&mut conn, &place).await?;
        conn.close().await.ok();
        Ok(Self::open(settings))
    }

    /// Opens the pools on a database known to be migrated, without a connection yet.
    pub fn open(settings: &DatabaseSettings) -> Self {
        let door = pool(DOOR_CONNECTIONS).after_connect(|conn, _| {
            Box::pin(async move { sqlx::raw_sql("set skiff.scope = 'door'").execute(conn).await.map(drop) })
        });
        Self {
            app: pool(APP_CONNECTIONS).connect_lazy_with(tuned(&settings.app)),
            worker: pool(WORKER_CONNECTIONS).connect_lazy_with(tuned(&settings.worker)),
            door: door.connect_lazy_with(tuned(&settings.app)),
        }
    }
}

/// Connects, again and again while the database is only starting.
async fn reach(options: &PgConnectOptions, place: &str) -> Result<PgConnection, ConnectError> {
    // A migration may take its time, and waits for the one of a panel that started at the same moment.
    let options = tuned(options).options([("statement_timeout", "0"), ("lock_timeout", MIGRATION_TURN)]);
    let started = tokio::time::Instant::now();
    loop {
        let tried = tokio::time::timeout(CONNECT_PATIENCE, options.connect()).await;
        let error = match tried {
            Ok(Ok(conn)) => return Ok(conn),
            Ok(Err(error)) => error,
            Err(_) => {
                return Err(ConnectError::Unreachable { place: place.into(), detail: "no answer in 10 s".into() });
            }
        };
        // 57P03: cannot connect now (starting up, shutting down).
        let (starting, error) = match error {
            sqlx::Error::Database(said) if said.code().as_deref() != Some("57P03") => {
                return Err(ConnectError::Refused { place: place.into(), detail: said.message().to_owned() });
            }
            sqlx::Error::Database(said) => (true, said.message().to_owned()),
            sqlx::Error::Io(error) => (true, error.to_string()),
            other => (false, other.to_string()),
        };
        if !starting || started.elapsed() > CONNECT_PATIENCE {
            return Err(ConnectError::Unreachable { place: place.into(), detail: error });
        }
        tokio::time::sleep(CONNECT_RETRY).await;
    }
}

/// Refuses a server that is too old.
async fn check_version(conn: &mut PgConnection, place: &str) -> Result<(), ConnectError> {
    let asked = sqlx::raw_sql("select current_setting('server_version_num')::int, current_setting('server_version')")
        .fetch_one(conn)
        .await
        .and_then(|row| Ok((row.try_get::<i32, _>(0)?, row.try_get::<String, _>(1)?)));
    match asked {
        Ok((number, _)) if number >= OLDEST_POSTGRES => Ok(()),
        Ok((_, found)) => Err(ConnectError::TooOld { place: place.into(), found }),
        Err(error) => Err(ConnectError::Unreachable { place: place.into(), detail: error.to_string() }),
    }
}

/// All steps of the schema.
fn all_steps() -> sqlx::migrate::Migrator {
    sqlx::migrate!()
}

/// The newest step of the schema that this program knows.
pub(super) fn newest_step() -> i64 {
    all_steps().iter().map(|step| step.version).max().unwrap_or(0)
}

/// Brings the schema up, unless a newer program has been there. Two panels starting at once wait for one another.
async fn migrate(conn: &mut PgConnection, place: &str) -> Result<(), ConnectError> {
    let mut steps = all_steps();
    // Whether a step unknown to us was applied is our own check below, which says what to do about it.
    steps.set_ignore_missing(true);
    let known = newest_step();
    let lost = |error: sqlx::Error| ConnectError::Unreachable { place: place.into(), detail: error.to_string() };

    let exists: bool = sqlx::query_scalar("select to_regclass('_sqlx_migrations') is not null")
        .fetch_one(&mut *conn)
        .await
        .map_err(lost)?;
    if exists {
        let found: i64 = sqlx::query_scalar("select coalesce(max(version), 0) from _sqlx_migrations")
            .fetch_one(&mut *conn)
            .await
            .map_err(lost)?;
        if found > known {
            return Err(ConnectError::SchemaNewer { found, known });
        }
    }
    steps.run(&mut *conn).await.map_err(|error| match error {
        MigrateError::ExecuteMigration(error, version) => {
            ConnectError::Migration { version, detail: error.to_string() }
        }
        other => ConnectError::Migration { version: known, detail: other.to_string() },
    })?;
    let after = async {
        let mut tx = conn.begin().await?;
        // Two panels that start at once take turns: Postgres refuses to grant one thing twice at the same moment.
        sqlx::query!("select pg_advisory_xact_lock($1)", START_TURN).execute(&mut *tx).await?;
        sqlx::query!("select skiff_grant()").execute(&mut *tx).await?;
        // Whoever copies the tables as their owner takes these walls down for that time, and may have been stopped in between.
        sqlx::query!(
            "do $$ declare one regclass; begin
               for one in select oid::regclass from pg_class where relnamespace = 'public'::regnamespace
                   and relrowsecurity and not relforcerowsecurity and pg_has_role(relowner, 'usage') loop
                 execute format('alter table %s force row level security', one);
               end loop;
             end $$"
        )
        .execute(&mut *tx)
        .await?;
        job_log::prepare_months(&mut tx).await?;
        tx.commit().await
    };
    after.await.map_err(|error| ConnectError::Migration { version: known, detail: error.to_string() })
}

/// A pool that heals after a restart of Postgres.
fn pool(most: u32) -> PgPoolOptions {
    PgPoolOptions::new()
        .max_connections(most)
        .acquire_timeout(ACQUIRE_WITHIN)
        .idle_timeout(CLOSE_IDLE_AFTER)
        // Asking at every use would double the round trips of a page.
        .test_before_acquire(false)
        .before_acquire(|conn, met| {
            Box::pin(async move {
                if met.idle_for > TRUST_IDLE_FOR {
                    conn.ping().await?;
                }
                Ok(true)
            })
        })
}

/// Limits every connection has, kept by the server itself: nothing of ours may hold a lock or a session for ever.
fn tuned(options: &PgConnectOptions) -> PgConnectOptions {
    options.clone().application_name("skiff").options([
        ("client_min_messages", "warning"),
        ("statement_timeout", "30s"),
        ("lock_timeout", "10s"),
        ("idle_in_transaction_session_timeout", "30s"),
        ("client_connection_check_interval", "5s"),
        ("tcp_keepalives_idle", "15"),
        ("tcp_keepalives_interval", "5"),
        ("tcp_keepalives_count", "3"),
    ])
}

/// Where that is, for people; never the password.
fn place(options: &PgConnectOptions) -> String {
    match options.get_socket() {
        Some(folder) => folder.display().to_string(),
        None => format!("{}:{}", options.get_host(), options.get_port()),
    }
}
