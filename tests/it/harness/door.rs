//! The browser's door on a real socket before a real database, and people who come through it.

use std::sync::Arc;

use skiff::actions::setup::SetUp;
use skiff::actions::{self, setup};
use skiff::app::doors;
use skiff::db::changes::Changes;
use skiff::db::sessions::Sessions;
use skiff::domain::ids::{AccountId, TeamId};
use skiff::domain::rights::{Actor, Grant, Role, Scope};
use skiff::door::server;
use skiff::vault::Vault;
use skiff::web::routes::Route;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::postgres::{TestDb, fresh_database};

/// Everybody's password in tests.
pub const PASSWORD: &str = "a boat that one can steer";

/// A panel with its door open.
pub struct Panel {
    /// The database.
    pub db: TestDb,
    /// What the pages stand on.
    pub ctx: actions::Ctx,
    /// "http://127.0.0.1:PORT".
    pub base: String,
    /// Host and port alone.
    pub authority: String,
    /// What is behind the door of pages.
    pub table: Vec<Route>,
    /// What is behind the door of programs.
    pub calls: Vec<skiff::api::routes::Route>,
    shutdown: CancellationToken,
    _folder: tempfile::TempDir,
}

/// The owner of a panel that was set up.
pub struct Owner {
    /// The account.
    pub account: AccountId,
    /// The team.
    pub team: TeamId,
    /// Its slug.
    pub slug: String,
    /// Whom actions take.
    pub actor: Actor,
}

impl Panel {
    /// Opens the door of an empty panel, known as what it listens on.
    pub async fn open() -> Self {
        Self::open_as(None).await
    }

    /// Opens the door of an empty panel that its users know under another address, as behind a proxy.
    pub async fn open_as(known_as: Option<&str>) -> Self {
        let db = fresh_database().await;
        let folder = tempfile::tempdir().unwrap();
        let vault = Vault::create(&folder.path().join("master.key")).unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let authority = listener.local_addr().unwrap().to_string();
        let base = format!("http://{authority}");
        let shutdown = CancellationToken::new();
        let changes = Changes::new(&db);
        let (listening, until) = (changes.clone(), shutdown.clone());
        tokio::spawn(async move { listening.listen(until).await });
        let mut tx = db.begin_door().await.unwrap();
        skiff::db::panel::create(&mut tx, &vault.key_check()).await.unwrap();
        tx.commit().await.unwrap();
        let settings = actions::Settings {
            base_url: base.clone(),
            local_sources: None,
            door: listener.local_addr().unwrap().port(),
            names: Default::default(),
            place: None,
        };
        let ctx = actions::Ctx {
            db: db.db.clone(),
            changes,
            vault,
            settings: Arc::new(settings),
            kept: Default::default(),
            pool: Default::default(),
            log_seats: Default::default(),
            hooks: Default::default(),
            outside: super::services::outside(),
            lookup: Default::default(),
        };
        let known_as = known_as.unwrap_or(&base).parse().unwrap();
        let doors = doors::open(ctx.clone(), known_as, Arc::new(Sessions::new(&db)), shutdown.clone());
        let limits = server::Limits::default();
        tokio::spawn(server::serve(listener, doors.router, limits, shutdown.clone()));
        Self { db, ctx, base, authority, table: doors.pages, calls: doors.calls, shutdown, _folder: folder }
    }

    /// The set-up link of this panel, as the server prints it.
    pub async fn set_up_link(&self) -> String {
        setup::new_link(&self.ctx).await.unwrap().expect("not set up yet")
    }

    /// Sets the panel up: Ada owns it.
    pub async fn owner(&self) -> Owner {
        let link = self.set_up_link().await;
        let token = link.rsplit('=').next().unwrap().to_owned();
        let input = SetUp {
            token,
            name: "Ada".into(),
            email: "ada@example.org".into(),
            password: PASSWORD.into(),
            team: "Acme".into(),
            ..SetUp::default()
        };
        let first = setup::create_owner(&self.ctx, "127.0.0.1", input).await.unwrap();
        let actor = actions::accounts::actor(&self.ctx, first.account, &first.team, "127.0.0.1").await.unwrap();
        Owner { account: first.account, team: actor.team(), slug: first.team, actor }
    }

