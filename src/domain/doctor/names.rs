//! Domains of apps, and the panel's own: does a name lead to a host that serves it?

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::{Area, Finding, Grade};
use crate::domain::acme::{Doubt, Met, Trouble, doubted, reachable};
use crate::domain::address::is_inner;
use crate::domain::help::Topic;

/// Names of this machine alone (RFC 6761): nobody has to lead them anywhere.
const LOCAL: &str = ".localhost";
/// Addresses told in one sentence.
const TOLD: usize = 4;

/// What a name leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolved {
    /// These addresses.
    Addresses(BTreeSet<IpAddr>),
    /// Nothing: there is no such name.
    Nowhere,
    /// It could not be asked, or not in time.
    NotAsked(String),
}

/// What was found by asking under the name for an answer that only proxies of ours have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// Proxies have no such answer before an authority is chosen, or there was no time.
    NotAsked,
    /// What each address answered.
    Asked(Vec<(IpAddr, Met)>),
}

/// A host that is to be led to.
#[derive(Clone, Debug, Default)]
pub struct HostAt {
    /// Its name.
    pub name: String,
    /// Its addresses; none where its name could not be resolved.
    pub addresses: BTreeSet<IpAddr>,
    /// Whether it is the panel's own machine, which is reached by loopback.
    pub here: bool,
}

/// What was seen of a domain.
#[derive(Clone, Debug)]
pub struct NameSeen {
    /// The domain.
    pub domain: String,
    /// The app it is to lead to.
    pub app: String,
    /// What it leads to.
    pub resolved: Resolved,
    /// Which of these addresses are the panel's own machine's.
    pub own: BTreeSet<IpAddr>,
    /// What came from there.
    pub proof: Proof,
    /// Whether the proxy of one of its hosts answered at the address that is reached by; asked where nobody did at an outer one.
    pub inside: bool,
    /// The hosts that serve it.
    pub hosts: Vec<HostAt>,
}

/// What that means.
pub fn name(seen: &NameSeen) -> Finding {
    let (area, of) = (Area::Domain, seen.domain.as_str());
    if is_local(of) {
        return Finding::ok(area, of, "It leads to the machine of whoever asks, as all names below localhost do.");
    }
    let topic = Topic::DomainElsewhere;
    let to = seen.to();
    let wanted = seen.wanted();
    let address = match list(wanted.iter().filter(|address| !address.is_loopback())) {
        text if text.is_empty() => String::new(),
        text => format!(" ({text})"),
    };
    let addresses = match &seen.resolved {
        Resolved::NotAsked(why) => {
            return Finding::warn(
                area,
                of,
                format!("It could not be looked up: {why}."),
                "See that the panel's machine reaches its name server, then look again.",
                topic,
            );
        }
        Resolved::Nowhere => {
            return Finding::bad(
                area,
                of,
                format!("There is no such name, so nobody reaches {} by it.", seen.app),
                format!("Where the domain is managed, add an A record that leads to {to}{address}."),
                topic,
            );
        }
        Resolved::Addresses(addresses) => addresses,
    };
    let met: Vec<&str> =
        seen.hosts.iter().filter(|host| seen.leads_to(host, addresses)).map(|host| host.name.as_str()).collect();
    let deaf = seen.deaf(addresses);
    let by_6 = || {
        let what = format!(
            "It leads to {} too, and the proxy of {to} takes IPv4 only: who comes by IPv6 finds nobody.",
            list(&deaf)
        );
        Finding::warn(
            area,
            of,
            what,
            "Remove the AAAA record; an authority that is asked for a certificate goes there first.",
            topic,
        )
    };
    if let Proof::Asked(found) = &seen.proof
        && found.iter().any(|(_, met)| *met != Met::NotAsked)
    {
        let expected: Vec<IpAddr> = wanted.iter().copied().collect();
        return match reachable(of, found, &expected).map(|trouble| trouble.beside(&expected)) {
            None if !deaf.is_empty() => by_6(),
            None if met.is_empty() => {
                Finding::ok(area, of, format!("It leads to {}, where this panel's proxy answers.", list(addresses)))
            }
            None => Finding::ok(area, of, format!("It leads to {}, whose proxy answers.", met.join(", "))),
            Some(_) if seen.inside && seen.doubt().is_some() => Finding::warn(
                area,
                of,
                format!(
                    "It leads to {}, which is not reached from inside, as is usual behind NAT; the proxy of {to} answers. Whether the \
                     name leads there cannot be told from here.",
                    list(addresses)
                ),
                "Open it from another network. Where it works, all is well; else have port 80 and that of HTTPS led on to the server, or change the record.",
                Topic::CertificatePort,
            ),
            Some(trouble) => not_met(of, &to, &address, addresses, &trouble, found),
        };
    }
    if !deaf.is_empty() {
        return by_6();
    }
    if !met.is_empty() {
        return Finding::ok(area, of, format!("It leads to {}.", met.join(", ")));
    }
    let between =
        "Where something stands in between (a CDN, a load balancer), that is as it should be. Else change the record.";
    let public = |address: &IpAddr| !is_inner(*address);
    if wanted.iter().any(public) || addresses.iter().all(|address| is_inner(*address)) {
        let what = format!("It leads to {}, which is not {to}{address}.", list(addresses));
        return Finding::warn(area, of, what, between, topic);
    }
    let what = match seen.hosts.iter().any(|host| host.here) {
        true => format!("It leads to {}, which is no address of this machine, where {to} is.", list(addresses)),
        false => {
            format!("It leads to {}; whether that is {to} cannot be told from its inner address.", list(addresses))
        }
    };
    let act = "Once a certificate authority is chosen, an answer of the proxy is asked for under the name, and this is known. Where \
               that address is led on to the server, that is as it should be. Else change the record.";
    Finding::warn(area, of, what, act, topic)
}

