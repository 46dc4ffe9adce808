//! A server that stands between the panel and a host, written as one text: `user@address:port`.

use std::net::Ipv6Addr;

use super::names::{Bad, HostAddress, SshUser};

/// The port of SSH, where none is written.
const SSH: u16 = 22;
const HOW: Bad = Bad("Use user@address or user@address:port, such as skiff@gate.example.org:2222.");

/// Who signs in where, to go on from there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JumpHost {
    /// The user.
    pub user: SshUser,
    /// Where it answers.
    pub address: HostAddress,
    /// The port of its sshd.
    pub port: u16,
}

impl std::str::FromStr for JumpHost {
    type Err = Bad;

    fn from_str(text: &str) -> Result<Self, Bad> {
        let text = text.trim();
        let (user, place) = text.split_once('@').unwrap_or(("root", text));
        let (address, port) = match place.strip_prefix('[') {
            Some(rest) => {
                let (address, port) = rest.split_once(']').ok_or(HOW)?;
                address.parse::<Ipv6Addr>().map_err(|_| HOW)?;
                (address, if port.is_empty() { None } else { Some(port.strip_prefix(':').ok_or(HOW)?) })
            }
            None if place.parse::<Ipv6Addr>().is_ok() => (place, None),
            None => place.split_once(':').map_or((place, None), |(address, port)| (address, Some(port))),
        };
        let digits = |port: &str| !port.is_empty() && port.chars().all(|c| c.is_ascii_digit());
        let port = match port {
            None => SSH,
            Some(port) if digits(port) => port.parse().ok().filter(|port| *port > 0).ok_or(HOW)?,
            Some(_) => return Err(HOW),
        };
        let user = user.parse().map_err(|_| HOW)?;
        Ok(Self { user, address: address.parse().map_err(|_| HOW)?, port })
    }
}

impl std::fmt::Display for JumpHost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let address = self.address.as_ref();
        match address.contains(':') {
            true => write!(f, "{}@[{address}]", self.user)?,
            false => write!(f, "{}@{address}", self.user)?,
        }
        if self.port == SSH { Ok(()) } else { write!(f, ":{}", self.port) }
    }
}

#[cfg(test)]
mod tests {
    use super::JumpHost;

    #[test]
    fn what_is_left_out_is_root_and_22() {
        for (written, whole) in [
            ("gate.example.org", "root@gate.example.org"),
            (" ada@10.0.0.1:2222 ", "ada@10.0.0.1:2222"),
            ("ada@gate:22", "ada@gate"),
            ("2001:db8::1", "root@[2001:db8::1]"),
            ("ada@[2001:db8::1]:2222", "ada@[2001:db8::1]:2222"),
        ] {
            assert_eq!(written.parse::<JumpHost>().map(|jump| jump.to_string()), Ok(whole.to_owned()), "{written}");
        }
        for bad in [
            "",
            "@gate",
            "ada@",
            "a b@gate",
            "gate:0",
            "gate:99999",
            "gate:x",
            "gate:",
            "-oProxyCommand=x@y",
            "[::1",
            "[gate]",
            "a@b@c",
        ] {
            assert!(bad.parse::<JumpHost>().is_err(), "{bad}");
        }
    }
}
