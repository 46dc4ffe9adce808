//! The two that deploy, each with an app of its own on the same hosts.

use std::process::Stdio;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use skiff::domain::app::Spec;
use skiff::domain::deploy::Target;
use skiff::domain::ids::{AppId, HostId, JobId, SourceId};

use super::Measured;
use super::harness::fleet;
use super::harness::host::{TestHost, app_image, run};
use super::harness::program::Program;
use super::harness::world::World;
use super::load::Load;

/// Requests a second while something is deployed, divided among the hosts.
pub const PER_SECOND: u64 = 200;
/// Between two health checks, for both.
const PAUSE_MS: u32 = 100;
/// The load before and after a deploy.
const BESIDE: Duration = Duration::from_millis(500);
/// A deploy that has not ended by then never will.
const LIMIT: Duration = Duration::from_secs(60);
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/deploy/script.bash");

const SCRIPT_PROXY: &str = "global
  pidfile /run/script-haproxy.pid
defaults
  mode http
  option idle-close-on-response
  retries 3
  option redispatch
  timeout connect 2s
  timeout client 60s
  timeout server 60s
frontend web
  bind :8081
  default_backend app
backend app
  server app 127.0.0.1:1
";

const REGISTRY: &str = "version: 0.1
storage:
  filesystem:
    rootdirectory: /var/tmp/registry
http:
  addr: 127.0.0.1:5000
log:
  level: error
";

async fn must(host: &TestHost, argv: &[&str]) -> String {
    host.enter(argv).await.must(argv[0])
}

/// Puts a file on the host, past SSH.
async fn put(host: &TestHost, path: &str, text: &str) {
    tokio::fs::write(host.path(path), text).await.unwrap();
}

/// A registry on the host's loopback.
pub async fn registry(host: &TestHost) {
    put(host, "/tmp/registry.yml", REGISTRY).await;
    must(host, &["/bin/sh", "-c", "docker-registry serve /tmp/registry.yml >/tmp/registry.log 2>&1 &"]).await;
    let up = [
        "/bin/sh",
        "-c",
        "for i in $(seq 100); do curl -fs http://127.0.0.1:5000/v2/ && exit; sleep 0.1; done; exit 1",
    ];
    must(host, &up).await;
}

/// Puts a version into the registry of every host, and leaves only there what no other version has.
async fn publish(hosts: &[TestHost], version: &str) -> String {
    let image = format!("127.0.0.1:5000/hello:{version}");
    let archive = app_image(&image, version).await;
    join_all(hosts.iter().map(async |host| {
        host.load(&archive).await;
        host.docker(&["push", "--quiet", &image]).await;
        host.docker(&["image", "rm", &image]).await;
    }))
    .await;
    tokio::fs::remove_file(archive).await.unwrap();
    image
}

/// Visitors at the proxies of all hosts.
fn visitors(hosts: &[TestHost], port: u16, domain: &'static str) -> Vec<Load> {
    let each = PER_SECOND / hosts.len() as u64;
    hosts.iter().map(|host| Load::start(&format!("http://{}:{port}/", host.address), domain, each)).collect()
}

