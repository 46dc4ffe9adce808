//! What an app runs with: kind, port, health check, limits, instances, times.

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::actions::apps;
use crate::actions::tokens::Caller;
use crate::api::Api;
use crate::api::change::Set;
use crate::api::problem::{Problem, Wrong};
use crate::api::routes::{Routes, get, patch};
use crate::api::take::{OfApp, Sent};
use crate::domain::help::Topic;
use crate::domain::rights::Permission;

/// The calls.
pub fn routes() -> Routes {
    let read = get("/apps/{app}/configuration", Permission::View).title("What an app runs with, as edited");
    let write = patch("/apps/{app}/configuration", Permission::EditApps).title("Change what an app runs with");
    Routes::new()
        .about(Topic::Configuration)
        .add(read.gives::<Json<Configuration>>(), show)
        .add(write.gives::<Json<Configuration>>(), edit)
}

/// What an app runs with.
#[derive(Serialize, JsonSchema)]
pub struct Configuration {
    /// `web` or `worker`.
    kind: String,
    /// web: the container's port.
    port: Option<u16>,
    /// `http` or `tcp` for web, `alive` or `command` for workers.
    health: String,
    /// http: the path asked for.
    health_path: Option<String>,
    /// alive: seconds.
    health_alive: Option<u32>,
    /// command: program and arguments.
    health_command: Option<Vec<String>>,
    /// Milliseconds between two attempts.
    health_interval_ms: Option<u32>,
    /// Milliseconds one attempt may take.
    health_timeout_ms: Option<u32>,
    /// Seconds within which the first success must come.
    health_start_period_s: Option<u32>,
    /// Memory limit in MiB; none for the host's.
    memory_mib: Option<u64>,
    /// CPU limit in cores; none for all.
    cpus: Option<f64>,
    /// Instances.
    instances: Option<u16>,
    /// Seconds from SIGTERM to SIGKILL.
    stop_grace_s: Option<u32>,
    /// Seconds an old instance may finish its requests.
    drain_s: Option<u32>,
    /// Seconds a new release is watched; 0 for not at all.
    watch_s: Option<u32>,
    /// Restarts of one instance at which it is taken back.
    watch_restarts: Option<u32>,
    /// Per cent of answers of 500 and above at which it is taken back.
    watch_errors: Option<u32>,
    /// Whether the old and the new instance may run at the same time.
    overlap: bool,
}

impl From<&apps::EditConfiguration> for Configuration {
    fn from(form: &apps::EditConfiguration) -> Self {
        fn number<T: std::str::FromStr>(text: &str) -> Option<T> {
            text.parse().ok()
        }
        let filled = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let lines = |text: &str| (!text.is_empty()).then(|| text.lines().map(str::to_owned).collect());
        Self {
            kind: form.kind.clone(),
            port: number(&form.port),
            health: form.health.clone(),
            health_path: filled(&form.health_path),
            health_alive: number(&form.health_alive),
            health_command: lines(&form.health_command),
            health_interval_ms: number(&form.health_interval_ms),
            health_timeout_ms: number(&form.health_timeout_ms),
            health_start_period_s: number(&form.health_start_period_s),
            memory_mib: number(&form.memory_mib),
            cpus: number(&form.cpus),
            instances: number(&form.instances),
            stop_grace_s: number(&form.stop_grace_s),
            drain_s: number(&form.drain_s),
            watch_s: number(&form.watch_s),
            watch_restarts: number(&form.watch_restarts),
            watch_errors: number(&form.watch_errors),
            overlap: form.overlap != "no",
        }
    }
}

