//! The proxy of one host: what it shall serve, and the file and map that say so to HAProxy 2.6 to 3.2.
//!
//! The file always lists the instances now wanted, so that a reload, an upgrade or a reboot finds the same answer as the
//! running proxy. What changes while it runs is spelled in `runtime`, what it answers is read in `answers`. Not here:
//! sockets, files, and the order of the steps. Certificates and names between apps come into the same file.

mod answers;
mod config;
mod difference;
mod inner;
mod peers;
mod rules;
mod runtime;
mod tcp;
pub mod tls;
mod trust;

#[cfg(test)]
mod tests;

pub use answers::{
    Answer, MapEntry, ProxyProcess, ProxyProcesses, ServerCount, ServerSeen, read_answer, read_fixed, read_list,
    read_map, read_peers, read_pid, read_processes, read_servers, read_stat,
};
pub use difference::{Block, Line, difference};
pub use peers::{PEER_PORT, Peer, PeerSeen, mixed_name, named_peer, peer_name, share};
pub use rules::Ruled;
pub use runtime::{admit, ask_fixed, dismiss, drain, map_changes, needs_reload, servers_to_admit, servers_to_dismiss};
pub use tcp::TAKEN_PORTS;
pub use tls::{Listed, PROOF_PATH, PanelDoor, Thumbprint, Tls, TlsFiles};

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use super::app::Route;
use super::ids::AppId;
use super::names::{ContainerName, Domain, SshUser, checked_text};
use super::rules::Front;
use super::trust::Trust;

/// Backends in the file of a proxy that serves nothing yet. New apps take spare ones, so that a new route needs no
/// reload: a reload leaves an old worker behind for as long as one websocket lives.
pub const SPARE_BACKENDS: u32 = 64;
/// When fewer spares than this are left, the file has `SPARE_BACKENDS` more: the next reload, whatever it is for,
/// brings them into the running proxy before the last one is taken.
pub const SPARE_LOW: u32 = 16;
/// Slots a host may have: more apps than a host's address plan has room for, and it bounds the file.
pub const MAX_SLOTS: u32 = 4_096;
/// What the proxy itself answers where no route leads anywhere: Misdirected Request (RFC 9110 §15.5.20), which no app answers
/// for a page that it merely does not have.
pub const NOWHERE: u16 = 421;
/// Every server has this weight, so that a canary can have less.
pub const FULL_WEIGHT: u16 = 100;

checked_text! {
    /// A file's place on a host: an absolute path of plain characters without `.` or `..` parts, at most 200.
    FilePath = |text| {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '_' | '-' | '.');
        let parts_fit = text.split('/').skip(1).all(|p| !p.is_empty() && p != "." && p != "..");
        let fits = text.starts_with('/') && (2..=200).contains(&text.len()) && text.chars().all(plain) && parts_fit;
        if fits { Ok(text.to_owned()) } else { Err("Use an absolute path of plain characters, without . or .. parts.") }
    };
}

/// Where the proxy of a host lives and listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    /// The runtime socket.
    pub socket: FilePath,
    /// The group that may use the socket; none leaves it to whoever started the proxy.
    pub socket_group: Option<SshUser>,
    /// User and group of the workers; none where the proxy is not started as root.
    pub run_as: Option<(SshUser, SshUser)>,
    /// The file of the routes' map.
    pub map: FilePath,
    /// The file of the addresses from which other hosts pass requests on.
    pub peers: FilePath,
    /// What HTTPS has.
    pub tls: TlsFiles,
    /// The address it listens on.
    pub bind: Ipv4Addr,
}

/// Where a proxy takes requests from other hosts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peering {
    /// The address it listens on for them.
    pub address: Ipv4Addr,
    /// Their addresses.
    pub admitted: Vec<Ipv4Addr>,
}

impl Default for Home {
    /// As provisioned on every host.
    fn default() -> Self {
        let path = |text: &str| text.parse().unwrap_or_else(|_| unreachable!("a constant path"));
        let user = |text: &str| text.parse::<SshUser>().unwrap_or_else(|_| unreachable!("a constant name"));
        Self {
            socket: path("/run/skiff/haproxy.sock"),
            socket_group: Some(user("skiff")),
            run_as: Some((user("haproxy"), user("haproxy"))),
            map: path("/etc/skiff/maps/routes.map"),
            peers: path("/etc/skiff/maps/peers.lst"),
            tls: TlsFiles::default(),
            bind: Ipv4Addr::UNSPECIFIED,
        }
    }
}

/// One app's backend: the slot it was given on this host, and its instances there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backend {
    /// The slot's number, from 1: it keeps it as long as the app is on this host.
    pub slot: u32,
    /// The app, for the reader of the file.
    pub app: AppId,
    /// The port its instances answer on.
    pub port: u16,
    /// The instances now wanted, by server name and address.
    pub servers: Vec<(ContainerName, Ipv4Addr)>,
    /// The other hosts its requests go to as well.
    pub peers: Vec<Peer>,
    /// Those of its routes that have rules.
    pub ruled: Vec<Ruled>,
    /// What holds for all its routes.
    pub front: Front,
}

impl Backend {
    /// True where connections go to it as they are.
    pub fn is_tcp(&self) -> bool {
        !self.front.ports.is_empty()
    }

    /// True where all that is said of it can be said to a running proxy.
    fn is_plain(&self) -> bool {
        self.ruled.is_empty() && self.front.is_plain()
    }
}

