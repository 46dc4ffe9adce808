//! Hosts, looked at: what the last check found, and a glance at each just now, side by side.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use time::OffsetDateTime;
use tokio::time::timeout;

use crate::access;
use crate::actions::{Ctx, Refused};
use crate::db::{self, Tx, host_checks, renewals};
use crate::domain::doctor::{self, Finding, Glance, HostSeen};
use crate::domain::host::HostState;
use crate::domain::ids::HostId;
use crate::domain::rights::{Actor, On, Permission, Permit};
use crate::remote::{Error, Host, RemoteScript, Stream};

/// What is asked of a host in passing.
const GLANCE: RemoteScript = RemoteScript::new("glance", include_str!("../../../scripts/glance.bash"));
/// Each question of the script has its answer in milliseconds, but for a proxy that hangs: 5 s.
const SCRIPT: Duration = Duration::from_secs(8);
/// A host that is not reached in this time does not answer: who asks waits for it.
const LIMIT: Duration = Duration::from_secs(12);
/// Lines that are read at most: the script prints six.
const MOST_LINES: usize = 50;

/// The hosts that the actor manages, as they are known.
pub(super) async fn known(tx: &mut Tx<'_>, permit: &Permit, actor: &Actor) -> Result<Vec<(HostId, HostSeen)>, Refused> {
    let rows = db::hosts::list(tx, permit, None).await?;
    let mut all = Vec::new();
    for row in rows {
        if actor.may(Permission::ManageHosts, On::host(actor.team(), row.id)).is_err() {
            continue;
        }
        let last = host_checks::last(tx, permit, row.id).await?;
        let failed = last.as_ref().map(|last| last.checked.0.failed.clone()).unwrap_or_default();
        let hours = |at: OffsetDateTime| (OffsetDateTime::now_utc() - at).whole_hours();
        let check = last.filter(|_| failed.is_empty()).map(|last| (last.checked.0.differences, hours(last.at)));
        let port = u16::try_from(row.proxy_port).unwrap_or(80);
        let renewal = renewals::get(tx, permit, row.id).await?.map(|renewal| renewal.trouble).unwrap_or_default();
        let https_port = row.proxy_https_port.and_then(|port| u16::try_from(port).ok());
        let seen = HostSeen {
            name: row.name,
            state: row.state,
            port,
            https_port,
            glance: None,
            check,
            check_failed: failed,
            renewal,
        };
        all.push((row.id, seen));
    }
    Ok(all)
}

/// Looks at them.
pub(super) async fn look(ctx: &Ctx, permit: &Permit, known: Vec<(HostId, HostSeen)>) -> Vec<Finding> {
    let one = |(id, mut seen): (HostId, HostSeen)| async move {
        if seen.state != HostState::New {
            let looked = timeout(LIMIT, glance(ctx, permit, id, (seen.port, seen.https_port))).await;
            let slow = Err(Error::TimedOut { what: "Reaching the host", after: LIMIT });
            seen.glance = Some(looked.unwrap_or(slow).map_err(|error| (error.to_string(), error.help())));
        }
        seen
    };
    let seen = join_all(known.into_iter().map(one)).await;
    let ahead: Vec<i64> = seen.iter().filter_map(|host| host.glance.as_ref()?.as_ref().ok()?.ahead_ms).collect();
    let mut found: Vec<Finding> = doctor::clocks(&ahead).into_iter().collect();
    found.extend(seen.iter().flat_map(doctor::host));
    found
}

async fn glance(ctx: &Ctx, permit: &Permit, id: HostId, ports: (u16, Option<u16>)) -> Result<Glance, Error> {
    let gone = || Error::refused("the database does not answer, so how to sign in is not known");
    let reached = access::reach(&ctx.access(), permit, &[id]).await.map_err(|_| gone())?.pop();
    let host = reached.ok_or_else(gone)?.host?;
    let clock = async {
        let mut tx = ctx.db.begin(permit).await?;
        let ms = host_checks::clock_ms(&mut tx).await?;
        tx.commit().await?;
        Ok::<_, sqlx::Error>(ms)
    };
    let ours = clock.await.map_err(|_| gone())?;
    ask(&host, ports, ours).await
}

/// Asks. `ours` is the time by the panel's clock.
async fn ask(host: &Host, (http, https): (u16, Option<u16>), ours: i64) -> Result<Glance, Error> {
    let (asked, mut ahead) = (Instant::now(), None);
    let mut said: BTreeMap<String, String> = BTreeMap::new();
    let mut lines = 0_usize;
    let mut keep = |stream, line: &[u8]| {
        lines += 1;
        let text = String::from_utf8_lossy(line);
        let Some((name, value)) = text.split_once('=').filter(|_| stream == Stream::Out && lines <= MOST_LINES) else {
            return;
        };
        if let Some(theirs) = (name == "CLOCK_MS").then(|| value.parse::<i64>().ok()).flatten() {
            let since = i64::try_from(asked.elapsed().as_millis()).unwrap_or(0);
            ahead = Some(theirs.saturating_sub(ours.saturating_add(since)));
        }
        said.insert(name.to_owned(), value.to_owned());
    };
    let (http, https) = (http.to_string(), https.map(|port| port.to_string()).unwrap_or_default());
    let parameters = [("HTTP_PORT", http.as_str()), ("HTTPS_PORT", https.as_str())];
    let exit = host.run(&GLANCE, &parameters, SCRIPT, &mut keep).await?;
    if !exit.ok() || said.get("DONE").map(String::as_str) != Some("yes") {
        return Err(Error::refused("it could not say how it is"));
    }
    let yes = |name: &str| said.get(name).map(|value| value == "yes");
    Ok(Glance {
        ahead_ms: ahead,
        free_mib: said.get("DISK_FREE_MIB").and_then(|mib| mib.parse().ok()),
        proxy_runs: yes("PROXY_RUNS"),
        listens: yes("LISTENS"),
        listens_https: yes("LISTENS_HTTPS"),
    })
}
