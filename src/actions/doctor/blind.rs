//! A text for others is made blind for secrets first: every value that is sealed anywhere on the panel is taken out, whoever's it
//! is, and what looks like a secret besides (`domain/blots`). One that cannot be opened lets nothing through.

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD};
use serde_json::Value;

use crate::actions::{Ctx, Refused, hooks};
use crate::db::{self, acme, host_logins, secrets, teams};
use crate::domain::blots;
use crate::domain::redact::Redactor;
use crate::domain::rights::{Actor, On, Permission};
use crate::domain::secret::Secret;
use crate::remote::Pass;
use crate::vault::{Context, SecretPlace};

/// Every column with something sealed, as (table, column): a test holds it against the schema, and another one plants a value in each. A
/// wrapped key of a team opens nothing without the master key, and what checks that one is known to everybody.
pub const SEALED: [(&str, &str); 10] = [
    ("secret_versions", "sealed"),
    ("hooks", "sealed"),
    ("host_passes", "sealed"),
    ("notice_channels", "sealed"),
    ("notice_mail", "sealed"),
    ("dns_accounts", "sealed"),
    ("acme_settings", "eab_sealed"),
    ("acme_accounts", "sealed"),
    ("acme_orders", "order_key"),
    ("certificate_versions", "sealed"),
];

/// Secrets that stand in no table: the passwords in the database's addresses, the master key.
pub type Known = Vec<Secret<String>>;

/// Takes secrets out of texts.
pub(super) struct Blind(Redactor);

/// Learns every text of where a channel leads: which of them lets somebody send there, its service knows.
fn learn_texts(redactor: &mut Redactor, target: &Value) {
    match target {
        Value::String(text) => redactor.learn(text),
        Value::Array(all) => all.iter().for_each(|one| learn_texts(redactor, one)),
        Value::Object(all) => all.values().for_each(|one| learn_texts(redactor, one)),
        _ => {}
    }
}

/// Learns the private keys of a PEM text: certificates are for everybody.
fn learn_keys(redactor: &mut Redactor, pem: &str) {
    let blocks = pem.split("-----BEGIN ").filter(|block| block.contains("PRIVATE KEY-----"));
    blocks.for_each(|block| redactor.learn(&["-----BEGIN ", block].concat()));
}

/// Learns a key that people enter as base64url.
fn learn_bytes(redactor: &mut Redactor, key: &[u8]) {
    redactor.learn(&BASE64_URL_SAFE_NO_PAD.encode(key));
    redactor.learn(&BASE64_STANDARD_NO_PAD.encode(key));
    redactor.learn(&String::from_utf8_lossy(key));
}

/// Learns what signs for an account at an authority: the key in it is known beside it as it is kept.
fn learn_account(redactor: &mut Redactor, kept: &[u8]) {
    let text = String::from_utf8_lossy(kept);
    redactor.learn(&text);
    if let Ok(Value::Object(parts)) = serde_json::from_str::<Value>(&text) {
        parts.get("key_pkcs8").and_then(Value::as_str).into_iter().for_each(|key| redactor.learn(key));
    }
}

