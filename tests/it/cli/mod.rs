//! The real binary as a client of the real panel: what people and scripts see, and the exit status.

mod certificates;
mod commands;
mod deploys;
mod dockerfiles;
mod front_door;
mod host_checks;
mod logs;
mod notices;
mod refusals;
mod routes;
pub mod terminal;
