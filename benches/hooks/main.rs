//! Push to deploy under load: signed pushes at a pace no forge has, floods of forged ones and of huge bodies, while the
//! deploys they ask for run on a real host. `cargo bench --bench hooks [-- --seconds S --pushes N --flood PER_SECOND]`,
//! as root. It ends with 1 where a mark is missed.
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
mod pace;
mod scene;

use std::sync::Arc;
use std::time::{Duration, Instant};

use harness::host::machine;
use harness::postgres::DURABLE;
use pace::{Answers, at_pace};
use scene::Scene;

/// Signed pushes in all, over both apps.
const PUSHES: u64 = 10_000;
/// Seconds of each flood.
const SECONDS: u64 = 60;
/// Forged pushes a second.
const FLOOD: u64 = 2_000;
/// Signed pushes a second while forged ones come.
const BESIDE: u64 = 20;
/// Huge bodies sent side by side, over and over.
const HUGE: usize = 20;
/// Forged calls to a hook that is there, and as many to one that is not.
const GUESSES: usize = 300;
/// A forge waits 10 s; the answer is to be there in a tenth of a second.
const MOST_MEDIAN_MS: f64 = 100.0;
const MOST_P99_MS: f64 = 1000.0;
/// How much sooner or later a hook that is there may say no than one that is not.
const MOST_TOLD_APART_MS: f64 = 1.0;
/// What a burst may add to the memory.
const MOST_BURST_MB: f64 = 64.0;
/// What huge bodies may add: three are read at once, 25 MiB each, and 64 MiB of small ones.
const MOST_HUGE_MB: f64 = 140.0;

struct Told(usize);

impl Told {
    fn at_most(&mut self, what: &str, value: f64, most: f64, unit: &str) {
        let sign = if value <= most { "" } else { "   MISSED" };
        self.0 += usize::from(value > most);
        println!("{what:<62}{value:>10.2} {unit:<3} (at most {most} {unit}){sign}");
    }

    fn answers(&mut self, what: &str, answers: &Answers) {
        let said: Vec<String> = answers.statuses.iter().map(|(status, n)| format!("{status}: {n}")).collect();
        let (median, p99) = (answers.percentile(50), answers.percentile(99));
        println!("{what:<62}{median:>10.2} ms  p99 {p99:.2} ms   {}", said.join(", "));
    }
}

#[tokio::main]
async fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if !args.iter().any(|arg| arg == "--bench") {
        println!("benches/hooks is run by: cargo bench --bench hooks");
        return;
    }
    let value =
        |name: &str| args.iter().position(|arg| arg == name).and_then(|at| args.get(at + 1)?.parse::<u64>().ok());
    let seconds = Duration::from_secs(value("--seconds").unwrap_or(SECONDS));
    let (pushes, flood) = (value("--pushes").unwrap_or(PUSHES), value("--flood").unwrap_or(FLOOD));
    DURABLE.store(true, std::sync::atomic::Ordering::Relaxed);
    println!("{}", machine());
    let mut told = Told(0);
    let scene = Arc::new(Scene::set().await);
    guesses(&scene, &mut told).await;
    burst(&scene, &mut told, seconds, pushes).await;
    forged(&scene, &mut told, seconds, flood).await;
    huge(&scene, &mut told, seconds / 4).await;
    let missed = told.0;
    match Arc::try_unwrap(scene) {
        Ok(scene) => scene.end().await,
        Err(_) => panic!("somebody still sends"),
    }
    std::process::exit(i32::from(missed > 0));
}

/// Forged calls tell nobody which hooks there are.
async fn guesses(scene: &Arc<Scene>, told: &mut Told) {
    let (mut there, mut not) = (Vec::new(), Vec::new());
    let path = &scene.hooks[0].path;
    let nowhere = format!("/hooks/github/{}", uuid::Uuid::new_v4());
    for round in 0..GUESSES {
        // In turn first.
        let turns = if round % 2 == 0 { [true, false] } else { [false, true] };
        for known in turns {
            let began = Instant::now();
            let status = scene.forged(if known { path } else { &nowhere }).await;
            assert_eq!(status, 401);
            if known { &mut there } else { &mut not }.push(began.elapsed());
        }
    }
    let median = |mut all: Vec<Duration>| {
        all.sort();
        all[all.len() / 2].as_secs_f64() * 1000.0
    };
    let (there, not) = (median(there), median(not));
    println!("forged: a hook that is there says no in {there:.2} ms, one that is not in {not:.2} ms");
    told.at_most("between the two", (there - not).abs(), MOST_TOLD_APART_MS, "ms");
    assert_eq!(scene.rows().await.0, 0, "nothing of it is written down");
}

