//! Looking before asking: where the names lead, and whether our own answer comes from there. An authority counts what fails.

use std::net::IpAddr;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{Stop, Work};
use crate::db::{acme_routes, jobs, panel};
use crate::domain::acme::{CertName, Trouble, reachable};
use crate::domain::ids::JobId;
use crate::jobs::set_certificates;
use crate::providers::acme::{Account, Way};
use crate::providers::names::NoAnswer;
use crate::vault;

/// How long the proxies may take to learn the answer, where they do not have it yet.
const LEARN: Duration = Duration::from_secs(60);
/// Between two looks.
const PAUSE: Duration = Duration::from_secs(1);
/// Addresses of one name that are looked at.
const MOST_ADDRESSES: usize = 16;

impl Work<'_> {
    /// Every name is looked at. Names that are proven by DNS need not lead anywhere.
    pub(super) async fn look(&self, _account: &Account) -> Result<((), String), Stop> {
        if self.way == Way::Dns {
            return Ok(((), "proven by DNS: they need not lead here".to_owned()));
        }
        let mut tx = self.ctx.db.begin(&self.run.permit).await?;
        let thumbprint = panel::acme_thumbprint(&mut tx).await?.unwrap_or_default();
        tx.commit().await?;
        let mut asked: Option<(Vec<JobId>, Instant)> = None;
        for name in &self.names {
            let expected = self.expected(name).await?;
            loop {
                let Some(trouble) = self.at(name, &thumbprint, &expected).await? else { break };
                // A name without an address is not reached by waiting for proxies.
                if matches!(trouble, Trouble::NoAddress { .. } | Trouble::LookUp { .. }) {
                    return Err(trouble.into());
                }
                match &asked {
                    // The proxies may not have the answer yet.
                    None => asked = Some((self.teach().await?, Instant::now() + LEARN)),
                    Some((jobs, until)) if Instant::now() > *until || !self.busy(jobs).await? => {
                        // One more look, now that they have it.
                        match self.at(name, &thumbprint, &expected).await? {
                            None => break,
                            Some(trouble) => return Err(trouble.into()),
                        }
                    }
                    Some(_) => {}
                }
                sleep(PAUSE).await;
            }
        }
        Ok(((), "they lead here".to_owned()))
    }

    /// The addresses of the servers a name should lead to.
    async fn expected(&self, name: &CertName) -> Result<Vec<IpAddr>, Stop> {
        let mut tx = self.ctx.db.begin(&self.run.permit).await?;
        let servers = acme_routes::servers(&mut tx, &self.run.permit, name.as_ref()).await?;
        tx.commit().await?;
        let mut expected = Vec::new();
        for server in servers {
            match server.address.parse::<IpAddr>() {
                Ok(address) => expected.push(address),
                // A server that is known by a name leads where that leads; where nobody knows, nothing is expected of it.
                Err(_) => expected.extend(self.ctx.names.addresses(&server.address).await.unwrap_or_default()),
            }
        }
        Ok(expected)
    }

    /// What is in the way of one name.
    async fn at(&self, name: &CertName, thumbprint: &str, expected: &[IpAddr]) -> Result<Option<Trouble>, Stop> {
        let lookup = &self.ctx.names;
        let addresses = match lookup.addresses(name.as_ref()).await {
            Ok(addresses) => addresses,
            Err(NoAnswer(detail)) => {
                let server = "The name server of the panel's machine".to_owned();
                return Err(Trouble::ServerDown { server, detail, until: None }.into());
            }
        };
        let mut found = Vec::new();
        for address in addresses.into_iter().take(MOST_ADDRESSES) {
            let token = vault::random_token();
            let wanted = format!("{}.{thumbprint}", token.expose());
            found.push((address, lookup.meets(name.as_ref(), address, token.expose(), &wanted).await));
        }
        Ok(reachable(name.as_ref(), &found, expected))
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
