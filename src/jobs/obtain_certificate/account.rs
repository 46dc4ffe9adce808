//! The team's account at the authority: the one that is kept, or a new one.

use uuid::Uuid;

use super::{Stop, Work};
use crate::db::acme;
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
        let mut known = acme::account(&mut tx, &run.permit, &self.settings).await?;
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
        let signed = authority.sign_in(&credentials).await?;
        if account.contact.as_deref() != Some(self.settings.email.as_str()) {
            note.push_str(self.tell(&account, &signed).await?);
        }
        Ok((signed, note))
    }

    /// Tells the authority whom it may write to now. A certificate does not depend on it: where it is not taken, the next order tells it again.
    async fn tell(&self, account: &acme::Account, signed: &Account) -> Result<&'static str, Stop> {
        let (run, email) = (self.run, &self.settings.email);
        run.still_mine().await?;
        match signed.tell_contact(email).await {
            Ok(()) => {
                let mut tx = run.begin().await?;
                acme::note_contact(&mut tx, &run.permit, account.id, email).await?;
                tx.commit().await?;
                Ok(", told whom it may write to now")
            }
            Err(trouble) => {
                let why = self.log.redacted(&trouble.sentence());
                self.log.say(None, format!("The authority did not take the e-mail address of the account. {why}"));
                Ok("; it did not take the e-mail address of the account")
            }
        }
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
        let contact = Some(self.settings.email.clone());
        let made = acme::Account { id, url, thumbprint, sealed, contact };
        acme::keep_account(&mut tx, &run.permit, &self.settings, &made).await?;
        // Another job may have been faster: its account is the one.
        let kept = acme::account(&mut tx, &run.permit, &self.settings).await?;
        // The proxies answer with its thumbprint from now on.
        set_certificates::ask_all(&mut tx, &run.permit, run.cause.clone()).await?;
        tx.commit().await?;
        kept.ok_or(Stop::Lost)
    }
}
