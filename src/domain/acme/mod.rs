//! Certificates that are got by themselves (RFC 8555): for which names, when again, and what is said where it does not work.
//! Pure: the moment comes in as an argument. Not here: speaking to an authority, and what is in a certificate.

mod again;
mod help;
mod problem;
mod reachable;
pub mod record;
mod trouble;
mod weekly;

#[cfg(test)]
mod tests;

pub use again::{Again, MOST_FAILURES, Window, again, renew_at, wait_for};
pub use problem::{At, Problem, classify};
pub use reachable::{Doubt, Met, doubted, reachable};
pub use trouble::Trouble;
pub use weekly::{MOST_A_WEEK, enough_until, is_counted, too_many};

use sha2::{Digest, Sha256};

use super::names::{Domain, checked_text};

/// The directory of Let's Encrypt.
pub const LETS_ENCRYPT: &str = "https://acme-v02.api.letsencrypt.org/directory";
/// Its staging directory: certificates no browser trusts, and hardly any limit.
pub const LETS_ENCRYPT_STAGING: &str = "https://acme-staging-v02.api.letsencrypt.org/directory";
/// The most names of one certificate: what Let's Encrypt allows.
pub const MOST_NAMES: usize = 100;
/// The most certificates that one team wants. An authority takes 300 orders in three hours: these are renewed within two days, and
/// their list is read within a second.
pub const MOST_ORDERS: usize = 5_000;

checked_text! {
    /// A name a certificate is for: a domain, or `*.` and a domain.
    CertName = |text| {
        let text = text.trim();
        let (star, rest) = text.strip_prefix("*.").map_or(("", text), |rest| ("*.", rest));
        match rest.parse::<Domain>() {
            Ok(domain) => Ok([star, domain.as_ref()].concat()),
            Err(_) => Err("Use a domain such as shop.example.org, or *.example.org for everything below it."),
        }
    };
}

impl CertName {
    /// True for `*.example.org`.
    pub fn is_wildcard(&self) -> bool {
        self.as_ref().starts_with("*.")
    }

    /// The name without its star: whose records prove it.
    pub fn base(&self) -> &str {
        self.as_ref().strip_prefix("*.").unwrap_or(self.as_ref())
    }

    /// Where the proof by DNS is written.
    pub fn challenge_record(&self) -> String {
        format!("_acme-challenge.{}", self.base())
    }
}

/// One short text for a set of names, whatever their order: a team asks once for it.
pub fn names_key(names: &[CertName]) -> String {
    let mut names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    names.sort_unstable();
    names.dedup();
    hex::encode(Sha256::digest(names.join(" ")))
}
