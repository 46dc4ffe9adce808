//! Where notices go: the services, and what each needs to be reached. Not here: speaking to them.

use serde::{Deserialize, Serialize};
use url::{Host, Url};

use super::names::{Email, HostAddress, checked_text, has_hidden};

/// A service that takes notices.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, sqlx::Type, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
#[schemars(rename = "NoticeService")]
pub enum Service {
    /// E-mail, by the team's mail server.
    Email,
    /// Slack, by an incoming webhook.
    Slack,
    /// Discord, by a webhook.
    Discord,
    /// Telegram, by a bot.
    Telegram,
    /// ntfy, ntfy.sh or one's own.
    Ntfy,
    /// Any program: signed JSON.
    Webhook,
}

impl Service {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Email, Self::Slack, Self::Discord, Self::Telegram, Self::Ntfy, Self::Webhook];

    /// The word programs use.
    pub fn slug(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Slack => "slack",
            Self::Discord => "discord",
            Self::Telegram => "telegram",
            Self::Ntfy => "ntfy",
            Self::Webhook => "webhook",
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Email => "E-mail",
            Self::Slack => "Slack",
            Self::Discord => "Discord",
            Self::Telegram => "Telegram",
            Self::Ntfy => "ntfy",
            Self::Webhook => "Webhook",
        }
    }

    /// The service of this word.
    pub fn of_slug(slug: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|service| service.slug() == slug)
    }
}

/// All that is needed to reach a channel. It is kept sealed, whole: most services take whoever knows the address. No `Debug`,
/// so that it stands in no log.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "service")]
pub enum Target {
    /// E-mail.
    Email {
        /// To whom.
        to: Vec<Email>,
    },
    /// Slack.
    Slack {
        /// The webhook's address.
        url: Url,
    },
    /// Discord.
    Discord {
        /// The webhook's address.
        url: Url,
    },
    /// Telegram.
    Telegram {
        /// The bot's token.
        token: BotToken,
        /// The chat.
        chat: ChatId,
    },
    /// ntfy.
    Ntfy {
        /// The topic's address.
        url: Url,
        /// An access token; empty where the topic is open.
        token: String,
    },
    /// Any program.
    Webhook {
        /// Its address.
        url: Url,
        /// What requests are signed with.
        secret: String,
    },
}

impl Target {
    /// Its service.
    pub fn service(&self) -> Service {
        match self {
            Self::Email { .. } => Service::Email,
            Self::Slack { .. } => Service::Slack,
            Self::Discord { .. } => Service::Discord,
            Self::Telegram { .. } => Service::Telegram,
            Self::Ntfy { .. } => Service::Ntfy,
            Self::Webhook { .. } => Service::Webhook,
        }
    }

    /// What may be shown of where it leads: nothing that lets somebody send there.
    pub fn leads_to(&self) -> String {
        match self {
            Self::Email { to } => to.iter().map(AsRef::as_ref).collect::<Vec<&str>>().join(", "),
            Self::Slack { url } | Self::Discord { url } | Self::Ntfy { url, .. } | Self::Webhook { url, .. } => {
                let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
                [url.host_str().unwrap_or_default(), &port].concat()
            }
            Self::Telegram { chat, .. } => format!("chat {chat}"),
        }
    }
}

/// The team's mail server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailServer {
    /// Where it listens.
    pub host: HostAddress,
    /// Its port.
    pub port: u16,
    /// How the connection is made private.
    pub security: Security,
    /// Who signs in; empty where it asks nobody.
    pub username: String,
    /// Whom mail is from.
    pub sender: Email,
}

/// How a connection to a mail server is made private.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Type, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
#[sqlx(type_name = "text", rename_all = "lowercase")]
#[schemars(rename = "MailSecurity")]
pub enum Security {
    /// TLS from STARTTLS on, or nothing is sent (usually port 587).
    Starttls,
    /// TLS from the first byte (usually port 465).
    Tls,
    /// None: for a server on the panel's own machine or network.
    None,
}

impl Security {
    /// The word programs use.
    pub fn slug(self) -> &'static str {
        match self {
            Self::Starttls => "starttls",
            Self::Tls => "tls",
            Self::None => "none",
        }
    }
}

checked_text! {
    /// The token of a Telegram bot, as BotFather gives it.
    BotToken = |text| {
        let text = text.trim();
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        let fits = text.split_once(':').is_some_and(|(id, key)| {
            (1..=20).contains(&id.len()) && id.chars().all(|c| c.is_ascii_digit()) && (10..=100).contains(&key.len()) && key.chars().all(plain)
        });
        if fits { Ok(text.to_owned()) } else { Err("Use the token as BotFather gives it: digits, a colon, and letters.") }
    };
    /// A Telegram chat: its number, or the @name of a public channel.
    ChatId = |text| {
        let text = text.trim();
        let number = |text: &str| (1..=20).contains(&text.len()) && text.chars().all(|c| c.is_ascii_digit());
        let name = |text: &str| (4..=40).contains(&text.len()) && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        let fits = number(text.strip_prefix('-').unwrap_or(text)) || text.strip_prefix('@').is_some_and(name);
        if fits { Ok(text.to_owned()) } else { Err("Use the chat's number such as -1001234567890, or the @name of a public channel.") }
    };
    /// The name a mail server is signed in to with, or an access token: visible characters, at most 200.
    Credential = |text| {
        let text = text.trim();
        let fits = (1..=200).contains(&text.chars().count()) && !has_hidden(text);
        if fits { Ok(text.to_owned()) } else { Err("Use 1 to 200 visible characters.") }
    };
    /// An access token of ntfy: it is sent as a header.
    AccessToken = |text| {
        let text = text.trim();
        let fits = (1..=200).contains(&text.len()) && text.chars().all(|c| c.is_ascii_graphic());
        if fits { Ok(text.to_owned()) } else { Err("Use the access token as ntfy shows it: 1 to 200 letters, digits and signs without spaces.") }
    };
    /// The secret of a signed webhook: 16 to 200 visible characters without spaces.
    SigningSecret = |text| {
        let text = text.trim();
        let fits = (16..=200).contains(&text.len()) && text.chars().all(|c| c.is_ascii_graphic());
        if fits { Ok(text.to_owned()) } else { Err("Use 16 to 200 letters, digits and signs without spaces, or leave it empty and Skiff makes one.") }
    };
}

