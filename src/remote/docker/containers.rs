//! Containers: made from a [`RunSpec`] and nothing else, started, stopped, inspected, listed by our label, removed by
//! name.

use bollard::models::{
    ContainerCreateBody, EndpointIpamConfig, EndpointSettings, HostConfig, HostConfigLogConfig, Mount, MountType,
    NetworkingConfig, RestartPolicy, RestartPolicyNameEnum,
};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, InspectContainerOptions, ListContainersOptionsBuilder,
    RemoveContainerOptionsBuilder, StartContainerOptions, StopContainerOptionsBuilder, WaitContainerOptionsBuilder,
};
use futures_util::StreamExt;
use std::collections::HashMap;
use std::time::Duration;

use super::seen::{ContainerLine, ContainerSeen};
use super::{CALL_LIMIT, Docker, labels};
use crate::domain::container::{LOG_DRIVER, LOG_OPTIONS, RunSpec};
use crate::domain::names::{ContainerId, ContainerName};
use crate::remote::error::Error;
use crate::remote::session::within;

/// A container by its id or by its name.
#[derive(Clone, Copy, Debug)]
pub enum Which<'a> {
    /// By id.
    Id(&'a ContainerId),
    /// By name.
    Name(&'a ContainerName),
}

impl<'a> From<&'a ContainerId> for Which<'a> {
    fn from(id: &'a ContainerId) -> Self {
        Self::Id(id)
    }
}

impl<'a> From<&'a ContainerName> for Which<'a> {
    fn from(name: &'a ContainerName) -> Self {
        Self::Name(name)
    }
}

impl<'a> Which<'a> {
    /// As the daemon takes it.
    pub(super) fn text(self) -> &'a str {
        match self {
            Self::Id(id) => id.as_ref(),
            Self::Name(name) => name.as_ref(),
        }
    }
}

impl Docker {
    /// Makes a container, not yet started. [`Error::NameTaken`] where its name is in use: then somebody was faster.
    pub async fn create(&self, spec: &RunSpec) -> Result<ContainerId, Error> {
        let options = CreateContainerOptionsBuilder::default().name(spec.name.as_ref()).build();
        let made = self.call("Making a container", self.api.create_container(Some(options), body(spec))).await?;
        made.id.parse().map_err(|_| Error::Refused { detail: "Docker's answer has no valid container id".to_owned() })
    }

    /// Starts a container; one that runs already is left alone.
    pub async fn start(&self, which: impl Into<Which<'_>>) -> Result<(), Error> {
        let started = self.api.start_container(which.into().text(), None::<StartContainerOptions>);
        self.call("Starting a container", started).await
    }

    /// SIGTERM, and SIGKILL after so many seconds. Stopped already is fine.
    pub async fn stop(&self, which: impl Into<Which<'_>>, grace_s: u16) -> Result<(), Error> {
        let options = StopContainerOptionsBuilder::default().t(i32::from(grace_s)).build();
        let limit = CALL_LIMIT + Duration::from_secs(u64::from(grace_s));
        let stopped = self.api.stop_container(which.into().text(), Some(options));
        self.call_within("Stopping a container", limit, stopped).await
    }

