//! Steps that speak to the host's proxy. The file is written under the host's lock; what changes in the running proxy
//! concerns the app's own backend only, and needs none.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use time::OffsetDateTime;

use tokio::time::{Instant, sleep};

use super::{Done, Here};
use crate::db::Tx;
use crate::db::fronts;
use crate::db::host_logins::Row;
use crate::db::ledger::{backends, instances, locks, peers};
use crate::db::{acme, certificates, panel_addresses};
use crate::domain::app::{Kind, Route};
use crate::domain::certificate::{self, ByName, Candidate};
use crate::domain::deploy::Failure;
use crate::domain::ids::{AppId, HostId};
use crate::domain::ingress::{self, Answer, Backend, Home, Ingress, PanelDoor, Peer, Peering, Ruled, Thumbprint, Tls};
use crate::domain::names::{ContainerName, Domain};
use crate::domain::rights::Permit;
use crate::domain::rules::Front;
use crate::domain::trust::Trust;
use crate::jobs::certificates::{self as bringing, Brought, By, Trouble};
use crate::jobs::stop::{Stop, detail};
use crate::jobs::{Ctx, proxy};
use crate::queue::Run;
use crate::remote::{Error, File, Host, PUT_FILES};

/// Where the proxy's file stands on every host.
pub const CONFIG: &str = "/etc/skiff/haproxy.cfg";
/// The maps may be read by anyone on the host: they hold names and addresses, no secret.
pub(in crate::jobs) const MODE: u32 = 0o644;
/// The file has hashes of passwords in it, where routes ask for one. HAProxy reads it as root.
pub(super) const CONFIG_MODE: u32 = 0o640;
/// Between the first two tries for a host's lock, which is held for as long as a file takes to be written.
const LOCK_FIRST: Duration = Duration::from_millis(2);
/// Between two later ones.
const LOCK_PAUSE: Duration = Duration::from_millis(15);
/// A lock is given up after this long: its holder's lease is over by then.
const LOCK_LIMIT: Duration = Duration::from_secs(40);
/// Between two questions.
pub(super) const ASK_PAUSE: Duration = Duration::from_millis(25);
/// Between two looks at what still drains: the first ones quick, because most requests are.
const DRAIN_FIRST: Duration = Duration::from_millis(20);
/// Between two looks later on.
const DRAIN_PAUSE: Duration = Duration::from_millis(500);
/// How long HAProxy may take to forget the sessions of a server that is taken out.
const DISMISS_LIMIT: Duration = Duration::from_secs(10);

