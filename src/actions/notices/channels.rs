//! A team's channels: added, changed, removed. What leads to one is sealed, and given back to nobody.

use serde_json::json;
use uuid::Uuid;

use super::views::{ChannelLine, ChannelView, channel_lines, channel_view};
use super::{Ctx, Refused, WantedForm, wanted, words};
use crate::actions::fields::Fields;
use crate::actions::gate::{self, Open};
use crate::db::channels::{self, New, Row};
use crate::db::{Tx, audit, host_logins};
use crate::domain::channel::{self, AccessToken, BotToken, ChatId, Service, SigningSecret, Target};
use crate::domain::ids::ChannelId;
use crate::domain::names::{DisplayName, Email};
use crate::domain::rights::{Actor, Permission, Permit};
use crate::domain::secret::Secret;
use crate::jobs::notice::open_target;
use crate::vault::{Context, random_token};

/// Channels of one team.
const MOST_CHANNELS: i64 = 50;
/// Receivers of one channel of e-mail.
const MOST_RECEIVERS: usize = 20;

/// The form of a channel. Which fields count depends on the service; in a change an empty secret stays as it is. Not `Debug`:
/// it holds secrets.
#[derive(Clone, Default)]
pub struct SetChannel {
    /// What people call it: 1–80 characters.
    pub name: String,
    /// `email`, `slack`, `discord`, `telegram`, `ntfy` or `webhook`; a change leaves it as it is.
    pub service: String,
    /// E-mail: addresses, one a line.
    pub to: String,
    /// Slack, Discord, ntfy, webhook: its address.
    pub url: String,
    /// Telegram: the bot's token. ntfy: an access token, or empty.
    pub token: String,
    /// Telegram: the chat.
    pub chat: String,
    /// Webhook: what requests are signed with; an empty one is made.
    pub secret: String,
    /// What it is told.
    pub wanted: WantedForm,
}

/// A channel that was just added.
pub struct Made {
    /// The channel.
    pub id: ChannelId,
    /// The secret that was made for a webhook: the only time it is shown.
    pub secret: Option<Secret<String>>,
}

/// Opens the team for whoever manages its channels.
async fn open(ctx: &Ctx, actor: &Actor) -> Result<Open, Refused> {
    gate::team_for(ctx, actor, Permission::ManageNotices).await
}

/// The team's channels.
pub async fn channels(ctx: &Ctx, actor: &Actor) -> Result<Vec<ChannelLine>, Refused> {
    let Open { mut tx, permit, .. } = open(ctx, actor).await?;
    let lines = channel_lines(&mut tx, &permit, actor).await?;
    tx.commit().await?;
    Ok(lines)
}

/// A channel's page.
pub async fn get(ctx: &Ctx, actor: &Actor, id: ChannelId) -> Result<ChannelView, Refused> {
    let Open { mut tx, permit, .. } = open(ctx, actor).await?;
    let row = channels::list(&mut tx, &permit, Some(id)).await?.pop().ok_or(Refused::NotFound)?;
    let view = channel_view(&mut tx, &permit, actor, row).await?;
    tx.commit().await?;
    Ok(view)
}

