//! The embedded PostgreSQL, where no `DATABASE_URL` is given: a private cluster in the data folder, run with the
//! PostgreSQL programs of this machine, reached by a socket only its user and root can enter. Not here: what is in it.
//!
//! One process keeps it (a lock on a file says which): starts it, restarts it when it dies, stops it with itself.
//! Others on the same folder, like `skiff admin`, are guests. A server that outlived a killed keeper is taken over.

mod binaries;
mod place;

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{ConnectOptions, Connection, PgConnection};
use tokio::process::{Child, Command};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::DatabaseSettings;
use binaries::Binaries;
use place::Place;

/// A start takes a tenth of a second; after a power cut Postgres first replays its log.
const READY_WITHIN: Duration = Duration::from_secs(120);
/// Between two looks whether it is ready: a fraction of a start.
const LOOK: Duration = Duration::from_millis(10);
/// initdb takes a second or two; on a slow disk its final sync takes longer.
const INITDB_WITHIN: Duration = Duration::from_secs(120);
/// A fast stop ends sessions and writes a checkpoint.
const STOP_WITHIN: Duration = Duration::from_secs(60);
/// Before a server that died is started again; it doubles up to the second.
const RESTART_AFTER: Duration = Duration::from_millis(200);
const RESTART_AFTER_MOST: Duration = Duration::from_secs(5);
/// A server that lived this long is no crash loop.
const LIVED: Duration = Duration::from_secs(60);
/// The server's own log is begun anew at a start when it is longer.
const LOG_MOST: u64 = 8 << 20;
/// How much of its end is shown when it does not start.
const LOG_SHOWN: u64 = 2_000;

/// Where the cluster is, and whose.
#[derive(Clone, Debug)]
pub struct ClusterSettings {
    /// Its folder, for it alone; made where it is not there.
    pub folder: PathBuf,
    /// The user it runs as when Skiff runs as root, which PostgreSQL refuses to: None for `skiff`, else `postgres`.
    pub user: Option<String>,
}

/// Why there is no embedded database. Each is one sentence for the operator.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// No programs.
    #[error(
        "PostgreSQL is not installed. Install it (Debian, Ubuntu: apt-get install postgresql), or give the address of \
         one in DATABASE_URL."
    )]
    NotInstalled,
    /// Only programs that are too old.
    #[error(
        "The newest PostgreSQL on this machine is {0}; Skiff needs 14 or newer. Install the package postgresql-15 or newer."
    )]
    TooOld(u32),
    /// The data are of another major version than any program here.
    #[error(
        "The data in {folder} were made by PostgreSQL {made}, which is not installed (found: {found}). \
         Install the package postgresql-{made}, or move the data with pg_upgrade."
    )]
    OtherVersion {
        /// The data folder.
        folder: PathBuf,
        /// The version that made it.
        made: u32,
        /// The versions there are.
        found: String,
    },
    /// As root, and nobody to run it as.
    #[error(
        "PostgreSQL does not run as root, and there is no user {0} on this machine. Make one (useradd --system skiff), or \
         start Skiff as another user."
    )]
    NoUser(String),
    /// The user may not reach the folder.
    #[error("The user {user} may not enter {folder}, where the database is to be. Run: chmod o+x {folder}")]
    Barred {
        /// The user.
        user: String,
        /// The folder it cannot pass.
        folder: PathBuf,
    },
    /// The socket's path does not fit into a socket's address.
    #[error(
        "The data folder's path {0} is too long for a socket (at most 80 letters). Choose a shorter SKIFF_DATA_DIR."
    )]
    LongPath(PathBuf),
    /// It did not start, or a program of it failed.
    #[error("PostgreSQL in {folder} {what}: {detail}")]
    Failed {
        /// The cluster's folder.
        folder: PathBuf,
        /// "does not start", "could not be made" …
        what: &'static str,
        /// The end of its own words.
        detail: String,
    },
}

/// A cluster that answers.
#[derive(Debug)]
pub struct Cluster {
    place: Place,
    binaries: Binaries,
    role: Role,
}

#[derive(Debug)]
enum Role {
    /// It is ours to restart and stop. The child is None for a server taken over from a killed panel.
    Keeper { child: Option<Child>, _lock: File },
    /// Another process keeps it.
    Guest,
}

