//! The two that deploy, each with an app of its own on the same host.

use std::process::Stdio;
use std::time::{Duration, Instant};

use skiff::domain::deploy::Target;
use skiff::domain::ids::HostId;

use super::Measured;
use super::harness::host::{TestHost, app_image, run};
use super::harness::world::{TestApp, World};
use super::load::Load;

/// Requests a second while something is deployed.
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

/// Puts a version into the registry, and leaves only there what no other version has.
async fn publish(host: &TestHost, version: &str) -> String {
    let image = format!("127.0.0.1:5000/hello:{version}");
    let archive = app_image(&image, version).await;
    host.load(&archive).await;
    tokio::fs::remove_file(archive).await.unwrap();
    host.docker(&["push", "--quiet", &image]).await;
    host.docker(&["image", "rm", &image]).await;
    image
}

/// What the load says about a deploy that was called at `called` and over at `over`.
async fn judge(load: Load, version: &str, called: Instant, over: Instant) -> Measured {
    let limit = Instant::now() + LIMIT;
    while !load.all_new(version, called, BESIDE) {
        assert!(Instant::now() < limit, "{version} never answered all requests");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let asked = load.end().await;
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
    }
}

/// A team's own script.
pub struct Script {
    number: u32,
    known_hosts: tempfile::NamedTempFile,
}

impl Script {
    /// A network, a proxy, and version 0 behind it.
    pub async fn prepare(host: &TestHost) -> Self {
        host.docker(&["network", "create", "--subnet", "172.30.0.0/24", "script"]).await;
        put(host, "/etc/script-haproxy.cfg", SCRIPT_PROXY).await;
        must(host, &["haproxy", "-W", "-D", "-f", "/etc/script-haproxy.cfg"]).await;
        let known_hosts = tempfile::NamedTempFile::new().unwrap();
        let port = host.port.to_string();
        let keys = run("ssh-keyscan", &["-p", &port, &host.address]).await.must("ssh-keyscan");
        std::fs::write(known_hosts.path(), keys).unwrap();
        let image = publish(host, "script-0").await;
        host.docker(&["run", "-d", "--name", "script-0", "--network", "script", &image]).await;
        let mut script = Self { number: 0, known_hosts };
        // The proxy turns to a first one by the script itself.
        script.deploy(host).await;
        script
    }

    /// The next version.
    pub async fn deploy(&mut self, host: &TestHost) -> Measured {
        self.number += 1;
        let version = format!("script-{}", self.number);
        let image = publish(host, &version).await;
        let load = Load::start(&format!("http://{}:8081/", host.address), "script.test", PER_SECOND);
        tokio::time::sleep(BESIDE).await;
        let called = Instant::now();
        let status = tokio::process::Command::new(SCRIPT)
            .args([&host.address, &host.port.to_string(), host.root_key_file.to_str().unwrap()])
            .args([self.known_hosts.path().to_str().unwrap(), &image, &self.number.to_string()])
            .arg(format!("{}", f64::from(PAUSE_MS) / 1000.0))
            .stdin(Stdio::null())
            .status()
            .await
            .unwrap();
        let over = Instant::now();
        assert!(status.success(), "the script: {status}");
        judge(load, &version, called, over).await
    }
}

/// Skiff.
pub struct Skiff<'a> {
    world: &'a World,
    app: TestApp<'a>,
    number: u32,
}

impl<'a> Skiff<'a> {
    /// An app with version 0.
    pub async fn prepare(host: &TestHost, world: &'a World, id: HostId) -> Self {
        let image = publish(host, "skiff-0").await;
        let mut app = world.app(id, &image, "skiff.test").await;
        let mut spec = app.spec.clone();
        spec.drain_s = 0;
        spec.health.interval_ms = PAUSE_MS;
        app.save(spec).await;
        app.must_deploy().await;
        Self { world, app, number: 0 }
    }

    /// The next version.
    pub async fn deploy(&mut self, host: &TestHost) -> Measured {
        self.number += 1;
        let version = format!("skiff-{}", self.number);
        let image = publish(host, &version).await;
        self.app.image(&image).await;
        let load = Load::start(&format!("http://{}/", host.address), "skiff.test", PER_SECOND);
        tokio::time::sleep(BESIDE).await;
        let called = Instant::now();
        let (_, job) = self.app.request(Target::Head).await;
        let ended = self.world.over(job).await;
        let over = Instant::now();
        assert_eq!(ended.state, "succeeded", "{ended:#?}");
        judge(load, &version, called, over).await
    }
}
