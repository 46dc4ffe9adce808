//! Jobs on real hosts.

mod accidents;
mod addresses;
mod cancelled;
mod deploy;
mod environment;
mod failures;
mod fleet;
mod killed;
mod kinds;
mod moves;
mod registry;
mod retention;
mod run_bash;
mod running;
mod taken_back;
mod volumes;
mod zero_downtime;
