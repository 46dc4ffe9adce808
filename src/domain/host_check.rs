//! Whether a host is still as it was made: what it says of itself, held against what it should be. Not here: asking it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::address::Bridge;
use super::names::NetworkName;

/// A clock that is off by more makes logs misleading; beyond some minutes certificates and signatures fail.
pub const CLOCK_MS: i64 = 5_000;
/// Less free space than this, and the next image may not fit.
pub const FREE_MIB: u64 = 1_024;
/// The oldest versions that everything Skiff asks of them was tried with.
const DOCKER: (u32, u32) = (20, 10);
const HAPROXY: (u32, u32) = (2, 6);
/// The least patch of a version of HAProxy whose earlier ones stop answering when an instance is taken out of service: seen with 3.2.9,
/// not with this.
const HAPROXY_MENDED: ((u32, u32), u32) = ((3, 2), 25);
/// Characters kept of one value: a host's words are hostile text.
const MAX_VALUE: usize = 300;
/// Lines that are read at most: the script prints some forty.
const MAX_LINES: usize = 500;

/// The line that lets the user skiff become root.
pub const SUDOERS: &str = "skiff ALL=(ALL) NOPASSWD: ALL";
/// Folders of ours, with mode and owner.
const FOLDERS: [(&str, &str); 6] = [
    ("/etc/skiff", "755 skiff:skiff"),
    ("/etc/skiff/maps", "755 skiff:skiff"),
    ("/etc/skiff/certs", "700 skiff:skiff"),
    ("/var/lib/skiff", "755 skiff:skiff"),
    ("/var/lib/skiff/apps", "700 skiff:skiff"),
    ("/run/skiff", "750 skiff:skiff"),
];
/// What mends nearly everything.
const AGAIN: &str = "Make the host ready again.";
const UPGRADE: &str = "Upgrade it on the server.";

/// One thing that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// What it is about: "clock".
    pub what: String,
    /// How it is.
    pub is: String,
    /// How it should be.
    pub should: String,
    /// What to do about it: a sentence.
    pub act: String,
}

/// What a check came to, as it is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Checked {
    /// What differs; nothing where all is as it should be.
    pub differences: Vec<Difference>,
    /// Why the host could not be looked at; empty where it could.
    pub failed: String,
}

/// A network that should be on the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    /// Its name there.
    pub name: NetworkName,
    /// The environment's name.
    pub environment: String,
    /// The host's number in the address plan.
    pub host_number: i16,
    /// The bridge's number on the host.
    pub bridge: i16,
}

impl Network {
    /// The subnet it should have.
    pub fn subnet(&self) -> Option<String> {
        let (host, index) = (u16::try_from(self.host_number).ok()?, u8::try_from(self.bridge).ok()?);
        Bridge::new(host, index).map(Bridge::subnet)
    }
}

/// What the host should have beside what every host has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The port of its proxy.
    pub http_port: u16,
    /// The port on which its proxy serves HTTPS, where it does.
    pub https_port: Option<u16>,
    /// The port for the other hosts, where they reach it.
    pub peer_port: Option<u16>,
    /// The port of its registry, where it builds.
    pub registry_port: Option<u16>,
}

/// What was seen of the host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// What the script said.
    pub values: BTreeMap<String, String>,
    /// Mode and owner of each folder of ours.
    pub folders: BTreeMap<String, String>,
    /// Mode and group of each socket of the proxy.
    pub sockets: BTreeMap<String, String>,
    /// Who listens on each port of an app without HTTP.
    pub app_ports: BTreeMap<String, String>,
    /// How far its clock is ahead of the panel's, in milliseconds.
    pub ahead_ms: Option<i64>,
    /// Why the user may not become root; none where it may.
    pub no_root: Option<String>,
    /// Files of the proxy that are not as the panel wants them, and how they are.
    pub files: Vec<(&'static str, String)>,
    /// Networks that should be there: the environment, the subnet it should have, and the one it has.
    pub networks: Vec<(String, String, Option<String>)>,
}

impl Seen {
    /// Reads the script's lines: hostile text, unknown names left out.
    pub fn read(lines: &[String]) -> Self {
        let mut seen = Self::default();
        for (name, value) in lines.iter().take(MAX_LINES).filter_map(|line| line.split_once('=')) {
            let value: String = value.chars().filter(|c| !c.is_control()).take(MAX_VALUE).collect();
            let pair = || value.split_once(' ').map(|(path, state)| (path.to_owned(), state.to_owned()));
            match name {
                "FOLDER" => seen.folders.extend(pair()),
                "SOCKET" => seen.sockets.extend(pair()),
                "APP_PORT" => seen.app_ports.extend(pair()),
                _ => {
                    seen.values.insert(name.chars().take(40).collect(), value);
                }
            }
        }
        seen
    }

    /// True where the script came to its end.
    pub fn is_whole(&self) -> bool {
        self.is("DONE", "yes")
    }

    fn get(&self, name: &str) -> &str {
        self.values.get(name).map_or("", String::as_str)
    }

