//! Bringing an image to a host: from the registry of the host that built it, only what is missing; or whole, from any host
//! that has it, through both connections and without touching a disk here.

use super::{Done, Here};
use crate::access::Reached;
use crate::db::ledger::images;
use crate::domain::deploy::Failure;
use crate::domain::ids::HostId;
use crate::jobs::registry;
use crate::jobs::stop::{Stop, detail};
use crate::remote::{Error, Host};

impl Here<'_> {
    pub(super) async fn bring_image(&self, seq: i32) -> Result<Done, Stop> {
        let release = &self.work.want.release;
        let row =
            images::Row { host: self.reached.id(), image: release.image.clone(), image_id: release.image_id.clone() };
        let permit = &self.work.run.permit;
        let mut tx = self.work.ctx.db.begin(permit).await?;
        images::open(&mut tx, permit, uuid::Uuid::now_v7(), release.app, &row).await?;
        tx.commit().await?;
        let docker = self.host.docker();
        if docker.image(&release.image_id).await.map_err(|e| self.failed(e))?.is_some() {
            docker.tag(&release.image_id, &release.image).await.map_err(|e| self.failed(e))?;
            return Ok(Done::unchanged("already there"));
        }
        let holders = self.holders().await;
        for (reached, host) in &holders {
            if reached.row.registry_port.is_none() {
                continue;
            }
            self.work.run.still_mine().await?;
            match self.through_registry(reached, host, seq).await? {
                Ok(done) => return Ok(done),
                Err(error) => {
                    let words = format!(
                        "The image did not come through the registry of {}: {}. It is copied whole instead.",
                        reached.row.name,
                        detail(error).trim_end_matches('.')
                    );
                    self.work.log.say(Some(seq), self.work.log.redacted(&words));
                }
            }
        }
        for (reached, _) in
            holders.iter().filter(|(reached, _)| reached.row.builds && reached.row.registry_port.is_none())
        {
            let words = format!(
                "{} builds but has no registry yet, so that images are copied whole: make it ready again.",
                reached.row.name
            );
            self.work.log.say(Some(seq), words);
        }
        let Some((reached, from)) = holders.first() else {
            return Err(Stop::Failed(Failure::ImageNotFound { image: release.image.clone() }));
        };
        self.work.log.note(seq, format!("from {}, whole", reached.row.name));
        self.work.run.still_mine().await?;
        let bytes = from.docker_bulk().save((&release.image_id).into());
        self.host.docker_bulk().load(bytes).await.map_err(|e| self.failed(e))?;
        if docker.image(&release.image_id).await.map_err(|e| self.failed(e))?.is_none() {
            let reason = other_store(&self.reached.row.name, &reached.row.name);
            return Err(Stop::Failed(Failure::Refused { reason }));
        }
        docker.tag(&release.image_id, &release.image).await.map_err(|e| self.failed(e))?;
        Ok(Done::changed(format!("from {}, whole", reached.row.name)))
    }

    /// The other hosts that have the image, those with a registry first.
    async fn holders(&self) -> Vec<(&Reached, &Host)> {
        let mut holders = Vec::new();
        let others = self.work.hosts.iter().chain(&self.work.builders);
        for other in others.filter(|other| other.id() != self.reached.id()) {
            let Ok(host) = &other.host else { continue };
            let known = holders.iter().any(|(known, _): &(&Reached, &Host)| known.id() == other.id());
            if !known && matches!(host.docker().image(&self.work.want.release.image_id).await, Ok(Some(_))) {
                holders.push((other, host.as_ref()));
            }
        }
        holders.sort_by_key(|(reached, _)| reached.row.registry_port.is_none());
        holders
    }

    /// Through the registry of a host that has the image. The inner error is the way's, not the deploy's.
    async fn through_registry(&self, from: &Reached, host: &Host, seq: i32) -> Result<Result<Done, Error>, Stop> {
        let (work, release) = (self.work, &self.work.want.release);
        let Some(login) = registry::login(work.ctx, &work.run.permit, work.log, from).await? else {
            return Ok(Err(Error::refused("the registry's password cannot be opened")));
        };
        if let Err(error) = self.fill_once(from.id(), host, &login, seq).await {
            return Ok(Err(error));
        }
        work.run.still_mine().await?;
        let name = &from.row.name;
        let mut note = |text: String| work.log.note(seq, format!("from {name}, {text}"));
        let fetched = registry::fetch(self.host, host, &login, &release.image, &release.image_id, &mut note).await;
        let moved = match fetched {
            Ok(moved) => moved,
            Err(error) => return Ok(Err(error)),
        };
        let words = format!("from {name}, {} travelled", size(moved));
        work.log.say(Some(seq), format!("The image came {words} to {}", self.reached.row.name));
        Ok(Ok(Done::changed(words)))
    }

    /// Fills the registry, once for all hosts that wait for it.
    async fn fill_once(
        &self,
        from: HostId,
        host: &Host,
        login: &crate::domain::container::Login,
        seq: i32,
    ) -> Result<(), Error> {
        let release = &self.work.want.release;
        let mut filled = self.work.filled.lock().await;
        if filled.contains(&from) {
            return Ok(());
        }
        self.work.log.note(seq, "into the registry");
        registry::fill(host, login, &release.image, &release.image_id).await?;
        filled.insert(from);
        Ok(())
    }
}

/// What is said where an image has another id on the host it was brought to.
fn other_store(to: &str, from: &str) -> String {
    format!(
        "The image has another id on {to} than on {from}: their Dockers keep images in stores of different kinds. Set \
         \"containerd-snapshotter\" to the same in /etc/docker/daemon.json of both, restart Docker there, and deploy again."
    )
}

/// Bytes in words: "0.4 MB", "31 MB".
fn size(bytes: u64) -> String {
    match bytes {
        0..10_000_000 => format!("{}.{} MB", bytes / 1_000_000, bytes % 1_000_000 / 100_000),
        _ => format!("{} MB", bytes / 1_000_000),
    }
}
