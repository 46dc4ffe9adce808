//! One look at one host.

use std::time::Duration;

use tracing::warn;

use super::alerts;
use crate::access::{self, Access};
use crate::db::sights::{self, Due};
use crate::db::{Tx, host_logins, host_ways, hosts};
use crate::domain::container::label;
use crate::domain::host::HostState;
use crate::domain::ids::HostId;
use crate::domain::names::ContainerName;
use crate::domain::observed::Running;
use crate::domain::rights::Permit;
use crate::queue;
use crate::remote::{Error, Host};

/// Looks in a row without an answer, after which a host counts as unreachable: one lost packet is no news.
const FAILURES: i32 = 3;
/// A look that takes longer has no answer.
const LIMIT: Duration = Duration::from_secs(15);

/// What was seen.
struct Seen {
    names: Vec<ContainerName>,
    states: Vec<&'static str>,
    free_mib: Option<u64>,
}

/// Looks and writes down what was seen. What goes wrong here is no reason to stop watching.
pub async fn look(access: &Access, panel: uuid::Uuid, due: Due) {
    let permit = queue::permit_of_row(&due.lease);
    if let Err(error) = look_at(access, &permit, panel, &due).await {
        warn!(host.id = %due.host, %error, "A look at a host could not be written down");
    }
}

async fn look_at(access: &Access, permit: &Permit, panel: uuid::Uuid, due: &Due) -> Result<(), sqlx::Error> {
    let mut tx = access.db.begin(permit).await?;
    let state = sights::state(&mut tx, permit, due.host).await?;
    let expected = sights::expected(&mut tx, permit, due.host).await?;
    tx.commit().await?;
    match state {
        // Provisioning brings a new one up.
        None | Some(HostState::New) => return Ok(()),
        Some(HostState::KeyMismatch) => return look_at_key(access, permit, due.host).await,
        Some(HostState::Ready | HostState::Unreachable) => {}
    }
    let Some(reached) = access::reach(access, permit, &[due.host]).await?.pop() else { return Ok(()) };
    let seen = match &reached.host {
        Ok(host) => match tokio::time::timeout(LIMIT, ask(host, panel, expected)).await {
            Ok(seen) => seen,
            Err(_) => Err(Error::TimedOut { what: "Looking at the host", after: LIMIT }),
        },
        Err(error) => Err(error.clone()),
    };
    let mut tx = access.db.begin(permit).await?;
    let streak = sights::looked(&mut tx, permit, due.host, seen.is_ok()).await?;
    match seen {
        Ok(seen) => write(&mut tx, permit, due, &seen).await?,
        Err(Error::HostKeyChanged { seen }) => {
            let note = format!("It shows another host key: {seen}");
            hosts::key_seen(&mut tx, permit, due.host, &seen, "").await?;
            host_logins::observed(&mut tx, permit, due.host, HostState::KeyMismatch, &note).await?;
        }
        Err(Error::JumpKeyChanged { seen }) => {
            let note = format!("Its jump host shows another host key: {seen}");
            host_ways::jump_key_seen(&mut tx, permit, due.host, &seen, "").await?;
            host_logins::observed(&mut tx, permit, due.host, HostState::KeyMismatch, &note).await?;
        }
        Err(error) if streak.failures >= FAILURES => {
            let note = error.to_string();
            host_logins::observed(&mut tx, permit, due.host, HostState::Unreachable, &note).await?;
        }
        Err(_) => {}
    }
    alerts::after(&mut tx, permit, streak).await?;
    tx.commit().await
}

/// A host that showed another key: a person accepts that one, or the pinned one is back. Nothing is sent before it is.
async fn look_at_key(access: &Access, permit: &Permit, host: HostId) -> Result<(), sqlx::Error> {
    let reached = access::reach(access, permit, &[host]).await?.pop();
    let mut tx = access.db.begin(permit).await?;
    let back = match reached.map(|reached| reached.host) {
        Some(Ok(_)) => true,
        Some(Err(Error::HostKeyChanged { seen })) => {
            hosts::key_seen(&mut tx, permit, host, &seen, "").await?;
            false
        }
        Some(Err(Error::JumpKeyChanged { seen })) => {
            host_ways::jump_key_seen(&mut tx, permit, host, &seen, "").await?;
            false
        }
        Some(Err(_)) | None => false,
    };
    let streak = sights::looked(&mut tx, permit, host, back).await?;
    if back {
        host_ways::keys_are_back(&mut tx, permit, host).await?;
    }
    alerts::after(&mut tx, permit, streak).await?;
    tx.commit().await
}

/// The questions of one look, side by side.
async fn ask(host: &Host, panel: uuid::Uuid, expected: Vec<ContainerName>) -> Result<Seen, Error> {
    let panel = panel.to_string();
    let (lines, free_mib) =
        tokio::try_join!(host.docker().list_by_label(label::PANEL, &panel), host.free_mib("/var/lib/docker"))?;
    let state = |name: &ContainerName| match lines.iter().find(|line| line.name == name.as_ref()) {
        Some(line) => match line.running {
            Running::Up => "up",
            Running::Created => "created",
            Running::Ended => "ended",
            Running::Missing => "missing",
        },
        None => "missing",
    };
    let states = expected.iter().map(state).collect();
    Ok(Seen { names: expected, states, free_mib })
}

async fn write(tx: &mut Tx<'_>, permit: &Permit, due: &Due, seen: &Seen) -> Result<(), sqlx::Error> {
    sights::instances(tx, permit, due.host, &seen.names, &seen.states).await?;
    if let Some(mib) = seen.free_mib {
        sights::free_disk(tx, permit, due.host, i64::try_from(mib).unwrap_or(i64::MAX)).await?;
    }
    host_logins::observed(tx, permit, due.host, HostState::Ready, "").await
}
