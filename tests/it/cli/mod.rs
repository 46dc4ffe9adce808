//! The real binary as a client of the real panel: what people and scripts see, and the exit status.

mod commands;
mod deploys;
mod logs;
mod host_checks;
mod refusals;
pub mod terminal;
