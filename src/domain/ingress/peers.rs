//! Other hosts behind this one's proxy. A host that has an address for the others listens there on a second port, which leads to its own
//! instances alone; an app that is on several such hosts has, beside the backend of its instances here, a mixed one whose
//! servers are hosts: this one and the others, each with the weight of its instances. So instances come and go as on one
//! host, no port of theirs is published, and no request goes round in a circle.

use std::fmt::Write as _;
use std::net::Ipv4Addr;

use super::{Backend, FilePath, Ingress, MAX_SLOTS, Peering, rules};
use crate::domain::ids::{AppId, HostId};
use crate::domain::names::ContainerName;

/// The port on which hosts take requests from one another.
pub const PEER_PORT: u16 = 7080;
/// The name under which a proxy reaches itself, within its own network namespace.
const OWN: &str = "abns@skiff-own";
/// The number of the listener of that name: what comes there is our own.
const OWN_LISTENER: u32 = 102;
/// How a host that does not answer is found out: a connection is tried every 2 s, two that fail take it out, one that
/// works takes it back in. A request that meets one before that is tried at another host after a second.
const CHECK: &str = "check inter 2s fall 2 rise 1";

/// Another host that an app's requests go to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The host.
    pub host: HostId,
    /// Where it takes requests from us.
    pub address: Ipv4Addr,
    /// Its instances of the app.
    pub weight: u16,
}

/// Another host in the running proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerSeen {
    /// The slot of the app's mixed backend.
    pub slot: u32,
    /// The server's name.
    pub name: String,
    /// Its address.
    pub address: Ipv4Addr,
    /// Its weight.
    pub weight: u16,
    /// Whether it is to get requests, well or not.
    pub listed: bool,
}

/// The name of a slot's mixed backend: `m0001`.
pub fn mixed_name(slot: u32) -> String {
    format!("m{slot:04}")
}

/// The slot of a mixed backend's name.
pub(super) fn mixed_number(name: &str) -> Option<u32> {
    let digits = name.strip_prefix('m').filter(|d| d.len() >= 4 && d.chars().all(|c| c.is_ascii_digit()))?;
    digits.parse().ok().filter(|slot| (1..=MAX_SLOTS).contains(slot))
}

/// The name of a host among an app's servers: the app is in it, so that what is seen tells whose it is.
pub fn peer_name(app: AppId, host: HostId) -> ContainerName {
    format!("p-{}-{}", app.simple(), host.simple())
        .parse()
        .unwrap_or_else(|_| unreachable!("hex digits and hyphens are a name"))
}

/// The app and the host of such a name.
pub fn named_peer(name: &str) -> Option<(AppId, HostId)> {
    let (app, host) = name.strip_prefix("p-")?.split_once('-')?;
    Some((AppId(uuid::Uuid::try_parse(app).ok()?), HostId(uuid::Uuid::try_parse(host).ok()?)))
}

/// What stands after a host's name, in the file as well as in the running proxy.
fn options(peer: &Peer) -> String {
    format!("{}:{PEER_PORT} weight {} {CHECK}", peer.address, peer.weight.clamp(1, 256))
}

/// The second frontend.
pub(super) fn frontend(text: &mut String, peering: &Peering, file: &FilePath, rules: &str) {
    // Bound whether or not the address is there yet: a private network may come up after the proxy.
    let _ = write!(
        text,
        "\n# Requests that other hosts of the team pass on, to the instances here alone.\nfrontend peers\n    bind {}:{PEER_PORT} transparent\n    bind {OWN} id {OWN_LISTENER}\n    tcp-request connection reject unless {{ so_id {OWN_LISTENER} }} || {{ src -f {file} }}\n{rules}    http-request set-var(txn.inner) bool(true)\n    http-request set-var(txn.timing) var(txn.route),field(2,:)\n    use_backend b%[var(txn.slot),bytes(1)] if {{ var(txn.slot) -m found }}\n    default_backend nowhere\n",
        peering.address
    );
}