    /// Removes a stopped container, not its named volumes. Gone already is fine; a running one is refused.
    pub async fn remove(&self, which: impl Into<Which<'_>>) -> Result<(), Error> {
        let options = RemoveContainerOptionsBuilder::default().v(false).force(false).build();
        let removed = self.api.remove_container(which.into().text(), Some(options));
        match self.call("Removing a container", removed).await {
            Ok(()) | Err(Error::NoSuchContainer) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The container, if it is on the host.
    pub async fn inspect(&self, which: impl Into<Which<'_>>) -> Result<Option<ContainerSeen>, Error> {
        let which = which.into();
        let asked = self.api.inspect_container(which.text(), None::<InspectContainerOptions>);
        let seen = match self.call("Looking at a container", asked).await {
            Ok(seen) => ContainerSeen::read(seen)?,
            Err(Error::NoSuchContainer) => return Ok(None),
            Err(error) => return Err(error),
        };
        // The daemon also takes the first digits of an id for a name: that is another container.
        let same = match which {
            Which::Id(id) => seen.id == *id,
            Which::Name(name) => seen.name == name.as_ref(),
        };
        Ok(same.then_some(seen))
    }

    /// Containers with this label and value, running or not.
    pub async fn list_by_label(&self, label: &'static str, value: &str) -> Result<Vec<ContainerLine>, Error> {
        let filters = HashMap::from([("label", vec![format!("{label}={value}")])]);
        let options = ListContainersOptionsBuilder::default().all(true).filters(&filters).build();
        let lines = self.call("Listing containers", self.api.list_containers(Some(options))).await?;
        lines.into_iter().map(ContainerLine::read).collect()
    }

    /// Every container on the host, foreign ones too, running or not.
    pub async fn list_all(&self) -> Result<Vec<ContainerLine>, Error> {
        let options = ListContainersOptionsBuilder::default().all(true).build();
        let lines = self.call("Listing containers", self.api.list_containers(Some(options))).await?;
        lines.into_iter().map(ContainerLine::read).collect()
    }

    /// Waits until the container has ended; its exit status. [`Error::TimedOut`] when `limit` is over.
    pub async fn wait(&self, which: impl Into<Which<'_>>, limit: Duration) -> Result<i64, Error> {
        const WHAT: &str = "Waiting for a container to end";
        let options = WaitContainerOptionsBuilder::default().condition("not-running").build();
        let mut waiting = Box::pin(self.api.wait_container(which.into().text(), Some(options)));
        match within(WHAT, limit, waiting.next()).await? {
            Some(Ok(end)) => Ok(end.status_code),
            Some(Err(bollard::errors::Error::DockerContainerWaitError { code, .. })) => Ok(code),
            Some(Err(error)) => Err(self.fault(WHAT, limit, error).await),
            None => Err(self
                .blame(Error::DockerUnavailable { detail: "it stopped while a container ran".to_owned() })
                .await),
        }
    }
}

/// Exactly what a release is: the same as its `run.bash` makes.
fn body(spec: &RunSpec) -> ContainerCreateBody {
    let mounts = spec.mounts.iter().map(|(volume, path)| Mount {
        target: Some(path.to_string()),
        source: Some(volume.to_string()),
        typ: Some(MountType::VOLUME),
        ..Default::default()
    });
    let restart = if spec.restart { RestartPolicyNameEnum::UNLESS_STOPPED } else { RestartPolicyNameEnum::NO };
    let log_options = LOG_OPTIONS.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let host = HostConfig {
        mounts: Some(mounts.collect()),
        network_mode: Some(spec.network.to_string()),
        restart_policy: Some(RestartPolicy { name: Some(restart), maximum_retry_count: None }),
        log_config: Some(HostConfigLogConfig { typ: Some(LOG_DRIVER.to_owned()), config: Some(log_options.collect()) }),
        memory: spec.memory_bytes,
        memory_swap: spec.memory_bytes,
        nano_cpus: spec.nano_cpus,
        ..Default::default()
    };
    let address =
        EndpointIpamConfig { ipv4_address: spec.address.map(|address| address.to_string()), ..Default::default() };
    let end = EndpointSettings { ipam_config: Some(address), ..Default::default() };
    ContainerCreateBody {
        image: Some(spec.image.to_string()),
        env: Some(spec.env.iter().map(|(name, value)| format!("{name}={value}")).collect()),
        cmd: (!spec.argv.is_empty()).then(|| spec.argv.clone()),
        labels: Some(labels(&spec.labels)),
        stop_timeout: Some(i64::from(spec.stop_grace_s)),
        host_config: Some(host),
        networking_config: Some(NetworkingConfig {
            endpoints_config: Some(HashMap::from([(spec.network.to_string(), end)])),
        }),
        ..Default::default()
    }
}
