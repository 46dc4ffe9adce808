//! What the forms of an app send: raw texts, all of them, as they were typed. Not here: what becomes of them.

use crate::actions::volumes::NewVolume;

/// A name and a value. Not `Debug`: the value may be a secret.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Pair {
    /// The name.
    pub name: String,
    /// The value, byte for byte.
    pub value: String,
}

/// The form that makes an app. Empty texts mean the default that is said beside each field.
#[derive(Clone, Default)]
pub struct NewApp {
    /// What people call it: 1–80 characters. Its short name in addresses is made of it.
    pub name: String,
    /// The environment's id. Empty: the team's only one; where there is none, project "Main" with `prod` is made.
    pub environment: String,
    /// The host's id. Empty: the team's only one.
    pub host: String,
    /// Where it comes from.
    pub source: EditSource,
    /// What it runs with.
    pub configuration: EditConfiguration,
    /// Domains and paths that lead here; entries with both texts empty are passed over.
    pub routes: Vec<NewRoute>,
    /// Plain variables; entries with both texts empty are passed over.
    pub variables: Vec<Pair>,
    /// Secret variables; entries with both texts empty are passed over.
    pub secrets: Vec<Pair>,
    /// Volumes; entries with both texts empty are passed over.
    pub volumes: Vec<NewVolume>,
}

/// Where an app comes from.
#[derive(Clone, Default)]
pub struct EditSource {
    /// `git` (also when empty) or `image`.
    pub from: String,
    /// git: the repository's address.
    pub git_url: String,
    /// git: the branch; empty means `main`.
    pub git_branch: String,
    /// git: `public` (also when empty), `deploy_key` (a pair made by Skiff) or `token`.
    pub git_access: String,
    /// git, token: the user that goes with the token; empty means `git`.
    pub git_token_user: String,
    /// git, token: the token; empty on an edit means: the one that is kept.
    pub git_token: String,
    /// git: the Dockerfile; empty means `Dockerfile`.
    pub dockerfile: String,
    /// git: the folder that is sent to the builder; empty means the repository's root.
    pub context: String,
    /// git: the stage to build; empty means the last one.
    pub target: String,
    /// git: build arguments, visible in the image.
    pub build_args: Vec<Pair>,
    /// git: build secrets by id; an empty value on an edit means: the one that is kept.
    pub build_secrets: Vec<Pair>,
    /// image: its name.
    pub image: String,
    /// image: the registry's user; empty means that it needs none.
    pub registry_user: String,
    /// image: the registry's password or token; empty on an edit means: the one that is kept.
    pub registry_password: String,
}

/// What an app runs with. Empty numbers mean the default that is said beside each field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EditConfiguration {
    /// `web` (also when empty) or `worker`.
    pub kind: String,
    /// web: the container's port, 1–65535.
    pub port: String,
    /// `http` or `tcp` for web, `alive` or `command` for workers; empty means the first of them.
    pub health: String,
    /// http: the path asked for; empty means `/`.
    pub health_path: String,
    /// alive: seconds, 1–600; empty means 5.
    pub health_alive: String,
    /// command: program and arguments, one per line; never given to a shell.
    pub health_command: String,
    /// Milliseconds between two attempts, 100–60,000; empty means 250.
    pub health_interval_ms: String,
    /// Milliseconds one attempt may take, 100–60,000; empty means 2,000.
    pub health_timeout_ms: String,
    /// Seconds within which the first success must come, 1–3,600; empty means 60.
    pub health_start_period_s: String,
    /// Memory limit in MiB, 6–16,777,216; empty means the host's.
    pub memory_mib: String,
    /// CPU limit in cores, 0.01–1,024, with a point ("0.5"); empty means all.
    pub cpus: String,
    /// Instances, 1–64; empty means 1, and on an edit: as many as there are. Of an app on several hosts each host has a
    /// number of its own, which `PlaceApp` sets.
    pub instances: String,
    /// Seconds from SIGTERM to SIGKILL, 0–600; empty means 10.
    pub stop_grace_s: String,
    /// Seconds an old instance may finish its requests, 0–3,600; empty means 30.
    pub drain_s: String,
    /// Seconds a new release is watched, 0–3,600, 0 for not at all; empty means 60.
    pub watch_s: String,
    /// Restarts of one instance at which it is taken back, 1–1,000; empty means 3.
    pub watch_restarts: String,
    /// Per cent of answers of 500 and above at which it is taken back, 1–100; empty means 50.
    pub watch_errors: String,
    /// `yes` (also when empty) or `no`: may the old and the new instance run at the same time.
    pub overlap: String,
}

/// The form that says where an app runs.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct PlaceApp {
    /// Hosts by their ids, and how many instances on each; hosts that are not named, or have 0 or nothing, get none.
    pub places: Vec<Pair>,
}

/// A domain and path that shall lead to the app.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewRoute {
    /// The domain.
    pub domain: String,
    /// The path; empty means `/`.
    pub path: String,
}

/// The form that sets or replaces a plain variable.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SetVariable {
    /// The name.
    pub name: String,
    /// The value, byte for byte.
    pub value: String,
}

/// The form that renames an app. Its short name in addresses stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RenameApp {
    /// The new name: 1–80 characters.
    pub name: String,
}
