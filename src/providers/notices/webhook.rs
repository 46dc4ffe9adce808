//! A program of the user's: JSON, signed. The signature is the HMAC-SHA256 (RFC 2104) of the time, a dot and the body, so that
//! neither can be changed, and a request that was seen cannot be sent again later.

use hmac::{Hmac, Mac};
use serde_json::json;
use sha2::Sha256;
use time::OffsetDateTime;
use url::Url;

use super::post::post;
use super::{NotSent, Outside};
use crate::domain::notice::Letter;

/// What `Skiff-Signature` says: `sha256=` and the hex digits.
pub fn signature(secret: &str, timestamp: i64, body: &str) -> String {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else { return String::new() };
    mac.update(timestamp.to_string().as_bytes());
    mac.update(b".");
    mac.update(body.as_bytes());
    ["sha256=", &hex::encode(mac.finalize().into_bytes())].concat()
}

pub(super) async fn send(outside: &Outside, url: &Url, secret: &str, letter: &Letter) -> Result<String, NotSent> {
    let timestamp = OffsetDateTime::now_utc().unix_timestamp();
    let body = json!({
        "id": letter.id,
        "event": letter.kind,
        "phase": letter.phase,
        "title": letter.title,
        "body": letter.body,
        "url": outside.link(letter),
        "team": letter.team,
        "sent_at": timestamp,
    })
    .to_string();
    let headers = [
        ("skiff-event", letter.kind.slug().to_owned()),
        ("skiff-delivery", letter.id.to_string()),
        ("skiff-timestamp", timestamp.to_string()),
        ("skiff-signature", signature(secret, timestamp, &body)),
    ];
    let answer = post(outside, url, body, &headers).await?;
    let host = url.host_str().unwrap_or_default();
    if answer.is_fine() {
        return Ok(format!("{host} answered {}.", answer.status));
    }
    let advice = match answer.status {
        301 | 302 | 303 | 307 | 308 => "It leads elsewhere, which is not followed: enter the address it leads to.",
        401 | 403 => "Does it check the signature with the secret of this channel?",
        404 | 405 => "Does it take POST at this address?",
        _ => "",
    };
    // What it says is not shown: it may be a page of a network that whoever made the channel cannot see.
    Err(answer.refusal(host, "", advice))
}
