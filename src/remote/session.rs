//! One SSH connection: made, checked, and its channels handed out within a budget.
//! Not here: which connection is used for what (`host`), and building one anew (`link`).

use russh::client::{self, Handle, Msg};
use russh::keys::{PrivateKey, PrivateKeyWithHashAlg, PublicKeyOrCertificate, decode_secret_key};
use russh::{Channel, ChannelOpenFailure, ChannelReadHalf, ChannelWriteHalf};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::error::{Error, detail};
use super::forwarding::ANY_CHANGE;
use super::io::Io;
use super::jump;
use super::pass::Pass;
use super::pool::Login;
use super::wire::Wire;
use crate::domain::secret::Secret;

/// For TCP and key exchange: a host that is up answers in well under a second on any link.
pub const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// For the login; some hosts ask a directory server.
pub const AUTH_LIMIT: Duration = Duration::from_secs(10);
/// A silent link is asked this often …
pub const KEEPALIVE_EVERY: Duration = Duration::from_secs(15);
/// … and given up when a third question would follow two without an answer: after 45 s.
pub const KEEPALIVE_MISSES: usize = 2;
/// A host in doubt is asked for a sign of life, which takes it one round trip.
pub const SIGN_LIMIT: Duration = Duration::from_secs(5);
/// Session channels (exec, SFTP) at once on a connection: sshd allows 10 (`MaxSessions`).
pub const SESSION_CHANNELS: usize = 8;
/// Forwarded channels (sockets, ports) at once on a connection: sshd sets no limit, so this is ours.
pub const FORWARDED_CHANNELS: usize = 32;
/// A wait for a free channel longer than this means something does not let go.
pub const BUDGET_LIMIT: Duration = Duration::from_secs(30);
/// A channel to a socket opens in one round trip.
pub const OPEN_LIMIT: Duration = Duration::from_secs(10);
/// Connections to a lent port that wait to be taken: Docker opens some five at once.
pub const LENT_CHANNELS: usize = 16;
/// Between two tries for a session on a host that allows fewer than our budget.
const REFUSED_PAUSE: Duration = Duration::from_millis(100);
/// Bytes in flight per channel: 8 MiB fills 160 MB/s at 50 ms.
const WINDOW_BYTES: u32 = 8 << 20;

/// A live connection to a host.
pub(crate) struct Session {
    handle: Handle<Pinned>,
    cut: CancellationToken,
    sessions: Arc<Semaphore>,
    forwards: Arc<Semaphore>,
    lent: Lent,
}

/// Who takes the channels that the host opens from a port it lends us; none where it lends none, and then it may open none.
pub(super) type Lent = Arc<Mutex<Option<mpsc::Sender<Channel<Msg>>>>>;

/// Accepts one host key and nothing else; certificates are refused.
pub(super) struct Pinned {
    expected: String,
    seen: Arc<Mutex<Option<String>>>,
    lent: Lent,
}

impl client::Handler for Pinned {
    type Error = russh::Error;

    async fn check_server_key(&mut self, shown: &PublicKeyOrCertificate) -> Result<bool, russh::Error> {
        let print = match shown {
            PublicKeyOrCertificate::PublicKey { key, .. } => key.fingerprint(Default::default()).to_string(),
            PublicKeyOrCertificate::Certificate(_) => "a certificate".to_owned(),
        };
        let same = print == self.expected;
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(print);
        Ok(same)
    }

    // The library takes what a host opens, unless told otherwise: nobody asked for any of these.

    async fn server_channel_open_session(
        &mut self,
        _: Channel<Msg>,
        reply: client::ChannelOpenHandle,
        _: &mut client::Session,
    ) -> Result<(), russh::Error> {
        refuse(reply).await
    }

    async fn server_channel_open_agent_forward(
        &mut self,
        _: Channel<Msg>,
        reply: client::ChannelOpenHandle,
        _: &mut client::Session,
    ) -> Result<(), russh::Error> {
        refuse(reply).await
    }

    async fn server_channel_open_forwarded_streamlocal(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        reply: client::ChannelOpenHandle,
        _: &mut client::Session,
    ) -> Result<(), russh::Error> {
        refuse(reply).await
    }

    async fn server_channel_open_direct_streamlocal(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        reply: client::ChannelOpenHandle,
        _: &mut client::Session,
    ) -> Result<(), russh::Error> {
        refuse(reply).await
    }

