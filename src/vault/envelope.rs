//! One sealed value: version, key id, nonce, XChaCha20-Poly1305. Not here: where keys come from.

use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use rand::RngCore;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::domain::ids::TeamId;
use crate::domain::secret::Secret;

/// The form of the envelope.
const VERSION: u8 = 1;
/// Bytes of the key's id: tells keys apart, and nothing about them.
const KEY_ID: usize = 8;
/// Bytes of a nonce: long enough to be drawn at random for ever.
const NONCE: usize = 24;

/// Where a sealed value stands. It opens nowhere else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context {
    /// The table.
    pub table: &'static str,
    /// The column.
    pub column: &'static str,
    /// The team that owns the row.
    pub team: TeamId,
    /// The row.
    pub row: Uuid,
    /// The version of the value.
    pub version: i32,
}

/// Why a value does not open. One damaged value is one damaged field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CannotOpen {
    /// Sealed with another key.
    #[error("This value was sealed with another key and cannot be read. Enter it again.")]
    OtherKey,
    /// Changed, cut, or moved from another place.
    #[error("This value is damaged and cannot be read. Enter it again.")]
    Damaged,
}

/// 32 bytes that seal and open.
#[derive(Debug)]
pub(super) struct Key(Secret<[u8; 32]>);

impl Key {
    pub(super) fn random() -> Self {
        let mut bytes = [0; 32];
        rand::rng().fill_bytes(&mut bytes);
        Self(Secret::new(bytes))
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(|bytes| Self(Secret::new(bytes)))
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.0.expose()
    }

    fn id(&self) -> [u8; KEY_ID] {
        let hash = Sha256::new().chain_update(b"skiff key id").chain_update(self.bytes()).finalize();
        let mut id = [0; KEY_ID];
        id.iter_mut().zip(hash).for_each(|(to, from)| *to = from);
        id
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(self.0.expose().into())
    }
}

/// Seals a value for its place.
pub(super) fn seal(key: &Key, context: &Context, value: &[u8]) -> Vec<u8> {
    let id = key.id();
    let mut nonce = [0; NONCE];
    rand::rng().fill_bytes(&mut nonce);
    let place = bound(&id, context);
    let sealed = key.cipher().encrypt(XNonce::from_slice(&nonce), Payload { msg: value, aad: &place });
    // The cipher refuses only values of more than 256 GiB, which no field lets in: an empty envelope opens nowhere.
    let sealed = sealed.unwrap_or_default();
    let mut envelope = Vec::with_capacity(1 + KEY_ID + NONCE + sealed.len());
    envelope.push(VERSION);
    envelope.extend_from_slice(&id);
    envelope.extend_from_slice(&nonce);
    envelope.extend_from_slice(&sealed);
    envelope
}

/// Opens a value at its place.
pub(super) fn open(key: &Key, context: &Context, envelope: &[u8]) -> Result<Secret<Vec<u8>>, CannotOpen> {
    let (version, rest) = envelope.split_first().ok_or(CannotOpen::Damaged)?;
    let (id, rest) = rest.split_first_chunk::<KEY_ID>().ok_or(CannotOpen::Damaged)?;
    let (nonce, sealed) = rest.split_first_chunk::<NONCE>().ok_or(CannotOpen::Damaged)?;
    if *version != VERSION {
        return Err(CannotOpen::Damaged);
    }
    if *id != key.id() {
        return Err(CannotOpen::OtherKey);
    }
    let place = bound(id, context);
    let opened = key.cipher().decrypt(XNonce::from_slice(nonce), Payload { msg: sealed, aad: &place });
    opened.map(Secret::new).map_err(|_| CannotOpen::Damaged)
}

/// The associated data: every part with its length before it, so that no two places read the same.
fn bound(key_id: &[u8; KEY_ID], context: &Context) -> Vec<u8> {
    let version = context.version.to_be_bytes();
    let parts: [&[u8]; 7] = [
        &[VERSION],
        key_id,
        context.table.as_bytes(),
        context.column.as_bytes(),
        context.team.0.as_bytes(),
        context.row.as_bytes(),
        &version,
    ];
    let mut bytes = Vec::new();
    for part in parts {
        bytes.extend_from_slice(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        bytes.extend_from_slice(part);
    }
    bytes
}
