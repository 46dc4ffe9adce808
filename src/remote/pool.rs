//! All hosts' connections. One `Host` per host is kept and shared; it is replaced when its address or key changed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::error::Error;
use super::host::Host;
use crate::domain::ids::HostId;
use crate::domain::names::{HostAddress, SshUser};
use crate::domain::secret::Secret;

/// How to reach and know one host.
#[derive(Clone)]
pub struct Login {
    /// The host.
    pub id: HostId,
    /// Its name, for sentences.
    pub name: String,
    /// Where it answers.
    pub address: HostAddress,
    /// sshd's port.
    pub port: u16,
    /// The user to log in as.
    pub user: SshUser,
    /// The private key: OpenSSH format, no passphrase.
    pub key: Secret<String>,
    /// The pinned fingerprint of the host key, `SHA256:…`.
    pub host_key: String,
    /// The server that stands in between, where one does.
    pub jump: Option<Jump>,
}

/// A server through which a host is reached. The same key signs in there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Jump {
    /// Where it answers.
    pub address: HostAddress,
    /// sshd's port.
    pub port: u16,
    /// The user to log in as.
    pub user: SshUser,
    /// The pinned fingerprint of its host key; empty while nobody has confirmed one.
    pub host_key: String,
}

impl Login {
    /// True when the same connection would be made.
    fn same_way(&self, other: &Self) -> bool {
        self.address == other.address
            && self.port == other.port
            && self.user == other.user
            && self.host_key == other.host_key
            && self.jump == other.jump
            && self.key.expose() == other.key.expose()
    }
}

/// Where things are on hosts. Only tests differ from the default.
#[derive(Clone, Debug)]
pub struct PoolSettings {
    /// Docker's socket.
    pub docker_socket: &'static str,
    /// HAProxy's runtime socket.
    pub haproxy_socket: &'static str,
    /// HAProxy's master socket.
    pub haproxy_master_socket: &'static str,
}

impl Default for PoolSettings {
    fn default() -> Self {
        Self {
            docker_socket: "/var/run/docker.sock",
            haproxy_socket: "/run/skiff/haproxy.sock",
            haproxy_master_socket: "/run/skiff/haproxy-master.sock",
        }
    }
}

/// All hosts' connections; cheap to clone.
#[derive(Clone, Default)]
pub struct Pool {
    settings: PoolSettings,
    hosts: Arc<Mutex<HashMap<HostId, Arc<Host>>>>,
}

impl Pool {
    /// An empty pool: connections are made when first asked for.
    pub fn new(settings: PoolSettings) -> Self {
        Self { settings, hosts: Arc::default() }
    }

    /// The host, with its control connection up. Fails within 30 s; with whoever waits already, where one does.
    pub async fn host(&self, login: &Login) -> Result<Arc<Host>, Error> {
        let host = self.known(login);
        host.ready().await?;
        Ok(host)
    }

    /// The host without touching the network.
    pub fn known(&self, login: &Login) -> Arc<Host> {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(host) = hosts.get(&login.id).filter(|host| host.login().same_way(login)) {
            return host.clone();
        }
        let host = Arc::new(Host::new(login.clone(), &self.settings));
        if let Some(old) = hosts.insert(login.id, host.clone()) {
            old.retire();
        }
        host
    }

    /// Forgets a host: no new calls on its connections, those under way end by themselves.
    pub fn forget(&self, id: HostId) {
        if let Some(old) = self.hosts.lock().unwrap_or_else(PoisonError::into_inner).remove(&id) {
            old.retire();
        }
    }
}
