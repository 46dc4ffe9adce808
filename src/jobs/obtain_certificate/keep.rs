//! The last steps: the certificate is fetched, checked as one that a person brings, sealed, and on its way to the hosts.

use rcgen::{CertificateParams, DistinguishedName, KeyPair};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Stop, Work, no_key};
use crate::db::{acme, acme_orders, alerts, certificates};
use crate::domain::acme::{Trouble, is_counted, names_key, renew_at};
use crate::domain::certificate::{self, Origin};
use crate::domain::ids::CertificateId;
use crate::domain::secret::Secret;
use crate::jobs::{Ctx, panel_address, set_certificates};
use crate::providers::acme::{Order, leaf};
use crate::queue::{self, Run};
use crate::vault::Context;

impl Work<'_> {
    pub(super) async fn fetch(&self, order: &mut Order, key: &KeyPair) -> Result<(String, String), Stop> {
        let mut params = CertificateParams::new(self.row.names.clone()).map_err(no_key)?;
        params.distinguished_name = DistinguishedName::new();
        let csr = params.serialize_request(key).map_err(no_key)?;
        self.run.still_mine().await?;
        let chain = order.certificate(csr.der()).await;
        // What was refused here is not mended by asking for the same order again.
        let chain = chain.map_err(|trouble| {
            let over = !matches!(trouble, Trouble::ServerDown { .. } | Trouble::RateLimited { .. });
            Stop::Trouble(trouble, over)
        })?;
        Ok((chain, String::new()))
    }

    pub(super) async fn keep(&self, chain: &str, key: &KeyPair) -> Result<((), String), Stop> {
        let (run, permit) = (self.run, &self.run.permit);
        let key = Secret::new(key.serialize_pem());
        let checked = match certificate::read(chain, &key, OffsetDateTime::now_utc()) {
            Ok(checked) => checked,
            Err(faults) => {
                let mut tx = run.begin().await?;
                self.count(&mut tx, None).await?;
                tx.commit().await?;
                let said: Vec<String> = faults.into_iter().map(|fault| fault.sentence).collect();
                let detail = format!("what it signed cannot be served: {}", said.join(" "));
                return Err(Stop::Trouble(Trouble::Refused { detail }, true));
            }
        };
        let version = Uuid::now_v7();
        let place = Context::certificate(permit.team(), version);
        let sealed = self.ctx.vault.seal(&self.data_key, &place, checked.pem.expose().as_bytes()).map_err(no_key)?;
        let facts = &checked.facts;
        let renewal = renew_at(self.row.id.0, facts.not_before, facts.not_after, None);
        let mut tx = run.begin().await?;
        let mut kept = None;
        if let Some(known) = self.row.certificate
            && certificates::add_version(&mut tx, permit, known, version, facts, &sealed).await?
        {
            kept = Some(known);
        }
        let id = match kept {
            Some(known) => known,
            None => {
                let id = CertificateId(Uuid::now_v7());
                certificates::insert(&mut tx, permit, id, Origin::Acme).await?;
                certificates::add_version(&mut tx, permit, id, version, facts, &sealed).await?;
                id
            }
        };
        certificates::note_directory(&mut tx, permit, version, &self.settings.directory).await?;
        let valid = (facts.not_before, facts.not_after);
        acme_orders::note_got(&mut tx, permit, self.row.id, id, valid, renewal).await?;
        self.count(&mut tx, Some(facts.not_after - facts.not_before)).await?;
        alerts::got(&mut tx, permit, (self.row.id, id), &self.row.names).await?;
        set_certificates::ask_all(&mut tx, permit, run.cause.clone()).await?;
        // A name of the panel's on trial may have waited for nothing else.
        queue::hurry(&mut tx, permit, panel_address::LOCK).await?;
        tx.commit().await?;
        let days = (facts.not_after - facts.not_before).whole_days();
        Ok(((), format!("by {}, for {days} days", facts.issuer)))
    }

    /// Notes that one for exactly these names was got, which lives so long: the authority counts it.
    async fn count(&self, conn: &mut PgConnection, life: Option<time::Duration>) -> Result<(), sqlx::Error> {
        let directory = &self.settings.directory;
        if is_counted(directory, life) {
            acme::note_issue(conn, directory, &names_key(&self.names), None).await?;
        }
        Ok(())
    }
}

/// The current version of a certificate, as its bytes; none where it is gone or cannot be opened.
pub(in crate::jobs) async fn current_leaf(
    ctx: &Ctx,
    run: &Run,
    certificate: CertificateId,
    data_key: &[u8],
) -> Result<Option<Vec<u8>>, sqlx::Error> {
    let mut tx = ctx.db.begin(&run.permit).await?;
    let row = certificates::list(&mut tx, &run.permit, Some(certificate)).await?.pop();
    let sealed = match &row {
        Some(row) => certificates::sealed(&mut tx, &run.permit, &[row.version]).await?.pop(),
        None => None,
    };
    tx.commit().await?;
    let Some((version, sealed)) = sealed else { return Ok(None) };
    let opened = ctx.vault.unseal(data_key, &Context::certificate(run.permit.team(), version), &sealed);
    Ok(opened.ok().and_then(|pem| leaf(pem.expose())))
}