impl Here<'_> {
    pub(super) async fn write_ingress(&self, servers: &[(ContainerName, Ipv4Addr)]) -> Result<Done, Stop> {
        let (ctx, run, host) = (self.work.ctx, self.work.run, self.reached.id());
        lock(ctx, run, host, &self.reached.row.name).await?;
        let written = self.write_locked(servers).await;
        unlock(ctx, run, host).await?;
        written
    }

    /// File first, then the running map. A slot that the running proxy does not have yet needs a reload.
    async fn write_locked(&self, servers: &[(ContainerName, Ipv4Addr)]) -> Result<Done, Stop> {
        let (ctx, run, release) = (self.work.ctx, self.work.run, &self.work.want.release);
        let names: Vec<String> = servers.iter().map(|(name, _)| name.to_string()).collect();
        let mut tx = ctx.db.begin(&run.permit).await?;
        instances::want_only(&mut tx, &run.permit, self.reached.id(), release.app, &names).await?;
        backends::claim(&mut tx, &run.permit, self.reached.id(), release.app).await?;
        let mut ledger = Ledger::read(&mut tx, &run.permit, self.reached.id()).await?;
        tx.commit().await?;
        if let Some(port) = ledger.clash(release.app) {
            return Err(self.refused(format!("port {port} of this host leads to another app already")));
        }
        self.as_it_serves(&mut ledger, servers);
        let wanted = ledger.ingress(&Listens::now(&self.reached.row));
        run.still_mine().await?;
        Ok(Done::changed(self.bring(&wanted).await?.unwrap_or_default()))
    }

    /// All files of the proxy.
    pub(super) async fn write(&self, wanted: &Ingress) -> Result<Vec<Brought>, Stop> {
        let (ctx, permit) = (self.work.ctx, &self.work.run.permit);
        let written = write(ctx, permit, self.reached.id(), self.host, wanted, By::Folder).await;
        written.map_err(|trouble| troubled(&self.reached.row.name, trouble))
    }

    /// What HTTPS has in the running proxy.
    pub(super) async fn settle(&self, wanted: &Ingress, brought: Vec<Brought>) -> Result<(), Stop> {
        let (ctx, permit) = (self.work.ctx, &self.work.run.permit);
        let settled = bringing::settle(ctx, permit, self.reached.id(), self.host, wanted, brought, false).await;
        settled.map(drop).map_err(|trouble| troubled(&self.reached.row.name, trouble))
    }

    /// Puts the release that is being made current in the place of the one that the ledger still has, where it is the one that
    /// serves by now.
    pub(super) fn as_it_serves(&self, ledger: &mut Ledger, servers: &[(ContainerName, Ipv4Addr)]) {
        let release = &self.work.want.release;
        if self.leads_to_the_new_release(servers) {
            for row in ledger.rows.iter_mut().filter(|row| row.app == release.app) {
                row.spec.0 = release.spec.clone();
            }
        }
    }

    /// Whether the app's routes and port are to be those of the release that is being made current: all its servers are this deploy's. On the
    /// way back they are the former ones, and the routes stay. A worker has none, and leaves the proxy.
    fn leads_to_the_new_release(&self, servers: &[(ContainerName, Ipv4Addr)]) -> bool {
        let leaves = self.work.want.release.spec.kind == Kind::Worker;
        (leaves || !servers.is_empty()) && servers.iter().all(|(name, _)| self.is_new(name))
    }

    fn is_new(&self, name: &ContainerName) -> bool {
        name.as_ref().contains(&self.work.want.deploy.simple())
    }

    /// Says lines to the running proxy; anything but "done" and "it was so" is a failure.
    pub(super) async fn tell(&self, lines: &[String]) -> Result<(), Stop> {
        for answer in self.host.haproxy().ask(lines).await.map_err(|e| self.failed(e))? {
            match ingress::read_answer(&answer) {
                Answer::Done | Answer::AlreadyThere | Answer::Absent => {}
                other => return Err(self.refused(format!("{other:?}"))),
            }
        }
        Ok(())
    }

    pub(super) fn refused(&self, words: String) -> Stop {
        let host = self.reached.row.name.clone();
        Stop::Failed(Failure::ProxyUnavailable { host, detail: detail(words) })
    }

    /// The app's backend here.
    async fn slot(&self) -> Result<u32, Stop> {
        let (ctx, run) = (self.work.ctx, self.work.run);
        let mut tx = ctx.db.begin(&run.permit).await?;
        let slot = backends::claim(&mut tx, &run.permit, self.reached.id(), self.work.want.release.app).await?;
        tx.commit().await?;
        u32::try_from(slot).map_err(|error| Stop::Failed(crate::jobs::stop::internal(error)))
    }

    pub(super) async fn admit(&self, name: &ContainerName, address: Ipv4Addr) -> Result<Done, Stop> {
        let slot = self.slot().await?;
        let port = self.work.want.release.spec.port.unwrap_or(0);
        let wire = self.front().await?.wire();
        self.tell(&ingress::admit(slot, name, address, port, wire)).await?;
        Ok(Done::changed(""))
    }

    pub(super) async fn drain(&self, name: &ContainerName, seconds: u16, seq: i32) -> Result<Done, Stop> {
        let slot = self.slot().await?;
        self.tell(&ingress::drain(slot, name)).await?;
        let begun = Instant::now();
        let until = begun + Duration::from_secs(u64::from(seconds));
        let mut pause = DRAIN_FIRST;
        while Instant::now() < until {
            // Summed over all workers: after a reload the old ones still carry connections.
            let left = proxy::sessions(self.host, slot, name).await.map_err(|e| self.failed(e))?;
            if left == 0 {
                return Ok(Done::changed(format!("finished after {:.1} s", begun.elapsed().as_secs_f32())));
            }
            self.work.log.note(seq, format!("{left} connections left"));
            sleep(pause.min(until - Instant::now())).await;
            pause = (pause * 2).min(DRAIN_PAUSE);
        }
        Ok(Done::changed(if seconds == 0 { "" } else { "the drain time is over" }))
    }

    pub(super) async fn dismiss(&self, name: &ContainerName) -> Result<Done, Stop> {
        let slot = self.slot().await?;
        let until = Instant::now() + DISMISS_LIMIT;
        loop {
            let answers = self.host.haproxy().ask(&ingress::dismiss(slot, name)).await.map_err(|e| self.failed(e))?;
            match answers.last().map(|answer| ingress::read_answer(answer)) {
                Some(Answer::Done) | None => return Ok(Done::changed("")),
                Some(Answer::Absent | Answer::NoSuchBackend) => return Ok(Done::unchanged("not there any more")),
                Some(Answer::Busy | Answer::AlreadyThere) if Instant::now() < until => sleep(ASK_PAUSE).await,
                Some(other) => return Err(self.refused(format!("{other:?}"))),
            }
        }
    }
}

