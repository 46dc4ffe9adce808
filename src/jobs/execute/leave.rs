//! Steps that take away what was made for an app on a host, by the names that stand in the ledger and no others.

use super::ingress::{Ledger, Listens, lock, unlock};
use super::{Done, Here};
use crate::db::apps;
use crate::db::ledger::{images, left};
use crate::domain::container::network_name;
use crate::domain::names::ImageRef;
use crate::domain::{retention, run_bash};
use crate::jobs::stop::{Stop, detail};
use crate::remote;

impl Here<'_> {
    pub(super) async fn leave_proxy(&self) -> Result<Done, Stop> {
        let (ctx, run, host) = (self.work.ctx, self.work.run, self.reached.id());
        lock(ctx, run, host, &self.reached.row.name).await?;
        let left = self.leave_locked().await;
        unlock(ctx, run, host).await?;
        left
    }

    /// The file first: the row that says whose backend it is goes when nothing leads there any more.
    async fn leave_locked(&self) -> Result<Done, Stop> {
        let (run, host, app) = (self.work.run, self.reached.id(), self.work.want.release.app);
        let mut tx = self.work.ctx.db.begin(&run.permit).await?;
        let mut ledger = Ledger::read(&mut tx, &run.permit, host).await?;
        tx.commit().await?;
        ledger.rows.retain(|row| row.app != app);
        let wanted = ledger.ingress(&Listens::now(&self.reached.row));
        run.still_mine().await?;
        self.bring(&wanted).await?;
        let mut tx = run.begin().await?;
        left::free_backend(&mut tx, &run.permit, host, app).await?;
        tx.commit().await?;
        Ok(Done::changed(""))
    }

    pub(super) async fn remove_files(&self) -> Result<Done, Stop> {
        let (permit, app) = (&self.work.run.permit, self.work.want.release.app);
        let mut tx = self.work.ctx.db.begin(permit).await?;
        let last = apps::known(&mut tx, permit, app).await?.map_or(0, |row| row.last_release);
        tx.commit().await?;
        let above = run_bash::app_folder(app);
        let found = self.host.list_folder(&above).await.map_err(|e| self.failed(e))?;
        let numbers = retention::folders(&found, &[], last);
        for number in &numbers {
            let folder = format!("{above}/{number}");
            self.host.remove_folder(&folder, &run_bash::NAMES).await.map_err(|e| self.failed(e))?;
        }
        self.host.remove_folder(&above, &[]).await.map_err(|e| self.failed(e))?;
        Ok(if numbers.is_empty() { Done::unchanged("") } else { Done::changed("") })
    }

    /// An image that a container of somebody else's is made of stays, and is theirs from now on.
    pub(super) async fn remove_image(&self, image: &ImageRef) -> Result<Done, Stop> {
        let done = match self.host.docker().untag(image).await {
            Ok(true) => Done::changed(""),
            Ok(false) => Done::unchanged("not there any more"),
            Err(error) if is_in_use(&error) => {
                Done::unchanged(format!("stays, as something else uses it: {}", detail(error)))
            }
            Err(error) => return Err(self.failed(error)),
        };
        let permit = &self.work.run.permit;
        let mut tx = self.work.run.begin().await?;
        images::removed(&mut tx, permit, self.reached.id(), image).await?;
        tx.commit().await?;
        Ok(done)
    }

    pub(super) async fn remove_network(&self) -> Result<Done, Stop> {
        let (run, host, release) = (self.work.run, self.reached.id(), &self.work.want.release);
        let (permit, environment, app) = (&run.permit, release.environment, release.app);
        let mut tx = run.begin().await?;
        let idle = left::network_is_idle(&mut tx, permit, host, environment, app).await?;
        tx.commit().await?;
        if !idle {
            return Ok(Done::unchanged("another app needs it"));
        }
        match self.host.docker().network_remove(&network_name(environment)).await {
            Ok(()) => {}
            // Something that is not ours is on it.
            Err(error) if is_in_use(&error) => {
                return Ok(Done::unchanged(format!("stays, as something else uses it: {}", detail(error))));
            }
            Err(error) => return Err(self.failed(error)),
        }
        let mut tx = run.begin().await?;
        left::free_network(&mut tx, permit, host, environment, app).await?;
        tx.commit().await?;
        Ok(Done::changed(""))
    }
}

/// Docker's refusal to remove what a container has: in prose, as all its refusals.
fn is_in_use(error: &remote::Error) -> bool {
    let remote::Error::Refused { detail } = error else { return false };
    ["is using its", "being used", "in use", "active endpoints"].iter().any(|words| detail.contains(words))
}
