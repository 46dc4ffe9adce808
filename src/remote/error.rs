//! What can go wrong with a host, named for what one can do about it. The texts are sentences a person can read;
//! `detail` is what the host said, cut to [`DETAIL_BYTES`]: hostile text.

use std::time::Duration;

use crate::domain::help::Topic;

/// A host's own words are cut here: a sentence needs no more, and a host could send megabytes.
pub const DETAIL_BYTES: usize = 600;

/// Why something on a host did not happen.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No SSH connection could be made, or it broke.
    #[error("The host does not answer by SSH ({detail}). Check that it runs and that its address and port are right.")]
    Unreachable {
        /// What the network said.
        detail: String,
    },
    /// The host showed another key than the pinned one. Nothing was sent to it.
    #[error("The host shows another key ({seen}) than the one accepted when it was added. Nothing was sent to it.")]
    HostKeyChanged {
        /// The fingerprint it showed.
        seen: String,
    },
    /// The jump host showed another key than the pinned one. Nothing was sent to it, nor to the host behind it.
    #[error(
        "The jump host shows another key ({seen}) than the one accepted before. Nothing was sent to it, nor to the host behind it."
    )]
    JumpKeyChanged {
        /// The fingerprint it showed.
        seen: String,
    },
    /// Nobody has confirmed the jump host's key yet.
    #[error(
        "The key of the jump host is not confirmed yet, so nothing is sent through it. Look at it on the host's page and confirm it."
    )]
    JumpKeyUnknown,
    /// No SSH connection to the jump host could be made.
    #[error(
        "The jump host does not answer by SSH ({detail}). Check that it runs and that its address and port are right."
    )]
    JumpUnreachable {
        /// What the network said.
        detail: String,
    },
    /// The jump host accepted neither our key nor user.
    #[error("The jump host refuses our key for this user. Add the public key to its authorized_keys as well.")]
    JumpAuthRefused,
    /// The jump host's sshd forbids forwarding to ports.
    #[error(
        "The jump host's sshd forbids forwarding. Set AllowTcpForwarding yes in its /etc/ssh/sshd_config (and neither DisableForwarding nor a PermitOpen that leaves the host out), and reload it."
    )]
    JumpForbids,
    /// The jump host answers, and the host behind it does not answer to it.
    #[error(
        "The host does not answer the jump host ({detail}). Check that it runs, and that its address and port are right as seen from the jump host."
    )]
    BehindJump {
        /// What the jump host said.
        detail: String,
    },
    /// What was given to sign in with once was not taken: a sentence.
    #[error("{detail}")]
    PassRefused {
        /// Why, and what to try.
        detail: &'static str,
    },
    /// The host accepted neither our key nor user.
    #[error("The host refuses our key for this user. Add the public key to its authorized_keys.")]
    AuthRefused,
    /// The private key given could not be read.
    #[error("The private key for this host cannot be read: it must be an OpenSSH key without a passphrase.")]
    BadKey,
    /// sshd forbids forwarding to sockets or ports.
    #[error("The host's sshd forbids forwarding, which Skiff reaches Docker and the proxy by. {change}")]
    ForwardingForbidden {
        /// What to change, and where: one or more sentences.
        change: String,
    },
    /// The Docker socket is not there, or the user may not open it.
    #[error(
        "Docker does not answer on the host ({detail}). Check that it runs and that the user is in the group docker."
    )]
    DockerUnavailable {
        /// What was tried.
        detail: String,
    },
    /// HAProxy's socket is not there, or the user may not open it.
    #[error("HAProxy does not answer on the host ({detail}). Check that skiff-haproxy runs.")]
    ProxyUnavailable {
        /// What was tried.
        detail: String,
    },
    /// HAProxy answered a command with a refusal.
    #[error("HAProxy refused: {detail}")]
    ProxyRefused {
        /// Its answer.
        detail: String,
    },
    /// No image of that name, neither on the host nor in the registry asked.
    #[error("There is no such image: {detail}")]
    NoSuchImage {
        /// What Docker or the registry said.
        detail: String,
    },
    /// No container of that name or id on the host.
    #[error("There is no such container on the host.")]
    NoSuchContainer,
    /// No network, volume or file of that name on the host.
    #[error("Not found on the host: {detail}")]
    NotFound {
        /// What was looked for.
        detail: String,
    },
    /// The registry wants other credentials, or has no such repository: it says the same for both.
    #[error("The registry refuses access ({detail}). Check the name, the user and the token.")]
    RegistryDenied {
        /// What it said.
        detail: String,
    },
    /// The registry could not be reached from the host.
    #[error("The host cannot reach the registry: {detail}")]
    RegistryUnreachable {
        /// What Docker said.
        detail: String,
    },
    /// A container, network or volume of that name exists already.
    #[error("The name is taken on the host: {detail}")]
    NameTaken {
        /// What Docker said.
        detail: String,
    },
    /// The fixed address is used by another container.
    #[error("The address is used by another container: {detail}")]
    AddressTaken {
        /// What Docker said.
        detail: String,
    },
    /// No space left where Docker or the files are.
    #[error("The host's disk is full: {detail}")]
    DiskFull {
        /// What said so.
        detail: String,
    },
    /// A build failed at a step of the Dockerfile.
    #[error("The build failed: {detail}")]
    BuildFailed {
        /// The builder's words.
        detail: String,
    },
    /// The host's Docker cannot mount build secrets.
    #[error(
        "This host's Docker cannot mount build secrets: it has no BuildKit. Build without secrets, or on another host."
    )]
    SecretsUnsupported,
    /// A limit of ours was over before an answer came.
    #[error("{what} took longer than {} s.", after.as_secs_f32())]
    TimedOut {
        /// What was waited for.
        what: &'static str,
        /// The limit.
        after: Duration,
    },
    /// The host sent more than we take.
    #[error("{what} is larger than {limit} bytes.")]
    TooMuch {
        /// What was read.
        what: &'static str,
        /// The limit in bytes.
        limit: u64,
    },
    /// The host answered, and the answer was no.
    #[error("The host refused: {detail}")]
    Refused {
        /// Its words.
        detail: String,
    },
}

