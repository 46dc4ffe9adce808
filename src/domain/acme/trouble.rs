//! Why there is no certificate, or no newer one: what is wrong, with what, and what to try.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::Doubt;

/// What went wrong. Kept with the order as it was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "what")]
pub enum Trouble {
    /// The name has no address.
    NoAddress {
        /// The name.
        name: String,
    },
    /// The name leads elsewhere.
    Elsewhere {
        /// The name.
        name: String,
        /// Where to.
        points_to: Vec<String>,
        /// Where it should lead.
        expected: Vec<String>,
    },
    /// Nobody answers plain HTTP there.
    PortClosed {
        /// The name.
        name: String,
        /// The address that was asked.
        address: String,
        /// What happened.
        detail: String,
    },
    /// Somebody else answers there.
    OtherAnswer {
        /// The name.
        name: String,
        /// The address that was asked.
        address: String,
        /// What it answered.
        detail: String,
        /// Whether it may be the servers' own router, which answers so to those inside alone.
        #[serde(default)]
        inside: bool,
    },
    /// The authority could not look the name up.
    LookUp {
        /// The name.
        name: String,
        /// Its words.
        detail: String,
    },
    /// The domain's own records allow other authorities only.
    Caa {
        /// The name.
        name: String,
        /// The authority's words.
        detail: String,
    },
    /// The proof was not accepted.
    NotProven {
        /// The name.
        name: String,
        /// The authority's words.
        detail: String,
    },
    /// From outside the proof was not reached, and from here it cannot be told why: the server's outer address is not reached from
    /// inside.
    NotFound {
        /// The name.
        name: String,
        /// Where it leads.
        address: String,
        /// The authority's words.
        detail: String,
    },
    /// The record was written and is not seen.
    NotSeen {
        /// The record.
        record: String,
        /// What was found where.
        #[serde(default)]
        found: String,
    },
    /// The name server or its service did not take the record.
    DnsAccount {
        /// What the account is called.
        account: String,
        /// What was said.
        detail: String,
    },
    /// Too many were asked for.
    RateLimited {
        /// Until when, where the authority said it.
        until: Option<OffsetDateTime>,
        /// The authority's words.
        detail: String,
        /// Whether the name is below a domain that others use too, and the limit is theirs as well.
        #[serde(default)]
        shared: bool,
    },
    /// The authority takes no more orders for the name until a person says so.
    Paused {
        /// The authority's words, with the address of its page.
        detail: String,
    },
    /// The account does not stand, or has to be bound, or the terms have changed.
    Account {
        /// The authority's words.
        detail: String,
    },
    /// The key that binds the account is not taken.
    Binding {
        /// The authority's words.
        detail: String,
    },
    /// The authority does not answer, or not as it should.
    ServerDown {
        /// Who.
        server: String,
        /// What happened.
        detail: String,
        /// Not before this, where it said so.
        until: Option<OffsetDateTime>,
    },
    /// The authority's certificate is not valid by this machine's clock.
    Clock {
        /// Who.
        server: String,
        /// What happened.
        detail: String,
    },
    /// The authority's certificate is signed by nobody whom this machine knows.
    Untrusted {
        /// Who.
        server: String,
        /// What happened.
        detail: String,
    },
    /// Refused for another reason.
    Refused {
        /// The authority's words.
        detail: String,
    },
}

