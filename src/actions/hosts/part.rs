//! What a host does for the team's other hosts: build images for them, take their requests under an address of its own.
//! Takes effect when the host is made ready again.

use std::net::Ipv4Addr;

use serde_json::json;

use super::{HostPart, record};
use crate::actions::fields::Fields;
use crate::actions::gate::{self, Open};
use crate::actions::sealing::Sealer;
use crate::actions::{Ctx, Refused};
use crate::db;
use crate::db::secrets::Owner;
use crate::domain::address;
use crate::domain::ids::HostId;
use crate::domain::rights::{Actor, Permission};
use crate::vault;

/// The name of the sealed password of a host's image registry.
const REGISTRY_PASSWORD: &str = "registry password";

/// Notes what the host shall do. A registry's password is made the first time it builds.
pub async fn set_part(ctx: &Ctx, actor: &Actor, id: HostId, input: HostPart) -> Result<(), Refused> {
    let Open { mut tx, permit, .. } = gate::host(ctx, actor, id, Permission::ManageHosts).await?;
    let all = db::hosts::list(&mut tx, &permit, None).await?;
    let row = all.iter().find(|row| row.id == id).ok_or(Refused::NotFound)?;
    let mut fields = Fields::default();
    let builds = fields.choice("builds", input.builds.trim(), &[("yes", true), ("no", false), ("", false)]);
    let private = private_address(&mut fields, input.private_address.trim());
    let same = |other: &&db::hosts::Row| {
        other.id != id && private.is_some_and(|address| other.private_address.as_deref() == Some(&address.to_string()))
    };
    if let Some(other) = all.iter().find(same) {
        fields.wrong("private_address", format!("{} has this address already.", other.name));
    }
    let (Some(builds), true) = (builds, fields.fine()) else { return Err(fields.refuse()) };
    let known = db::secrets::lock(&mut tx, &permit, Owner::Host(id), REGISTRY_PASSWORD).await?;
    let key = match known {
        None if builds => {
            let sealer = Sealer::open(ctx, &mut tx, &permit).await?;
            Some(sealer.set(&mut tx, Owner::Host(id), REGISTRY_PASSWORD, &vault::random_token()).await?)
        }
        _ => None,
    };
    db::hosts::set_part(&mut tx, &permit, id, private, builds, key).await?;
    let before = json!({ "private address": row.private_address, "builds": row.builds });
    let after = json!({ "private address": private, "builds": builds });
    record(&mut tx, &permit, "host.part_changed", id, &row.name, Some(before), Some(after)).await?;
    tx.commit().await?;
    Ok(())
}

/// Reads the address: one host's own, and none of those that Skiff gives to containers.
fn private_address(fields: &mut Fields, raw: &str) -> Option<Ipv4Addr> {
    if raw.is_empty() {
        return None;
    }
    let Ok(address) = raw.parse::<Ipv4Addr>() else {
        fields.wrong("private_address", "Use an IPv4 address such as 10.0.0.5, or leave it empty.");
        return None;
    };
    let nobody = address.is_unspecified() || address.is_loopback() || address.is_multicast() || address.is_broadcast();
    if nobody || address.is_link_local() {
        fields.wrong("private_address", "Use the host's own address in the network that it shares with the others.");
    }
    if address::is_planned(address) {
        fields.wrong(
            "private_address",
            "Addresses from 10.64.0.0 to 10.127.255.255 are those of containers. Use the host's own.",
        );
    }
    Some(address)
}
