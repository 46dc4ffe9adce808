//! Skiff: the control panel for people who did not want to use Kubernetes.
//!
//! Floors, from the ground up; a room imports only from floors below, and siblings on one floor never import each
//! other (`tests/it/floors.rs` is the judge).

// 1 · nouns and decisions
pub mod domain;
// 2 · the outside, one adapter each; the docs in the program
pub mod db;
pub mod guide;
pub mod providers;
pub mod remote;
pub mod vault;
// 3 · the durable queue, the way to hosts
pub mod access;
pub mod queue;
// 4 · done later, and looked at all the time
pub mod jobs;
pub mod watch;
// 5 · everything an actor may ask for
pub mod actions;
// 6 · doors, on what all of them have
pub mod api;
pub mod cli;
pub mod door;
pub mod schedule;
pub mod web;
// 7 · wiring
pub mod app;
pub mod config;
