//! What a request shows to prove its sender, and whether it holds. Compared in constant time, over the bytes as they came.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// Bytes of an HMAC-SHA256.
const MAC: usize = 32;
/// Signatures of one request that are looked at: senders that change their secret send two.
const SIGNATURES: usize = 4;

/// A proof, well formed, not yet checked.
#[derive(Clone, PartialEq, Eq)]
pub enum Proof {
    /// HMAC-SHA256 over the body, by the secret's text.
    OverBody([u8; MAC]),
    /// HMAC-SHA256 over "id.timestamp.body", by the bytes behind `whsec_` (Standard Webhooks).
    Standard {
        /// "id.timestamp."
        before: String,
        /// Any of them.
        signatures: Vec<[u8; MAC]>,
    },
    /// The secret itself.
    Token(String),
}

impl Proof {
    /// A signature in hexadecimal digits: exactly 64, in lowercase, as every forge sends it.
    pub fn of_hex(text: &str) -> Option<Self> {
        let plain = text.len() == MAC * 2 && text.bytes().all(|c| c.is_ascii_digit() || (b'a'..=b'f').contains(&c));
        let bytes = plain.then(|| hex::decode(text).ok()).flatten()?;
        Some(Self::OverBody(bytes.try_into().ok()?))
    }

    /// Signatures as Standard Webhooks spells them: "v1,BASE64 v1,BASE64".
    pub fn of_standard(id: &str, timestamp: &str, signatures: &str) -> Option<Self> {
        let read = |one: &str| STANDARD.decode(one.strip_prefix("v1,")?).ok()?.try_into().ok();
        let signatures: Vec<[u8; MAC]> = signatures.split(' ').filter_map(read).take(SIGNATURES).collect();
        let digits = (1..=20).contains(&timestamp.len()) && timestamp.bytes().all(|c| c.is_ascii_digit());
        let fits = digits && !id.is_empty() && !signatures.is_empty();
        fits.then(|| Self::Standard { before: [id, ".", timestamp, "."].concat(), signatures })
    }

    /// True where whoever sent the body knows the secret. A secret that is empty proves nothing.
    pub fn holds(&self, secret: &str, body: &[u8]) -> bool {
        if secret.is_empty() {
            return false;
        }
        match self {
            Self::OverBody(signature) => mac(secret.as_bytes(), &[body]).is_some_and(|mac| mac.ct_eq(signature).into()),
            Self::Standard { before, signatures } => {
                let key = secret.strip_prefix("whsec_").and_then(|key| STANDARD.decode(key).ok());
                let key = key.filter(|key| !key.is_empty());
                let mac = key.and_then(|key| mac(&key, &[before.as_bytes(), body]));
                // All are compared, whichever fits.
                let fits = |mac: [u8; MAC]| signatures.iter().fold(0_u8, |any, one| any | mac.ct_eq(one).unwrap_u8());
                mac.is_some_and(|mac| fits(mac) == 1)
            }
            // Hashed first, so that not even the length shows.
            Self::Token(token) => Sha256::digest(token).ct_eq(&Sha256::digest(secret)).into(),
        }
    }
}

fn mac(key: &[u8], parts: &[&[u8]]) -> Option<[u8; MAC]> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
    parts.iter().for_each(|part| mac.update(part));
    Some(mac.finalize().into_bytes().into())
}
