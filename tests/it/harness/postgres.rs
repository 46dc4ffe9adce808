//! A throwaway PostgreSQL for one run of the tests, and a fresh migrated database for every case. Its roles are not
//! superusers: row-level security is as real as in use. `SKIFF_TEST_DATABASE_URL` names a running server instead (as a
//! superuser).

use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use skiff::db::{DatabaseSettings, Db};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};

/// Longer than a server needs to start on a busy machine.
const START_WITHIN: Duration = Duration::from_secs(30);

/// A database of one case: everything of the panel in it is empty. Dropped with the value.
pub struct TestDb {
    /// As the panel sees it.
    pub db: Db,
    /// To connect another process to it.
    pub settings: DatabaseSettings,
    name: String,
    superuser: PgConnectOptions,
}

/// A migrated database nobody else uses; some ten milliseconds.
pub async fn fresh_database() -> TestDb {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let server = server().await;
    let name = format!("{}_{}", server.template, NUMBER.fetch_add(1, Ordering::Relaxed));
    let mut conn = server.superuser.connect().await.unwrap();
    run(&mut conn, format!("create database {name} template {} owner skiff_owner", server.template)).await;
    let settings = server.settings(&name);
    TestDb { db: Db::open(&settings), settings, name, superuser: server.superuser.clone() }
}

/// A database without any table, for the migrations themselves.
pub async fn empty_database() -> TestDb {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let server = server().await;
    let name = format!("{}_empty_{}", server.template, NUMBER.fetch_add(1, Ordering::Relaxed));
    let mut conn = server.superuser.connect().await.unwrap();
    run(&mut conn, format!("create database {name} owner skiff_owner")).await;
    let settings = server.settings(&name);
    TestDb { db: Db::open(&settings), settings, name, superuser: server.superuser.clone() }
}

impl TestDb {
    /// A superuser's connection, which no policy holds back: to look at what really is in the tables.
    pub async fn superuser(&self) -> PgConnection {
        self.superuser.clone().database(&self.name).connect().await.unwrap()
    }
}

impl Deref for TestDb {
    type Target = Db;
    fn deref(&self) -> &Db {
        &self.db
    }
}

impl Drop for TestDb {
    fn drop(&mut self) {
        let (superuser, name) = (self.superuser.clone(), self.name.clone());
        // Not awaited: a case must not wait for the tidying of another.
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                if let Ok(mut conn) = superuser.connect().await {
                    let drop = AssertSqlSafe(format!("drop database if exists {name} with (force)"));
                    sqlx::raw_sql(drop).execute(&mut conn).await.ok();
                }
            });
        });
    }
}

/// A server for one case alone, to be stopped under its feet. It ends with the value.
pub struct OwnServer {
    bin: PathBuf,
    folder: tempfile::TempDir,
    options: PgConnectOptions,
}

impl OwnServer {
    /// Starts one.
    pub async fn start() -> Self {
        let bin = newest_binaries();
        let folder = tempfile::tempdir_in("/tmp").unwrap();
        if is_root() {
            check(Command::new("chown").arg("postgres:").arg(folder.path()));
        }
        check(Command::new("cp").args(["-a", "--"]).arg(made_once(&bin)).arg(folder.path().join("data")));
        let options =
            PgConnectOptions::new_without_pgpass().socket(folder.path()).username("postgres").database("postgres");
        let server = Self { bin, folder, options };
        server.again().await;
        server
    }

    /// Starts it after a stop.
    pub async fn again(&self) {
        let folder = self.folder.path().display();
        // The machine may not lose power here, but the server is killed: it keeps what it confirmed.
        let options = format!("-c listen_addresses= -c unix_socket_directories={folder} -c fsync=off");
        let log = self.folder.path().join("log");
        let mut start = as_postgres(&self.bin.join("pg_ctl"), &[]);
        start.args(["-w", "-s", "-o", &options, "-l"]).arg(log).arg("-D").arg(self.folder.path().join("data"));
        check(start.arg("start").stdout(Stdio::null()));
    }

    /// Stops it as a power cut does: every session ends at once, nothing is tidied.
    pub fn stop(&self) {
        let mut stop = as_postgres(&self.bin.join("pg_ctl"), &[]);
        check(stop.args(["-w", "-s", "-m", "immediate", "-D"]).arg(self.folder.path().join("data")).arg("stop"));
    }

    /// A migrated database in it.
    pub async fn database(&self) -> TestDb {
        let server = Server { superuser: self.options.clone(), template: "skiff_own".into() };
        let mut conn = server.superuser.connect().await.unwrap();
        make_roles(&mut conn).await;
        run(&mut conn, format!("create database {} owner skiff_owner", server.template)).await;
        let settings = server.settings(&server.template);
        Db::connect(&settings).await.unwrap().close().await;
        TestDb { db: Db::open(&settings), settings, name: server.template, superuser: server.superuser }
    }
}

impl Drop for OwnServer {
    fn drop(&mut self) {
        let mut stop = as_postgres(&self.bin.join("pg_ctl"), &[]);
        stop.args(["-w", "-s", "-m", "immediate", "-D"]).arg(self.folder.path().join("data")).arg("stop");
        // It may be stopped already.
        stop.stdout(Stdio::null()).stderr(Stdio::null()).status().ok();
    }
}

struct Server {
    superuser: PgConnectOptions,
    template: String,
}

static SERVER: OnceLock<Server> = OnceLock::new();

impl Server {
    fn settings(&self, database: &str) -> DatabaseSettings {
        let role = |name: &str| self.superuser.clone().username(name).password("skiff").database(database);
        DatabaseSettings { app: role("skiff_app"), worker: role("skiff_worker"), owner: role("skiff_owner") }
    }
}