impl Error {
    /// A refusal of ours, before the host was asked.
    pub fn refused(detail: &str) -> Self {
        Self::Refused { detail: detail.to_owned() }
    }

    /// Where the docs say more.
    pub fn help(&self) -> Topic {
        match self {
            Self::Unreachable { .. } | Self::TimedOut { .. } => Topic::HostAway,
            Self::HostKeyChanged { .. } => Topic::HostKeyChanged,
            Self::JumpKeyChanged { .. }
            | Self::JumpKeyUnknown
            | Self::JumpUnreachable { .. }
            | Self::JumpAuthRefused
            | Self::JumpForbids
            | Self::BehindJump { .. } => Topic::JumpHost,
            Self::PassRefused { .. } => Topic::PassRefused,
            Self::AuthRefused | Self::BadKey => Topic::KeyRefused,
            Self::ForwardingForbidden { .. } => Topic::Forwarding,
            Self::DockerUnavailable { .. } => Topic::DockerAway,
            Self::ProxyUnavailable { .. } | Self::ProxyRefused { .. } => Topic::ProxyAway,
            Self::NoSuchImage { .. } => Topic::ImageNotFound,
            Self::RegistryDenied { .. } => Topic::ImageDenied,
            Self::RegistryUnreachable { .. } => Topic::RegistryUnreachable,
            Self::BuildFailed { .. } | Self::SecretsUnsupported => Topic::BuildFailed,
            Self::DiskFull { .. } => Topic::HostDisk,
            Self::NoSuchContainer
            | Self::NotFound { .. }
            | Self::NameTaken { .. }
            | Self::AddressTaken { .. }
            | Self::TooMuch { .. }
            | Self::Refused { .. } => Topic::HostRefused,
        }
    }

    /// True where nothing but the connection failed: the same call may succeed in a while.
    pub fn is_connection(&self) -> bool {
        match self {
            Self::Unreachable { .. }
            | Self::TimedOut { .. }
            | Self::JumpUnreachable { .. }
            | Self::BehindJump { .. } => true,
            Self::HostKeyChanged { .. }
            | Self::JumpKeyChanged { .. }
            | Self::JumpKeyUnknown
            | Self::JumpAuthRefused
            | Self::JumpForbids
            | Self::PassRefused { .. }
            | Self::AuthRefused
            | Self::BadKey
            | Self::ForwardingForbidden { .. }
            | Self::DockerUnavailable { .. }
            | Self::ProxyUnavailable { .. }
            | Self::ProxyRefused { .. }
            | Self::NoSuchImage { .. }
            | Self::NoSuchContainer
            | Self::NotFound { .. }
            | Self::RegistryDenied { .. }
            | Self::RegistryUnreachable { .. }
            | Self::NameTaken { .. }
            | Self::AddressTaken { .. }
            | Self::DiskFull { .. }
            | Self::BuildFailed { .. }
            | Self::SecretsUnsupported
            | Self::TooMuch { .. }
            | Self::Refused { .. } => false,
        }
    }
}

/// A host's words, cut and on one line.
pub(crate) fn detail(words: impl std::fmt::Display) -> String {
    let text: String = words.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
    match text.char_indices().nth(DETAIL_BYTES) {
        Some((end, _)) => text.get(..end).map(|cut| format!("{cut}…")).unwrap_or_default(),
        None => text,
    }
}
