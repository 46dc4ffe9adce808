//! What HAProxy answers, read without trust: a host may be hostile, so everything is capped and what cannot be read is
//! left out.

use super::peers::{PeerSeen, mixed_number};
use super::{MAX_SLOTS, slot_number};
use crate::domain::observed::Served;

/// Lines read of one answer: more than all servers, routes or workers a host can have.
pub const MAX_LINES: usize = 65_536;
/// Bytes kept of one line; a line of `show stat` has about 600.
const MAX_LINE: usize = 4_096;

/// What one command was answered with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It was done.
    Done,
    /// It was so already.
    AlreadyThere,
    /// There is no such server or entry.
    Absent,
    /// There is no such backend in the running proxy.
    NoSuchBackend,
    /// The server still has connections: ask again in a moment.
    Busy,
    /// Anything else, in HAProxy's own words, capped.
    Refused(String),
}

/// A line of the running routes' map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MapEntry {
    /// The key.
    pub key: String,
    /// The slot's name.
    pub value: String,
}

/// A server in one of our backends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerSeen {
    /// The backend's slot.
    pub slot: u32,
    /// The server's name: a container's.
    pub name: String,
    /// Its address.
    pub address: std::net::Ipv4Addr,
    /// Its port.
    pub port: u16,
    /// Whether it takes requests.
    pub served: Served,
}

/// The counts of one server in one worker. They start from zero with each worker.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerCount {
    /// The backend's slot.
    pub slot: u32,
    /// The server's name, or `BACKEND` for the sum.
    pub name: String,
    /// Connections and requests it has now.
    pub current: u64,
    /// Requests that wait for it now.
    pub queued: u64,
    /// Sessions so far.
    pub total: u64,
    /// Answers of 500 and above so far.
    pub answers_5xx: u64,
    /// Answers of any status so far.
    pub answers: u64,
}

/// A process of the proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProxyProcess {
    /// Its process id.
    pub pid: u32,
    /// Reloads it has lived through.
    pub reloads: u32,
}

/// The processes of the proxy, as its master tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProxyProcesses {
    /// The worker that takes new connections. None in the moment of a reload.
    pub worker: Option<ProxyProcess>,
    /// Workers that only finish what they have.
    pub old: Vec<ProxyProcess>,
    /// Reloads asked of the master.
    pub reloads: u32,
    /// How many of them failed in a row: not 0 means that the last one did not work.
    pub failed: u32,
}

/// The lines of an answer, capped.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().take(MAX_LINES).map(|line| line.get(..MAX_LINE).unwrap_or(line).trim()).filter(|line| !line.is_empty())
}

/// Reads the answer to one command of `runtime`.
pub fn read_answer(text: &str) -> Answer {
    let said = lines(text).next().unwrap_or_default();
    let lower = said.to_ascii_lowercase();
    let has = |part: &str| lower.contains(part);
    if said.is_empty() || has("new server registered") || has("server deleted") {
        Answer::Done
    } else if has("already exists a server") {
        Answer::AlreadyThere
    } else if has("no such backend") || has("can't find backend") {
        Answer::NoSuchBackend
    } else if has("no such server") || has("key not found") || has("entry not found") {
        Answer::Absent
    } else if has("still has connections") || has("still has") && has("attached") {
        Answer::Busy
    } else {
        Answer::Refused(said.chars().take(200).filter(|c| !c.is_control()).collect())
    }
}

/// Reads `show map`: pointer, key, value.
pub fn read_map(text: &str) -> Vec<MapEntry> {
    let entry = |line: &str| {
        let mut words = line.split_ascii_whitespace();
        let pointer = words.next()?;
        let (key, value) = (words.next()?, words.next()?);
        pointer.starts_with("0x").then(|| MapEntry { key: key.to_owned(), value: value.to_owned() })
    };
    lines(text).filter_map(entry).collect()
}

/// Reads `show acl`: pointer, address. Whatever is no address is left out.
pub fn read_list(text: &str) -> Vec<std::net::Ipv4Addr> {
    let entry = |line: &str| {
        let (pointer, address) = line.split_once(' ')?;
        if pointer.starts_with("0x") { address.trim().parse().ok() } else { None }
    };
    lines(text).filter_map(entry).collect()
}

/// Reads the other hosts in `show servers state`.
pub fn read_peers(text: &str) -> Vec<PeerSeen> {
    let mut seen = Vec::new();
    table(text, |word| {
        let admin: u32 = word("srv_admin_state")?.parse().ok()?;
        seen.push(PeerSeen {
            slot: mixed_number(word("be_name")?)?,
            name: word("srv_name")?.to_owned(),
            address: word("srv_addr")?.parse().ok()?,
            weight: word("srv_uweight")?.parse().ok()?,
            // Neither in maintenance nor draining, by whoever's wish.
            listed: admin & 0x3f == 0,
        });
        Some(())
    });
    seen
}

/// Goes through a table whose first line names its columns.
fn table<'a>(text: &'a str, mut row: impl FnMut(&dyn Fn(&str) -> Option<&'a str>) -> Option<()>) {
    let mut columns: Vec<&str> = Vec::new();
    for line in lines(text) {
        if let Some(header) = line.strip_prefix("# ") {
            columns = header.split_ascii_whitespace().collect();
            continue;
        }
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let _ = row(&|name| columns.iter().position(|c| *c == name).and_then(|at| words.get(at)).copied());
    }
}

