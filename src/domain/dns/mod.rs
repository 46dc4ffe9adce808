//! Messages of the DNS (RFC 1035) as far as certificates need them: a question, its answer, and a signed change of one record
//! (RFC 2136, RFC 8945). Bytes only: a whole library of the DNS for four kinds of records would be most of what is compiled.
//! Not here: sending them.

mod account;
mod authority;
mod reply;
mod update;

#[cfg(test)]
mod tests;

pub use account::{AccountKind, Algorithm, ServerAddress};
pub use authority::{Step, step, zones_above};
pub use reply::{Data, Record, Reply, read};
pub use update::{Change, Key, update};

/// Kinds of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An IPv4 address.
    A,
    /// An IPv6 address.
    Aaaa,
    /// Text.
    Txt,
    /// A name server of a zone.
    Ns,
    /// The beginning of a zone.
    Soa,
}

impl Kind {
    /// Its number.
    pub fn number(self) -> u16 {
        match self {
            Self::A => 1,
            Self::Ns => 2,
            Self::Soa => 6,
            Self::Txt => 16,
            Self::Aaaa => 28,
        }
    }
}

/// The class of the Internet.
const IN: u16 = 1;

/// A name as bytes, not shortened; none where it is not a name. Underscores are letters here: `_acme-challenge`.
fn name(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    for label in text.trim_end_matches('.').split('.').filter(|_| !text.trim_end_matches('.').is_empty()) {
        let plain = label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
        let length = u8::try_from(label.len()).ok().filter(|n| (1..=63).contains(n) && plain)?;
        bytes.push(length);
        bytes.extend(label.bytes().map(|b| b.to_ascii_lowercase()));
    }
    bytes.push(0);
    (bytes.len() <= 255).then_some(bytes)
}

/// The head of a message.
fn head(id: u16, flags: u16, counts: [u16; 4]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(64);
    for part in [id, flags].into_iter().chain(counts) {
        bytes.extend(part.to_be_bytes());
    }
    bytes
}

/// A question, to be answered by whoever may ask others for it. None where the name is none.
pub fn question(id: u16, of: &str, kind: Kind) -> Option<Vec<u8>> {
    /// Recursion desired.
    const RD: u16 = 0x0100;
    asking(id, RD, of, kind)
}

/// A question to a name server about its own zone: it asks nobody else for it. None where the name is none.
pub fn question_to_authority(id: u16, of: &str, kind: Kind) -> Option<Vec<u8>> {
    asking(id, 0, of, kind)
}

fn asking(id: u16, flags: u16, of: &str, kind: Kind) -> Option<Vec<u8>> {
    let mut bytes = head(id, flags, [1, 0, 0, 0]);
    bytes.extend(name(of)?);
    bytes.extend(kind.number().to_be_bytes());
    bytes.extend(IN.to_be_bytes());
    Some(bytes)
}
