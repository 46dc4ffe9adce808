//! Commands. Those of the panel's own machine (`setup`, `admin`) call actions; all others are a client of `/api/v1` and work
//! from any machine. Not here: queries, pages, how the program is wired.

pub mod admin;
mod apps;
mod client;
mod completions;
mod deploys;
mod ensure;
mod env;
mod failed;
mod follow;
mod host_checks;
mod hosts;
mod login;
mod logs;
mod open;
mod releases;
pub mod remote;
mod routes;
mod secrets;
pub mod setup;
mod show;
mod status;
mod typed;
mod wait;

pub use failed::Failed;
