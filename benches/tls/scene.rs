//! A host with so many domains, each with a certificate of its own, and twenty apps behind them.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use skiff::actions::apps::NewRoute;
use skiff::actions::certificates::{self, NewCertificate};
use skiff::actions::routes::{self, EditRules};
use skiff::db;
use skiff::domain::app::{Route, Spec};
use skiff::domain::certificate::Origin;
use skiff::domain::ids::{AppId, CertificateId, HostId, JobId};
use skiff::domain::secret::Secret;
use skiff::domain::source::{Image, Source};
use skiff::jobs::set_certificates;
use skiff::vault;

use crate::harness::host::TestHost;
use crate::harness::team::cause;
use crate::harness::tls::{Authority, Made, trusting};
use crate::harness::visitors::Way;
use crate::harness::world::World;

const IMAGE: &str = "127.0.0.1:5000/hello:1";
/// Apps that share the domains; an app takes fifty.
const PER_APP: usize = 50;
/// The app to which domains are added takes three a round.
pub const MOST_ROUNDS: usize = 16;
/// A try at a handshake comes this long after the one before, which takes a core some 0.4 ms itself.
const TRY: Duration = Duration::from_millis(3);
/// Nothing here takes longer.
const LIMIT: Duration = Duration::from_secs(60);

pub struct Scene {
    pub world: World,
    pub host: TestHost,
    pub authority: Authority,
    pub domains: Vec<String>,
    growing: AppId,
}

impl Scene {
    pub async fn set(count: usize) -> Self {
        let (host, world) = (TestHost::bare().await, World::new().await);
        let id = world.provision(&host).await;
        host.load_app(IMAGE, "1").await;
        let domains: Vec<String> = (0..count).map(|n| format!("d{n:05}.bench.test")).collect();
        let began = Instant::now();
        for some in domains.chunks(PER_APP) {
            deploy(&world, id, some).await;
        }
        let growing = deploy(&world, id, &["first.more.test".to_owned()]).await;
        println!("{} apps deployed in {:.1} s", count.div_ceil(PER_APP) + 1, began.elapsed().as_secs_f64());
        let authority = Authority::new("Bench Authority");
        keep(&world, domains.iter().map(|name| authority.issue(&[name.as_str()], 90))).await;
        let scene = Self { world, host, authority, domains, growing };
        let began = Instant::now();
        let mut tx = scene.world.db.begin(&scene.world.team.permit).await.unwrap();
        let job = set_certificates::ask(&mut tx, &scene.world.team.permit, id, "host", cause()).await.unwrap();
        tx.commit().await.unwrap();
        scene.over(job).await;
        println!("{count} certificates brought in {:.1} s", began.elapsed().as_secs_f64());
        for name in [&scene.domains[0], &scene.domains[count - 1]] {
            assert_eq!(scene.way().get(name).await.as_deref(), Ok("1"), "{name} is served");
        }
        scene
    }

    /// The way of visitors.
    pub fn way(&self) -> Way {
        Way { at: SocketAddr::new(self.host.address.parse().unwrap(), 443), trust: trusting(&self.authority.pem) }
    }

    /// Adds a route; the job that tells the proxy.
    pub async fn route(&self, domain: &str) -> JobId {
        let input = NewRoute { domain: domain.to_owned(), path: "/".into() };
        let (ctx, owner) = (self.world.actions(), &self.world.team.owner);
        routes::add(&ctx, owner, self.growing, input, EditRules::default()).await.unwrap().job.unwrap()
    }

    /// Brings a certificate.
    pub async fn upload(&self, made: &Made) {
        let input = NewCertificate { chain: made.chain.clone(), key: made.key.clone() };
        certificates::upload(&self.world.actions(), &self.world.team.owner, input).await.unwrap();
    }

    /// The job that takes the newest certificate to the host.
    pub async fn newest(&self) -> JobId {
        let newest = "select id from jobs where kind = 'set_certificates' order by created_at desc limit 1";
        JobId(sqlx::query_scalar(newest).fetch_one(&mut self.world.db.superuser().await).await.unwrap())
    }

    /// When this certificate is shown under that name.
    pub async fn served(&self, domain: &str, made: &Made) -> Instant {
        let (way, began) = (self.way(), Instant::now());
        while way.shown(domain).await.as_deref() != Ok(made.der.as_ref()) {
            if began.elapsed() > LIMIT {
                panic!("{domain} is not served; the newest jobs:\n{}", self.newest_jobs().await);
            }
            tokio::time::sleep(TRY).await;
        }
        Instant::now()
    }

