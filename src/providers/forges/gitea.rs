//! Gitea and Forgejo: `X-Gitea-Signature` (the newer Forgejo also under its own name) over the body, in hexadecimal digits.

use super::{EVENT, Forge, Proof, header, id, payload};
use crate::domain::hook::{Event, Headers, tidy};

/// Gitea and Forgejo.
pub struct Gitea;

/// A header by Gitea's name, or by Forgejo's.
fn either<'a>(headers: &'a Headers, gitea: &str, forgejo: &str) -> &'a str {
    match header(headers, gitea) {
        "" => header(headers, forgejo),
        text => text,
    }
}

impl Forge for Gitea {
    fn proof(&self, headers: &Headers) -> Option<Proof> {
        Proof::of_hex(either(headers, "x-gitea-signature", "x-forgejo-signature"))
    }

    fn delivery(&self, headers: &Headers) -> Option<String> {
        id(headers, "x-gitea-delivery").or_else(|| id(headers, "x-forgejo-delivery"))
    }

    fn event(&self, headers: &Headers) -> String {
        tidy(either(headers, "x-gitea-event", "x-forgejo-event"), EVENT)
    }

    fn read(&self, headers: &Headers, body: &[u8]) -> Event {
        match either(headers, "x-gitea-event", "x-forgejo-event") {
            "push" => payload::push(body),
            other => Event::Other(tidy(other, EVENT)),
        }
    }
}