/// One slot's mixed backend, taken or spare.
pub(super) fn backend(text: &mut String, slot: u32, taken: Option<&Backend>) {
    let _ = writeln!(text, "\nbackend {}\n    timeout connect 1s\n    http-reuse never", mixed_name(slot));
    if let Some(taken) = taken.filter(|taken| !taken.peers.is_empty() && !taken.is_tcp()) {
        text.push_str(&rules::lines(taken));
    }
    let _ = writeln!(text, "    server own {OWN} weight {}", taken.map_or(1, own_weight));
    let mut peers: Vec<&Peer> = taken.map(|taken| taken.peers.iter().collect()).unwrap_or_default();
    peers.sort_by_key(|peer| peer.host);
    for peer in peers {
        let name = taken.map(|taken| peer_name(taken.app, peer.host).to_string()).unwrap_or_default();
        let _ = writeln!(text, "    server {name} {}", options(peer));
    }
}

/// This host's weight among the others.
fn own_weight(backend: &Backend) -> u16 {
    u16::try_from(backend.servers.len()).unwrap_or(u16::MAX).clamp(1, 256)
}

impl Ingress {
    /// True where the app's requests go to other hosts too.
    pub(super) fn is_mixed(&self, backend: &Backend) -> bool {
        self.peering.is_some() && !backend.peers.is_empty()
    }

    /// The file of the addresses that may pass requests on, one a line; our own is among them.
    pub fn peers_list(&self) -> String {
        self.admitted().iter().map(|address| format!("{address}\n")).collect()
    }

    fn admitted(&self) -> Vec<Ipv4Addr> {
        let Some(peering) = &self.peering else { return Vec::new() };
        let mut all = peering.admitted.clone();
        all.push(peering.address);
        all.sort_unstable();
        all.dedup();
        all
    }

    /// The lines that turn the running list of those addresses into the wanted one.
    pub fn admitted_changes(&self, running: &[Ipv4Addr]) -> Vec<String> {
        if self.peering.is_none() {
            return Vec::new();
        }
        let (wanted, file) = (self.admitted(), &self.home.peers);
        let new = wanted.iter().filter(|address| !running.contains(address));
        let gone = running.iter().filter(|address| !wanted.contains(address));
        let new = new.map(|address| format!("add acl {file} {address}"));
        new.chain(gone.map(|address| format!("del acl {file} {address}"))).collect()
    }
}

/// The lines that make the running proxy pass an app's requests on to exactly these hosts; `gone` are those that are taken out
/// after them, which may be busy for as long as a websocket lives.
pub fn share(wanted: &Backend, running: &[PeerSeen]) -> (Vec<String>, Vec<String>) {
    let backend = mixed_name(wanted.slot);
    let here: Vec<&PeerSeen> = running.iter().filter(|seen| seen.slot == wanted.slot).collect();
    let mut lines = vec![format!("set server {backend}/own weight {}", own_weight(wanted))];
    let plain = |name: &str| name.parse::<ContainerName>().is_ok();
    let same = |seen: &PeerSeen, peer: &Peer| {
        seen.name == peer_name(wanted.app, peer.host).as_ref() && seen.address == peer.address
    };
    let out = here.iter().filter(|seen| plain(&seen.name) && !wanted.peers.iter().any(|peer| same(seen, peer)));
    let mut gone = Vec::new();
    for seen in out {
        let server = format!("{backend}/{}", seen.name);
        lines.push(format!("set server {server} state maint"));
        gone.push(format!("del server {server}"));
        // The same host under another address: the old one must be gone before its name is free.
        if wanted.peers.iter().any(|peer| seen.name == peer_name(wanted.app, peer.host).as_ref()) {
            lines.push(format!("shutdown sessions server {server}"));
            lines.push(format!("del server {server}"));
        }
    }
    for peer in &wanted.peers {
        let server = format!("{backend}/{}", peer_name(wanted.app, peer.host));
        if !here.iter().any(|seen| same(seen, peer)) {
            lines.push(format!("add server {server} {}", options(peer)));
            lines.push(format!("enable health {server}"));
        }
        lines.push(format!("set server {server} weight {}", peer.weight.clamp(1, 256)));
        lines.push(format!("set server {server} state ready"));
    }
    gone.retain(|line| !lines.contains(line));
    (lines, gone)
}
