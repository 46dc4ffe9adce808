//! Steps that speak to Docker and to the release's folder.

use std::net::Ipv4Addr;
use std::time::Duration;

use super::{Done, Here};
use crate::db::ledger::{instances, volumes};
use crate::db::sights;
use crate::domain::address::Bridge;
use crate::domain::container::{self, Identity, RunSpec, label, network_name, volume_name};
use crate::domain::deploy::Failure;
use crate::domain::ids::{InstanceId, VolumeId};
use crate::domain::job::Stream;
use crate::domain::names::{ContainerId, ContainerName, NetworkName};
use crate::domain::run_bash;
use crate::jobs::stop::{Stop, detail};
use crate::remote::{self, File};

/// How long a release command may run: a migration of a large table takes its time.
const RELEASE_COMMAND: Duration = Duration::from_secs(1800);

impl Here<'_> {
    /// The labels of everything made for this deploy.
    fn labels(&self) -> Vec<(&'static str, String)> {
        vec![(label::PANEL, self.work.ctx.panel.to_string()), (label::APP, self.work.want.release.app.to_string())]
    }

    pub(super) async fn make_network(&self, bridge: Bridge) -> Result<Done, Stop> {
        let name = network_name(self.work.want.release.environment);
        self.host.docker().network_ensure(&name, bridge, &self.labels()).await.map_err(|e| self.failed(e))?;
        Ok(Done::changed(bridge.subnet()))
    }

    /// Docker refuses while something runs on it.
    pub(super) async fn clear_network(&self, name: &NetworkName) -> Result<Done, Stop> {
        self.host.docker().network_remove(name).await.map_err(|e| self.failed(e))?;
        Ok(Done::changed(""))
    }

    pub(super) async fn make_volume(&self, volume: VolumeId) -> Result<Done, Stop> {
        let permit = &self.work.run.permit;
        let mut tx = self.work.ctx.db.begin(permit).await?;
        volumes::placed(&mut tx, permit, volume, self.reached.id()).await?;
        tx.commit().await?;
        self.host.docker().volume_ensure(&volume_name(volume), &self.labels()).await.map_err(|e| self.failed(e))?;
        Ok(Done::changed(""))
    }

    pub(super) async fn write_release(&self) -> Result<Done, Stop> {
        let files = run_bash::files(&self.work.want.release, self.work.ctx.panel, &self.work.env);
        let files: Vec<File<'_>> =
            files.iter().map(|file| File { path: &file.path, bytes: &file.bytes, mode: file.mode }).collect();
        self.host.put_all(&files).await.map_err(|e| self.failed(e))?;
        Ok(Done::changed(""))
    }

    fn spec(&self, instance: InstanceId, name: &ContainerName, address: Ipv4Addr) -> RunSpec {
        let (panel, deploy) = (self.work.ctx.panel, self.work.want.deploy);
        let who = Identity { panel, deploy, instance, name, address };
        container::instance(&self.work.want.release, who, self.work.env.clone())
    }

    pub(super) async fn create(
        &self,
        instance: InstanceId,
        name: &ContainerName,
        address: Ipv4Addr,
        index: u16,
    ) -> Result<Done, Stop> {
        let (permit, release) = (&self.work.run.permit, &self.work.want.release);
        let new = instances::New {
            id: instance,
            host: self.reached.id(),
            app: release.app,
            release: release.id,
            number: release.number,
            deploy: self.work.want.deploy,
            position: index,
            name,
            address,
        };
        let mut tx = self.work.ctx.db.begin(permit).await?;
        instances::open(&mut tx, permit, &new).await?;
        tx.commit().await?;
        let spec = self.spec(instance, name, address);
        let id = self.host.docker().create(&spec).await.map_err(|error| match error {
            error if self.is_without_network(&error) => Stop::Again(detail(error)),
            remote::Error::NoSuchImage { .. } => Stop::Failed(Failure::ImageNotFound { image: release.image.clone() }),
            remote::Error::Refused { .. } => Stop::Failed(Failure::DidNotStart { detail: detail(error) }),
            // The name carries this deploy: what a killed worker had asked for came through after we looked.
            remote::Error::NameTaken { .. } => Stop::Again(detail(error)),
            other => self.failed(other),
        })?;
        let mut tx = self.work.ctx.db.begin(permit).await?;
        instances::created(&mut tx, permit, self.reached.id(), name, &id).await?;
        tx.commit().await?;
        Ok(Done::changed(address.to_string()))
    }

    pub(super) async fn start(&self, name: &ContainerName, seq: i32) -> Result<Done, Stop> {
        match self.host.docker().start(name).await {
            Ok(()) => Ok(Done::changed("")),
            Err(error) if self.is_without_network(&error) => Err(Stop::Again(detail(error))),
            Err(error @ (remote::Error::Refused { .. } | remote::Error::NotFound { .. })) => {
                self.last_lines(name, seq).await;
                Err(Stop::Failed(Failure::DidNotStart { detail: detail(error) }))
            }
            Err(error) => Err(self.failed(error)),
        }
    }

    /// Whether the network is gone that was there when the plan was made: the last app that was known to need it was removed
    /// in between. The deploy looks again, and makes it.
    fn is_without_network(&self, error: &remote::Error) -> bool {
        let (remote::Error::NotFound { detail } | remote::Error::Refused { detail }) = error else { return false };
        detail.contains(network_name(self.work.want.release.environment).as_ref()) && detail.contains("not found")
    }

    /// Writes down what an instance was seen to be, so that pages need not wait for the next look.
    pub(super) async fn note_seen(&self, name: &ContainerName, seen: &str) -> Result<(), Stop> {
        let permit = &self.work.run.permit;
        let mut tx = self.work.ctx.db.begin(permit).await?;
        sights::instances(&mut tx, permit, self.reached.id(), std::slice::from_ref(name), &[seen]).await?;
        tx.commit().await?;
        Ok(())
    }

    pub(super) async fn stop(&self, name: &ContainerName, grace: u16) -> Result<Done, Stop> {
        match self.host.docker().stop(name, grace).await {
            Ok(()) => {
                self.note_seen(name, "ended").await?;
                Ok(Done::changed(""))
            }
            Err(remote::Error::NoSuchContainer) => Ok(Done::unchanged("not there any more")),
            Err(error) => Err(self.failed(error)),
        }
    }

    pub(super) async fn remove(&self, name: &ContainerName, container: Option<&ContainerId>) -> Result<Done, Stop> {
        let done = match container {
            None => Done::unchanged("was never made"),
            Some(id) => {
                let docker = self.host.docker();
                // One that Docker starts over and over counts as ended, and is refused while it happens to run.
                if docker.remove(id).await.is_err() {
                    docker.stop(id, self.work.want.release.spec.stop_grace_s).await.map_err(|e| self.failed(e))?;
                    docker.remove(id).await.map_err(|e| self.failed(e))?;
                }
                Done::changed("")
            }
        };
        let permit = &self.work.run.permit;
        let mut tx = self.work.ctx.db.begin(permit).await?;
        instances::removed(&mut tx, permit, self.reached.id(), name).await?;
        tx.commit().await?;
        Ok(done)
    }

    pub(super) async fn keep(&self, name: &ContainerName) -> Result<Done, Stop> {
        // Also where it was seen ended: Docker would start a crashing one again and again.
        match self.host.docker().stop(name, self.work.want.release.spec.stop_grace_s).await {
            Ok(()) | Err(remote::Error::NoSuchContainer) => {}
            Err(error) => return Err(self.failed(error)),
        }
        let permit = &self.work.run.permit;
        let mut tx = self.work.ctx.db.begin(permit).await?;
        instances::keep(&mut tx, permit, self.reached.id(), name).await?;
        tx.commit().await?;
        Ok(Done::changed("stopped, kept for inspection until the next deploy succeeds"))
    }

    pub(super) async fn run_release_command(
        &self,
        name: &ContainerName,
        argv: &[String],
        seq: i32,
    ) -> Result<Done, Stop> {
        let mut spec = self.spec(InstanceId(uuid::Uuid::now_v7()), name, Ipv4Addr::UNSPECIFIED);
        spec.address = None;
        spec.restart = false;
        spec.argv = argv.to_vec();
        let docker = self.host.docker();
        let id = docker.create(&spec).await.map_err(|e| self.failed(e))?;
        docker.start(name).await.map_err(|e| self.failed(e))?;
        let ended = docker.wait(name, RELEASE_COMMAND).await;
        self.last_lines(name, seq).await;
        docker.remove(&id).await.map_err(|e| self.failed(e))?;
        match ended {
            Ok(0) => {
                let permit = &self.work.run.permit;
                let mut tx = self.work.ctx.db.begin(permit).await?;
                crate::db::deploy_runs::ran_release_command(&mut tx, permit, self.work.want.deploy).await?;
                tx.commit().await?;
                self.work.log.line(Some(seq), Stream::Skiff, b"The release command ended with 0.");
                Ok(Done::changed(""))
            }
            Ok(code) => Err(Stop::Failed(Failure::Exited { code })),
            Err(remote::Error::TimedOut { .. }) => {
                let seconds = u32::try_from(RELEASE_COMMAND.as_secs()).unwrap_or(u32::MAX);
                Err(Stop::Failed(Failure::TookTooLong { seconds }))
            }
            Err(error) => Err(self.failed(error)),
        }
    }
}
