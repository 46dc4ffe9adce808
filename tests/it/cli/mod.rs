//! The real binary as a client of the real panel: what people and scripts see, and the exit status.

mod commands;
mod deploys;
mod dockerfiles;
mod host_checks;
mod logs;
mod refusals;
pub mod terminal;
