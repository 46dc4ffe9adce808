//! The port on which a host's proxy serves HTTPS. Not here: certificates.

use serde_json::json;

use super::record;
use crate::actions::fields::Fields;
use crate::actions::gate::{self, Open};
use crate::actions::routes::ports;
use crate::actions::{Ctx, Refused};
use crate::db;
use crate::domain::ids::HostId;
use crate::domain::rights::{Actor, Permission};

/// What a field has in it where the proxy shall not serve HTTPS.
pub const NONE: &str = "none";

/// The form that gives a host's proxy another port for HTTPS.
#[derive(Clone, Debug, Default)]
pub struct SetHttpsPort {
    /// 1–65535; empty means 443, `none` or 0 means no HTTPS.
    pub https_port: String,
}

/// Reads the port; a wrong one is noted.
pub(super) fn port(fields: &mut Fields, raw: &str, http: Option<i32>) -> Option<Option<u16>> {
    if matches!(raw.trim(), NONE | "0") {
        return Some(None);
    }
    let port = fields.number_or::<u16>("https_port", raw, 443, 1..=65535, "or none")?;
    if http == Some(i32::from(port)) {
        fields.wrong("https_port", "Plain HTTP has this port. Choose another, such as 443 or 8443.");
        return None;
    }
    Some(Some(port))
}

/// Why a host must go on serving HTTPS: the panel is reached through its proxy. None where it is not.
pub(super) async fn leads_to_the_panel(tx: &mut db::Tx<'_>, id: HostId, name: &str) -> Result<Option<String>, Refused> {
    let there = db::panel_addresses::all(tx).await?.into_iter().find(|row| row.host == id);
    Ok(there.map(|row| {
        format!(
            "The panel is reached as {} through {name}. Under Hosts → Panel's address an owner of the panel's first team gives that name up, \
             or leads it through another host. Do that first.",
            row.domain
        )
    }))
}

/// Gives a host's proxy another port for HTTPS, or none. Takes effect when the host is made ready again, for names of the panel, too.
pub async fn set_https_port(ctx: &Ctx, actor: &Actor, id: HostId, input: SetHttpsPort) -> Result<(), Refused> {
    let Open { mut tx, permit, .. } = gate::host(ctx, actor, id, Permission::ManageHosts).await?;
    let row = db::hosts::list(&mut tx, &permit, Some(id)).await?.into_iter().next().ok_or(Refused::NotFound)?;
    let mut fields = Fields::default();
    let port = port(&mut fields, &input.https_port, Some(row.http_port));
    if port.flatten().is_some_and(|port| i32::from(port) == row.ssh_port) {
        fields.wrong("https_port", "The host answers SSH on this port. Choose another, such as 443 or 8443.");
    }
    if let Some(why) = ports::of_apps(&mut tx, &permit, id, port.flatten()).await? {
        fields.wrong("https_port", why);
    }
    if port == Some(None)
        && let Some(why) = leads_to_the_panel(&mut tx, id, &row.name).await?
    {
        fields.wrong("https_port", why);
    }
    let (Some(port), true) = (port, fields.fine()) else { return Err(fields.refuse()) };
    db::hosts::set_https_port(&mut tx, &permit, id, port).await?;
    let (before, after) = (json!({ "https_port": row.https_port }), json!({ "https_port": port }));
    record(&mut tx, &permit, "host.https_port_changed", id, &row.name, Some(before), Some(after)).await?;
    tx.commit().await?;
    Ok(())
}