    async fn server_channel_open_x11(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: u32,
        reply: client::ChannelOpenHandle,
        _: &mut client::Session,
    ) -> Result<(), russh::Error> {
        refuse(reply).await
    }

    async fn server_channel_open_direct_tcpip(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: u32,
        _: &str,
        _: u32,
        reply: client::ChannelOpenHandle,
        _: &mut client::Session,
    ) -> Result<(), russh::Error> {
        refuse(reply).await
    }

    async fn server_channel_open_forwarded_tcpip(
        &mut self,
        channel: Channel<Msg>,
        _connected_address: &str,
        _connected_port: u32,
        _originator_address: &str,
        _originator_port: u32,
        reply: client::ChannelOpenHandle,
        _session: &mut client::Session,
    ) -> Result<(), russh::Error> {
        let taker = self.lent.lock().unwrap_or_else(PoisonError::into_inner).clone();
        // More than somebody takes at once are refused: the host may open as many as it likes.
        match taker.as_ref().and_then(|taker| taker.try_reserve().ok()) {
            Some(place) => {
                reply.accept().await;
                place.send(channel);
            }
            None => refuse(reply).await?,
        }
        Ok(())
    }
}

/// Opens nothing.
async fn refuse(reply: client::ChannelOpenHandle) -> Result<(), russh::Error> {
    reply.reject(ChannelOpenFailure::AdministrativelyProhibited).await;
    Ok(())
}

/// Why a server's key was not taken.
pub(super) enum Unmet {
    /// It shows another key.
    Changed(String),
    /// Nothing came of the connection.
    Broke(russh::Error),
}

impl From<russh::Error> for Unmet {
    fn from(error: russh::Error) -> Self {
        Self::Broke(error)
    }
}

/// Shakes hands on a wire with the server that has this key.
pub(super) async fn meet(wire: Wire, expected: &str, lent: Lent) -> Result<Handle<Pinned>, Unmet> {
    let seen = Arc::new(Mutex::new(None));
    let pinned = Pinned { expected: expected.to_owned(), seen: seen.clone(), lent };
    client::connect_stream(config(), wire, pinned).await.map_err(|error| {
        match seen.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(seen) if seen != expected => Unmet::Changed(seen),
            Some(_) | None => Unmet::Broke(error),
        }
    })
}

/// A wire to the host's sshd, straight or through its jump host, within the limits of either.
pub(super) async fn wire(login: &Login, cut: &CancellationToken) -> Result<Wire, Error> {
    match &login.jump {
        Some(jump) => jump::wire(login, jump, cut).await,
        None => Wire::connect(login.address.as_ref(), login.port, cut).await.map_err(|e| unreachable(&e.into())),
    }
}

/// A connection to the host whose key was compared. Nobody is signed in yet.
async fn reach(login: &Login) -> Result<(Handle<Pinned>, CancellationToken, Lent), Error> {
    let (cut, lent) = (CancellationToken::new(), Lent::default());
    let met = async |wire| meet(wire, &login.host_key, lent.clone()).await;
    let met = match &login.jump {
        // It has limits of its own.
        Some(_) => within("Connecting", CONNECT_LIMIT, met(wire(login, &cut).await?)).await?,
        None => within("Connecting", CONNECT_LIMIT, async { Ok(met(wire(login, &cut).await?).await) }).await??,
    };
    match met {
        Ok(handle) => Ok((handle, cut, lent)),
        Err(Unmet::Changed(seen)) => Err(Error::HostKeyChanged { seen }),
        Err(Unmet::Broke(error)) => Err(unreachable(&error)),
    }
}

/// Our private key, read.
pub(super) fn own_key(private: &Secret<String>) -> Result<PrivateKey, Error> {
    decode_secret_key(private.expose(), None).map_err(|_| Error::BadKey)
}

/// Signs in with a key; false where the server does not take it.
pub(super) async fn by_key(handle: &mut Handle<Pinned>, user: &str, key: PrivateKey) -> Result<bool, russh::Error> {
    let hash = if key.algorithm().is_rsa() { handle.best_supported_rsa_hash().await?.flatten() } else { None };
    let key = PrivateKeyWithHashAlg::new(Arc::new(key), hash);
    Ok(handle.authenticate_publickey(user, key).await?.success())
}

/// Our side of every connection.
pub(crate) fn config() -> Arc<client::Config> {
    Arc::new(client::Config {
        nodelay: true,
        keepalive_interval: Some(KEEPALIVE_EVERY),
        keepalive_max: KEEPALIVE_MISSES,
        window_size: WINDOW_BYTES,
        ..Default::default()
    })
}

