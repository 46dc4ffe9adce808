//! Visitors over HTTPS: requests at a pace, each on a connection with a whole handshake of its own, and websockets that stay. They
//! remember who answered, and everything that was not as it should be.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::tungstenite::Message;

/// Nobody waits longer for an answer.
const LIMIT: Duration = Duration::from_secs(10);
/// Between two echoes of a websocket.
const PAUSE: Duration = Duration::from_millis(100);

/// Where they go, and whom they trust.
#[derive(Clone)]
pub struct Way {
    /// The address of the proxy.
    pub at: SocketAddr,
    /// Whose certificates are believed.
    pub trust: Arc<ClientConfig>,
}

impl Way {
    /// A connection under this name.
    pub async fn connect(&self, domain: &str) -> Result<TlsStream<TcpStream>, String> {
        let connecting = async {
            let stream = TcpStream::connect(self.at).await.map_err(|e| format!("connect: {e}"))?;
            stream.set_nodelay(true).unwrap();
            let name = ServerName::try_from(domain.to_owned()).unwrap();
            TlsConnector::from(self.trust.clone()).connect(name, stream).await.map_err(|e| format!("handshake: {e}"))
        };
        tokio::time::timeout(LIMIT, connecting).await.map_err(|_| "nothing within the limit".to_owned())?
    }

    /// The body of the answer at the root, of status 200.
    pub async fn get(&self, domain: &str) -> Result<String, String> {
        self.ask(domain, "/").await
    }

    /// The body of one answer of status 200.
    pub async fn ask(&self, domain: &str, path: &str) -> Result<String, String> {
        let mut stream = self.connect(domain).await?;
        let asked = format!("GET {path} HTTP/1.1\r\nhost: {domain}\r\nconnection: close\r\n\r\n");
        let exchange = async {
            stream.write_all(asked.as_bytes()).await.map_err(|e| format!("sending: {e}"))?;
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).await.map_err(|e| format!("reading: {e}"))?;
            Ok::<_, String>(String::from_utf8_lossy(&answer).into_owned())
        };
        let answer =
            tokio::time::timeout(LIMIT, exchange).await.map_err(|_| "no answer within the limit".to_owned())??;
        match answer.split_once("\r\n\r\n") {
            Some((head, body)) if head.starts_with("HTTP/1.1 200") => Ok(body.trim().to_owned()),
            _ => Err(answer.lines().next().unwrap_or("an empty answer").to_owned()),
        }
    }

    /// The certificate that is shown under this name.
    pub async fn shown(&self, domain: &str) -> Result<Vec<u8>, String> {
        Ok(super::tls::presented(&self.connect(domain).await?).to_vec())
    }
}

/// What they met.
#[derive(Default)]
struct Met {
    stop: AtomicBool,
    answers: AtomicU64,
    echoes: AtomicU64,
    bodies: Mutex<BTreeMap<String, u64>>,
    failures: Mutex<Vec<String>>,
}

impl Met {
    fn failed(&self, what: String) {
        self.failures.lock().unwrap().push(what);
    }
}

/// Some of them, until they are told to stop.
pub struct Visitors {
    met: Arc<Met>,
    running: JoinSet<()>,
}

/// What they met in all.
pub struct Seen {
    /// Requests answered with 200.
    pub answers: u64,
    /// Echoes of websockets.
    pub echoes: u64,
    /// Bodies, and how often each came.
    pub bodies: BTreeMap<String, u64>,
    /// What was not as it should be.
    pub failures: Vec<String>,
}

impl Visitors {
    /// Lets them come: so many requests a second, to one of the names after the other, and so many websockets to the first one.
    pub async fn start(way: &Way, domains: Vec<String>, per_second: u64, websockets: usize) -> Self {
        let met = Arc::new(Met::default());
        let mut running = JoinSet::new();
        let opened = Arc::new(tokio::sync::Semaphore::new(0));
        for _ in 0..websockets {
            running.spawn(websocket(met.clone(), way.clone(), domains[0].clone(), opened.clone()));
        }
        // What follows meets websockets that are open.
        let all = u32::try_from(websockets).unwrap();
        drop(tokio::time::timeout(LIMIT, opened.acquire_many(all)).await.expect("websockets open"));
        running.spawn(requests(met.clone(), way.clone(), domains, Duration::from_micros(1_000_000 / per_second)));
        Self { met, running }
    }

    /// Requests answered so far.
    pub fn answers(&self) -> u64 {
        self.met.answers.load(Ordering::Relaxed)
    }

    /// What was not as it should be so far.
    pub fn failures(&self) -> Vec<String> {
        self.met.failures.lock().unwrap().clone()
    }

    /// Waits until so many more requests were answered.
    pub async fn go_on(&self, answers: u64) {
        let until = self.answers() + answers;
        let come = async {
            while self.answers() < until {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), come).await.expect("requests are answered");
    }

    /// Ends, with what they met.
    pub async fn end(mut self) -> Seen {
        self.met.stop.store(true, Ordering::Relaxed);
        while let Some(ended) = self.running.join_next().await {
            ended.unwrap();
        }
        Seen {
            answers: self.answers(),
            echoes: self.met.echoes.load(Ordering::Relaxed),
            bodies: self.met.bodies.lock().unwrap().clone(),
            failures: self.failures(),
        }
    }
}

async fn requests(met: Arc<Met>, way: Way, domains: Vec<String>, pause: Duration) {
    let mut running = JoinSet::new();
    let mut tick = tokio::time::interval(pause);
    for domain in domains.iter().cycle() {
        tick.tick().await;
        if met.stop.load(Ordering::Relaxed) {
            break;
        }
        while running.try_join_next().is_some() {}
        let (met, way, domain) = (met.clone(), way.clone(), domain.clone());
        running.spawn(async move {
            match way.get(&domain).await {
                Ok(body) => {
                    met.answers.fetch_add(1, Ordering::Relaxed);
                    *met.bodies.lock().unwrap().entry(body).or_default() += 1;
                }
                Err(why) => met.failed(format!("{domain}: {why}")),
            }
        });
    }
    while running.join_next().await.is_some() {}
}

/// One that is asked for an echo ten times a second, and never closed.
async fn websocket(met: Arc<Met>, way: Way, domain: String, opened: Arc<tokio::sync::Semaphore>) {
    let stream = way.connect(&domain).await.unwrap();
    let (mut socket, _) = tokio_tungstenite::client_async(format!("wss://{domain}/ws"), stream).await.unwrap();
    assert!(matches!(socket.next().await, Some(Ok(Message::Text(_)))), "the app greets");
    opened.add_permits(1);
    while !met.stop.load(Ordering::Relaxed) {
        let said = format!("n{}", met.echoes.load(Ordering::Relaxed));
        let _ = socket.send(Message::text(&said)).await;
        match tokio::time::timeout(LIMIT, socket.next()).await {
            Ok(Some(Ok(Message::Text(text)))) if text.as_str() == said => {
                met.echoes.fetch_add(1, Ordering::Relaxed);
            }
            other => return met.failed(format!("websocket: {other:?}")),
        }
        tokio::time::sleep(PAUSE).await;
    }
}
