//! Push to deploy over a real socket: what forges send, what comes of it, and what must not.

mod calls;
mod forged;
pub mod shapes;

use hmac::{Hmac, Mac};
use sha2::Sha256;
use skiff::actions::apps;
use skiff::actions::hooks;
use skiff::domain::ids::AppId;
use sqlx::Row;

use crate::harness::door::{Owner, Panel};
use crate::pages::scene;

/// A commit of forty digits.
pub const ONE: &str = "9f3c21a5d1b8e7f60a4c3b2d1e0f9a8b7c6d5e4f";
/// Another one.
pub const TWO: &str = "1481a2de7b2a7d02428ad93446ab166be7793fbb";

/// A panel with an app of a repository whose hook is on.
pub struct Hooked {
    pub panel: Panel,
    pub owner: Owner,
    pub app: AppId,
    /// "/hooks/github/…".
    pub path: String,
    pub secret: String,
}

impl Hooked {
    /// With this provider.
    pub async fn with(provider: &str) -> Self {
        let panel = Panel::open().await;
        let owner = panel.owner().await;
        scene::ready_host(&panel, &owner, "fra-1", "203.0.113.7").await;
        let app = apps::create(&panel.ctx, &owner.actor, scene::web_form("Shop")).await.unwrap();
        let shown = hooks::create(&panel.ctx, &owner.actor, app, provider).await.unwrap();
        let url = hooks::get(&panel.ctx, &owner.actor, app).await.unwrap().hook.unwrap().url;
        let path = url.strip_prefix(&panel.base).unwrap().to_owned();
        Self { secret: shown.secret.expose().clone(), panel, owner, app, path }
    }

    /// POST of these bytes.
    pub async fn post(&self, path: &str, headers: &[(&str, &str)], body: &[u8]) -> (u16, String) {
        let mut request = reqwest::Client::new().post(format!("{}{path}", self.panel.base)).body(body.to_vec());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// A delivery of GitHub, signed.
    pub async fn github(&self, event: &str, id: &str, body: &str) -> (u16, String) {
        let signature = format!("sha256={}", sign(&self.secret, body.as_bytes()));
        let headers = [
            ("content-type", "application/json"),
            ("user-agent", "GitHub-Hookshot/044aadd"),
            ("x-github-event", event),
            ("x-github-delivery", id),
            ("x-hub-signature-256", &signature),
        ];
        self.post(&self.path, &headers, body.as_bytes()).await
    }

    /// A push of this commit to the app's branch.
    pub async fn push(&self, id: &str, commit: &str) -> (u16, String) {
        self.github("push", id, &shapes::github_push("refs/heads/main", commit)).await
    }

    /// States of the deploys, the oldest first.
    pub async fn deploys(&self) -> Vec<String> {
        let rows = sqlx::query("select state from deploys order by created_at, id");
        let rows = rows.fetch_all(&mut self.panel.db.superuser().await).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    }

    /// Rows of deliveries, deploys and jobs of deploys.
    pub async fn rows(&self) -> (i64, i64, i64) {
        sqlx::query_as(
            "select (select count(*) from deliveries), (select count(*) from deploys),
                    (select count(*) from jobs where kind = 'deploy')",
        )
        .fetch_one(&mut self.panel.db.superuser().await)
        .await
        .unwrap()
    }
}

/// HMAC-SHA256 in hexadecimal digits.
pub fn sign(secret: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body);
    hex::encode(mac.finalize().into_bytes())
}
