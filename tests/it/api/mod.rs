//! The API: who may what with which token, what it takes and gives, its description, and that nothing of the pages is missing.

mod calls;
mod covers;
mod document;
mod people;
mod push;
mod rights;
mod streams;
mod tokens;

use reqwest::{Method, RequestBuilder};
use serde_json::Value;
use skiff::actions::tokens::{NewToken, create};
use skiff::domain::rights::Actor;

use crate::harness::door::Panel;

/// A token of somebody, for the whole team.
pub async fn token(panel: &Panel, actor: &Actor, role: &str) -> String {
    let name = format!("{role} {}", uuid::Uuid::now_v7());
    let form = NewToken { name, role: role.into(), scope: "team".into(), days: "7".into() };
    create(&panel.ctx, actor, form).await.unwrap().secret.expose().clone()
}

/// Somebody with a token.
pub struct Client {
    http: reqwest::Client,
    base: String,
    token: String,
}

impl Client {
    /// With this token.
    pub fn new(panel: &Panel, token: &str) -> Self {
        let http = reqwest::Client::builder().timeout(std::time::Duration::from_secs(60)).build().unwrap();
        Self { http, base: format!("{}/api/v1", panel.base), token: token.into() }
    }

    /// A request of one's own making.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.base)).bearer_auth(&self.token)
    }

    /// Status and body.
    pub async fn send(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        let mut request = self.request(method.parse().unwrap(), path);
        if let Some(body) = body {
            request = request.json(&body);
        }
        read(request.send().await.unwrap()).await
    }

    /// What a GET gives, which must be there.
    pub async fn get(&self, path: &str) -> Value {
        let (status, body) = self.send("GET", path, None).await;
        assert_eq!(status, 200, "{path}: {body}");
        body
    }
}

/// Status and body; a body that is no JSON is its text.
pub async fn read(answer: reqwest::Response) -> (u16, Value) {
    let status = answer.status().as_u16();
    let text = answer.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}
