//! GitHub: `X-Hub-Signature-256` over the body, `X-GitHub-Event`, `X-GitHub-Delivery`; JSON, or a form with it in `payload`.

use super::{EVENT, Forge, Proof, header, id, payload};
use crate::domain::hook::{Event, Headers, tidy};

/// GitHub.
pub struct Github;

impl Forge for Github {
    fn proof(&self, headers: &Headers) -> Option<Proof> {
        // `X-Hub-Signature` is SHA-1, sent for old receivers: never enough.
        Proof::of_hex(header(headers, "x-hub-signature-256").strip_prefix("sha256=")?)
    }

    fn delivery(&self, headers: &Headers) -> Option<String> {
        id(headers, "x-github-delivery")
    }

    fn event(&self, headers: &Headers) -> String {
        tidy(header(headers, "x-github-event"), EVENT)
    }

    fn read(&self, headers: &Headers, body: &[u8]) -> Event {
        match header(headers, "x-github-event") {
            "ping" => Event::Ping,
            "push" if header(headers, "content-type").starts_with("application/x-www-form-urlencoded") => {
                let json = url::form_urlencoded::parse(body).find(|(name, _)| name == "payload");
                json.map_or(Event::Unreadable("Its form has no payload."), |(_, json)| payload::push(json.as_bytes()))
            }
            "push" => payload::push(body),
            other => Event::Other(tidy(other, EVENT)),
        }
    }
}
