//! A name server that takes signed changes (RFC 2136): BIND, Knot, PowerDNS and others.

use std::net::SocketAddr;

use async_trait::async_trait;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use time::OffsetDateTime;

use super::{Account, NotWritten, Records, candidates};
use crate::domain::dns::{self, Algorithm, Change, Data, Key, Kind, Reply, ServerAddress};
use crate::domain::secret::Secret;
use crate::providers::names::{Names, over_tcp};

/// A name server, and a key that it knows.
pub struct NameServer {
    server: ServerAddress,
    key_name: String,
    algorithm: Algorithm,
    secret: Secret<Vec<u8>>,
    names: Names,
}

impl NameServer {
    pub fn new(account: Account, names: Names) -> Result<Self, NotWritten> {
        let secret = BASE64_STANDARD.decode(account.secret.expose().trim());
        let secret = secret.map_err(|_| NotWritten("the key is not base64.".to_owned()))?;
        Ok(Self {
            server: account.server.ok_or_else(|| NotWritten("the account names no server.".to_owned()))?,
            key_name: account.key_name,
            algorithm: account.algorithm.unwrap_or(Algorithm::HmacSha256),
            secret: Secret::new(secret),
            names,
        })
    }

    /// Its address, by the name servers of this machine where it is a name.
    async fn address(&self) -> Result<SocketAddr, NotWritten> {
        if let Ok(address) = self.server.as_ref().parse() {
            return Ok(address);
        }
        let (host, port) = self.server.as_ref().rsplit_once(':').unwrap_or((self.server.as_ref(), "53"));
        let found = self.names.addresses(host).await.map_err(|error| NotWritten(format!("{host}: {error}.")))?;
        let first = found.first().ok_or_else(|| NotWritten(format!("{host} has no address.")))?;
        Ok((*first, port.parse().unwrap_or(53)).into())
    }

    async fn change(&self, name: &str, text: &str, change: Change) -> Result<(), NotWritten> {
        let server = self.address().await?;
        let cannot = |error: std::io::Error| NotWritten(format!("{server}: {error}."));
        let zone = self.zone(server, name).await.map_err(cannot)?;
        let zone = zone.ok_or_else(|| NotWritten(format!("{server} keeps no zone of {name}.")))?;
        let key = Key { name: &self.key_name, algorithm: self.algorithm, secret: self.secret.expose() };
        let (id, now) = (rand::random(), OffsetDateTime::now_utc().unix_timestamp());
        let message = dns::update(id, &zone, name, text, change, &key, u64::try_from(now).unwrap_or(0));
        let message = message.ok_or_else(|| NotWritten("the key's name is no name.".to_owned()))?;
        let reply = over_tcp(server, id, &message).await.map_err(cannot)?;
        match reply.code {
            0 => Ok(()),
            code => Err(NotWritten(format!("{server} {}.", words(code)))),
        }
    }

    /// The zone a name is in, by the server that keeps it: it says so beside whatever it answers.
    async fn zone(&self, server: SocketAddr, name: &str) -> std::io::Result<Option<String>> {
        for candidate in candidates(name) {
            let id = rand::random();
            let Some(question) = dns::question(id, candidate, Kind::Soa) else { continue };
            let reply: Reply = over_tcp(server, id, &question).await?;
            let zone = reply.answers.into_iter().chain(reply.authority).find(|record| record.data == Data::Zone);
            if let Some(zone) = zone.filter(|zone| name.ends_with(zone.name.as_str())) {
                return Ok(Some(zone.name));
            }
        }
        Ok(None)
    }
}

/// What a refusal means (RFC 2136 §2.2, RFC 8945 §5.3).
fn words(code: u16) -> &'static str {
    match code {
        1 => "could not read the change",
        2 => "failed at it",
        4 => "takes no changes",
        5 => "refused: the key may not change this zone",
        9 => "did not accept the signature: look at the key's name, algorithm and text, and at both clocks",
        10 => "says that the name is not in its zone",
        _ => "refused the change",
    }
}

#[async_trait]
impl Records for NameServer {
    async fn add(&self, name: &str, text: &str) -> Result<(), NotWritten> {
        self.change(name, text, Change::Add).await
    }

    async fn remove(&self, name: &str, text: &str) -> Result<(), NotWritten> {
        self.change(name, text, Change::Remove).await
    }
}
