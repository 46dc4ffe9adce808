//! A team with an app on one test host, and the job that resolves its source.

use std::collections::BTreeMap;

use skiff::access::{self, Reached};
use skiff::domain::deploy::{Failure, Target};
use skiff::domain::ids::{AppId, HostId, JobId, SecretId, SourceId};
use skiff::domain::rights::Permit;
use skiff::domain::source::{Git, GitAccess, Source};
use skiff::jobs::Ctx;
use skiff::jobs::log::Log;
use skiff::jobs::source::{Asked, Resolved, resolve};
use skiff::jobs::stop::Stop;
use skiff::queue::Run;
use skiff::remote::{Pool, PoolSettings};
use skiff::vault::{SecretPlace, Vault};
use sqlx::{PgConnection, Row};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::repo::{Repo, main_branch};
use crate::harness::host::TestHost;
use crate::harness::postgres::{TestDb, fresh_database};
use crate::harness::team::{TestTeam, cause};

/// The app's sources and images.
pub struct Bench {
    pub host: TestHost,
    pub app: AppId,
    pub ctx: Ctx,
    db: TestDb,
    team: TestTeam,
    source: SourceId,
    host_id: HostId,
    _folder: tempfile::TempDir,
}

/// What came of a run, and what its log says.
pub struct Ran {
    pub resolved: Result<Resolved, Stop>,
    /// Stream and line.
    pub log: Vec<(String, String)>,
    /// The step's state and note.
    pub step: (String, String),
}

impl Bench {
    /// Everything that must exist for an app whose repositories stand below this folder.
    pub async fn new(repo: &Repo) -> Self {
        let (db, host) = tokio::join!(fresh_database(), TestHost::light());
        Self::with(repo, db, host).await
    }

    /// The same on a host of the case's own making.
    pub async fn on(repo: &Repo, host: TestHost) -> Self {
        Self::with(repo, fresh_database().await, host).await
    }