impl Cluster {
    /// Makes the cluster where there is none, starts it where it does not run, and waits until it answers.
    pub async fn start(settings: &ClusterSettings) -> Result<Self, ClusterError> {
        let place = Place::prepare(settings)?;
        let binaries = binaries::find(&place).await?;
        let failed = |what, error: std::io::Error| place.failed(what, error.to_string());
        let lock = OpenOptions::new().create(true).write(true).truncate(false).open(place.keeper());
        let lock = lock.map_err(|error| failed("cannot be locked", error))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                ready(&place, None).await?;
                return Ok(Self { place, binaries, role: Role::Guest });
            }
            Err(TryLockError::Error(error)) => return Err(failed("cannot be locked", error)),
        }
        if !place.made() {
            make(&place, &binaries).await?;
        }
        let mut child = if place.running() { None } else { Some(spawn(&place, &binaries)?) };
        let conn = ready(&place, child.as_mut()).await?;
        furnish(conn).await.map_err(|error| place.failed("could not be furnished", error.to_string()))?;
        Ok(Self { place, binaries, role: Role::Keeper { child, _lock: lock } })
    }

    /// How to connect. The roles are no superusers.
    pub fn settings(&self) -> DatabaseSettings {
        let role = |name: &str| self.place.options().username(name).database("skiff");
        DatabaseSettings { app: role("skiff_app"), worker: role("skiff_worker"), owner: role("skiff_owner") }
    }

    /// Restarts the server when it dies, until `shutdown`; then stops it. To be cancelled after everything that needs
    /// the database has ended. A guest only waits.
    pub async fn keep(mut self, shutdown: CancellationToken) {
        let mut pause = RESTART_AFTER;
        let Role::Keeper { child, .. } = &mut self.role else {
            shutdown.cancelled().await;
            return;
        };
        loop {
            let began = Instant::now();
            if shutdown.run_until_cancelled(ended(&self.place, child)).await.is_none() {
                break;
            }
            warn!(
                "The embedded PostgreSQL ended by itself and is started again; its log is {}",
                self.place.log().display()
            );
            if began.elapsed() > LIVED {
                pause = RESTART_AFTER;
            }
            if shutdown.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
                break;
            }
            pause = pause.saturating_mul(2).min(RESTART_AFTER_MOST);
            *child = spawn(&self.place, &self.binaries).inspect_err(|error| warn!("{error}")).ok();
            match ready(&self.place, child.as_mut()).await {
                Ok(_) => info!("The embedded PostgreSQL is back"),
                Err(error) => warn!("{error}"),
            }
        }
        self.stop().await;
    }

    /// Stops the server, unless another process keeps it. Returns when it has ended.
    pub async fn stop(self) {
        let Role::Keeper { child, _lock } = self.role else { return };
        let mut stop = program(&self.place, &self.binaries.pg_ctl());
        let seconds = STOP_WITHIN.as_secs().to_string();
        stop.args(["stop", "-m", "fast", "-w", "-s", "-t", &seconds, "-D"]).arg(self.place.data());
        if let Err(error) = output(&self.place, stop, STOP_WITHIN, "does not stop").await {
            warn!("{error}");
        }
        if let Some(mut child) = child {
            tokio::time::timeout(STOP_WITHIN, child.wait()).await.ok();
        }
    }
}

/// Makes the data folder: beside its place first, so that half a one never stands there.
async fn make(place: &Place, binaries: &Binaries) -> Result<(), ClusterError> {
    let half = place.half();
    let failed = |error: std::io::Error| place.failed("could not be made", error.to_string());
    if half.exists() {
        std::fs::remove_dir_all(&half).map_err(failed)?;
    }
    let mut initdb = program(place, &binaries.initdb());
    initdb.args(["--encoding=UTF8", "--locale=C", "--username=postgres", "--auth=trust", "--no-instructions", "-D"]);
    initdb.arg(&half);
    output(place, initdb, INITDB_WITHIN, "could not be made").await?;
    std::fs::rename(&half, place.data()).map_err(failed)
}

/// Starts the server.
fn spawn(place: &Place, binaries: &Binaries) -> Result<Child, ClusterError> {
    let failed = |error: std::io::Error| place.failed("does not start", error.to_string());
    let log = OpenOptions::new().create(true).append(true).open(place.log()).map_err(failed)?;
    if log.metadata().map_err(failed)?.len() > LOG_MOST {
        log.set_len(0).map_err(failed)?;
    }
    let mut socket = std::ffi::OsString::from("unix_socket_directories=");
    socket.push(place.socket());
    let mut server = program(place, &binaries.postgres());
    server.arg("-D").arg(place.data()).arg("-c").arg(socket);
    for setting in [
        "listen_addresses=",
        "unix_socket_permissions=0700",
        // A web and a worker process, each with its pools, and room for a person who looks.
        "max_connections=60",
        // A panel's whole working set; the default of 128 MB would be half of a small machine's memory.
        "shared_buffers=48MB",
        "max_wal_size=256MB",
        "jit=off",
        "timezone=UTC",
        "log_timezone=UTC",
    ] {
        server.args(["-c", setting]);
    }
    // A group of its own: Ctrl-C in a terminal is the panel's to answer, which stops the server last.
    server.process_group(0).stdout(log.try_clone().map_err(failed)?).stderr(log);
    server.spawn().map_err(failed)
}