    fn is(&self, name: &str, value: &str) -> bool {
        self.get(name) == value
    }

    fn number(&self, name: &str) -> Option<u64> {
        self.get(name).trim().parse().ok()
    }
}

/// Differences under construction.
#[derive(Default)]
struct Found(Vec<Difference>);

impl Found {
    fn add(&mut self, what: impl Into<String>, is: impl Into<String>, should: impl Into<String>, act: &str) {
        let said = |text: String| if text.is_empty() { "not there".to_owned() } else { text };
        self.0.push(Difference { what: what.into(), is: said(is.into()), should: should.into(), act: act.to_owned() });
    }

    fn unless(&mut self, fine: bool, what: &str, is: impl Into<String>, should: &str, act: &str) {
        if !fine {
            self.add(what, is, should, act);
        }
    }
}

/// Everything that differs, in the order in which one would mend it.
pub fn compare(seen: &Seen, wanted: &Wanted) -> Vec<Difference> {
    let mut found = Found::default();
    machine(&mut found, seen);
    packages(&mut found, seen);
    user(&mut found, seen);
    for (path, should) in FOLDERS {
        let is = seen.folders.get(path).map_or("", String::as_str);
        found.unless(is == should, &format!("folder {path}"), is, should, AGAIN);
    }
    docker(&mut found, seen);
    proxy(&mut found, seen, wanted);
    registry(&mut found, seen, wanted);
    for (environment, should, is) in &seen.networks {
        if is.as_deref() != Some(should) {
            let what = format!("network of {environment}");
            let act = "Deploy an app of this environment again: that makes its network.";
            found.add(what, is.clone().unwrap_or_default(), should, act);
        }
    }
    found.0
}

fn machine(found: &mut Found, seen: &Seen) {
    if let Some(ahead) = seen.ahead_ms.filter(|ahead| ahead.abs() > CLOCK_MS) {
        let way = if ahead > 0 { "ahead of" } else { "behind" };
        let is = format!("{} {way} the panel's", length(ahead.unsigned_abs() / 1000));
        let act = "On the server: timedatectl set-ntp true. Logs and certificates go by this clock.";
        found.add("clock", is, "at most 5 s apart", act);
    }
    if let (Some(free), Some(all)) = (seen.number("DISK_FREE_MIB"), seen.number("DISK_MIB").filter(|all| *all > 0)) {
        let is = format!("{free} MiB free of {all} MiB");
        let act = "Make room on the server, or give it a larger disk: the next image may not fit.";
        found.unless(free >= FREE_MIB, "disk", is, &format!("at least {FREE_MIB} MiB free"), act);
    }
    if let Some(packages) = seen.values.get("REBOOT") {
        let is = match packages.trim() {
            "" => "wanted by the distribution".to_owned(),
            packages => format!("wanted by {packages}"),
        };
        let act = "Reboot the server when it suits: apps come back by themselves.";
        found.add("reboot", is, "none needed", act);
    }
}

fn packages(found: &mut Found, seen: &Seen) {
    let missing = seen.get("MISSING");
    found.unless(missing.is_empty(), "programs", format!("{missing} missing"), "all installed", AGAIN);
    for (what, name, least) in [("Docker", "DOCKER", DOCKER), ("HAProxy", "HAPROXY", HAPROXY)] {
        let is = seen.get(name);
        if version(is).is_some_and(|version| version < least) {
            found.add(what, is, format!("{}.{} or newer", least.0, least.1), UPGRADE);
        }
    }
    let (faulty, mended) = HAPROXY_MENDED;
    let is = seen.get("HAPROXY");
    if version(is) == Some(faulty) && patch(is).is_some_and(|patch| patch < mended) {
        let should = format!("{}.{}.{mended} or newer", faulty.0, faulty.1);
        let act = "Upgrade it on the server: by a fault of its own it may stop answering when an instance is taken out of service.";
        found.add("HAProxy", is, should, act);
    }
}

fn user(found: &mut Found, seen: &Seen) {
    if !seen.is("USER", "yes") {
        return found.add("user skiff", "", "there", AGAIN);
    }
    let groups = seen.get("GROUPS_OF_USER");
    let member = groups.split_whitespace().any(|group| group == "docker");
    found.unless(member, "groups of skiff", groups, "docker among them", AGAIN);
    match &seen.no_root {
        Some(why) => {
            let act = format!(
                "As root on the server: echo '{SUDOERS}' >/etc/sudoers.d/skiff; chmod 440 /etc/sudoers.d/skiff"
            );
            found.add("sudo for skiff", why, "without a password", &act);
        }
        // Only root may read it.
        None => {
            found.unless(seen.is("SUDOERS", SUDOERS), "/etc/sudoers.d/skiff", seen.get("SUDOERS"), SUDOERS, AGAIN);
            let mode = seen.get("SUDOERS_MODE");
            let fine = mode.is_empty() || mode == "440 root:root";
            found.unless(fine, "mode of /etc/sudoers.d/skiff", mode, "440 root:root", AGAIN);
        }
    }
    found.unless(seen.is("KEY", "yes"), "the panel's key", "", "in skiff's authorized_keys", AGAIN);
}

