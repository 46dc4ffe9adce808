//! The pages side by side with bare ones: home, an app and a deploy of a full panel against an axum handler with one indexed
//! query and an askama template that lists the same rows, on one runtime, in turn.
//!
//! `cargo bench --bench pages`, or `-- --seconds 1 --rounds 5` for a shorter one. Ends with status 1 where a page is below half the
//! bare page's requests per second, where its p99 is above three times the bare one's, or where more rows mean more queries.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a bench says what went wrong by stopping there"
)]

mod anew;
mod bare;
mod count;
#[path = "../../tests/it/harness/mod.rs"]
mod harness;
mod load;
#[path = "../../tests/it/pages/scene.rs"]
#[allow(dead_code, reason = "the bench seeds more than one case's scene")]
mod scene;
mod seed;

use std::time::Duration;

use load::Measured;

/// Threads that serve, as in the program.
const THREADS: usize = 2;
/// Connections that ask at the same time.
const CONNECTIONS: usize = 8;
/// At least this share of the bare page's requests per second.
const SHARE: f64 = 0.5;
/// At most this many times the bare page's p99.
const TIMES: f64 = 3.0;
/// Apps whose pages, and deploys', are asked for in turn: people look at some of a panel's pages at a time.
const SHOWN: usize = 20;
/// How often something is written meanwhile: four hosts, each looked at every ten seconds.
const WRITE_EVERY: Duration = Duration::from_millis(2500);

/// One page, and the bare one beside it.
struct Pair {
    name: &'static str,
    ours: Vec<String>,
    bare: Vec<String>,
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    // `cargo test --all-targets` runs benches too: a figure of a debug build says nothing.
    if !args.iter().any(|arg| arg == "--bench") {
        return;
    }
    let number = |name: &str, usual: u64| {
        let at = args.iter().position(|arg| arg == name);
        at.and_then(|at| args.get(at + 1)?.parse().ok()).unwrap_or(usual)
    };
    let (seconds, rounds) = (number("--seconds", 3), usize::try_from(number("--rounds", 5)).unwrap());
    // A server of its own: what others write to a shared one is not ours to measure.
    if std::env::var_os("SKIFF_TEST_DATABASE_URL").is_some() {
        let again = std::process::Command::new(std::env::current_exe().unwrap())
            .args(&args[1..])
            .env_remove("SKIFF_TEST_DATABASE_URL")
            .status()
            .unwrap();
        std::process::exit(again.code().unwrap_or(1));
    }
    let serving = runtime(THREADS);
    let asking = runtime(1);
    let missed = serving.block_on(run(&asking, Duration::from_secs(seconds), rounds));
    asking.shutdown_background();
    serving.shutdown_background();
    for sentence in &missed {
        println!("missed: {sentence}");
    }
    std::process::exit(i32::from(!missed.is_empty()));
}

fn runtime(threads: usize) -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build().unwrap()
}

