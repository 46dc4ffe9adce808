//! Where an app's code or image comes from.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use super::ids::SecretId;
use super::names::{BranchName, BuildTarget, EnvName, EnvValue, GitUrl, ImageRef, PlainName, RepoPath};

/// A source: a git repository to build from, or an image to run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "from")]
pub enum Source {
    /// A repository with a Dockerfile.
    Git(Git),
    /// An image by name.
    Image(Image),
}

/// A git repository and how it is built.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Git {
    /// The address.
    pub url: GitUrl,
    /// The branch whose head is deployed.
    pub branch: BranchName,
    /// How Skiff shows who it is.
    pub access: GitAccess,
    /// The Dockerfile, relative to the repository's root.
    pub dockerfile: RepoPath,
    /// The folder sent to the builder, relative to the root.
    pub context: RepoPath,
    /// The stage to build, or the last one.
    pub target: Option<BuildTarget>,
    /// Build arguments. They are visible in the image: never secrets.
    pub args: BTreeMap<EnvName, EnvValue>,
    /// Secrets mounted while building, by id (`RUN --mount=type=secret,id=…`); never in a layer.
    pub secrets: BTreeMap<PlainName, SecretId>,
}

/// How a repository is opened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "by")]
pub enum GitAccess {
    /// Anyone may read it.
    Public,
    /// A key pair made by Skiff; the public half stands beside, the private half is sealed.
    DeployKey {
        /// The sealed private key (OpenSSH format).
        key: SecretId,
        /// The line to paste at the forge.
        public: String,
    },
    /// A token, sent as the password over https.
    Token {
        /// The user name that goes with it (`git` where the forge does not care).
        user: String,
        /// The sealed token.
        token: SecretId,
    },
}

/// An image by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// The name; without tag and digest, `latest` is meant.
    pub image: ImageRef,
    /// The registry's credentials where it needs them.
    pub login: Option<RegistryLogin>,
}

/// Credentials of a registry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegistryLogin {
    /// The user.
    pub user: String,
    /// The sealed password or token.
    pub password: SecretId,
}
