//! Push to deploy: an app's hook, what came through it, and doing that again. Not here: signatures and the spelling of each
//! forge (`providers::forges`).

mod keep;
mod receive;
mod replay;
mod set_up;
mod together;
mod views;

pub use receive::{Incoming, Lines, Received, may_be_signed, receive};
pub use replay::replay;
pub use set_up::{Shown, create, remove, rotate, show};
pub use views::{DeliveryLine, HookLine, PushView, deliveries, get};

use super::{Ctx, Refused};
use crate::db;
use crate::db::hooks::Row;
use crate::domain::ids::{HookId, TeamId};
use crate::domain::secret::Secret;
use crate::vault::{CannotOpen, Context};

/// Where a hook's secret stands. It opens nowhere else.
fn place(team: TeamId, hook: HookId, version: i32) -> Context {
    Context { table: "hooks", column: "sealed", team, row: hook.0, version }
}

/// The secret of a hook of an app.
pub(super) fn opened(ctx: &Ctx, data_key: &[u8], team: TeamId, row: &Row) -> Result<Secret<String>, Refused> {
    let opened = unseal(ctx, data_key, &place(team, row.id, row.version), &row.sealed);
    opened.map_err(|error| Refused::Conflict(format!("{error} Make a new secret, and enter it at the forge.")))
}

/// A secret as text.
fn unseal(ctx: &Ctx, data_key: &[u8], place: &Context, sealed: &[u8]) -> Result<Secret<String>, CannotOpen> {
    let bytes = ctx.vault.unseal(data_key, place, sealed)?;
    String::from_utf8(bytes.expose().clone()).map(Secret::new).map_err(|_| CannotOpen::Damaged)
}

/// The hook of an app that is being edited.
async fn of(edit: &mut super::apps::Editing) -> Result<Row, Refused> {
    let row = db::hooks::of_app(&mut edit.tx, &edit.permit, edit.app.id).await?;
    row.ok_or_else(|| Refused::Conflict("Push to deploy is off for this app: turn it on first.".into()))
}
