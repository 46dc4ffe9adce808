//! DigitalOcean: records have a number each, in a domain that is named.

use async_trait::async_trait;
use hyper::Method;
use serde_json::{Value, json};

use super::{Api, NotWritten, Records, TTL, candidates, within};

/// Its API, version 2. The token needs the scopes domain:read, domain:create and domain:delete.
pub struct DigitalOcean(pub Api);

impl DigitalOcean {
    async fn domain<'a>(&self, name: &'a str) -> Result<&'a str, NotWritten> {
        for domain in candidates(name) {
            let (status, answer) = self.0.ask(Method::GET, &format!("/domains/{domain}"), None).await?;
            match status {
                200..300 => return Ok(domain),
                404 => {}
                _ => return Err(self.0.refused(status, &answer)),
            }
        }
        Err(NotWritten(format!("DigitalOcean shows this token no domain of {name}.")))
    }

    async fn numbers(&self, domain: &str, name: &str, text: &str) -> Result<Vec<u64>, NotWritten> {
        let path = format!("/domains/{domain}/records?type=TXT&name={name}&per_page=200");
        let found = self.0.must(Method::GET, &path, None).await?;
        let records = found.pointer("/domain_records").and_then(Value::as_array).cloned().unwrap_or_default();
        let same = |record: &&Value| record.get("data").and_then(Value::as_str).is_some_and(|data| data == text);
        Ok(records.iter().filter(same).filter_map(|record| record.get("id")?.as_u64()).collect())
    }
}

#[async_trait]
impl Records for DigitalOcean {
    async fn add(&self, name: &str, text: &str) -> Result<(), NotWritten> {
        let domain = self.domain(name).await?;
        if !self.numbers(domain, name, text).await?.is_empty() {
            return Ok(());
        }
        let record = json!({ "type": "TXT", "name": within(name, domain), "data": text, "ttl": TTL });
        self.0.must(Method::POST, &format!("/domains/{domain}/records"), Some(record)).await.map(drop)
    }

    async fn remove(&self, name: &str, text: &str) -> Result<(), NotWritten> {
        let domain = self.domain(name).await?;
        for number in self.numbers(domain, name, text).await? {
            let path = format!("/domains/{domain}/records/{number}");
            let (status, answer) = self.0.ask(Method::DELETE, &path, None).await?;
            if !matches!(status, 200..300 | 404) {
                return Err(self.0.refused(status, &answer));
            }
        }
        Ok(())
    }
}
