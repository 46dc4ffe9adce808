//! ntfy: ntfy.sh or one's own (docs.ntfy.sh, "Publish as JSON").

use serde_json::json;
use url::Url;

use super::chat::cut;
use super::post::post;
use super::{NotSent, Outside};
use crate::domain::notice::{Letter, Tone};

pub(super) async fn send(outside: &Outside, url: &Url, token: &str, letter: &Letter) -> Result<String, NotSent> {
    let topic = url.path().trim_matches('/');
    let (priority, tag) = match letter.tone() {
        Tone::Good => (3, "white_check_mark"),
        Tone::Bad => (4, "warning"),
        Tone::Plain => (3, "sailboat"),
    };
    let message = if letter.body.is_empty() { letter.title.as_str() } else { letter.body.as_str() };
    let body = json!({
        "topic": topic,
        "title": cut(&letter.title, 250),
        "message": cut(message, 3000),
        "priority": priority,
        "tags": [tag],
        "click": outside.link(letter),
    });
    let mut server = url.clone();
    server.set_path("/");
    let headers: Vec<(&'static str, String)> = match token {
        "" => Vec::new(),
        token => vec![("authorization", ["Bearer ", token].concat())],
    };
    let answer = post(outside, &server, body.to_string(), &headers).await?;
    if answer.is_fine() {
        return Ok(format!("ntfy answered {}.", answer.status));
    }
    let json = answer.json();
    // Only the service's own word for it is shown: what stands there may be another program.
    let said = json.get("error").and_then(|text| text.as_str()).unwrap_or_default();
    let advice = match answer.status {
        401 | 403 => "Does the topic ask for an access token, and may that one publish?",
        404 => "Is this the address of a topic of ntfy?",
        301 | 302 | 307 | 308 => "It leads elsewhere, which is not followed: enter the address it leads to.",
        _ => "",
    };
    Err(answer.refusal("ntfy", said, advice))
}
