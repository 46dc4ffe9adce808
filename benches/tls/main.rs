//! HTTPS on a host with a thousand domains: how long one more takes from the ask until a browser is answered, how many handshakes the
//! proxy does beside one that was configured by hand with the same certificates, and certificates that change while visitors come.
//! `cargo bench --bench tls [-- --domains 1000 --rounds 9 --seconds 4]`, as root. It ends with 1 where a mark is missed.
//!
//! Timed from the call that asks to the first whole handshake under the new name, as a visitor who tries every three milliseconds finds it: the
//! transaction, the queue, the files by SFTP, and the running proxy are all in it. What an authority takes to issue is not: the
//! certificate is brought. The panel, the visitors and the proxy share the machine's cores.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a benchmark says what went wrong by stopping there"
)]

mod hand;
#[path = "../../tests/it/harness/mod.rs"]
mod harness;
mod rate;
mod scene;

use std::time::{Duration, Instant};

use harness::host::machine;
use harness::postgres::DURABLE;
use harness::visitors::Visitors;
use rate::Kind;
use scene::Scene;

/// Domains of the host before the first is added.
const DOMAINS: usize = 1_000;
/// Domains that are added in each of the ways, and certificates that change under load.
const ROUNDS: usize = 9;
/// Rounds of handshakes at each of the two proxies, and how long one lasts.
const TURNS: usize = 5;
const SECONDS: u64 = 4;
/// Visitors of other domains while one is added.
const BESIDE: u64 = 100;
/// Visitors while certificates change.
const LOAD: (u64, usize) = (200, 20);
/// One more domain, from the ask to the handshake.
const MOST_ADDED_MS: f64 = 100.0;
/// Handshakes beside the proxy that was configured by hand.
const LEAST_RATE: f64 = 0.95;

/// What was told, and whether it was good enough.
#[derive(Default)]
pub struct Told(usize);

impl Told {
    fn row(&mut self, what: &str, value: &str, mark: &str, fine: bool) {
        self.0 += usize::from(!fine);
        println!("{what:<72} {value:>28}   {mark}{}", if fine { "" } else { "   MISSED" });
    }

    fn line(what: &str, value: &str) {
        println!("{what:<72} {value:>28}");
    }
}

pub fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

fn range(all: &[f64], unit: &str) -> String {
    let (low, high) = all.iter().fold((f64::MAX, 0.0_f64), |(low, high), x| (low.min(*x), high.max(*x)));
    format!("{:.1} ({low:.1}–{high:.1}) {unit}", median(all.to_vec()))
}

#[tokio::main]
async fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if !args.iter().any(|arg| arg == "--bench") {
        println!("benches/tls is run by: cargo bench --bench tls");
        return;
    }
    let value = |name: &str| args.iter().position(|arg| arg == name).and_then(|at| args.get(at + 1));
    let domains = value("--domains").map_or(DOMAINS, |count| count.parse().unwrap()).max(2);
    let rounds = value("--rounds").map_or(ROUNDS, |count| count.parse().unwrap()).clamp(1, scene::MOST_ROUNDS);
    let seconds = value("--seconds").map_or(SECONDS, |count| count.parse().unwrap()).max(1);
    DURABLE.store(true, std::sync::atomic::Ordering::Relaxed);
    println!("{}", machine());
    let mut told = Told::default();
    let scene = Scene::set(domains).await;
    adding(&scene, rounds, &mut told).await;
    handshakes(&scene, Duration::from_secs(seconds), &mut told).await;
    changing(&scene, rounds, &mut told).await;
    std::process::exit(i32::from(told.0 > 0));
}

