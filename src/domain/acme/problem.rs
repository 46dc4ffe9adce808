//! What an authority says (RFC 8555 §6.7), as trouble.

use time::OffsetDateTime;

use super::Trouble;
use crate::domain::names::is_hidden;

/// Where it was said: some types mean different things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// Signing in, or making the account.
    Account,
    /// Asking for an order, or for its certificate.
    Order,
    /// Proving a name.
    Proof,
}

/// A problem document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problem {
    /// Its type.
    pub kind: String,
    /// Its words.
    pub detail: String,
    /// The status it came with.
    pub status: u16,
}

/// The beginning of all types.
const URN: &str = "urn:ietf:params:acme:error:";
/// Characters of the authority's words that are kept.
const MOST_WORDS: usize = 400;
/// The same where they have the address of the page on which a person unpauses a name: a signed text of some hundred characters stands at
/// its end, and is nothing when it is cut.
const MOST_OF_PAUSED: usize = 2_000;

/// What a problem means for an order of these names.
pub fn classify(at: At, name: &str, server: &str, problem: &Problem, retry_after: Option<OffsetDateTime>) -> Trouble {
    let detail = words(&problem.detail, MOST_WORDS);
    let name = name.to_owned();
    let shared = is_shared(&name, &problem.detail);
    let kind = problem.kind.strip_prefix(URN).unwrap_or(&problem.kind);
    match (kind, at) {
        // Let's Encrypt says "paused" with the type of a rate limit, and the address of the page where it ends.
        ("rateLimited", _) if is_paused(&problem.detail) => {
            Trouble::Paused { detail: words(&problem.detail, MOST_OF_PAUSED) }
        }
        ("rateLimited", _) => Trouble::RateLimited { until: retry_after, detail, shared },
        ("caa", _) => Trouble::Caa { name, detail },
        ("dns", _) => Trouble::LookUp { name, detail },
        ("connection" | "tls", _) => Trouble::NotProven { name, detail },
        ("unauthorized" | "incorrectResponse", At::Proof) => Trouble::NotProven { name, detail },
        (
            "unauthorized"
            | "accountDoesNotExist"
            | "externalAccountRequired"
            | "userActionRequired"
            | "invalidContact"
            | "unsupportedContact"
            | "badPublicKey"
            | "badSignatureAlgorithm",
            _,
        )
        | ("malformed", At::Account) => Trouble::Account { detail },
        ("serverInternal" | "badNonce", _) => {
            Trouble::ServerDown { server: server.to_owned(), detail, until: retry_after }
        }
        _ if problem.status == 429 => Trouble::RateLimited { until: retry_after, detail, shared },
        _ if problem.status >= 500 => Trouble::ServerDown { server: server.to_owned(), detail, until: retry_after },
        _ => Trouble::Refused { detail },
    }
}

fn is_paused(detail: &str) -> bool {
    let detail = detail.to_ascii_lowercase();
    detail.contains("paused") || detail.contains("unpause")
}

/// Whether a limit is for all names below a domain that everybody uses, and not for these names alone.
fn is_shared(name: &str, detail: &str) -> bool {
    name.ends_with(".sslip.io") && !detail.contains("exact set")
}

/// The authority's words as part of a sentence: one line, not too long, with a full stop, but for an address, which would lead elsewhere with
/// one.
fn words(detail: &str, most: usize) -> String {
    let plain: String = detail.chars().map(|c| if is_hidden(c) { ' ' } else { c }).take(most).collect();
    let plain = plain.trim();
    if plain.rsplit(' ').next().is_some_and(|last| last.contains("://")) {
        return plain.trim_end_matches('.').to_owned();
    }
    match plain.chars().next_back() {
        None => "it gave no reason.".to_owned(),
        Some('.' | '!' | '?') => plain.to_owned(),
        Some(_) => format!("{plain}."),
    }
}
