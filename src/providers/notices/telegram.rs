//! Telegram, by a bot (core.telegram.org/bots/api, "sendMessage"). The token stands in the address: no sentence shows that.

use std::time::Duration;

use serde_json::json;
use url::Url;

use super::chat::cut;
use super::post::post;
use super::{NotSent, Outside};
use crate::domain::channel::{BotToken, ChatId};
use crate::domain::notice::Letter;

/// Characters of a message, at most.
const LONGEST: usize = 4096;

pub(super) async fn send(
    outside: &Outside,
    token: &BotToken,
    chat: &ChatId,
    letter: &Letter,
) -> Result<String, NotSent> {
    let address = format!("https://api.telegram.org/bot{token}/sendMessage");
    let url: Url = address.parse().map_err(|_| NotSent::never("The bot's token cannot be used: enter it again."))?;
    let link = outside.link(letter);
    let text = [letter.title.as_str(), letter.body.as_str()].join("\n");
    // Without a parse mode Telegram reads no markup in it.
    let text = [cut(text.trim_end(), LONGEST - 300).as_str(), "\n", &link].concat();
    let body = json!({ "chat_id": chat.as_ref(), "text": text, "link_preview_options": { "is_disabled": true } });
    let mut answer = post(outside, &outside.of_service(&url), body.to_string(), &[]).await?;
    let json = answer.json();
    if answer.is_fine() && json.get("ok").and_then(serde_json::Value::as_bool) == Some(true) {
        return Ok(format!("Telegram answered {}: ok", answer.status));
    }
    let seconds = json.pointer("/parameters/retry_after").and_then(serde_json::Value::as_u64);
    answer.after = seconds.map(|seconds| Duration::from_secs(seconds.min(900))).or(answer.after);
    let said = json.get("description").and_then(|text| text.as_str()).unwrap_or_default();
    let advice = match answer.status {
        401 | 404 => "The bot's token is wrong or was revoked: ask BotFather for it again.",
        400 => "Does the chat exist, and is the bot in it?",
        403 => "Let the bot into the chat, or begin a chat with it.",
        _ => "",
    };
    Err(answer.refusal("Telegram", said, advice))
}
