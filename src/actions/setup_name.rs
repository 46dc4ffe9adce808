//! The panel's name as set-up asks for it, together with the certificate authority it needs: what is offered, what is looked at
//! before there is an owner, what begins with the owner. Not here: how a name is tried (`panel`), who becomes the owner (`setup`).

use super::fields::Fields;
use super::panel::{self, NewAddress, Server};
use super::{Ctx, Refused, acme};
use crate::db;
use crate::domain::names::Email;
use crate::domain::outgoing;
use crate::domain::rights::{Actor, Permit};

/// What set-up offers where the panel has no name yet, and could have one.
#[derive(Clone, Debug)]
pub struct Offer {
    /// A name made of the server's address, where that is a public one.
    pub made_name: Option<String>,
    /// Whether an authority was chosen before: then nobody is asked for its terms.
    pub authority: bool,
}

/// What was asked for.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// The name; empty for none.
    pub domain: String,
    /// Whom the authority may write to; may be empty.
    pub acme_email: String,
    /// Whether its terms are agreed to.
    pub terms: bool,
}

/// What is offered. None where no server could lead here, or the panel has a name, or one is being tried.
pub async fn offer(ctx: &Ctx) -> Result<Option<Offer>, Refused> {
    let mut door = ctx.db.begin_door().await?;
    let team = db::teams::first(&mut door).await?;
    door.commit().await?;
    let Some(team) = team else { return Ok(None) };
    let actor = Actor::on_the_panels_machine(team.id);
    let view = panel::address(ctx, &actor).await?;
    if view.servers.is_empty() || view.serving.is_some() || view.trial.is_some() {
        return Ok(None);
    }
    // The name is tried where the panel runs, or where there is but one: so it is made of that server's address.
    let only = || <&[Server; 1]>::try_from(view.servers.as_slice()).ok().map(|[one]| one);
    let made_name = view.servers.iter().find(|server| server.here).or_else(only).and_then(|one| one.made_name.clone());
    Ok(Some(Offer { made_name, authority: acme::chosen(ctx, &actor).await?.is_some() }))
}

/// Looks at all of it before there is an owner. A permit for the panel's first team.
pub(super) async fn check(ctx: &Ctx, permit: &Permit, fields: &mut Fields, wanted: &Wanted) -> Result<(), Refused> {
    let mut tx = ctx.db.begin(permit).await?;
    let hosts = db::hosts::list(&mut tx, permit, None).await?;
    let host = this_machine(&hosts).unwrap_or_default();
    let address = NewAddress { domain: wanted.domain.clone(), host, keep: true };
    panel::suits(ctx, &mut tx, fields, &hosts, &address).await?;
    let chosen = db::acme::settings(&mut tx).await?.is_some();
    tx.commit().await?;
    if !chosen {
        fields.optional::<Email>("acme_email", &wanted.acme_email);
        if !wanted.terms {
            fields.wrong(
                "terms",
                "A certificate is given only to those who agree to the terms of Let's Encrypt. Agree, or leave the domain empty.",
            );
        }
    }
    Ok(())
}

/// Chooses the authority where none is, and tries the name; it is kept as soon as it is reached.
pub(super) async fn begin(ctx: &Ctx, owner: &Actor, wanted: &Wanted) -> Result<(), Refused> {
    if acme::chosen(ctx, owner).await?.is_none() {
        let choice = acme::Choice {
            authority: "letsencrypt".into(),
            email: wanted.acme_email.clone(),
            terms: wanted.terms,
            ..acme::Choice::default()
        };
        acme::choose(ctx, owner, choice).await?;
    }
    let view = panel::address(ctx, owner).await?;
    let host = view.servers.iter().find(|server| server.here).map(|server| server.id.to_string());
    let address = NewAddress { domain: wanted.domain.clone(), host: host.unwrap_or_default(), keep: true };
    panel::try_address(ctx, owner, address).await
}

/// The id of the host that is the panel's own machine.
fn this_machine(hosts: &[db::hosts::Row]) -> Option<String> {
    let here = |host: &&db::hosts::Row| host.proxy_https_port.is_some() && outgoing::is_this_machine(&host.address);
    hosts.iter().find(here).map(|host| host.id.to_string())
}
