//! Where the docs say more about each reason of the closed list.

use super::Failure;
use crate::domain::help::Topic;

impl Failure {
    /// The place in the docs.
    pub fn help(&self) -> Topic {
        match self {
            Self::DidNotStart { .. } => Topic::DidNotStart,
            Self::Exited { .. } => Topic::EndedByItself,
            Self::OutOfMemory { .. } => Topic::OutOfMemory,
            Self::PortNeverOpened { .. } => Topic::PortNeverOpened,
            Self::HealthRefused { .. } => Topic::HealthRefused,
            Self::HealthTimedOut { .. } => Topic::HealthSilent,
            Self::HealthAnswered { .. } => Topic::HealthAnswered,
            Self::HealthRedirected { .. } => Topic::HealthRedirected,
            Self::HealthCommand { .. } => Topic::HealthCommand,
            Self::ImageNotFound { .. } => Topic::ImageNotFound,
            Self::ImageDenied { .. } => Topic::ImageDenied,
            Self::RegistryUnreachable { .. } => Topic::RegistryUnreachable,
            Self::BuildFailed { .. } => Topic::BuildFailed,
            Self::SourceUnreachable { .. } => Topic::SourceUnreachable,
            Self::SourceDenied => Topic::SourceDenied,
            Self::BranchNotFound { .. } => Topic::BranchNotFound,
            Self::CommitNotFound { .. } => Topic::CommitNotFound,
            Self::NoDockerfile { .. } | Self::NotRecognised { .. } => Topic::NoDockerfile,
            Self::SourceUnsupported { .. } => Topic::SourceUnsupported,
            Self::DiskFull { .. } => Topic::HostDisk,
            Self::HostUnreachable { .. } => Topic::HostAway,
            Self::HostRefused { .. } => Topic::HostRefused,
            Self::DockerUnavailable { .. } => Topic::DockerAway,
            Self::ProxyUnavailable { .. } => Topic::ProxyAway,
            Self::NotReachedThroughProxy { .. } => Topic::NotReachedThroughProxy,
            Self::TurnedBad { .. } => Topic::TurnedBad,
            Self::Refused { .. } => Topic::PlanRefused,
            Self::SecretUnreadable { .. } => Topic::SecretUnreadable,
            Self::TookTooLong { .. } => Topic::TookTooLong,
            Self::Internal { .. } => Topic::Internal,
        }
    }
}
