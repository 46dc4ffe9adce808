//! Hosts over SSH: a real sshd, dockerd and HAProxy on a test host.

mod build;
mod connections;
mod docker;
mod files;
mod haproxy;
mod hostile;
mod probes;
mod registry;
mod scripts;

use crate::harness::host::TestHost;
use skiff::domain::ids::HostId;
use skiff::domain::secret::Secret;
use skiff::remote::{Host, Login, Pool, PoolSettings};
use std::sync::Arc;

/// How root reaches a test host.
fn login(host: &TestHost) -> Login {
    Login {
        id: HostId(uuid::Uuid::now_v7()),
        name: "rig".to_owned(),
        address: host.address.parse().unwrap(),
        port: host.port,
        user: "root".parse().unwrap(),
        key: Secret::new(host.root_key.clone()),
        host_key: host.host_key.clone(),
        jump: None,
    }
}

/// A test host, connected.
async fn connected(host: &TestHost) -> Arc<Host> {
    Pool::new(PoolSettings::default()).host(&login(host)).await.unwrap()
}
