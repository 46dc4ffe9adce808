//! A change of a zone (RFC 2136), signed with a shared key (RFC 8945).

use hmac::{Hmac, Mac};
use sha2::{Sha256, Sha384, Sha512};

use super::{Algorithm, IN, Kind, head, name};

/// What is changed: one text of one name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is there beside what is there.
    Add,
    /// It is gone, and the others stay.
    Remove,
}

/// A key that a name server knows too.
#[derive(Clone, Copy)]
pub struct Key<'a> {
    /// Its name.
    pub name: &'a str,
    /// How it signs.
    pub algorithm: Algorithm,
    /// The key.
    pub secret: &'a [u8],
}

/// How long the record may be kept by others.
const TTL: u32 = 60;
/// How far the clocks may be apart, in seconds.
const FUDGE: u16 = 300;
/// "Whatever class" and "no class", by which RFC 2136 spells a removal.
const ANY: u16 = 255;
const NONE: u16 = 254;
/// The kind of a signature.
const TSIG: u16 = 250;

/// The message that makes a change, signed at this moment (seconds since 1970). None where a name is none or the text is too long.
pub fn update(id: u16, zone: &str, of: &str, text: &str, change: Change, key: &Key<'_>, at: u64) -> Option<Vec<u8>> {
    /// Operation 5: update.
    const UPDATE: u16 = 5 << 11;
    let mut bytes = head(id, UPDATE, [1, 0, 1, 0]);
    bytes.extend(name(zone)?);
    bytes.extend(Kind::Soa.number().to_be_bytes());
    bytes.extend(IN.to_be_bytes());

    let (class, ttl) = match change {
        Change::Add => (IN, TTL),
        Change::Remove => (NONE, 0),
    };
    let length = u8::try_from(text.len()).ok()?;
    bytes.extend(name(of)?);
    bytes.extend(Kind::Txt.number().to_be_bytes());
    bytes.extend(class.to_be_bytes());
    bytes.extend(ttl.to_be_bytes());
    bytes.extend((u16::from(length) + 1).to_be_bytes());
    bytes.push(length);
    bytes.extend(text.bytes());
    sign(bytes, id, key, at)
}

/// Puts the signature at the end, and counts it in the head.
fn sign(mut message: Vec<u8>, id: u16, key: &Key<'_>, at: u64) -> Option<Vec<u8>> {
    let (key_name, algorithm) = (name(key.name)?, name(key.algorithm.name())?);
    let time = at.to_be_bytes();
    let time = time.get(2..)?;
    // What is signed beside the message (RFC 8945 §4.3.3).
    let mut signed = message.clone();
    signed.extend(&key_name);
    signed.extend(ANY.to_be_bytes());
    signed.extend(0_u32.to_be_bytes());
    signed.extend(&algorithm);
    signed.extend(time);
    signed.extend(FUDGE.to_be_bytes());
    // No error, nothing else.
    signed.extend([0_u8; 4]);
    let mac = mac(key, &signed)?;

    let mut data = algorithm;
    data.extend(time);
    data.extend(FUDGE.to_be_bytes());
    data.extend(u16::try_from(mac.len()).ok()?.to_be_bytes());
    data.extend(mac);
    data.extend(id.to_be_bytes());
    data.extend([0_u8; 4]);

    message.extend(key_name);
    message.extend(TSIG.to_be_bytes());
    message.extend(ANY.to_be_bytes());
    message.extend(0_u32.to_be_bytes());
    message.extend(u16::try_from(data.len()).ok()?.to_be_bytes());
    message.extend(data);
    // One record more.
    message.get_mut(10..12)?.copy_from_slice(&1_u16.to_be_bytes());
    Some(message)
}

fn mac(key: &Key<'_>, signed: &[u8]) -> Option<Vec<u8>> {
    fn with<M: Mac + hmac::digest::KeyInit>(secret: &[u8], signed: &[u8]) -> Option<Vec<u8>> {
        let mut mac = <M as Mac>::new_from_slice(secret).ok()?;
        mac.update(signed);
        Some(mac.finalize().into_bytes().to_vec())
    }
    match key.algorithm {
        Algorithm::HmacSha256 => with::<Hmac<Sha256>>(key.secret, signed),
        Algorithm::HmacSha384 => with::<Hmac<Sha384>>(key.secret, signed),
        Algorithm::HmacSha512 => with::<Hmac<Sha512>>(key.secret, signed),
    }
}
