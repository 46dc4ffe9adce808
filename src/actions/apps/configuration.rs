//! The configuration form and the description it stands for, both ways. Not here: source, routes, variables, volumes.

use std::collections::BTreeMap;

use super::forms::EditConfiguration;
use super::views::HealthView;
use crate::actions::fields::Fields;
use crate::domain::app::{Health, Kind, Probe, Spec, Watch};
use crate::domain::names::HttpPath;

/// The most arguments of a health command, and the most bytes of one: a command line of the kernel holds far more.
const MOST_ARGUMENTS: usize = 64;
const LONGEST_ARGUMENT: usize = 4096;

/// The form as it begins.
pub fn defaults() -> EditConfiguration {
    form(&base(Kind::Web, 8080))
}

/// A description with nothing but defaults.
fn base(kind: Kind, port: u16) -> Spec {
    match (kind, "/".parse::<HttpPath>()) {
        (Kind::Web, Ok(path)) => Spec::web(port, path),
        (Kind::Web | Kind::Worker, _) => Spec::worker(),
    }
}

/// Reads the form. What the form does not hold (routes, variables, secrets, volumes) is empty in the answer.
pub fn read(fields: &mut Fields, form: &EditConfiguration) -> Option<Spec> {
    let kinds = [("web", Kind::Web), ("worker", Kind::Worker), ("", Kind::Web)];
    let kind = fields.choice("kind", form.kind.trim(), &kinds)?;
    let port = match kind {
        Kind::Web => fields.number::<u16>("port", &form.port, 1..=65535, ""),
        Kind::Worker => None,
    };
    let default = base(kind, port.unwrap_or(1));
    let probe = probe(fields, form, kind);
    let interval_ms = fields.number_or(
        "health_interval_ms",
        &form.health_interval_ms,
        default.health.interval_ms,
        100..=60_000,
        "milliseconds",
    );
    let timeout_ms = fields.number_or(
        "health_timeout_ms",
        &form.health_timeout_ms,
        default.health.timeout_ms,
        100..=60_000,
        "milliseconds",
    );
    let start_period_s = fields.number_or(
        "health_start_period_s",
        &form.health_start_period_s,
        default.health.start_period_s,
        1..=3_600,
        "seconds",
    );
    let memory_mib = fields.optional_number("memory_mib", &form.memory_mib, 6..=16_777_216, "MB; empty for no limit");
    let cpu_milli = cores(fields, &form.cpus);
    let instances = fields.number_or("instances", &form.instances, default.instances, 1..=64, "");
    let stop_grace_s = fields.number_or("stop_grace_s", &form.stop_grace_s, default.stop_grace_s, 0..=600, "seconds");
    let drain_s = fields.number_or("drain_s", &form.drain_s, default.drain_s, 0..=3_600, "seconds");
    let seconds =
        fields.number_or("watch_s", &form.watch_s, default.watch.seconds, 0..=3_600, "seconds; 0 for no watch");
    let max_restarts =
        fields.number_or("watch_restarts", &form.watch_restarts, default.watch.max_restarts, 1..=1_000, "");
    let max_error_percent =
        fields.number_or("watch_errors", &form.watch_errors, default.watch.max_error_percent, 1..=100, "per cent");
    let overlap = fields.choice("overlap", form.overlap.trim(), &[("yes", true), ("no", false), ("", true)]);
    if kind == Kind::Web && port.is_none() {
        return None;
    }
    Some(Spec {
        kind,
        port,
        health: Health {
            probe: probe?,
            interval_ms: interval_ms?,
            timeout_ms: timeout_ms?,
            start_period_s: start_period_s?,
        },
        routes: Vec::new(),
        variables: BTreeMap::new(),
        secrets: BTreeMap::new(),
        mounts: Vec::new(),
        memory_mib,
        cpu_milli,
        instances: instances?,
        stop_grace_s: stop_grace_s?,
        drain_s: drain_s?,
        watch: Watch { seconds: seconds?, max_restarts: max_restarts?, max_error_percent: max_error_percent? },
        overlap: overlap?,
    })
}

/// Which proof a form asks for.
#[derive(Clone, Copy)]
enum By {
    Http,
    Tcp,
    Alive,
    Command,
}

/// Reads the health check's proof.
fn probe(fields: &mut Fields, form: &EditConfiguration, kind: Kind) -> Option<Probe> {
    let word = form.health.trim();
    let by = match kind {
        Kind::Web => fields.choice("health", word, &[("http", By::Http), ("tcp", By::Tcp), ("", By::Http)]),
        Kind::Worker => {
            fields.choice("health", word, &[("alive", By::Alive), ("command", By::Command), ("", By::Alive)])
        }
    }?;
    match by {
        By::Tcp => Some(Probe::Tcp),
        By::Http => {
            let path = if form.health_path.trim().is_empty() { "/" } else { &form.health_path };
            fields.text("health_path", path).map(|path| Probe::Http { path })
        }
        By::Alive => fields
            .number_or("health_alive", &form.health_alive, 5, 1..=600, "seconds")
            .map(|seconds| Probe::Alive { seconds }),
        By::Command => {
            let argv: Vec<String> =
                form.health_command.lines().map(str::to_owned).filter(|line| !line.is_empty()).collect();
            if argv.is_empty() {
                fields.wrong(
                    "health_command",
                    "Write the program on the first line and each argument on a line of its own.",
                );
                return None;
            }
            if argv.len() > MOST_ARGUMENTS || argv.iter().any(|a| a.len() > LONGEST_ARGUMENT || a.contains('\0')) {
                fields.wrong("health_command", format!("Use at most {MOST_ARGUMENTS} lines of at most {LONGEST_ARGUMENT} bytes, without NUL characters."));
                return None;
            }
            Some(Probe::Command { argv })
        }
    }
}

