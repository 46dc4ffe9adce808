//! Who stands before a host's proxy and may say where a request came from. Not here: how the proxy is told
//! (`ingress/trust.rs`).

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::rules::Cidr;

/// Cloudflare's networks, from <https://www.cloudflare.com/ips/>.
pub const CLOUDFLARE: [&str; 22] = [
    "173.245.48.0/20",
    "103.21.244.0/22",
    "103.22.200.0/22",
    "103.31.4.0/22",
    "141.101.64.0/18",
    "108.162.192.0/18",
    "190.93.240.0/20",
    "188.114.96.0/20",
    "197.234.240.0/22",
    "198.41.128.0/17",
    "162.158.0.0/15",
    "104.16.0.0/13",
    "104.24.0.0/14",
    "172.64.0.0/13",
    "131.0.72.0/22",
    "2400:cb00::/32",
    "2606:4700::/32",
    "2803:f800::/32",
    "2405:b500::/32",
    "2405:8100::/32",
    "2a06:98c0::/29",
    "2c0f:f248::/32",
];

/// Whether an address is one of Cloudflare's: a name that leads there is proxied by it.
pub fn is_cloudflare(address: IpAddr) -> bool {
    CLOUDFLARE.iter().any(|network| holds(network, address.to_canonical()).unwrap_or(false))
}

/// Whether a network has an address in it; none where it is no network.
fn holds(network: &str, address: IpAddr) -> Option<bool> {
    let (first, bits) = network.split_once('/')?;
    let bits: u32 = bits.parse().ok()?;
    Some(match (first.parse().ok()?, address) {
        (IpAddr::V4(first), IpAddr::V4(address)) => (first.to_bits() ^ address.to_bits()).leading_zeros() >= bits,
        (IpAddr::V6(first), IpAddr::V6(address)) => (first.to_bits() ^ address.to_bits()).leading_zeros() >= bits,
        _ => false,
    })
}

/// Whom a host believes. Nobody, unless it is said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Trust {
    /// Cloudflare's networks: the client is in `CF-Connecting-IP`.
    pub cloudflare: bool,
    /// Proxies that put the client last into `X-Forwarded-For`.
    pub forwarded: Vec<Cidr>,
    /// Proxies that begin each connection with a line of the PROXY protocol.
    pub proxy_protocol: Vec<Cidr>,
}

impl Trust {
    /// True where nobody is believed.
    pub fn is_nobody(&self) -> bool {
        *self == Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_networks_are_networks() {
        for text in CLOUDFLARE {
            assert_eq!(text.parse::<Cidr>().unwrap().as_ref(), text);
        }
    }

    #[test]
    fn an_address_is_in_one_of_them_or_in_none() {
        let is = |text: &str| is_cloudflare(text.parse().unwrap());
        for inside in ["104.16.0.0", "104.23.255.255", "172.67.1.2", "2606:4700::6810:1", "::ffff:104.16.0.1"] {
            assert!(is(inside), "{inside}");
        }
        for outside in ["104.28.0.0", "104.15.255.255", "203.0.113.7", "127.0.0.1", "2606:4701::1", "::1"] {
            assert!(!is(outside), "{outside}");
        }
    }
}
