//! Learning the secrets of releases before a line of theirs is shown. A secret that cannot be opened shows no line at all.

use std::collections::{BTreeMap, HashSet};

use crate::actions::{Ctx, Refused};
use crate::db::{self, host_logins};
use crate::domain::ids::ReleaseId;
use crate::domain::redact::Redactor;
use crate::domain::rights::Permit;
use crate::vault::SecretPlace;

/// Knows the secrets of the releases it was told of.
#[derive(Default)]
pub struct Redaction {
    redactor: Redactor,
    known: HashSet<ReleaseId>,
}

impl Redaction {
    /// Learns the secrets of these releases.
    pub async fn learn(
        &mut self,
        ctx: &Ctx,
        permit: &Permit,
        releases: impl IntoIterator<Item = ReleaseId>,
    ) -> Result<(), Refused> {
        for id in releases {
            if self.known.contains(&id) {
                continue;
            }
            let mut tx = ctx.db.begin(permit).await?;
            let release = db::deploy_runs::release(&mut tx, permit, id).await?.ok_or(Refused::NotFound)?;
            let wanted: Vec<_> = release.secret_versions.iter().map(|(id, version)| (*id, *version)).collect();
            let data_key = host_logins::data_key(&mut tx, permit).await?;
            let sealed = host_logins::versions(&mut tx, permit, &wanted).await?;
            tx.commit().await?;
            let sealed: BTreeMap<_, _> = sealed.into_iter().map(|sealed| (sealed.id, sealed)).collect();
            for (name, id) in &release.spec.secrets {
                let unreadable = || {
                    Refused::Unavailable(format!(
                        "What it prints is not shown: its secret {name} cannot be opened, and could stand in it."
                    ))
                };
                let sealed = sealed.get(id).ok_or_else(unreadable)?;
                let place = SecretPlace { team: permit.team(), secret: *id, version: sealed.version };
                let value = ctx.vault.open_secret(&data_key, place, &sealed.sealed).map_err(|_| unreadable())?;
                self.redactor.learn(&String::from_utf8_lossy(value.expose()));
            }
            self.known.insert(id);
        }
        Ok(())
    }

    /// A line without them.
    pub fn line(&self, line: &[u8]) -> Vec<u8> {
        self.redactor.line(line)
    }

    /// A text without them.
    pub fn text(&self, text: &str) -> String {
        self.redactor.text(text)
    }
}