    /// The newest jobs with their steps and what they said, for one who looks for what went wrong.
    async fn newest_jobs(&self) -> String {
        let sql = "select concat_ws(' · ', j.created_at, j.finished_at, j.kind, j.state, 'attempt ' || j.attempt, j.run_at, j.wait_reason, j.reason) || coalesce(
                     (select string_agg(E'\n    ' || concat_ws(' · ', s.seq, s.state, s.words, s.note), '' order by s.seq) from job_steps s where s.job_id = j.id), '')
                     || coalesce((select string_agg(E'\n    | ' || concat_ws(' ', l.at, convert_from(l.line, 'UTF8')), '' order by l.seq) from job_log l where l.job_id = j.id), '')
                from jobs j order by j.created_at desc limit 6";
        let rows: Vec<String> = sqlx::query_scalar(sql).fetch_all(&mut self.world.db.superuser().await).await.unwrap();
        rows.join("\n")
    }

    /// Waits until a job has succeeded.
    pub async fn over(&self, job: JobId) {
        let ended = self.world.over(job).await;
        assert_eq!(ended.state, "succeeded", "{ended:#?}");
    }

    /// From a job's making to its end, in milliseconds.
    pub async fn lasted(&self, job: JobId) -> f64 {
        self.over(job).await;
        self.number("select extract(epoch from finished_at - created_at)::float8 * 1000 from jobs where id = $1", job)
            .await
    }

    /// What its steps took up to the one that has the proxy serve it, in milliseconds: its work on the host.
    pub async fn steps(&self, job: JobId) -> f64 {
        let sum = "select sum(extract(epoch from finished_at - started_at))::float8 * 1000 from job_steps where job_id = $1 and words not like 'look whether%'";
        self.number(sum, job).await
    }

    async fn number(&self, sql: &'static str, job: JobId) -> f64 {
        let mut conn = self.world.db.superuser().await;
        sqlx::query_scalar(sql).bind(job.0).fetch_one(&mut conn).await.unwrap()
    }

    /// The process of Skiff's proxy that has the connections now.
    pub async fn worker(&self) -> String {
        let ask = "echo 'show proc' | socat -t 5 - UNIX-CONNECT:/run/skiff/haproxy-master.sock";
        let shown = self.host.enter(&["/bin/bash", "-c", ask]).await.must("the master answers");
        let now = shown.split("# old workers").next().unwrap();
        let line = now.lines().find(|line| line.split_whitespace().nth(1) == Some("worker")).expect("it has a worker");
        line.split_whitespace().next().unwrap().to_owned()
    }

    /// What a process of the host has computed.
    pub async fn cpu(&self, pid: &str) -> Duration {
        let stat = self.host.enter(&["cat", &format!("/proc/{pid}/stat")]).await.must("it runs");
        let (_, fields) = stat.rsplit_once(") ").unwrap();
        let ticks: u64 = fields.split(' ').skip(11).take(2).map(|ticks| ticks.parse::<u64>().unwrap()).sum();
        Duration::from_millis(ticks * 10)
    }
}

/// An app with these domains, deployed.
async fn deploy(world: &World, host: HostId, domains: &[String]) -> AppId {
    let mut spec = Spec::web(8080, "/up".parse().unwrap());
    let route = |name: &String| Route { domain: name.parse().unwrap(), path: "/".parse().unwrap() };
    spec.routes = domains.iter().map(route).collect();
    spec.watch.seconds = 0;
    spec.health.start_period_s = 15;
    let source = Source::Image(Image { image: IMAGE.parse().unwrap(), login: None });
    let app = world.app_of(host, source, spec).await;
    app.must_deploy().await;
    app.id
}

/// Stores certificates as uploads do, all in one transaction and without a job.
async fn keep(world: &World, all: impl Iterator<Item = Made>) {
    let permit = &world.team.permit;
    let mut tx = world.db.begin(permit).await.unwrap();
    let data_key = db::host_logins::data_key(&mut tx, permit).await.unwrap();
    for made in all {
        let now = time::OffsetDateTime::now_utc();
        let checked = skiff::domain::certificate::read(&made.chain, &Secret::new(made.key), now).unwrap();
        let (id, version) = (CertificateId(uuid::Uuid::now_v7()), uuid::Uuid::now_v7());
        let place = vault::Context::certificate(permit.team(), version);
        let sealed = world.vault.seal(&data_key, &place, checked.pem.expose().as_bytes()).unwrap();
        db::certificates::insert(&mut tx, permit, id, Origin::Uploaded).await.unwrap();
        assert!(db::certificates::add_version(&mut tx, permit, id, version, &checked.facts, &sealed).await.unwrap());
    }
    tx.commit().await.unwrap();
}
