//! Nobody who uses an app notices its deploys: new and kept connections, slow requests and websockets, while other apps
//! get their routes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::harness::fleet;
use crate::harness::host::TestHost;
use crate::harness::world::World;

const DOMAIN: &str = "zero.test";

/// What visitors met.
#[derive(Default)]
struct Met {
    stop: AtomicBool,
    answers: AtomicU64,
    echoes: AtomicU64,
    failures: std::sync::Mutex<Vec<String>>,
}

impl Met {
    fn failed(&self, what: String) {
        self.failures.lock().unwrap().push(what);
    }
}

/// How hard and how long.
struct Load {
    hosts: usize,
    /// On each host.
    instances: u16,
    per_second: u64,
    websockets: usize,
    slow: usize,
    deploys: usize,
    routes: usize,
    /// Deploys go on beyond their number until this many requests were answered.
    answers: u64,
}

/// Twice the deploys that 100,000 answers take at 200 a second.
const MOST_DEPLOYS: usize = 300;

/// Requests at a fixed pace, on kept connections or each on a new one.
async fn requests(met: Arc<Met>, base: String, pause: Duration, kept: bool) {
    let client = || reqwest::Client::builder().pool_max_idle_per_host(usize::from(kept) * 4).build().unwrap();
    let shared = client();
    let mut tick = tokio::time::interval(pause);
    let mut running = tokio::task::JoinSet::new();
    while !met.stop.load(Ordering::Relaxed) {
        tick.tick().await;
        let (met, client, url) = (met.clone(), if kept { shared.clone() } else { client() }, format!("{base}/"));
        running.spawn(async move {
            match client.get(url).header("host", DOMAIN).send().await {
                Ok(answer) if answer.status() == 200 => match answer.text().await {
                    Ok(_) => {
                        met.answers.fetch_add(1, Ordering::Relaxed);
                    }
                    Err(error) => met.failed(format!("body, kept {kept}: {error:?}")),
                },
                Ok(answer) => met.failed(format!("kept {kept}: {}", answer.status())),
                Err(error) => met.failed(format!("kept {kept}: {error:?}")),
            }
        });
    }
    while running.join_next().await.is_some() {}
}

/// Slow requests one after another.
async fn slow(met: Arc<Met>, base: String, milliseconds: u64) {
    let client = reqwest::Client::new();
    while !met.stop.load(Ordering::Relaxed) {
        match client.get(format!("{base}/sleep/{milliseconds}")).header("host", DOMAIN).send().await {
            Ok(answer) if answer.status() == 200 => {
                met.answers.fetch_add(1, Ordering::Relaxed);
            }
            Ok(answer) => met.failed(format!("slow: {}", answer.status())),
            Err(error) => met.failed(format!("slow: {error:?}")),
        }
    }
}

