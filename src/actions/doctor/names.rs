//! Domains of apps that serve, and the panel's own, looked up side by side; where proxies have an answer that nobody else has, it is
//! asked for under each name, as a certificate authority does.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout, timeout_at};
use uuid::Uuid;

use crate::actions::{Refused, gate};
use crate::db::{self, Tx, acme, panel_addresses, routes};
use crate::domain::acme::Met;
use crate::domain::address::is_inner;
use crate::domain::doctor::{self, Finding, HostAt, NameSeen, Proof, Resolved};
use crate::domain::outgoing::is_this_machine;
use crate::domain::rights::{Actor, On, Permission, Permit};
use crate::providers::names::{Names, NoAnswer, is_of_this_machine};
use crate::providers::outside::own_address;
use crate::providers::resolver::look_up;
use crate::vault;

/// Domains of one team that are looked up in one examination: more would keep its reader waiting.
const MOST: usize = 200;
/// Of a team's domains so many are read at most, before those that the actor does not see are left out.
const MOST_READ: i64 = 10_000;
/// Questions at once, to name servers and to what names lead to.
const AT_ONCE: usize = 64;
/// After this nothing new is asked: whoever reads the page waits.
const LONGEST: Duration = Duration::from_secs(8);
/// How long a name server may take.
const LOOK_UP: Duration = Duration::from_secs(5);
/// How long a proxy may take: those that are well answer at once.
const ANSWER: Duration = Duration::from_secs(3);
/// Addresses of one name that are asked: an IPv4 and an IPv6 one, of two servers.
const MOST_ADDRESSES: usize = 4;

/// A domain that is to lead to hosts.
struct Wanted {
    domain: String,
    app: String,
    hosts: Vec<Uuid>,
}

/// What is to be looked up.
pub(super) struct Known {
    domains: Vec<Wanted>,
    /// Each host's name, the address it is reached at, and the port of its proxy.
    hosts: BTreeMap<Uuid, (String, String, u16)>,
    /// What the team's proxies answer with; none before there is an account.
    thumbprint: Option<String>,
}

/// The domains of apps that the actor sees.
pub(super) async fn known(tx: &mut Tx<'_>, permit: &Permit, actor: &Actor) -> Result<Known, Refused> {
    let mut served = routes::served(tx, permit, MOST_READ).await?;
    served.retain(|row| gate::sees(actor, On::environment(actor.team(), row.project, row.environment)));
    served.truncate(MOST);
    let mut domains: Vec<Wanted> = Vec::new();
    if actor.may(Permission::OwnTeam, On::team(actor.team())).is_ok() {
        let names = panel_addresses::all(tx).await?.into_iter().filter(|row| row.team == actor.team());
        let wanted = |row: panel_addresses::Row| Wanted {
            domain: row.domain.to_string(),
            app: "the panel".to_owned(),
            hosts: vec![row.host.0],
        };
        domains.extend(names.map(wanted));
    }
    domains.extend(served.into_iter().map(|row| Wanted {
        domain: row.domain.to_string(),
        app: row.app,
        hosts: row.hosts,
    }));
    let rows = db::hosts::list(tx, permit, None).await?;
    let port = |port: i32| u16::try_from(port).unwrap_or(80);
    let hosts = rows.into_iter().map(|row| (row.id.0, (row.name, row.address, port(row.proxy_port)))).collect();
    let thumbprint = acme::thumbprint(tx, permit).await?.filter(|thumbprint| !thumbprint.is_empty());
    Ok(Known { domains, hosts, thumbprint })
}

