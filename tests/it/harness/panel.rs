//! A panel as actions see it: a database, a master key, teams with people of every role. Not here: doors, workers, hosts.

use std::sync::Arc;

use skiff::actions::apps::{EditConfiguration, EditSource, NewApp, NewRoute};
use skiff::actions::deploys::RequestDeploy;
use skiff::actions::hosts::NewHost;
use skiff::actions::setup::SetUp;
use skiff::actions::{self, Ctx, accounts, apps, deploys, hosts, setup};
use skiff::db::changes::Changes;
use skiff::db::{deploy_runs, host_logins, panel};
use skiff::domain::host::HostState;
use skiff::domain::ids::{AccountId, AppId, DeployId, HostId, MemberId, ReleaseId};
use skiff::domain::release::Release;
use skiff::domain::rights::{Actor, Grant, On, Permission, Permit, Role, Scope};
use skiff::vault::Vault;
use uuid::Uuid;

use super::postgres::{TestDb, fresh_database};

/// The password of everybody here.
pub const PASSWORD: &str = "correct horse battery";

/// A panel with an owner.
pub struct Panel {
    /// The database; dropped with the panel.
    pub test: TestDb,
    /// What actions work with.
    pub ctx: Ctx,
    /// The owner of the first team.
    pub owner: Actor,
    _key: tempfile::TempDir,
}

/// A panel nobody owns.
pub async fn unowned() -> (TestDb, Ctx, tempfile::TempDir) {
    let test = fresh_database().await;
    let key = tempfile::tempdir().unwrap();
    let vault = Vault::create(&key.path().join("master.key")).unwrap();
    let mut tx = test.begin_door().await.unwrap();
    panel::create(&mut tx, &vault.key_check()).await.unwrap();
    tx.commit().await.unwrap();
    let ctx = Ctx {
        changes: Changes::new(&test),
        db: test.db.clone(),
        vault,
        settings: Arc::new(settings()),
        kept: Default::default(),
        pool: Default::default(),
        log_seats: Default::default(),
        hooks: Default::default(),
        outside: super::services::outside(),
        lookup: Default::default(),
    };
    (test, ctx, key)
}

/// The token of a fresh set-up link.
pub async fn token(ctx: &Ctx) -> String {
    let link = setup::new_link(ctx).await.unwrap().expect("nobody owns it");
    link.split_once("token=").unwrap().1.to_owned()
}

/// A set-up form that is right.
pub fn set_up(token: &str) -> SetUp {
    SetUp {
        token: token.into(),
        name: "Ada".into(),
        email: "ada@example.org".into(),
        password: PASSWORD.into(),
        team: "Shop".into(),
        ..SetUp::default()
    }
}

impl Panel {
    /// A panel with the owner Ada of the team Shop.
    pub async fn new() -> Self {
        let (test, ctx, key) = unowned().await;
        let owner = setup::create_owner(&ctx, "127.0.0.1", set_up(&token(&ctx).await)).await.unwrap();
        let owner = accounts::actor(&ctx, owner.account, &owner.team, "127.0.0.1").await.unwrap();
        Self { test, ctx, owner, _key: key }
    }

    /// Another team of the panel, with an owner of its own.
    pub async fn another_team(&self) -> Actor {
        let id = skiff::domain::ids::TeamId(Uuid::now_v7());
        let key = self.ctx.vault.new_team_key(id);
        let mut tx = self.test.begin_door().await.unwrap();
        let (slug, name) = (format!("t-{}", &id.simple()[20..]).parse().unwrap(), "Another".parse().unwrap());
        skiff::db::teams::insert(&mut tx, id, &slug, &name, &key).await.unwrap();
        tx.commit().await.unwrap();
        let founder = Actor::on_the_panels_machine(id);
        self.person(&founder, Role::Owner).await
    }

    /// A new person with this role in the actor's team.
    pub async fn person(&self, of: &Actor, role: Role) -> Actor {
        let account = AccountId(Uuid::now_v7());
        let permit = of.may(Permission::ManageMembers, On::team(of.team())).unwrap();
        let mut tx = self.test.begin(&permit).await.unwrap();
        let email = format!("{}@example.org", account.simple()).parse().unwrap();
        skiff::db::accounts::insert(&mut tx, account, &email, role.word(), "no hash").await.unwrap();
        let member = MemberId(Uuid::now_v7());
        skiff::db::members::insert(&mut tx, &permit, member, account).await.unwrap();
        let grant = Grant { scope: Scope::Team(of.team()), role };
        skiff::db::members::grant(&mut tx, &permit, member, grant).await.unwrap();
        let slug: String = sqlx::query_scalar("select slug from teams where id = $1")
            .bind(of.team().0)
            .fetch_one(&mut *tx)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        accounts::actor(&self.ctx, account, &slug, "127.0.0.2").await.unwrap()
    }

