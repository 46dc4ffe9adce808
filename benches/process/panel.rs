//! `skiff serve` with a data folder and a cluster of its own, as the user PostgreSQL can run as.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::process::{Child, Command};

use crate::harness::host::TestHost;

/// A first start makes a cluster; on a busy machine that takes some seconds.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// Between two looks at the process.
const LOOK_EVERY: Duration = Duration::from_secs(2);

pub struct Panel {
    folder: tempfile::TempDir,
    program: PathBuf,
    listen: String,
    child: Option<Child>,
}

impl Panel {
    /// Nothing runs yet. The program is copied to where the other user may read it.
    pub fn new(binary: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("skiff");
        std::fs::copy(binary, &program).unwrap();
        let data = folder.path().join("data");
        std::fs::create_dir(&data).unwrap();
        let owned = std::process::Command::new("chown").arg("-R").arg("postgres:").arg(folder.path()).status().unwrap();
        assert!(owned.success());
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let listen = free.local_addr().unwrap().to_string();
        Self { folder, program, listen, child: None }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=postgres", "--regid=postgres", "--init-groups"]).arg(&self.program).args(args);
        command
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
            .env("SKIFF_LISTEN", &self.listen);
        command.env("SKIFF_DATA_DIR", self.folder.path().join("data")).env("HOME", self.folder.path());
        command.current_dir("/").stdin(Stdio::null());
        command
    }

    /// Starts it; the seconds until `/ready` answers.
    pub async fn start(&mut self) -> f64 {
        let log = std::fs::File::options().create(true).append(true).open(self.folder.path().join("log")).unwrap();
        let began = Instant::now();
        self.child = Some(self.command(&["serve"]).stdout(Stdio::null()).stderr(log).spawn().unwrap());
        let client = reqwest::Client::new();
        loop {
            let asked = client.get(format!("http://{}/ready", self.listen)).send().await;
            if asked.is_ok_and(|answer| answer.status() == 200) {
                return began.elapsed().as_secs_f64();
            }
            assert!(began.elapsed() < READY_WITHIN, "{}", self.log());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Stops it as the system does.
    pub async fn stop(&mut self) {
        let mut child = self.child.take().unwrap();
        let pid = rustix::process::Pid::from_raw(i32::try_from(child.id().unwrap()).unwrap()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        child.wait().await.unwrap();
    }

    /// Makes the host known and ready, and apps on it.
    pub async fn seed(&self, host: &TestHost, apps: usize) {
        let port = host.port.to_string();
        let known = ["--name", "rig", "--address", &host.address, "--port", &port, "--host-key", &host.host_key];
        let said = self.admin("host", &known).await;
        let said: serde_json::Value = serde_json::from_str(&said).unwrap();
        let keys = host.path("/root/.ssh/authorized_keys");
        let line = format!("{}{}\n", std::fs::read_to_string(&keys).unwrap(), said["public_key"].as_str().unwrap());
        std::fs::write(keys, line).unwrap();
        self.admin("provision", &["rig"]).await;
        for number in 1..=apps {
            let (name, domain) = (format!("app-{number}"), format!("app-{number}.example"));
            self.admin("app", &[&name, "--image", "registry.example/app:1", "--domain", &domain]).await;
        }
    }

    async fn admin(&self, what: &str, args: &[&str]) -> String {
        let output = self.command(&[&["admin", what], args].concat()).output().await.unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(output.status.success(), "{what}: {}{}", text(&output.stdout), text(&output.stderr));
        text(&output.stdout)
    }

    /// Somebody sets the panel up and opens a page: what only the first visit loads is loaded then.
    pub async fn sign_in_and_look(&self) {
        let output = self.command(&["setup"]).output().await.unwrap();
        let link = String::from_utf8(output.stdout).unwrap();
        let client = reqwest::Client::builder().cookie_store(true).build().unwrap();
        let page = client.get(link.trim()).send().await.unwrap().text().await.unwrap();
        let field = |name: &str| {
            let (_, after) = page.split_once(&format!("name=\"{name}\" value=\"")).expect("the field is there");
            after.split_once('"').unwrap().0.to_owned()
        };
        let form = [
            ("_token", field("_token")),
            ("token", field("token")),
            ("name", "Ada".into()),
            ("email", "ada@example.org".into()),
            ("password", "a boat that one can steer".into()),
            ("team", "Acme".into()),
        ];
        let origin = format!("http://{}", self.listen);
        let sent = client.post(format!("{origin}/setup")).header("origin", &origin).form(&form).send().await.unwrap();
        assert!(sent.status().is_success(), "{}", sent.text().await.unwrap());
        let home = client.get(&origin).send().await.unwrap().text().await.unwrap();
        assert!(home.contains("app-20"), "home lists the apps");
    }

    /// Waits; the highest and the last resident memory of the process, in MB.
    pub async fn idle(&self, lasting: Duration) -> (f64, f64) {
        let began = Instant::now();
        let mut highest: f64 = 0.0;
        loop {
            let now = self.memory();
            highest = highest.max(now);
            if began.elapsed() >= lasting {
                return (highest, now);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    fn memory(&self) -> f64 {
        let pid = self.child.as_ref().and_then(Child::id).unwrap();
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.split_whitespace().next().unwrap().parse::<f64>().unwrap() * 1024.0 / 1e6
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

/// What it was measured on.
pub fn machine() -> String {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap();
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ")).map_or("?", |it| it.1);
    let cores = std::thread::available_parallelism().unwrap();
    let load = std::fs::read_to_string("/proc/loadavg").unwrap();
    format!("{model}, {cores} cores; load before: {}", load.split_whitespace().next().unwrap_or("?"))
}
