//! What stands on a host for each release, so that it can be started without the panel: `run.bash`, the variables, and
//! the release itself to read. Not here: writing it there.
//!
//! The script is a constant text under a head of assignments. Only values of checked types get into the head, as words
//! in single quotes; everything a person may write freely (variables, secrets, the health command) is in files beside
//! it, as bytes between NULs.

use serde_json::json;

use super::app::{Kind, Probe};
use super::container::{LOG_DRIVER, LOG_OPTIONS, label, network_name, volume_name};
use super::ingress::FULL_WEIGHT;
use super::names::EnvName;
use super::release::Release;

mod word;

pub use word::ShellWord;

/// The constant part of the script.
const BODY: &str = include_str!("run.bash");

/// One file of a release's folder.
#[derive(Clone, PartialEq, Eq)]
pub struct ReleaseFile {
    /// Its absolute path.
    pub path: String,
    /// What it holds.
    pub bytes: Vec<u8>,
    /// Its mode: what holds values of variables is for its owner only.
    pub mode: u32,
}

/// Every name a file of a release's folder can have.
pub const NAMES: [&str; 4] = ["run.bash", "env", "release.json", "health.argv"];

/// An app's folder on hosts: it holds the releases' by their numbers.
pub fn app_folder(app: super::ids::AppId) -> String {
    format!("/var/lib/skiff/apps/{}", app.simple())
}

/// A release's folder on hosts.
pub fn folder(release: &Release) -> String {
    format!("{}/{}", app_folder(release.app), release.number)
}

/// All files of a release's folder. `env` is what variables and opened secrets make together.
pub fn files(release: &Release, panel: uuid::Uuid, env: &[(EnvName, String)]) -> Vec<ReleaseFile> {
    let folder = folder(release);
    let file = |name: &str, bytes: Vec<u8>, mode: u32| ReleaseFile { path: format!("{folder}/{name}"), bytes, mode };
    let mut files = vec![
        file("run.bash", run_bash(release, panel).into_bytes(), 0o755),
        file("env", env_file(env), 0o600),
        file("release.json", release_json(release).into_bytes(), 0o644),
    ];
    if let Probe::Command { argv } = &release.spec.health.probe {
        files.push(file("health.argv", nul_ended(argv.iter().map(String::as_str)), 0o600));
    }
    files
}

/// The variables, `NAME=value` each, ended by NUL bytes, so that any value survives.
pub fn env_file(env: &[(EnvName, String)]) -> Vec<u8> {
    let pairs: Vec<String> = env.iter().map(|(name, value)| format!("{name}={value}")).collect();
    nul_ended(pairs.iter().map(String::as_str))
}

/// Texts one after the other. None of them can hold a NUL: a variable's type refuses it, and an argument cannot have
/// one in any program; what stands behind one is cut off, so that it cannot become a text of its own.
fn nul_ended<'a>(texts: impl Iterator<Item = &'a str>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for text in texts {
        bytes.extend_from_slice(text.split('\0').next().unwrap_or_default().as_bytes());
        bytes.push(0);
    }
    bytes
}

/// The release for people and programs to read. The values of its variables are not in it: they are in `env`.
pub fn release_json(release: &Release) -> String {
    let spec = &release.spec;
    let value = json!({
        "app": release.app,
        "release": release.id,
        "number": release.number,
        "image": release.image,
        "image_id": release.image_id,
        "commit": release.commit,
        "environment": release.environment,
        "placement": release.placement,
        "kind": spec.kind,
        "port": spec.port,
        "health": spec.health,
        "routes": spec.routes,
        "mounts": spec.mounts,
        "memory_mib": spec.memory_mib,
        "cpu_milli": spec.cpu_milli,
        "stop_grace_s": spec.stop_grace_s,
        "drain_s": spec.drain_s,
        "overlap": spec.overlap,
        "variables": spec.variables.keys().collect::<Vec<_>>(),
        "secrets": spec.secrets.keys().collect::<Vec<_>>(),
    });
    format!("{value:#}\n")
}

