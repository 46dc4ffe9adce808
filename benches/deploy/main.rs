//! A deploy by Skiff beside the same deploy by a team's own shell script: the same hosts, image, health check and load,
//! in turn, in one run. `cargo bench --bench deploy [-- --hosts N --rounds N]`, as root. It ends with 1 where a mark is
//! missed. `--steps` tells when each of Skiff's steps began and ended.
//!
//! Timed from the call to the last request that was not answered by the new version, and to the end of it all (the old
//! container stopped and removed). Each deploy moves a layer of 2 MB from a registry on each host's loopback. On several
//! hosts the script runs on all of them at once.
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

use futures_util::future::join_all;
use harness::fleet;
use harness::host::TestHost;
use harness::postgres::DURABLE;
use harness::world::World;

/// Deploys each of the two does, without the first ones, which are not counted.
const ROUNDS: usize = 7;
/// The most hosts that one machine carries without becoming what is measured.
const MOST_HOSTS: usize = 3;
/// The marks on one host: Skiff's time as a part of the script's, to the last old answer and to the end.
const ONE_HOST: (f64, f64) = (0.6, 0.7);
/// The marks on several.
const MORE_HOSTS: (f64, f64) = (1.0, 1.0);

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
    /// The time that the panel computed while it ran.
    pub panel: Duration,
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
    let value = |name: &str| args.iter().position(|arg| arg == name).and_then(|at| args.get(at + 1)?.parse().ok());
    let rounds = value("--rounds").unwrap_or(ROUNDS);
    let count = value("--hosts").unwrap_or(1).clamp(1, MOST_HOSTS);
    DURABLE.store(true, std::sync::atomic::Ordering::Relaxed);
    let mut world = World::new().await;
    let hosts = join_all((0..count).map(|_| TestHost::bare())).await;
    let ids = fleet::ready(&world, &hosts.iter().collect::<Vec<_>>()).await;
    world.stop_worker().await;
    join_all(hosts.iter().map(rivals::registry)).await;
    let mut script = rivals::Script::prepare(&hosts).await;
    let mut skiff = rivals::Skiff::prepare(&hosts, &world, &ids, args.iter().any(|arg| arg == "--steps")).await;
    let (mut by_script, mut by_skiff) = (Vec::new(), Vec::new());
    for round in 0..=rounds {
        // In turn first, so that neither has the warmer machine.
        let (one, other) = if round % 2 == 0 {
            let one = script.deploy(&hosts).await;
            (one, skiff.deploy(&hosts).await)
        } else {
            let other = skiff.deploy(&hosts).await;
            (script.deploy(&hosts).await, other)
        };
        if round > 0 {
            by_script.push(one);
            by_skiff.push(other);
        }
    }
    let (most_new, most_done) = if count == 1 { ONE_HOST } else { MORE_HOSTS };
    let per_second = rivals::PER_SECOND;
    println!(
        "\n{rounds} deploys each on {count} hosts at {per_second} requests/s in all, half on kept connections; {}",
        harness::host::machine()
    );
    println!("{:<10} {:>22} {:>22} {:>7}", "seconds", "new answers all", "old stopped, done", "failed");
    let (script_new, script_done, _) = row("script", &by_script);
    let (skiff_new, skiff_done, failed) = row("skiff", &by_skiff);
    let (new, done) = (skiff_new / script_new, skiff_done / script_done);
    println!("{:<10} {new:>15.2} (≤ {most_new}) {done:>15.2} (≤ {most_done}) {failed:>7} (0)", "ratio");
    let computed = median(by_skiff.iter().map(|deploy| deploy.panel.as_secs_f64()).collect());
    println!("the panel computes for {computed:.2} s in a deploy");
    drop(skiff);
    world.quiet().await;
    drop(hosts);
    std::process::exit(i32::from(new > most_new || done > most_done || failed > 0));
}
