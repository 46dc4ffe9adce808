//! Key pairs of ours, and a host's key before it is trusted.

use russh::client;
use russh::keys::ssh_key::LineEnding;
use russh::keys::{Algorithm, PrivateKey, PublicKeyOrCertificate, decode_secret_key, key::safe_rng};
use std::sync::{Arc, Mutex, PoisonError};
use tokio_util::sync::CancellationToken;

use super::error::{Error, detail};
use super::pool::Login;
use super::session::{CONNECT_LIMIT, config, unreachable, wire, within};
use super::wire::Wire;
use crate::domain::names::HostAddress;
use crate::domain::secret::Secret;

/// A fresh ed25519 pair: the private key in OpenSSH format, and the public line for `authorized_keys` with `comment`.
pub fn generate(comment: &str) -> Result<(Secret<String>, String), Error> {
    let bad = |error: russh::keys::ssh_key::Error| Error::Refused { detail: detail(error) };
    let mut key = PrivateKey::random(&mut safe_rng(), Algorithm::Ed25519).map_err(bad)?;
    key.set_comment(comment);
    let private = key.to_openssh(LineEnding::LF).map_err(bad)?;
    let public = key.public_key().to_openssh().map_err(bad)?;
    Ok((Secret::new(private.as_str().to_owned()), public))
}

/// The public line of a private key; refuses what is no OpenSSH key or has a passphrase.
pub fn public_line(private: &Secret<String>) -> Result<String, Error> {
    let key = decode_secret_key(private.expose(), None).map_err(|_| Error::BadKey)?;
    key.public_key().to_openssh().map_err(|_| Error::BadKey)
}

/// A host's key as shown before anything was sent to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostKey {
    /// `SHA256:…`.
    pub fingerprint: String,
    /// `ssh-ed25519`, `ecdsa-sha2-nistp256`, `ssh-rsa` …
    pub kind: String,
}

/// Keeps the key it is shown and trusts none.
struct Looker(Arc<Mutex<Option<HostKey>>>);

impl client::Handler for Looker {
    type Error = russh::Error;

    async fn check_server_key(&mut self, shown: &PublicKeyOrCertificate) -> Result<bool, russh::Error> {
        if let PublicKeyOrCertificate::PublicKey { key, .. } = shown {
            let seen = HostKey {
                fingerprint: key.fingerprint(Default::default()).to_string(),
                kind: key.algorithm().to_string(),
            };
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(seen);
        }
        Ok(false)
    }
}

/// The key that the host shows, without logging in. Takes 10 s at most.
pub async fn scan_host_key(address: &HostAddress, port: u16) -> Result<HostKey, Error> {
    let cut = CancellationToken::new();
    let scanning = async {
        let wire = Wire::connect(address.as_ref(), port, &cut).await.map_err(|e| unreachable(&e.into()))?;
        look(wire).await
    };
    within("Connecting", CONNECT_LIMIT, scanning).await?
}

/// The same through the host's jump host, which is signed in to; straight where it has none.
pub async fn scan_through(login: &Login) -> Result<HostKey, Error> {
    if login.jump.is_none() {
        return scan_host_key(&login.address, login.port).await;
    }
    let cut = CancellationToken::new();
    let wire = wire(login, &cut).await?;
    within("Connecting", CONNECT_LIMIT, look(wire)).await?
}

async fn look(wire: Wire) -> Result<HostKey, Error> {
    let seen = Arc::new(Mutex::new(None));
    let met = client::connect_stream(config(), wire, Looker(seen.clone())).await;
    let shown = seen.lock().unwrap_or_else(PoisonError::into_inner).take();
    match (shown, met) {
        (Some(key), _) => Ok(key),
        (None, Err(error)) => Err(unreachable(&error)),
        (None, Ok(_)) => Err(Error::Refused { detail: "the host shows a certificate instead of a key".to_owned() }),
    }
}
