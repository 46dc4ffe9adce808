//! A deploy by Skiff beside the same deploy by a team's own shell script: the same host, image, health check and load,
//! in turn, in one run. `cargo bench --bench deploy [-- ROUNDS]`, as root. It ends with 1 where a mark is missed.
//!
//! Timed from the call to the last request that was not answered by the new version, and to the end of it all (the old
//! container stopped and removed). Each deploy moves a layer of 2 MB from a registry on the host's loopback.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a benchmark says what went wrong by stopping there"
)]

#[path = "../../tests/it/harness/mod.rs"]
mod harness;
mod load;
mod rivals;

use std::time::Duration;

use harness::host::TestHost;
use harness::postgres::DURABLE;
use harness::world::World;

/// Deploys each of the two does, without the first ones, which are not counted.
const ROUNDS: usize = 7;
/// The marks: Skiff's time as a part of the script's.
const NEW_ANSWERS: f64 = 0.6;
const ALL_DONE: f64 = 0.7;

/// One deploy, measured.
#[derive(Clone, Copy, Default)]
pub struct Measured {
    /// From the call to the last request not answered by the new version.
    pub new_answers: Duration,
    /// From the call to its end.
    pub done: Duration,
    /// Requests answered while it ran.
    pub requests: usize,
    /// Requests that failed.
    pub failed: usize,
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

fn row(name: &str, all: &[Measured]) -> (f64, f64, usize) {
    let of = |pick: fn(&Measured) -> Duration| -> Vec<f64> { all.iter().map(|m| pick(m).as_secs_f64()).collect() };
    let (new, done) = (of(|m| m.new_answers), of(|m| m.done));
    let range = |all: &[f64]| {
        let (low, high) = all.iter().fold((f64::MAX, 0.0_f64), |(low, high), x| (low.min(*x), high.max(*x)));
        format!("{:.3} ({low:.3}–{high:.3})", median(all.to_vec()))
    };
    let (requests, failed) = all.iter().fold((0, 0), |sum, m| (sum.0 + m.requests, sum.1 + m.failed));
    println!("{name:<10} {:>22} {:>22} {failed:>7} of {requests}", range(&new), range(&done));
    (median(new), median(done), failed)
}

#[tokio::main]
async fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if !args.iter().any(|arg| arg == "--bench") {
        println!("benches/deploy is run by: cargo bench --bench deploy");
        return;
    }
    if std::env::var_os("RUST_LOG").is_some() {
        tracing_subscriber::fmt().with_env_filter(tracing_subscriber::EnvFilter::from_default_env()).init();
    }
    let rounds = args.iter().find_map(|arg| arg.parse().ok()).unwrap_or(ROUNDS);
    DURABLE.store(true, std::sync::atomic::Ordering::Relaxed);
    let (host, world) = (TestHost::bare().await, World::new().await);
    let id = world.provision(&host).await;
    rivals::registry(&host).await;
    let mut script = rivals::Script::prepare(&host).await;
    let mut skiff = rivals::Skiff::prepare(&host, &world, id).await;
    let (mut by_script, mut by_skiff) = (Vec::new(), Vec::new());
    for round in 0..=rounds {
        // In turn first, so that neither has the warmer machine.
        let (one, other) = if round % 2 == 0 {
            let one = script.deploy(&host).await;
            (one, skiff.deploy(&host).await)
        } else {
            let other = skiff.deploy(&host).await;
            (script.deploy(&host).await, other)
        };
        if round > 0 {
            by_script.push(one);
            by_skiff.push(other);
        }
    }
    println!("\n{rounds} deploys each at {} requests/s, half on kept connections; {}", rivals::PER_SECOND, machine());
    println!("{:<10} {:>22} {:>22} {:>7}", "seconds", "new answers all", "old stopped, done", "failed");
    let (script_new, script_done, _) = row("script", &by_script);
    let (skiff_new, skiff_done, failed) = row("skiff", &by_skiff);
    let (new, done) = (skiff_new / script_new, skiff_done / script_done);
    println!("{:<10} {new:>15.2} (≤ {NEW_ANSWERS}) {done:>15.2} (≤ {ALL_DONE}) {failed:>7} (0)", "ratio");
    world.quiet().await;
    drop(host);
    std::process::exit(i32::from(new > NEW_ANSWERS || done > ALL_DONE || failed > 0));
}

fn machine() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let load = read("/proc/loadavg").split_whitespace().next().unwrap_or_default().to_owned();
    format!("{cores} cores, load {load}, Linux {}", read("/proc/sys/kernel/osrelease").trim())
}
