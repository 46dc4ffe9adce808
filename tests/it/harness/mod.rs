//! What the cases stand on: databases, test hosts, browsers.
#![allow(dead_code, reason = "a harness offers what a rig can do, whether or not a case asks for it yet")]

pub mod browser;
pub mod door;
pub mod fleet;
pub mod haproxy;
pub mod host;
pub mod panel;
pub mod postgres;
pub mod probe;
pub mod program;
pub mod quiet;
pub mod served;
pub mod services;
pub mod team;
pub mod tls;
pub mod visitors;
pub mod world;
