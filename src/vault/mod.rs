//! Sealing and opening values, password hashes, random tokens. Not here: storing, logging.
//!
//! One master key in a file wraps a data key per team; the data key seals the team's values. Every envelope is bound
//! to its place (table, column, team, row, version): moved elsewhere, it does not open.

mod envelope;
mod htpasswd;
mod master_key;
mod password;
mod token;

pub use envelope::{CannotOpen, Context};
pub use htpasswd::{basic_hash, htpasswd};
pub use master_key::BadKeyFile;
pub use password::{hash_password, verify_password};
pub use token::{TOKEN_CHARS, api_token, random_token, same, signing_token, token_hash};

use std::path::Path;
use std::sync::Arc;

use uuid::Uuid;

use crate::domain::ids::TeamId;
use crate::domain::secret::Secret;
use envelope::Key;

/// What the key check value says once opened.
const KEY_CHECK: &[u8] = b"this is the right master key";

/// The master key, in memory. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Vault {
    master: Arc<Key>,
}

/// The master key is another one than the panel was set up with. Starting with it would make every sealed value
/// unreadable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "The master key is not the one this database was set up with. Put the right key file back \
     (SKIFF_MASTER_KEY_FILE); the sealed values cannot be read with any other."
)]
pub struct WrongMasterKey;

impl Vault {
    /// Reads the master key. Refuses a file that others can read.
    pub fn open(file: &Path) -> Result<Self, BadKeyFile> {
        Ok(Self { master: Arc::new(master_key::read(file)?) })
    }

    /// Makes a master key and its file (0600), for a panel that starts for the first time. Never replaces one.
    pub fn create(file: &Path) -> Result<Self, BadKeyFile> {
        Ok(Self { master: Arc::new(master_key::create(file)?) })
    }

    /// The value that tells at a later start whether the key is the same.
    pub fn key_check(&self) -> Vec<u8> {
        envelope::seal(&self.master, &KEY_CHECK_PLACE, KEY_CHECK)
    }

    /// Compares with the value kept since the first start.
    pub fn check(&self, key_check: &[u8]) -> Result<(), WrongMasterKey> {
        match envelope::open(&self.master, &KEY_CHECK_PLACE, key_check) {
            Ok(said) if said.expose() == KEY_CHECK => Ok(()),
            _ => Err(WrongMasterKey),
        }
    }

    /// A new data key for this team, wrapped; it is kept in `teams.data_key`.
    pub fn new_team_key(&self, team: TeamId) -> Vec<u8> {
        envelope::seal(&self.master, &team_key_place(team), Key::random().bytes())
    }

    /// Seals a value under the team's wrapped key. Fails only where that key does not open.
    pub fn seal(&self, team_key: &[u8], context: &Context, value: &[u8]) -> Result<Vec<u8>, CannotOpen> {
        Ok(envelope::seal(&self.unwrap_key(team_key, context.team)?, context, value))
    }

    /// Opens what was sealed at this very place.
    pub fn unseal(&self, team_key: &[u8], context: &Context, sealed: &[u8]) -> Result<Secret<Vec<u8>>, CannotOpen> {
        envelope::open(&self.unwrap_key(team_key, context.team)?, context, sealed)
    }

    /// Opens one version of a secret (table `secret_versions`), sealed by [`Vault::seal_secret`].
    pub fn open_secret(
        &self,
        team_key: &[u8],
        place: SecretPlace,
        sealed: &[u8],
    ) -> Result<Secret<Vec<u8>>, CannotOpen> {
        self.unseal(team_key, &place.context(), sealed)
    }

    /// Seals one version of a secret.
    pub fn seal_secret(&self, team_key: &[u8], place: SecretPlace, value: &[u8]) -> Result<Vec<u8>, CannotOpen> {
        self.seal(team_key, &place.context(), value)
    }

    /// Seals something that is the panel's own and no team's, under the master key itself.
    pub fn seal_for_panel(&self, context: &Context, value: &[u8]) -> Vec<u8> {
        envelope::seal(&self.master, context, value)
    }

    /// Opens what was sealed so at this very place.
    pub fn open_for_panel(&self, context: &Context, sealed: &[u8]) -> Result<Secret<Vec<u8>>, CannotOpen> {
        envelope::open(&self.master, context, sealed)
    }

    fn unwrap_key(&self, team_key: &[u8], team: TeamId) -> Result<Key, CannotOpen> {
        let bytes = envelope::open(&self.master, &team_key_place(team), team_key)?;
        Key::from_bytes(bytes.expose()).ok_or(CannotOpen::Damaged)
    }
}

const KEY_CHECK_PLACE: Context =
    Context { table: "panel", column: "key_check", team: TeamId(Uuid::nil()), row: Uuid::nil(), version: 1 };

impl Context {
    /// What was given to sign in to a host with once (table `host_passes`).
    pub fn host_pass(team: TeamId, id: Uuid) -> Self {
        Self { table: "host_passes", column: "sealed", team, row: id, version: 1 }
    }

    /// Where a channel of notices leads (table `notice_channels`).
    pub fn notice_channel(team: TeamId, id: Uuid, version: i32) -> Self {
        Self { table: "notice_channels", column: "sealed", team, row: id, version }
    }

    /// The password of a team's mail server (table `notice_mail`).
    pub fn notice_mail(team: TeamId, version: i32) -> Self {
        Self { table: "notice_mail", column: "sealed", team, row: team.0, version }
    }

    /// The panel's account at a certificate authority (table `acme_accounts`).
    pub fn acme_account(id: Uuid) -> Self {
        Self { table: "acme_accounts", column: "sealed", team: TeamId(Uuid::nil()), row: id, version: 1 }
    }

    /// The key that binds that account to another one (table `acme_settings`).
    pub fn acme_binding() -> Self {
        Self { table: "acme_settings", column: "eab_sealed", team: TeamId(Uuid::nil()), row: Uuid::nil(), version: 1 }
    }

    /// The key of a certificate that was asked for and is not there yet (table `acme_orders`).
    pub fn acme_key(team: TeamId, order: Uuid) -> Self {
        Self { table: "acme_orders", column: "order_key", team, row: order, version: 1 }
    }

    /// The token or key of an account with whoever keeps domains (table `dns_accounts`).
    pub fn dns_account(team: TeamId, id: Uuid) -> Self {
        Self { table: "dns_accounts", column: "sealed", team, row: id, version: 1 }
    }

    /// The PEM text of one version of a certificate (table `certificate_versions`).
    pub fn certificate(team: TeamId, version: Uuid) -> Self {
        Self { table: "certificate_versions", column: "sealed", team, row: version, version: 1 }
    }
}

fn team_key_place(team: TeamId) -> Context {
    Context { table: "teams", column: "data_key", team, row: team.0, version: 1 }
}

#[cfg(test)]
mod tests;

/// One version of a secret: it opens nowhere else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SecretPlace {
    /// The team that owns it.
    pub team: TeamId,
    /// The secret.
    pub secret: crate::domain::ids::SecretId,
    /// The version, from 1.
    pub version: i32,
}

impl SecretPlace {
    fn context(self) -> Context {
        let Self { team, secret, version } = self;
        Context { table: "secret_versions", column: "sealed", team, row: secret.0, version }
    }
}
