//! From a host's row to its connection: sealed keys opened, connections taken from the pool, side by side. Jobs and
//! watchers come this way. Not here: what is done on a host.

use std::sync::Arc;

use futures_util::future::join_all;

use crate::db::Db;
use crate::db::host_logins::{self, Row};
use crate::domain::ids::HostId;
use crate::domain::rights::Permit;
use crate::domain::secret::Secret;
use crate::remote;
use crate::vault::{SecretPlace, Vault};

/// What opens the way to hosts. Cheap to clone.
#[derive(Clone)]
pub struct Access {
    /// Where the sign-ins stand.
    pub db: Db,
    /// Opens their keys.
    pub vault: Arc<Vault>,
    /// The connections.
    pub pool: remote::Pool,
}

/// A host, and its connection or why there is none.
#[derive(Clone)]
pub struct Reached {
    /// The host's row.
    pub row: Row,
    /// The connection.
    pub host: Result<Arc<remote::Host>, remote::Error>,
}

impl Reached {
    /// The host's identity.
    pub fn id(&self) -> HostId {
        self.row.id
    }
}

/// Reads the sign-ins of these hosts and reaches them all at once. A host that cannot be reached is a value, not an error.
pub async fn reach(access: &Access, permit: &Permit, hosts: &[HostId]) -> Result<Vec<Reached>, sqlx::Error> {
    let mut tx = access.db.begin(permit).await?;
    let rows = host_logins::of(&mut tx, permit, hosts).await?;
    let data_key = host_logins::data_key(&mut tx, permit).await?;
    tx.commit().await?;
    Ok(join_all(rows.into_iter().map(|row| one(access, permit, &data_key, row))).await)
}

async fn one(access: &Access, permit: &Permit, data_key: &[u8], row: Row) -> Reached {
    let host = match login(access, permit, data_key, &row) {
        Ok(login) => access.pool.host(&login).await,
        Err(error) => Err(error),
    };
    Reached { row, host }
}

/// The sign-in of one host, nothing connected; none where the host is gone.
pub async fn login_of(
    access: &Access,
    permit: &Permit,
    host: HostId,
) -> Result<Option<Result<remote::Login, remote::Error>>, sqlx::Error> {
    let mut tx = access.db.begin(permit).await?;
    let row = host_logins::of(&mut tx, permit, &[host]).await?.pop();
    let data_key = host_logins::data_key(&mut tx, permit).await?;
    tx.commit().await?;
    Ok(row.map(|row| login(access, permit, &data_key, &row)))
}

fn login(access: &Access, permit: &Permit, data_key: &[u8], row: &Row) -> Result<remote::Login, remote::Error> {
    let place = SecretPlace { team: permit.team(), secret: row.key, version: row.version };
    let key = access
        .vault
        .open_secret(data_key, place, &row.sealed)
        .map_err(|_| remote::Error::refused("the host's key cannot be opened with the panel's master key"))?;
    let text =
        String::from_utf8(key.expose().clone()).map_err(|_| remote::Error::refused("the host's key is not a text"))?;
    Ok(remote::Login {
        id: row.id,
        name: row.name.clone(),
        address: row.address.clone(),
        port: u16::try_from(row.ssh_port).unwrap_or(22),
        user: row.ssh_user.clone(),
        key: Secret::new(text),
        host_key: row.host_key.clone(),
        jump: jump(row),
    })
}

fn jump(row: &Row) -> Option<remote::Jump> {
    let (address, port, user) = (row.jump_address.clone()?, row.jump_port?, row.jump_user.clone()?);
    Some(remote::Jump { address, port: u16::try_from(port).ok()?, user, host_key: row.jump_host_key.clone() })
}

/// The same host signed in to as another user: a connection is made, so that the answer is known.
pub async fn as_user(access: &Access, login: &remote::Login, user: &str) -> Result<Arc<remote::Host>, remote::Error> {
    let user = user.parse().map_err(|_| remote::Error::refused("no such user name"))?;
    access.pool.host(&remote::Login { user, ..login.clone() }).await
}
