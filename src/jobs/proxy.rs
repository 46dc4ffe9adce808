//! The running proxy of a host as jobs see and steer it: the words are `domain::ingress`, the socket is `remote`.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::time::Duration;

use futures_util::future::try_join_all;
use tokio::time::{Instant, sleep};

use super::Ctx;
use super::certificates::{self, By, Trouble};
use super::execute::ingress::{self, Listens};
use super::provision::scripts;
use super::stop::Stop;
use crate::access::Reached;
use crate::domain::ingress::{
    self as words, Home, MapEntry, PeerSeen, ProxyProcesses, ServerCount, ServerSeen, slot_number,
};
use crate::domain::names::ContainerName;
use crate::queue::Run;
use crate::remote::{Error, Host};

/// How long a reload may take: reading a file with thousands of servers takes seconds.
const RELOAD_LIMIT: Duration = Duration::from_secs(30);
/// The script waits 20 s for a proxy that reads a large file, and looks for who holds its port.
const REVIVE_LIMIT: Duration = Duration::from_secs(60);
/// Between two looks at a reload.
const RELOAD_PAUSE: Duration = Duration::from_millis(50);

/// What the running proxy serves.
#[derive(Clone, Debug, Default)]
pub struct Running {
    /// The servers of our backends.
    pub servers: Vec<ServerSeen>,
    /// The routes.
    pub map: Vec<MapEntry>,
    /// The backends it has.
    pub slots: BTreeSet<u32>,
    /// The other hosts it sends requests to.
    pub peers: Vec<PeerSeen>,
    /// The addresses it takes requests of other hosts from.
    pub admitted: Vec<Ipv4Addr>,
    /// The digest of the file it has read.
    pub fixed: String,
}

/// One look: servers, routes and backends in one round trip.
pub async fn look(host: &Host) -> Result<Running, Error> {
    let Home { map, peers, .. } = Home::default();
    let questions = [
        "show servers state".to_owned(),
        format!("show map {map}"),
        "show backend".to_owned(),
        format!("show acl {peers}"),
        words::ask_fixed(),
    ];
    let answers = host.haproxy().ask(&questions).await?;
    let [servers, routes, backends, admitted, fixed] = answers.as_slice() else { return Ok(Running::default()) };
    Ok(Running {
        fixed: words::read_fixed(fixed),
        peers: words::read_peers(servers),
        admitted: words::read_list(admitted),
        servers: words::read_servers(servers),
        map: words::read_map(routes),
        slots: backends.lines().filter_map(|line| slot_number(line.trim())).collect(),
    })
}

/// Connections of one server, summed over all workers: after a reload the old ones still carry some.
pub async fn sessions(host: &Host, slot: u32, name: &ContainerName) -> Result<u64, Error> {
    let counts = counts(host).await?;
    let own = counts.iter().filter(|count| count.slot == slot && count.name == name.as_ref());
    Ok(own.map(|count| count.current + count.queued).sum())
}

/// The counters of all workers, the present one first.
pub async fn counts(host: &Host) -> Result<Vec<ServerCount>, Error> {
    let proxy = host.haproxy();
    let (present, processes) = tokio::try_join!(proxy.ask_one("show stat"), processes(host))?;
    let old = processes.old.iter().take(crate::remote::haproxy::WORKERS).map(|worker| {
        let proxy = proxy.clone();
        async move { proxy.ask_worker(worker.pid, "show stat").await }
    });
    let mut all = words::read_stat(&present);
    for old in try_join_all(old).await? {
        all.extend(words::read_stat(&old));
    }
    Ok(all)
}

async fn processes(host: &Host) -> Result<ProxyProcesses, Error> {
    Ok(words::read_processes(&host.haproxy().ask_master("show proc").await?))
}

/// Starts the proxy of a host on which nobody else does: its file first, as the ledger has it, then the script of
/// provisioning. Gives the script's own reason where it did not work.
pub async fn revive(ctx: &Ctx, run: &Run, reached: &Reached, host: &Host) -> Result<Result<(), String>, Stop> {
    let row = &reached.row;
    ingress::lock(ctx, run, row.id, &row.name).await?;
    let done = revive_locked(ctx, run, reached, host).await;
    ingress::unlock(ctx, run, row.id).await?;
    done
}

async fn revive_locked(ctx: &Ctx, run: &Run, reached: &Reached, host: &Host) -> Result<Result<(), String>, Stop> {
    let row = &reached.row;
    let wanted = ingress::of_host(ctx, &run.permit, row.id, &Listens::now(row)).await?;
    run.still_mine().await?;
    let (mut said, port) = (scripts::Said::default(), row.proxy_port.to_string());
    let https = row.proxy_https_port.map(|port| port.to_string()).unwrap_or_default();
    let params = [("HTTP_PORT", port.as_str()), ("HTTPS_PORT", https.as_str()), ("RELOAD", "no")];
    let mut listen = |_, line: &[u8]| {
        said.take(line);
    };
    let ended = async {
        // Somebody may have removed the folders too.
        let made = host.run(&scripts::FOLDERS, &[], REVIVE_LIMIT, &mut listen).await?;
        if !made.ok() {
            return Ok(made);
        }
        let brought = ingress::write(ctx, &run.permit, row.id, host, &wanted, By::Folder).await?;
        let done = host.run(&scripts::HAPROXY, &params, REVIVE_LIMIT, &mut listen).await?;
        if done.ok() {
            // A proxy that starts reads its files.
            certificates::note(ctx, &run.permit, row.id, &brought).await?;
        }
        Ok::<_, Trouble>(done)
    };
    Ok(match ended.await {
        Ok(exit) if exit.ok() => Ok(()),
        Ok(exit) => Err(said.reason.unwrap_or_else(|| format!("the script ended with {}", exit.status))),
        Err(Trouble::Host(error)) => Err(error.to_string()),
        Err(Trouble::Db(error)) => return Err(error.into()),
    })
}

/// Reloads the proxy and asks its master whether that worked.
pub async fn reload(host: &Host) -> Result<(), Error> {
    let before = processes(host).await?;
    // The master closes the connection while it starts itself anew: no answer is no failure, what follows tells.
    if let Err(error) = host.haproxy().ask_master("reload").await {
        tracing::debug!(%error, "the master's answer to reload");
    }
    let until = Instant::now() + RELOAD_LIMIT;
    loop {
        if let Ok(now) = processes(host).await
            && now.reloads > before.reloads
        {
            if now.failed > 0 {
                return Err(Error::ProxyRefused {
                    detail: "it did not accept its file and goes on as before".to_owned(),
                });
            }
            let new = now.worker.filter(|worker| before.worker.is_none_or(|old| old.pid != worker.pid));
            // It may still read its file: until it has, the former one answers.
            if let Some(worker) = new
                && let Ok(said) = host.haproxy().ask_one("show info").await
                && words::read_pid(&said) == Some(worker.pid)
            {
                return Ok(());
            }
        }
        if Instant::now() > until {
            return Err(Error::TimedOut { what: "Reloading HAProxy", after: RELOAD_LIMIT });
        }
        sleep(RELOAD_PAUSE).await;
    }
}
