//! A port of one host's loopback, reachable on the loopback of another: through both connections and this machine, and for
//! as long as somebody holds it. Each end has a connection of its own, so that a slow one stops nothing else.

use russh::Channel;
use russh::client::Msg;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};

use super::error::Error;
use super::link::Link;
use super::session::Session;

/// Connecting to a port of a host's own loopback.
const OPEN_LIMIT: Duration = Duration::from_secs(10);
/// Connections at once: Docker fetches three layers side by side, and asks beside that.
const MOST: usize = 16;
/// Bytes carried at once per direction of a connection.
const PIECE: usize = 64 * 1024;

/// The port; it is gone when this is dropped.
pub struct Mirror {
    port: u16,
    moved: Arc<AtomicU64>,
    carrier: AbortHandle,
    near: Arc<Session>,
    far: Arc<Session>,
}

impl Mirror {
    /// Makes port `of` of `far`'s loopback appear on the first free one of `ports` of `near`'s.
    #[expect(clippy::disallowed_methods, reason = "carries until the value is dropped, which aborts it")]
    pub(crate) async fn open(near: &Link, far: &Link, of: u16, ports: &[u16]) -> Result<Self, Error> {
        let (near, far) = (near.fork(), far.fork());
        let (near, far) = tokio::try_join!(near.session(), far.session())?;
        let (port, channels) = near.borrow_port(ports).await?;
        let moved = Arc::new(AtomicU64::new(0));
        let carrier = tokio::spawn(carry_all(channels, far.clone(), of, moved.clone())).abort_handle();
        Ok(Self { port, moved, carrier, near, far })
    }

    /// The port on the near host.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Bytes that have come to the near host so far.
    pub fn moved(&self) -> u64 {
        self.moved.load(Ordering::Relaxed)
    }
}

impl Drop for Mirror {
    fn drop(&mut self) {
        self.carrier.abort();
        self.near.cut();
        self.far.cut();
    }
}

/// Takes each connection to its other end. Ends with the near connection; those under way end with this.
async fn carry_all(mut channels: mpsc::Receiver<Channel<Msg>>, far: Arc<Session>, of: u16, moved: Arc<AtomicU64>) {
    let mut running = JoinSet::new();
    loop {
        tokio::select! {
            channel = channels.recv(), if running.len() < MOST => match channel {
                Some(channel) => drop(running.spawn(carry(channel, far.clone(), of, moved.clone()))),
                None => return,
            },
            Some(_) = running.join_next() => {}
        }
    }
}

/// One connection. Where the far end does not take it, it is closed, as a port where nobody listens would be.
async fn carry(channel: Channel<Msg>, far: Arc<Session>, of: u16, moved: Arc<AtomicU64>) {
    let Ok(there) = far.open_tcp(IpAddr::V4(Ipv4Addr::LOCALHOST), of, OPEN_LIMIT).await else { return };
    let (mut near_reads, mut near_writes) = tokio::io::split(channel.into_stream());
    let (mut far_reads, mut far_writes) = tokio::io::split(there);
    let asked = copy(&mut near_reads, &mut far_writes, None);
    let answered = copy(&mut far_reads, &mut near_writes, Some(&moved));
    tokio::join!(asked, answered);
}

/// One direction to its end, which is handed on.
async fn copy(from: &mut (impl AsyncRead + Unpin), to: &mut (impl AsyncWrite + Unpin), count: Option<&AtomicU64>) {
    let mut piece = vec![0; PIECE];
    while let Ok(read @ 1..) = from.read(&mut piece).await {
        let Some(bytes) = piece.get(..read) else { break };
        if to.write_all(bytes).await.is_err() || to.flush().await.is_err() {
            break;
        }
        if let Some(count) = count {
            count.fetch_add(u64::try_from(read).unwrap_or(0), Ordering::Relaxed);
        }
    }
    let _ = to.shutdown().await;
}
