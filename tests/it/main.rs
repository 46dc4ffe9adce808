//! One integration binary. Everything outside is real: Postgres, sshd, dockerd, HAProxy, git, Chromium.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test says what went wrong by stopping there"
)]

mod acme;
mod actions;
mod api;
mod build;
mod cli;
mod compose;
mod db;
mod floors;
mod harness;
mod help;
mod hooks;
mod hosts;
mod ingress;
mod jobs;
mod notices;
mod package;
mod pages;
mod queue;
mod remote;
mod rig;
mod rights;
mod scripts;
mod up;
