//! Another name for a host, or another way in. The pinned key stays: where another server answers, it shows. Not here: the
//! jump host's key, which is looked at anew where the jump host is another one.

use serde_json::json;

use super::{EditHost, push_look, record};
use crate::actions::fields::Fields;
use crate::actions::gate::{self, Open};
use crate::actions::{Ctx, Refused};
use crate::db;
use crate::domain::ids::HostId;
use crate::domain::jump::JumpHost;
use crate::domain::names::{DisplayName, HostAddress, SshUser};
use crate::domain::rights::{Actor, On, Permission};

/// Saves it. Connections over the former way end by themselves. Another way in is for whoever manages all hosts of the team.
pub async fn edit(ctx: &Ctx, actor: &Actor, id: HostId, input: EditHost) -> Result<(), Refused> {
    let Open { mut tx, permit, .. } = gate::host(ctx, actor, id, Permission::ManageHosts).await?;
    let all = db::hosts::list(&mut tx, &permit, None).await?;
    let row = all.iter().find(|row| row.id == id).ok_or(Refused::NotFound)?;
    let mut fields = Fields::default();
    let name = fields.text::<DisplayName>("name", &input.name);
    let address = fields.text::<HostAddress>("address", &input.address);
    let port = fields.number_or::<u16>("port", &input.port, 22, 1..=65535, "");
    let user = fields.text::<SshUser>("user", input.user.trim());
    let jump = jump(&mut fields, &input.jump);
    // Every host of the team opens to the same key: whoever manages one of them alone may not have it lead to another.
    let former = row.jump();
    let elsewhere = address.as_ref().is_some_and(|address| row.address != address.as_ref())
        || port.is_some_and(|port| row.ssh_port != i32::from(port))
        || user.as_ref().is_some_and(|user| row.ssh_user != user.as_ref())
        || jump.as_ref().is_some_and(|jump| *jump != former);
    let everywhere = actor.may(Permission::ManageHosts, On::team(actor.team())).is_ok();
    if elsewhere && !everywhere {
        fields.wrong(
            "address",
            "Only an admin of the whole team changes the way in, because all its hosts open to one key.",
        );
    }
    for other in all.iter().filter(|other| other.id != id) {
        if name.as_ref().is_some_and(|name| other.name == name.as_ref()) {
            fields.wrong("name", "The team has a host of this name already.");
        }
        if elsewhere && everywhere && same(other, address.as_ref(), port, jump.as_ref().and_then(Option::as_ref)) {
            fields.wrong("address", format!("This is the host {} already.", other.name));
        }
    }
    let (Some(name), Some(address), Some(port), Some(user), Some(jump), true) =
        (name, address, port, user, jump, fields.fine())
    else {
        return Err(fields.refuse());
    };
    if row.busy.is_some() {
        return Err(Refused::Conflict(format!(
            "{} is being made ready. Wait for the end of that, or cancel it.",
            row.name
        )));
    }
    db::host_ways::edit(&mut tx, &permit, id, &name, &address, port, &user).await?;
    if elsewhere {
        // What was given to sign in with once was meant for the server that stood there.
        db::host_passes::forget(&mut tx, &permit, id).await?;
    }
    if former != jump {
        db::host_ways::set_jump(&mut tx, &permit, id, jump.as_ref()).await?;
    }
    let before = json!({ "name": row.name, "address": row.address, "port": row.ssh_port, "user": row.ssh_user,
        "jump host": former.map(|jump| jump.to_string()) });
    let after = json!({ "name": name, "address": address, "port": port, "user": user,
        "jump host": jump.map(|jump| jump.to_string()) });
    record(&mut tx, &permit, "host.edited", id, name.as_ref(), Some(before), Some(after)).await?;
    let edited = db::hosts::list(&mut tx, &permit, Some(id)).await?.into_iter().next().ok_or(Refused::NotFound)?;
    let shown = !edited.host_key_seen.is_empty() || !edited.jump_key_seen.is_empty();
    if super::has_unknown_key(&edited) && !shown {
        push_look(&mut tx, &permit, actor, id, &edited.name).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// The jump host of a form: outer none where it is wrong, inner none where it is left empty.
pub(super) fn jump(fields: &mut Fields, raw: &str) -> Option<Option<JumpHost>> {
    if raw.trim().is_empty() { Some(None) } else { fields.text::<JumpHost>("jump", raw).map(Some) }
}

/// True where this is the way to that host: the same address behind another jump host is another server.
pub(super) fn same(
    row: &db::hosts::Row,
    address: Option<&HostAddress>,
    port: Option<u16>,
    jump: Option<&JumpHost>,
) -> bool {
    let place = |jump: &JumpHost| (jump.address.clone(), jump.port);
    address.is_some_and(|address| row.address == address.as_ref())
        && port.is_some_and(|port| row.ssh_port == i32::from(port))
        && row.jump().as_ref().map(place) == jump.map(place)
}
