//! A panel with fifty hosts: what it weighs and computes while it watches them, how many connections it keeps to each,
//! and that one which swallows packets does not slow what is asked of another. `cargo bench --bench fleet
//! [-- --hosts N --seconds S]`, as root. It ends with 1 where a mark is missed.
//!
//! Three hosts are made ready and serve an app; all others are one more test host under as many addresses: a real sshd
//! and a real Docker behind each.
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

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use harness::door::Visitor;
use harness::fleet;
use harness::host::{TestHost, machine, run};
use harness::postgres::DURABLE;
use harness::program::{EMAIL, Program, owner};
use harness::world::World;
use skiff::domain::ids::HostId;

/// Hosts in all.
const HOSTS: usize = 50;
/// Those that serve something.
const REAL: usize = 3;
/// Idle seconds that are measured.
const SECONDS: u64 = 60;
/// Looks at one host before and while another swallows packets.
const LOOKS: usize = 150;
/// Between two of them.
const PAUSE: Duration = Duration::from_millis(150);
/// A fleet is looked at for the first time within this.
const SEEN_WITHIN: Duration = Duration::from_secs(120);
const MOST_RSS_MB: f64 = 80.0;
const MOST_CPU: f64 = 3.0;
const MOST_CONNECTIONS: usize = 2;
/// The median of the looks while a host swallows packets, as a part of the one before.
const MOST_SLOWER: f64 = 1.1;
/// The oldest sight of any other host meanwhile: the interval of the looks, the table's own, and a busy machine's second.
const MOST_AGE_S: f64 = 15.0;

#[tokio::main]
async fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if !args.iter().any(|arg| arg == "--bench") {
        println!("benches/fleet is run by: cargo bench --bench fleet");
        return;
    }
    let value = |name: &str| args.iter().position(|arg| arg == name).and_then(|at| args.get(at + 1));
    let count = value("--hosts").map_or(HOSTS, |count| count.parse().unwrap()).max(REAL + 1);
    let seconds = value("--seconds").map_or(SECONDS, |seconds| seconds.parse().unwrap());
    DURABLE.store(true, std::sync::atomic::Ordering::Relaxed);
    println!("{}", machine());
    let missed = fleet_of(count, Duration::from_secs(seconds)).await;
    std::process::exit(i32::from(missed > 0));
}