    /// One more account, with a role in a team.
    pub async fn member(&self, name: &str, team: TeamId, role: Role) -> AccountId {
        let account = AccountId(Uuid::now_v7());
        let email = format!("{}@example.org", name.to_lowercase());
        let hash = skiff::vault::hash_password(skiff::domain::secret::Secret::new(PASSWORD.to_owned())).await.unwrap();
        let mut conn = self.db.superuser().await;
        sqlx::query("insert into accounts (id, email, name, password_hash) values ($1, $2, $3, $4)")
            .bind(account.0)
            .bind(email)
            .bind(name)
            .bind(hash)
            .execute(&mut conn)
            .await
            .unwrap();
        let member = Uuid::now_v7();
        let grant = Grant { scope: Scope::Team(team), role };
        sqlx::query("insert into members (team_id, id, account_id) values ($1, $2, $3)")
            .bind(team.0)
            .bind(member)
            .bind(account.0)
            .execute(&mut conn)
            .await
            .unwrap();
        sqlx::query(
            "insert into grants (team_id, member_id, scope_kind, scope_id, role) values ($1, $2, 'team', $1, $3)",
        )
        .bind(team.0)
        .bind(member)
        .bind(grant.role.word())
        .execute(&mut conn)
        .await
        .unwrap();
        account
    }

    /// A team of other people.
    pub async fn other_team(&self) -> TeamId {
        let id = TeamId(Uuid::now_v7());
        let mut conn = self.db.superuser().await;
        sqlx::query("insert into teams (id, slug, name, data_key) values ($1, 'others', 'Others', $2)")
            .bind(id.0)
            .bind(self.ctx.vault.new_team_key(id))
            .execute(&mut conn)
            .await
            .unwrap();
        id
    }

    /// Somebody with a browser and without a session.
    pub fn visitor(&self) -> Visitor {
        Visitor::of(&self.base)
    }

    /// Somebody signed in.
    pub async fn signed_in(&self, email: &str) -> Visitor {
        let mut visitor = self.visitor();
        visitor.sign_in(email).await;
        visitor
    }

    /// Closes the door.
    pub fn close(&self) {
        self.shutdown.cancel();
    }
}

impl Drop for Panel {
    fn drop(&mut self) {
        self.close();
    }
}

/// Somebody with cookies.
#[derive(Clone)]
pub struct Visitor {
    /// The client, for requests of one's own making.
    pub http: reqwest::Client,
    /// The token of the form they signed in with.
    pub form_token: String,
    base: String,
}

impl Visitor {
    /// Somebody before the panel that stands there.
    pub fn of(base: &str) -> Self {
        let http = reqwest::Client::builder()
            .cookie_store(true)
            .redirect(reqwest::redirect::Policy::none())
            .timeout(std::time::Duration::from_secs(30))
            .build()
            .unwrap();
        Self { http, form_token: String::new(), base: base.to_owned() }
    }

    /// Signs in.
    pub async fn sign_in(&mut self, email: &str) {
        self.form_token = self.token("/login").await;
        let fields = [("email", email), ("password", PASSWORD)];
        let answer = self.post("/login", &self.form_token, &fields).await;
        assert_eq!(answer.status(), 303, "{email} signs in: {}", answer.text().await.unwrap());
    }

    /// The address of a path.
    pub fn at(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// GET.
    pub async fn get(&self, path: &str) -> reqwest::Response {
        self.http.get(self.at(path)).send().await.unwrap()
    }

    /// GET, as text.
    pub async fn text(&self, path: &str) -> String {
        let answer = self.get(path).await;
        let status = answer.status();
        let text = answer.text().await.unwrap();
        assert_eq!(status, 200, "{path}: {text}");
        text
    }

    /// The token in the forms of a page.
    pub async fn token(&self, page: &str) -> String {
        let text = self.text(page).await;
        let start = text.find("name=\"_token\" value=\"").unwrap_or_else(|| panic!("{page} has no form")) + 21;
        text[start..].split('"').next().unwrap().to_owned()
    }

    /// POST as the form of `page` sends it.
    pub async fn submit(&self, page: &str, path: &str, fields: &[(&str, &str)]) -> reqwest::Response {
        let token = self.token(page).await;
        self.post(path, &token, fields).await
    }

    /// POST with this token.
    pub async fn post(&self, path: &str, token: &str, fields: &[(&str, &str)]) -> reqwest::Response {
        let mut form = vec![("_token", token)];
        form.extend_from_slice(fields);
        let request = self.http.post(self.at(path)).header("sec-fetch-site", "same-origin").form(&form);
        request.send().await.unwrap()
    }
}
