//! What a host's proxy is told besides its apps: whom it believes about where a request comes from, and the domain under
//! which apps without a route of their own get an address.

use serde_json::{Value, json};

use super::forms::EditTrust;
use super::{meanwhile, read};
use crate::actions::fields::Fields;
use crate::actions::gate::{self, Open};
use crate::actions::jobs::{self, JobLine};
use crate::actions::{Ctx, Refused, panel};
use crate::db::{self, Tx, audit};
use crate::domain::host::HostState;
use crate::domain::ids::{HostId, JobId};
use crate::domain::names::Domain;
use crate::domain::rights::{Actor, Permission, Permit};
use crate::domain::trust::Trust;
use crate::jobs::set_proxy::{self, Of};

/// What a host's proxy is told besides its apps.
#[derive(Clone, Debug)]
pub struct HostFront {
    /// Whom it believes, as wanted.
    pub trust: EditTrust,
    /// True where its proxy believes others still.
    pub waits: bool,
    /// The last job that told it, where one ever did.
    pub last: Option<JobLine>,
    /// The domain under which its apps get addresses; empty where they get none.
    pub base_domain: String,
    /// A domain that leads to the host without anything to set up; empty where its address is nobody's from outside.
    pub offered: String,
}

/// Looks at it.
pub async fn host_front(ctx: &Ctx, actor: &Actor, id: HostId) -> Result<HostFront, Refused> {
    let Open { mut tx, permit, .. } = gate::host(ctx, actor, id, Permission::View).await?;
    let row = db::hosts::list(&mut tx, &permit, Some(id)).await?.into_iter().next().ok_or(Refused::NotFound)?;
    let trusts = db::fronts::trust(&mut tx, &permit, id).await?.ok_or(Refused::NotFound)?;
    let key = set_proxy::lock_key(Of::Host(id));
    let last = db::jobs::newest_of(&mut tx, &permit, &key).await?;
    tx.commit().await?;
    Ok(HostFront {
        trust: read::trust_form(&trusts.wanted),
        waits: trusts.wanted != trusts.applied,
        last: last.map(jobs::line),
        base_domain: trusts.base_domain.map(String::from).unwrap_or_default(),
        offered: panel::made_name_of(&row.address).unwrap_or_default(),
    })
}

/// Changes whom a host believes. Returns the job that tells its proxy.
pub async fn set_trust(ctx: &Ctx, actor: &Actor, id: HostId, input: EditTrust) -> Result<JobId, Refused> {
    let Open { mut tx, permit, .. } = gate::host(ctx, actor, id, Permission::ManageHosts).await?;
    // Whoever changes it at the same time comes before or after, never in between what is read and what is written.
    db::fronts::hold(&mut tx, &permit, id).await?;
    let Read { name, known, trust } = read_trust(&mut tx, &permit, id, &input).await?;
    db::fronts::want_trust(&mut tx, &permit, id, &trust).await?;
    let title = format!("Proxies before {name}");
    let job = set_proxy::ask(&mut tx, &permit, Of::Host(id), &title, actor.who().cause()).await?;
    let event = audit::New {
        action: "host.trust_changed",
        kind: "host",
        subject: Some(id.0),
        name: &name,
        before: Some(words(&known)),
        after: Some(words(&trust)),
    };
    audit::record(&mut tx, &permit, event).await?;
    tx.commit().await?;
    Ok(job)
}

/// A form of trust that was read.
pub(super) struct Read {
    /// What the host is called.
    name: String,
    /// Whom it is to believe so far.
    known: Trust,
    /// Whom from now on.
    pub trust: Trust,
}

/// Reads the form for a host.
pub(super) async fn read_trust(
    tx: &mut Tx<'_>,
    permit: &Permit,
    id: HostId,
    input: &EditTrust,
) -> Result<Read, Refused> {
    let row = db::hosts::list(tx, permit, Some(id)).await?.into_iter().next().ok_or(Refused::NotFound)?;
    let known = db::fronts::trust(tx, permit, id).await?.ok_or(Refused::NotFound)?;
    let mut fields = Fields::default();
    let trust = read::trust(&mut fields, input);
    if let Some(why) = meanwhile::trust(&input.as_of, &known.wanted, trust.as_ref()) {
        fields.wrong("as_of", why);
    }
    let (Some(trust), true) = (trust, fields.fine()) else { return Err(fields.refuse()) };
    if row.state == HostState::New {
        return Err(Refused::Conflict(format!("{} is not ready yet: make it ready first.", row.name)));
    }
    Ok(Read { name: row.name, known: known.wanted.0, trust })
}

fn words(trust: &Trust) -> Value {
    json!({ "Cloudflare": trust.cloudflare, "X-Forwarded-For": trust.forwarded, "PROXY protocol": trust.proxy_protocol })
}

/// Changes the domain under which a host's apps get addresses. Addresses that were given stay.
pub async fn set_base_domain(ctx: &Ctx, actor: &Actor, id: HostId, input: &str) -> Result<(), Refused> {
    /// A name of an app and its environment is put before it.
    const ROOM: usize = 120;
    let Open { mut tx, permit, .. } = gate::host(ctx, actor, id, Permission::ManageHosts).await?;
    let row = db::hosts::list(&mut tx, &permit, Some(id)).await?.into_iter().next().ok_or(Refused::NotFound)?;
    let known = db::fronts::trust(&mut tx, &permit, id).await?.ok_or(Refused::NotFound)?;
    let mut fields = Fields::default();
    let typed = input.trim().trim_start_matches("*.");
    let domain = fields.optional::<Domain>("base_domain", typed);
    if domain.as_ref().is_some_and(|domain| domain.as_ref().len() > ROOM) {
        fields.wrong("base_domain", "Use a shorter domain: the names of apps stand before it.");
    }
    if !fields.fine() {
        return Err(fields.refuse());
    }
    db::fronts::set_base_domain(&mut tx, &permit, id, domain.as_ref()).await?;
    let event = audit::New {
        action: "host.base_domain_changed",
        kind: "host",
        subject: Some(id.0),
        name: &row.name,
        before: Some(json!({ "domain": known.base_domain })),
        after: Some(json!({ "domain": domain })),
    };
    audit::record(&mut tx, &permit, event).await?;
    tx.commit().await?;
    Ok(())
}
