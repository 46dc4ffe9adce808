//! Two apps of a repository on a real host, whose hooks are on; the real program; and who looks on meanwhile.

use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hmac::{Hmac, Mac};
use sha2::Sha256;
use skiff::actions::hooks;
use skiff::domain::app::{Route, Spec};
use skiff::domain::rights::Actor;
use skiff::domain::source::{Git, GitAccess, Source};
use tokio_util::sync::CancellationToken;

use super::harness::door::Visitor;
use super::harness::host::TestHost;
use super::harness::program::{EMAIL, Program, owner};
use super::harness::world::World;
use super::pace::Answers;

/// What is left to do after a flood is done by then.
const SETTLED_WITHIN: Duration = Duration::from_secs(120);

/// A hook.
pub struct Hook {
    /// "/hooks/github/…".
    pub path: String,
    secret: String,
}

/// All of it.
pub struct Scene {
    /// One for each app.
    pub hooks: Vec<Hook>,
    world: World,
    program: Program,
    ada: Visitor,
    home: String,
    forge: reqwest::Client,
    _repository: tempfile::TempDir,
    _host: TestHost,
}

/// Something that looks on until it is told to end.
pub struct Looking<T>(CancellationToken, tokio::task::JoinHandle<T>);

impl<T> Looking<T> {
    /// What was seen.
    pub async fn end(self) -> T {
        self.0.cancel();
        self.1.await.unwrap()
    }
}

impl Scene {
    /// Both apps serve, nothing waits.
    pub async fn set() -> Self {
        let repository = tempfile::tempdir().unwrap();
        let folder = repository.path().join("acme/shop");
        std::fs::create_dir_all(folder.join("www")).unwrap();
        std::fs::write(folder.join("www/up"), "ok").unwrap();
        let dockerfile = "FROM busybox:1\nCOPY www /www\nCMD [\"httpd\", \"-f\", \"-p\", \"8080\", \"-h\", \"/www\"]\n";
        std::fs::write(folder.join("Dockerfile"), dockerfile).unwrap();
        let make =
            "git init -q -b main && git add -A && git -c user.name=Ada -c user.email=a@example.org commit -q -m First";
        assert!(Command::new("/bin/sh").args(["-ec", make]).current_dir(&folder).status().unwrap().success());
        let (host, mut world) = (TestHost::bare().await, World::new().await);
        let id = world.provision(&host).await;
        host.load_busybox("busybox:1").await;
        let slug = owner(&world).await;
        let mut all = Vec::new();
        for n in 0..2 {
            let mut spec = Spec::web(8080, "/up".parse().unwrap());
            spec.routes.push(Route { domain: format!("shop{n}.test").parse().unwrap(), path: "/".parse().unwrap() });
            (spec.watch.seconds, spec.drain_s, spec.stop_grace_s) = (0, 2, 1);
            let source = Source::Git(Git {
                url: format!("file://{}", folder.display()).parse().unwrap(),
                branch: "main".parse().unwrap(),
                access: GitAccess::Public,
                dockerfile: "Dockerfile".parse().unwrap(),
                context: ".".parse().unwrap(),
                target: None,
                args: Default::default(),
                secrets: Default::default(),
            });
            let app = world.app_of(id, source, spec).await;
            app.must_deploy().await;
            let (ctx, person) = (world.actions(), Actor::on_the_panels_machine(world.team.id));
            let shown = hooks::create(&ctx, &person, app.id, "github").await.unwrap();
            let hook = hooks::get(&ctx, &person, app.id).await.unwrap().hook.unwrap();
            all.push(Hook { path: format!("/hooks/github/{}", hook.id), secret: shown.secret.expose().clone() });
        }
        world.stop_worker().await;
        let program = Program::start(&world).await;
        let mut ada = Visitor::of(&program.base);
        ada.sign_in(EMAIL).await;
        let forge = reqwest::Client::builder().pool_max_idle_per_host(512).timeout(Duration::from_secs(30)).build();
        Self {
            hooks: all,
            home: format!("/t/{slug}"),
            world,
            program,
            ada,
            forge: forge.unwrap(),
            _repository: repository,
            _host: host,
        }
    }

