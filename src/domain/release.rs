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
