//! Cloudflare: records have an id each, and stand in a zone that has one too.

use async_trait::async_trait;
use hyper::Method;
use serde_json::{Value, json};

use super::{Api, NotWritten, Records, TTL, candidates};

/// Its API, version 4. The token needs "Zone: DNS: Edit" and "Zone: Zone: Read".
pub struct Cloudflare(pub Api);

impl Cloudflare {
    async fn zone(&self, name: &str) -> Result<String, NotWritten> {
        for zone in candidates(name) {
            let found = self.0.must(Method::GET, &format!("/zones?name={zone}"), None).await?;
            if let Some(id) = found.pointer("/result/0/id").and_then(Value::as_str).filter(|id| is_id(id)) {
                return Ok(id.to_owned());
            }
        }
        Err(NotWritten(format!("Cloudflare shows this token no zone of {name}.")))
    }

    async fn ids(&self, zone: &str, name: &str, text: &str) -> Result<Vec<String>, NotWritten> {
        let found = self.0.must(Method::GET, &format!("/zones/{zone}/dns_records?type=TXT&name={name}"), None).await?;
        let records = found.pointer("/result").and_then(Value::as_array).cloned().unwrap_or_default();
        // Texts are kept with or without quotes, as they were written.
        let same = |record: &&Value| {
            record.get("content").and_then(Value::as_str).is_some_and(|content| content.trim_matches('"') == text)
        };
        let id = |record: &Value| record.get("id").and_then(Value::as_str).filter(|id| is_id(id)).map(str::to_owned);
        Ok(records.iter().filter(same).filter_map(id).collect())
    }
}

/// An id goes into a path: it is letters and digits.
fn is_id(id: &str) -> bool {
    !id.is_empty() && id.chars().all(|c| c.is_ascii_alphanumeric())
}

#[async_trait]
impl Records for Cloudflare {
    async fn add(&self, name: &str, text: &str) -> Result<(), NotWritten> {
        let zone = self.zone(name).await?;
        if !self.ids(&zone, name, text).await?.is_empty() {
            return Ok(());
        }
        let record = json!({ "type": "TXT", "name": name, "content": format!("\"{text}\""), "ttl": TTL });
        self.0.must(Method::POST, &format!("/zones/{zone}/dns_records"), Some(record)).await.map(drop)
    }

    async fn remove(&self, name: &str, text: &str) -> Result<(), NotWritten> {
        let zone = self.zone(name).await?;
        for id in self.ids(&zone, name, text).await? {
            let (status, answer) = self.0.ask(Method::DELETE, &format!("/zones/{zone}/dns_records/{id}"), None).await?;
            if !matches!(status, 200..300 | 404) {
                return Err(self.0.refused(status, &answer));
            }
        }
        Ok(())
    }
}
