//! A small world: a team, a provisioned host, apps on it, and a runner that does what is queued.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use skiff::actions;
use skiff::db::changes::Changes;
use skiff::domain::app::{Route, Spec};
use skiff::domain::deploy::Target;
use skiff::domain::ids::*;
use skiff::domain::release::Place;
use skiff::domain::secret::Secret;
use skiff::domain::source::{Image, Source};
use skiff::jobs::deploy::{self, Deploy};
use skiff::jobs::provision::{self, Provision};
use skiff::jobs::{self, Ctx};
use skiff::providers::git::{Git, Settings};
use skiff::queue::{self, New, Runner, RunnerSettings};
use skiff::remote;
use skiff::vault::{SecretPlace, Vault};
use sqlx::types::Json;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::host::TestHost;
use super::postgres::{TestDb, fresh_database};
use super::quiet::assert_quiet;
use super::team::{TestTeam, cause};

/// A deploy of a test is over by then, whatever goes wrong in it.
const OVER_WITHIN: Duration = Duration::from_secs(180);

/// The world.
pub struct World {
    /// The database.
    pub db: TestDb,
    /// The team everything belongs to.
    pub team: TestTeam,
    /// What jobs work with.
    pub ctx: Ctx,
    /// Wake-ups.
    pub changes: Changes,
    /// The vault.
    pub vault: Arc<Vault>,
    data_key: Vec<u8>,
    folder: tempfile::TempDir,
    runner: Option<(CancellationToken, tokio::task::JoinHandle<()>)>,
    listener: CancellationToken,
}

/// How a job ended.
#[derive(Debug)]
pub struct Ended {
    /// The job's state.
    pub state: String,
    /// Its reason.
    pub reason: String,
    /// Its steps: "words: state (note)".
    pub steps: Vec<String>,
    /// Its log.
    pub log: String,
}

impl World {
    /// An empty panel with a running worker.
    pub async fn new() -> Self {
        let mut world = Self::idle(fresh_database().await).await;
        world.start_worker();
        world
    }

