//! Secrets: set, replace, remove. Write-only: nothing here gives a value back.

use std::collections::BTreeMap;

use serde_json::json;
use time::OffsetDateTime;

use super::fields::Fields;
use super::sealing::Sealer;
use super::{Ctx, Refused, apps};
use crate::db;
use crate::db::secrets::Owner;
use crate::domain::ids::{AppId, SecretId};
use crate::domain::names::{EnvName, EnvValue};
use crate::domain::rights::{Actor, Permission};
use crate::domain::secret::Secret;

/// The form that sets or replaces a secret of an app. Not `Debug`: it holds the value.
#[derive(Clone, Default)]
pub struct SetSecret {
    /// The variable's name.
    pub name: String,
    /// The value: any text without NUL, at most 32 KiB, kept byte for byte.
    pub value: String,
}

/// One secret in a list: that it is there, never what it is.
#[derive(Clone, Debug)]
pub struct SecretLine {
    /// The secret.
    pub id: SecretId,
    /// The variable's name.
    pub name: String,
    /// 1, 2, … with each replacement.
    pub version: i32,
    /// When it was first set.
    pub created_at: OffsetDateTime,
    /// When it was last replaced.
    pub changed_at: OffsetDateTime,
    /// The version the serving release runs with; none where it has none.
    pub in_use: Option<i32>,
}

/// Sets or replaces a secret of an app. Running containers keep the value they were started with until the next deploy.
pub async fn set(ctx: &Ctx, actor: &Actor, app: AppId, input: SetSecret) -> Result<(), Refused> {
    let mut edit = apps::begin_edit(ctx, actor, app, Permission::EditApps).await?;
    let mut fields = Fields::default();
    let name = fields.text::<EnvName>("name", &input.name);
    let value = fields.text::<EnvValue>("value", &input.value).map(|value| Secret::new(String::from(value)));
    let mut spec = edit.app.spec.0.clone();
    let named = |name: &EnvName| spec.variables.contains_key(name);
    if name.as_ref().is_some_and(named) {
        fields.wrong("name", "There is a plain variable of this name: remove it first.");
    }
    let (Some(name), Some(value), true) = (name, value, fields.fine()) else { return Err(fields.refuse()) };
    let sealer = Sealer::open(ctx, &mut edit.tx, &edit.permit).await?;
    let id = sealer.set(&mut edit.tx, Owner::App(app), name.as_ref(), &value).await?;
    drop(sealer);
    let replaced = spec.secrets.insert(name.clone(), id).is_some();
    if spec.variables.len() + spec.secrets.len() > apps::MOST_VARIABLES {
        return Err(Refused::field("name", format!("An app has at most {} variables.", apps::MOST_VARIABLES)));
    }
    if replaced {
        db::secrets::forget_unused(&mut edit.tx, &edit.permit, app, id).await?;
    }
    let action = if replaced { "secret.replaced" } else { "secret.set" };
    edit.keep(&spec, action, None, Some(json!({ "secret": name }))).await
}

/// Removes a secret of an app from the next deploy on. Kept releases keep the versions they were made with.
pub async fn remove(ctx: &Ctx, actor: &Actor, app: AppId, name: &str) -> Result<(), Refused> {
    let mut edit = apps::begin_edit(ctx, actor, app, Permission::EditApps).await?;
    let mut spec = edit.app.spec.0.clone();
    let gone = name.parse::<EnvName>().ok().and_then(|name| spec.secrets.remove_entry(&name));
    let (name, id) = gone.ok_or(Refused::NotFound)?;
    db::secrets::retire(&mut edit.tx, &edit.permit, id).await?;
    edit.keep(&spec, "secret.removed", Some(json!({ "secret": name })), None).await
}

/// Secrets as lines.
pub(super) fn lines(rows: Vec<db::secrets::Row>, serving: Option<&BTreeMap<SecretId, i32>>) -> Vec<SecretLine> {
    let line = |row: db::secrets::Row| SecretLine {
        in_use: serving.and_then(|versions| versions.get(&row.id)).copied(),
        id: row.id,
        name: row.name,
        version: row.version,
        created_at: row.created_at,
        changed_at: row.changed_at,
    };
    rows.into_iter().map(line).collect()
}
