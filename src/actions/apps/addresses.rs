//! Where apps answer: by HTTPS where a certificate for the domain is on the host, file and running proxy, and otherwise in the clear.

use std::collections::{BTreeSet, HashMap};

use crate::db::{self, Tx};
use crate::domain::certificate::wildcard_over;
use crate::domain::ids::HostId;
use crate::domain::rights::Permit;

/// The port of HTTPS of what is served so, by host and name of a certificate.
pub(in crate::actions) struct Addresses(HashMap<(HostId, String), i32>);

impl Addresses {
    /// What there is for these domains, in one statement.
    pub(in crate::actions) async fn read(
        tx: &mut Tx<'_>,
        permit: &Permit,
        domains: impl Iterator<Item = &str>,
    ) -> Result<Self, sqlx::Error> {
        let names = domains.flat_map(|domain| [Some(domain.to_owned()), wildcard_over(domain)]).flatten();
        let names: Vec<String> = names.collect::<BTreeSet<_>>().into_iter().collect();
        if names.is_empty() {
            return Ok(Self(HashMap::new()));
        }
        let rows = db::routes::by_https(tx, permit, &names).await?;
        Ok(Self(rows.into_iter().map(|(host, name, port)| ((host, name), port)).collect()))
    }

    /// The address of a route on a host whose proxy listens there in the clear.
    pub(in crate::actions) fn url(&self, host: Option<HostId>, domain: &str, path: &str, http: i32) -> String {
        let of = |host: HostId, name: String| self.0.get(&(host, name)).copied();
        let https = host.and_then(|host| {
            of(host, domain.to_owned()).or_else(|| wildcard_over(domain).and_then(|wildcard| of(host, wildcard)))
        });
        let (scheme, port, usual) = https.map_or(("http", http, 80), |port| ("https", port, 443));
        if port == usual { format!("{scheme}://{domain}{path}") } else { format!("{scheme}://{domain}:{port}{path}") }
    }
}