/// What the visitors say about a deploy that was called at `called` and over at `over`: of the times that of the last host.
async fn judge(visitors: Vec<Load>, version: &str, called: Instant, over: Instant) -> Measured {
    let limit = Instant::now() + LIMIT;
    while !visitors.iter().all(|load| load.all_new(version, called, BESIDE)) {
        assert!(Instant::now() < limit, "{version} never answered all requests");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let mut asked = Vec::new();
    for load in visitors {
        asked.extend(load.end().await);
    }
    let failed = asked.iter().filter(|a| a.answer.is_err());
    failed
        .clone()
        .take(3)
        .for_each(|a| println!("  {version}: {:?} at {:?}", a.answer, a.at.checked_duration_since(called)));
    let other = asked.iter().filter(|a| a.answer.as_deref() != Ok(version)).map(|a| a.at).max();
    Measured {
        new_answers: other.map_or(Duration::ZERO, |at| at.saturating_duration_since(called)),
        done: over - called,
        requests: asked.len(),
        failed: failed.count(),
        panel: Duration::ZERO,
    }
}

/// A team's own script.
pub struct Script {
    number: u32,
    known_hosts: tempfile::NamedTempFile,
}

impl Script {
    /// On every host a network, a proxy, and version 0 behind it.
    pub async fn prepare(hosts: &[TestHost]) -> Self {
        let known_hosts = tempfile::NamedTempFile::new().unwrap();
        let image = publish(hosts, "script-0").await;
        let mut keys = String::new();
        for host in hosts {
            host.docker(&["network", "create", "--subnet", "172.30.0.0/24", "script"]).await;
            put(host, "/etc/script-haproxy.cfg", SCRIPT_PROXY).await;
            must(host, &["haproxy", "-W", "-D", "-f", "/etc/script-haproxy.cfg"]).await;
            let port = host.port.to_string();
            keys += &run("ssh-keyscan", &["-p", &port, &host.address]).await.must("ssh-keyscan");
            host.docker(&["run", "-d", "--name", "script-0", "--network", "script", &image]).await;
        }
        std::fs::write(known_hosts.path(), keys).unwrap();
        let mut script = Self { number: 0, known_hosts };
        // The proxies turn to a first one by the script itself.
        script.deploy(hosts).await;
        script
    }

    /// The next version, on all hosts at once.
    pub async fn deploy(&mut self, hosts: &[TestHost]) -> Measured {
        self.number += 1;
        let version = format!("script-{}", self.number);
        let image = publish(hosts, &version).await;
        let visitors = visitors(hosts, 8081, "script.test");
        tokio::time::sleep(BESIDE).await;
        let called = Instant::now();
        let runs = hosts.iter().map(|host| {
            let mut command = tokio::process::Command::new(SCRIPT);
            command.args([&host.address, &host.port.to_string(), host.root_key_file.to_str().unwrap()]);
            command.args([self.known_hosts.path().to_str().unwrap(), &image, &self.number.to_string()]);
            command.arg(format!("{}", f64::from(PAUSE_MS) / 1000.0)).stdin(Stdio::null());
            async move { command.status().await.unwrap() }
        });
        let ended = join_all(runs).await;
        let over = Instant::now();
        assert!(ended.iter().all(std::process::ExitStatus::success), "the script: {ended:?}");
        judge(visitors, &version, called, over).await
    }
}

/// Skiff: the real program, in a process of its own.
pub struct Skiff<'a> {
    world: &'a World,
    program: Program,
    app: (AppId, SourceId, HostId),
    number: u32,
    steps: bool,
}

impl<'a> Skiff<'a> {
    /// An app with version 0 on every host. The world must have no worker.
    pub async fn prepare(hosts: &[TestHost], world: &'a World, ids: &[HostId], steps: bool) -> Self {
        let image = publish(hosts, "skiff-0").await;
        let mut app = world.app(ids[0], &image, "skiff.test").await;
        app.spec.drain_s = 0;
        app.spec.health.interval_ms = PAUSE_MS;
        let places: Vec<(HostId, u16)> = ids.iter().map(|id| (*id, 1)).collect();
        fleet::place(world, app.id, &mut app.spec, &places).await;
        let known = (app.id, app.source, ids[0]);
        let mut skiff = Self { world, program: Program::start(world).await, app: known, number: 0, steps };
        // The first one, and one in which everything is warm.
        skiff.deploy(hosts).await;
        skiff
    }

    /// The next version.
    pub async fn deploy(&mut self, hosts: &[TestHost]) -> Measured {
        self.number += 1;
        let version = format!("skiff-{}", self.number);
        let image = publish(hosts, &version).await;
        let (id, source, host) = self.app;
        let app = self.world.known_app(id, source, host, Spec::web(8080, "/up".parse().unwrap()));
        app.image(&image).await;
        let visitors = visitors(hosts, 80, "skiff.test");
        tokio::time::sleep(BESIDE).await;
        let (called, used) = (Instant::now(), self.program.cpu());
        let (_, job) = app.request(Target::Head).await;
        let ended = self.world.over(job).await;
        let (over, used) = (Instant::now(), self.program.cpu() - used);
        assert_eq!(ended.state, "succeeded", "{ended:#?}");
        if self.steps {
            self.tell_steps(job, over - called).await;
        }
        Measured { panel: used, ..judge(visitors, &version, called, over).await }
    }

    /// When each step began and ended, in milliseconds from the asking.
    async fn tell_steps(&self, job: JobId, whole: Duration) {
        let sql = "select words, extract(epoch from s.started_at - j.created_at)::float8, extract(epoch from s.finished_at - j.created_at)::float8
                     from job_steps s join jobs j on j.id = s.job_id where j.id = $1 order by s.seq";
        let rows: Vec<(String, Option<f64>, Option<f64>)> =
            sqlx::query_as(sql).bind(job.0).fetch_all(&mut self.world.db.superuser().await).await.unwrap();
        for (words, began, ended) in rows {
            let ms = |at: Option<f64>| at.map_or("-".to_owned(), |at| format!("{:.0}", at * 1000.0));
            println!("  {:>6} {:>6}  {words}", ms(began), ms(ended));
        }
        println!("  {:>13}  over", whole.as_millis());
    }
}
