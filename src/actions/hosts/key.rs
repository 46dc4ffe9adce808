//! A key that a host or its jump host showed is accepted by a person. Not here: looking at it.

use serde_json::json;

use super::{ConfirmHostKey, push_look, record};
use crate::actions::fields::Fields;
use crate::actions::gate::{self, Open};
use crate::actions::{Ctx, Refused};
use crate::db;
use crate::domain::ids::HostId;
use crate::domain::names::HostKey;
use crate::domain::rights::{Actor, Permission};

/// Pins the fingerprint a host showed, after a person compared it. Only the one that was shown can be confirmed, and
/// one that takes another's place only by who types the host's name.
pub async fn confirm_key(ctx: &Ctx, actor: &Actor, id: HostId, input: ConfirmHostKey) -> Result<(), Refused> {
    let Open { mut tx, permit, .. } = gate::host(ctx, actor, id, Permission::ManageHosts).await?;
    let row = db::hosts::list(&mut tx, &permit, Some(id)).await?.into_iter().next().ok_or(Refused::NotFound)?;
    let mut fields = Fields::default();
    let Some(key) = fields.text::<HostKey>("host_key", &input.host_key) else { return Err(fields.refuse()) };
    let of_jump = row.jump_key_seen == key.as_ref();
    if row.host_key_seen != key.as_ref() && !of_jump {
        return Err(Refused::Conflict("The host has shown another key since. Look at it again.".into()));
    }
    let pinned = if of_jump { &row.jump_host_key } else { &row.host_key };
    if !pinned.is_empty() && input.name.trim() != row.name {
        fields.wrong("name", format!("Type {} to accept another key than the one that is pinned.", row.name));
        return Err(fields.refuse());
    }
    if !pinned.is_empty() {
        // It was given for the server with the former key.
        db::host_passes::forget(&mut tx, &permit, id).await?;
    }
    let (before, after) = if of_jump {
        db::host_ways::pin_jump(&mut tx, &permit, id, key.as_ref()).await?;
        if row.host_key.is_empty() {
            // The host itself is looked at through it.
            push_look(&mut tx, &permit, actor, id, &row.name).await?;
        }
        (json!({ "jump_host_key": row.jump_host_key }), json!({ "jump_host_key": key }))
    } else {
        db::hosts::pin(&mut tx, &permit, id, key.as_ref()).await?;
        (json!({ "host_key": row.host_key }), json!({ "host_key": key }))
    };
    record(&mut tx, &permit, "host.key_confirmed", id, &row.name, Some(before), Some(after)).await?;
    tx.commit().await?;
    Ok(())
}
