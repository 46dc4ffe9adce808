//! Jobs on real hosts.

mod accidents;
mod addresses;
mod barrier;
mod cancelled;
mod check_host;
mod deploy;
mod environment;
mod failures;
mod fleet;
mod killed;
mod kinds;
mod lost;
mod moves;
mod orders;
mod peers;
mod provision_accidents;
mod registry;
mod removal;
mod retention;
mod routes;
mod run_bash;
mod running;
mod stale;
mod taken_back;
mod volumes;
mod zero_downtime;
