//! The panel's account at the authority: the one that is kept, or a new one.

use uuid::Uuid;

use super::{Stop, Work};
use crate::db::{acme, panel};
use crate::domain::acme::Trouble;
use crate::domain::secret::Secret;
use crate::jobs::set_certificates;
use crate::providers::acme::{Account, Authority, Binding, Registered};
use crate::vault::Context;

impl Work<'_> {
    pub(super) async fn sign_in(&self) -> Result<(Account, String), Stop> {
        let (ctx, run, directory) = (self.ctx, self.run, &self.settings.directory);
        let authority = Authority::new(directory, &self.settings.ca_root)?;
        let mut tx = ctx.db.begin(&run.permit).await?;
        let mut known = acme::account(&mut tx, directory).await?;
        tx.commit().await?;
        let mut note = authority.server();
        if known.is_none() {
            known = Some(self.register(&authority).await?);
            note.push_str(", with a new account");
        }
        let account = known.ok_or(Stop::Lost)?;
        let opened = ctx.vault.open_for_panel(&Context::acme_account(account.id), &account.sealed);
        let opened = opened.ok().and_then(|bytes| String::from_utf8(bytes.expose().clone()).ok()).map(Secret::new);
        let credentials = opened.ok_or_else(|| {
            // It is damaged or of another key: another account is made by the next try.
            Trouble::Account { detail: "the panel's key of it cannot be opened.".to_owned() }
        })?;
        self.log.learn([credentials.expose().as_bytes()]);
        self.show(&account.thumbprint).await?;
        Ok((authority.sign_in(&credentials).await?, note))
    }

    /// Makes an account, and keeps it.
    async fn register(&self, authority: &Authority) -> Result<acme::Account, Stop> {
        let (ctx, run) = (self.ctx, self.run);
        let binding = match &self.settings.eab_sealed {
            Some(sealed) => {
                let key = ctx.vault.open_for_panel(&Context::acme_binding(), sealed);
                let key = key.map_err(|error| Trouble::Account { detail: error.to_string() })?;
                Some(Binding { id: self.settings.eab_id.clone(), key })
            }
            None => None,
        };
        run.still_mine().await?;
        let Registered { credentials, url, thumbprint } =
            authority.register(&self.settings.email, binding.as_ref()).await?;
        let id = Uuid::now_v7();
        let sealed = ctx.vault.seal_for_panel(&Context::acme_account(id), credentials.expose().as_bytes());
        let mut tx = run.begin().await?;
        acme::keep_account(&mut tx, &self.settings.directory, &acme::Account { id, url, thumbprint, sealed }).await?;
        // Another job may have been faster: its account is the one.
        let kept = acme::account(&mut tx, &self.settings.directory).await?;
        tx.commit().await?;
        kept.ok_or(Stop::Lost)
    }

    /// Has proxies answer with this account's thumbprint.
    async fn show(&self, thumbprint: &str) -> Result<(), Stop> {
        let run = self.run;
        let mut tx = run.begin().await?;
        if panel::acme_thumbprint(&mut tx).await?.as_deref() != Some(thumbprint) {
            panel::set_acme_thumbprint(&mut tx, Some(thumbprint)).await?;
            set_certificates::ask_all(&mut tx, &run.permit, run.cause.clone()).await?;
        }
        tx.commit().await?;
        Ok(())
    }
}
