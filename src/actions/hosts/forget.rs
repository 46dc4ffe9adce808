//! The end of a host: Skiff forgets it, and touches nothing on the server. Not here: taking away what runs there.

use serde_json::json;

use super::{ForgetHost, Forgotten, https, record};
use crate::actions::fields::Fields;
use crate::actions::gate::{self, Open};
use crate::actions::{Ctx, Refused};
use crate::db;
use crate::domain::host::{HostState, REMAINS};
use crate::domain::ids::HostId;
use crate::domain::rights::{Actor, Permission};

/// Forgets a host, for whoever types its name. While apps are placed there, or something of them is on it, it is kept; of a
/// server that is gone for good that does not count. One that leads to the panel is kept in any case.
pub async fn forget(ctx: &Ctx, actor: &Actor, id: HostId, input: ForgetHost) -> Result<Forgotten, Refused> {
    let Open { mut tx, permit, .. } = gate::host(ctx, actor, id, Permission::ManageHosts).await?;
    let row = db::hosts::list(&mut tx, &permit, Some(id)).await?.into_iter().next().ok_or(Refused::NotFound)?;
    let mut fields = Fields::default();
    if input.name.trim() != row.name {
        fields.wrong("name", format!("Type {} to forget it.", row.name));
    }
    let gone = fields.choice("gone", input.gone.trim(), &[("yes", true), ("no", false), ("", false)]);
    if gone == Some(true) && row.state == HostState::Ready {
        fields.wrong("gone", "The server answers, so it is not gone.");
    }
    let (Some(gone), true) = (gone, fields.fine()) else { return Err(fields.refuse()) };
    if row.busy.is_some() {
        return Err(Refused::Conflict(format!(
            "{} is being made ready. Wait for the end of that, or cancel it.",
            row.name
        )));
    }
    if let Some(why) = https::leads_to_the_panel(&mut tx, id, &row.name).await? {
        return Err(Refused::Conflict(why));
    }
    let used = db::host_ways::used(&mut tx, &permit, id).await?;
    if let Some(why) = kept_for(&row.name, &used, gone) {
        return Err(Refused::Conflict(why));
    }
    db::host_ways::forget(&mut tx, &permit, id).await?;
    let before = json!({ "address": row.address, "port": row.ssh_port, "user": row.ssh_user, "host_key": row.host_key,
        "number": row.number, "gone": gone });
    record(&mut tx, &permit, "host.forgotten", id, &row.name, Some(before), None).await?;
    tx.commit().await?;
    ctx.pool.forget(id);
    // Nothing of ours was ever made on a server that was never made ready.
    let untouched = row.state == HostState::New && row.facts.0.os.is_empty();
    let remains = if gone || untouched { Vec::new() } else { REMAINS.to_vec() };
    Ok(Forgotten { name: row.name, remains })
}

/// Why a host cannot be forgotten now.
fn kept_for(name: &str, used: &db::host_ways::Used, gone: bool) -> Option<String> {
    if !used.placed.is_empty() {
        return Some(format!(
            "Apps are placed on {name}: {}. Place them on other hosts or remove them, and forget it then.",
            used.placed.join(", ")
        ));
    }
    if gone {
        return None;
    }
    if !used.running.is_empty() {
        return Some(format!(
            "Instances are still on {name}, of: {}. Deploy each where it is placed now, and what is here is taken away. If the \
             server is gone for good, say so.",
            used.running.join(", ")
        ));
    }
    if !used.volumes.is_empty() {
        return Some(format!(
            "Data of volumes is on {name}: {}. Remove these volumes on their apps' pages first. If the server is gone for \
             good, say so.",
            used.volumes.join(", ")
        ));
    }
    None
}
