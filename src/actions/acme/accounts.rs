//! A team's accounts with whoever keeps its domains. Write-only: nothing here gives a token or key back.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::json;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::actions::fields::Fields;
use crate::actions::gate::{self, Open};
use crate::actions::{Ctx, Refused};
use crate::db::{Tx, acme_orders, audit, dns_accounts, host_logins};
use crate::domain::dns::{AccountKind, Algorithm, ServerAddress};
use crate::domain::ids::DnsAccountId;
use crate::domain::names::{DisplayName, Domain};
use crate::domain::rights::{Actor, Permission, Permit};
use crate::vault::Context;

/// Accounts of one team.
const MOST_ACCOUNTS: usize = 50;
/// The longest token.
const LONGEST_TOKEN: usize = 1_024;

/// An account, without its token.
#[derive(Clone, Debug)]
pub struct DnsAccountView {
    /// The account.
    pub id: DnsAccountId,
    /// What it is called.
    pub name: String,
    /// Who keeps the domains.
    pub kind: AccountKind,
    /// Of a name server: where it is; empty for the others.
    pub server: String,
    /// Its key's name.
    pub key_name: String,
    /// How it signs; empty for the others.
    pub algorithm: String,
    /// When it was entered.
    pub created_at: OffsetDateTime,
    /// How many certificates are proven with it.
    pub orders: i64,
}

/// The form of an account. Not `Debug`: it holds the token.
#[derive(Clone, Default)]
pub struct NewDnsAccount {
    /// What it is called.
    pub name: String,
    /// Who keeps the domains: `cloudflare`, `hetzner`, `digitalocean`, `rfc2136`.
    pub kind: String,
    /// The token of a service.
    pub token: String,
    /// Of a name server: where it is.
    pub server: String,
    /// Its key's name.
    pub key_name: String,
    /// How it signs; empty for HMAC-SHA256.
    pub algorithm: String,
    /// The key, in base64.
    pub key: String,
}

/// The team's accounts.
pub async fn accounts(ctx: &Ctx, actor: &Actor) -> Result<Vec<DnsAccountView>, Refused> {
    let Open { mut tx, permit, .. } = gate::team_for(ctx, actor, Permission::View).await?;
    let rows = dns_accounts::list(&mut tx, &permit, None).await?;
    tx.commit().await?;
    Ok(rows.into_iter().map(view).collect())
}

/// One of them.
pub async fn account(ctx: &Ctx, actor: &Actor, id: DnsAccountId) -> Result<DnsAccountView, Refused> {
    let Open { mut tx, permit, .. } = gate::team_for(ctx, actor, Permission::View).await?;
    let row = dns_accounts::list(&mut tx, &permit, Some(id)).await?.pop().ok_or(Refused::NotFound)?;
    tx.commit().await?;
    Ok(view(row))
}

fn view(row: dns_accounts::Row) -> DnsAccountView {
    DnsAccountView {
        id: row.id,
        name: row.name,
        kind: row.kind,
        server: row.server,
        key_name: row.key_name,
        algorithm: row.algorithm,
        created_at: row.created_at,
        orders: row.orders,
    }
}

/// How an account is got into: what is asked for anew where its token ends. Not `Debug`: it holds the token.
#[derive(Clone, Default)]
pub struct DnsAccess {
    /// The token of a service.
    pub token: String,
    /// Of a name server: where it is.
    pub server: String,
    /// Its key's name.
    pub key_name: String,
    /// How it signs; empty for HMAC-SHA256.
    pub algorithm: String,
    /// The key, in base64.
    pub key: String,
}

/// The same, read.
#[derive(Default)]
struct Access {
    server: String,
    key_name: String,
    algorithm: String,
    /// The token or key.
    secret: String,
}