/// Characters of an address, at most.
const LONGEST_URL: usize = 2000;

/// Reads the address of a channel of this service; a sentence says what is wrong with it.
pub fn address(service: Service, raw: &str) -> Result<Url, &'static str> {
    const PLAIN: &str = "Use an address such as https://hooks.example.org/skiff.";
    let raw = raw.trim();
    if raw.len() > LONGEST_URL || has_hidden(raw) {
        return Err(PLAIN);
    }
    let url: Url = raw.parse().map_err(|_| PLAIN)?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err(PLAIN);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("Leave user and password out of the address.");
    }
    if url.fragment().is_some() {
        return Err("Leave out what stands behind #: it is never sent.");
    }
    let host = match url.host() {
        Some(Host::Domain(name)) => name.to_owned(),
        _ => String::new(),
    };
    let secure = url.scheme() == "https" && url.port().is_none();
    let segments = || url.path_segments().into_iter().flatten().filter(|part| !part.is_empty());
    match service {
        Service::Slack => {
            let ours = matches!(host.as_str(), "hooks.slack.com" | "hooks.slack-gov.com");
            if !(secure && ours && segments().count() > 1) {
                return Err(
                    "Use the address of an incoming webhook as Slack shows it: https://hooks.slack.com/services/….",
                );
            }
        }
        Service::Discord => {
            let ours =
                matches!(host.as_str(), "discord.com" | "discordapp.com" | "canary.discord.com" | "ptb.discord.com");
            if !(secure && ours && url.path().starts_with("/api/") && segments().any(|part| part == "webhooks")) {
                return Err("Use the address of a webhook as Discord shows it: https://discord.com/api/webhooks/….");
            }
        }
        Service::Ntfy => {
            if segments().count() != 1 || url.query().is_some() {
                return Err("Use the address of a topic such as https://ntfy.sh/our-topic.");
            }
        }
        Service::Email | Service::Telegram | Service::Webhook => {}
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_services_are_theirs_and_no_others() {
        let fine = [
            (Service::Slack, "https://hooks.slack.com/services/T0/B0/x"),
            (Service::Discord, "https://discord.com/api/webhooks/1/x"),
            (Service::Discord, "https://ptb.discord.com/api/v10/webhooks/1/x"),
            (Service::Ntfy, "http://ntfy.lan:8080/alerts"),
            (Service::Webhook, "http://10.0.0.1:9000/in?from=skiff"),
        ];
        for (service, raw) in fine {
            assert!(address(service, raw).is_ok(), "{raw}");
        }
        let wrong = [
            (Service::Slack, "https://hooks.slack.com.evil.example/services/T0/B0/x"),
            (Service::Slack, "http://hooks.slack.com/services/T0/B0/x"),
            (Service::Slack, "https://hooks.slack.com:8443/services/T0/B0/x"),
            (Service::Slack, "https://127.0.0.1/services/T0/B0/x"),
            (Service::Discord, "https://discord.com/login"),
            (Service::Ntfy, "https://ntfy.sh/"),
            (Service::Ntfy, "https://ntfy.sh/a/b"),
            (Service::Webhook, "ftp://example.org/x"),
            (Service::Webhook, "https://user:secret@example.org/x"),
            (Service::Webhook, "https://example.org/x#y"),
            (Service::Webhook, "example.org"),
            (Service::Webhook, "file:///etc/passwd"),
            (Service::Webhook, ""),
        ];
        for (service, raw) in wrong {
            assert!(address(service, raw).is_err(), "{raw}");
        }
    }

    #[test]
    fn what_is_shown_lets_nobody_send() {
        let slack = Target::Slack { url: "https://hooks.slack.com/services/T0/B0/x".parse().unwrap() };
        assert_eq!(slack.leads_to(), "hooks.slack.com");
        let token: BotToken = "123456:AAAAAAAAAAAAAAAAAAAA".parse().unwrap();
        let telegram = Target::Telegram { token, chat: "-100123".parse().unwrap() };
        assert_eq!(telegram.leads_to(), "chat -100123");
        let ntfy = Target::Ntfy { url: "http://ntfy.lan:8080/alerts".parse().unwrap(), token: "tk_x".into() };
        assert_eq!(ntfy.leads_to(), "ntfy.lan:8080");
    }

    #[test]
    fn a_bots_token_cannot_leave_its_place_in_an_address() {
        assert!("1:AAAAAAAAAA/../x".parse::<BotToken>().is_err());
        assert!("1:AAAAAAAAAA?x".parse::<BotToken>().is_err());
        assert!("@a".parse::<ChatId>().is_err() && "--1".parse::<ChatId>().is_err());
    }
}