    /// A host that counts as ready; nothing answers there.
    pub async fn host(&self, of: &Actor, name: &str) -> HostId {
        let form = NewHost { name: name.into(), address: format!("{name}.example.org"), ..NewHost::default() };
        let id = hosts::create(&self.ctx, of, form).await.unwrap();
        let permit = Permit::of_claimed_row(of.team());
        let mut tx = self.test.begin(&permit).await.unwrap();
        host_logins::observed(&mut tx, &permit, id, HostState::Ready, "").await.unwrap();
        tx.commit().await.unwrap();
        id
    }

    /// A web app of an image on the team's only host, with a domain of its own.
    pub async fn app(&self, of: &Actor, name: &str) -> AppId {
        apps::create(&self.ctx, of, new_app(name)).await.unwrap()
    }

    /// Gives an app a backend in its host's proxy, as far as the tables know.
    pub async fn backend(&self, app: AppId) {
        let permit = Permit::of_claimed_row(self.owner.team());
        let mut tx = self.test.begin(&permit).await.unwrap();
        let row = skiff::db::apps::get(&mut tx, &permit, app).await.unwrap().unwrap();
        let host = row.placement.first().unwrap().host;
        skiff::db::ledger::backends::claim(&mut tx, &permit, host, app).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// A deploy that went through, as far as the tables know: gives the release that serves then.
    pub async fn deployed(&self, of: &Actor, app: AppId) -> i32 {
        let deploy = deploys::request(&self.ctx, of, app, RequestDeploy::default()).await.unwrap();
        self.finish(of, deploy).await
    }

    /// Takes a waiting deploy through, as a worker would.
    pub async fn finish(&self, of: &Actor, deploy: DeployId) -> i32 {
        let permit = Permit::of_claimed_row(of.team());
        let mut tx = self.test.begin(&permit).await.unwrap();
        let row = deploy_runs::load(&mut tx, &permit, deploy).await.unwrap().unwrap();
        deploy_runs::begin(&mut tx, &permit, deploy, row.current).await.unwrap();
        let number = deploy_runs::next_number(&mut tx, &permit, row.app).await.unwrap();
        let ids: Vec<_> = row.spec.secrets.values().copied().collect();
        let versions = host_logins::current(&mut tx, &permit, &ids).await.unwrap();
        let release = Release {
            id: ReleaseId(Uuid::now_v7()),
            app: row.app,
            environment: row.environment,
            number,
            image_id: format!("sha256:{number:064}").parse().unwrap(),
            image: "web:1".parse().unwrap(),
            spec: row.spec.0.clone(),
            secret_versions: versions.iter().map(|sealed| (sealed.id, sealed.version)).collect(),
            placement: row.placement.0.clone(),
            commit: None,
        };
        let made = deploy_runs::Made { release: &release, source: &row.source.0, dockerfile: None, by: of.name() };
        deploy_runs::insert_release(&mut tx, &permit, deploy, made).await.unwrap();
        deploy_runs::switch(&mut tx, &permit, deploy).await.unwrap();
        deploy_runs::succeed(&mut tx, &permit, deploy, 0).await.unwrap();
        sqlx::query("update jobs set state = 'succeeded', finished_at = now(), lease_until = null where id = (select job_id from deploys where id = $1)")
            .bind(deploy.0)
            .execute(&mut *tx)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        number
    }
}

/// The form of a web app of an image.
pub fn new_app(name: &str) -> NewApp {
    NewApp {
        name: name.into(),
        source: EditSource { from: "image".into(), image: "web:1".into(), ..EditSource::default() },
        configuration: EditConfiguration { port: "8080".into(), ..EditConfiguration::default() },
        routes: vec![NewRoute { domain: format!("{name}.example.org"), path: String::new() }],
        ..NewApp::default()
    }
}

/// What a panel of a test is started with.
pub fn settings() -> actions::Settings {
    actions::Settings {
        base_url: "http://127.0.0.1:7070".into(),
        local_sources: Some("/".into()),
        door: 7070,
        names: Default::default(),
        place: None,
    }
}
