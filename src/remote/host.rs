//! One host: its control connection for short calls, its bulk connection for long ones, and what is reached through
//! them. One unread stream stops the whole connection it is on, hence two.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::docker::Docker;
use super::error::Error;
use super::files::{File, Files};
use super::haproxy::Haproxy;
use super::io::Io;
use super::link::{Door, Link};
use super::mirror::Mirror;
use super::pool::{Login, PoolSettings};
use super::probe::{self, Probe, Way};
use super::script::{self, Exit, RemoteScript, Stream};
use crate::domain::names::HttpPath;

/// A port of the host's own loopback answers at once, or nobody listens there.
const FORWARD_LIMIT: Duration = Duration::from_secs(5);

/// A host and the ways to it. Connections are made when needed and made anew when they break.
pub struct Host {
    door: Arc<Door>,
    control: Arc<Link>,
    bulk: Arc<Link>,
    docker: Docker,
    docker_bulk: Docker,
    files: Files,
    settings: PoolSettings,
}

impl Host {
    /// A host not yet connected to.
    pub(crate) fn new(login: Login, settings: &PoolSettings) -> Self {
        let door = Door::new(login);
        let (control, bulk) = (Link::new(door.clone()), Link::new(door.clone()));
        Self {
            docker: Docker::control(control.clone(), settings.docker_socket),
            docker_bulk: Docker::bulk(bulk.clone(), settings.docker_socket),
            files: Files::new(bulk.clone()),
            settings: settings.clone(),
            door,
            control,
            bulk,
        }
    }

    /// How it is reached.
    pub fn login(&self) -> &Login {
        &self.door.login
    }

    /// Connects, if it is not.
    pub async fn ready(&self) -> Result<(), Error> {
        self.control.session().await.map(|_| ())
    }

    /// True when the control connection stands.
    pub fn is_connected(&self) -> bool {
        self.control.alive().is_some()
    }

    /// No new calls on its connections; those under way end by themselves.
    pub(crate) fn retire(&self) {
        self.control.retire();
        self.bulk.retire();
    }

    /// Ends both connections under their users' feet, as a broken wire would.
    pub fn cut(&self) {
        for link in [&self.control, &self.bulk] {
            if let Some(session) = link.alive() {
                link.cut(&session);
            }
        }
    }

    /// Docker for short calls.
    pub fn docker(&self) -> &Docker {
        &self.docker
    }

    /// Docker for logs, exec, pulls, builds and image transfer.
    pub fn docker_bulk(&self) -> &Docker {
        &self.docker_bulk
    }

    /// The proxy's sockets.
    pub fn haproxy(&self) -> Haproxy {
        Haproxy::new(self.control.clone(), &self.settings)
    }

    /// Runs a constant script; each line it prints is handed on. Ends with [`Error::TimedOut`] when `limit` is over.
    pub async fn run(
        &self,
        script: &RemoteScript,
        params: &[(&'static str, &str)],
        limit: Duration,
        on_line: &mut (dyn FnMut(Stream, &[u8]) + Send),
    ) -> Result<Exit, Error> {
        // Root needs no sudo, which a bare server may not have.
        let script = RemoteScript { root: script.root && self.login().user.as_ref() != "root", ..*script };
        script::run(self.bulk.session().await?, &script, params, limit, on_line).await
    }

    /// Writes one file whole, or leaves it as it was; the folders above are made.
    pub async fn put(&self, path: &str, bytes: &[u8], mode: u32) -> Result<(), Error> {
        self.files.put(&[File { path, bytes, mode }]).await
    }

    /// Writes several files (at most [`super::files::PUT_FILES`]) in the time of one.
    pub async fn put_all(&self, files: &[File<'_>]) -> Result<(), Error> {
        self.files.put(files).await
    }

    /// Reads a file of at most 4 MiB; [`Error::NotFound`] where there is none.
    pub async fn get(&self, path: &str) -> Result<Vec<u8>, Error> {
        self.files.get(path).await
    }

    /// Free space in the file system that holds this path, MiB; none where the host does not tell.
    pub async fn free_mib(&self, path: &str) -> Result<Option<u64>, Error> {
        self.files.free_mib(path).await
    }

    /// Makes folders, with those above them.
    pub async fn make_folders(&self, paths: &[&str]) -> Result<(), Error> {
        self.files.make_folders(paths).await
    }

    /// Removes files by name; gone already counts as removed.
    pub async fn remove_files(&self, paths: &[&str]) -> Result<(), Error> {
        self.files.remove(paths).await
    }

    /// The names in a folder; none where there is no such folder.
    pub async fn list_folder(&self, path: &str) -> Result<Vec<String>, Error> {
        self.files.list(path).await
    }

    /// Removes these files of a folder, then the folder, unless something else is in it.
    pub async fn remove_folder(&self, path: &str, names: &[&str]) -> Result<(), Error> {
        self.files.remove_folder(path, names).await
    }

    /// Asks a server over HTTP from the host's side under this name, without following redirects.
    pub async fn probe_http(
        &self,
        address: IpAddr,
        port: u16,
        path: &HttpPath,
        name: &str,
        way: Way,
        limit: Duration,
    ) -> Result<Probe, Error> {
        probe::http(&self.control, address, port, path, name, way, limit).await
    }

    /// Opens a port from the host's side and closes it again.
    pub async fn probe_tcp(&self, address: IpAddr, port: u16, limit: Duration) -> Result<Probe, Error> {
        probe::tcp(&self.control, address, port, limit).await
    }

    /// Makes a port of another host's loopback reachable on the first free one of these ports of this host's loopback, for
    /// as long as the answer is held.
    pub async fn mirror(&self, of: &Host, port: u16, on: &[u16]) -> Result<Mirror, Error> {
        Mirror::open(&self.bulk, &of.bulk, port, on).await
    }

    /// Whether sshd lets us through to sockets and ports, before anything depends on it: [`Error::ForwardingForbidden`]
    /// where it does not. What is behind them need not be there yet.
    pub async fn forwards(&self) -> Result<(), Error> {
        let session = self.control.session().await?;
        let loopback = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
        let port = self.control.open_tcp(&session, loopback, self.login().port, FORWARD_LIMIT).await.map(drop);
        let socket = self.control.open_socket(&session, self.settings.docker_socket).await.map(drop);
        for opened in [port, socket] {
            match opened {
                Ok(()) | Err(Error::Refused { .. } | Error::TimedOut { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// A byte stream to a port reachable from the host, on the bulk connection.
    pub async fn open_tcp(
        &self,
        address: IpAddr,
        port: u16,
        limit: Duration,
    ) -> Result<impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + use<>, Error> {
        let io: Io = self.bulk.session().await?.open_tcp(address, port, limit).await?;
        Ok(io)
    }
}