/// One more domain, in three ways, while visitors of the others come.
async fn adding(scene: &Scene, rounds: usize, told: &mut Told) {
    let visitors = Visitors::start(&scene.way(), scene.domains.clone(), BESIDE, 5).await;
    visitors.go_on(BESIDE).await;
    let [mut by_certificate, mut by_route, mut by_both, mut whole, mut on_host] = [(); 5].map(|()| Vec::new());
    for round in 0..rounds {
        // Its route is there, its certificate comes.
        let name = format!("c{round}.more.test");
        let job = scene.route(&name).await;
        scene.over(job).await;
        let made = scene.authority.issue(&[name.as_str()], 90);
        let began = Instant::now();
        let ((), served) = tokio::join!(scene.upload(&made), scene.served(&name, &made));
        by_certificate.push(milliseconds(served - began));
        let job = scene.newest().await;
        whole.push(scene.lasted(job).await);
        on_host.push(scene.steps(job).await);

        // Its certificate is there, its route comes.
        let name = format!("r{round}.more.test");
        let made = scene.authority.issue(&[name.as_str()], 90);
        scene.upload(&made).await;
        scene.over(scene.newest().await).await;
        let began = Instant::now();
        let (job, served) = tokio::join!(scene.route(&name), scene.served(&name, &made));
        by_route.push(milliseconds(served - began));
        scene.over(job).await;

        // Both are asked for at once.
        let name = format!("b{round}.more.test");
        let made = scene.authority.issue(&[name.as_str()], 90);
        let began = Instant::now();
        let both = async {
            scene.upload(&made).await;
            scene.route(&name).await
        };
        let (route, served) = tokio::join!(both, scene.served(&name, &made));
        by_both.push(milliseconds(served - began));
        for job in [scene.newest().await, route] {
            scene.over(job).await;
        }
    }
    let seen = visitors.end().await;
    println!(
        "\none more domain on a host with {} of them, from the ask to a handshake under it; median (least–most)",
        scene.domains.len()
    );
    let mark = format!("≤ {MOST_ADDED_MS} ms");
    for (what, all) in [
        ("its certificate and its route, asked for one after the other", &by_both),
        ("its certificate, where the route is there", &by_certificate),
        ("its route, where the certificate is there", &by_route),
    ] {
        told.row(what, &range(all, "ms"), &mark, median(all.clone()) <= MOST_ADDED_MS);
    }
    Told::line("  of the certificate: the job on the host, files and running proxy", &range(&on_host, "ms"));
    Told::line("  of the certificate: the whole job, the look at all others after it", &range(&whole, "ms"));
    let words = format!("{} of {}", seen.failures.len(), seen.answers);
    told.row("requests to other domains that failed meanwhile", &words, "0", seen.failures.is_empty());
    seen.failures.iter().take(5).for_each(|why| println!("    {why}"));
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

/// Handshakes a second at Skiff's proxy and at the one configured by hand, in turn.
async fn handshakes(scene: &Scene, lasts: Duration, told: &mut Told) {
    let hand = hand::start(scene).await;
    println!(
        "\nhandshakes a second, {} certificates, {TURNS} turns of {} s each; median (least–most)",
        scene.domains.len(),
        lasts.as_secs()
    );
    for kind in Kind::ALL {
        let (mut rates, mut costs) = ([Vec::new(), Vec::new()], [Vec::new(), Vec::new()]);
        let mut resumed = [(0, 0); 2];
        for turn in 0..TURNS {
            // Who comes first changes.
            let order = if turn % 2 == 0 { [0, 1] } else { [1, 0] };
            for who in order {
                let (port, pid) = if who == 0 { (443, scene.worker().await) } else { (hand::PORT, hand.pid().await) };
                let before = scene.cpu(&pid).await;
                let done = rate::measure(scene, port, kind, lasts).await;
                let cpu = scene.cpu(&pid).await - before;
                rates[who].push(done.per_second);
                costs[who].push(done.handshakes as f64 / cpu.as_secs_f64());
                resumed[who] = (resumed[who].0 + done.resumed, resumed[who].1 + done.handshakes);
            }
        }
        let part = |all: &[Vec<f64>; 2]| median(all[0].clone()) / median(all[1].clone());
        Told::line(&format!("{}: Skiff's", kind.words()), &range(&rates[0], "/s"));
        Told::line(&format!("{}: by hand", kind.words()), &range(&rates[1], "/s"));
        if kind == Kind::Resumed {
            let [ours, theirs] = resumed.map(|(resumed, all)| format!("{resumed} of {all}"));
            Told::line("  of these resumed, by hand", &theirs);
            Told::line("  of these resumed, Skiff's", &ours);
        }
        if kind == Kind::Request {
            // Not a mark: the other one writes no headers of its own, answers no authority and has no rules of routes.
            Told::line("  Skiff's as a part of the other's", &format!("{:.3}", part(&rates)));
            Told::line("  the same for each second that the proxy computed", &format!("{:.3}", part(&costs)));
            continue;
        }
        let mark = format!("≥ {LEAST_RATE}");
        told.row(
            "  Skiff's as a part of the other's",
            &format!("{:.3}", part(&rates)),
            &mark,
            part(&rates) >= LEAST_RATE,
        );
        told.row(
            "  the same for each second that the proxy computed",
            &format!("{:.3} of {:.0}", part(&costs), median(costs[1].clone())),
            &mark,
            part(&costs) >= LEAST_RATE,
        );
    }
    hand.stop().await;
}

/// Certificates that change while visitors come and stay.
async fn changing(scene: &Scene, rounds: usize, told: &mut Told) {
    let name = &scene.domains[0];
    let visitors = Visitors::start(&scene.way(), vec![name.clone()], LOAD.0, LOAD.1).await;
    visitors.go_on(LOAD.0).await;
    for _ in 0..rounds {
        let made = scene.authority.issue(&[name.as_str()], 180);
        tokio::join!(scene.upload(&made), scene.served(name, &made));
        scene.over(scene.newest().await).await;
        visitors.go_on(LOAD.0 / 2).await;
    }
    let seen = visitors.end().await;
    println!(
        "\n{rounds} changes of a certificate under {} requests/s, each with a handshake, and {} websockets",
        LOAD.0, LOAD.1
    );
    let words = format!("{} of {} and {} echoes", seen.failures.len(), seen.answers, seen.echoes);
    told.row("failures", &words, "0", seen.failures.is_empty());
    seen.failures.iter().take(5).for_each(|why| println!("    {why}"));
}