impl Blind {
    /// Learns all there are.
    pub(super) async fn learn(ctx: &Ctx, known: &Known) -> Result<Self, Refused> {
        let mut redactor = Redactor::default();
        for value in known {
            redactor.learn(value.expose());
        }
        let mut door = ctx.db.begin_door().await?;
        let teams = teams::all(&mut door).await?;
        door.commit().await?;
        let shut = || {
            Refused::Unavailable(
                "A sealed value cannot be opened, so nobody can say that it is not in the bundle. Nothing was written."
                    .into(),
            )
        };
        if let Some(first) = teams.first() {
            let permit = Actor::on_the_panels_machine(first.id).may(Permission::OwnTeam, On::team(first.id))?;
            let mut tx = ctx.db.begin(&permit).await?;
            let settings = acme::settings(&mut tx).await?;
            tx.commit().await?;
            if let Some(sealed) = settings.and_then(|settings| settings.eab_sealed) {
                let key = ctx.vault.open_for_panel(&Context::acme_binding(), &sealed).map_err(|_| shut())?;
                learn_bytes(&mut redactor, key.expose());
            }
        }
        for team in teams {
            let permit = Actor::on_the_panels_machine(team.id).may(Permission::OwnTeam, On::team(team.id))?;
            let mut tx = ctx.db.begin(&permit).await?;
            let data_key = host_logins::data_key(&mut tx, &permit).await?;
            let sealed = secrets::all_sealed(&mut tx, &permit).await?;
            let hooks_of_team = db::hooks::all(&mut tx, &permit).await?;
            let passes = db::host_passes::all(&mut tx, &permit).await?;
            let channels = db::channels::list(&mut tx, &permit, None).await?;
            let mail = db::channels::mail(&mut tx, &permit).await?;
            let keepers = db::dns_accounts::list(&mut tx, &permit, None).await?;
            let accounts = acme::accounts(&mut tx, &permit).await?;
            let orders = db::acme_orders::list(&mut tx, &permit, None).await?;
            let versions = db::certificates::all_sealed(&mut tx, &permit).await?;
            tx.commit().await?;
            for row in channels {
                let place = Context::notice_channel(team.id, row.id.0, row.version);
                let value = ctx.vault.unseal(&data_key, &place, &row.sealed).map_err(|_| shut())?;
                learn_texts(&mut redactor, &serde_json::from_slice(value.expose()).map_err(|_| shut())?);
            }
            if let Some((version, sealed)) = mail.and_then(|mail| Some((mail.version, mail.sealed?))) {
                let value = ctx.vault.unseal(&data_key, &Context::notice_mail(team.id, version), &sealed);
                redactor.learn(&String::from_utf8_lossy(value.map_err(|_| shut())?.expose()));
            }
            for row in keepers {
                let value = ctx.vault.unseal(&data_key, &Context::dns_account(team.id, row.id.0), &row.sealed);
                redactor.learn(&String::from_utf8_lossy(value.map_err(|_| shut())?.expose()));
            }
            for (id, sealed) in accounts {
                let value = ctx.vault.open_for_panel(&Context::acme_account(id), &sealed).map_err(|_| shut())?;
                learn_account(&mut redactor, value.expose());
            }
            for (id, sealed) in orders.into_iter().filter_map(|row| Some((row.id.0, row.order_key?))) {
                let value =
                    ctx.vault.unseal(&data_key, &Context::acme_key(team.id, id), &sealed).map_err(|_| shut())?;
                redactor.learn(&String::from_utf8_lossy(value.expose()));
            }
            for (id, sealed) in versions {
                let value = ctx.vault.unseal(&data_key, &Context::certificate(team.id, id), &sealed);
                learn_keys(&mut redactor, &String::from_utf8_lossy(value.map_err(|_| shut())?.expose()));
            }
            for row in passes {
                let place = Context::host_pass(team.id, row.id);
                let value = ctx.vault.unseal(&data_key, &place, &row.sealed).map_err(|_| shut())?;
                match Pass::of_kept(&value).ok_or_else(shut)? {
                    Pass::Password(password) => redactor.learn(password.expose()),
                    Pass::Key { private, passphrase } => {
                        redactor.learn(private.expose());
                        redactor.learn(passphrase.as_ref().map_or("", |locked| locked.expose().as_str()));
                    }
                }
            }
            for row in sealed {
                let place = SecretPlace { team: team.id, secret: row.id, version: row.version };
                let value = ctx.vault.open_secret(&data_key, place, &row.sealed).map_err(|_| shut())?;
                redactor.learn(&String::from_utf8_lossy(value.expose()));
            }
            for row in hooks_of_team {
                let value = hooks::opened(ctx, &data_key, team.id, &row).map_err(|_| shut())?;
                redactor.learn(value.expose());
            }
        }
        Ok(Self(redactor))
    }

    /// The same in every text of a document.
    pub(super) fn value(&self, value: Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.text(&text)),
            Value::Array(all) => all.into_iter().map(|value| self.value(value)).collect(),
            Value::Object(all) => all.into_iter().map(|(name, value)| (name, self.value(value))).collect(),
            plain => plain,
        }
    }

    /// The text without them.
    pub(super) fn text(&self, text: &str) -> String {
        let lines: Vec<String> = text.split('\n').map(|line| self.0.text(line)).collect();
        blots::blot(&lines.join("\n"))
    }
}