    /// A signed push of the commit of this number, to one app and the other in turn.
    pub async fn push(&self, n: u64) -> u16 {
        let hook = &self.hooks[usize::try_from(n).unwrap() % self.hooks.len()];
        let body = format!(
            r#"{{"ref":"refs/heads/main","before":"{:040x}","after":"{:040x}","deleted":false,"repository":{{"full_name":"acme/shop",
            "private":true,"default_branch":"main"}},"pusher":{{"name":"ada"}},"head_commit":{{"id":"{:040x}","message":"Change {n}",
            "author":{{"name":"Ada","email":"ada@example.org"}},"added":[],"removed":[],"modified":["src/cart.rs"]}},"padding":"{}"}}"#,
            n + 1,
            n + 2,
            n + 2,
            "x".repeat(6000)
        );
        let mut mac = Hmac::<Sha256>::new_from_slice(hook.secret.as_bytes()).unwrap();
        mac.update(body.as_bytes());
        let signature = format!("sha256={}", hex::encode(mac.finalize().into_bytes()));
        self.send(&hook.path, &signature, &uuid::Uuid::new_v4().to_string(), body.into()).await
    }

    /// A push that somebody else signed.
    pub async fn forged(&self, path: &str) -> u16 {
        self.send(path, &format!("sha256={}", "a1".repeat(32)), "forged", "{\"ref\":\"refs/heads/main\"}".into()).await
    }

    /// A body that somebody else signed.
    pub async fn forged_body(&self, body: bytes::Bytes) -> u16 {
        self.send(&self.hooks[0].path, &format!("sha256={}", "a1".repeat(32)), "forged", body).await
    }

    async fn send(&self, path: &str, signature: &str, id: &str, body: bytes::Bytes) -> u16 {
        let request = self.forge.post(format!("{}{path}", self.program.base)).body(body);
        let request = request.header("content-type", "application/json").header("x-github-event", "push");
        let answer = request.header("x-github-delivery", id).header("x-hub-signature-256", signature).send().await;
        match answer {
            Ok(answer) => answer.status().as_u16(),
            Err(_) => 0,
        }
    }

    /// Rows of deliveries, and of deploys and jobs of deploys that pushes asked for.
    pub async fn rows(&self) -> (i64, i64, i64) {
        sqlx::query_as(
            "select (select count(*) from deliveries), (select count(*) from deploys) - 2,
                    (select count(*) from jobs where kind = 'deploy') - 2",
        )
        .fetch_one(&mut self.world.db.superuser().await)
        .await
        .unwrap()
    }

    /// Deploys that ran, but for the first of each app.
    pub async fn ran(&self) -> i64 {
        let sql = "select count(*) - 2 from deploys where state = 'succeeded'";
        sqlx::query_scalar(sql).fetch_one(&mut self.world.db.superuser().await).await.unwrap()
    }

    /// Waits until nothing waits or runs.
    pub async fn settled(&self) {
        let (began, mut conn) = (Instant::now(), self.world.db.superuser().await);
        let sql = "select count(*) from jobs where finished_at is null";
        while sqlx::query_scalar::<_, i64>(sql).fetch_one(&mut conn).await.unwrap() > 0 {
            assert!(began.elapsed() < SETTLED_WITHIN, "deploys are left: {}", self.program.log());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let failed = "select count(*) from deploys where state = 'failed'";
        assert_eq!(sqlx::query_scalar::<_, i64>(failed).fetch_one(&mut conn).await.unwrap(), 0);
    }

    /// Resident memory of the panel in MB.
    pub fn memory(&self) -> f64 {
        memory(self.program.pid())
    }

    /// The highest of it from now on.
    pub fn watch_memory(&self) -> Looking<f64> {
        let (stop, pid) = (CancellationToken::new(), self.program.pid());
        let until = stop.clone();
        let looking = tokio::spawn(async move {
            let mut highest: f64 = 0.0;
            while !until.is_cancelled() {
                highest = highest.max(memory(pid));
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            highest
        });
        Looking(stop, looking)
    }

    /// The most deploys of an app that ran and that waited at one moment.
    pub fn watch_jobs(self: &Arc<Self>) -> Looking<(i64, i64)> {
        let (stop, scene) = (CancellationToken::new(), self.clone());
        let until = stop.clone();
        let looking = tokio::spawn(async move {
            let (mut most, mut conn) = ((0, 0), scene.world.db.superuser().await);
            let sql = "select count(*) filter (where state = 'running'), count(*) filter (where state = 'queued')
                         from deploys where state in ('running', 'queued') group by app_id";
            while !until.is_cancelled() {
                for (running, waiting) in sqlx::query_as::<_, (i64, i64)>(sql).fetch_all(&mut conn).await.unwrap() {
                    most = (running.max(most.0), waiting.max(most.1));
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            most
        });
        Looking(stop, looking)
    }

    /// Somebody who opens the home page ten times a second.
    pub fn look_at_pages(&self) -> Looking<Answers> {
        let (stop, ada, home) = (CancellationToken::new(), self.ada.clone(), self.home.clone());
        let until = stop.clone();
        let looking = tokio::spawn(async move {
            let mut answers = Answers::default();
            while !until.is_cancelled() {
                let began = Instant::now();
                let answer = ada.get(&home).await;
                let status = answer.status().as_u16();
                let whole = answer.text().await.is_ok();
                answers.take(if whole { status } else { 0 }, began.elapsed());
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            answers
        });
        Looking(stop, looking)
    }

    /// Ends it all.
    pub async fn end(self) {
        drop(self.program);
        self.world.quiet().await;
    }
}

fn memory(pid: u32) -> f64 {
    let shown = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = shown.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse::<f64>().unwrap() * 1024.0 / 1e6
}
