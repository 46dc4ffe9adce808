//! An app as its owner describes it. The whole description is one value: it is edited as a whole, copied into
//! each release, and compared by value to show what is pending.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use super::ids::{SecretId, VolumeId};
use super::names::{Domain, EnvName, EnvValue, HttpPath, MountPath, PathPrefix, PlainName};

/// What kind of service an app is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Type, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Kind {
    /// Answers HTTP on a port and has routes.
    Web,
    /// Has no port; healthy when alive for a while or by a command run in it.
    Worker,
}

/// How an instance proves that it is healthy. All times in seconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "by")]
pub enum Probe {
    /// A GET to the path answers 200–299.
    Http {
        /// The path and query asked for.
        path: HttpPath,
    },
    /// The port accepts a connection.
    Tcp,
    /// The container has been alive for so many seconds (workers).
    Alive {
        /// 1–600 seconds.
        seconds: u16,
    },
    /// A command run inside the container ends with status 0 (workers). Passed as an argument vector, never to a shell.
    Command {
        /// Program and arguments.
        argv: Vec<String>,
    },
}

/// The health check of an app.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// How health is proven.
    pub probe: Probe,
    /// Milliseconds between two attempts, 100–60,000.
    pub interval_ms: u32,
    /// Milliseconds one attempt may take, 100–60,000.
    pub timeout_ms: u32,
    /// Seconds from start within which the first success must come, 1–3,600.
    pub start_period_s: u32,
}

/// A named volume in an app.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// The ledger's identity of the volume: its name on the host is made of it.
    pub volume: VolumeId,
    /// The name its owner gave it.
    pub name: PlainName,
    /// Where it appears in the container.
    pub path: MountPath,
}

/// A domain and path that lead to the app.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Route {
    /// The domain, in lower case.
    pub domain: Domain,
    /// The prefix of the path.
    pub path: PathPrefix,
}

/// What an app is run with. Everything here is copied into a release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spec {
    /// Web or worker.
    pub kind: Kind,
    /// The container's port, for web apps.
    pub port: Option<u16>,
    /// The health check.
    pub health: Health,
    /// Domains and paths that lead here.
    pub routes: Vec<Route>,
    /// Plain variables.
    pub variables: BTreeMap<EnvName, EnvValue>,
    /// Secrets, by the variable's name. Values and versions are elsewhere.
    pub secrets: BTreeMap<EnvName, SecretId>,
    /// Volumes.
    pub mounts: Vec<Mount>,
    /// Memory limit in MiB, at least 6 (the Docker Engine's own minimum); none means the host's.
    pub memory_mib: Option<u32>,
    /// CPU limit in thousandths of a core, at least 10; none means all.
    pub cpu_milli: Option<u32>,
    /// Instances wanted, 1–64.
    pub instances: u16,
    /// Seconds from SIGTERM to SIGKILL, 0–600.
    pub stop_grace_s: u16,
    /// Seconds an old instance may finish its requests before it gets SIGTERM, 0–3,600.
    pub drain_s: u16,
    /// The watch after a deploy.
    pub watch: Watch,
    /// Whether the old and the new instance may run at the same time (workers that must be alone say no).
    pub overlap: bool,
}

/// What is watched after a deploy, and when the former release is brought back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watch {
    /// Length in seconds, 0–3,600; 0 switches the watch off.
    pub seconds: u16,
    /// Restarts of one instance at which the release is taken back, at least 1.
    pub max_restarts: u16,
    /// Per cent of answers of 500 and above at which it is taken back, 1–100 (only counted from 20 answers on).
    pub max_error_percent: u8,
}

impl Spec {
    /// A web app as the form first shows it.
    pub fn web(port: u16, path: HttpPath) -> Self {
        Self {
            kind: Kind::Web,
            port: Some(port),
            health: Health { probe: Probe::Http { path }, interval_ms: 250, timeout_ms: 2_000, start_period_s: 60 },
            routes: Vec::new(),
            variables: BTreeMap::new(),
            secrets: BTreeMap::new(),
            mounts: Vec::new(),
            memory_mib: None,
            cpu_milli: None,
            instances: 1,
            stop_grace_s: 10,
            drain_s: 30,
            watch: Watch { seconds: 60, max_restarts: 3, max_error_percent: 50 },
            overlap: true,
        }
    }

    /// A worker as the form first shows it.
    pub fn worker() -> Self {
        let mut spec = Self::web(1, "/".parse().unwrap_or_else(|_| unreachable!("'/' is a path")));
        spec.kind = Kind::Worker;
        spec.port = None;
        spec.health.probe = Probe::Alive { seconds: 5 };
        spec
    }
}