impl Access {
    fn read(fields: &mut Fields, kind: AccountKind, input: &DnsAccess, keeps_key: bool) -> Self {
        if kind == AccountKind::Rfc2136 {
            let server = fields.text::<ServerAddress>("server", &input.server).map(String::from).unwrap_or_default();
            let key_name = read_key_name(fields, &input.key_name);
            let chosen = match input.algorithm.trim() {
                "" => Some(Algorithm::HmacSha256),
                raw => fields.choice("algorithm", raw, &Algorithm::ALL.map(|one| (one.name(), one))),
            };
            let algorithm = chosen.map(|one| one.name().to_owned()).unwrap_or_default();
            let secret = input.key.trim().to_owned();
            let key = BASE64_STANDARD.decode(&secret).unwrap_or_default();
            if !keeps_key && !(16..=512).contains(&key.len()) {
                fields.wrong("key", "Paste the key as the name server's file has it: base64 of at least 16 bytes.");
            }
            return Self { server, key_name, algorithm, secret };
        }
        let secret = input.token.trim().to_owned();
        let plain = secret.bytes().all(|byte| byte.is_ascii_graphic());
        if !(1..=LONGEST_TOKEN).contains(&secret.len()) || !plain {
            fields
                .wrong("token", "Paste the token as the service shows it: letters, digits and signs, without spaces.");
        }
        Self { secret, ..Self::default() }
    }
}

/// Keeps an account, its token sealed.
pub async fn add_account(ctx: &Ctx, actor: &Actor, input: NewDnsAccount) -> Result<DnsAccountView, Refused> {
    let Open { mut tx, permit, .. } = gate::team_for(ctx, actor, Permission::EditProjects).await?;
    let mut fields = Fields::default();
    let name = fields.text::<DisplayName>("name", &input.name);
    let kind = fields.choice("kind", &input.kind, &AccountKind::ALL.map(|kind| (kind.slug(), kind)));
    let NewDnsAccount { token, server, key_name, algorithm, key, .. } = input;
    let access = DnsAccess { token, server, key_name, algorithm, key };
    let access = kind.map(|kind| Access::read(&mut fields, kind, &access, false)).unwrap_or_default();
    let known = dns_accounts::list(&mut tx, &permit, None).await?;
    if known.len() >= MOST_ACCOUNTS {
        fields.wrong("name", format!("A team has at most {MOST_ACCOUNTS} DNS accounts."));
    }
    if let Some(name) = &name
        && known.iter().any(|row| row.name == name.as_ref())
    {
        fields.wrong("name", "There is a DNS account of this name already.");
    }
    let (Some(name), Some(kind), true) = (name, kind, fields.fine()) else { return Err(fields.refuse()) };
    let id = DnsAccountId(Uuid::now_v7());
    let sealed = seal(ctx, &mut tx, &permit, id, &access.secret).await?;
    let Access { server, key_name, algorithm, .. } = access;
    let row = dns_accounts::Row {
        id,
        name: name.to_string(),
        kind,
        server,
        key_name,
        algorithm,
        sealed,
        created_at: OffsetDateTime::now_utc(),
        orders: 0,
    };
    if !dns_accounts::insert(&mut tx, &permit, &row).await? {
        return Err(Refused::field("name", "There is a DNS account of this name already."));
    }
    let after = Some(json!({ "kind": kind.slug(), "server": row.server, "key": row.key_name }));
    let event = audit::New {
        action: "dns_account.added",
        kind: "dns_account",
        subject: Some(id.0),
        name: &row.name,
        before: None,
        after,
    };
    audit::record(&mut tx, &permit, event).await?;
    tx.commit().await?;
    Ok(view(row))
}

/// Seals the token or key of an account.
async fn seal(ctx: &Ctx, tx: &mut Tx<'_>, permit: &Permit, id: DnsAccountId, secret: &str) -> Result<Vec<u8>, Refused> {
    let data_key = host_logins::data_key(tx, permit).await?;
    let place = Context::dns_account(permit.team(), id.0);
    ctx.vault.seal(&data_key, &place, secret.as_bytes()).map_err(|error| Refused::internal(&error))
}

