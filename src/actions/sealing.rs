//! Keeping a value sealed: a new secret, or a new version of one that is there. Not here: opening; only jobs do.

use uuid::Uuid;

use super::{Ctx, Refused};
use crate::db::secrets::Owner;
use crate::db::{self, Tx};
use crate::domain::ids::SecretId;
use crate::domain::rights::Permit;
use crate::domain::secret::Secret;
use crate::vault::SecretPlace;

/// Seals values with one team's data key.
pub struct Sealer<'a> {
    ctx: &'a Ctx,
    permit: &'a Permit,
    data_key: Vec<u8>,
}

impl<'a> Sealer<'a> {
    /// With the data key of the permit's team.
    pub async fn open(ctx: &'a Ctx, tx: &mut Tx<'_>, permit: &'a Permit) -> Result<Self, Refused> {
        let data_key = db::host_logins::data_key(tx, permit).await?;
        Ok(Self { ctx, permit, data_key })
    }

    /// Sets or replaces the owner's secret of this name.
    pub async fn set(
        &self,
        tx: &mut Tx<'_>,
        owner: Owner,
        name: &str,
        value: &Secret<String>,
    ) -> Result<SecretId, Refused> {
        match db::secrets::lock(tx, self.permit, owner, name).await? {
            Some(row) => {
                let version = row.version.saturating_add(1);
                let sealed = self.seal(row.id, version, value)?;
                db::secrets::replace(tx, self.permit, row.id, version, &sealed).await?;
                Ok(row.id)
            }
            None => {
                let id = SecretId(Uuid::now_v7());
                let sealed = self.seal(id, 1, value)?;
                db::secrets::insert(tx, self.permit, owner, id, name, &sealed).await?;
                Ok(id)
            }
        }
    }

    /// One sealed version.
    fn seal(&self, id: SecretId, version: i32, value: &Secret<String>) -> Result<Vec<u8>, Refused> {
        let place = SecretPlace { team: self.permit.team(), secret: id, version };
        self.ctx
            .vault
            .seal_secret(&self.data_key, place, value.expose().as_bytes())
            .map_err(|error| Refused::internal(&error))
    }
}