/// Adds a channel.
pub async fn add(ctx: &Ctx, actor: &Actor, input: SetChannel) -> Result<Made, Refused> {
    let Open { mut tx, permit, .. } = open(ctx, actor).await?;
    let mut fields = Fields::default();
    let services = Service::ALL.map(|service| (service.slug(), service));
    let service = fields.choice("service", input.service.trim(), &services);
    let name = fields.text::<DisplayName>("name", &input.name);
    let made = (service == Some(Service::Webhook) && input.secret.trim().is_empty()).then(random_token);
    let target = match service {
        Some(service) => target(&mut fields, service, &input, made.as_ref(), None),
        None => None,
    };
    let wanted = wanted(&mut fields, &mut tx, &permit, actor, &input.wanted, None).await?;
    let (Some(service), Some(name), Some(target), Some(wanted), true) = (service, name, target, wanted, fields.fine())
    else {
        return Err(fields.refuse());
    };
    if channels::count(&mut tx, &permit).await? >= MOST_CHANNELS {
        return Err(Refused::Conflict(format!("The team has {MOST_CHANNELS} channels: remove those it does not use.")));
    }
    let id = ChannelId(Uuid::now_v7());
    let sealed = seal(ctx, &mut tx, &permit, id, 1, &target).await?;
    let leads_to = target.leads_to();
    let new =
        New { id, name: name.as_ref(), service, leads_to: &leads_to, version: 1, sealed: &sealed, wanted: &wanted };
    if !channels::insert(&mut tx, &permit, &new).await? {
        return Err(Refused::field("name", "The team has a channel of this name already."));
    }
    let after = json!({ "service": service.slug(), "leads to": leads_to, "told": words(&wanted) });
    record(&mut tx, &permit, "channel.added", id, name.as_ref(), (None, Some(after))).await?;
    tx.commit().await?;
    Ok(Made { id, secret: made })
}

/// Changes a channel; secrets that are left empty stay as they are.
pub async fn edit(ctx: &Ctx, actor: &Actor, id: ChannelId, input: SetChannel) -> Result<(), Refused> {
    let Open { mut tx, permit, .. } = open(ctx, actor).await?;
    let row = channels::list(&mut tx, &permit, Some(id)).await?.pop().ok_or(Refused::NotFound)?;
    let mut fields = Fields::default();
    let name = fields.text::<DisplayName>("name", &input.name);
    let data_key = host_logins::data_key(&mut tx, &permit).await?;
    // One that cannot be opened any more is mended by entering all of it.
    let known = open_target(&ctx.vault, &data_key, permit.team(), &row).ok();
    let target = target(&mut fields, row.service, &input, None, known.as_ref());
    let wanted = wanted(&mut fields, &mut tx, &permit, actor, &input.wanted, Some(&row.wanted)).await?;
    let (Some(name), Some(target), Some(wanted), true) = (name, target, wanted, fields.fine()) else {
        return Err(fields.refuse());
    };
    let version = row.version.saturating_add(1);
    let sealed = seal(ctx, &mut tx, &permit, id, version, &target).await?;
    let leads_to = target.leads_to();
    let new = New {
        id,
        name: name.as_ref(),
        service: row.service,
        leads_to: &leads_to,
        version,
        sealed: &sealed,
        wanted: &wanted,
    };
    if !channels::update(&mut tx, &permit, &new).await? {
        return Err(Refused::field("name", "The team has a channel of this name already."));
    }
    let before = json!({ "name": row.name, "leads to": row.leads_to, "told": words(&row.wanted) });
    let after = json!({ "name": name, "leads to": leads_to, "told": words(&wanted) });
    record(&mut tx, &permit, "channel.edited", id, name.as_ref(), (Some(before), Some(after))).await?;
    tx.commit().await?;
    Ok(())
}

/// Removes a channel: what waits for it is not sent any more.
pub async fn remove(ctx: &Ctx, actor: &Actor, id: ChannelId) -> Result<(), Refused> {
    let Open { mut tx, permit, .. } = open(ctx, actor).await?;
    let Row { name, service, leads_to, .. } =
        channels::list(&mut tx, &permit, Some(id)).await?.pop().ok_or(Refused::NotFound)?;
    if !channels::remove(&mut tx, &permit, id).await? {
        return Err(Refused::NotFound);
    }
    let before = json!({ "service": service.slug(), "leads to": leads_to });
    record(&mut tx, &permit, "channel.removed", id, &name, (Some(before), None)).await?;
    tx.commit().await?;
    Ok(())
}