/// A websocket that is asked for an echo ten times a second. Its app may close it properly when it leaves, and then it
/// is opened again; anything else is a failure.
async fn websocket(met: Arc<Met>, address: String) {
    'opened: while !met.stop.load(Ordering::Relaxed) {
        let mut request = format!("ws://{address}/ws").into_client_request().unwrap();
        request.headers_mut().insert("host", DOMAIN.parse().unwrap());
        let (mut socket, _) = match tokio_tungstenite::connect_async(request).await {
            Ok(opened) => opened,
            Err(error) => {
                met.failed(format!("websocket, opening: {error}"));
                return;
            }
        };
        // The app greets with its version.
        if !matches!(socket.next().await, Some(Ok(Message::Text(_)))) {
            return met.failed("websocket: no greeting".into());
        }
        while !met.stop.load(Ordering::Relaxed) {
            let said = format!("n{}", met.echoes.load(Ordering::Relaxed));
            if socket.send(Message::text(&said)).await.is_err() {
                // The close frame that came before stands in the stream.
            }
            match tokio::time::timeout(Duration::from_secs(5), socket.next()).await {
                Ok(Some(Ok(Message::Text(text)))) if text.as_str() == said => {
                    met.echoes.fetch_add(1, Ordering::Relaxed);
                }
                Ok(Some(Ok(Message::Close(_)))) => continue 'opened,
                other => {
                    met.failed(format!("websocket: {other:?}"));
                    continue 'opened;
                }
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

async fn deploys_under_load(load: Load) {
    let hosts = futures_util::future::join_all((0..load.hosts).map(|_| TestHost::bare())).await;
    let world = World::new().await;
    let ids = fleet::ready(&world, &hosts.iter().collect::<Vec<_>>()).await;
    for (host, id) in hosts.iter().zip(&ids).filter(|_| load.hosts > 1) {
        fleet::reachable(&world, *id, host).await;
    }
    for host in &hosts {
        for version in ["1", "2"] {
            host.load_app(&format!("127.0.0.1:5000/hello:{version}"), version).await;
        }
    }
    let mut app = world.app(ids[0], "127.0.0.1:5000/hello:1", DOMAIN).await;
    app.spec.drain_s = 3;
    let places: Vec<_> = ids.iter().map(|id| (*id, load.instances)).collect();
    fleet::place(&world, app.id, &mut app.spec, &places).await;
    app.must_deploy().await;

    let met = Arc::new(Met::default());
    let mut visitors = tokio::task::JoinSet::new();
    let each = hosts.len() as u64;
    let pause = Duration::from_micros(2_000_000 * each / load.per_second);
    for (n, host) in hosts.iter().enumerate() {
        let base = format!("http://{}", host.address);
        visitors.spawn(requests(met.clone(), base.clone(), pause, true));
        visitors.spawn(requests(met.clone(), base.clone(), pause, false));
        // Divided among the hosts, whatever the number.
        let share = |all: usize| (n..all).step_by(hosts.len()).count();
        for _ in 0..share(load.slow) {
            visitors.spawn(slow(met.clone(), base.clone(), 1500));
        }
        for _ in 0..share(load.websockets) {
            visitors.spawn(websocket(met.clone(), host.address.clone()));
        }
    }
    let mut deployed = 0;
    for round in 0..MOST_DEPLOYS {
        if round >= load.deploys && met.answers.load(Ordering::Relaxed) >= load.answers {
            break;
        }
        deployed += 1;
        app.image(&format!("127.0.0.1:5000/hello:{}", 1 + (round + 1) % 2)).await;
        let ended = app.must_deploy().await;
        if round < load.routes {
            let other = world.app(ids[0], "127.0.0.1:5000/hello:1", &format!("other{round}.test")).await;
            other.must_deploy().await;
        }
        let failures = met.failures.lock().unwrap().clone();
        assert!(failures.is_empty(), "after deploy {round}: {failures:#?} {ended:#?}");
    }
    met.stop.store(true, Ordering::Relaxed);
    while visitors.join_next().await.is_some() {}
    let failures = met.failures.lock().unwrap().clone();
    let (answers, echoes) = (met.answers.load(Ordering::Relaxed), met.echoes.load(Ordering::Relaxed));
    println!("{answers} answers, {echoes} echoes, {} failures over {deployed} deploys", failures.len());
    assert!(failures.is_empty(), "{failures:#?}");
    assert!(answers >= load.answers && echoes > 0, "{answers} answers, {echoes} echoes");
    world.quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_request_fails_over_a_few_deploys() {
    let load =
        Load { hosts: 1, instances: 1, per_second: 50, websockets: 5, slow: 5, deploys: 4, routes: 2, answers: 80 };
    deploys_under_load(load).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_request_fails_over_deploys_on_two_hosts() {
    let load =
        Load { hosts: 2, instances: 2, per_second: 50, websockets: 4, slow: 4, deploys: 2, routes: 0, answers: 80 };
    deploys_under_load(load).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "the whole of it takes minutes: bin/test t_fleet_fifty"]
async fn t_fleet_fifty_no_request_fails_over_fifty_deploys_on_two_hosts() {
    let load = Load {
        hosts: 2,
        instances: 2,
        per_second: 200,
        websockets: 20,
        slow: 20,
        deploys: 50,
        routes: 0,
        answers: 10_000,
    };
    deploys_under_load(load).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "the whole of it takes minutes: bin/test t17"]
async fn t17_no_request_fails_over_fifty_deploys() {
    let load = Load {
        hosts: 1,
        instances: 1,
        per_second: 200,
        websockets: 20,
        slow: 20,
        deploys: 50,
        routes: 10,
        answers: 100_000,
    };
    deploys_under_load(load).await;
}
