//! What is different between two descriptions of an app: an edit and the release that serves, or two releases.
//! Values of secrets are not here; that one was replaced shows in its version.

use std::collections::BTreeMap;

use super::app::{Kind, Probe, Spec};
use super::ids::SecretId;
use super::release::{Place, Release};
use super::source::{GitAccess, Source};

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What: "memory", "variable GREETING".
    pub what: String,
    /// How it is; none where it is new.
    pub before: Option<String>,
    /// How it becomes; none where it goes.
    pub after: Option<String>,
}

/// One of the two descriptions.
#[derive(Clone, Copy, Debug)]
pub struct Side<'a> {
    spec: &'a Spec,
    source: &'a Source,
    placement: &'a [Place],
    versions: &'a BTreeMap<SecretId, i32>,
    built: Option<&'a Release>,
}

impl<'a> Side<'a> {
    /// An app as edited; `versions` are those of its secrets now.
    pub fn new(
        spec: &'a Spec,
        source: &'a Source,
        placement: &'a [Place],
        versions: &'a BTreeMap<SecretId, i32>,
    ) -> Self {
        Self { spec, source, placement, versions, built: None }
    }

    /// A release with the source of its time.
    pub fn of_release(release: &'a Release, source: &'a Source) -> Self {
        let Release { spec, placement, secret_versions, .. } = release;
        Self { spec, source, placement, versions: secret_versions, built: Some(release) }
    }
}

/// Digits of an image's id that are shown, as Docker itself shows them.
const IMAGE_DIGITS: usize = 12;

/// All differences, in a fixed order: code, source, configuration, variables, secrets, volumes, places. Routes are of no
/// release.
pub fn changes(before: &Side<'_>, after: &Side<'_>) -> Vec<Change> {
    let mut found = Found(Vec::new());
    if let (Some(old), Some(new)) = (before.built, after.built) {
        let commit = |release: &Release| release.commit.as_ref().map(|commit| commit.id.short().to_owned());
        found.texts("commit", commit(old), commit(new));
        // By content, as people compare it with `docker images`: our names for it say nothing to them.
        let content = |release: &Release| {
            let id = release.image_id.as_ref();
            let hex = id.strip_prefix("sha256:").unwrap_or(id);
            hex.get(..IMAGE_DIGITS).unwrap_or(hex).to_owned()
        };
        found.texts("image", Some(content(old)), Some(content(new)));
    }
    found.maps("", &source(before.source), &source(after.source));
    found.maps("", &configuration(before.spec), &configuration(after.spec));
    let variables = |side: &Side<'_>| {
        side.spec.variables.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
    };
    found.maps("variable ", &variables(before), &variables(after));
    found.maps("secret ", &secrets(before), &secrets(after));
    let volumes = |side: &Side<'_>| {
        side.spec.mounts.iter().map(|mount| (mount.name.to_string(), format!("at {}", mount.path))).collect()
    };
    found.maps("volume ", &volumes(before), &volumes(after));
    if hosts(before) != hosts(after) {
        found.texts("hosts", Some(hosts(before).len().to_string()), Some(format!("{}, others", hosts(after).len())));
    } else {
        // On one host their number is among the configuration already.
        let several = hosts(before).len() > 1;
        let counts = |side: &Side<'_>| several.then(|| counts(side));
        found.texts("instances by host", counts(before), counts(after));
    }
    found.0
}

/// The differences found so far.
struct Found(Vec<Change>);

impl Found {
    /// One thing, if it differs.
    fn texts(&mut self, what: &str, before: Option<String>, after: Option<String>) {
        if before != after {
            self.0.push(Change { what: what.to_owned(), before, after });
        }
    }

    /// Things by name, those that differ.
    fn maps(&mut self, kind: &str, before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) {
        let names: std::collections::BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        for name in names {
            self.texts(&format!("{kind}{name}"), before.get(name).cloned(), after.get(name).cloned());
        }
    }
}

/// The hosts of a placement.
fn hosts(side: &Side<'_>) -> Vec<super::ids::HostId> {
    side.placement.iter().map(|place| place.host).collect()
}

/// "2 + 1": instances on each host of a placement.
fn counts(side: &Side<'_>) -> String {
    let counts: Vec<String> = side.placement.iter().map(|place| place.instances.to_string()).collect();
    counts.join(" + ")
}

/// Secrets by name, as their versions.
fn secrets(side: &Side<'_>) -> BTreeMap<String, String> {
    let version = |id: &SecretId| side.versions.get(id).map_or_else(|| "set".into(), |n| format!("version {n}"));
    side.spec.secrets.iter().map(|(name, id)| (name.to_string(), version(id))).collect()
}