/// Changes to what an app runs with. What is not there stays as it is; `null` is the default.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct EditConfiguration {
    /// `web` or `worker`.
    kind: Set<String>,
    /// web: the container's port, 1–65535.
    port: Set<u64>,
    /// `http` or `tcp` for web, `alive` or `command` for workers.
    health: Set<String>,
    /// http: the path asked for; default `/`.
    health_path: Set<String>,
    /// alive: seconds, 1–600; default 5.
    health_alive: Set<u64>,
    /// command: program and arguments; never given to a shell.
    health_command: Set<Vec<String>>,
    /// Milliseconds between two attempts, 100–60,000; default 250.
    health_interval_ms: Set<u64>,
    /// Milliseconds one attempt may take, 100–60,000; default 2,000.
    health_timeout_ms: Set<u64>,
    /// Seconds within which the first success must come, 1–3,600; default 60.
    health_start_period_s: Set<u64>,
    /// Memory limit in MiB, 6–16,777,216; default: the host's.
    memory_mib: Set<u64>,
    /// CPU limit in cores, 0.01–1,024; default: all.
    cpus: Set<f64>,
    /// Instances, 1–64; default 1.
    instances: Set<u64>,
    /// Seconds from SIGTERM to SIGKILL, 0–600; default 10.
    stop_grace_s: Set<u64>,
    /// Seconds an old instance may finish its requests, 0–3,600; default 30.
    drain_s: Set<u64>,
    /// Seconds a new release is watched, 0–3,600, 0 for not at all; default 60.
    watch_s: Set<u64>,
    /// Restarts of one instance at which it is taken back, 1–1,000; default 3.
    watch_restarts: Set<u64>,
    /// Per cent of answers of 500 and above at which it is taken back, 1–100; default 50.
    watch_errors: Set<u64>,
    /// Whether the old and the new instance may run at the same time; default true.
    overlap: Set<bool>,
}

impl EditConfiguration {
    /// Writes the changes into the form.
    pub fn apply(self, form: &mut apps::EditConfiguration) -> Result<(), Problem> {
        let Self { kind, port, health, health_path, health_alive, health_command, .. } = self;
        // Another kind has another proof of health, unless one is named.
        if matches!(&kind, Set::To(kind) if *kind != form.kind) && matches!(health, Set::Keep) {
            form.health.clear();
        }
        kind.text(&mut form.kind);
        port.shown(&mut form.port);
        health.text(&mut form.health);
        health_path.text(&mut form.health_path);
        health_alive.shown(&mut form.health_alive);
        if let Set::To(arguments) = &health_command
            && let Some(entry) = arguments.iter().position(|text| text.is_empty() || text.contains(['\n', '\r']))
        {
            let detail = "An argument is not empty and is on one line.".to_owned();
            let wrong = Wrong { field: "health_command".to_owned(), entry: Some(entry), detail };
            return Err(Problem::Fields(vec![wrong]));
        }
        health_command.with(&mut form.health_command, |arguments| arguments.join("\n"));
        self.health_interval_ms.shown(&mut form.health_interval_ms);
        self.health_timeout_ms.shown(&mut form.health_timeout_ms);
        self.health_start_period_s.shown(&mut form.health_start_period_s);
        self.memory_mib.shown(&mut form.memory_mib);
        self.cpus.shown(&mut form.cpus);
        self.instances.shown(&mut form.instances);
        self.stop_grace_s.shown(&mut form.stop_grace_s);
        self.drain_s.shown(&mut form.drain_s);
        self.watch_s.shown(&mut form.watch_s);
        self.watch_restarts.shown(&mut form.watch_restarts);
        self.watch_errors.shown(&mut form.watch_errors);
        self.overlap.with(&mut form.overlap, |overlap| if overlap { "yes" } else { "no" }.to_owned());
        Ok(())
    }
}

async fn show(State(api): State<Api>, caller: Caller, OfApp(id): OfApp) -> Result<Json<Configuration>, Problem> {
    let view = apps::get(api.actions(), &caller.actor, id).await?;
    Ok(Json((&view.configuration).into()))
}

async fn edit(
    State(api): State<Api>,
    caller: Caller,
    OfApp(id): OfApp,
    Sent(edit): Sent<EditConfiguration>,
) -> Result<Json<Configuration>, Problem> {
    let mut form = apps::get(api.actions(), &caller.actor, id).await?.configuration;
    edit.apply(&mut form)?;
    apps::configure(api.actions(), &caller.actor, id, form).await?;
    show(State(api), caller, OfApp(id)).await
}
