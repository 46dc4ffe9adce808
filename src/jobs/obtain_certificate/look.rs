//! Looking before asking: where the names lead, and whether our own answer comes from there. An authority counts what fails.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{Stop, Work};
use crate::db::{acme, acme_routes, jobs};
use crate::domain::acme::{CertName, Doubt, Met, Trouble, doubted, reachable};
use crate::domain::ids::JobId;
use crate::jobs::set_certificates;
use crate::providers::acme::{Account, Way};
use crate::providers::names::NoAnswer;
use crate::providers::outside;
use crate::vault;

/// How long the proxies may take to learn the answer, where they do not have it yet.
const LEARN: Duration = Duration::from_secs(60);
/// Tries in a row after which they are not told once more.
const TAUGHT: i32 = 3;
/// Between two looks.
const PAUSE: Duration = Duration::from_secs(1);
/// Addresses of one name that are looked at.
const MOST_ADDRESSES: usize = 16;

/// The servers a name should lead to.
#[derive(Default)]
struct Servers {
    /// Their addresses.
    expected: Vec<IpAddr>,
    /// Those by which others may know them.
    known: Vec<IpAddr>,
    /// Where their proxies are reached from here.
    inside: Vec<SocketAddr>,
}

/// What was seen of a name.
enum Seen {
    /// It leads here.
    Leads,
    /// The proxy is there, and whether the name leads to it cannot be told from here.
    Doubted(Doubt),
    /// Something is in the way.
    InTheWay(Trouble),
}

impl Work<'_> {
    /// Every name is looked at, and those are given of which only the authority can tell. Names that are proven by DNS need not lead
    /// anywhere.
    pub(super) async fn look(&self, _account: &Account) -> Result<(Vec<Doubt>, String), Stop> {
        if self.way == Way::Dns {
            return Ok((Vec::new(), "proven by DNS: they need not lead here".to_owned()));
        }
        let mut tx = self.ctx.db.begin(&self.run.permit).await?;
        let thumbprint = acme::thumbprint(&mut tx, &self.run.permit).await?.unwrap_or_default();
        tx.commit().await?;
        let mut asked: Option<(Vec<JobId>, Instant)> = None;
        let mut doubts = Vec::new();
        for name in &self.names {
            let servers = self.servers(name).await?;
            let mut last = false;
            loop {
                let trouble = match self.at(name, &thumbprint, &servers).await? {
                    Seen::Leads => break,
                    Seen::Doubted(doubt) => {
                        doubts.push(doubt);
                        break;
                    }
                    Seen::InTheWay(trouble) => trouble,
                };
                // A name without an address is not reached by waiting for proxies.
                if last || matches!(trouble, Trouble::NoAddress { .. } | Trouble::LookUp { .. }) {
                    return Err(trouble.into());
                }
                match &asked {
                    // Proxies that did not learn it by now will not by being told over and over.
                    None if self.row.tries >= TAUGHT => return Err(trouble.into()),
                    // The proxies may not have the answer yet.
                    None => asked = Some((self.teach().await?, Instant::now() + LEARN)),
                    Some((jobs, until)) if Instant::now() > *until || !self.busy(jobs).await? => {
                        // One more look, now that they have it.
                        last = true;
                        continue;
                    }
                    Some(_) => {}
                }
                sleep(PAUSE).await;
            }
        }
        let note = match doubts.first() {
            None => "they lead here".to_owned(),
            Some(Doubt { name, address }) => {
                format!(
                    "{address}, where {name} leads, is not reached from inside, and the proxy answers: the authority is asked"
                )
            }
        };
        Ok((doubts, note))
    }

    /// The servers a name should lead to.
    async fn servers(&self, name: &CertName) -> Result<Servers, Stop> {
        let mut tx = self.ctx.db.begin(&self.run.permit).await?;
        let rows = acme_routes::servers(&mut tx, &self.run.permit, name.as_ref()).await?;
        tx.commit().await?;
        let mut servers = Servers::default();
        for row in rows {
            // A server that is known by a name leads where that leads; where nobody knows, nothing is expected of it.
            let addresses = self.ctx.names.of_server(&row.address).await;
            let port = u16::try_from(row.proxy_port).unwrap_or(80);
            servers.inside.extend(addresses.iter().map(|address| SocketAddr::new(*address, port)));
            servers.known.extend(outside::as_others_know(&row.address, addresses.clone()));
            servers.expected.extend(addresses);
        }
        Ok(servers)
    }

    /// What is in the way of one name.
    async fn at(&self, name: &CertName, thumbprint: &str, servers: &Servers) -> Result<Seen, Stop> {
        let lookup = &self.ctx.names;
        let addresses = match lookup.addresses(name.as_ref()).await {
            Ok(addresses) => addresses,
            Err(NoAnswer(detail)) => {
                let server = "The name server of the panel's machine".to_owned();
                return Err(Trouble::ServerDown { server, detail, until: None }.into());
            }
        };
        let proof = || {
            let token = vault::random_token();
            let wanted = format!("{}.{thumbprint}", token.expose());
            (token, wanted)
        };
        let mut found = Vec::new();
        for address in addresses.into_iter().take(MOST_ADDRESSES) {
            let (token, wanted) = proof();
            found.push((address, lookup.meets(name.as_ref(), address, token.expose(), &wanted).await));
        }
        let Some(trouble) = reachable(name.as_ref(), &found, &servers.expected) else { return Ok(Seen::Leads) };
        if let Some(doubt) = doubted(name.as_ref(), &found, &servers.known) {
            for at in servers.inside.iter().take(MOST_ADDRESSES) {
                let (token, wanted) = proof();
                if lookup.meets_inside(name.as_ref(), *at, token.expose(), &wanted).await == Met::Us {
                    return Ok(Seen::Doubted(doubt));
                }
            }
        }
        Ok(Seen::InTheWay(trouble.beside(&servers.known)))
    }

    /// Has the answer brought to the team's proxies.
    async fn teach(&self) -> Result<Vec<JobId>, Stop> {
        let run = self.run;
        let mut tx = run.begin().await?;
        let jobs = set_certificates::ask_all(&mut tx, &run.permit, run.cause.clone()).await?;
        tx.commit().await?;
        Ok(jobs)
    }

    /// Whether one of these jobs waits or runs.
    async fn busy(&self, ids: &[JobId]) -> Result<bool, Stop> {
        let mut tx = self.ctx.db.begin(&self.run.permit).await?;
        let busy = jobs::any_unfinished(&mut tx, &self.run.permit, ids).await?;
        tx.commit().await?;
        Ok(busy)
    }
}
