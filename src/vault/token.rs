//! Random tokens: shown once, kept as a hash.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rand::RngCore;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::domain::secret::Secret;

/// Characters of a random token.
pub const TOKEN_CHARS: usize = 43;

/// 32 random bytes as 43 letters that need no quoting in an address.
pub fn random_token() -> Secret<String> {
    let mut bytes = Zeroizing::new([0_u8; 32]);
    rand::rng().fill_bytes(bytes.as_mut());
    Secret::new(URL_SAFE_NO_PAD.encode(*bytes))
}

/// A bearer token of the API.
pub fn api_token() -> Secret<String> {
    let mut bytes = Zeroizing::new([0_u8; 32]);
    rand::rng().fill_bytes(bytes.as_mut());
    crate::domain::token::of(&bytes)
}

/// 32 random bytes in the form of Standard Webhooks: `whsec_` and base64. Where a key is wanted, it is the bytes.
pub fn signing_token() -> Secret<String> {
    let mut bytes = Zeroizing::new([0_u8; 32]);
    rand::rng().fill_bytes(bytes.as_mut());
    Secret::new(["whsec_", &STANDARD.encode(*bytes)].concat())
}

/// What is kept of a token: its SHA-256. It has too much randomness to be guessed, so that needs no salt.
pub fn token_hash(token: &str) -> Vec<u8> {
    Sha256::digest(token.as_bytes()).to_vec()
}

/// Compares without telling by its time how much is equal.
pub fn same(one: &[u8], other: &[u8]) -> bool {
    one.ct_eq(other).into()
}