/// Looks them up.
pub(super) async fn look(lookup: &Names, known: Known) -> Vec<Finding> {
    let wanted: BTreeSet<Uuid> = known.domains.iter().flat_map(|row| row.hosts.iter().copied()).collect();
    let named = wanted.into_iter().filter_map(|id| Some((id, known.hosts.get(&id)?)));
    let found = join_all(named.map(|(id, (name, address, _))| async move {
        let addresses = match look_up(address).await {
            Resolved::Addresses(addresses) => addresses,
            Resolved::Nowhere | Resolved::NotAsked(_) => BTreeSet::new(),
        };
        (id, HostAt { name: name.clone(), addresses, here: is_this_machine(address) })
    }));
    let hosts: BTreeMap<Uuid, HostAt> = found.await.into_iter().collect();
    let asking = Asking {
        lookup,
        thumbprint: known.thumbprint.as_deref(),
        turns: Semaphore::new(AT_ONCE),
        until: Instant::now() + LONGEST,
    };
    let ports: BTreeMap<Uuid, u16> = known.hosts.iter().map(|(id, (_, _, port))| (*id, *port)).collect();
    let (hosts, ports, asking) = (&hosts, &ports, &asking);
    let domains = known.domains.iter().map(|row| async move {
        let resolved = match doctor::is_local(&row.domain) {
            true => Resolved::Nowhere,
            false => asking.resolve(&row.domain).await,
        };
        let addresses = match &resolved {
            Resolved::Addresses(addresses) => addresses.clone(),
            Resolved::Nowhere | Resolved::NotAsked(_) => BTreeSet::new(),
        };
        let mut seen = NameSeen {
            proof: asking.prove(&row.domain, &addresses).await,
            inside: false,
            own: addresses.into_iter().filter(|address| is_of_this_machine(*address)).collect(),
            resolved,
            domain: row.domain.clone(),
            app: row.app.clone(),
            hosts: row.hosts.iter().filter_map(|id| hosts.get(id).cloned()).collect(),
        };
        let here = seen.hosts.iter().any(|host| host.here);
        let behind_nat = !here || own_address().is_none_or(is_inner);
        if behind_nat && seen.doubt().is_some() {
            let of_host = |id: &Uuid| Some((hosts.get(id)?, ports.get(id)?));
            let at = row.hosts.iter().filter_map(of_host);
            let at = at.flat_map(|(host, port)| host.addresses.iter().map(|address| SocketAddr::new(*address, *port)));
            seen.inside = asking.inside(&row.domain, at.take(MOST_ADDRESSES).collect()).await;
        }
        doctor::name(&seen)
    });
    join_all(domains).await
}

/// How it is asked: so many at once, and not for longer than that.
struct Asking<'a> {
    lookup: &'a Names,
    thumbprint: Option<&'a str>,
    turns: Semaphore,
    until: Instant,
}

impl Asking<'_> {
    async fn resolve(&self, name: &str) -> Resolved {
        let late = || Resolved::NotAsked(format!("the name server did not answer within {} s", LOOK_UP.as_secs()));
        let Ok(Ok(_turn)) = timeout_at(self.until, self.turns.acquire()).await else { return late() };
        match timeout(LOOK_UP, self.lookup.addresses(name)).await {
            Ok(Ok(found)) if found.is_empty() => Resolved::Nowhere,
            Ok(Ok(found)) => Resolved::Addresses(found.into_iter().map(|address| address.to_canonical()).collect()),
            Ok(Err(NoAnswer(why))) => Resolved::NotAsked(why),
            Err(_) => late(),
        }
    }

    async fn prove(&self, name: &str, addresses: &BTreeSet<IpAddr>) -> Proof {
        let Some(thumbprint) = self.thumbprint else { return Proof::NotAsked };
        let asked = addresses
            .iter()
            .take(MOST_ADDRESSES)
            .map(|address| async move { (*address, self.meets(name, *address, thumbprint).await) });
        Proof::Asked(join_all(asked).await)
    }

    /// Whether a proxy answers at one of these, by which its host is reached.
    async fn inside(&self, name: &str, at: Vec<SocketAddr>) -> bool {
        let Some(thumbprint) = self.thumbprint else { return false };
        let asked = at.into_iter().map(|at| {
            self.ask(thumbprint, async move |token, answer| self.lookup.meets_inside(name, at, token, answer).await)
        });
        join_all(asked).await.contains(&Met::Us)
    }

    async fn meets(&self, name: &str, address: IpAddr, thumbprint: &str) -> Met {
        self.ask(thumbprint, async |token, answer| self.lookup.meets(name, address, token, answer).await).await
    }

    /// Has the answer to a random token asked for.
    async fn ask(&self, thumbprint: &str, asking: impl AsyncFnOnce(&str, &str) -> Met) -> Met {
        let Ok(Ok(_turn)) = timeout_at(self.until, self.turns.acquire()).await else { return Met::NotAsked };
        let token = vault::random_token();
        let answer = format!("{}.{thumbprint}", token.expose());
        let asked = timeout(ANSWER, asking(token.expose(), &answer));
        asked.await.unwrap_or_else(|_| Met::Nobody(format!("no answer within {} s", ANSWER.as_secs())))
    }
}