/// True for names that nobody looks up.
pub fn is_local(domain: &str) -> bool {
    domain.ends_with(LOCAL)
}

impl NameSeen {
    /// Whether it cannot be told from here where the name leads, unless a proxy does not even answer inside.
    pub fn doubt(&self) -> Option<Doubt> {
        let Proof::Asked(found) = &self.proof else { return None };
        doubted(&self.domain, found, &self.wanted().into_iter().collect::<Vec<_>>())
    }

    /// The hosts in words.
    fn to(&self) -> String {
        let hosts: Vec<&str> = self.hosts.iter().map(|host| host.name.as_str()).collect();
        match hosts.as_slice() {
            [] => "the app's host".to_owned(),
            [one] => (*one).to_owned(),
            many => format!("one of {}", many.join(", ")),
        }
    }

    /// The addresses that would be right.
    fn wanted(&self) -> BTreeSet<IpAddr> {
        let here = self.hosts.iter().any(|host| host.here);
        let own = self.own.iter().filter(|_| here);
        self.hosts.iter().flat_map(|host| &host.addresses).chain(own).copied().collect()
    }

    /// Its IPv6 addresses that are a host's own, where no proxy listens; not those at which one was seen to answer, through something else.
    fn deaf(&self, addresses: &BTreeSet<IpAddr>) -> Vec<IpAddr> {
        let answers = |address: &IpAddr| match &self.proof {
            Proof::NotAsked => false,
            Proof::Asked(found) => found.iter().any(|(at, met)| at == address && *met == Met::Us),
        };
        let wanted = self.wanted();
        let six = addresses.iter().filter(|address| address.is_ipv6() && wanted.contains(address));
        six.filter(|address| !answers(address)).copied().collect()
    }

    fn leads_to(&self, host: &HostAt, addresses: &BTreeSet<IpAddr>) -> bool {
        host.addresses.intersection(addresses).next().is_some() || (host.here && !self.own.is_empty())
    }
}

/// Nobody of ours answered under the name.
fn not_met(
    of: &str,
    to: &str,
    address: &str,
    addresses: &BTreeSet<IpAddr>,
    trouble: &Trouble,
    found: &[(IpAddr, Met)],
) -> Finding {
    let (what, act, topic) = match trouble {
        Trouble::PortClosed { address, detail, .. } if address.contains(':') => (
            format!("It leads to {}, and port 80 of {address} does not answer: {detail}.", list(addresses)),
            "Servers' proxies take IPv4 only for now: remove the AAAA record, unless something in between (a CDN, a load balancer) is to take IPv6.",
            Topic::CertificatePort,
        ),
        Trouble::PortClosed { address, detail, .. } => (
            format!("It leads to {}, and port 80 of {address} does not answer: {detail}.", list(addresses)),
            "Open the port in the firewall of the server and of its provider.",
            Topic::CertificatePort,
        ),
        Trouble::OtherAnswer { address, detail, inside, .. } => (
            format!("What answers for it at {address} is not this panel's proxy: {detail}."),
            match inside {
                true => {
                    "Where that is the server's own router, have it lead its outer address back in (hairpin NAT), or prove the name by DNS. A service in between (a CDN, a load balancer) has to pass on /.well-known/acme-challenge/. Else another address of the name is left over: remove it."
                }
                false => {
                    "A service in between (a CDN, a load balancer) has to pass on /.well-known/acme-challenge/. Else another address of the name is left over: remove it."
                }
            },
            Topic::CertificateOther,
        ),
        _ => (
            format!(
                "It leads to {}, which is not {to}{address}: this panel's proxy does not answer there.",
                list(addresses)
            ),
            match addresses.iter().any(IpAddr::is_ipv6) {
                true => {
                    "Change the A record, and remove the AAAA record: proxies take IPv4 only for now. Where something stands in between (a CDN, a load balancer), it has to pass on /.well-known/acme-challenge/."
                }
                false => {
                    "Change the record. Where something stands in between (a CDN, a load balancer), it has to pass on /.well-known/acme-challenge/."
                }
            },
            Topic::DomainElsewhere,
        ),
    };
    let mut finding = Finding::warn(Area::Domain, of, what, act, topic);
    // Where nobody at all answers, nobody reaches the app.
    if found.iter().all(|(_, met)| matches!(met, Met::Nobody(_) | Met::NotAsked)) {
        finding.grade = Grade::Bad;
    }
    finding
}

/// Addresses, told.
fn list<'a>(addresses: impl IntoIterator<Item = &'a IpAddr>) -> String {
    let told: Vec<String> = addresses.into_iter().take(TOLD).map(ToString::to_string).collect();
    told.join(", ")
}