/// The server of this run, started by whoever comes first.
async fn server() -> &'static Server {
    static STARTING: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
    let _one = STARTING.lock().await;
    if let Some(server) = SERVER.get() {
        return server;
    }
    let superuser = match std::env::var("SKIFF_TEST_DATABASE_URL") {
        Ok(url) if !DURABLE.load(Ordering::Relaxed) => url.parse().unwrap(),
        _ => start_own().await,
    };
    // Process ids come again; a run that was killed leaves its database.
    let template = format!("skiff_it_{}_{:x}", std::process::id(), uuid::Uuid::now_v7().as_u128() as u64);
    let mut conn = superuser.connect().await.unwrap();
    make_roles(&mut conn).await;
    run(&mut conn, format!("create database {template} owner skiff_owner")).await;
    let server = Server { superuser, template };
    Db::connect(&server.settings(&server.template)).await.unwrap().close().await;
    SERVER.get_or_init(|| server)
}

async fn make_roles(conn: &mut PgConnection) {
    for role in ["skiff_owner", "skiff_app", "skiff_worker"] {
        let make = format!(
            "do $$ begin create role {role} login password 'skiff'; exception when duplicate_object then null; end $$"
        );
        run(&mut *conn, make).await;
    }
}

async fn run(conn: &mut PgConnection, statement: String) {
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(conn).await.unwrap();
}

/// Whether the server of this run writes as durably as in use: for what is measured. To be set before the first database.
pub static DURABLE: AtomicBool = AtomicBool::new(false);

/// Starts a server on a socket of its own. It ends with this process, however that ends.
async fn start_own() -> PgConnectOptions {
    reap();
    let folder = PathBuf::from(format!("/tmp/skiff-it-pg-{}", std::process::id()));
    std::fs::create_dir(&folder).unwrap();
    let bin = newest_binaries();
    let data = folder.join("data");
    if is_root() {
        check(Command::new("chown").arg("postgres:").arg(&folder));
    }
    check(Command::new("cp").args(["-a", "--"]).arg(made_once(&bin)).arg(&data));
    let mut settings = vec![
        "listen_addresses=".to_owned(),
        format!("unix_socket_directories={}", folder.display()),
        "max_connections=400".to_owned(),
    ];
    if !DURABLE.load(Ordering::Relaxed) {
        // The data is thrown away: nothing of it has to survive a power cut.
        settings.extend(["fsync=off".to_owned(), "full_page_writes=off".to_owned()]);
    }
    let mut server = as_postgres(&bin.join("postgres"), &["--pdeathsig", "INT"]);
    server.arg("-D").arg(&data).args(settings.iter().flat_map(|setting| ["-c", setting.as_str()]));
    let log = std::fs::File::create(folder.join("log")).unwrap();
    server.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    // The signal comes when the thread that started it ends, so that thread stays.
    std::thread::spawn(move || {
        let mut child = server.spawn().unwrap();
        child.wait().unwrap();
        loop {
            std::thread::park();
        }
    });
    let options = PgConnectOptions::new_without_pgpass().socket(&folder).username("postgres").database("postgres");
    let began = Instant::now();
    loop {
        match options.connect().await {
            Ok(conn) => {
                conn.close().await.ok();
                return options;
            }
            Err(error) => assert!(began.elapsed() < START_WITHIN, "PostgreSQL does not start: {error}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A data folder as initdb makes it: the same every time, so it is kept for the next run.
fn made_once(bin: &Path) -> PathBuf {
    let made = PathBuf::from(format!("/tmp/skiff-it-initdb{}", bin.to_str().unwrap().replace('/', "-")));
    if !made.exists() {
        let folder = PathBuf::from(format!("{}.{}", made.display(), std::process::id()));
        std::fs::create_dir(&folder).unwrap();
        if is_root() {
            check(Command::new("chown").arg("postgres:").arg(&folder));
        }
        let initdb =
            ["--no-sync", "--no-instructions", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "-U", "postgres"];
        check(as_postgres(&bin.join("initdb"), &[]).args(initdb).arg("-D").arg(&folder).stdout(Stdio::null()));
        // Of two runs at once the second keeps the first one's.
        if std::fs::rename(&folder, &made).is_err() {
            std::fs::remove_dir_all(&folder).unwrap();
        }
    }
    made
}

/// A program run by the unprivileged user PostgreSQL insists on.
fn as_postgres(program: &Path, options: &[&str]) -> Command {
    let mut command = Command::new("setpriv");
    command.args(options);
    if is_root() {
        command.args(["--reuid=postgres", "--regid=postgres", "--init-groups"]);
    }
    command.arg(program).current_dir("/");
    command
}

fn is_root() -> bool {
    std::fs::read_to_string("/proc/self/status").unwrap().contains("\nUid:\t0\t")
}

fn newest_binaries() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").expect("apt-get install postgresql");
    let newest = versions.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok()).max();
    PathBuf::from(format!("/usr/lib/postgresql/{}/bin", newest.expect("apt-get install postgresql")))
}

fn check(command: &mut Command) {
    let status = command.status().unwrap();
    assert!(status.success(), "{command:?}: {status}");
}

/// Removes what the servers of ended runs left.
fn reap() {
    for entry in std::fs::read_dir("/tmp").unwrap().flatten() {
        let name = entry.file_name().into_string().unwrap_or_default();
        let owner = name.strip_prefix("skiff-it-pg-").and_then(|pid| pid.parse::<u32>().ok());
        if owner.is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists()) {
            std::fs::remove_dir_all(entry.path()).ok();
        }
    }
}
