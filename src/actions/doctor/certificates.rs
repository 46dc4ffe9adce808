//! Certificates, as the database has them; and the clock of the authority that was chosen.

use std::time::Duration;

use tokio::time::timeout;

use crate::actions::gate::{self, Open};
use crate::actions::{Ctx, Refused};
use crate::db::{self, Tx, acme, acme_orders, acme_routes, panel_addresses};
use crate::domain::acme::Trouble;
use crate::domain::certificate::Origin;
use crate::domain::doctor::{self, CertificateSeen, CertificatesSeen, Finding, OnHost, OrderSeen};
use crate::domain::rights::{Actor, On, Permission, Permit};
use crate::providers::acme::Authority;

/// How long the authority may take to tell the time: whoever reads the page waits.
const ANSWER: Duration = Duration::from_secs(5);

/// The team's, for who sees the whole of it.
pub(super) async fn certificates(tx: &mut Tx<'_>, permit: &Permit, actor: &Actor) -> Result<Vec<Finding>, Refused> {
    if !gate::sees(actor, On::team(actor.team())) {
        return Ok(Vec::new());
    }
    let now = acme_orders::now(tx).await?;
    let rows = db::certificates::list(tx, permit, None).await?;
    let ids: Vec<_> = rows.iter().map(|row| row.id).collect();
    let installed = db::certificates::installed(tx, permit, &ids).await?;
    let there = rows.into_iter().map(|row| CertificateSeen {
        renewed: row.origin == Origin::Acme,
        not_before: row.not_before,
        not_after: row.not_after,
        hosts: installed
            .iter()
            .filter(|place| place.certificate == row.id)
            .map(|place| OnHost {
                host: place.host_name.clone(),
                current: place.fingerprint == row.fingerprint,
                any: !place.fingerprint.is_empty(),
                trouble: place.trouble.clone(),
            })
            .collect(),
        names: row.names,
    });
    let orders = acme_orders::list(tx, permit, None).await?.into_iter().map(|row| OrderSeen {
        names: row.names,
        trouble: row.trouble.map(|trouble| trouble.0),
        not_after: row.not_after,
    });
    let panel = panel_addresses::all(tx).await?.into_iter();
    let serving = |row: &panel_addresses::Row| row.state == panel_addresses::State::Serving && row.team == actor.team();
    let seen = CertificatesSeen {
        now,
        there: there.collect(),
        orders: orders.collect(),
        unordered: acme_routes::domains_without(tx, permit).await?,
        chosen: acme::settings(tx).await?.is_some(),
        https: !db::certificates::hosts(tx, permit).await?.is_empty(),
        panel: panel.filter(serving).map(|row| row.domain.to_string()).next(),
    };
    Ok(doctor::certificates(&seen))
}

/// The panel's clock beside the authority's; nothing where none was chosen, as nobody outside is asked then.
pub(super) async fn clock(ctx: &Ctx, actor: &Actor) -> Result<Option<Finding>, Refused> {
    actor.may_somewhere(Permission::View)?;
    let Open { mut tx, .. } = gate::team(ctx, actor).await?;
    let settings = acme::settings(&mut tx).await?;
    tx.commit().await?;
    let Some(settings) = settings else { return Ok(None) };
    let (server, heard) = match Authority::new(&settings.directory, &settings.ca_root) {
        Err(trouble) => (settings.directory, Err(trouble)),
        Ok(authority) => {
            let server = authority.server();
            let late = || Trouble::ServerDown {
                server: server.clone(),
                detail: format!("no answer within {} s", ANSWER.as_secs()),
                until: None,
            };
            let heard = timeout(ANSWER, authority.clock_ahead()).await.unwrap_or_else(|_| Err(late()));
            (server, heard)
        }
    };
    Ok(match heard {
        // It does not say what time it is.
        Ok(None) => None,
        Ok(Some(ahead)) => Some(doctor::clock(&server, &Ok(ahead))),
        Err(trouble) => Some(doctor::clock(&server, &Err(trouble))),
    })
}