/// Everything, and what was missed.
async fn run(asking: &tokio::runtime::Runtime, lasting: Duration, rounds: usize) -> Vec<String> {
    let mut missed = Vec::new();
    let panel = harness::door::Panel::open().await;
    let mut seed = seed::Seed::begin(&panel).await;
    let visitor = panel.signed_in("ada@example.org").await;
    let cookie = visitor.get("/").await; // signed in, the store has a session
    assert_eq!(cookie.status(), 303);
    let cookie = load::session_cookie(&panel).await;

    seed.grow(20).await;
    let few = count::statements(&panel, &seed, &cookie).await;
    seed.grow(200).await;
    let many = count::statements(&panel, &seed, &cookie).await;
    println!("statements of a page that was never read before, and of one that was just read:");
    for (at, name) in count::PAGES.iter().enumerate() {
        println!("  {name:<8} 20 apps: {:?}   200 apps: {:?}", few[at], many[at]);
        if few[at] != many[at] {
            missed.push(format!("{name} asks more often where there are more rows"));
        }
    }

    seed.shown(SHOWN);
    let beside = bare::serve(&panel, &seed).await;
    let pairs = [
        Pair { name: "home", ours: vec![seed.home()], bare: vec!["/home".into()] },
        Pair { name: "app", ours: seed.app_pages(), bare: seed.ids("/apps/") },
        Pair { name: "deploy", ours: seed.deploy_pages(), bare: seed.deploy_ids("/deploys/") },
    ];
    let writing = tokio::spawn(write_now_and_then(panel.db.superuser().await));
    println!("{}", machine());
    println!(
        "{CONNECTIONS} connections on {SHOWN} of the apps, {rounds} rounds of {} s each, a write every 2.5 s meanwhile\n",
        lasting.as_secs()
    );
    println!(
        "{:<8}{:>10}{:>10}{:>8}{:>11}{:>11}{:>8}{:>10}{:>10}",
        "page", "ours/s", "bare/s", "share", "ours p99", "bare p99", "times", "ours KB", "bare KB"
    );
    let ask = |authority: &str, paths: &[String]| {
        let (authority, paths, cookie) = (authority.to_owned(), paths.to_vec(), cookie.clone());
        let asked = asking.spawn(load::ask(authority, paths, cookie, CONNECTIONS, lasting));
        async move { asked.await.unwrap() }
    };
    let one = vec!["/one".to_owned()];
    let mut alone: Vec<Measured> = Vec::new();
    for pair in &pairs {
        // Once around, so that both sides have their connections and plans.
        ask(&panel.authority, &pair.ours).await;
        ask(&beside, &pair.bare).await;
        let (mut ours, mut bare) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            ours.push(ask(&panel.authority, &pair.ours).await);
            bare.push(ask(&beside, &pair.bare).await);
            alone.push(ask(&beside, &one).await);
        }
        let rate = |of: &[Measured]| median(of.iter().map(|one| one.per_second));
        let p99 = |of: &[Measured]| median(of.iter().map(|one| one.p99_ms));
        let share = median(ours.iter().zip(&bare).map(|(ours, bare)| ours.per_second / bare.per_second));
        let times = median(ours.iter().zip(&bare).map(|(ours, bare)| ours.p99_ms / bare.p99_ms));
        println!(
            "{:<8}{:>10.0}{:>10.0}{share:>8.2}{:>8.1} ms{:>8.1} ms{times:>8.2}{:>10}{:>10}",
            pair.name,
            rate(&ours),
            rate(&bare),
            p99(&ours),
            p99(&bare),
            ours[0].bytes / 1024,
            bare[0].bytes / 1024,
        );
        if share < SHARE {
            missed.push(format!("{} serves {share:.2} of the bare page's requests, not {SHARE}", pair.name));
        }
        if times > TIMES {
            missed.push(format!("{} has {times:.1} times the bare page's p99, not {TIMES}", pair.name));
        }
    }
    let rate = median(alone.iter().map(|one| one.per_second));
    println!(
        "\nFor comparison, a bare page of one row: {rate:.0}/s, p99 {:.1} ms",
        median(alone.iter().map(|one| one.p99_ms))
    );
    writing.abort();
    println!("\nread anew, with a write before every request (median, one connection; no mark):");
    let mut conn = panel.db.superuser().await;
    for pair in &pairs {
        let ours = anew::median(&mut conn, &panel.authority, &pair.ours, &cookie).await.as_secs_f64() * 1e3;
        let bare = anew::median(&mut conn, &beside, &pair.bare, &cookie).await.as_secs_f64() * 1e3;
        println!("  {:<8} ours {ours:.1} ms   bare {bare:.1} ms", pair.name);
    }
    missed
}

/// What a host that is watched writes.
async fn write_now_and_then(mut conn: sqlx::PgConnection) {
    loop {
        tokio::time::sleep(WRITE_EVERY).await;
        load::write(&mut conn).await;
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// What it was measured on.
fn machine() -> String {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap();
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ")).map_or("?", |it| it.1);
    let cores = std::thread::available_parallelism().unwrap();
    let load = std::fs::read_to_string("/proc/loadavg").unwrap();
    format!("{model}, {cores} cores; load before: {}", load.split_whitespace().next().unwrap_or("?"))
}