/// Everything one host's proxy shall serve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ingress {
    /// Where it lives.
    pub home: Home,
    /// The port of plain HTTP.
    pub http_port: u16,
    /// HTTPS, where it serves that.
    pub tls: Option<Tls>,
    /// Where it takes requests from other hosts, if it does.
    pub peering: Option<Peering>,
    /// The apps on this host.
    pub backends: Vec<Backend>,
    /// Who before it may say where a request came from.
    pub trust: Trust,
    /// Which route leads to which slot. A route named twice leads to the lower slot.
    pub routes: Vec<(Route, u32)>,
}

/// The name of a slot's backend: `b0001`.
pub fn slot_name(slot: u32) -> String {
    format!("b{slot:04}")
}

/// The slot of a backend's name, if it is one of ours.
pub fn slot_number(name: &str) -> Option<u32> {
    let digits = name.strip_prefix('b').filter(|d| d.len() >= 4 && d.chars().all(|c| c.is_ascii_digit()))?;
    digits.parse().ok().filter(|slot| (1..=MAX_SLOTS).contains(slot))
}

/// The map's key of a route: `domain/path/`, or `domain/` for the root. A request is looked up as its host, its path
/// and one more slash, by the longest key it begins with; so `/api` covers `/api` and `/api/x`, never `/apiary`.
pub fn route_key(route: &Route) -> String {
    match route.path.as_ref() {
        "/" => format!("{}/", route.domain),
        path => format!("{}{path}/", route.domain),
    }
}

impl Ingress {
    /// A proxy as provisioned: no apps, spare backends only.
    pub fn empty(home: Home, http_port: u16) -> Self {
        let (trust, backends, routes) = (Trust::default(), Vec::new(), Vec::new());
        Self { home, http_port, tls: None, peering: None, trust, backends, routes }
    }

    /// The slots the file declares: 1 to the last of them.
    pub fn last_slot(&self) -> u32 {
        let highest = self.backends.iter().map(|b| b.slot).max().unwrap_or(0).min(MAX_SLOTS);
        let blocks = (highest + SPARE_LOW).div_ceil(SPARE_BACKENDS).max(1);
        (blocks * SPARE_BACKENDS).min(MAX_SLOTS)
    }

    /// The whole configuration file.
    pub fn haproxy_cfg(&self) -> String {
        config::render(self)
    }

    /// The routes by their keys: what the map's file and the running map hold, with what kind readers are held against.
    pub fn route_entries(&self) -> BTreeMap<String, String> {
        let mut entries: BTreeMap<String, (u32, &Route)> = BTreeMap::new();
        let panel = self.tls.as_ref().and_then(|tls| tls.panel.as_ref());
        let of_panel = |domain: &Domain| panel.is_some_and(|panel| panel.names.contains(domain));
        // The panel's name is nobody else's, whatever a release remembers.
        for (route, slot) in self.routes.iter().filter(|(route, _)| !of_panel(&route.domain)) {
            let lowest = entries.entry(route_key(route)).or_insert((*slot, route));
            *lowest = (*lowest).min((*slot, route));
        }
        let apps = entries.into_iter().map(|(key, (slot, route))| (key, self.place(slot, route)));
        let names = panel.into_iter().flat_map(|panel| &panel.names);
        let mut all: BTreeMap<String, String> =
            apps.chain(names.map(|name| (format!("{name}/"), tls::PANEL.to_owned()))).collect();
        let kind = Self::kind_entries(&all);
        all.extend(kind);
        all
    }

    /// The same once more as a kind reader takes them, without capitals, for domains of which a path leads elsewhere. Routes that differ
    /// in capitals alone share a key, with the places of all of them: there capitals are meant.
    fn kind_entries(all: &BTreeMap<String, String>) -> BTreeMap<String, String> {
        let domain = |key: &str| key.split('/').next().unwrap_or_default().to_owned();
        let deep = |key: &&String| key.find('/').is_some_and(|at| at + 1 < key.len());
        let domains: BTreeSet<String> = all.keys().filter(deep).map(|key| domain(key)).collect();
        let mut kind: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for (key, place) in all.iter().filter(|(key, _)| domains.contains(&domain(key))) {
            let places = kind.entry(format!("{}{}", config::KIND, key.to_ascii_lowercase())).or_default();
            if !places.contains(&place.as_str()) {
                places.push(place);
            }
        }
        kind.into_iter().map(|(key, places)| (key, places.join(&config::OR.to_string()))).collect()
    }

    /// What the map says of a route: its backend, and behind a colon its rules, where it has some.
    fn place(&self, slot: u32, route: &Route) -> String {
        let backend = self.backends.iter().find(|b| b.slot == slot);
        let mixed = backend.is_some_and(|b| self.is_mixed(b));
        let name = if mixed { mixed_name(slot) } else { slot_name(slot) };
        match backend.and_then(|b| b.ruled.iter().find(|ruled| ruled.route == *route)) {
            Some(ruled) => format!("{name}:{}", ruled.id.simple()),
            None => name,
        }
    }

    /// A digest of what the running proxy learns by a reload alone.
    pub fn fixed(&self) -> String {
        config::fixed(self)
    }

    /// The map's file: a line per route, key and slot.
    pub fn routes_map(&self) -> String {
        self.route_entries().into_iter().map(|(key, slot)| format!("{key} {slot}\n")).collect()
    }
}
