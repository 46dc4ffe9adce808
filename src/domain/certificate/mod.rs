//! Certificates: where one comes from, which names it is for, and which of several serves a name. Not here: reading one
//! (`read`), the proxy's words about them (`ingress::tls`).

mod read;
pub mod renewed;
mod split;

#[cfg(test)]
mod tests;

pub use read::{Checked, Fault, Field, read};
pub use split::{passed_over, shared};

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use super::help::{Topic, of_sentence};
use super::ids::CertificateId;

/// Days before its end from which on a certificate is warned about.
pub const WARN_DAYS: i64 = 30;
/// So long before its end another one takes a certificate's place, where there is one: visitors meet none that has run out.
pub const HAND_OVER: Duration = Duration::minutes(5);

/// Where a certificate comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, sqlx::Type, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Origin {
    /// A person brought it.
    Uploaded,
    /// Skiff asked an ACME server for it, and renews it.
    Acme,
}

impl Origin {
    /// As the table has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Uploaded => "uploaded",
            Self::Acme => "acme",
        }
    }
}

/// What a certificate says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The names it is for, in lower case: `shop.example.org`, `*.example.org`.
    pub names: Vec<String>,
    /// Who issued it, as people read it.
    pub issuer: String,
    /// The serial number, hex, in capitals.
    pub serial: String,
    /// The SHA-256 of the certificate, hex.
    pub fingerprint: String,
    /// From when it is valid.
    pub not_before: OffsetDateTime,
    /// Until when.
    pub not_after: OffsetDateTime,
}

/// How long a certificate is still good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Age {
    /// Long enough.
    Fine,
    /// It ends within [`WARN_DAYS`].
    Ending,
    /// It has ended.
    Over,
}

/// Whole days that are left, and what that means; negative where it has ended.
pub fn age(not_after: OffsetDateTime, now: OffsetDateTime) -> (i64, Age) {
    let left = not_after - now;
    match left.whole_days() {
        _ if left.is_negative() => (left.whole_days().min(0), Age::Over),
        days if days < WARN_DAYS => (days, Age::Ending),
        days => (days, Age::Fine),
    }
}

/// Where the docs say more about why a host has another version of a certificate: by what was said there, where something was.
pub fn help_of_host(trouble: &str) -> Topic {
    of_sentence(trouble).unwrap_or(Topic::CertificateBefore)
}

/// True where a certificate for this name is one for the domain: the same, or a wildcard in the place of its first label.
pub fn covers(name: &str, domain: &str) -> bool {
    match name.strip_prefix("*.") {
        Some(above) => domain.split_once('.').is_some_and(|(first, rest)| !first.is_empty() && rest == above),
        None => name == domain,
    }
}

/// What is needed to choose among certificates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The certificate.
    pub id: CertificateId,
    /// Its names.
    pub names: Vec<String>,
    /// Until when it is valid.
    pub not_after: OffsetDateTime,
}

/// Certificates by the names they are for. A domain is held against those few that may be for it, however many a team has.
#[derive(Clone, Debug)]
pub struct ByName<'a>(HashMap<&'a str, Vec<&'a Candidate>>);

impl<'a> ByName<'a> {
    /// Of these.
    pub fn new(candidates: &'a [Candidate]) -> Self {
        let mut by_name: HashMap<&str, Vec<&Candidate>> = HashMap::with_capacity(candidates.len());
        for one in candidates {
            for name in &one.names {
                by_name.entry(name).or_default().push(one);
            }
        }
        Self(by_name)
    }

    /// The certificate that serves a domain: one that is good for [`HAND_OVER`] at least, or still good, one that names it before a wildcard,
    /// then the one that is good for longest.
    pub fn choose(&self, domain: &str, now: OffsetDateTime) -> Option<&'a Candidate> {
        let good = |one: &Candidate, at| one.not_after > at;
        let fits = self.all_for(domain);
        fits.max_by_key(|(exact, one)| (good(one, now + HAND_OVER), good(one, now), *exact, one.not_after, one.id))
            .map(|(_, one)| one)
    }

    /// All that are for a domain, and whether each names it: a wildcard does not.
    fn all_for(&self, domain: &str) -> impl Iterator<Item = (bool, &'a Candidate)> {
        let exact = self.0.get(domain).into_iter().flatten().map(|one| (true, *one));
        let wildcard = wildcard_over(domain).and_then(|name| self.0.get(name.as_str()));
        exact.chain(wildcard.into_iter().flatten().map(|one| (false, *one)))
    }
}

/// The wildcard that is for this domain too: `*.example.org` for `shop.example.org`.
pub fn wildcard_over(domain: &str) -> Option<String> {
    let (first, above) = domain.split_once('.')?;
    (!first.is_empty()).then(|| format!("*.{above}"))
}