/// Takes the lock on a host's proxy file.
pub async fn lock(ctx: &Ctx, run: &Run, host: HostId, name: &str) -> Result<(), Stop> {
    let until = Instant::now() + LOCK_LIMIT;
    let mut pause = LOCK_FIRST;
    loop {
        let mut tx = ctx.db.begin(&run.permit).await?;
        let taken = locks::take(&mut tx, &run.permit, host, run.job, run.fence).await?;
        tx.commit().await?;
        if taken {
            return Ok(());
        }
        if Instant::now() > until {
            // Whoever holds it has a living lease: nothing is wrong, it takes its time.
            return Err(Stop::Again(format!("Another job holds the file of the proxy of {name}.")));
        }
        sleep(pause).await;
        pause = (pause * 2).min(LOCK_PAUSE);
    }
}

/// Gives it back.
pub async fn unlock(ctx: &Ctx, run: &Run, host: HostId) -> Result<(), Stop> {
    let mut tx = ctx.db.begin(&run.permit).await?;
    locks::release(&mut tx, &run.permit, host, run.job, run.fence).await?;
    tx.commit().await?;
    Ok(())
}

/// Where a proxy listens.
#[derive(Clone, Copy, Debug)]
pub struct Listens {
    pub(super) port: i32,
    /// The port of HTTPS, where it serves that.
    pub https: Option<u16>,
    pub(super) peers: Option<Ipv4Addr>,
}

impl Listens {
    /// As it does now.
    pub fn now(row: &Row) -> Self {
        let peers = row.peer_address.as_deref().and_then(|address| address.parse().ok());
        Self { port: row.proxy_port, https: row.proxy_https_port.and_then(|port| u16::try_from(port).ok()), peers }
    }

    /// As it shall once the host was made ready again.
    pub fn wanted(row: &Row) -> Self {
        let peers = row.private_address.as_deref().and_then(|address| address.parse().ok());
        Self { port: row.http_port, https: row.https_port.and_then(|port| u16::try_from(port).ok()), peers }
    }
}

/// All that the ledger says of a host's proxy.
pub(super) struct Ledger {
    pub rows: Vec<backends::Row>,
    servers: Vec<backends::Server>,
    peers: Vec<peers::Row>,
    hosts: Vec<(HostId, Ipv4Addr)>,
    trust: Trust,
    certificates: Vec<Candidate>,
    challenge: Option<Thumbprint>,
    panel: Option<PanelDoor>,
}

impl Ledger {
    /// Reads it.
    pub async fn read(tx: &mut Tx<'_>, permit: &Permit, host: HostId) -> Result<Self, sqlx::Error> {
        let mut ledger = Self::without_certificates(tx, permit, host).await?;
        ledger.certificates = certificates::candidates(tx, permit).await?;
        Ok(ledger)
    }

