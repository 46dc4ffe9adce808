//! What is said to a running HAProxy through its socket, as lines of text. Several may be sent in one dialogue: each
//! is answered by its own lines before the next prompt. Every value is of a checked type or a number.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use super::config::{FIXED, KIND, server_options};
use super::{Backend, FilePath, Ingress, MapEntry, ServerSeen, slot_name};
use crate::domain::names::ContainerName;
use crate::domain::observed::Served;
use crate::domain::rules::Wire;

/// Adds a server and sets it up. It is the very line of the file, because `default-server` does not apply to servers
/// that are added. Where the server is already there the first line is refused and the second still does its work.
pub fn admit(slot: u32, name: &ContainerName, address: Ipv4Addr, port: u16, wire: Wire) -> Vec<String> {
    let backend = slot_name(slot);
    vec![
        format!("add server {backend}/{name} {}", server_options(address, port, wire)),
        format!("set server {backend}/{name} state ready"),
    ]
}

/// Gives the server no new requests; what it has, it may finish.
pub fn drain(slot: u32, name: &ContainerName) -> Vec<String> {
    vec![format!("set server {}/{name} state drain", slot_name(slot))]
}

/// Takes the server out. For servers that are drained and whose container is stopped: what is left of its connections
/// is cut. Ended sessions need a moment to be forgotten, so the last line is repeated while it is answered `Busy`.
pub fn dismiss(slot: u32, name: &ContainerName) -> Vec<String> {
    let server = format!("{}/{name}", slot_name(slot));
    vec![
        format!("set server {server} state maint"),
        format!("shutdown sessions server {server}"),
        format!("del server {server}"),
    ]
}

/// The lines that turn the running map into the wanted one. A route that moves to another slot is set in place, so that
/// no request falls between; a key that stands there twice is deleted (both go) and added anew. What kind readers are held against
/// is away meanwhile, domain by domain: a request that is held against half of it would be refused.
pub fn map_changes(map: &FilePath, running: &[MapEntry], wanted: &BTreeMap<String, String>) -> Vec<String> {
    let mut seen: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for entry in running {
        seen.entry(&entry.key).or_default().push(&entry.value);
    }
    // Keys come back from the host: one that could not be ours is not sent into a command line.
    let plain = |key: &str| key.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | '~' | '/'));
    let domain = |key: &str| key.split('/').next().unwrap_or_default().to_owned();
    let kind = |key: &str| key.starts_with(KIND);
    let differs = |key: &&str| {
        seen.get(*key).map(Vec::as_slice)
            != wanted.get(*key).map(|slot| [slot.as_str()]).as_ref().map(|one| one.as_slice())
    };
    let both = wanted.keys().map(String::as_str).chain(seen.keys().copied()).filter(|key| kind(key));
    let moving: BTreeSet<String> = both.filter(differs).map(domain).collect();
    let moves = |key: &str| kind(key) && moving.contains(&domain(key));
    // The shorter key before the longer one, which goes on being right without it.
    let mut away: Vec<&str> = seen.keys().copied().filter(|key| moves(key) && plain(key)).collect();
    away.sort_by_key(|key| key.len());
    let mut lines: Vec<String> = away.into_iter().map(|key| format!("del map {map} {key}")).collect();
    for (key, slot) in wanted.iter().filter(|(key, _)| !kind(key)) {
        match seen.get(key.as_str()).map(Vec::as_slice) {
            None => lines.push(format!("add map {map} {key} {slot}")),
            Some([one]) if one == slot => {}
            Some([_]) => lines.push(format!("set map {map} {key} {slot}")),
            Some(_) => lines.extend([format!("del map {map} {key}"), format!("add map {map} {key} {slot}")]),
        }
    }
    let gone = seen.keys().filter(|key| !kind(key) && !wanted.contains_key(**key) && plain(key));
    lines.extend(gone.map(|key| format!("del map {map} {key}")));
    let mut back: Vec<_> = wanted.iter().filter(|(key, _)| moves(key)).collect();
    back.sort_by_key(|(key, _)| std::cmp::Reverse(key.len()));
    lines.extend(back.into_iter().map(|(key, slot)| format!("add map {map} {key} {slot}")));
    lines
}

/// Why the running proxy must be reloaded to serve what is wanted, if it must: `running` are the slots it has, `fixed` is
/// the digest of the file it has read. Everything else goes through the socket, and a reload would leave an old worker
/// behind for each websocket.
pub fn needs_reload(running: &BTreeSet<u32>, fixed: &str, wanted: &Ingress) -> Option<String> {
    if fixed != wanted.fixed() {
        return Some(
            "Rules of its routes, or where the proxy listens, have changed since it was last loaded.".to_owned(),
        );
    }
    let mut slots: BTreeSet<u32> = wanted.backends.iter().map(|b| b.slot).collect();
    slots.extend(wanted.routes.iter().map(|(_, slot)| *slot));
    let missing = slots.difference(running).next()?;
    Some(format!("The running proxy has no backend {} yet: its spare ones are used up.", slot_name(*missing)))
}

/// The question for the digest of the file that the running proxy has read.
pub fn ask_fixed() -> String {
    format!("get var {FIXED}")
}

/// The servers of this backend the running proxy lacks, or has but does not send requests to.
pub fn servers_to_admit<'a>(wanted: &'a Backend, running: &[ServerSeen]) -> Vec<&'a (ContainerName, Ipv4Addr)> {
    let serves = |name: &ContainerName| {
        running.iter().any(|s| s.slot == wanted.slot && s.name == name.as_ref() && s.served == Served::Up)
    };
    wanted.servers.iter().filter(|(name, _)| !serves(name)).collect()
}

/// The servers the running proxy has in this backend that are not wanted there.
pub fn servers_to_dismiss<'a>(wanted: &Backend, running: &'a [ServerSeen]) -> Vec<&'a ServerSeen> {
    let wants = |name: &str| wanted.servers.iter().any(|(wanted, _)| wanted.as_ref() == name);
    running.iter().filter(|s| s.slot == wanted.slot && !wants(&s.name)).collect()
}
