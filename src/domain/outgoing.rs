//! Which addresses the panel connects to because a user named them: what a name resolves to is judged here, address by
//! address, before anything is sent. Not here: resolving and connecting.
//!
//! Public addresses are allowed. Private ones (RFC 1918, RFC 4193, RFC 6598) and the panel's own machine are allowed only
//! where the panel's operator permits it. Link-local addresses and the metadata services of clouds never are.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Why an address is not connected to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    /// A private network or the panel's own machine, which the operator has not opened.
    Private,
    /// Never: link-local, metadata, multicast, nobody's.
    Never,
}

impl Closed {
    /// What people read, after the name: "… leads to a private address."
    pub fn words(self) -> &'static str {
        match self {
            Self::Private => {
                "leads to a private address. Notices go there only where whoever runs the panel permits it \
                 (SKIFF_NOTICES_PRIVATE)"
            }
            Self::Never => "leads to an address that notices never go to",
        }
    }
}

/// Judges one address. `private` says whether private ones are permitted.
pub fn judge(address: IpAddr, private: bool) -> Result<(), Closed> {
    match class(address) {
        Some(Closed::Private) if private => Ok(()),
        Some(closed) => Err(closed),
        None => Ok(()),
    }
}

/// True for the panel's own machine, by the address it is reached at: no network is between.
pub fn is_this_machine(address: &str) -> bool {
    address == "localhost" || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// What speaks against an address; nothing where it is a public one.
fn class(address: IpAddr) -> Option<Closed> {
    match address {
        IpAddr::V4(address) => class_v4(address),
        IpAddr::V6(address) => class_v6(address),
    }
}

fn class_v4(address: Ipv4Addr) -> Option<Closed> {
    // Metadata of Alibaba Cloud and of Oracle Cloud; the others' is link-local.
    const METADATA: [Ipv4Addr; 2] = [Ipv4Addr::new(100, 100, 100, 200), Ipv4Addr::new(192, 0, 0, 192)];
    let [a, b, c, _] = address.octets();
    let never = address.is_link_local()
        || address.is_multicast()
        || address.is_broadcast()
        || a == 0
        || a >= 240
        || METADATA.contains(&address)
        // Protocol assignments, documentation and benchmarks (RFC 6890): nobody is there.
        || (a, b, c) == (192, 0, 0)
        || (a, b, c) == (192, 0, 2)
        || (a, b, c) == (198, 51, 100)
        || (a, b, c) == (203, 0, 113)
        || (a == 198 && (b == 18 || b == 19));
    if never {
        return Some(Closed::Never);
    }
    let shared = a == 100 && (64..128).contains(&b);
    (address.is_private() || address.is_loopback() || shared).then_some(Closed::Private)
}

fn class_v6(address: Ipv6Addr) -> Option<Closed> {
    let parts = address.segments();
    let [first, second, ..] = parts;
    let last = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        class_v4(Ipv4Addr::new(a, b, c, d))
    };
    match parts {
        // ::1 is this machine, :: is nobody.
        [0, 0, 0, 0, 0, 0, 0, 1] => Some(Closed::Private),
        // An IPv4 address in another coat: mapped, compatible, NAT64 (RFC 6052), 6to4 (RFC 3056).
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => last(high, low),
        [0, 0, 0, 0, 0, 0, ..] => Some(Closed::Never),
        [0x2002, high, low, ..] => last(high, low),
        // Metadata of Amazon.
        [0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x254] => Some(Closed::Never),
        _ if first & 0xfe00 == 0xfc00 => Some(Closed::Private),
        // Link-local, the old site-local, multicast, discard, documentation, Teredo, local NAT64.
        _ if first & 0xffc0 == 0xfe80 || first & 0xffc0 == 0xfec0 || first & 0xff00 == 0xff00 => Some(Closed::Never),
        _ if first == 0x0100 || (first == 0x2001 && (second == 0xdb8 || second == 0)) => Some(Closed::Never),
        _ if first == 0x64 && second == 0xff9b => Some(Closed::Never),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(address: &str, private: bool) -> Result<(), Closed> {
        judge(address.parse().unwrap(), private)
    }

    #[test]
    fn public_addresses_are_open() {
        for address in
            ["8.8.8.8", "172.32.0.1", "100.128.0.1", "2606:4700::6810:84e5", "64:ff9b::808:808", "2002:808:808::1"]
        {
            assert_eq!(said(address, false), Ok(()), "{address}");
        }
    }

    #[test]
    fn private_ones_are_the_operators_to_open() {
        for address in [
            "10.0.0.1",
            "172.16.0.1",
            "192.168.1.1",
            "100.64.0.1",
            "127.0.0.1",
            "127.9.9.9",
            "::1",
            "fd12::1",
            "fc00::1",
            "::ffff:10.0.0.1",
            "64:ff9b::a00:1",
            "2002:a00:1::1",
        ] {
            assert_eq!(said(address, false), Err(Closed::Private), "{address}");
            assert_eq!(said(address, true), Ok(()), "{address}");
        }
    }

    #[test]
    fn metadata_and_link_local_never_are() {
        for address in [
            "169.254.169.254",
            "169.254.0.1",
            "100.100.100.200",
            "192.0.0.192",
            "0.0.0.0",
            "0.1.2.3",
            "224.0.0.1",
            "255.255.255.255",
            "240.0.0.1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "::",
            "::a9fe:a9fe",
            "::ffff:169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "2002:a9fe:a9fe::1",
            "fd00:ec2::254",
        ] {
            assert_eq!(said(address, true), Err(Closed::Never), "{address}");
        }
    }
}
