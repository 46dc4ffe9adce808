//! Hetzner: the texts of one name are a set, to which one is added and from which one is taken.

use async_trait::async_trait;
use hyper::Method;
use serde_json::{Value, json};

use super::{Api, NotWritten, Records, TTL, candidates, within};

/// The DNS of its Cloud API. The token is one of a project, with read and write.
pub struct Hetzner(pub Api);

impl Hetzner {
    async fn zone<'a>(&self, name: &'a str) -> Result<&'a str, NotWritten> {
        for zone in candidates(name) {
            let (status, answer) = self.0.ask(Method::GET, &format!("/zones/{zone}"), None).await?;
            match status {
                200..300 => return Ok(zone),
                404 => {}
                _ => return Err(self.0.refused(status, &answer)),
            }
        }
        Err(NotWritten(format!("Hetzner shows this token no zone of {name}.")))
    }

    /// Whether the name's texts have this one.
    async fn has(&self, set: &str, text: &str) -> Result<bool, NotWritten> {
        let (status, answer) = self.0.ask(Method::GET, set, None).await?;
        match status {
            200..300 => {
                let records = answer.pointer("/rrset/records").and_then(Value::as_array).cloned().unwrap_or_default();
                let said = |record: &Value| record.get("value").and_then(Value::as_str).map(str::to_owned);
                Ok(records.iter().filter_map(said).any(|value| value.trim_matches('"') == text))
            }
            404 => Ok(false),
            _ => Err(self.0.refused(status, &answer)),
        }
    }
}

#[async_trait]
impl Records for Hetzner {
    async fn add(&self, name: &str, text: &str) -> Result<(), NotWritten> {
        let zone = self.zone(name).await?;
        let set = format!("/zones/{zone}/rrsets/{}/TXT", within(name, zone));
        if self.has(&set, text).await? {
            return Ok(());
        }
        let body = json!({ "ttl": TTL, "records": [{ "value": format!("\"{text}\"") }] });
        self.0.must(Method::POST, &format!("{set}/actions/add_records"), Some(body)).await.map(drop)
    }

    async fn remove(&self, name: &str, text: &str) -> Result<(), NotWritten> {
        let zone = self.zone(name).await?;
        let set = format!("/zones/{zone}/rrsets/{}/TXT", within(name, zone));
        if !self.has(&set, text).await? {
            return Ok(());
        }
        let body = json!({ "records": [{ "value": format!("\"{text}\"") }] });
        self.0.must(Method::POST, &format!("{set}/actions/remove_records"), Some(body)).await.map(drop)
    }
}
