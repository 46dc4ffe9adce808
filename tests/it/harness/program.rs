//! The real program, `skiff serve`, as a process of its own on the database and the data folder of a world.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use skiff::domain::ids::{AccountId, MemberId};
use skiff::domain::rights::{Grant, Role, Scope};
use skiff::domain::secret::Secret;
use sqlx::ConnectOptions;
use tokio::process::{Child, Command};
use uuid::Uuid;

use super::door::PASSWORD;
use super::world::World;

/// Longer than a start takes on a busy machine.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// The program; killed with the value.
pub struct Program {
    /// "http://127.0.0.1:PORT".
    pub base: String,
    variables: Vec<(&'static str, String)>,
    log: PathBuf,
    child: Option<Child>,
}

impl Program {
    /// Starts it for a world without a worker of its own, and waits until its pages answer.
    pub async fn start(world: &World) -> Self {
        Self::start_with(world, Vec::new()).await
    }

    /// The same with further settings.
    pub async fn start_with(world: &World, more: Vec<(&'static str, String)>) -> Self {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let url = |options: &sqlx::postgres::PgConnectOptions| options.to_url_lossy().to_string();
        let settings = &world.db.settings;
        let mut variables = vec![
            ("SKIFF_DATA_DIR", world.data_dir().display().to_string()),
            ("SKIFF_LISTEN", format!("127.0.0.1:{port}")),
            ("DATABASE_URL", url(&settings.app)),
            ("SKIFF_DATABASE_WORKER_URL", url(&settings.worker)),
            ("SKIFF_DATABASE_OWNER_URL", url(&settings.owner)),
            ("SKIFF_LOCAL_SOURCES", std::env::temp_dir().display().to_string()),
        ];
        variables.extend(more);
        let log = world.data_dir().join("program.log");
        let mut program = Self { base: format!("http://127.0.0.1:{port}"), variables, log, child: None };
        program.again().await;
        program
    }

    /// Starts it again.
    pub async fn again(&mut self) {
        assert!(self.child.is_none(), "it runs");
        let log = std::fs::OpenOptions::new().create(true).append(true).open(&self.log).unwrap();
        // Killed with this process, also where that is killed itself.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", env!("CARGO_BIN_EXE_skiff"), "serve"]);
        command.env_clear().env("PATH", std::env::var("PATH").unwrap()).envs(self.variables.iter().cloned());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let begun = Instant::now();
        while !reqwest::get(format!("{}/ready", self.base)).await.is_ok_and(|answer| answer.status() == 200) {
            let gone = child.try_wait().unwrap();
            assert!(gone.is_none() && begun.elapsed() < READY_WITHIN, "it is not ready: {gone:?}\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.child = Some(child);
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().and_then(Child::id).expect("it runs")
    }

    /// The time it computed since its start, its ended children's with it.
    pub fn cpu(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid())).unwrap();
        let (_, fields) = stat.rsplit_once(") ").unwrap();
        let ticks: u64 = fields.split(' ').skip(11).take(4).map(|ticks| ticks.parse::<u64>().unwrap()).sum();
        // The kernel's unit, whatever its own clock is.
        Duration::from_millis(ticks * 10)
    }

    /// `kill -9`.
    pub async fn kill(&mut self) {
        self.child.take().expect("it runs").kill().await.unwrap();
    }

    /// What it wrote.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

/// The e-mail address of the world's owner.
pub const EMAIL: &str = "ada@example.org";

/// Gives the world's team an owner who can sign in; returns the team's name in addresses.
pub async fn owner(world: &World) -> String {
    let (account, member) = (AccountId(Uuid::now_v7()), MemberId(Uuid::now_v7()));
    let hash = skiff::vault::hash_password(Secret::new(PASSWORD.to_owned())).await.unwrap();
    let permit = &world.team.permit;
    let mut tx = world.db.begin(permit).await.unwrap();
    skiff::db::accounts::insert(&mut tx, account, &EMAIL.parse().unwrap(), "Ada", &hash).await.unwrap();
    skiff::db::members::insert(&mut tx, permit, member, account).await.unwrap();
    let grant = Grant { scope: Scope::Team(world.team.id), role: Role::Owner };
    skiff::db::members::grant(&mut tx, permit, member, grant).await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = world.db.begin_door().await.unwrap();
    assert!(skiff::db::panel::close_set_up(&mut tx).await.unwrap());
    tx.commit().await.unwrap();
    format!("team-{}", world.team.id.simple())
}
