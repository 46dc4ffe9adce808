//! The database, and the queue in it.

use super::{Area, Finding, room};
use crate::domain::help::Topic;

/// Of a hundred connections so many may be taken before somebody should look.
const CONNECTIONS_PERCENT: i64 = 85;
/// A panel's machine whose clock is off by more than this from the database's.
const APART_MS: i64 = 5_000;
/// A waiting job that could run and is older: nobody takes jobs.
const WAITS_S: i64 = 60;

/// Which schema the database has, and which one this program knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SchemaSeen {
    /// The newest step that was applied.
    pub found: i64,
    /// The newest step this program knows.
    pub known: i64,
    /// Steps that were begun and did not end well.
    pub broken: i64,
}

/// What was seen of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Database {
    /// The server's version: "15.8 (Debian 15.8-0+deb12u1)".
    pub version: String,
    /// What the database takes on its disk, in MiB.
    pub size_mib: u64,
    /// Connections that are open, of everybody.
    pub connections: i64,
    /// Connections the server allows.
    pub most_connections: i64,
    /// The schema.
    pub schema: SchemaSeen,
    /// How far this machine's clock is ahead of the database's, in milliseconds.
    pub ahead_ms: i64,
}

/// What that means.
pub fn database(seen: &Database) -> Vec<Finding> {
    let area = Area::Database;
    let mut found = vec![Finding::ok(
        area,
        "server",
        format!("PostgreSQL {} answers; the database takes {}.", seen.version, room(seen.size_mib)),
    )];
    let SchemaSeen { found: has, known, broken } = seen.schema;
    found.push(match (broken, has.cmp(&known)) {
        (1.., _) => Finding::bad(
            area,
            "schema",
            "A step of an update began and did not end.",
            "Start the panel: it goes on with it, or says why it cannot. Else restore the copy made before the update.",
            Topic::Database,
        ),
        (_, std::cmp::Ordering::Equal) => {
            Finding::ok(area, "schema", format!("Its schema is {has}, as this program knows it."))
        }
        (_, std::cmp::Ordering::Less) => Finding::warn(
            area,
            "schema",
            format!("Its schema is {has}; this program is newer and knows {known}."),
            "Start the panel with this program: it brings the database up.",
            Topic::Database,
        ),
        (_, std::cmp::Ordering::Greater) => Finding::bad(
            area,
            "schema",
            format!("Its schema is {has}; this program is older and knows {known}."),
            "Start the newer program, or restore the copy made before its update.",
            Topic::Database,
        ),
    });
    let most = seen.most_connections.max(1);
    let what = format!("{} of {} connections are open.", seen.connections, seen.most_connections);
    found.push(if seen.connections.saturating_mul(100) / most >= CONNECTIONS_PERCENT {
        let act = "Raise max_connections of the server, or see who else connects there.";
        Finding::warn(area, "connections", what, act, Topic::Database)
    } else {
        Finding::ok(area, "connections", what)
    });
    found.push(if seen.ahead_ms.abs() > APART_MS {
        let way = if seen.ahead_ms > 0 { "ahead of" } else { "behind" };
        Finding::warn(
            area,
            "clock",
            format!("This machine's clock is {} s {way} the database's.", seen.ahead_ms.abs() / 1000),
            "Let both machines follow a time server: timedatectl set-ntp true. Leases and logs go by the database's clock.",
            Topic::PanelClock,
        )
    } else {
        Finding::ok(area, "clock", "Its clock and this machine's agree.")
    });
    found
}

/// The database does not answer, or may not be used, for this reason: a sentence.
pub fn unreached(why: &str) -> Finding {
    let act = "See that PostgreSQL runs and that its address in the panel's settings is right; the panel works again by itself.";
    Finding::bad(Area::Database, "server", why, act, Topic::Database)
}

/// What was seen of the queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Queue {
    /// Jobs that wait.
    pub waiting: i64,
    /// Jobs that run.
    pub running: i64,
    /// How long the oldest job waits that could run now, in seconds; none where none does.
    pub oldest_s: Option<i64>,
    /// Jobs that count as running, and whose worker gave no sign for longer than its lease.
    pub overdue: i64,
}

/// What that means.
pub fn queue(seen: &Queue) -> Finding {
    let area = Area::Database;
    let nobody = seen.oldest_s.is_some_and(|seconds| seconds > WAITS_S) && seen.running == 0;
    if nobody || seen.overdue > 0 {
        let what = match (seen.overdue, seen.oldest_s) {
            (0, Some(seconds)) => format!("A job has waited for {} min, and nobody takes it.", (seconds / 60).max(1)),
            (count, _) => format!("{count} jobs count as running, and their worker gives no sign."),
        };
        let act = "Is the panel running? Start it again; it goes on with what was begun.";
        return Finding::bad(area, "jobs", what, act, Topic::Workers);
    }
    Finding::ok(area, "jobs", format!("{} running, {} waiting.", seen.running, seen.waiting))
}