fn docker(found: &mut Found, seen: &Seen) {
    let act = "On the server: journalctl -u docker says why. Then make the host ready again.";
    found.unless(seen.is("DOCKER_ANSWERS", "yes"), "Docker", "does not answer", "answering", act);
    found.unless(
        seen.is("DOCKER_ENABLED", "yes"),
        "Docker's service",
        "not started",
        "started with the machine",
        AGAIN,
    );
    if seen.is("DOCKER_ANSWERS", "yes") {
        let fine = !seen.is("LIVE_RESTORE", "no");
        found.unless(fine, "live-restore of Docker", "off", "on: apps outlive a restart of dockerd", AGAIN);
    }
    let file = seen.get("DAEMON_JSON");
    let act = "Mend /etc/docker/daemon.json: dockerd would not start again with it.";
    found.unless(matches!(file, "" | "valid"), "/etc/docker/daemon.json", file, "accepted by dockerd", act);
}

fn proxy(found: &mut Found, seen: &Seen, wanted: &Wanted) {
    found.unless(
        seen.is("PROXY_SERVICE", "yes"),
        "service skiff-haproxy",
        "not there, or of a former version",
        "there",
        AGAIN,
    );
    found.unless(seen.is("PROXY_ENABLED", "yes"), "start of the proxy", "by hand", "with the machine", AGAIN);
    let runs = seen.is("PROXY_RUNS", "yes");
    found.unless(runs, "proxy", "does not run", "running", AGAIN);
    // "?" is somebody whom only root may name.
    let listener = |name: &str| match seen.get(name) {
        "" => "nobody".to_owned(),
        other => other.to_owned(),
    };
    let by = listener("PROXY_LISTENER");
    let act = if by == "nobody" {
        AGAIN
    } else {
        "Stop it, or give the proxy another web port; then make the host ready again."
    };
    found.unless(
        matches!(by.as_str(), "haproxy" | "?"),
        &format!("port {}", wanted.http_port),
        by,
        "answered by the proxy",
        act,
    );
    if let Some(port) = wanted.https_port {
        let by = listener("HTTPS_LISTENER");
        let act = if by == "nobody" {
            AGAIN
        } else {
            "Stop it, or give the proxy another port for HTTPS; then make the host ready again."
        };
        let fine = matches!(by.as_str(), "haproxy" | "?");
        found.unless(fine, &format!("port {port}"), by, "answered by the proxy, for HTTPS", act);
    }
    if let Some(port) = wanted.peer_port {
        let by = listener("PEER_LISTENER");
        found.unless(
            matches!(by.as_str(), "haproxy" | "?"),
            &format!("port {port}"),
            by,
            "answered by the proxy, for the other hosts",
            AGAIN,
        );
    }
    for (port, by) in &seen.app_ports {
        let by = if by.is_empty() { "nobody" } else { by };
        let act = match by {
            "nobody" => AGAIN,
            _ => "Stop it, or give the app another port; then make the host ready again.",
        };
        let fine = matches!(by, "haproxy" | "?") || !runs;
        found.unless(fine, &format!("port {port}"), by, "answered by the proxy, for an app", act);
    }
    // Packages are upgraded beside the running proxy, which notices with its next reload.
    let (runs_as, installed) = (seen.get("PROXY_VERSION"), seen.get("HAPROXY"));
    if runs && ![runs_as, installed].contains(&"") {
        let act = "Make the host ready again: the proxy is reloaded, and no request fails.";
        found.unless(runs_as == installed, "version of the running proxy", runs_as, installed, act);
    }
    if runs {
        for path in ["/run/skiff/haproxy.sock", "/run/skiff/haproxy-master.sock"] {
            let is = seen.sockets.get(path).map_or("", String::as_str);
            found.unless(is == "660 skiff", &format!("socket {path}"), is, "660 skiff", AGAIN);
        }
    }
    for (path, is) in &seen.files {
        found.add(*path, is, "as the panel writes it", AGAIN);
    }
}

fn registry(found: &mut Found, seen: &Seen, wanted: &Wanted) {
    let there = seen.is("REGISTRY_SERVICE", "yes");
    let Some(port) = wanted.registry_port else {
        return found.unless(!there, "registry of images", "there", "none: this host builds for nobody", AGAIN);
    };
    found.unless(there, "registry of images", "", "there", AGAIN);
    let by = match seen.get("REGISTRY_LISTENER") {
        "" => "nobody",
        other => other,
    };
    found.unless(
        matches!(by, "docker-registry" | "?"),
        &format!("port {port}"),
        by,
        "answered by the registry of images",
        AGAIN,
    );
}

/// The first two numbers of a version; none where there are none.
fn version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

/// The third number of a version.
fn patch(text: &str) -> Option<u32> {
    text.split(|c: char| !c.is_ascii_digit()).nth(2)?.parse().ok()
}

/// Seconds as people say them.
fn length(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests;
