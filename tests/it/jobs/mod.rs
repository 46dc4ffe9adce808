//! Jobs on real hosts.

mod accidents;
mod addresses;
mod barrier;
mod cancelled;
mod deploy;
mod environment;
mod failures;
mod fleet;
mod killed;
mod kinds;
mod moves;
mod peers;
mod registry;
mod removal;
mod retention;
mod run_bash;
mod running;
mod taken_back;
mod volumes;
mod zero_downtime;