/// Gives an account another token, or of a name server another key or place; what is left empty there stays. Certificates whose record it
/// did not take are tried again at once.
pub async fn change_account(
    ctx: &Ctx,
    actor: &Actor,
    id: DnsAccountId,
    mut input: DnsAccess,
) -> Result<DnsAccountView, Refused> {
    let Open { mut tx, permit, .. } = gate::team_for(ctx, actor, Permission::EditProjects).await?;
    let former = dns_accounts::list(&mut tx, &permit, Some(id)).await?.pop().ok_or(Refused::NotFound)?;
    let server = former.kind == AccountKind::Rfc2136;
    for (field, kept) in [
        (&mut input.server, &former.server),
        (&mut input.key_name, &former.key_name),
        (&mut input.algorithm, &former.algorithm),
    ] {
        if field.trim().is_empty() {
            field.clone_from(kept);
        }
    }
    let keeps_key = server && input.key.trim().is_empty();
    let mut fields = Fields::default();
    let access = Access::read(&mut fields, former.kind, &input, keeps_key);
    if !fields.fine() {
        return Err(fields.refuse());
    }
    let sealed = match keeps_key {
        true => former.sealed.clone(),
        false => seal(ctx, &mut tx, &permit, id, &access.secret).await?,
    };
    let Access { server, key_name, algorithm, .. } = access;
    let row = dns_accounts::Row { server, key_name, algorithm, sealed, ..former.clone() };
    if !dns_accounts::update(&mut tx, &permit, &row).await? {
        return Err(Refused::NotFound);
    }
    acme_orders::make_due_again(&mut tx, &permit, id).await?;
    let told = |row: &dns_accounts::Row| json!({ "server": row.server, "key": row.key_name, "signs": row.algorithm });
    let (before, mut after) = (told(&former), told(&row));
    if let Some(after) = after.as_object_mut().filter(|_| !keeps_key) {
        after.insert("secret".to_owned(), json!("another one"));
    }
    let event = audit::New {
        action: "dns_account.changed",
        kind: "dns_account",
        subject: Some(id.0),
        name: &row.name,
        before: Some(before),
        after: Some(after),
    };
    audit::record(&mut tx, &permit, event).await?;
    tx.commit().await?;
    Ok(view(row))
}

/// The name of a key: like a domain's, and it may have one label only.
fn read_key_name(fields: &mut Fields, raw: &str) -> String {
    let text = raw.trim().trim_end_matches('.').to_ascii_lowercase();
    let label = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let plain = (1..=63).contains(&text.len()) && text.chars().all(label);
    if !plain && (!text.is_ascii() || text.replace('_', "-").parse::<Domain>().is_err()) {
        fields.wrong("key_name", "Write the key's name as the name server's file has it, such as skiff-key.");
    }
    text
}

/// Forgets an account that nothing is proven with.
pub async fn remove_account(ctx: &Ctx, actor: &Actor, id: DnsAccountId) -> Result<(), Refused> {
    let Open { mut tx, permit, .. } = gate::team_for(ctx, actor, Permission::EditProjects).await?;
    let row = dns_accounts::list(&mut tx, &permit, Some(id)).await?.pop().ok_or(Refused::NotFound)?;
    if row.orders > 0 || !dns_accounts::remove(&mut tx, &permit, id).await? {
        return Err(Refused::Conflict(format!(
            "Certificates are proven with {}: they could not be renewed without it. Remove those first.",
            row.name
        )));
    }
    let before = Some(json!({ "kind": row.kind.slug(), "server": row.server }));
    let event = audit::New {
        action: "dns_account.removed",
        kind: "dns_account",
        subject: Some(id.0),
        name: &row.name,
        before,
        after: None,
    };
    audit::record(&mut tx, &permit, event).await?;
    tx.commit().await?;
    Ok(())
}