impl Trouble {
    /// The whole sentence: what, with what, and what to try.
    pub fn sentence(&self) -> String {
        match self {
            Self::NoAddress { name } => {
                format!(
                    "{name} has no address yet. Let its A record name the server, and wait until that is seen everywhere."
                )
            }
            Self::Elsewhere { name, points_to, expected } => format!(
                "{name} points to {}, expected {}. Change its A record to the server's address, and remove an AAAA record: proxies take IPv4 only for now.",
                list(points_to),
                list(expected)
            ),
            Self::PortClosed { name, address, detail } if address.contains(':') => format!(
                "Port 80 of {address}, where an AAAA record of {name} leads, does not answer: {detail}. Servers' proxies take IPv4 only for \
                 now, and an authority asks there first: remove that record, unless something in between (a CDN, a load balancer) takes IPv6."
            ),
            Self::PortClosed { name, address, detail } => format!(
                "Port 80 of {address}, where {name} leads, does not answer: {detail}. Open it in the firewall of the server and of its provider."
            ),
            Self::OtherAnswer { name, address, detail, inside } => format!(
                "What answers for {name} at {address} is not this panel's proxy: {detail}. Look whether a service in between (a CDN, a \
                 load balancer) passes on /.well-known/acme-challenge/, or whether another address of the name is left over.{}",
                match inside {
                    true =>
                        " Where that is the server's own router, which answers so to those inside: have it lead its outer address back in (hairpin NAT), or prove the name by DNS.",
                    false => "",
                }
            ),
            Self::LookUp { name, detail } => {
                format!(
                    "The certificate authority could not look {name} up: {detail} Look at the domain's name servers."
                )
            }
            Self::Caa { name, detail } => format!(
                "The domain's CAA records forbid this authority to sign for {name}: {detail} Add a CAA record that names the authority, or remove them."
            ),
            Self::NotProven { name, detail } => format!(
                "The certificate authority did not accept the proof for {name}: {detail} Look whether the name leads to this server from everywhere, \
                 and by IPv4 alone: an AAAA record leads past the proxy."
            ),
            Self::NotFound { name, address, detail } => format!(
                "The certificate authority did not accept the proof for {name}: {detail} From inside its own network {address} is not reached, \
                 as is usual behind NAT, while the server's proxy answers. So either port 80 of {address} is not led on to this server, or \
                 it is closed in the provider's firewall; or {name} leads to another server, and its A record has to name this one."
            ),
            Self::NotSeen { record, found } => {
                let found = if found.is_empty() { String::new() } else { format!(": {found}") };
                format!(
                    "The record {record} was written and is not seen{found}. Look whether the domain's name servers are those of the \
                     chosen DNS account, and whether all of them say the same."
                )
            }
            Self::DnsAccount { account, detail } => format!(
                "The DNS account {account} did not take the record: {detail} Look at its token or key, and what it may change."
            ),
            Self::RateLimited { until, detail, shared } => {
                let until = until.and_then(moment).map(|at| format!(" until {at}")).unwrap_or_default();
                let rest = match shared {
                    true => {
                        ". This limit is shared by everybody who uses sslip.io: use a domain of your own, for which there is one of its own."
                    }
                    false => "; nothing is to be done.",
                };
                format!(
                    "The certificate authority takes no more orders for this name{until}: {detail} It is tried again after that{rest}"
                )
            }
            Self::Paused { detail } => format!(
                "The certificate authority has paused this name after many failures: {detail} Somebody has to unpause it there, and then press “Get one now”."
            ),
            Self::Account { detail } => format!(
                "The certificate authority does not accept the panel's account: {detail} Look at the settings of certificates: e-mail, external account, terms."
            ),
            Self::Binding { detail } => format!(
                "The certificate authority does not accept the panel's account with this key (EAB): {detail} Look at its id and key in the settings of \
                 certificates. Some authorities take a key once only: as each team has an account of its own there, the first team alone gets \
                 certificates with such a key."
            ),
            Self::ServerDown { server, detail, .. } => {
                format!(
                    "{server} does not answer as it should: {detail}. It is tried again; the certificate that is there goes on serving."
                )
            }
            Self::Clock { server, detail } => format!(
                "By this machine's clock the certificate of {server} is not valid: {detail}. Look at the clock of the panel's machine (timedatectl)."
            ),
            Self::Untrusted { server, detail } => format!(
                "The certificate of {server} is signed by nobody whom this machine trusts: {detail}. For an authority of your own, enter its root in the settings of certificates."
            ),
            Self::Refused { detail } => {
                format!("The certificate authority refused the order: {detail} Look at the name.")
            }
        }
    }

    /// The same in few words, for a table.
    pub fn brief(&self) -> String {
        match self {
            Self::NoAddress { .. } => "waiting for DNS: no address yet".to_owned(),
            Self::Elsewhere { points_to, expected, .. } => {
                format!("waiting for DNS: points to {}, expected {}", list(points_to), list(expected))
            }
            Self::PortClosed { address, .. } => format!("port 80 of {address} does not answer"),
            Self::OtherAnswer { address, .. } => format!("something else answers at {address}"),
            Self::LookUp { .. } => "the authority cannot look it up".to_owned(),
            Self::Caa { .. } => "CAA records forbid it".to_owned(),
            Self::NotProven { .. } => "the proof was not accepted".to_owned(),
            Self::NotFound { address, .. } => format!("the authority did not find the proof at {address}"),
            Self::NotSeen { .. } => "the DNS record is not seen".to_owned(),
            Self::DnsAccount { account, .. } => format!("the DNS account {account} refused"),
            Self::RateLimited { .. } => "rate limited".to_owned(),
            Self::Paused { .. } => "paused: needs you".to_owned(),
            Self::Account { .. } => "the account is not accepted".to_owned(),
            Self::Binding { .. } => "the key of the account is not accepted".to_owned(),
            Self::ServerDown { .. } => "the authority does not answer".to_owned(),
            Self::Clock { .. } => "the clock is wrong".to_owned(),
            Self::Untrusted { .. } => "the authority is not trusted".to_owned(),
            Self::Refused { .. } => "refused".to_owned(),
        }
    }

    /// True where nothing changes before a person has done something, at the authority or in the settings.
    pub fn needs_a_person(&self) -> bool {
        matches!(self, Self::Paused { .. } | Self::Account { .. } | Self::Binding { .. })
    }

    /// True where it was found before the authority was asked for anything: looking again costs nobody anything.
    pub fn found_beforehand(&self) -> bool {
        matches!(
            self,
            Self::NoAddress { .. } | Self::Elsewhere { .. } | Self::PortClosed { .. } | Self::OtherAnswer { .. }
        )
    }

    /// True where the authority counts it as a failed proof of the name.
    pub fn counts(&self) -> bool {
        matches!(self, Self::LookUp { .. } | Self::Caa { .. } | Self::NotProven { .. } | Self::NotFound { .. })
    }
}

impl Trouble {
    /// The same, where it was not known before whether the name leads here: then it says what that may mean.
    pub fn in_doubt(self, doubts: &[Doubt]) -> Self {
        match self {
            Self::NotProven { name, detail } => match doubts.iter().find(|doubt| doubt.name == name) {
                Some(doubt) => Self::NotFound { name, address: doubt.address.clone(), detail },
                None => Self::NotProven { name, detail },
            },
            other => other,
        }
    }
}

/// Addresses as a sentence has them.
fn list(all: &[String]) -> String {
    if all.is_empty() { "nothing".to_owned() } else { all.join(" and ") }
}

/// A moment to the minute, as both people and programs read it.
pub(super) fn moment(at: OffsetDateTime) -> Option<String> {
    let text = at.replace_nanosecond(0).ok()?.format(&Rfc3339).ok()?;
    Some(text.replace('T', " ").replace('Z', " UTC"))
}