impl Session {
    /// Connects, compares the host key, logs in with our key, and runs `true` once: sshd sets TCP_NODELAY only when a
    /// session channel runs something, and without it one call in five waits 40 ms.
    pub async fn connect(login: &Login) -> Result<Arc<Self>, Error> {
        let key = own_key(&login.key)?;
        let (mut handle, cut, lent) = reach(login).await?;
        let auth = within("Logging in", AUTH_LIMIT, by_key(&mut handle, login.user.as_ref(), key)).await?;
        if !auth.map_err(|e| unreachable(&e))? {
            return Err(Error::AuthRefused);
        }
        Self::begin(handle, cut, lent).await
    }

    /// The same with what somebody gave for once.
    pub async fn connect_with(login: &Login, pass: &Pass) -> Result<Arc<Self>, Error> {
        let (mut handle, cut, lent) = reach(login).await?;
        pass.sign_in(&mut handle, login.user.as_ref()).await?;
        Self::begin(handle, cut, lent).await
    }

    /// Signed in: the first thing is run.
    async fn begin(handle: Handle<Pinned>, cut: CancellationToken, lent: Lent) -> Result<Arc<Self>, Error> {
        let session = Arc::new(Self {
            handle,
            cut,
            sessions: Arc::new(Semaphore::new(SESSION_CHANNELS)),
            forwards: Arc::new(Semaphore::new(FORWARDED_CHANNELS)),
            lent,
        });
        within("Logging in", AUTH_LIMIT, session.clone().warm()).await??;
        Ok(session)
    }

    /// Runs `true` to its end.
    async fn warm(self: Arc<Self>) -> Result<(), Error> {
        let mut exec = self.open_session().await?;
        exec.write.exec(true, "true").await.map_err(|e| unreachable(&e))?;
        while exec.read.wait().await.is_some() {}
        Ok(())
    }

    /// True when the connection is over.
    pub fn is_closed(&self) -> bool {
        self.handle.is_closed()
    }

    /// True when the host answers on the connection now: one round trip.
    pub async fn lives(&self) -> bool {
        // A question that is never answered because the connection ends counts as answered in russh.
        matches!(timeout(SIGN_LIMIT, self.handle.send_ping()).await, Ok(Ok(()))) && !self.is_closed()
    }

    /// Cuts the connection off under its users: all they wait for fails soon.
    pub fn cut(&self) {
        self.cut.cancel();
    }

    /// A channel to a Unix socket of the host.
    pub async fn open_socket(self: Arc<Self>, path: &'static str) -> Result<Io, Error> {
        let opening = async move {
            let permit = permit(&self.forwards).await?;
            let opened = within("Opening a channel", OPEN_LIMIT, self.handle.channel_open_direct_streamlocal(path));
            let channel = opened.await?.map_err(|e| refused(&e, path))?;
            Ok(Io::new(channel.into_stream(), permit, self.clone()))
        };
        finish(opening).await
    }

    /// A channel to a port reachable from the host. `limit` covers the host's own connecting.
    pub async fn open_tcp(self: Arc<Self>, to: IpAddr, port: u16, limit: Duration) -> Result<Io, Error> {
        let opening = async move {
            let permit = permit(&self.forwards).await?;
            let opened = self.handle.channel_open_direct_tcpip(to.to_string(), u32::from(port), "127.0.0.1", 0);
            let channel = opened.await.map_err(|e| refused(&e, "the port"))?;
            Ok(Io::new(channel.into_stream(), permit, self.clone()))
        };
        within("Opening a connection", limit, finish(opening)).await?
    }

    /// Has the host listen on one of these ports of its loopback, the first that is free, and hand out a channel for each
    /// connection there; at most [`LENT_CHANNELS`] wait to be taken. Ends with the connection to the host.
    pub async fn borrow_port(&self, ports: &[u16]) -> Result<(u16, mpsc::Receiver<Channel<Msg>>), Error> {
        let (taker, channels) = mpsc::channel(LENT_CHANNELS);
        *self.lent.lock().unwrap_or_else(PoisonError::into_inner) = Some(taker);
        for port in ports {
            let asked = self.handle.tcpip_forward("127.0.0.1", u32::from(*port));
            match within("Asking for a port", OPEN_LIMIT, asked).await? {
                Ok(_) => return Ok((*port, channels)),
                // Taken, or forbidden: sshd says the same for both.
                Err(russh::Error::RequestDenied) => {}
                Err(error) => return Err(unreachable(&error)),
            }
        }
        Err(Error::Refused {
            detail: format!(
                "sshd does not listen on any of the ports {ports:?} for us: they are taken, or AllowTcpForwarding is off in sshd_config"
            ),
        })
    }

