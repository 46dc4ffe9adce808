//! Slack and Discord: webhooks that a channel of theirs has.

use serde_json::json;
use url::Url;

use super::post::post;
use super::{NotSent, Outside};
use crate::domain::notice::{Letter, Tone};

/// Slack, by an incoming webhook (docs.slack.dev, "Sending messages using incoming webhooks").
pub(super) async fn slack(outside: &Outside, url: &Url, letter: &Letter) -> Result<String, NotSent> {
    let mut text = format!("*{}*", mrkdwn(&letter.title));
    for line in letter.body.lines() {
        text.push('\n');
        text.push_str(&mrkdwn(line));
    }
    text.push_str(&format!("\n<{}|Open in Skiff>", mrkdwn(&outside.link(letter))));
    let body = json!({ "text": text, "unfurl_links": false }).to_string();
    let answer = post(outside, &outside.of_service(url), body, &[]).await?;
    if answer.is_fine() {
        return Ok(format!("Slack answered {}: {}", answer.status, super::said(&answer.body)));
    }
    let advice = match (answer.status, answer.body.trim()) {
        (404 | 410, _) => "The webhook or its channel is gone: make a new one at Slack and enter its address.",
        (403, "action_prohibited") => "An administrator of the workspace forbids it.",
        (400 | 403, _) => "Make a new webhook at Slack and enter its address.",
        _ => "",
    };
    Err(answer.refusal("Slack", &answer.body, advice))
}

/// Text for Slack: the three characters it reads as control (docs.slack.dev, "Formatting message text").
fn mrkdwn(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Discord, by a webhook (docs.discord.com, "Execute Webhook").
pub(super) async fn discord(outside: &Outside, url: &Url, letter: &Letter) -> Result<String, NotSent> {
    let colour = match letter.tone() {
        Tone::Good => 0x1B7F55,
        Tone::Bad => 0xB42318,
        Tone::Plain => 0x5B6B79,
    };
    let embed = json!({
        "title": cut(&plain(&letter.title), 256),
        "description": cut(&plain(&letter.body), 2000),
        "url": outside.link(letter),
        "color": colour,
    });
    // Nobody is called by a name in a commit or a host.
    let body = json!({ "embeds": [embed], "allowed_mentions": { "parse": [] } }).to_string();
    let answer = post(outside, &outside.of_service(url), body, &[]).await?;
    if answer.is_fine() {
        return Ok(format!("Discord answered {}.", answer.status));
    }
    let said = answer.json();
    let said = said.get("message").and_then(|text| text.as_str()).unwrap_or_default();
    let advice = match answer.status {
        401 | 403 | 404 => "The webhook is gone: make a new one at Discord and enter its address.",
        _ => "",
    };
    Err(answer.refusal("Discord", said.trim_end_matches('.'), advice))
}

/// Text for Discord: what it would read as markup is shown as it is.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '\\' | '*' | '_' | '~' | '`' | '|' | '>' | '[' | ']' | '#' | '<' | '@') {
            plain.push('\\');
        }
        plain.push(c);
    }
    plain
}

/// At most so many characters.
pub(super) fn cut(text: &str, most: usize) -> String {
    let mut short: String = text.chars().take(most.saturating_sub(1)).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_others_call_nobody_and_format_nothing() {
        assert_eq!(mrkdwn("<!channel> & <https://x|y>"), "&lt;!channel&gt; &amp; &lt;https://x|y&gt;");
        assert_eq!(plain("@everyone *x* [a](b)"), "\\@everyone \\*x\\* \\[a\\](b)");
        assert_eq!(cut("abcdef", 4), "abc…");
        assert_eq!(cut("abc", 4), "abc");
    }
}
