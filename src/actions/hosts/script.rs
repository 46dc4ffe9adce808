//! The script that makes a server ready which Skiff does not reach yet. Not here: what is in it (`jobs/provision/first_boot.rs`).

use super::team_key;
use crate::actions::fields::Fields;
use crate::actions::gate::{self, Open};
use crate::actions::{Ctx, Refused};
use crate::db;
use crate::domain::rights::{Actor, Permission};
use crate::jobs::provision::first_boot::FirstBoot;

/// What the script shall make of a server.
#[derive(Clone, Debug, Default)]
pub struct NewScript {
    /// `yes`, or `no` (also when empty): whether it shall build for the others.
    pub builds: String,
    /// The port its proxy shall listen on, 1–65535; empty means 80.
    pub http_port: String,
}

/// The script, with the team's key in it: whoever runs it lets the team's panel in.
pub async fn script(ctx: &Ctx, actor: &Actor, input: NewScript) -> Result<String, Refused> {
    let Open { mut tx, permit, .. } = gate::team_for(ctx, actor, Permission::ManageHosts).await?;
    let mut fields = Fields::default();
    let builds = fields.choice("builds", input.builds.trim(), &[("yes", true), ("no", false), ("", false)]);
    let http_port = fields.number_or::<u16>("http_port", &input.http_port, 80, 1..=65535, "");
    let (Some(builds), Some(http_port), true) = (builds, http_port, fields.fine()) else { return Err(fields.refuse()) };
    let key = team_key::of(ctx, &mut tx, &permit).await?;
    let team = db::teams::slug(&mut tx, &permit).await?;
    let panel = db::panel::get(&mut tx).await?.ok_or(Refused::NotFound)?.id;
    tx.commit().await?;
    let team = team.parse().map_err(|_| Refused::NotFound)?;
    Ok(FirstBoot { team: &team, public_key: &key.public, panel, builds, http_port }.text())
}
