//! The accept loop: every wait of a connection has a limit, and there are only so many connections.
//! Not here: what is answered (`routes`), which address is listened on (`config`).

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::stall::Stall;

/// The whole head of a request must have come by then; it is also how long a kept connection may idle.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// A client that takes nothing of an answer for so long is gone.
const WRITE_STALL: Duration = Duration::from_secs(60);
/// Connections in all: each holds a file descriptor and some 20 KiB.
const MAX_CONNECTIONS: usize = 2_048;
/// Connections of one address. A browser opens six; an office behind one address opens some hundred.
const MAX_PER_ADDRESS: usize = 256;
/// How long answers may take to end after the door was closed.
const DRAIN: Duration = Duration::from_secs(10);
/// After a failed accept (no file descriptor left), so that the loop does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Limits of the accept loop.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections in all.
    pub total: usize,
    /// Connections of one address; loopback (a proxy in front of the panel) is only bound by `total`.
    pub per_address: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { total: MAX_CONNECTIONS, per_address: MAX_PER_ADDRESS }
    }
}

/// Serves until `shutdown`, then takes nothing new and gives what runs some seconds to end.
pub async fn serve(listener: TcpListener, router: Router, limits: Limits, shutdown: CancellationToken) {
    let seats = Arc::new(Semaphore::new(limits.total));
    let crowd = Crowd::default();
    let mut open = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => break,
            Some(_) = open.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "A connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let limit = if peer.ip().is_loopback() { limits.total } else { limits.per_address };
        let (Ok(seat), Some(place)) = (seats.clone().try_acquire_owned(), crowd.enter(peer.ip(), limit)) else {
            continue; // dropped: closed at once, so that those inside go on being served
        };
        let router = router.clone();
        let shutdown = shutdown.clone();
        open.spawn(async move {
            connection(stream, peer, router, shutdown).await;
            drop((seat, place));
        });
    }
    drop(listener);
    let ended = tokio::time::timeout(DRAIN, async { while open.join_next().await.is_some() {} }).await;
    if ended.is_err() {
        tracing::warn!(connections = open.len(), "Connections were cut: they did not end in time");
    }
}

/// One connection, from its first byte to its last.
async fn connection(stream: TcpStream, peer: SocketAddr, router: Router, shutdown: CancellationToken) {
    let _ = stream.set_nodelay(true); // only slower without
    let service = hyper::service::service_fn(move |request: Request<Incoming>| {
        let router = router.clone();
        async move {
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(ConnectInfo(peer));
            let answer = match router.oneshot(request).await {
                Ok(answer) => answer,
                Err(never) => match never {},
            };
            Ok::<_, Infallible>(answer)
        }
    });
    let io = TokioIo::new(Stall::new(stream, WRITE_STALL));
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .serve_connection(io, service);
    let mut serving = std::pin::pin!(serving.with_upgrades());
    tokio::select! {
        ended = serving.as_mut() => return note(ended),
        () = shutdown.cancelled() => {}
    }
    serving.as_mut().graceful_shutdown();
    note(serving.await);
}

/// A connection that broke is everyday: worth a line only to somebody who looks for it.
fn note(ended: Result<(), hyper::Error>) {
    if let Err(error) = ended {
        tracing::debug!(%error, "A connection ended early");
    }
}

/// How many connections each address has.
#[derive(Clone, Default)]
struct Crowd(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// One connection's place in the crowd; left when dropped.
struct Place(Crowd, IpAddr);

impl Crowd {
    fn enter(&self, address: IpAddr, limit: usize) -> Option<Place> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(address).or_insert(0);
        if *count >= limit {
            return None;
        }
        *count += 1;
        Some(Place(self.clone(), address))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.1) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                counts.remove(&self.1);
            }
        }
    }
}