/// A source by name.
fn source(source: &Source) -> BTreeMap<String, String> {
    let mut map = BTreeMap::new();
    let mut say = |what: &str, value: String| map.insert(what.to_owned(), value);
    match source {
        Source::Git(git) => {
            say("repository", git.url.to_string());
            say("branch", git.branch.to_string());
            let access = match &git.access {
                GitAccess::Public => "public",
                GitAccess::DeployKey { .. } => "deploy key",
                GitAccess::Token { .. } => "token",
            };
            say("repository access", access.to_owned());
            say("Dockerfile", git.dockerfile.to_string());
            say("build context", git.context.to_string());
            if let Some(target) = &git.target {
                say("build target", target.to_string());
            }
            for (name, value) in &git.args {
                say(&format!("build argument {name}"), value.to_string());
            }
            for name in git.secrets.keys() {
                say(&format!("build secret {name}"), "set".to_owned());
            }
        }
        Source::Image(image) => {
            say("image", image.image.to_string());
            if let Some(login) = &image.login {
                say("registry user", login.user.clone());
            }
        }
    }
    map
}

/// The configuration by name, with units.
fn configuration(spec: &Spec) -> BTreeMap<String, String> {
    let mut map = BTreeMap::new();
    let mut say = |what: &str, value: String| map.insert(what.to_owned(), value);
    let kind = match spec.kind {
        Kind::Web => "web",
        Kind::Worker => "worker",
    };
    say("kind", kind.to_owned());
    if let Some(port) = spec.port {
        say("port", port.to_string());
    }
    let proof = match &spec.health.probe {
        Probe::Http { path } => format!("GET {path}"),
        Probe::Tcp => "the port opens".to_owned(),
        Probe::Alive { seconds } => format!("alive for {seconds} s"),
        Probe::Command { argv } => argv.join(" "),
    };
    say("health check", proof);
    say("health check interval", format!("{} ms", spec.health.interval_ms));
    say("health check timeout", format!("{} ms", spec.health.timeout_ms));
    say("start period", format!("{} s", spec.health.start_period_s));
    say("memory", spec.memory_mib.map_or_else(|| "no limit".into(), |mib| format!("{mib} MB")));
    let cpus = |milli: u32| format!("{}.{:03} cores", milli / 1000, milli % 1000);
    say("CPU", spec.cpu_milli.map_or_else(|| "no limit".into(), cpus));
    say("instances", spec.instances.to_string());
    say("stop grace", format!("{} s", spec.stop_grace_s));
    say("drain", format!("{} s", spec.drain_s));
    say("watch", format!("{} s", spec.watch.seconds));
    say("watch: restarts", spec.watch.max_restarts.to_string());
    say("watch: errors", format!("{} %", spec.watch.max_error_percent));
    say("old and new at the same time", if spec.overlap { "yes".into() } else { "no".into() });
    map
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(name: &str) -> Source {
        Source::Image(super::super::source::Image { image: name.parse().unwrap(), login: None })
    }

    #[test]
    fn nothing_differs_from_itself() {
        let (spec, source, versions) = (Spec::worker(), image("web:1"), BTreeMap::new());
        let side = Side::new(&spec, &source, &[], &versions);
        assert_eq!(changes(&side, &side), []);
    }

    #[test]
    fn every_difference_is_told_once() {
        let (old, source, none) = (Spec::worker(), image("web:1"), BTreeMap::new());
        let secret = SecretId(uuid::Uuid::from_u128(1));
        let mut new = old.clone();
        new.memory_mib = Some(512);
        new.variables.insert("GREETING".parse().unwrap(), "hello".parse().unwrap());
        new.secrets.insert("KEY".parse().unwrap(), secret);
        let (newer, versions) = (image("web:2"), BTreeMap::from([(secret, 2)]));
        let told: Vec<String> =
            changes(&Side::new(&old, &source, &[], &none), &Side::new(&new, &newer, &[], &versions))
                .into_iter()
                .map(|change| format!("{}: {:?} → {:?}", change.what, change.before, change.after))
                .collect();
        assert_eq!(
            told,
            [
                "image: Some(\"web:1\") → Some(\"web:2\")",
                "memory: Some(\"no limit\") → Some(\"512 MB\")",
                "variable GREETING: None → Some(\"hello\")",
                "secret KEY: None → Some(\"version 2\")",
            ]
        );
    }
}