/// Reads cores, "0.5", as thousandths.
fn cores(fields: &mut Fields, raw: &str) -> Option<u32> {
    const SENTENCE: &str = "Use a number of cores from 0.01 to 1024, such as 0.5; empty for no limit.";
    let raw = raw.trim();
    if raw.is_empty() {
        return None;
    }
    let (whole, part) = raw.split_once('.').unwrap_or((raw, "0"));
    let digits = |text: &str, most: usize| (1..=most).contains(&text.len()) && text.chars().all(|c| c.is_ascii_digit());
    let milli = (digits(whole, 4) && digits(part, 3)).then(|| {
        let part = format!("{part:0<3}");
        whole.parse::<u32>().unwrap_or(0) * 1000 + part.parse::<u32>().unwrap_or(0)
    });
    let found = milli.filter(|milli| (10..=1_024_000).contains(milli));
    if found.is_none() {
        fields.wrong("cpus", SENTENCE);
    }
    found
}

/// The form of a description, filled in.
pub fn form(spec: &Spec) -> EditConfiguration {
    let mut form = EditConfiguration {
        kind: match spec.kind {
            Kind::Web => "web".into(),
            Kind::Worker => "worker".into(),
        },
        port: spec.port.map(|port| port.to_string()).unwrap_or_default(),
        health_interval_ms: spec.health.interval_ms.to_string(),
        health_timeout_ms: spec.health.timeout_ms.to_string(),
        health_start_period_s: spec.health.start_period_s.to_string(),
        memory_mib: spec.memory_mib.map(|mib| mib.to_string()).unwrap_or_default(),
        cpus: spec.cpu_milli.map(cores_text).unwrap_or_default(),
        instances: spec.instances.to_string(),
        stop_grace_s: spec.stop_grace_s.to_string(),
        drain_s: spec.drain_s.to_string(),
        watch_s: spec.watch.seconds.to_string(),
        watch_restarts: spec.watch.max_restarts.to_string(),
        watch_errors: spec.watch.max_error_percent.to_string(),
        overlap: if spec.overlap { "yes".into() } else { "no".into() },
        ..EditConfiguration::default()
    };
    match &spec.health.probe {
        Probe::Http { path } => {
            form.health = "http".into();
            form.health_path = path.to_string();
        }
        Probe::Tcp => form.health = "tcp".into(),
        Probe::Alive { seconds } => {
            form.health = "alive".into();
            form.health_alive = seconds.to_string();
        }
        Probe::Command { argv } => {
            form.health = "command".into();
            form.health_command = argv.join("\n");
        }
    }
    form
}

/// Thousandths of a core as people write cores: 500 is "0.5".
pub fn cores_text(milli: u32) -> String {
    let text = format!("{}.{:03}", milli / 1000, milli % 1000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The health check in words.
pub fn health(spec: &Spec) -> HealthView {
    let proof = match (&spec.health.probe, spec.port) {
        (Probe::Http { path }, Some(port)) => format!("GET {path} on port {port} answers 200–299"),
        (Probe::Http { path }, None) => format!("GET {path} answers 200–299"),
        (Probe::Tcp, Some(port)) => format!("port {port} accepts a connection"),
        (Probe::Tcp, None) => "the port accepts a connection".into(),
        (Probe::Alive { seconds }, _) => format!("alive for {seconds} s"),
        (Probe::Command { argv }, _) => format!("the command {} ends with status 0", argv.join(" ")),
    };
    let rhythm = format!(
        "every {} ms, at most {} ms each, first success within {} s",
        spec.health.interval_ms, spec.health.timeout_ms, spec.health.start_period_s
    );
    HealthView { proof, rhythm }
}

/// The form for the audit: field by field, without the empty ones.
pub fn words(form: &EditConfiguration) -> serde_json::Value {
    let fields = [
        ("kind", &form.kind),
        ("port", &form.port),
        ("health", &form.health),
        ("health path", &form.health_path),
        ("health seconds", &form.health_alive),
        ("health command", &form.health_command),
        ("health interval ms", &form.health_interval_ms),
        ("health timeout ms", &form.health_timeout_ms),
        ("health start period s", &form.health_start_period_s),
        ("memory MiB", &form.memory_mib),
        ("cpus", &form.cpus),
        ("instances", &form.instances),
        ("stop grace s", &form.stop_grace_s),
        ("drain s", &form.drain_s),
        ("watch s", &form.watch_s),
        ("watch restarts", &form.watch_restarts),
        ("watch errors %", &form.watch_errors),
        ("overlap", &form.overlap),
    ];
    let said = fields.into_iter().filter(|(_, text)| !text.is_empty());
    said.map(|(name, text)| (name.to_owned(), serde_json::Value::from(text.as_str()))).collect()
}
