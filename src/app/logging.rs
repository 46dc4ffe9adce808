//! The program's own log, on standard error. Not here: what is logged; logs of jobs.

use std::io::IsTerminal;

use tracing::Level;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{LogFormat, Store};

/// Starts the log of a server.
pub fn start(store: &Store) {
    // Notices of the database's client ("already exists, skipping") are no news to an operator.
    let level = if store.log == "info" { "info,sqlx=warn" } else { &store.log };
    let filter = EnvFilter::try_new(level).unwrap_or_else(|_| EnvFilter::new("info"));
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let open = tracing_subscriber::registry().with(filter).with(filter_fn(|of| may_speak(of.target(), *of.level())));
    match store.log_format {
        LogFormat::Human => {
            open.with(lines.with_ansi(std::io::stderr().is_terminal()).with_target(false)).init();
        }
        LogFormat::Json => open.with(lines.json().flatten_event(true)).init(),
    }
}

/// Starts the log of a command: only what went wrong, so that its own words can be read.
pub fn start_quiet(store: &Store) {
    let level = if store.log == "info" { "warn" } else { &store.log };
    let filter = EnvFilter::try_new(level).unwrap_or_else(|_| EnvFilter::new("warn"));
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_target(false);
    tracing_subscriber::registry()
        .with(filter)
        .with(filter_fn(|of| may_speak(of.target(), *of.level())))
        .with(lines.with_ansi(std::io::stderr().is_terminal()))
        .init();
}

/// Whether somebody may write into the log at this level, whatever the settings ask for. Libraries print the bodies of
/// requests below INFO, and a container's environment is one of them: `SKIFF_LOG=debug` tells more of Skiff alone.
fn may_speak(target: &str, level: Level) -> bool {
    level <= Level::INFO || target.split("::").next() == Some(env!("CARGO_CRATE_NAME"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_never_tell_what_they_send() {
        assert!(may_speak("skiff::jobs::execute", Level::DEBUG) && may_speak("bollard::docker", Level::WARN));
        for target in ["bollard::docker", "russh::client", "log", "skiffs", ""] {
            assert!(!may_speak(target, Level::DEBUG) && !may_speak(target, Level::TRACE), "{target}");
        }
    }
}