async fn fleet_of(count: usize, idle: Duration) -> usize {
    let mut missed = 0;
    let mut told = |what: &str, value: f64, most: f64, unit: &str| {
        let sign = if value <= most { "" } else { "   MISSED" };
        missed += usize::from(value > most);
        println!("{what:<66}{value:>8.2} {unit:<3} (at most {most} {unit}){sign}");
    };
    let mut world = World::new().await;
    let slug = owner(&world).await;
    let real = futures_util::future::join_all((0..REAL).map(|_| TestHost::bare())).await;
    let ids = fleet::ready(&world, &real.iter().collect::<Vec<_>>()).await;
    let mut pages = Vec::new();
    for (n, (host, id)) in real.iter().zip(&ids).enumerate() {
        host.load_app("127.0.0.1:5000/hello:1", "1").await;
        let app = world.app(*id, "127.0.0.1:5000/hello:1", &format!("app{n}.test")).await;
        app.must_deploy().await;
        let instance: uuid::Uuid = sqlx::query_scalar("select id from ledger_instances where app_id = $1")
            .bind(app.id.0)
            .fetch_one(&mut world.db.superuser().await)
            .await
            .unwrap();
        pages.push(format!("/t/{slug}/apps/{}/instances/{instance}", app.id));
    }
    world.stop_worker().await;
    let many = TestHost::light().await;
    let first = world.add_host(&many).await;
    let further = u8::try_from(count - REAL - 1).unwrap();
    for address in many.further_addresses(further).await {
        fleet::also_at(&world, first, &address).await;
    }
    sqlx::query("update hosts set state = 'ready', seen_at = null, proxy_port = http_port")
        .execute(&mut world.db.superuser().await)
        .await
        .unwrap();
    let program = Program::start(&world).await;
    let began = Instant::now();
    while oldest_sight(&world, None).await.is_none() {
        assert!(began.elapsed() < SEEN_WITHIN, "not all hosts are seen: {}", program.log());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    println!("all {count} hosts seen {:.1} s after the start", began.elapsed().as_secs_f64());
    let mut ada = Visitor::of(&program.base);
    ada.sign_in(EMAIL).await;
    for page in pages.iter().chain(&[format!("/t/{slug}"), format!("/t/{slug}/hosts")]) {
        ada.text(page).await;
    }

    let (began, used) = (Instant::now(), program.cpu());
    let mut most = BTreeMap::new();
    while began.elapsed() < idle {
        tokio::time::sleep(Duration::from_secs(1)).await;
        for (address, connections) in connections(program.pid()).await {
            let known: &mut usize = most.entry(address).or_default();
            *known = connections.max(*known);
        }
    }
    let used = (program.cpu() - used).as_secs_f64() / began.elapsed().as_secs_f64();
    let (resident, proportional) = memory(program.pid());
    println!("{:<66}{proportional:>8.2} MB", "proportional memory (PSS)");
    told(&format!("resident memory, {count} hosts watched"), resident, MOST_RSS_MB, "MB");
    told(&format!("of a core while idle for {} s", idle.as_secs()), used * 100.0, MOST_CPU, "%");
    assert_eq!(most.len(), count, "there is a connection to each: {most:?}");
    let connected = most.values().copied().max().unwrap();
    told("connections to a host, the most", connected as f64, MOST_CONNECTIONS as f64, "");

    let (well_median, well_p99) = looks(&ada, &pages[0]).await;
    real[1].cut().await;
    let (median, p99) = looks(&ada, &pages[0]).await;
    let oldest = oldest_sight(&world, Some(ids[1])).await.unwrap();
    let held = connections(program.pid()).await.get(&real[1].address).copied().unwrap_or(0);
    println!("{:<66}{well_median:>8.2} ms  p99 {well_p99:.2} ms", "a look at an instance, the median");
    println!("{:<66}{median:>8.2} ms  p99 {p99:.2} ms", "the same while another host swallows packets");
    told("that as a part of the former", median / well_median, MOST_SLOWER, "");
    told("the oldest sight of any other host meanwhile", oldest, MOST_AGE_S, "s");
    told("connections to the silent host", held as f64, MOST_CONNECTIONS as f64, "");
    real[1].heal().await;
    let began = Instant::now();
    while oldest_sight(&world, None).await.is_none_or(|oldest| oldest > MOST_AGE_S) {
        assert!(began.elapsed() < SEEN_WITHIN, "the silent host is not seen again");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    println!("{:<66}{:>8.2} s", "the silent host is seen again after", began.elapsed().as_secs_f64());
    missed
}

/// Seconds since the host was seen whose last sight is the oldest; none where one was never seen.
async fn oldest_sight(world: &World, but: Option<HostId>) -> Option<f64> {
    let sql = "select case when count(seen_at) = count(*) then extract(epoch from now() - min(seen_at))::float8 end
                 from hosts where id is distinct from $1";
    let mut conn = world.db.superuser().await;
    sqlx::query_scalar(sql).bind(but.map(|id| id.0)).fetch_one(&mut conn).await.unwrap()
}

/// Asks for a page that asks the host, over and over: median and 99th percentile in milliseconds.
async fn looks(visitor: &Visitor, page: &str) -> (f64, f64) {
    let mut all = Vec::new();
    for _ in 0..LOOKS {
        let began = Instant::now();
        visitor.text(page).await;
        all.push(began.elapsed().as_secs_f64() * 1000.0);
        tokio::time::sleep(PAUSE).await;
    }
    all.sort_by(f64::total_cmp);
    (all[LOOKS / 2], all[LOOKS * 99 / 100])
}

/// Connections of the process to port 22, by address.
async fn connections(pid: u32) -> BTreeMap<String, usize> {
    let shown = run("ss", &["-Htnp", "state", "established", "dport", "=", ":22"]).await.must("ss");
    let mut all = BTreeMap::new();
    for line in shown.lines().filter(|line| line.contains(&format!("pid={pid},"))) {
        let peer = line.split_whitespace().nth(3).unwrap().rsplit_once(':').unwrap().0;
        *all.entry(peer.to_owned()).or_default() += 1;
    }
    all
}

/// Resident and proportional memory in MB.
fn memory(pid: u32) -> (f64, f64) {
    let shown = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap();
    let of = |name: &str| {
        let line = shown.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.split_whitespace().next().unwrap().parse::<f64>().unwrap() * 1024.0 / 1e6
    };
    (of("Rss:"), of("Pss:"))
}