    /// Reads what stands in the file and the map of routes, where no certificate does.
    async fn without_certificates(tx: &mut Tx<'_>, permit: &Permit, host: HostId) -> Result<Self, sqlx::Error> {
        let rows = backends::of_host(tx, permit, host).await?;
        let servers = backends::servers(tx, permit, host).await?;
        let peers = peers::of_host(tx, permit, host).await?;
        let hosts = peers::addresses(tx, permit).await?;
        let hosts = hosts.into_iter().filter_map(|host| Some((host.host, host.address.parse().ok()?))).collect();
        let trust = fronts::trust(tx, permit, host).await?.map(|trust| trust.applied.0).unwrap_or_default();
        let challenge = acme::thumbprint(tx, permit).await?.and_then(|text| text.parse().ok());
        let addresses = panel_addresses::all(tx).await?;
        let here: Vec<_> = addresses.into_iter().filter(|one| one.host == host).collect();
        let port = here.first().and_then(|one| u16::try_from(one.door).ok());
        let names = here.into_iter().map(|one| one.domain).collect();
        let panel = port.map(|port| PanelDoor { names, port });
        Ok(Self { rows, servers, peers, hosts, trust, certificates: Vec::new(), challenge, panel })
    }

    /// What the proxy shall serve.
    pub fn ingress(&self, listens: &Listens) -> Ingress {
        let mut wanted = Ingress::empty(Home::default(), u16::try_from(listens.port).unwrap_or(80));
        let admitted = || self.hosts.iter().map(|(_, address)| *address).collect();
        wanted.trust = self.trust.clone();
        wanted.peering = listens.peers.map(|address| Peering { address, admitted: admitted() });
        for row in &self.rows {
            let Ok(slot) = u32::try_from(row.slot) else { continue };
            let servers = self.servers_of(row.app);
            let peers = self.peers.iter().filter(|peer| peer.app == row.app && wanted.peering.is_some());
            let peers = peers.filter_map(|peer| self.peer(peer)).collect();
            // An app that has become a worker keeps its routes, for the day it is web again.
            let web = row.spec.0.kind == Kind::Web;
            let routes = || row.routes.0.iter().filter(move |_| web);
            let ruled = routes().filter(|r| !r.rules.is_plain());
            let ruled = ruled.map(|r| Ruled { id: r.id, route: r.route.clone(), rules: r.rules.clone() }).collect();
            let front = if web { row.front.0.clone() } else { Front::default() };
            let port = row.spec.0.port.unwrap_or(0);
            wanted.routes.extend(routes().map(|r| (r.route.clone(), slot)));
            wanted.backends.push(Backend { slot, app: row.app, port, servers, peers, ruled, front });
        }
        wanted.tls = listens.https.map(|port| self.tls(port, &wanted.routes));
        wanted
    }

    /// HTTPS for these routes, and for the panel where it is reached here.
    fn tls(&self, port: u16, routes: &[(Route, u32)]) -> Tls {
        let mut tls = Tls::empty(port);
        tls.challenge.clone_from(&self.challenge);
        tls.panel.clone_from(&self.panel);
        let of_panel = self.panel.iter().flat_map(|panel| &panel.names);
        let domains = routes.iter().map(|(route, _)| &route.domain).chain(of_panel);
        let (now, by_name) = (OffsetDateTime::now_utc(), ByName::new(&self.certificates));
        let mut chosen = BTreeMap::new();
        for domain in domains {
            if let Some(one) = by_name.choose(domain.as_ref(), now) {
                tls.certificates.insert(one.id);
                tls.secured.insert(domain.clone());
                chosen.insert(domain.as_ref(), one);
            }
        }
        tls.names = certificate::shared(&chosen);
        let strict = self.rows.iter().filter(|row| row.hsts).map(|row| row.slot);
        let strict: std::collections::BTreeSet<i32> = strict.collect();
        let told = |slot: u32| i32::try_from(slot).is_ok_and(|slot| strict.contains(&slot));
        let domains = routes.iter().filter(|(_, slot)| told(*slot)).map(|(route, _)| route.domain.clone());
        tls.strict = domains.collect::<std::collections::BTreeSet<Domain>>();
        tls
    }

