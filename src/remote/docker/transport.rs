//! HTTP over channels to Docker's socket. Channels are kept and used again; each holds its place in the budget.

use bollard::{BollardRequest, ClientVersion, Docker as Api};
use hyper::Uri;
use hyper::http::uri::PathAndQuery;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use crate::remote::error::Error;
use crate::remote::io::Io;
use crate::remote::link::Link;

/// The newest minor version of API 1.x that our structs were made for. A newer daemon is asked to speak this one.
const API_MINOR: u32 = 53;
/// One answer: a host with thousands of containers lists in a few MB, and a pull tells of its progress in less.
const ANSWER_BYTES: u64 = 64 << 20;
/// A channel unused for so long is closed.
const IDLE_LIMIT: Duration = Duration::from_secs(30);
/// Unused channels kept: a quarter of the budget, so that probes and the proxy always find room.
const IDLE_CHANNELS: usize = 8;
/// The library's own limit, in seconds, until an answer begins; ours are shorter where that matters.
const LIBRARY_LIMIT_S: u64 = 24 * 3600;

/// What a way is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Short calls: answers are bounded, and a host that does not answer is doubted.
    Control,
    /// Long calls: answers are bounded.
    Bulk,
    /// One transfer, at its reader's pace.
    Transfer,
}

/// The way to one Docker socket.
pub(super) struct Transport {
    link: Arc<Link>,
    socket: &'static str,
    kind: Kind,
    /// 0 until the daemon proved newer than we are; then the minor version to put before paths.
    pinned: AtomicU32,
}

impl Transport {
    /// A way over a connection.
    pub fn new(link: Arc<Link>, socket: &'static str, kind: Kind) -> Arc<Self> {
        Arc::new(Self { link, socket, kind, pinned: AtomicU32::new(0) })
    }

    /// The same way over a connection of its own.
    pub fn apart(&self) -> Arc<Self> {
        Self::new(self.link.fork(), self.socket, Kind::Transfer)
    }

    /// A bare channel to the socket, for whoever bounds what is read by themselves.
    pub async fn open(&self) -> Result<Io, Error> {
        let session = self.link.session().await?;
        match self.link.open_socket(&session, self.socket).await {
            Err(Error::Refused { detail }) => Err(Error::DockerUnavailable { detail }),
            opened => opened,
        }
    }

    /// Waits for an answer; on the control connection the host is doubted meanwhile.
    pub async fn watch<T>(&self, asking: impl Future<Output = T>) -> Result<T, Error> {
        match self.kind {
            Kind::Control => self.link.watch(asking).await,
            Kind::Bulk | Kind::Transfer => Ok(asking.await),
        }
    }

    /// True where the connection to the host stands and answers.
    pub async fn host_lives(&self) -> bool {
        match self.link.alive() {
            Some(session) => session.lives().await,
            None => false,
        }
    }

    /// What broke a connection, with whom it goes through.
    pub fn on_the_way(&self, detail: String) -> String {
        if self.link.goes_through() { format!("{detail}, on the way through its jump host") } else { detail }
    }

    /// Told what the daemon speaks: a newer one is held to what we know.
    pub fn speaks(&self, minor: u32) {
        self.pinned.store(if minor > API_MINOR { API_MINOR } else { 0 }, Ordering::Relaxed);
    }

    /// The library's client on this way.
    pub fn api(self: &Arc<Self>) -> Api {
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_LIMIT)
            .pool_max_idle_per_host(IDLE_CHANNELS)
            .build(Connector(self.clone()));
        let transport = self.clone();
        let send = move |mut request: BollardRequest| {
            let client = client.clone();
            transport.pin(request.uri_mut());
            async move { client.request(request).await.map_err(bollard::errors::Error::from) }
        };
        let version = ClientVersion { major_version: 1, minor_version: API_MINOR as usize };
        match Api::connect_with_custom_transport(send, Some("http://docker"), LIBRARY_LIMIT_S, &version) {
            Ok(api) => api,
            Err(_) => unreachable!("a custom transport is only stored, nothing is connected"),
        }
    }

    /// The library sends paths without a version; a daemon newer than our structs must be told one.
    fn pin(&self, uri: &mut Uri) {
        let minor = self.pinned.load(Ordering::Relaxed);
        if minor == 0 {
            return;
        }
        let path = uri.path_and_query().map_or("/", PathAndQuery::as_str);
        let versioned = PathAndQuery::try_from(format!("/v1.{minor}{path}"));
        let mut parts = uri.clone().into_parts();
        if let Ok(versioned) = versioned {
            parts.path_and_query = Some(versioned);
            if let Ok(pinned) = Uri::from_parts(parts) {
                *uri = pinned;
            }
        }
    }
}

/// Makes a channel for each HTTP connection.
#[derive(Clone)]
struct Connector(Arc<Transport>);

impl tower::Service<Uri> for Connector {
    type Response = TokioIo<Io>;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let transport = self.0.clone();
        // The library keeps a line, and a frame of output, whole in memory, however long the host makes it.
        let bound = (transport.kind != Kind::Transfer).then_some(ANSWER_BYTES);
        Box::pin(async move { Ok(TokioIo::new(transport.open().await?.with_answers_up_to(bound))) })
    }
}
