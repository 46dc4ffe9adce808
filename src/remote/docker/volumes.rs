//! Volumes: of the local driver, without options. Removed only by name, by whoever was told to.

use bollard::models::VolumeCreateRequest;
use bollard::query_parameters::RemoveVolumeOptions;

use super::{Docker, Made, labels};
use crate::domain::names::VolumeName;
use crate::remote::error::Error;

impl Docker {
    /// True where the volume is on the host.
    pub async fn volume_exists(&self, name: &VolumeName) -> Result<bool, Error> {
        match self.call("Looking for a volume", self.api.inspect_volume(name.as_ref())).await {
            Ok(_) => Ok(true),
            Err(Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Makes the volume unless it is there.
    pub async fn volume_ensure(&self, name: &VolumeName, marks: &[(&'static str, String)]) -> Result<Made, Error> {
        if self.volume_exists(name).await? {
            return Ok(Made::Existed);
        }
        let request = VolumeCreateRequest {
            name: Some(name.to_string()),
            driver: Some("local".to_owned()),
            labels: Some(labels(marks)),
            ..Default::default()
        };
        self.call("Making a volume", self.api.create_volume(request)).await?;
        Ok(Made::Created)
    }

    /// Removes a volume with all that is in it; refused by Docker while a container has it. Gone already is fine.
    pub async fn volume_remove(&self, name: &VolumeName) -> Result<(), Error> {
        let removal = self.api.remove_volume(name.as_ref(), None::<RemoveVolumeOptions>);
        match self.call("Removing a volume", removal).await {
            Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }
}