    /// Another host as a server; none where it has no address for us any more.
    fn peer(&self, row: &peers::Row) -> Option<Peer> {
        let address = self.hosts.iter().find(|(host, _)| *host == row.peer)?.1;
        Some(Peer { host: row.peer, address, weight: u16::try_from(row.weight).ok()? })
    }

    /// The app's instances in the file.
    pub fn servers_of(&self, app: AppId) -> Vec<(ContainerName, Ipv4Addr)> {
        let own = self.servers.iter().filter(|server| server.app == app);
        own.filter_map(|server| Some((server.name.clone(), server.address.parse().ok()?))).collect()
    }

    /// A port of the app that another one with instances here has.
    fn clash(&self, app: AppId) -> Option<u16> {
        let ports = |row: &backends::Row| row.front.0.ports.iter().map(|port| port.port).collect::<Vec<_>>();
        let lives = |row: &&backends::Row| self.servers.iter().any(|server| server.app == row.app);
        let own = self.rows.iter().filter(lives).find(|row| row.app == app).map(ports)?;
        let others = self.rows.iter().filter(lives).filter(|row| row.app != app).flat_map(ports);
        others.into_iter().find(|port| own.contains(port))
    }

    /// True where the app's requests go to other hosts too.
    pub fn shares(&self, app: AppId) -> bool {
        self.peers.iter().any(|peer| peer.app == app)
    }
}

/// The proxy of a host as the ledger has it.
pub async fn of_host(ctx: &Ctx, permit: &Permit, host: HostId, listens: &Listens) -> Result<Ingress, sqlx::Error> {
    let mut tx = ctx.db.begin(permit).await?;
    let ledger = Ledger::read(&mut tx, permit, host).await?;
    tx.commit().await?;
    Ok(ledger.ingress(listens))
}

/// The same but for its certificates, within the caller's transaction: with what stands there and may never be committed. For its file
/// and its map of routes, which name none.
pub async fn of_host_in(
    tx: &mut Tx<'_>,
    permit: &Permit,
    host: HostId,
    listens: &Listens,
) -> Result<Ingress, sqlx::Error> {
    Ok(Ledger::without_certificates(tx, permit, host).await?.ingress(listens))
}

/// Writes all files of the proxy, each whole or not at all: certificates before the list that names them, and what is named before the
/// file that names it. Gives the certificates that are new there.
pub async fn write(
    ctx: &Ctx,
    permit: &Permit,
    id: HostId,
    host: &Host,
    wanted: &Ingress,
    by: By,
) -> Result<Vec<Brought>, Trouble> {
    let brought = bringing::lacking(ctx, permit, id, host, wanted, by).await?;
    put(host, wanted, &brought).await?;
    Ok(brought)
}

/// The same where it is known which certificates are new there.
pub async fn put(host: &Host, wanted: &Ingress, brought: &[Brought]) -> Result<(), Error> {
    let certificates = bringing::paths(wanted, brought);
    let (config, map, peers) = (wanted.haproxy_cfg(), wanted.routes_map(), wanted.peers_list());
    let lists = bringing::lists(wanted);
    let mut files: Vec<File<'_>> = bringing::files(&certificates, brought).collect();
    files.push(File { path: wanted.home.map.as_ref(), bytes: map.as_bytes(), mode: MODE });
    files.push(File { path: wanted.home.peers.as_ref(), bytes: peers.as_bytes(), mode: MODE });
    files.extend(lists.iter().map(|(path, text)| File { path, bytes: text.as_bytes(), mode: MODE }));
    files.push(File { path: CONFIG, bytes: config.as_bytes(), mode: CONFIG_MODE });
    // In this order, also where they come in one go.
    for some in files.chunks(PUT_FILES) {
        host.put_all(some).await?;
    }
    Ok(())
}

/// What that means for a job.
pub fn troubled(host: &str, trouble: Trouble) -> Stop {
    match trouble {
        Trouble::Db(error) => error.into(),
        Trouble::Host(error) => crate::jobs::stop::on_host(host, error),
    }
}