/// Reads where a channel leads. What is empty is taken from what is known.
fn target(
    fields: &mut Fields,
    service: Service,
    input: &SetChannel,
    made: Option<&Secret<String>>,
    known: Option<&Target>,
) -> Option<Target> {
    let known_url = match known {
        Some(
            Target::Slack { url } | Target::Discord { url } | Target::Ntfy { url, .. } | Target::Webhook { url, .. },
        ) => Some(url.clone()),
        _ => None,
    };
    let url = |fields: &mut Fields| match known_url.clone().filter(|_| input.url.trim().is_empty()) {
        Some(url) => Some(url),
        None => channel::address(service, &input.url).map_err(|sentence| fields.wrong("url", sentence)).ok(),
    };
    match service {
        Service::Email => match known {
            Some(Target::Email { to }) if input.to.trim().is_empty() => Some(Target::Email { to: to.clone() }),
            _ => receivers(fields, &input.to).map(|to| Target::Email { to }),
        },
        Service::Slack => Some(Target::Slack { url: url(fields)? }),
        Service::Discord => Some(Target::Discord { url: url(fields)? }),
        Service::Telegram => {
            let token = match known {
                Some(Target::Telegram { token, .. }) if input.token.trim().is_empty() => Some(token.clone()),
                _ => fields.text::<BotToken>("token", &input.token),
            };
            let chat = match known {
                Some(Target::Telegram { chat, .. }) if input.chat.trim().is_empty() => Some(chat.clone()),
                _ => fields.text::<ChatId>("chat", &input.chat),
            };
            Some(Target::Telegram { token: token?, chat: chat? })
        }
        Service::Ntfy => {
            let url = url(fields);
            let token = match known {
                // The old token is not sent to another address.
                Some(Target::Ntfy { token, url: old })
                    if input.token.trim().is_empty()
                        && url.as_ref().is_some_and(|url| url.origin() == old.origin()) =>
                {
                    Some(token.clone())
                }
                _ if input.token.trim().is_empty() => Some(String::new()),
                _ => fields.text::<AccessToken>("token", &input.token).map(String::from),
            };
            Some(Target::Ntfy { url: url?, token: token? })
        }
        Service::Webhook => {
            let url = url(fields);
            let secret = match (made, known) {
                (Some(made), _) => Some(made.expose().clone()),
                (None, Some(Target::Webhook { secret, .. })) if input.secret.trim().is_empty() => Some(secret.clone()),
                _ => fields.text::<SigningSecret>("secret", &input.secret).map(String::from),
            };
            Some(Target::Webhook { url: url?, secret: secret? })
        }
    }
}

/// Addresses of e-mail: one a line, or parted by commas.
fn receivers(fields: &mut Fields, raw: &str) -> Option<Vec<Email>> {
    let texts: Vec<&str> = raw.split([',', '\n', ';']).map(str::trim).filter(|text| !text.is_empty()).collect();
    if texts.is_empty() {
        fields.wrong("to", "Enter at least one e-mail address.");
    }
    if texts.len() > MOST_RECEIVERS {
        fields.wrong("to", format!("Enter at most {MOST_RECEIVERS} e-mail addresses."));
    }
    let mut to = Vec::new();
    for (place, text) in texts.iter().take(MOST_RECEIVERS).enumerate() {
        to.extend(fields.entry::<Email>("to", place, text));
    }
    fields.fine().then_some(to)
}

async fn seal(
    ctx: &Ctx,
    tx: &mut Tx<'_>,
    permit: &Permit,
    id: ChannelId,
    version: i32,
    target: &Target,
) -> Result<Vec<u8>, Refused> {
    let data_key = host_logins::data_key(tx, permit).await?;
    let plain = Secret::new(serde_json::to_vec(target).map_err(|error| Refused::internal(&error))?);
    let place = Context::notice_channel(permit.team(), id.0, version);
    ctx.vault.seal(&data_key, &place, plain.expose()).map_err(|error| Refused::internal(&error))
}

/// Writes an event about a channel down.
pub(super) async fn record(
    tx: &mut Tx<'_>,
    permit: &Permit,
    action: &'static str,
    id: ChannelId,
    name: &str,
    (before, after): (Option<serde_json::Value>, Option<serde_json::Value>),
) -> Result<(), Refused> {
    let event = audit::New { action, kind: "channel", subject: Some(id.0), name, before, after };
    Ok(audit::record(tx, permit, event).await?)
}
