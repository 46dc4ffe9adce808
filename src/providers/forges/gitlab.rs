//! GitLab: signed as Standard Webhooks says (`webhook-signature`, of a signing token), or the secret itself in
//! `X-Gitlab-Token`. Where a signature is sent, it must fit: the token does not stand in for it.

use super::{EVENT, Forge, Proof, header, id, payload};
use crate::domain::hook::{Event, Headers, tidy};

/// GitLab.
pub struct Gitlab;

impl Forge for Gitlab {
    fn proof(&self, headers: &Headers) -> Option<Proof> {
        if headers.contains_key("webhook-signature") {
            let said = |name| header(headers, name);
            return Proof::of_standard(said("webhook-id"), said("webhook-timestamp"), said("webhook-signature"));
        }
        let token = header(headers, "x-gitlab-token");
        (!token.is_empty()).then(|| Proof::Token(token.to_owned()))
    }

    fn delivery(&self, headers: &Headers) -> Option<String> {
        // The first is signed. The event's own UUID is the oldest, and is not the same where it is sent again by hand.
        ["webhook-id", "idempotency-key", "x-gitlab-event-uuid"].iter().find_map(|name| id(headers, name))
    }

    fn event(&self, headers: &Headers) -> String {
        tidy(header(headers, "x-gitlab-event"), EVENT)
    }

    fn read(&self, headers: &Headers, body: &[u8]) -> Event {
        match header(headers, "x-gitlab-event") {
            "Push Hook" | "Tag Push Hook" => payload::push(body),
            other => Event::Other(tidy(other, EVENT)),
        }
    }
}
