//! A release: image + configuration + secret versions, immutable, numbered v1, v2 … per app.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use super::app::Spec;
use super::ids::{AppId, EnvironmentId, HostId, ReleaseId, SecretId};
use super::names::{CommitId, ImageId, ImageRef};

/// What a release runs. Stored as JSON, never changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// Its identity.
    pub id: ReleaseId,
    /// The app it belongs to.
    pub app: AppId,
    /// The environment: it decides the network.
    pub environment: EnvironmentId,
    /// 1, 2, … per app.
    pub number: i32,
    /// The image's id: the same content on every host.
    pub image_id: ImageId,
    /// The name the image is fetched by and tagged with on hosts.
    pub image: ImageRef,
    /// The configuration.
    pub spec: Spec,
    /// The version of each secret the release was made with.
    pub secret_versions: BTreeMap<SecretId, i32>,
    /// The hosts and how many instances on each.
    pub placement: Vec<Place>,
    /// The commit the image was built from, if it was built.
    pub commit: Option<Commit>,
}

impl Release {
    /// The same image, configuration and secrets as a release of its own, on other places.
    pub fn placed_anew(self, id: ReleaseId, number: i32, placement: Vec<Place>) -> Self {
        let mut spec = self.spec;
        spec.instances = instances(&placement);
        Self { id, number, spec, placement, ..self }
    }
}

/// Instances of a placement in all.
pub fn instances(placement: &[Place]) -> u16 {
    placement.iter().fold(0, |sum: u16, place| sum.saturating_add(place.instances))
}

/// So many instances on one host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The host.
    pub host: HostId,
    /// Instances there, at least 1.
    pub instances: u16,
}

/// A commit as history shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commit {
    /// The full id.
    pub id: CommitId,
    /// The author's name, as git has it: hostile text.
    pub author: String,
    /// The first line of the message, at most 200 characters: hostile text.
    pub subject: String,
}
