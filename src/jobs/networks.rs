//! Networks of environments that nothing needs any more: after the last app was removed, and once a day. By the ledger's rows,
//! our own label, and only where no container is on one. Not here: a removed app's own steps (`execute/leave.rs`), which leave
//! a network to whoever may still need it.

use super::Ctx;
use super::log::Log;
use super::stop::{Stop, detail};
use crate::access;
use crate::db::ledger::networks::{self, Idle};
use crate::domain::container::{label, network_name};
use crate::domain::ids::{EnvironmentId, HostId};
use crate::queue::Run;
use crate::remote;

/// Takes away what is idle, of one environment where it is named. What a host refuses, or that does not answer, stays until
/// the next day.
pub async fn let_go(ctx: &Ctx, run: &Run, log: &Log, environment: Option<EnvironmentId>) -> Result<(), Stop> {
    let mut tx = ctx.db.begin(&run.permit).await?;
    let idle = networks::idle(&mut tx, &run.permit, environment).await?;
    tx.commit().await?;
    let mut hosts: Vec<HostId> = idle.iter().map(|network| network.host).collect();
    hosts.dedup();
    if hosts.is_empty() {
        return Ok(());
    }
    for reached in access::reach(&ctx.access(), &run.permit, &hosts).await? {
        for network in idle.iter().filter(|network| network.host == reached.id()) {
            let gone = match &reached.host {
                Ok(host) => one(ctx, run, host, network).await?,
                Err(error) => Err(detail(error)),
            };
            let (name, at) = (network_name(network.environment), &reached.row.name);
            match gone {
                Ok(true) => log.say(None, format!("Removed the network {name} from {at}: nothing needs it")),
                Ok(false) => {}
                Err(why) => log.say(None, format!("The network {name} stays on {at} for now: {why}")),
            }
        }
    }
    Ok(())
}

/// True where it was there and is gone; why it stays, where it does.
async fn one(ctx: &Ctx, run: &Run, host: &remote::Host, network: &Idle) -> Result<Result<bool, String>, Stop> {
    let (docker, name) = (host.docker(), network_name(network.environment));
    let seen = match docker.network(&name).await {
        Ok(seen) => seen,
        Err(error) => return Ok(Err(detail(error))),
    };
    if let Some(seen) = &seen {
        if seen.labels.get(label::PANEL) != Some(&ctx.panel.to_string()) {
            return Ok(Err("this panel did not make it".to_owned()));
        }
        match docker.on_network(&name).await {
            Ok(on) if on.is_empty() => {}
            Ok(on) => return Ok(Err(format!("{} is on it", detail(on.join(", "))))),
            Err(error) => return Ok(Err(detail(error))),
        }
        run.still_mine().await?;
        if let Err(error) = docker.network_remove(&name).await {
            return Ok(Err(detail(error)));
        }
    }
    let mut tx = run.begin().await?;
    networks::free(&mut tx, &run.permit, network.host, network.environment).await?;
    tx.commit().await?;
    Ok(Ok(seen.is_some()))
}
