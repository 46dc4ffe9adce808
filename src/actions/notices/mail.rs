//! The team's mail server.

use serde_json::{Value, json};

use super::views::{MailLine, mail_line};
use super::{Ctx, Refused};
use crate::actions::fields::Fields;
use crate::actions::gate::{self, Open};
use crate::db::channels::{self, Mail};
use crate::db::{audit, host_logins};
use crate::domain::channel::{Credential, MailServer, Security};
use crate::domain::names::{Email, HostAddress};
use crate::domain::rights::{Actor, Permission};
use crate::domain::secret::Secret;
use crate::vault::Context;

/// The longest password that is kept.
const LONGEST_PASSWORD: usize = 1000;

/// The form of the mail server. Without a host the team has none any more. Not `Debug`: it holds the password.
#[derive(Clone, Default)]
pub struct SetMail {
    /// A host name or an address; empty removes the server.
    pub host: String,
    /// The port.
    pub port: String,
    /// `starttls`, `tls` or `none`.
    pub security: String,
    /// Who signs in; empty where the server asks nobody.
    pub username: String,
    /// The password; empty leaves it as it is, for the same host and user.
    pub password: String,
    /// Whom mail is from.
    pub sender: String,
}

/// The mail server, without its password.
pub async fn mail(ctx: &Ctx, actor: &Actor) -> Result<Option<MailLine>, Refused> {
    let Open { mut tx, permit, .. } = gate::team_for(ctx, actor, Permission::ManageNotices).await?;
    let mail = channels::mail(&mut tx, &permit).await?;
    tx.commit().await?;
    Ok(mail.as_ref().map(mail_line))
}

/// Sets the mail server, or removes it.
pub async fn set_mail(ctx: &Ctx, actor: &Actor, input: SetMail) -> Result<(), Refused> {
    let Open { mut tx, permit, .. } = gate::team_for(ctx, actor, Permission::ManageNotices).await?;
    let known = channels::mail(&mut tx, &permit).await?;
    let before = known.as_ref().map(|mail| shown(&mail.server));
    if input.host.trim().is_empty() {
        if let Some(mail) = known {
            channels::remove_mail(&mut tx, &permit).await?;
            let name = mail.server.host.as_ref();
            let event = event("notice.mail_removed", name, (before, None));
            audit::record(&mut tx, &permit, event).await?;
        }
        tx.commit().await?;
        return Ok(());
    }
    let mut fields = Fields::default();
    let host = fields.text::<HostAddress>("host", &input.host);
    let securities = [Security::Starttls, Security::Tls, Security::None].map(|choice| (choice.slug(), choice));
    let security = fields.choice("security", input.security.trim(), &securities);
    let usual = match security {
        Some(Security::Tls) => 465,
        Some(Security::None) => 25,
        _ => 587,
    };
    let port = fields.number_or::<u16>("port", &input.port, usual, 1..=u16::MAX, "");
    let username = fields.optional::<Credential>("username", &input.username).map(String::from).unwrap_or_default();
    let sender = fields.text::<Email>("sender", &input.sender);
    if input.password.len() > LONGEST_PASSWORD || input.password.contains('\0') {
        fields.wrong("password", "Use at most 1000 characters.");
    }
    if username.is_empty() && !input.password.is_empty() {
        fields.wrong("username", "Enter who signs in with this password.");
    }
    let (Some(host), Some(security), Some(port), Some(sender), true) = (host, security, port, sender, fields.fine())
    else {
        return Err(fields.refuse());
    };
    let version = known.as_ref().map_or(1, |mail| mail.version.saturating_add(1));
    let data_key = host_logins::data_key(&mut tx, &permit).await?;
    let team = permit.team();
    let password = if input.password.is_empty() {
        // A password is not sent to another server, nor for another user, only because it was left alone.
        // Nor in clear, or to whoever listens on another port there.
        let same = |mail: &Mail| {
            let MailServer { host: server, port: door, security: before, username: user, .. } = &mail.server;
            let weaker = security == Security::None && *before != Security::None;
            *server == host && *door == port && !weaker && *user == username && !username.is_empty()
        };
        match known.filter(same).and_then(|mail| mail.sealed.map(|sealed| (mail.version, sealed))) {
            Some((old, sealed)) => {
                let opened = ctx.vault.unseal(&data_key, &Context::notice_mail(team, old), &sealed);
                Some(opened.map_err(|error| Refused::field("password", error.to_string()))?)
            }
            None => None,
        }
    } else {
        Some(Secret::new(input.password.into_bytes()))
    };
    if !username.is_empty() && password.is_none() {
        return Err(Refused::field("password", "Enter the password of this user."));
    }
    let seal = |plain: Secret<Vec<u8>>| ctx.vault.seal(&data_key, &Context::notice_mail(team, version), plain.expose());
    let sealed = password.map(seal).transpose().map_err(|error| Refused::internal(&error))?;
    let server = MailServer { host, port, security, username, sender };
    let after = shown(&server);
    let mail = Mail { server, version, sealed };
    channels::set_mail(&mut tx, &permit, &mail).await?;
    let name = mail.server.host.as_ref();
    let event = event("notice.mail_set", name, (before, Some(after)));
    audit::record(&mut tx, &permit, event).await?;
    tx.commit().await?;
    Ok(())
}

/// The server as history has it.
fn shown(server: &MailServer) -> Value {
    json!({ "host": server.host, "port": server.port, "security": server.security, "sender": server.sender })
}

fn event<'a>(action: &'static str, name: &'a str, (before, after): (Option<Value>, Option<Value>)) -> audit::New<'a> {
    audit::New { action, kind: "team", subject: None, name, before, after }
}
