//! Domains of apps that serve, looked up side by side.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use futures_util::future::join_all;
use uuid::Uuid;

use crate::actions::{Refused, gate};
use crate::db::{self, Tx, routes};
use crate::domain::doctor::{self, Finding, NameSeen, Resolved};
use crate::domain::rights::{Actor, On, Permit};
use crate::providers::resolver::look_up;

/// Domains of one team that are looked up in one examination: more would keep its reader waiting.
const MOST: i64 = 200;

/// What is to be looked up.
pub(super) struct Known {
    domains: Vec<routes::Served>,
    /// Each host's name, and the address it is reached at.
    hosts: BTreeMap<Uuid, (String, String)>,
}

/// The domains of apps that the actor sees.
pub(super) async fn known(tx: &mut Tx<'_>, permit: &Permit, actor: &Actor) -> Result<Known, Refused> {
    let mut domains = routes::served(tx, permit, MOST).await?;
    domains.retain(|row| gate::sees(actor, On::environment(actor.team(), row.project, row.environment)));
    let rows = db::hosts::list(tx, permit, None).await?;
    let hosts = rows.into_iter().map(|row| (row.id.0, (row.name, row.address))).collect();
    Ok(Known { domains, hosts })
}

/// Looks them up.
pub(super) async fn look(known: Known) -> Vec<Finding> {
    let wanted: BTreeSet<Uuid> = known.domains.iter().flat_map(|row| row.hosts.iter().copied()).collect();
    let named = wanted.into_iter().filter_map(|id| Some((id, known.hosts.get(&id)?)));
    let found = join_all(named.map(|(id, (name, address))| async move {
        let addresses = match look_up(address).await {
            Resolved::Addresses(addresses) => addresses,
            Resolved::Nowhere | Resolved::NotAsked(_) => BTreeSet::new(),
        };
        (id, (name.clone(), addresses))
    }));
    let hosts: BTreeMap<Uuid, (String, BTreeSet<IpAddr>)> = found.await.into_iter().collect();
    let hosts = &hosts;
    let domains = known.domains.iter().map(|row| async move {
        doctor::name(&NameSeen {
            domain: row.domain.to_string(),
            app: row.app.clone(),
            resolved: look_up(row.domain.as_ref()).await,
            hosts: row.hosts.iter().filter_map(|id| hosts.get(id).cloned()).collect(),
        })
    });
    join_all(domains).await
}
