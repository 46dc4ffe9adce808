//! The panel's choice of a certificate authority. The panel belongs to whoever owns its first team: nobody else chooses.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::json;
use time::OffsetDateTime;
use url::Url;

use crate::actions::fields::Fields;
use crate::actions::gate::{self, Open};
use crate::actions::{Ctx, Refused};
use crate::db::{acme, audit};
use crate::domain::acme::{LETS_ENCRYPT, LETS_ENCRYPT_STAGING};
use crate::domain::names::Email;
use crate::domain::rights::{Actor, Permit};
use crate::vault::Context;

/// The longest root: a certificate has some KiB.
const LONGEST_ROOT: usize = 64 * 1024;

/// What was chosen; never the key.
#[derive(Clone, Debug)]
pub struct ChosenView {
    /// `letsencrypt`, `letsencrypt-staging` or `other`.
    pub authority: &'static str,
    /// Where its directory is.
    pub directory: String,
    /// Whom it may write to.
    pub email: String,
    /// Its own root (PEM).
    pub ca_root: String,
    /// The id of the key that binds the account.
    pub eab_id: String,
    /// Who agreed to its terms.
    pub terms_agreed_by: String,
    /// When.
    pub terms_agreed_at: OffsetDateTime,
    /// The account's address there; none before the first certificate.
    pub account: Option<String>,
}

/// The form. Not `Debug`: it holds a key.
#[derive(Clone, Default)]
pub struct Choice {
    /// `letsencrypt`, `letsencrypt-staging` or `other`.
    pub authority: String,
    /// Where the directory of another one is.
    pub directory: String,
    /// Whom it may write to; may be empty.
    pub email: String,
    /// Its own root (PEM); may be empty.
    pub ca_root: String,
    /// The id of the key that binds the account; may be empty.
    pub eab_id: String,
    /// The key, in base64url; empty keeps the one that is there.
    pub eab_key: String,
    /// Whether its terms are agreed to.
    pub terms: bool,
}

/// Whether the actor chooses for the panel: an owner of its first team.
pub async fn may_choose(ctx: &Ctx, actor: &Actor) -> Result<bool, Refused> {
    gate::owns_panel(ctx, actor).await
}

/// What was chosen; none before anybody did.
pub async fn chosen(ctx: &Ctx, actor: &Actor) -> Result<Option<ChosenView>, Refused> {
    let Open { mut tx, permit, .. } = gate::panel(ctx, actor).await?;
    let settings = acme::settings(&mut tx).await?;
    let account = match &settings {
        Some(settings) => acme::account(&mut tx, &permit, settings).await?,
        None => None,
    };
    tx.commit().await?;
    Ok(settings.map(|settings| ChosenView {
        authority: word(&settings.directory),
        directory: settings.directory,
        email: settings.email,
        ca_root: settings.ca_root,
        eab_id: settings.eab_id,
        terms_agreed_by: settings.terms_agreed_by,
        terms_agreed_at: settings.terms_agreed_at,
        account: account.map(|account| account.url),
    }))
}

fn word(directory: &str) -> &'static str {
    match directory {
        LETS_ENCRYPT => "letsencrypt",
        LETS_ENCRYPT_STAGING => "letsencrypt-staging",
        _ => "other",
    }
}

/// Chooses an authority: from now on certificates are got for all routes.
pub async fn choose(ctx: &Ctx, actor: &Actor, input: Choice) -> Result<(), Refused> {
    let Open { mut tx, permit, .. } = gate::panel(ctx, actor).await?;
    let known = acme::settings(&mut tx).await?;
    let mut fields = Fields::default();
    let words =
        [("letsencrypt", Some(LETS_ENCRYPT)), ("letsencrypt-staging", Some(LETS_ENCRYPT_STAGING)), ("other", None)];
    let directory = match fields.choice("authority", &input.authority, &words) {
        Some(Some(known)) => known.to_owned(),
        Some(None) => read_directory(&mut fields, &input.directory),
        None => String::new(),
    };
    let email = fields.optional::<Email>("email", &input.email).map(String::from).unwrap_or_default();
    let ca_root = read_root(&mut fields, &input.ca_root);
    let (eab_id, eab_sealed) = read_binding(ctx, &mut fields, &input, known.as_ref());
    if !input.terms {
        fields.wrong("terms", "The authority gives certificates only to those who agree to its terms.");
    }
    if !fields.fine() {
        return Err(fields.refuse());
    }
    let same = known.as_ref().filter(|known| known.directory == directory);
    let settings = acme::Settings {
        terms_agreed_by: same.map_or_else(|| actor.name().to_owned(), |known| known.terms_agreed_by.clone()),
        terms_agreed_at: same.map_or_else(OffsetDateTime::now_utc, |known| known.terms_agreed_at),
        directory,
        email,
        ca_root,
        eab_id,
        eab_sealed,
    };
    acme::choose(&mut tx, &settings).await?;
    let told = |settings: &acme::Settings| {
        json!({ "directory": settings.directory, "email": settings.email, "external account": settings.eab_id,
                "own root": !settings.ca_root.is_empty(), "terms agreed by": settings.terms_agreed_by })
    };
    record(&mut tx, &permit, "panel.authority_chosen", known.as_ref().map(told), Some(told(&settings))).await?;
    tx.commit().await?;
    Ok(())
}