    /// An empty panel on this database. Nobody works in it yet.
    pub async fn idle(db: TestDb) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let vault = Arc::new(Vault::create(&folder.path().join("master.key")).unwrap());
        let team = TestTeam::new(&db).await;
        let data_key = vault.new_team_key(team.id);
        let mut conn = db.superuser().await;
        sqlx::query("update teams set data_key = $2 where id = $1")
            .bind(team.id.0)
            .bind(&data_key)
            .execute(&mut conn)
            .await
            .unwrap();
        let mut tx = db.begin_door().await.unwrap();
        skiff::db::panel::create(&mut tx, &vault.key_check()).await.unwrap();
        let panel = skiff::db::panel::get(&mut tx).await.unwrap().unwrap().id;
        tx.commit().await.unwrap();
        let local_root = Some(std::env::temp_dir());
        let git = Git::open(Settings { data_dir: folder.path().join("git"), local_root, ca_file: None }).await.unwrap();
        let outside = super::services::outside();
        let (pool, visitor, names, dns) = Default::default();
        let ctx = Ctx { db: db.db.clone(), vault: vault.clone(), pool, git, panel, visitor, names, dns, outside };
        let changes = Changes::new(&db);
        let listener = CancellationToken::new();
        let (listening, until) = (changes.clone(), listener.clone());
        tokio::spawn(async move { listening.listen(until).await });
        Self { db, team, ctx, changes, vault, data_key, folder, runner: None, listener }
    }

    /// The panel's data folder: the master key is in it.
    pub fn data_dir(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// What actions work with.
    pub fn actions(&self) -> actions::Ctx {
        actions::Ctx {
            db: self.db.db.clone(),
            changes: self.changes.clone(),
            vault: (*self.vault).clone(),
            settings: Arc::new(super::panel::settings()),
            kept: Default::default(),
            pool: self.ctx.pool.clone(),
            log_seats: Default::default(),
            hooks: Default::default(),
            outside: self.ctx.outside.clone(),
            lookup: self.ctx.names.clone(),
        }
    }

    /// Starts a worker where none runs.
    pub fn start_worker(&mut self) {
        let settings = RunnerSettings::default();
        let runner = Runner::new(self.db.db.clone(), self.changes.clone(), jobs::registry(&self.ctx), settings);
        let shutdown = CancellationToken::new();
        let until = shutdown.clone();
        self.runner = Some((shutdown, tokio::spawn(async move { runner.run(until).await })));
    }

    /// Stops the worker as SIGTERM does.
    pub async fn stop_worker(&mut self) {
        if let Some((shutdown, runner)) = self.runner.take() {
            shutdown.cancel();
            runner.await.unwrap();
        }
    }

    /// Ends the worker as `kill -9` does: nothing is written any more, leases stay until they run out.
    pub fn kill_worker(&mut self) {
        if let Some((_, runner)) = self.runner.take() {
            runner.abort();
        }
    }

    /// Lets the time of all leases pass.
    pub async fn leases_run_out(&self) {
        let sql = "update jobs set lease_until = now() - interval '1 s' where state = 'running'";
        sqlx::query(sql).execute(&mut self.db.superuser().await).await.unwrap();
    }

    /// Seals a value as a secret of the team.
    pub async fn secret(&self, owner_kind: &str, owner: Uuid, name: &str, value: &str) -> SecretId {
        let id = SecretId(Uuid::now_v7());
        let place = SecretPlace { team: self.team.id, secret: id, version: 1 };
        let sealed = self.vault.seal_secret(&self.data_key, place, value.as_bytes()).unwrap();
        let mut tx = self.db.begin(&self.team.permit).await.unwrap();
        sqlx::query(
            "insert into secrets (team_id, id, owner_kind, owner_id, name, version) values ($1, $2, $3, $4, $5, 1)",
        )
        .bind(self.team.id.0)
        .bind(id.0)
        .bind(owner_kind)
        .bind(owner)
        .bind(name)
        .execute(&mut *tx)
        .await
        .unwrap();
        sqlx::query("insert into secret_versions (team_id, secret_id, version, sealed) values ($1, $2, 1, $3)")
            .bind(self.team.id.0)
            .bind(id.0)
            .bind(sealed)
            .execute(&mut *tx)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        id
    }

    /// Puts a test host into the database, as an owner would add it: signed in to as root.
    pub async fn add_host(&self, host: &TestHost) -> HostId {
        let id = HostId(Uuid::now_v7());
        let key = self.secret("host", id.0, "ssh key", &host.root_key).await;
        let mut tx = self.db.begin(&self.team.permit).await.unwrap();
        sqlx::query(
            "insert into hosts (team_id, id, number, slug, name, address, ssh_port, ssh_user, ssh_key, host_key)
             values ($1, $2, skiff_free_host_number(), $3, $3, $4, $5, 'root', $6, $7)",
        )
        .bind(self.team.id.0)
        .bind(id.0)
        .bind(format!("host-{}", &id.simple()[26..]))
        .bind(&host.address)
        .bind(i32::from(host.port))
        .bind(key.0)
        .bind(&host.host_key)
        .execute(&mut *tx)
        .await
        .unwrap();
        tx.commit().await.unwrap();
        id
    }

    /// Adds and provisions a test host.
    pub async fn provision(&self, host: &TestHost) -> HostId {
        let id = self.add_host(host).await;
        let ended = self.provision_again(id).await;
        assert_eq!(ended.state, "succeeded", "{ended:#?}");
        id
    }

    /// Runs the provisioning of a host.
    pub async fn provision_again(&self, host: HostId) -> Ended {
        let mut tx = self.db.begin(&self.team.permit).await.unwrap();
        let new = New { lock_key: Some(provision::lock_key(host)), ..New::new("Provision", cause()) };
        let pushed = queue::push(&mut tx, &self.team.permit, &Provision { host }, new).await.unwrap();
        tx.commit().await.unwrap();
        self.over(pushed.job).await
    }

    /// A web app of this image on this host, answering at `domain`.
    pub async fn app(&self, host: HostId, image: &str, domain: &str) -> TestApp<'_> {
        let mut spec = Spec::web(8080, "/up".parse().unwrap());
        spec.routes.push(Route { domain: domain.parse().unwrap(), path: "/".parse().unwrap() });
        spec.drain_s = 5;
        spec.watch.seconds = 0;
        spec.health.start_period_s = 15;
        let source = Source::Image(Image { image: image.parse().unwrap(), login: None });
        self.app_of(host, source, spec).await
    }

    /// An app of this source and specification.
    pub async fn app_of(&self, host: HostId, source: Source, spec: Spec) -> TestApp<'_> {
        let [project, environment, source_id, app] = [(); 4].map(|()| Uuid::now_v7());
        let slug = format!("a{}", &app.simple().to_string()[20..]);
        let placement = vec![Place { host, instances: spec.instances }];
        let mut tx = self.db.begin(&self.team.permit).await.unwrap();
        let team = self.team.id.0;
        sqlx::query("insert into projects (team_id, id, slug, name) values ($1, $2, $3, $3)")
            .bind(team)
            .bind(project)
            .bind(&slug)
            .execute(&mut *tx)
            .await
            .unwrap();
        sqlx::query(
            "insert into environments (team_id, id, project_id, slug, name) values ($1, $2, $3, 'prod', 'prod')",
        )
        .bind(team)
        .bind(environment)
        .bind(project)
        .execute(&mut *tx)
        .await
        .unwrap();
        sqlx::query("insert into sources (team_id, id, spec) values ($1, $2, $3)")
            .bind(team)
            .bind(source_id)
            .bind(Json(&source))
            .execute(&mut *tx)
            .await
            .unwrap();
        sqlx::query(
            "insert into apps (team_id, id, environment_id, source_id, slug, name, spec, placement)
             values ($1, $2, $3, $4, $5, $5, $6, $7)",
        )
        .bind(team)
        .bind(app)
        .bind(environment)
        .bind(source_id)
        .bind(&slug)
        .bind(Json(&spec))
        .bind(Json(&placement))
        .execute(&mut *tx)
        .await
        .unwrap();
        for mount in &spec.mounts {
            sqlx::query("insert into ledger_volumes (team_id, id, app_id, name) values ($1, $2, $3, $4)")
                .bind(team)
                .bind(mount.volume.0)
                .bind(app)
                .bind(mount.name.as_ref())
                .execute(&mut *tx)
                .await
                .unwrap();
        }
        tx.commit().await.unwrap();
        TestApp { world: self, id: AppId(app), source: SourceId(source_id), host, spec }
    }

    /// An app that was made before, for going on with it after the worker was stopped and started.
    pub fn known_app(&self, id: AppId, source: SourceId, host: HostId, spec: Spec) -> TestApp<'_> {
        TestApp { world: self, id, source, host, spec }
    }

    /// Waits until a step of the job whose words begin like this has begun, or the job is over.
    pub async fn reach_step(&self, job: JobId, words: &str) {
        self.reach(job, &format!("words like '{words}%'")).await;
    }

    /// The same for the step of this number.
    pub async fn reach_step_number(&self, job: JobId, seq: i32) {
        self.reach(job, &format!("seq = {seq}")).await;
    }

    async fn reach(&self, job: JobId, which: &str) {
        let begun = tokio::time::Instant::now();
        let sql = format!(
            "select exists (select from job_steps where job_id = $1 and {which} and started_at is not null)
                 or exists (select from jobs where id = $1 and finished_at is not null)"
        );
        let mut conn = self.db.superuser().await;
        while begun.elapsed() < OVER_WITHIN {
            let asked = sqlx::query_scalar(sqlx::AssertSqlSafe(sql.as_str())).bind(job.0).fetch_one(&mut conn).await;
            if asked.unwrap() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        panic!("the step with {which} was never reached");
    }

    /// The numbers of the log's lines.
    pub async fn log_numbers(&self, job: JobId) -> Vec<i64> {
        let asked = sqlx::query_scalar("select seq from job_log where job_id = $1 order by seq").bind(job.0);
        asked.fetch_all(&mut self.db.superuser().await).await.unwrap()
    }

    /// Waits until a job is over and tells how it went.
    pub async fn over(&self, job: JobId) -> Ended {
        let begun = tokio::time::Instant::now();
        loop {
            assert!(begun.elapsed() < 2 * OVER_WITHIN, "the database gives no connection");
            let Ok(mut tx) = self.db.begin(&self.team.permit).await else { continue };
            let (state, reason): (String, String) =
                sqlx::query_as("select state, reason || wait_reason from jobs where id = $1")
                    .bind(job.0)
                    .fetch_one(&mut *tx)
                    .await
                    .unwrap();
            let over = matches!(state.as_str(), "succeeded" | "failed" | "cancelled" | "superseded");
            if over || begun.elapsed() > OVER_WITHIN {
                let steps = sqlx::query_scalar(
                    "select words || ': ' || state || case note when '' then '' else ' (' || note || ')' end
                       from job_steps where job_id = $1 order by seq",
                )
                .bind(job.0)
                .fetch_all(&mut *tx)
                .await
                .unwrap();
                let log: Vec<Vec<u8>> = sqlx::query_scalar("select line from job_log where job_id = $1 order by seq")
                    .bind(job.0)
                    .fetch_all(&mut *tx)
                    .await
                    .unwrap();
                let log = log.iter().map(|line| String::from_utf8_lossy(line) + "\n").collect();
                let ended = Ended { state, reason, steps, log };
                assert!(over, "not over within {OVER_WITHIN:?}: {ended:#?}");
                return ended;
            }
            drop(tx);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// The end of every case: nothing queued, nothing leased.
    pub async fn quiet(mut self) {
        assert_quiet(&self.db).await;
        self.stop_worker().await;
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.listener.cancel();
        self.kill_worker();
    }
}

/// An app of the world.
pub struct TestApp<'a> {
    world: &'a World,
    /// Its id.
    pub id: AppId,
    /// Its source.
    pub source: SourceId,
    /// Its host.
    pub host: HostId,
    /// Its specification as last saved.
    pub spec: Spec,
}

impl TestApp<'_> {
    /// Saves another specification; it takes effect with the next deploy.
    pub async fn save(&mut self, spec: Spec) {
        let placement = vec![Place { host: self.host, instances: spec.instances }];
        let mut tx = self.world.db.begin(&self.world.team.permit).await.unwrap();
        sqlx::query("update apps set spec = $2, placement = $3 where id = $1")
            .bind(self.id.0)
            .bind(Json(&spec))
            .bind(Json(&placement))
            .execute(&mut *tx)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        self.spec = spec;
    }

    /// Changes a variable.
    pub async fn set(&mut self, name: &str, value: &str) {
        let mut spec = self.spec.clone();
        spec.variables.insert(name.parse().unwrap(), value.parse().unwrap());
        self.save(spec).await;
    }

    /// Has another image from now on.
    pub async fn image(&self, image: &str) {
        let source = Source::Image(Image { image: image.parse().unwrap(), login: None });
        let mut tx = self.world.db.begin(&self.world.team.permit).await.unwrap();
        sqlx::query("update sources set spec = $2 where id = $1")
            .bind(self.source.0)
            .bind(Json(&source))
            .execute(&mut *tx)
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }

    /// Places the app on another host; it takes effect with the next deploy.
    pub async fn place(&mut self, host: HostId) {
        self.host = host;
        self.save(self.spec.clone()).await;
    }

    /// Asks for a deploy.
    pub async fn request(&self, target: Target) -> (DeployId, JobId) {
        let (world, deploy) = (self.world, DeployId(Uuid::now_v7()));
        let permit = &world.team.permit;
        let mut tx = world.db.begin(permit).await.unwrap();
        let new = New { lock_key: Some(deploy::lock_key(self.id)), ..New::new("Deploy", cause()) };
        let pushed = queue::push(&mut tx, permit, &Deploy { app: self.id, deploy }, new).await.unwrap();
        skiff::db::deploy_runs::insert(&mut tx, permit, deploy, self.id, pushed.job, &target, &cause()).await.unwrap();
        tx.commit().await.unwrap();
        (deploy, pushed.job)
    }

    /// Deploys the head and waits for the end.
    pub async fn deploy(&self) -> Ended {
        self.world.over(self.request(Target::Head).await.1).await
    }

    /// Deploys the head, which must succeed.
    pub async fn must_deploy(&self) -> Ended {
        let ended = self.deploy().await;
        assert_eq!(ended.state, "succeeded", "{ended:#?}");
        ended
    }

    /// Goes back to a release and waits for the end.
    pub async fn roll_back(&self, number: i32) -> Ended {
        let (_, job) = self.request(Target::Release { number }).await;
        self.world.over(job).await
    }

    /// Containers of the app on a host: name → state.
    pub async fn containers(&self, host: &TestHost) -> BTreeMap<String, String> {
        let filter = format!("label=skiff.app={}", self.id);
        let shown = host.docker(&["ps", "-a", "--filter", &filter, "--format", "{{.Names}} {{.State}}"]).await;
        shown.lines().filter_map(|line| line.split_once(' ')).map(|(n, s)| (n.to_owned(), s.to_owned())).collect()
    }
}

/// The address of a test host's proxy for a domain, and the answer there.
pub async fn ask(host: &TestHost, domain: &str, path: &str) -> (u16, String) {
    ask_port(host, 80, domain, path).await
}

/// The same where the proxy listens elsewhere.
pub async fn ask_port(host: &TestHost, port: u16, domain: &str, path: &str) -> (u16, String) {
    let answer = reqwest::Client::new()
        .get(format!("http://{}:{port}{path}", host.address))
        .header("host", domain)
        .send()
        .await
        .unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

/// The login of a test host, for speaking to it without a job.
pub fn login(host: &TestHost) -> remote::Login {
    remote::Login {
        id: HostId(Uuid::now_v7()),
        name: "test host".into(),
        address: host.address.parse().unwrap(),
        port: host.port,
        user: "root".parse().unwrap(),
        key: Secret::new(host.root_key.clone()),
        host_key: host.host_key.clone(),
        jump: None,
    }
}
