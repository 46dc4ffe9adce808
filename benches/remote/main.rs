//! A Docker call through the kept SSH connection, beside the same call at the local socket and a bare SSH round trip: in
//! turn, in one run, over wires of different length. `cargo bench --bench remote [-- --rounds N]`, as root. It ends with
//! 1 where the mark is missed.
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
mod wire;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bollard::query_parameters::ListContainersOptionsBuilder;
use harness::host::TestHost;
use harness::world::login;
use russh::client;
use russh::keys::{PrivateKeyWithHashAlg, PublicKeyOrCertificate, decode_secret_key};
use skiff::remote::{Pool, PoolSettings};

/// Calls of each kind on each wire.
const ROUNDS: usize = 200;
/// Calls before the counted ones.
const WARM: usize = 10;
/// Containers on the host: what the call lists.
const CONTAINERS: usize = 20;
/// What a wire adds to a round trip, in milliseconds.
const WIRES_MS: [u64; 3] = [0, 5, 20];
/// The mark: the call's time as a part of the local call's and one round trip's together.
const MOST: f64 = 1.3;

struct AnyKey;

impl client::Handler for AnyKey {
    type Error = russh::Error;
    async fn check_server_key(&mut self, _: &PublicKeyOrCertificate) -> Result<bool, russh::Error> {
        Ok(true)
    }
}

/// A connection of one's own, for bare round trips.
async fn plain(host: &TestHost, address: &str, port: u16) -> client::Handle<AnyKey> {
    let config = client::Config { nodelay: true, ..Default::default() };
    let mut handle = client::connect(Arc::new(config), (address, port), AnyKey).await.unwrap();
    let key = PrivateKeyWithHashAlg::new(Arc::new(decode_secret_key(&host.root_key, None).unwrap()), None);
    assert!(handle.authenticate_publickey("root", key).await.unwrap().success());
    // sshd sends at once only after a session ran something.
    let mut channel = handle.channel_open_session().await.unwrap();
    channel.exec(true, "true").await.unwrap();
    while channel.wait().await.is_some() {}
    handle
}

fn median_ms(mut all: Vec<Duration>) -> f64 {
    all.sort();
    all[all.len() / 2].as_secs_f64() * 1000.0
}

#[tokio::main]
async fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if !args.iter().any(|arg| arg == "--bench") {
        println!("benches/remote is run by: cargo bench --bench remote");
        return;
    }
    let rounds = args.iter().position(|arg| arg == "--rounds").and_then(|at| args.get(at + 1)?.parse().ok());
    let rounds = rounds.unwrap_or(ROUNDS);
    let host = TestHost::light().await;
    host.load_busybox("busybox:1").await;
    for n in 0..CONTAINERS {
        host.docker(&["create", "--name", &format!("c{n}"), "--label", "bench=1", "busybox:1", "true"]).await;
    }
    let socket = host.docker_socket();
    let local = bollard::Docker::connect_with_unix(socket.to_str().unwrap(), 60, bollard::API_DEFAULT_VERSION).unwrap();
    println!("{rounds} calls each that list {CONTAINERS} containers; {}", harness::host::machine());
    println!("{:>10} {:>12} {:>12} {:>12} {:>8}", "wire", "local", "round trip", "through SSH", "ratio");
    let mut missed = false;
    for ms in WIRES_MS {
        let (address, port) = wire::delayed(&host.address, host.port, Duration::from_millis(ms)).await;
        let own = plain(&host, &address, port).await;
        let mut way = login(&host);
        (way.address, way.port) = (address.parse().unwrap(), port);
        let kept = Pool::new(PoolSettings::default()).host(&way).await.unwrap();
        let [mut here, mut trip, mut there] = [const { Vec::new() }; 3];
        for round in 0..WARM + rounds {
            let began = Instant::now();
            let options = ListContainersOptionsBuilder::default().all(true).build();
            assert_eq!(local.list_containers(Some(options)).await.unwrap().len(), CONTAINERS);
            let (local, began) = (began.elapsed(), Instant::now());
            own.send_ping().await.unwrap();
            let (ping, began) = (began.elapsed(), Instant::now());
            assert_eq!(kept.docker().list_all().await.unwrap().len(), CONTAINERS);
            if round >= WARM {
                here.push(local);
                trip.push(ping);
                there.push(began.elapsed());
            }
        }
        let (here, trip, there) = (median_ms(here), median_ms(trip), median_ms(there));
        let ratio = there / (here + trip);
        missed |= ratio > MOST;
        println!("{:>10} {here:>9.2} ms {trip:>9.2} ms {there:>9.2} ms {ratio:>8.2} (≤ {MOST})", format!("+{ms} ms"));
    }
    drop(host);
    std::process::exit(i32::from(missed));
}
