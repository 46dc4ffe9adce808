//! The panel as a process: its size on disk, how soon it is ready on an existing cluster, what it weighs after ten idle minutes with
//! 20 apps and a host that is watched, and how long a second `bin/up` takes.
//!
//! `cargo bench --bench process`; `-- --minutes 1` idles for less, `-- --binary target/dist/skiff` measures another build, `-- --no-up`
//! leaves the fresh server out. As root, like the tests. Ends with status 1 where a figure is missed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a bench says what went wrong by stopping there"
)]

#[path = "../../tests/it/harness/mod.rs"]
mod harness;
mod panel;
mod up;

use std::path::PathBuf;
use std::time::Duration;

use harness::host::TestHost;
use panel::Panel;

/// Starts whose median is told.
const STARTS: usize = 5;
const APPS: usize = 20;
const MOST_RSS_MB: f64 = 40.0;
const MOST_BINARY_MB: f64 = 30.0;
const MOST_READY_S: f64 = 1.0;
const MOST_UP_S: f64 = 10.0;

fn main() {
    let args: Vec<String> = std::env::args().collect();
    // `cargo test --all-targets` runs benches too: a figure of a debug build says nothing.
    if !args.iter().any(|arg| arg == "--bench") {
        return;
    }
    let value = |name: &str| args.iter().position(|arg| arg == name).and_then(|at| args.get(at + 1));
    let minutes: f64 = value("--minutes").map_or(10.0, |minutes| minutes.parse().unwrap());
    let binary = value("--binary").map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_skiff")), PathBuf::from);
    let up = !args.iter().any(|arg| arg == "--no-up");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let missed = runtime.block_on(run(&binary, Duration::from_secs_f64(minutes * 60.0), up));
    std::process::exit(i32::from(missed > 0));
}

async fn run(binary: &std::path::Path, idle: Duration, up: bool) -> usize {
    println!("{}\n{}", panel::machine(), binary.display());
    let mut missed = 0;
    let mut told = |what: &str, value: f64, most: f64, unit: &str| {
        let sign = if value <= most { "" } else { "   MISSED" };
        missed += usize::from(value > most);
        println!("{what:<58}{value:>8.2} {unit:<3} (at most {most} {unit}){sign}");
    };

    let bytes = std::fs::metadata(binary).unwrap().len();
    told("binary", bytes as f64 / 1e6, MOST_BINARY_MB, "MB");

    let mut panel = Panel::new(binary);
    println!("{:<58}{:>8.2} s", "first start, with a new cluster", panel.start().await);
    let host = TestHost::light().await;
    panel.seed(&host, APPS).await;
    let mut starts = Vec::new();
    for _ in 0..STARTS {
        panel.stop().await;
        starts.push(panel.start().await);
    }
    starts.sort_by(f64::total_cmp);
    told("ready on an existing cluster, the cluster's start with it", starts[STARTS / 2], MOST_READY_S, "s");

    panel.sign_in_and_look().await;
    let (highest, last) = panel.idle(idle).await;
    println!("{:<58}{highest:>8.2} MB", format!("highest memory in {} s", idle.as_secs()));
    told(&format!("memory after {} s idle, {APPS} apps, one host watched", idle.as_secs()), last, MOST_RSS_MB, "MB");
    panel.stop().await;
    drop(host);

    if up {
        let (first, second) = up::twice(binary).await;
        println!("{:<58}{first:>8.2} s", "first bin/up on a fresh server, with a built program");
        told("second bin/up", second, MOST_UP_S, "s");
    }
    missed
}
