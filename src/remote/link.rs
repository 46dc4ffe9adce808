//! A connection that is built when first needed and built anew when it broke. One handshake at a time per host; after
//! a failure everybody who was waiting for it gets the same answer, and who asks later makes a new attempt: what was
//! true a moment ago is no answer to whom the host has come back for. A host that swallows packets holds up nobody else.

use std::net::IpAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, sleep_until, timeout};

use super::error::Error;
use super::forwarding;
use super::io::Io;
use super::pool::Login;
use super::session::Session;

/// From a failed attempt to the next one: a host that refuses is knocked at twice a second at most.
const PAUSE: Duration = Duration::from_millis(500);

/// A short call without an answer for so long makes one doubt the host.
const DOUBT_AFTER: Duration = Duration::from_secs(5);

/// What both connections of a host share: who it is, and the turn to shake hands.
pub(crate) struct Door {
    pub login: Login,
    turn: tokio::sync::Mutex<Option<Failed>>,
}

/// The last failed attempt.
struct Failed {
    at: Instant,
    error: Error,
}

impl Door {
    /// The way to one host.
    pub fn new(login: Login) -> Arc<Self> {
        Arc::new(Self { login, turn: tokio::sync::Mutex::new(None) })
    }
}

/// One connection's place.
pub(crate) struct Link {
    door: Arc<Door>,
    live: Mutex<Option<Arc<Session>>>,
}

impl Link {
    /// A connection not yet made.
    pub fn new(door: Arc<Door>) -> Arc<Self> {
        Arc::new(Self { door, live: Mutex::new(None) })
    }

    /// Another connection to the same host, for one long transfer.
    pub fn fork(&self) -> Arc<Self> {
        Self::new(self.door.clone())
    }

    /// True where a jump host stands in between.
    pub fn goes_through(&self) -> bool {
        self.door.login.jump.is_some()
    }

    /// The live connection, made now if there is none.
    pub async fn session(&self) -> Result<Arc<Session>, Error> {
        if let Some(session) = self.alive() {
            return Ok(session);
        }
        let asked = Instant::now();
        let mut failed = self.door.turn.lock().await;
        if let Some(session) = self.alive() {
            return Ok(session);
        }
        if let Some(last) = failed.as_ref() {
            if last.at >= asked {
                return Err(last.error.clone());
            }
            sleep_until(last.at + PAUSE).await;
        }
        match Session::connect(&self.door.login).await {
            Ok(session) => {
                *failed = None;
                *self.live.lock().unwrap_or_else(PoisonError::into_inner) = Some(session.clone());
                Ok(session)
            }
            Err(error) => {
                *failed = Some(Failed { at: Instant::now(), error: error.clone() });
                Err(error)
            }
        }
    }

    /// The connection, if there is one that lives.
    pub fn alive(&self) -> Option<Arc<Session>> {
        let live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        live.as_ref().filter(|session| !session.is_closed()).cloned()
    }

    /// Waits for an answer over this connection, and doubts it meanwhile: when nothing comes for a while, the host is
    /// asked for a sign of life, and without one the connection is given up. For short calls only: on a connection
    /// full of data a sign of life comes late.
    pub async fn watch<T>(&self, asking: impl Future<Output = T>) -> Result<T, Error> {
        let mut asking = pin!(asking);
        loop {
            if let Ok(answer) = timeout(DOUBT_AFTER, &mut asking).await {
                return Ok(answer);
            }
            if let Some(session) = self.alive() {
                self.doubt(&session).await?;
            }
        }
    }

    /// Asks for a sign of life; without one lets go of the connection and cuts its users off.
    pub async fn doubt(&self, session: &Arc<Session>) -> Result<(), Error> {
        if session.lives().await {
            return Ok(());
        }
        self.cut(session);
        let who = if self.door.login.jump.is_some() { "the host, or the jump host before it," } else { "the host" };
        Err(Error::Unreachable { detail: format!("{who} stopped answering") })
    }

    /// A channel to a Unix socket of the host. Where it does not open, sshd's configuration is asked whether it may.
    pub async fn open_socket(&self, session: &Arc<Session>, path: &'static str) -> Result<Io, Error> {
        match session.clone().open_socket(path).await {
            Err(error @ (Error::Refused { .. } | Error::ForwardingForbidden { .. })) => {
                Err(self.forbidden(session, error).await)
            }
            opened => opened,
        }
    }

    /// A channel to a port reachable from the host.
    pub async fn open_tcp(&self, session: &Arc<Session>, to: IpAddr, port: u16, limit: Duration) -> Result<Io, Error> {
        match session.clone().open_tcp(to, port, limit).await {
            Err(error @ Error::ForwardingForbidden { .. }) => Err(self.forbidden(session, error).await),
            opened => opened,
        }
    }

    /// The same error, or what sshd's configuration says of it. A connection keeps the settings it was made with, so that
    /// one that is forbidden something gets no new users: whoever asks after the change finds it.
    async fn forbidden(&self, session: &Arc<Session>, error: Error) -> Error {
        let change = forwarding::to_change(session.clone(), self.door.login.user.as_ref()).await;
        let error = match (change, error) {
            (Some(change), _) => Error::ForwardingForbidden { change },
            (None, error) => error,
        };
        if matches!(error, Error::ForwardingForbidden { .. }) {
            let mut live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
            if live.as_ref().is_some_and(|live| Arc::ptr_eq(live, session)) {
                live.take();
            }
        }
        error
    }

    /// Cuts a connection, so that the next call makes a new one.
    pub fn cut(&self, session: &Arc<Session>) {
        let mut live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        if live.as_ref().is_some_and(|live| Arc::ptr_eq(live, session)) {
            live.take();
        }
        session.cut();
    }

    /// Gives the connection no new users; it ends when the last of its channels does.
    pub fn retire(&self) {
        self.live.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}