    /// A session channel, on which one thing is run.
    pub async fn open_session(self: Arc<Self>) -> Result<Exec, Error> {
        let opening = async move {
            let permit = permit(&self.sessions).await?;
            let (read, write) = self.session_channel().await?.split();
            Ok(Exec { read, write: Arc::new(write), permit: Some(permit), session: self.clone() })
        };
        finish(opening).await
    }

    /// A bare session channel. A host that allows fewer than our budget refuses while it is busy: then it is asked again.
    async fn session_channel(&self) -> Result<Channel<Msg>, Error> {
        let opening = async {
            loop {
                match self.handle.channel_open_session().await {
                    Err(russh::Error::ChannelOpenFailure(_)) => sleep(REFUSED_PAUSE).await,
                    Err(error) => return Err(unreachable(&error)),
                    Ok(channel) => return Ok(channel),
                }
            }
        };
        within("Opening a session", BUDGET_LIMIT, opening).await?
    }

    /// A session channel with SFTP on it, as a stream.
    pub async fn open_sftp(self: Arc<Self>) -> Result<Io, Error> {
        let opening = async move {
            let permit = permit(&self.sessions).await?;
            let channel = self.session_channel().await?;
            let asked = channel.request_subsystem(true, "sftp");
            within("Opening SFTP", OPEN_LIMIT, asked).await?.map_err(|e| refused(&e, "SFTP"))?;
            Ok(Io::new(channel.into_stream(), permit, self.clone()))
        };
        finish(opening).await
    }
}

/// A session channel and its place in the budget. Closed when dropped: russh itself leaves it open. The place is free
/// again when the host has seen the close.
pub(crate) struct Exec {
    pub read: ChannelReadHalf,
    pub write: Arc<ChannelWriteHalf<Msg>>,
    permit: Option<OwnedSemaphorePermit>,
    session: Arc<Session>,
}

impl Drop for Exec {
    #[expect(clippy::disallowed_methods, reason = "a close cannot be awaited in a drop; the task ends with it")]
    fn drop(&mut self) {
        let (write, session, permit) = (self.write.clone(), self.session.clone(), self.permit.take());
        tokio::spawn(async move {
            let _ = timeout(OPEN_LIMIT, write.close()).await;
            session.lives().await;
            drop(permit);
        });
    }
}

/// Lets an opening run to its end even when the asker has gone: a half-opened channel would never be closed.
#[expect(
    clippy::disallowed_methods,
    reason = "ends within the opening's own limits, and closes what nobody wants any more"
)]
async fn finish<T: Send + 'static>(
    opening: impl Future<Output = Result<T, Error>> + Send + 'static,
) -> Result<T, Error> {
    match tokio::spawn(opening).await {
        Ok(opened) => opened,
        Err(_) => Err(Error::Unreachable { detail: "the connection broke".to_owned() }),
    }
}

/// A place in a budget.
async fn permit(budget: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, Error> {
    within("Waiting for a free channel", BUDGET_LIMIT, budget.clone().acquire_owned())
        .await?
        .map_err(|_| Error::Unreachable { detail: "the connection is closed".to_owned() })
}

/// Why a channel did not open.
fn refused(error: &russh::Error, what: &str) -> Error {
    match error {
        russh::Error::ChannelOpenFailure(ChannelOpenFailure::AdministrativelyProhibited) => {
            Error::ForwardingForbidden { change: ANY_CHANGE.to_owned() }
        }
        russh::Error::ChannelOpenFailure(_) => Error::Refused { detail: format!("{what} is not open") },
        other => unreachable(other),
    }
}

/// A broken connection.
pub(crate) fn unreachable(error: &russh::Error) -> Error {
    Error::Unreachable { detail: detail(error) }
}

/// A future with a limit.
pub(crate) async fn within<T>(what: &'static str, after: Duration, doing: impl Future<Output = T>) -> Result<T, Error> {
    timeout(after, doing).await.map_err(|_| Error::TimedOut { what, after })
}
