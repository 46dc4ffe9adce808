//! Where records of a domain are written.

use serde::{Deserialize, Serialize};

use crate::domain::names::{HostAddress, checked_text};

/// Who keeps the domain's records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, sqlx::Type, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
#[sqlx(type_name = "text", rename_all = "lowercase")]
pub enum AccountKind {
    /// A name server that takes signed changes: BIND, Knot, PowerDNS …
    Rfc2136,
    /// Cloudflare.
    Cloudflare,
    /// Hetzner.
    Hetzner,
    /// DigitalOcean.
    Digitalocean,
}

impl AccountKind {
    /// All of them, as a form offers them.
    pub const ALL: [Self; 4] = [Self::Cloudflare, Self::Hetzner, Self::Digitalocean, Self::Rfc2136];

    /// Its word in forms and in the API.
    pub fn slug(self) -> &'static str {
        match self {
            Self::Rfc2136 => "rfc2136",
            Self::Cloudflare => "cloudflare",
            Self::Hetzner => "hetzner",
            Self::Digitalocean => "digitalocean",
        }
    }

    /// As people read it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Rfc2136 => "name server (RFC 2136)",
            Self::Cloudflare => "Cloudflare",
            Self::Hetzner => "Hetzner",
            Self::Digitalocean => "DigitalOcean",
        }
    }
}

/// How a change is signed. HMAC-MD5 and HMAC-SHA1, which RFC 8945 forbids or advises against, are not among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Algorithm {
    /// HMAC-SHA256.
    HmacSha256,
    /// HMAC-SHA384.
    HmacSha384,
    /// HMAC-SHA512.
    HmacSha512,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::HmacSha256, Self::HmacSha384, Self::HmacSha512];

    /// Its name in messages, in forms and in the files of name servers.
    pub fn name(self) -> &'static str {
        match self {
            Self::HmacSha256 => "hmac-sha256",
            Self::HmacSha384 => "hmac-sha384",
            Self::HmacSha512 => "hmac-sha512",
        }
    }

    /// The one of this name.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == name)
    }
}

checked_text! {
    /// Where a name server is: a name or an address, and a port where it is not 53.
    ServerAddress = |text| {
        let text = text.trim();
        let sentence = "Use a name server such as ns1.example.org or 192.0.2.53:5353; an IPv6 address with a port in brackets.";
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => match rest.split_once(']') {
                Some((host, port)) => (host, port.strip_prefix(':').unwrap_or(port)),
                None => return Err(sentence),
            },
            None if text.parse::<std::net::Ipv6Addr>().is_ok() => (text, ""),
            None => text.split_once(':').unwrap_or((text, "")),
        };
        let port = if port.is_empty() { Some(53) } else { port.parse::<u16>().ok().filter(|port| *port > 0) };
        match (host.parse::<HostAddress>(), port) {
            (Ok(host), Some(port)) if host.as_ref().contains(':') => Ok(format!("[{host}]:{port}")),
            (Ok(host), Some(port)) => Ok(format!("{host}:{port}")),
            _ => Err(sentence),
        }
    };
}
