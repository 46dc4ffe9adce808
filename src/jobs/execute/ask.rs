//! A request through the host's proxy, as a visitor would send it: what is healthy when it is asked directly may still not be met there.

use std::net::Ipv4Addr;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::ingress::{ASK_PAUSE, Ledger, Listens};
use super::{Done, Here};
use crate::domain::app::{Probe, Route};
use crate::domain::deploy::Failure;
use crate::domain::ingress::{NOWHERE, PEER_PORT};
use crate::domain::names::{Domain, HttpPath};
use crate::jobs::stop::Stop;
use crate::remote::{Probe as Met, Way};

/// How long one request through the proxy may take to be answered.
const ASK_LIMIT: Duration = Duration::from_secs(5);
/// How long the proxy may take to send the first good answer: a server set up by file and socket answers at once.
const ASK_PERIOD: Duration = Duration::from_secs(10);

impl Here<'_> {
    /// Where a request is sure to be answered by an instance here: where others answer too, at the door for the other hosts.
    async fn own_door(&self) -> Result<(Ipv4Addr, u16), Stop> {
        let (listens, permit) = (Listens::now(&self.reached.row), &self.work.run.permit);
        let port = u16::try_from(listens.port).unwrap_or(80);
        let Some(address) = listens.peers else { return Ok((Ipv4Addr::LOCALHOST, port)) };
        let mut tx = self.work.ctx.db.begin(permit).await?;
        let ledger = Ledger::read(&mut tx, permit, self.reached.id()).await?;
        tx.commit().await?;
        Ok(if ledger.shares(self.work.want.release.app) { (address, PEER_PORT) } else { (Ipv4Addr::LOCALHOST, port) })
    }

    /// One request through the proxy, as a visitor would send it. Any answer of the app will do; the proxy's own 421, 502,
    /// 503 and 504 will not, nor that it leads on to HTTPS.
    pub(super) async fn ask_through(&self) -> Result<Done, Stop> {
        let spec = &self.work.want.release.spec;
        let route = match self.open_route().await? {
            Ok(route) => route,
            Err(why) => return Ok(Done::unchanged(why)),
        };
        let path = asked_path(&route, &spec.health.probe);
        let door = self.own_door().await?;
        let until = Instant::now() + ASK_PERIOD;
        loop {
            let domain = &route.domain;
            let answer = self.answer(door, domain, &path).await?;
            match answer {
                Met::Status(NOWHERE | 502..=504) => {}
                Met::Refused | Met::Closed | Met::TimedOut | Met::NoCertificate => {}
                Met::Status(status) | Met::Redirect(status, _) => {
                    return Ok(Done::changed(format!("{domain} answers {status}")));
                }
                Met::Open => return Ok(Done::changed("")),
            }
            if Instant::now() > until {
                let (host, detail) = (self.reached.row.name.clone(), format!("{domain}{path}: {}", words(&answer)));
                return Err(Stop::Failed(Failure::NotReachedThroughProxy { host, detail }));
            }
            sleep(ASK_PAUSE).await;
        }
    }

    /// What is answered at this door. Where the proxy leads on to HTTPS, that is its own answer and none of the app's: it is asked there.
    /// Where no certificate is served under the name, it was the app that led there, or nobody can come: a certificate is no deploy's matter.
    async fn answer(&self, door: (Ipv4Addr, u16), domain: &Domain, path: &HttpPath) -> Result<Met, Stop> {
        let (address, port) = door;
        let ask = async |address: Ipv4Addr, port, way| {
            let answer = self.host.probe_http(address.into(), port, path, domain.as_ref(), way, ASK_LIMIT).await;
            answer.map_err(|e| self.failed(e))
        };
        let plain = ask(address, port, Way::Plain).await?;
        // Behind the door for the other hosts nothing leads on.
        let https = Listens::now(&self.reached.row).https.filter(|_| address.is_loopback());
        match (https, &plain) {
            (Some(https), Met::Redirect(308, to)) if is_secured(to, domain) => {
                let veiled = ask(Ipv4Addr::LOCALHOST, https, Way::Tls).await?;
                Ok(if veiled == Met::NoCertificate { plain } else { veiled })
            }
            _ => Ok(plain),
        }
    }
}

/// What to ask through the proxy: the health check's path where the route covers it, else the route itself.
fn asked_path(route: &Route, probe: &Probe) -> HttpPath {
    let root = || "/".parse().unwrap_or_else(|_| unreachable!("'/' is a path"));
    match probe {
        Probe::Http { path } if route.path.as_ref() == "/" || path.as_ref().starts_with(route.path.as_ref()) => {
            path.clone()
        }
        _ => route.path.as_ref().parse().unwrap_or_else(|_| root()),
    }
}

/// What was met, as words of a sentence.
fn words(met: &Met) -> String {
    match met {
        Met::Status(status) | Met::Redirect(status, _) => format!("the proxy answers {status}"),
        Met::Refused => "the connection is refused".to_owned(),
        Met::TimedOut => "no answer".to_owned(),
        Met::Closed | Met::Open => "the connection ends without an answer".to_owned(),
        Met::NoCertificate => "no certificate is served for it".to_owned(),
    }
}

/// Whether a redirect leads to the same domain by HTTPS, as the proxy's own does.
fn is_secured(to: &str, domain: &Domain) -> bool {
    let rest = to.strip_prefix("https://").and_then(|rest| rest.strip_prefix(domain.as_ref()));
    rest.is_some_and(|rest| rest.starts_with(['/', ':']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leads_on_to_https_is_told_from_what_leads_elsewhere() {
        let domain: Domain = "shop.test".parse().unwrap();
        for own in ["https://shop.test/", "https://shop.test/up?x", "https://shop.test:8443/"] {
            assert!(is_secured(own, &domain), "{own}");
        }
        for other in
            ["https://shop.test.evil/", "https://www.shop.test/", "http://shop.test/", "/up", "https://shop.test"]
        {
            assert!(!is_secured(other, &domain), "{other}");
        }
    }
}