/// Signed pushes of many commits.
async fn burst(scene: &Arc<Scene>, told: &mut Told, seconds: Duration, pushes: u64) {
    let before = scene.memory();
    let (watch, pages, memory) = (scene.watch_jobs(), scene.look_at_pages(), scene.watch_memory());
    let pause = seconds / u32::try_from(pushes).unwrap();
    let sender = scene.clone();
    let answers = at_pace(pause, seconds, move |n| {
        let scene = sender.clone();
        async move { scene.push(n).await }
    })
    .await;
    told.answers(&format!("{pushes} signed pushes in {} s", seconds.as_secs()), &answers);
    told.at_most("their answers, the median", answers.percentile(50), MOST_MEDIAN_MS, "ms");
    told.at_most("their 99th percentile", answers.percentile(99), MOST_P99_MS, "ms");
    told.at_most("answers that are no 202", answers.but(202) as f64, 0.0, "");
    told.answers("a page meanwhile", &pages.end().await);
    told.at_most("what it adds to the memory", memory.end().await - before, MOST_BURST_MB, "MB");
    let (most_running, most_waiting) = watch.end().await;
    told.at_most("deploys of an app that run at once, the most", most_running as f64, 1.0, "");
    told.at_most("deploys of an app that wait, the most", most_waiting as f64, 1.0, "");
    let (_, deploys, jobs) = scene.rows().await;
    assert_eq!(deploys, jobs, "each deploy has its job");
    assert!((1..=answers.count(202)).contains(&deploys), "{deploys} deploys");
    println!("{:<62}{deploys:>10}", "deploys asked for: pushes of one moment share one");
    scene.settled().await;
    println!("{:<62}{:>10}", "deploys that ran; the rest was superseded", scene.ran().await);
}

/// Forged pushes at a pace, and signed ones beside them.
async fn forged(scene: &Arc<Scene>, told: &mut Told, seconds: Duration, flood: u64) {
    let (before, rows) = (scene.memory(), scene.rows().await);
    let (pages, memory) = (scene.look_at_pages(), scene.watch_memory());
    let path = scene.hooks[0].path.clone();
    let (bad, good) = (scene.clone(), scene.clone());
    let flooding = at_pace(Duration::from_secs(1) / u32::try_from(flood).unwrap(), seconds, move |_| {
        let (scene, path) = (bad.clone(), path.clone());
        async move { scene.forged(&path).await }
    });
    let signed = at_pace(Duration::from_secs(1) / u32::try_from(BESIDE).unwrap(), seconds, move |n| {
        let scene = good.clone();
        async move { scene.push(1_000_000 + n).await }
    });
    let (flooding, signed) = tokio::join!(flooding, signed);
    let reached = flooding.all() as f64 / seconds.as_secs_f64();
    told.answers(&format!("{reached:.0} forged pushes/s for {} s", seconds.as_secs()), &flooding);
    told.answers(&format!("{BESIDE} signed pushes/s beside them"), &signed);
    told.at_most("the signed ones' 99th percentile", signed.percentile(99), MOST_P99_MS, "ms");
    told.at_most("signed ones that were not taken", signed.but(202) as f64, 0.0, "");
    told.at_most("forged ones answered otherwise than 401", flooding.but(401) as f64, 0.0, "");
    told.answers("a page meanwhile", &pages.end().await);
    told.at_most("what it adds to the memory", memory.end().await - before, MOST_BURST_MB, "MB");
    let left = scene.rows().await.1 - rows.1;
    assert!((1..=signed.count(202)).contains(&left), "only the signed ones left something: {left} deploys");
    scene.settled().await;
}

/// Forged bodies of 25 MiB, side by side.
async fn huge(scene: &Arc<Scene>, told: &mut Told, seconds: Duration) {
    let (before, rows) = (scene.memory(), scene.rows().await);
    let (pages, memory) = (scene.look_at_pages(), scene.watch_memory());
    let until = Instant::now() + seconds;
    let body = bytes::Bytes::from(vec![b'x'; 25 << 20]);
    let mut senders = tokio::task::JoinSet::new();
    for _ in 0..HUGE {
        let (scene, body) = (scene.clone(), body.clone());
        senders.spawn(async move {
            let mut answers = Answers::default();
            while Instant::now() < until {
                let began = Instant::now();
                answers.take(scene.forged_body(body.clone()).await, began.elapsed());
            }
            answers
        });
    }
    let good = scene.clone();
    let signed = at_pace(Duration::from_secs(1) / u32::try_from(BESIDE).unwrap(), seconds, move |n| {
        let scene = good.clone();
        async move { scene.push(2_000_000 + n).await }
    })
    .await;
    let mut bodies = Answers::default();
    while let Some(some) = senders.join_next().await {
        bodies.add(some.unwrap());
    }
    told.answers(&format!("{HUGE} senders of forged bodies of 25 MiB"), &bodies);
    told.answers(&format!("{BESIDE} signed pushes/s beside them"), &signed);
    told.at_most("the signed ones' 99th percentile", signed.percentile(99), MOST_P99_MS, "ms");
    told.at_most("signed ones that were not taken", signed.but(202) as f64, 0.0, "");
    told.answers("a page meanwhile", &pages.end().await);
    told.at_most("what it adds to the memory", memory.end().await - before, MOST_HUGE_MB, "MB");
    let left = scene.rows().await.1 - rows.1;
    assert!((1..=signed.count(202)).contains(&left), "only the signed ones left something: {left} deploys");
    scene.settled().await;
}
