//! Who keeps a domain's records, one file each behind one small trait: a text is put beside those that are there, and taken
//! away again. Both may be done twice. Not here: which text, and whether it is seen.

mod cloudflare;
mod digitalocean;
mod hetzner;
mod rfc2136;

use async_trait::async_trait;
use bytes::Bytes;
use http_body_util::Full;
use hyper::{Method, Request, header};
use serde_json::Value;

use super::https::Https;
use super::names::Names;
use crate::domain::VERSION;
use crate::domain::dns::{AccountKind, Algorithm, ServerAddress};
use crate::domain::secret::Secret;

/// How long others may keep the record, in seconds: the least that all of them take.
const TTL: u32 = 60;

/// Why a record was not written: for people, without any key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotWritten(pub String);

/// Somebody who keeps domains.
#[async_trait]
pub trait Records: Send + Sync {
    /// Puts a text beside those of this name.
    async fn add(&self, name: &str, text: &str) -> Result<(), NotWritten>;

    /// Takes it away again; one that is not there is gone already.
    async fn remove(&self, name: &str, text: &str) -> Result<(), NotWritten>;
}

/// An account with whoever keeps domains.
pub struct Account {
    /// Who that is.
    pub kind: AccountKind,
    /// Of a name server: where it is.
    pub server: Option<ServerAddress>,
    /// Its key's name.
    pub key_name: String,
    /// How it signs.
    pub algorithm: Option<Algorithm>,
    /// The token, or the key in base64.
    pub secret: Secret<String>,
}

/// Where the services are: their own addresses, or those of stand-ins.
#[derive(Clone, Debug)]
pub struct Services {
    /// Cloudflare's API.
    pub cloudflare: String,
    /// Hetzner's.
    pub hetzner: String,
    /// DigitalOcean's.
    pub digitalocean: String,
}

impl Default for Services {
    fn default() -> Self {
        Self {
            cloudflare: "https://api.cloudflare.com/client/v4".to_owned(),
            hetzner: "https://api.hetzner.cloud/v1".to_owned(),
            digitalocean: "https://api.digitalocean.com/v2".to_owned(),
        }
    }
}

/// The one that an account is with.
pub fn of(account: Account, services: &Services, names: &Names) -> Result<Box<dyn Records>, NotWritten> {
    let api = |base: &str| -> Result<Api, NotWritten> {
        let https = Https::new("").map_err(|down| NotWritten(down.to_string()))?;
        Ok(Api { https, base: base.to_owned(), token: account.secret.clone() })
    };
    Ok(match account.kind {
        AccountKind::Cloudflare => Box::new(cloudflare::Cloudflare(api(&services.cloudflare)?)),
        AccountKind::Hetzner => Box::new(hetzner::Hetzner(api(&services.hetzner)?)),
        AccountKind::Digitalocean => Box::new(digitalocean::DigitalOcean(api(&services.digitalocean)?)),
        AccountKind::Rfc2136 => Box::new(rfc2136::NameServer::new(account, names.clone())?),
    })
}

/// A service that is asked in JSON, with a token.
struct Api {
    https: Https,
    base: String,
    token: Secret<String>,
}

impl Api {
    /// Asks, and gives status and document. The path is of our own making, with checked names.
    async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> Result<(u16, Value), NotWritten> {
        let mut request = Request::builder()
            .method(method)
            .uri([&self.base, path].concat())
            .header(header::ACCEPT, "application/json")
            .header(header::USER_AGENT, format!("skiff/{VERSION}"))
            .header(header::AUTHORIZATION, format!("Bearer {}", self.token.expose()));
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let body = body.as_ref().map(Value::to_string).unwrap_or_default();
        // The cause could quote the token.
        let request = request.body(Full::from(Bytes::from(body)));
        let request =
            request.map_err(|_| NotWritten("the token cannot be sent: it has characters of another kind.".into()))?;
        let (parts, bytes) =
            self.https.send(request).await.map_err(|down| NotWritten(format!("{}: {down}.", self.host())))?;
        Ok((parts.status.as_u16(), serde_json::from_slice(&bytes).unwrap_or(Value::Null)))
    }

    /// The same where anything but success is a refusal.
    async fn must(&self, method: Method, path: &str, body: Option<Value>) -> Result<Value, NotWritten> {
        let (status, document) = self.ask(method, path, body).await?;
        if (200..300).contains(&status) { Ok(document) } else { Err(self.refused(status, &document)) }
    }

    /// What a refusal says.
    fn refused(&self, status: u16, document: &Value) -> NotWritten {
        let said = said(document).map(|said| format!(" ({said})")).unwrap_or_default();
        let host = self.host();
        NotWritten(match status {
            401 | 403 => format!("{host} does not accept the token{said}."),
            429 => format!("{host} was asked too often{said}."),
            status => format!("{host} answered {status}{said}."),
        })
    }

    fn host(&self) -> &str {
        let rest = self.base.split_once("://").map_or(self.base.as_str(), |(_, rest)| rest);
        rest.split('/').next().unwrap_or(rest)
    }
}

/// The words of a service: each has them elsewhere.
fn said(document: &Value) -> Option<String> {
    /// Characters that are kept of them.
    const MOST: usize = 160;
    let places = ["/errors/0/message", "/error/message", "/message"];
    let text = places.iter().find_map(|place| document.pointer(place)?.as_str())?;
    Some(text.chars().filter(|c| !c.is_control()).take(MOST).collect())
}

/// The domains that could be a name's zone, the longest first: a.b.example, b.example.
fn candidates(name: &str) -> Vec<&str> {
    let mut all = Vec::new();
    let mut rest = name.trim_end_matches('.');
    while rest.contains('.') {
        all.push(rest);
        rest = rest.split_once('.').map_or("", |(_, below)| below);
    }
    all
}

/// A name within its zone: `_acme-challenge.www`; `@` for the zone itself.
fn within<'a>(name: &'a str, zone: &str) -> &'a str {
    match name.strip_suffix(zone).map(|rest| rest.trim_end_matches('.')) {
        Some("") | None => "@",
        Some(rest) => rest,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_is_looked_for_from_the_longest_name_on() {
        assert_eq!(
            candidates("_acme-challenge.a.example.org"),
            ["_acme-challenge.a.example.org", "a.example.org", "example.org"]
        );
        assert_eq!(within("_acme-challenge.a.example.org", "example.org"), "_acme-challenge.a");
        assert_eq!(within("example.org", "example.org"), "@");
    }
}
