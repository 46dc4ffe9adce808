//! Proving the names: by what the proxies answer, or by a record beside each.

use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use tokio::time::{Instant, timeout};

use super::{Stop, Work};
use crate::db::dns_accounts;
use crate::domain::acme::{Doubt, Trouble};
use crate::domain::secret::Secret;
use crate::providers::acme::{Order, Proof, Stage, Way};
use crate::providers::dns::{self, NotWritten, Records};
use crate::vault::Context;

/// Records that are looked for side by side: a hundred of them, whose name servers are silent, must not take longer than the job may.
const LOOKS_AT_ONCE: usize = 8;
/// How long it may take to take away what an earlier run left: whoever keeps the records may be silent, and the certificate has a deadline.
const TIDY: Duration = Duration::from_secs(60);

impl Work<'_> {
    pub(super) async fn prove(&self, order: &mut Order, doubts: &[Doubt]) -> Result<((), String), Stop> {
        if order.stage() != Stage::Proving {
            return Ok(((), "they were proven".to_owned()));
        }
        let proofs = order.proofs(self.way).await?;
        let note = match proofs.len() {
            0 => "they were proven".to_owned(),
            1 => "1 name".to_owned(),
            many => format!("{many} names"),
        };
        match self.way {
            Way::Http => self.have_looked(order, doubts).await?,
            Way::Dns => {
                let (account, records) = self.records().await?;
                let proven = self.by_records(order, &proofs, &account, &*records).await;
                // Whatever came of it, nothing is left behind.
                self.take_away(&*records, &proofs).await;
                proven?;
            }
        }
        Ok(((), note))
    }

    /// Takes away what a run that was killed left beside the names of the order that was under way. It is tried once, and what is in the way
    /// of it is in no certificate's way.
    pub(super) async fn tidy(&self, order: &mut Order) -> Result<(), Stop> {
        if self.way != Way::Dns {
            return Ok(());
        }
        self.run.still_mine().await?;
        let tidied = async {
            let spent = order.spent().await?;
            if !spent.is_empty() {
                let (_, records) = self.records().await?;
                self.take_away(&*records, &spent).await;
            }
            Ok(())
        };
        let why = match timeout(TIDY, tidied).await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(Stop::Trouble(trouble, _))) => trouble.sentence(),
            Ok(Err(Stop::Nothing(why))) => why,
            Ok(Err(stop)) => return Err(stop),
            Err(_) => format!("it took longer than {} s.", TIDY.as_secs()),
        };
        self.log.say(None, format!("Records of an earlier try may be left, they could not be taken away: {why}"));
        Ok(())
    }

    async fn take_away(&self, records: &dyn Records, proofs: &[Proof]) {
        for proof in proofs {
            let record = record_of(proof);
            if let Err(NotWritten(detail)) = records.remove(&record, &proof.record).await {
                self.log.say(None, format!("The record {record} could not be taken away again: {detail}"));
            }
        }
    }

    async fn have_looked(&self, order: &mut Order, doubts: &[Doubt]) -> Result<(), Stop> {
        self.run.still_mine().await?;
        order.prove(self.way).await?;
        order.proven().await.map_err(|trouble| trouble.in_doubt(doubts).into())
    }

    async fn by_records(
        &self,
        order: &mut Order,
        proofs: &[Proof],
        account: &str,
        records: &dyn Records,
    ) -> Result<(), Stop> {
        for proof in proofs {
            self.run.still_mine().await?;
            let written = records.add(&record_of(proof), &proof.record).await;
            written.map_err(|NotWritten(detail)| Trouble::DnsAccount { account: account.to_owned(), detail })?;
        }
        let written = Instant::now();
        let mut looks = Vec::new();
        for proof in proofs {
            looks.push(self.is_seen(record_of(proof), &proof.record, written));
        }
        let mut looks = stream::iter(looks).buffer_unordered(LOOKS_AT_ONCE);
        while let Some(seen) = looks.next().await {
            seen?;
        }
        drop(looks);
        self.have_looked(order, &[]).await
    }

    /// The account that the order proves with, opened.
    async fn records(&self) -> Result<(String, Box<dyn Records>), Stop> {
        let (ctx, permit) = (self.ctx, &self.run.permit);
        let mut tx = ctx.db.begin(permit).await?;
        let row = match self.row.dns_account {
            Some(id) => dns_accounts::list(&mut tx, permit, Some(id)).await?.pop(),
            None => None,
        };
        tx.commit().await?;
        let row = row.ok_or_else(|| Stop::Nothing("The DNS account of this certificate is gone.".to_owned()))?;
        let refused = |detail: String| Trouble::DnsAccount { account: row.name.clone(), detail };
        let place = Context::dns_account(permit.team(), row.id.0);
        let opened = ctx.vault.unseal(&self.data_key, &place, &row.sealed);
        let opened = opened.map_err(|error| refused(error.to_string()))?;
        self.log.learn([opened.expose().as_slice()]);
        let secret =
            String::from_utf8(opened.expose().clone()).map_err(|_| refused("its token is no text.".to_owned()))?;
        let account = dns::Account {
            kind: row.kind,
            server: row.server.parse().ok(),
            key_name: row.key_name.clone(),
            algorithm: crate::domain::dns::Algorithm::of_name(&row.algorithm),
            secret: Secret::new(secret),
        };
        let records = dns::of(account, &ctx.dns, &ctx.names).map_err(|NotWritten(detail)| refused(detail))?;
        Ok((row.name, records))
    }
}

fn record_of(proof: &Proof) -> String {
    format!("_acme-challenge.{}", proof.name)
}
