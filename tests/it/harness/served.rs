//! The real program: `skiff serve` as somebody starts it, before a database of its own.

use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sqlx::ConnectOptions;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};

use super::postgres::{TestDb, fresh_database};

/// The program serves within a second of its start; on a busy machine later.
const START: Duration = Duration::from_secs(60);
/// The program's own drain is 20 s.
const STOP: Duration = Duration::from_secs(30);

/// A running panel with its pages and its workers.
pub struct Served {
    /// Its database.
    pub db: TestDb,
    /// "http://127.0.0.1:PORT".
    pub base: String,
    said: Arc<Mutex<String>>,
    program: Child,
    folder: tempfile::TempDir,
}

impl Served {
    /// Starts it and waits until it serves. Git servers of this authority are trusted.
    pub async fn start(git_ca_file: &Path) -> Self {
        let db = fresh_database().await;
        let folder = tempfile::tempdir().unwrap();
        // Free a moment ago, and nobody else here asks for ports by number.
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let mut program = Command::new(env!("CARGO_BIN_EXE_skiff"))
            .arg("serve")
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("HOME", folder.path())
            .env("SKIFF_DATA_DIR", folder.path().join("data"))
            .env("SKIFF_LISTEN", free.to_string())
            .env("SKIFF_GIT_CA_FILE", git_ca_file)
            .env("DATABASE_URL", db.settings.app.to_url_lossy().as_str())
            .env("SKIFF_DATABASE_OWNER_URL", db.settings.owner.to_url_lossy().as_str())
            .env("SKIFF_DATABASE_WORKER_URL", db.settings.worker.to_url_lossy().as_str())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(program.stderr.take().unwrap()).lines();
        let said = Arc::new(Mutex::new(String::new()));
        let kept = said.clone();
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                kept.lock().unwrap().push_str(&(line + "\n"));
            }
        });
        let mut served = Self { db, base: format!("http://{free}"), said, program, folder };
        let until = tokio::time::Instant::now() + START;
        while !served.said().contains("Set it up within") {
            let ended = served.program.try_wait().unwrap();
            let patient = ended.is_none() && tokio::time::Instant::now() < until;
            assert!(patient, "the panel does not start ({ended:?}):\n{}", served.said());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        served
    }

    /// A command on its machine, as `skiff admin …` is typed there, with these words on standard input: status, output, errors.
    pub async fn types(&self, args: &[&str], input: &str) -> (i32, String, String) {
        let mut child = Command::new(env!("CARGO_BIN_EXE_skiff"))
            .args(args)
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("SKIFF_DATA_DIR", self.folder.path().join("data"))
            .env("DATABASE_URL", self.db.settings.app.to_url_lossy().as_str())
            .env("SKIFF_DATABASE_OWNER_URL", self.db.settings.owner.to_url_lossy().as_str())
            .env("SKIFF_DATABASE_WORKER_URL", self.db.settings.worker.to_url_lossy().as_str())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // One that refuses early does not read.
        let _ = stdin.write_all(input.as_bytes()).await;
        drop(stdin);
        let said = child.wait_with_output().await.unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (said.status.code().unwrap_or(-1), text(said.stdout), text(said.stderr))
    }

    /// All it wrote to its log.
    pub fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    /// The one-time link it printed.
    pub fn set_up_link(&self) -> String {
        let said = self.said();
        let link = said.split_whitespace().find(|word| word.contains("/setup?token="));
        link.expect("the link is in the log").to_owned()
    }

    /// Stops it as an operator does, and waits for its end.
    pub async fn stop(mut self) {
        let pid = self.program.id().expect("it runs").to_string();
        super::host::run("kill", &["-TERM", &pid]).await.must("it is told to stop");
        let ended = tokio::time::timeout(STOP, self.program.wait()).await;
        let ended = ended.unwrap_or_else(|_| panic!("it does not stop:\n{}", self.said())).unwrap();
        assert!(ended.success(), "{ended}:\n{}", self.said());
    }
}
