//! Whether an authority would find us under a name, by what was found when we looked ourselves.

use std::net::IpAddr;

use super::Trouble;
use crate::domain::address::is_inner;

/// What answered at an address of the name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Met {
    /// Our own proxy, with the right answer.
    Us,
    /// Nobody.
    Nobody(String),
    /// Somebody else.
    Other(String),
    /// It was not asked: this machine has no way to addresses of its kind, or it is one that no authority asks.
    NotAsked,
}

/// What is in the way, if anything is. `expected` are the addresses of the servers the name should lead to.
pub fn reachable(name: &str, found: &[(IpAddr, Met)], expected: &[IpAddr]) -> Option<Trouble> {
    if found.is_empty() {
        return Some(Trouble::NoAddress { name: name.to_owned() });
    }
    // A server that is known by an inner address, such as the panel's own machine, may well be what a public one leads to.
    let public = found.iter().any(|(at, _)| !is_inner(*at));
    let expected: Vec<IpAddr> = expected.iter().copied().filter(|at| !public || !is_inner(*at)).collect();
    let bad = found.iter().find(|(_, met)| !matches!(met, Met::Us | Met::NotAsked));
    let asked = found.iter().any(|(_, met)| *met != Met::NotAsked);
    let strangers: Vec<IpAddr> = found
        .iter()
        .filter(|(_, met)| *met != Met::Us)
        .map(|(at, _)| *at)
        .filter(|at| !expected.contains(at))
        .collect();
    let name = name.to_owned();
    match bad {
        // An address that is none of the servers', and where nobody has our answer.
        Some((address, _)) if !expected.is_empty() && strangers.contains(address) => Some(Trouble::Elsewhere {
            name,
            points_to: strangers.iter().map(ToString::to_string).collect(),
            expected: expected.iter().map(ToString::to_string).collect(),
        }),
        Some((address, Met::Nobody(detail))) => {
            Some(Trouble::PortClosed { name, address: address.to_string(), detail: detail.clone() })
        }
        Some((address, Met::Other(detail))) => {
            let (address, detail) = (address.to_string(), detail.clone());
            Some(Trouble::OtherAnswer { name, address, detail, inside: false })
        }
        Some((_, Met::Us | Met::NotAsked)) | None if asked => None,
        _ => Some(Trouble::Elsewhere {
            name,
            points_to: found.iter().map(|(at, _)| at.to_string()).collect(),
            expected: expected.iter().map(ToString::to_string).collect(),
        }),
    }
}

impl Trouble {
    /// The same, seen from beside servers that may be known by these addresses: where none of these is a public one, what answers at one
    /// may be the servers' own router, with its page, and to those inside alone.
    pub fn beside(self, known: &[IpAddr]) -> Self {
        match self {
            Self::OtherAnswer { name, address, detail, .. } => {
                let outer = address.parse().is_ok_and(|at: IpAddr| !is_inner(at));
                let inside = outer && !known.is_empty() && known.iter().all(|at| is_inner(*at));
                Self::OtherAnswer { name, address, detail, inside }
            }
            other => other,
        }
    }
}

/// A name of which it cannot be told from here whether it leads to its server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doubt {
    /// The name.
    pub name: String,
    /// Where it leads.
    pub address: String,
}

/// Whether what is in the way may be no more than that a server does not reach itself, nor its neighbours, by its outer address (NAT
/// that does not lead back): then an answer of its proxy at the address it is reached by leaves both open, and an authority knows.
/// `known` are the addresses by which the servers may be known: not where a public one is among them, which the name would have; nor
/// where somebody else answers.
pub fn doubted(name: &str, found: &[(IpAddr, Met)], known: &[IpAddr]) -> Option<Doubt> {
    if known.is_empty() || !known.iter().all(|at| is_inner(*at)) {
        return None;
    }
    let mut silent = found.iter().filter(|(_, met)| matches!(met, Met::Nobody(_))).map(|(at, _)| *at).peekable();
    let first = *silent.peek()?;
    let other = found.iter().any(|(_, met)| matches!(met, Met::Other(_)));
    let outer = silent.all(|at| !is_inner(at));
    (outer && !other).then(|| Doubt { name: name.to_owned(), address: first.to_string() })
}
