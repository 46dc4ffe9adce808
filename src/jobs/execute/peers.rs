//! Sending an app's requests to other hosts too: ledger, file, running proxy, and only then the routes.

use super::ingress::{Ledger, Listens, lock, unlock};
use super::{Done, Here};
use crate::db::ledger::{backends, peers};
use crate::domain::ids::HostId;
use crate::domain::ingress::{self as words, Answer};
use crate::jobs::proxy;
use crate::jobs::stop::Stop;

impl Here<'_> {
    pub(super) async fn share(&self, peers: &[(HostId, u16)]) -> Result<Done, Stop> {
        let (ctx, run, host) = (self.work.ctx, self.work.run, self.reached.id());
        lock(ctx, run, host, &self.reached.row.name).await?;
        let shared = self.share_locked(peers).await;
        unlock(ctx, run, host).await?;
        shared
    }

    async fn share_locked(&self, peers: &[(HostId, u16)]) -> Result<Done, Stop> {
        let (run, host, app) = (self.work.run, self.reached.id(), self.work.want.release.app);
        let mut tx = self.work.ctx.db.begin(&run.permit).await?;
        let slot = backends::claim(&mut tx, &run.permit, host, app).await?;
        peers::set(&mut tx, &run.permit, host, app, peers).await?;
        let mut ledger = Ledger::read(&mut tx, &run.permit, host).await?;
        tx.commit().await?;
        let servers = ledger.servers_of(app);
        self.as_it_serves(&mut ledger, &servers);
        let wanted = ledger.ingress(&Listens::now(&self.reached.row));
        run.still_mine().await?;
        let running = proxy::look(self.host).await.map_err(|e| self.failed(e))?;
        if words::needs_reload(&running.slots, &running.fixed, &wanted).is_some() {
            // The file has all of it.
            let why = self.bring(&wanted).await?;
            return Ok(Done::changed(why.unwrap_or_default()));
        }
        let brought = self.write(&wanted).await?;
        self.settle(&wanted, brought).await?;
        let backend = wanted.backends.iter().find(|backend| i32::try_from(backend.slot) == Ok(slot));
        let (Some(backend), true) = (backend, wanted.peering.is_some()) else {
            return Ok(Done::unchanged("the host has no address for others"));
        };
        let (lines, gone) = words::share(backend, &running.peers);
        let mut all = wanted.admitted_changes(&running.admitted);
        all.extend(lines);
        all.extend(words::map_changes(&wanted.home.map, &running.map, &wanted.route_entries()));
        self.tell(&all).await?;
        if gone.is_empty() {
            return Ok(Done::changed(""));
        }
        // What is busy gets nothing new, and goes with a later deploy.
        for answer in self.host.haproxy().ask(&gone).await.map_err(|e| self.failed(e))? {
            match words::read_answer(&answer) {
                Answer::Done | Answer::Busy | Answer::Absent | Answer::AlreadyThere => {}
                other => return Err(self.refused(format!("{other:?}"))),
            }
        }
        Ok(Done::changed(""))
    }
}
