//! Reading an answer. It comes from anywhere: every length is checked, and a name that points in circles ends.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Kind;

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The number of the question.
    pub id: u16,
    /// True where it was too long for the way it came.
    pub cut: bool,
    /// True where whoever answered keeps the name's zone, and does not say what it once heard.
    pub authoritative: bool,
    /// How it went: 0 well, 3 no such name, 5 refused …
    pub code: u16,
    /// The records.
    pub answers: Vec<Record>,
    /// Whose zone it is in, where that was said.
    pub authority: Vec<Record>,
}

/// A record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Of which name, in lower case.
    pub name: String,
    /// What it says.
    pub data: Data,
}

/// What a record says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Data {
    /// An address.
    Address(IpAddr),
    /// A text, its parts put together.
    Text(Vec<u8>),
    /// The beginning of a zone.
    Zone,
    /// A name server of a zone.
    NameServer(String),
    /// Another name that is meant (CNAME).
    Alias(String),
    /// Anything else.
    Other,
}

/// The kind of a record that stands for another name.
const CNAME: u16 = 5;
/// The most records that are read: an answer with more is not for us.
const MOST_RECORDS: usize = 256;
/// The most pointers of one name.
const MOST_POINTERS: usize = 32;

/// Reads an answer; none where it is not one.
pub fn read(bytes: &[u8]) -> Option<Reply> {
    let mut at = Cursor { bytes, at: 0 };
    let (id, flags) = (at.number()?, at.number()?);
    let [questions, answers, authority, _] = [at.number()?, at.number()?, at.number()?, at.number()?];
    if flags & 0x8000 == 0 {
        return None;
    }
    for _ in 0..questions {
        at.name()?;
        at.take(4)?;
    }
    let cut = flags & 0x0200 != 0;
    let mut section = |count: u16| -> Option<Vec<Record>> {
        let mut records = Vec::new();
        for _ in 0..usize::from(count).min(MOST_RECORDS) {
            match at.record() {
                Some(record) => records.push(record),
                // What was cut ends in the middle of one.
                None if cut => break,
                None => return None,
            }
        }
        Some(records)
    };
    Some(Reply {
        id,
        cut,
        authoritative: flags & 0x0400 != 0,
        code: flags & 0x000f,
        answers: section(answers)?,
        authority: section(authority)?,
    })
}

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let taken = self.bytes.get(self.at..self.at.checked_add(count)?)?;
        self.at += count;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    fn number(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes(self.take(2)?.try_into().ok()?))
    }

    fn name(&mut self) -> Option<String> {
        let (mut name, mut back, mut pointers) = (String::new(), None, 0);
        loop {
            let length = self.byte()?;
            match length {
                0 => break,
                1..=63 => {
                    if !name.is_empty() {
                        name.push('.');
                    }
                    let label = self.take(usize::from(length))?;
                    name.push_str(&String::from_utf8_lossy(label).to_ascii_lowercase());
                    if name.len() > 1_024 {
                        return None;
                    }
                }
                192.. => {
                    let low = self.byte()?;
                    back.get_or_insert(self.at);
                    pointers += 1;
                    if pointers > MOST_POINTERS {
                        return None;
                    }
                    self.at = usize::from(u16::from_be_bytes([length & 0x3f, low]));
                }
                64..=191 => return None,
            }
        }
        if let Some(back) = back {
            self.at = back;
        }
        Some(name)
    }

    fn record(&mut self) -> Option<Record> {
        let name = self.name()?;
        let kind = self.number()?;
        self.take(6)?;
        let length = usize::from(self.number()?);
        // A name in it may be shortened by what stands before it.
        let mut within = Cursor { bytes: self.bytes, at: self.at };
        let data = self.take(length)?;
        let data = if kind == Kind::A.number() {
            Data::Address(IpAddr::V4(Ipv4Addr::from(<[u8; 4]>::try_from(data).ok()?)))
        } else if kind == Kind::Aaaa.number() {
            Data::Address(IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(data).ok()?)))
        } else if kind == Kind::Txt.number() {
            let mut parts = Cursor { bytes: data, at: 0 };
            let mut text = Vec::new();
            while let Some(length) = parts.byte() {
                text.extend_from_slice(parts.take(usize::from(length))?);
            }
            Data::Text(text)
        } else if kind == Kind::Soa.number() {
            Data::Zone
        } else if kind == Kind::Ns.number() {
            Data::NameServer(within.name()?)
        } else if kind == CNAME {
            Data::Alias(within.name()?)
        } else {
            Data::Other
        };
        Some(Record { name, data })
    }
}