/// Reads `show servers state`, by the names of its columns. Servers of other backends are left out.
pub fn read_servers(text: &str) -> Vec<ServerSeen> {
    let mut columns: Vec<&str> = Vec::new();
    let mut seen = Vec::new();
    for line in lines(text) {
        if let Some(header) = line.strip_prefix("# ") {
            columns = header.split_ascii_whitespace().collect();
            continue;
        }
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let word = |name: &str| columns.iter().position(|c| *c == name).and_then(|at| words.get(at)).copied();
        let server = || {
            let admin: u32 = word("srv_admin_state")?.parse().ok()?;
            let operation: u32 = word("srv_op_state")?.parse().ok()?;
            Some(ServerSeen {
                slot: slot_number(word("be_name")?)?,
                name: word("srv_name")?.to_owned(),
                address: word("srv_addr")?.parse().ok()?,
                port: word("srv_port")?.parse().ok()?,
                served: served(operation, admin),
            })
        };
        seen.extend(server());
    }
    seen
}

/// The two states of a server (management guide §9.3, "show servers state"): admin bits 0x01, 0x02, 0x04 and 0x20 are
/// kinds of maintenance, 0x08 and 0x10 kinds of draining; operation 0 is stopped, 3 is stopping softly.
fn served(operation: u32, admin: u32) -> Served {
    match (operation, admin) {
        (_, bits) if bits & 0x27 != 0 => Served::Down,
        (0, _) => Served::Down,
        (3, _) => Served::Draining,
        (_, bits) if bits & 0x18 != 0 => Served::Draining,
        _ => Served::Up,
    }
}

/// Reads `show stat`, by the names of its columns. Lines of other proxies are left out.
pub fn read_stat(text: &str) -> Vec<ServerCount> {
    let mut columns: Vec<&str> = Vec::new();
    let mut counts = Vec::new();
    for line in lines(text) {
        if let Some(header) = line.strip_prefix("# ") {
            columns = header.split(',').collect();
            continue;
        }
        let words: Vec<&str> = line.split(',').collect();
        let word = |name: &str| columns.iter().position(|c| *c == name).and_then(|at| words.get(at)).copied();
        let number = |name: &str| word(name).and_then(|w| w.parse::<u64>().ok()).unwrap_or(0);
        let (Some(slot), Some(name)) = (word("pxname").and_then(slot_number), word("svname")) else { continue };
        let classes = ["hrsp_1xx", "hrsp_2xx", "hrsp_3xx", "hrsp_4xx", "hrsp_5xx", "hrsp_other"];
        counts.push(ServerCount {
            slot,
            name: name.to_owned(),
            current: number("scur"),
            queued: number("qcur"),
            total: number("stot"),
            answers_5xx: number("hrsp_5xx"),
            answers: classes.iter().map(|class| number(class)).fold(0, u64::saturating_add),
        });
    }
    counts
}

/// Reads the master's `show proc`.
pub fn read_processes(text: &str) -> ProxyProcesses {
    let mut processes = ProxyProcesses::default();
    let mut old = false;
    for line in lines(text).take(MAX_SLOTS as usize) {
        if line.starts_with('#') {
            old = line.contains("old workers");
            continue;
        }
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let number = |at: usize| words.get(at).and_then(|w| w.parse::<u32>().ok());
        let (Some(pid), Some(reloads)) = (number(0), number(2)) else { continue };
        match words.get(1) {
            Some(&"master") => {
                processes.reloads = reloads;
                let failed = line.split_once("[failed:").and_then(|(_, rest)| rest.split(']').next());
                processes.failed = failed.and_then(|n| n.trim().parse().ok()).unwrap_or(0);
            }
            Some(&"worker") if old => processes.old.push(ProxyProcess { pid, reloads }),
            Some(&"worker") => processes.worker = Some(ProxyProcess { pid, reloads }),
            _ => {}
        }
    }
    // From 3.1 on, the worker that goes on after a reload that failed is listed as an old one: the newest of them.
    if processes.failed > 0 && processes.worker.is_none() {
        let newest = processes.old.iter().enumerate().min_by_key(|(_, one)| one.reloads).map(|(at, _)| at);
        processes.worker = newest.map(|at| processes.old.remove(at));
    }
    processes
}

/// The process that answers, of `show info`. From 3.1 on a worker is listed while it still reads its file: it is the one
/// that serves as soon as it answers at the socket.
pub fn read_pid(text: &str) -> Option<u32> {
    lines(text).take(60).find_map(|line| line.strip_prefix("Pid: "))?.parse().ok()
}

/// The digest in the answer to `get var`: "proc.x: type=str value=<…>"; empty where the proxy knows none.
pub fn read_fixed(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    let value = line.split_once("value=<").and_then(|(_, rest)| rest.split_once('>')).map(|(value, _)| value);
    value
        .filter(|value| value.len() <= 64 && value.chars().all(|c| c.is_ascii_hexdigit()))
        .unwrap_or_default()
        .to_owned()
}
