//! Ports of apps on hosts: a host has each of them once, for itself or for one app. Whoever has an app take ports there decides about
//! the host.

use crate::actions::Refused;
use crate::db::{self, Tx, hosts};
use crate::domain::ids::{AppId, HostId};
use crate::domain::rights::{Actor, On, Permission, Permit};
use crate::domain::rules::Port;

/// Why these ports of an app cannot be opened on these hosts: a host answers there itself, or another app has them.
pub(super) async fn taken(
    tx: &mut Tx<'_>,
    permit: &Permit,
    app: AppId,
    ports: &[Port],
    on: &[HostId],
) -> Result<Option<String>, Refused> {
    if ports.is_empty() || on.is_empty() {
        return Ok(None);
    }
    for host in db::hosts::list(tx, permit, None).await?.iter().filter(|row| on.contains(&row.id)) {
        if let Some(port) = ports.iter().find(|port| own(host).contains(&i32::from(port.port))) {
            let words = "answers SSH, HTTP or HTTPS on it itself. Use another port.";
            return Ok(Some(format!("Port {} cannot be the app's: {} {words}", port.port, host.name)));
        }
    }
    let others = db::routes::ports_of_others(tx, permit, app, ports, on).await?;
    let said = |(name, port): &(String, i32)| format!("Port {port} leads to {name} already, on a host of this app.");
    Ok(others.first().map(said))
}

/// The ports a host answers on itself, now or once it was made ready again.
fn own(host: &hosts::Row) -> Vec<i32> {
    let https = [host.https_port, host.proxy_https_port].into_iter().flatten();
    [host.ssh_port, host.http_port, host.proxy_port].into_iter().chain(https).collect()
}

/// Why an app that takes ports cannot be placed on further hosts.
pub(in crate::actions) async fn cannot_follow(
    tx: &mut Tx<'_>,
    permit: &Permit,
    actor: &Actor,
    app: AppId,
    further: &[HostId],
) -> Result<Option<String>, Refused> {
    let front = db::routes::front(tx, permit, app).await?.unwrap_or_default();
    let mut ports = front.wanted.0.ports;
    ports.extend(front.applied.0.ports);
    if ports.is_empty() || further.is_empty() {
        return Ok(None);
    }
    let manages = |host: &HostId| actor.may(Permission::ManageHosts, On::host(actor.team(), *host)).is_ok();
    if !further.iter().all(manages) {
        return Ok(Some(
            "The app takes connections on ports of its hosts: somebody who manages the further hosts places it there."
                .to_owned(),
        ));
    }
    taken(tx, permit, app, &ports, further).await
}

/// The app that has this port on a host, in words for whoever wants it for the host itself.
pub(in crate::actions) async fn of_apps(
    tx: &mut Tx<'_>,
    permit: &Permit,
    host: HostId,
    port: Option<u16>,
) -> Result<Option<String>, Refused> {
    let Some(port) = port else { return Ok(None) };
    let wanted = [Port { port, allow: Vec::new() }];
    let others = db::routes::ports_of_others(tx, permit, AppId(uuid::Uuid::nil()), &wanted, &[host]).await?;
    Ok(others.first().map(|(name, port)| format!("Port {port} leads to the app {name} on this host. Choose another.")))
}