/// Waits until the server answers, and connects as its superuser.
async fn ready(place: &Place, mut child: Option<&mut Child>) -> Result<PgConnection, ClusterError> {
    let began = Instant::now();
    loop {
        let error = match connect(place).await {
            Ok(conn) => return Ok(conn),
            Err(error) => error,
        };
        let dead = child.as_mut().is_some_and(|child| !matches!(child.try_wait(), Ok(None)));
        if dead || began.elapsed() > READY_WITHIN {
            return Err(place.failed("does not start", last_words(&place.log()).unwrap_or(error.to_string())));
        }
        tokio::time::sleep(LOOK).await;
    }
}

async fn connect(place: &Place) -> Result<PgConnection, sqlx::Error> {
    place.options().username("postgres").database("postgres").connect().await
}

/// Makes the roles and the database that are not there yet.
async fn furnish(mut conn: PgConnection) -> Result<(), sqlx::Error> {
    let missing: bool = sqlx::query_scalar(
        "select (select count(*) from pg_roles where rolname in ('skiff_owner', 'skiff_app', 'skiff_worker')) < 3
             or not exists (select from pg_database where datname = 'skiff')",
    )
    .fetch_one(&mut conn)
    .await?;
    if missing {
        sqlx::raw_sql(
            "do $$ declare role text; begin
               foreach role in array array['skiff_owner', 'skiff_app', 'skiff_worker'] loop
                 if not exists (select from pg_roles where rolname = role) then
                   execute format('create role %I login nosuperuser nocreatedb nocreaterole', role);
                 end if;
               end loop;
             end $$",
        )
        .execute(&mut conn)
        .await?;
        let there: bool = sqlx::query_scalar("select exists (select from pg_database where datname = 'skiff')")
            .fetch_one(&mut conn)
            .await?;
        if !there {
            sqlx::raw_sql("create database skiff owner skiff_owner").execute(&mut conn).await?;
        }
    }
    conn.close().await
}

/// Returns when the server has ended.
async fn ended(place: &Place, child: &mut Option<Child>) {
    if let Some(child) = child {
        child.wait().await.ok();
        return;
    }
    // Not our child: it is there as long as its pid file names a living process.
    while place.running() {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// A program of PostgreSQL as its user, with nothing of our environment.
fn program(place: &Place, path: &Path) -> Command {
    #[expect(clippy::disallowed_methods, reason = "programs of PostgreSQL, by absolute path, without a shell")]
    let mut command = Command::new(path);
    command.env_clear().env("LC_ALL", "C").env("PATH", "/usr/bin:/bin").current_dir("/").stdin(Stdio::null());
    if let Some(user) = &place.user {
        command.uid(user.uid).gid(user.gid);
    }
    command
}

/// Runs a program to its end and returns what it said.
async fn output(
    place: &Place,
    mut command: Command,
    within: Duration,
    what: &'static str,
) -> Result<String, ClusterError> {
    command.kill_on_drop(true);
    let ran = tokio::time::timeout(within, command.output()).await;
    let ran = ran.map_err(|_| place.failed(what, format!("no end after {} s", within.as_secs())))?;
    let ran = ran.map_err(|error| place.failed(what, error.to_string()))?;
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if ran.status.success() { Ok(said(&ran.stdout)) } else { Err(place.failed(what, said(&ran.stderr))) }
}

/// The end of the server's log.
fn last_words(log: &Path) -> Option<String> {
    let mut file = File::open(log).ok()?;
    let length = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(LOG_SHOWN))).ok()?;
    let mut bytes = Vec::new();
    file.take(LOG_SHOWN).read_to_end(&mut bytes).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    let lines = text.lines().rev().take(3).collect::<Vec<_>>();
    Some(lines.into_iter().rev().collect::<Vec<_>>().join(" · ")).filter(|words| !words.is_empty())
}

impl Place {
    fn failed(&self, what: &'static str, detail: String) -> ClusterError {
        ClusterError::Failed { folder: self.folder.clone(), what, detail }
    }

    fn options(&self) -> PgConnectOptions {
        PgConnectOptions::new_without_pgpass().socket(self.socket()).port(5432).ssl_mode(PgSslMode::Disable)
    }
}