/// The script that starts this release without the panel.
pub fn run_bash(release: &Release, panel: uuid::Uuid) -> String {
    let spec = &release.spec;
    let web = spec.kind == Kind::Web;
    let mut head = Head::new(release);
    head.set("PANEL", panel);
    head.set("APP", release.app.0);
    head.set("NUMBER", i64::from(release.number));
    head.set("IMAGE", &release.image);
    head.set("NETWORK", &network_name(release.environment));
    let labels = [(label::PANEL, panel), (label::APP, release.app.0), (label::RELEASE, release.id.0)]
        .map(|(name, value)| ShellWord::pair(name, value));
    head.list("LABELS", labels.into_iter());
    let mounts = spec.mounts.iter().map(|mount| ShellWord::mount(&volume_name(mount.volume), &mount.path));
    head.list("MOUNTS", mounts);
    head.constant("RESTART", "unless-stopped");
    head.constant("LOG_DRIVER", LOG_DRIVER);
    head.list("LOG_OPTIONS", LOG_OPTIONS.into_iter().map(|(name, value)| ShellWord::constant_pair(name, value)));
    head.maybe("MEMORY", spec.memory_mib.map(|mib| i64::from(mib) * 1024 * 1024));
    head.maybe("CPUS", spec.cpu_milli.map(ShellWord::thousandths));
    head.set("STOP_GRACE", i64::from(spec.stop_grace_s));
    head.set("DRAIN", i64::from(spec.drain_s));
    head.constant("STOP_FIRST", if spec.overlap && spec.mounts.is_empty() { "no" } else { "yes" });
    head.maybe("PORT", spec.port.filter(|_| web).map(i64::from));
    head.set("WEIGHT", i64::from(FULL_WEIGHT));
    head.set("START_PERIOD", i64::from(spec.health.start_period_s));
    head.set("HEALTH_TIMEOUT", ShellWord::thousandths(spec.health.timeout_ms));
    head.constant("HEALTH_HOST", "health.skiff.internal");
    match &spec.health.probe {
        Probe::Http { path } => {
            head.constant("HEALTH", "http");
            head.set("HEALTH_PATH", path);
        }
        Probe::Tcp => head.constant("HEALTH", "tcp"),
        Probe::Alive { seconds } => {
            head.constant("HEALTH", "alive");
            head.set("HEALTH_ALIVE", i64::from(*seconds));
        }
        Probe::Command { .. } => head.constant("HEALTH", "command"),
    }
    head.0.push_str(BODY);
    head.0
}

/// The assignments above the constant part.
struct Head(String);

impl Head {
    /// The lines a person reads first.
    fn new(release: &Release) -> Self {
        Self(format!(
            "#!/bin/bash\n\
             # Release v{} as Skiff made it. Without the panel, this starts it, waits until it is healthy, turns this host's\n\
             # proxy to it, and stops what else runs of the app. Run it as root:\n\
             #   bash run.bash      starts one instance\n\
             #   bash run.bash 3    starts three\n\
             # If the new one does not get healthy, the old ones go on as they are.\n\n",
            release.number
        ))
    }

    /// `NAME='word'`.
    fn set(&mut self, name: &'static str, value: impl Into<ShellWord>) {
        self.0.push_str(&format!("{name}={}\n", value.into()));
    }

    /// `NAME='word'`, or the empty word.
    fn maybe(&mut self, name: &'static str, value: Option<impl Into<ShellWord>>) {
        match value {
            Some(value) => self.set(name, value),
            None => self.0.push_str(&format!("{name}=''\n")),
        }
    }

    /// A word that is in this source.
    fn constant(&mut self, name: &'static str, value: &'static str) {
        self.set(name, ShellWord::constant(value));
    }

    /// `NAME=('word' 'word')`.
    fn list(&mut self, name: &'static str, words: impl Iterator<Item = ShellWord>) {
        let words: Vec<String> = words.map(|word| word.to_string()).collect();
        self.0.push_str(&format!("{name}=({})\n", words.join(" ")));
    }
}
