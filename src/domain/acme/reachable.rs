//! Whether an authority would find us under a name, by what was found when we looked ourselves.

use std::net::IpAddr;

use super::Trouble;

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
            Some(Trouble::OtherAnswer { name, address: address.to_string(), detail: detail.clone() })
        }
        Some((_, Met::Us | Met::NotAsked)) | None if asked => None,
        _ => Some(Trouble::Elsewhere {
            name,
            points_to: found.iter().map(|(at, _)| at.to_string()).collect(),
            expected: expected.iter().map(ToString::to_string).collect(),
        }),
    }
}
