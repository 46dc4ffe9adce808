//! The address plan: 10.64.0.0/10, a /18 per host, a /24 per environment's bridge on it, the last /16 for names.
//!
//! A bridge's upper half is Docker's own to hand out (`--ip-range`), for containers that are not ours; ours have fixed
//! addresses in the lower half, handed out by the ledger.

use std::net::{IpAddr, Ipv4Addr};

/// Bits of the whole plan's base, 10.64.0.0.
const BASE: u32 = u32::from_be_bytes([10, 64, 0, 0]);
/// Hosts that fit before the last /16, which is kept for the apps' virtual addresses: 252 blocks of a /18.
pub const MAX_HOSTS: u16 = 252;
/// Bridges that fit in a host's /18.
pub const MAX_BRIDGES: u8 = 64;
/// The first and last fixed address on a bridge: .2 to .127 (.1 is the bridge itself).
pub const FIXED: std::ops::RangeInclusive<u8> = 2..=127;

/// Whether an address lies in the plan: the first ten bits are those of its base.
pub fn is_planned(address: Ipv4Addr) -> bool {
    u32::from(address) >> 22 == BASE >> 22
}

/// An address that only its own network knows.
pub fn is_inner(address: IpAddr) -> bool {
    match address {
        // Those shared by a provider's customers too (RFC 6598).
        IpAddr::V4(v4) => {
            v4.is_private() || v4.is_loopback() || v4.is_link_local() || matches!(v4.octets(), [100, 64..128, _, _])
        }
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

/// One environment's bridge on one host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct Bridge {
    /// The host's number, 0–251.
    pub host: u16,
    /// The bridge's number on that host, 0–63.
    pub index: u8,
}

impl Bridge {
    /// The bridge, if both numbers fit the plan.
    pub fn new(host: u16, index: u8) -> Option<Self> {
        (host < MAX_HOSTS && index < MAX_BRIDGES).then_some(Self { host, index })
    }

    /// The address with this last byte.
    fn at(self, last: u8) -> Ipv4Addr {
        Ipv4Addr::from(BASE + (u32::from(self.host) << 14) + (u32::from(self.index) << 8) + u32::from(last))
    }

    /// "10.64.3.0/24".
    pub fn subnet(self) -> String {
        format!("{}/24", self.at(0))
    }

    /// The bridge's own address, .1.
    pub fn gateway(self) -> Ipv4Addr {
        self.at(1)
    }

    /// The half Docker hands out to strangers, "10.64.3.128/25".
    pub fn strangers(self) -> String {
        format!("{}/25", self.at(128))
    }

    /// The lowest fixed address that is not among `taken`.
    pub fn free_address(self, taken: &[Ipv4Addr]) -> Option<Ipv4Addr> {
        FIXED.map(|last| self.at(last)).find(|address| !taken.contains(address))
    }
}
