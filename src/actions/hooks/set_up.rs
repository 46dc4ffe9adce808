//! Turning push to deploy on and off, and its secret. Not here: what comes through.

use serde_json::json;
use uuid::Uuid;

use super::{of, opened, place};
use crate::actions::apps::{self, Editing};
use crate::actions::{Ctx, Refused};
use crate::db;
use crate::domain::hook::Provider;
use crate::domain::ids::{AppId, HookId};
use crate::domain::rights::{Actor, Permission};
use crate::domain::secret::Secret;
use crate::vault::{random_token, signing_token};

/// A hook's secret, to be entered at the forge.
pub struct Shown {
    /// The secret.
    pub secret: Secret<String>,
}

/// Turns push to deploy on: gives the app a hook with a secret of its own.
pub async fn create(ctx: &Ctx, actor: &Actor, app: AppId, provider: &str) -> Result<Shown, Refused> {
    let mut edit = apps::begin_edit(ctx, actor, app, Permission::EditApps).await?;
    let provider = Provider::of_slug(provider.trim())
        .ok_or_else(|| Refused::field("provider", "Choose who shall call: GitHub, GitLab, Gitea, or anything else."))?;
    if db::hooks::of_app(&mut edit.tx, &edit.permit, app).await?.is_some() {
        return Err(Refused::Conflict("Push to deploy is on for this app already.".into()));
    }
    let id = HookId(Uuid::now_v7());
    let secret = new_secret(provider);
    let sealed = sealed(ctx, &mut edit, id, 1, &secret).await?;
    db::hooks::insert(&mut edit.tx, &edit.permit, app, id, provider, &sealed).await?;
    edit.finish("hook.created", None, Some(json!({ "provider": provider.slug() }))).await?;
    Ok(Shown { secret })
}

/// Gives the hook another secret; the old one ends at once.
pub async fn rotate(ctx: &Ctx, actor: &Actor, app: AppId) -> Result<Shown, Refused> {
    let mut edit = apps::begin_edit(ctx, actor, app, Permission::EditApps).await?;
    let row = of(&mut edit).await?;
    let (secret, version) = (new_secret(row.provider), row.version.saturating_add(1));
    let sealed = sealed(ctx, &mut edit, row.id, version, &secret).await?;
    db::hooks::replace(&mut edit.tx, &edit.permit, row.id, version, &sealed).await?;
    edit.finish("hook.rotated", None, None).await?;
    Ok(Shown { secret })
}

/// Shows the secret to somebody who may set the hook up. Written down, as it is enough to deploy with.
pub async fn show(ctx: &Ctx, actor: &Actor, app: AppId) -> Result<Shown, Refused> {
    let mut edit = apps::begin_edit(ctx, actor, app, Permission::EditApps).await?;
    let row = of(&mut edit).await?;
    let data_key = db::host_logins::data_key(&mut edit.tx, &edit.permit).await?;
    let secret = opened(ctx, &data_key, edit.permit.team(), &row)?;
    edit.finish("hook.shown", None, None).await?;
    Ok(Shown { secret })
}

/// Turns push to deploy off: the address is nobody's any more.
pub async fn remove(ctx: &Ctx, actor: &Actor, app: AppId) -> Result<(), Refused> {
    let mut edit = apps::begin_edit(ctx, actor, app, Permission::EditApps).await?;
    let row = of(&mut edit).await?;
    db::hooks::remove(&mut edit.tx, &edit.permit, row.id).await?;
    edit.finish("hook.removed", Some(json!({ "provider": row.provider.slug() })), None).await
}

/// 32 random bytes, in the form the provider takes. GitLab's is both its signing token and its secret token.
fn new_secret(provider: Provider) -> Secret<String> {
    match provider {
        Provider::Gitlab => signing_token(),
        Provider::Github | Provider::Gitea | Provider::Generic => random_token(),
    }
}

async fn sealed(
    ctx: &Ctx,
    edit: &mut Editing,
    hook: HookId,
    version: i32,
    secret: &Secret<String>,
) -> Result<Vec<u8>, Refused> {
    let data_key = db::host_logins::data_key(&mut edit.tx, &edit.permit).await?;
    let place = place(edit.permit.team(), hook, version);
    ctx.vault.seal(&data_key, &place, secret.expose().as_bytes()).map_err(|error| Refused::internal(&error))
}
