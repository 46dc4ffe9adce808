//! Commands. Those of the panel's own machine (`setup`, `admin`) call actions; `self-upgrade` is the package's; `docs` needs nothing; all others are a client of
//! `/api/v1` and work from any machine. Not here: queries, pages, how the program is wired.

mod acme;
pub mod admin;
mod apps;
mod certificates;
mod channels;
mod client;
mod completions;
mod deploys;
mod dockerfiles;
pub mod docs;
pub mod doctor;
mod ensure;
mod env;
mod failed;
mod follow;
mod front_door;
mod fronts;
mod host_checks;
mod hosts;
mod login;
mod logs;
mod notices;
mod open;
mod orders;
mod releases;
pub mod remote;
mod routes;
mod secrets;
pub mod self_upgrade;
pub mod setup;
mod show;
mod status;
mod told;
mod typed;
mod wait;

pub use failed::{Failed, MORE};
