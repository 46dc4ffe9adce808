//! Nouns and decisions: pure, synchronous, without clock, randomness, queries or logging.
//!
//! Everything that can be decided without asking the outside is decided here and tested as text.
//! What is deliberately not here: how a thing is stored, fetched, run or shown.

pub mod acme;
pub mod address;
pub mod alert;
pub mod app;
pub mod blots;
pub mod build;
pub mod build_log;
pub mod cause;
pub mod certificate;
pub mod channel;
pub mod container;
pub mod deploy;
pub mod diff;
pub mod dns;
pub mod docker_ignore;
pub mod dockerfile;
pub mod doctor;
pub mod help;
pub mod hook;
pub mod host;
pub mod host_check;
pub mod ids;
pub mod ingress;
pub mod inspection;
pub mod job;
pub mod jump;
pub mod log_text;
pub mod members;
pub mod names;
pub mod notice;
pub mod observed;
pub mod outgoing;
pub mod parts;
pub mod plan;
pub mod redact;
pub mod registry;
pub mod release;
pub mod retention;
pub mod rights;
pub mod rules;
pub mod run_bash;
pub mod secret;
pub mod source;
pub mod token;
pub mod trust;

/// What this program is, where it was built for a package by the package's own version.
pub const VERSION: &str = match option_env!("SKIFF_VERSION") {
    Some(version) => version,
    None => env!("CARGO_PKG_VERSION"),
};