    async fn with(repo: &Repo, db: TestDb, host: TestHost) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let team = TestTeam::new(&db).await;
        let vault = Vault::create(&folder.path().join("key")).unwrap();
        let data_key = vault.new_team_key(team.id);
        let mut conn = db.superuser().await;
        sqlx::query("update teams set data_key = $2 where id = $1")
            .bind(team.id.0)
            .bind(&data_key)
            .execute(&mut conn)
            .await
            .unwrap();
        let settings = skiff::providers::git::Settings {
            data_dir: folder.path().join("git"),
            local_root: Some(repo.root.path().to_path_buf()),
            ca_file: None,
        };
        let ctx = Ctx {
            db: db.db.clone(),
            vault: vault.into(),
            pool: Pool::new(PoolSettings::default()),
            git: skiff::providers::git::Git::open(settings).await.unwrap(),
            visitor: Default::default(),
            names: Default::default(),
            dns: Default::default(),
            panel: Uuid::now_v7(),
            outside: crate::harness::services::outside(),
        };
        let mut bench = Self {
            app: AppId(Uuid::now_v7()),
            source: SourceId(Uuid::now_v7()),
            host_id: HostId(Uuid::now_v7()),
            host,
            ctx,
            db,
            team,
            _folder: folder,
        };
        bench.rows(&mut conn).await;
        bench
    }

    async fn rows(&mut self, conn: &mut PgConnection) {
        let key = self.secret(self.host.root_key.clone().as_bytes()).await;
        sqlx::query(
            "insert into hosts (team_id, id, number, slug, name, address, ssh_port, ssh_user, ssh_key, host_key, state)
             values ($1, $2, 1, 'rig', 'rig', $3, $4, 'root', $5, $6, 'ready')",
        )
        .bind(self.team.id.0)
        .bind(self.host_id.0)
        .bind(&self.host.address)
        .bind(i32::from(self.host.port))
        .bind(key.0)
        .bind(&self.host.host_key)
        .execute(&mut *conn)
        .await
        .unwrap();
        sqlx::query("insert into sources (team_id, id, spec) values ($1, $2, '{}')")
            .bind(self.team.id.0)
            .bind(self.source.0)
            .execute(conn)
            .await
            .unwrap();
    }

    /// Seals a value as a secret of the source.
    pub async fn secret(&self, value: &[u8]) -> SecretId {
        let id = SecretId(Uuid::now_v7());
        let mut conn = self.db.superuser().await;
        let data_key: Vec<u8> = sqlx::query("select data_key from teams where id = $1")
            .bind(self.team.id.0)
            .fetch_one(&mut conn)
            .await
            .unwrap()
            .get(0);
        let place = SecretPlace { team: self.team.id, secret: id, version: 1 };
        let sealed = self.ctx.vault.seal_secret(&data_key, place, value).unwrap();
        sqlx::query("insert into secrets (team_id, id, owner_kind, owner_id, name, version) values ($1, $2, 'source', $3, $4, 1)")
            .bind(self.team.id.0)
            .bind(id.0)
            .bind(self.source.0)
            .bind(id.to_string())
            .execute(&mut conn)
            .await
            .unwrap();
        sqlx::query("insert into secret_versions (team_id, secret_id, version, sealed) values ($1, $2, 1, $3)")
            .bind(self.team.id.0)
            .bind(id.0)
            .bind(sealed)
            .execute(&mut conn)
            .await
            .unwrap();
        id
    }

    /// A transaction in the team.
    pub async fn begin(&self) -> skiff::db::Tx<'static> {
        self.db.db.begin(&self.team.permit).await.unwrap()
    }

    /// What the team's things are read and written with.
    pub fn permit(&self) -> &Permit {
        &self.team.permit
    }

    /// The source of the app.
    pub fn source(&self) -> SourceId {
        self.source
    }

    /// A claimed job, as the queue hands it over.
    async fn run(&self) -> Run {
        let job = JobId(Uuid::now_v7());
        sqlx::query(
            "insert into jobs (id, team_id, kind, args, title, state, fence, attempt, lease_until, leased_by, cause)
             values ($1, $2, 'test', '{}', 'Build', 'running', 1, 1, now() + interval '1 hour', 'test', '{}')",
        )
        .bind(job.0)
        .bind(self.team.id.0)
        .execute(&mut self.db.superuser().await)
        .await
        .unwrap();
        Run {
            job,
            permit: self.team.permit.clone(),
            fence: 1,
            attempt: 1,
            cause: cause(),
            cancel: CancellationToken::new(),
            lost: CancellationToken::new(),
            db: self.db.db.clone(),
        }
    }

    /// The app's host, connected.
    async fn reached(&self) -> Vec<Reached> {
        access::reach(&self.ctx.access(), &self.team.permit, &[self.host_id]).await.unwrap()
    }

    /// Resolves the source for the app.
    pub async fn resolve(&self, source: &Source) -> Ran {
        self.resolve_for(self.app, source, |_, _| async {}).await
    }

    /// The same for another app of the team, with something that happens meanwhile.
    pub async fn resolve_for<F: Future<Output = ()>>(
        &self,
        app: AppId,
        source: &Source,
        meanwhile: impl FnOnce(CancellationToken, JobId) -> F,
    ) -> Ran {
        let run = self.run().await;
        let hosts = self.reached().await;
        let (log, writer) = Log::open(&run);
        let step = skiff::db::job_steps::NewStep { stage: "source".into(), host: None, words: "get the image".into() };
        let mut tx = self.db.db.begin(&run.permit).await.unwrap();
        let step = skiff::db::job_steps::plan(&mut tx, &run.permit, run.job, run.fence, &[step]).await.unwrap();
        tx.commit().await.unwrap();
        let asked = Asked {
            ctx: &self.ctx,
            run: &run,
            log: &log,
            step,
            app,
            source_id: self.source,
            source,
            target: &Target::Head,
            port: Some(8080),
            hosts: &hosts,
        };
        let (resolved, ()) = tokio::join!(resolve(asked), meanwhile(run.cancel.clone(), run.job));
        drop(log);
        writer.close().await;
        let mut conn = self.db.superuser().await;
        let lines = sqlx::query("select stream, line from job_log where job_id = $1 order by seq").bind(run.job.0);
        let lines = lines.fetch_all(&mut conn).await.unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let log = lines.iter().map(|row| (row.get(0), text(row.get(1)))).collect();
        let row = sqlx::query("select state, note from job_steps where job_id = $1").bind(run.job.0);
        let row = row.fetch_one(&mut conn).await.unwrap();
        sqlx::query("update jobs set state = 'succeeded', lease_until = null, leased_by = null, finished_at = now() where id = $1")
            .bind(run.job.0)
            .execute(&mut conn)
            .await
            .unwrap();
        Ran { resolved, log, step: (row.get(0), row.get(1)) }
    }

    /// Rows of the builds table with and without an image.
    pub async fn builds(&self) -> (i64, i64) {
        let row = sqlx::query("select count(image_id), count(*) from builds");
        let row = row.fetch_one(&mut self.db.superuser().await).await.unwrap();
        (row.get(0), row.get(1))
    }

    /// Lines that a job has logged so far, joined.
    pub async fn log_so_far(&self, job: JobId) -> String {
        let rows = sqlx::query("select line from job_log where job_id = $1 order by seq").bind(job.0);
        let rows = rows.fetch_all(&mut self.db.superuser().await).await.unwrap();
        rows.iter().map(|row| String::from_utf8_lossy(row.get::<&[u8], _>(0)).into_owned() + "\n").collect()
    }

    /// Runs the image's own `/bin/sh -c` with this constant script of the case.
    pub async fn in_image(&self, resolved: &Resolved, script: &str) -> String {
        let id = resolved.image_id.as_ref();
        self.host.docker(&["run", "--rm", "--network", "none", id, "/bin/sh", "-c", script]).await
    }
}

impl Ran {
    /// The image, or the failure as a panic with the log.
    pub fn image(&self) -> &Resolved {
        match &self.resolved {
            Ok(resolved) => resolved,
            Err(stop) => panic!("{stop:?}\n{}", self.text()),
        }
    }

    /// The reason it failed.
    pub fn failure(&self) -> &Failure {
        match &self.resolved {
            Err(Stop::Failed(failure)) => failure,
            other => panic!("{other:?}\n{}", self.text()),
        }
    }

    /// The whole log.
    pub fn text(&self) -> String {
        self.log.iter().map(|(stream, line)| format!("{stream} {line}\n")).collect()
    }
}

/// The repository's main branch, built from its root.
pub fn git(repo: &Repo) -> Git {
    Git {
        url: repo.local(),
        branch: main_branch(),
        access: GitAccess::Public,
        dockerfile: "Dockerfile".parse().unwrap(),
        context: ".".parse().unwrap(),
        target: None,
        args: BTreeMap::new(),
        secrets: BTreeMap::new(),
    }
}
