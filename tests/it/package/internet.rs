//! What a server needs of the internet to have a name: a name server that knows it, and an authority (Pebble) that finds it there.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use super::AT;
use super::server::Server;
use crate::acme::ca::{How, Pebble};
use crate::acme::names::NameServer;

/// Both; ended with the value.
pub struct Internet {
    /// The authority.
    pub pebble: Pebble,
    _dns: NameServer,
}

impl Internet {
    /// Around this server: these names lead to it, everything else is as it was. Its folder of packages gets the authority's root.
    pub async fn around(server: &Server, folder: &Path, names: &[&str]) -> Self {
        let address = &server.host.address;
        let gateway = format!("{}.1", address.rsplit_once('.').unwrap().0);
        let dns = NameServer::start_at((gateway.parse::<IpAddr>().unwrap(), 53).into(), beyond()).await;
        for name in names {
            dns.point(name, &[address]);
        }
        let how = How { dns: format!("{gateway}:53"), valid_s: 90 * 86_400, binding: None };
        let pebble = Pebble::start_at(how, &gateway).await;
        std::fs::write(folder.join("root.pem"), &pebble.root).unwrap();
        server.bash(&format!("rm -f /etc/resolv.conf; echo nameserver {gateway} > /etc/resolv.conf")).await;
        Self { pebble, _dns: dns }
    }

    /// What is said to `install.sh`, so that the panel gets this name.
    pub fn settings(&self, name: &str) -> [String; 5] {
        [
            format!("SKIFF_DOMAIN={name}"),
            format!("SKIFF_ACME_DIRECTORY={}", self.pebble.directory),
            format!("SKIFF_ACME_ROOT={AT}/root.pem"),
            "SKIFF_ACME_TERMS=agree".to_owned(),
            "SKIFF_ACME_EMAIL=ada@example.org".to_owned(),
        ]
    }
}

/// The name server that this machine itself asks.
fn beyond() -> Option<SocketAddr> {
    let text = std::fs::read_to_string("/etc/resolv.conf").unwrap();
    let server = text.lines().find_map(|line| line.strip_prefix("nameserver "))?;
    Some((server.trim().parse::<IpAddr>().ok()?, 53).into())
}