/// Chooses none: nothing is got and nothing renewed by itself any more.
pub async fn forget(ctx: &Ctx, actor: &Actor) -> Result<(), Refused> {
    let Open { mut tx, permit, .. } = gate::panel(ctx, actor).await?;
    let Some(known) = acme::settings(&mut tx).await? else { return Err(Refused::NotFound) };
    acme::forget(&mut tx).await?;
    let before = Some(json!({ "directory": known.directory }));
    record(&mut tx, &permit, "panel.authority_forgotten", before, None).await?;
    tx.commit().await?;
    Ok(())
}

async fn record(
    tx: &mut crate::db::Tx<'_>,
    permit: &Permit,
    action: &'static str,
    before: Option<serde_json::Value>,
    after: Option<serde_json::Value>,
) -> Result<(), Refused> {
    let event = audit::New { action, kind: "team", subject: Some(permit.team().0), name: "", before, after };
    Ok(audit::record(tx, permit, event).await?)
}

/// The address of a directory: by HTTPS, as RFC 8555 §6.1 has it.
fn read_directory(fields: &mut Fields, raw: &str) -> String {
    let url = raw.trim().parse::<Url>().ok().filter(|url| {
        url.scheme() == "https" && url.has_host() && url.username().is_empty() && url.password().is_none()
    });
    match url {
        Some(url) if url.as_str().len() <= 500 => url.into(),
        _ => {
            fields.wrong("directory", "Use the https:// address of the authority's directory.");
            String::new()
        }
    }
}

/// A root, if one was entered.
fn read_root(fields: &mut Fields, raw: &str) -> String {
    let text = raw.trim();
    if text.is_empty() {
        return String::new();
    }
    let all: Result<Vec<CertificateDer<'_>>, _> = CertificateDer::pem_slice_iter(text.as_bytes()).collect();
    if text.len() > LONGEST_ROOT || text.contains("PRIVATE KEY") || !all.is_ok_and(|all| !all.is_empty()) {
        fields.wrong("ca_root", "Paste the authority's root certificate in PEM form, beginning with -----BEGIN CERTIFICATE-----, or leave it empty.");
        return String::new();
    }
    text.to_owned()
}

/// The binding: both parts or neither; a key that is not entered again stays.
fn read_binding(
    ctx: &Ctx,
    fields: &mut Fields,
    input: &Choice,
    known: Option<&acme::Settings>,
) -> (String, Option<Vec<u8>>) {
    let (id, key) = (input.eab_id.trim(), input.eab_key.trim());
    if id.is_empty() && key.is_empty() {
        return (String::new(), None);
    }
    if id.is_empty() || id.len() > 200 || !id.bytes().all(|byte| byte.is_ascii_graphic()) {
        fields.wrong("eab_id", "Write the key's id as the authority shows it, without spaces.");
        return (String::new(), None);
    }
    if key.is_empty() {
        let kept = known.filter(|known| known.eab_id == id).and_then(|known| known.eab_sealed.clone());
        if kept.is_none() {
            fields.wrong("eab_key", "Paste the key that belongs to this id.");
        }
        return (id.to_owned(), kept);
    }
    match read_key(key) {
        Some(bytes) => (id.to_owned(), Some(ctx.vault.seal_for_panel(&Context::acme_binding(), &bytes))),
        None => {
            fields.wrong("eab_key", "Paste the key as the authority shows it: base64url, without spaces.");
            (id.to_owned(), None)
        }
    }
}

/// A key that binds accounts, as its bytes.
fn read_key(text: &str) -> Option<Vec<u8>> {
    // Some authorities show it with signs of the other alphabet, or filled up.
    let plain = text.trim().trim_end_matches('=').replace('+', "-").replace('/', "_");
    BASE64_URL_SAFE_NO_PAD.decode(plain).ok().filter(|bytes| (16..=512).contains(&bytes.len()))
}

/// Whether this is the key that accounts are bound by; it is not given out for that.
pub async fn is_bound_by(ctx: &Ctx, actor: &Actor, key: &str) -> Result<bool, Refused> {
    let Open { mut tx, .. } = gate::panel(ctx, actor).await?;
    let known = acme::settings(&mut tx).await?;
    tx.commit().await?;
    let sealed = known.and_then(|known| known.eab_sealed);
    let opened = sealed.and_then(|sealed| ctx.vault.open_for_panel(&Context::acme_binding(), &sealed).ok());
    Ok(opened.is_some_and(|opened| read_key(key).is_some_and(|key| *opened.expose() == key)))
}
