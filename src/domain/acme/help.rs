//! Where the docs say more about each trouble.

use super::Trouble;
use crate::domain::help::Topic;

impl Trouble {
    /// The place in the docs.
    pub fn help(&self) -> Topic {
        match self {
            Self::NoAddress { .. } | Self::Elsewhere { .. } | Self::LookUp { .. } => Topic::CertificateDns,
            Self::PortClosed { .. } => Topic::CertificatePort,
            Self::OtherAnswer { .. } => Topic::CertificateOther,
            Self::Caa { .. } => Topic::CertificateCaa,
            Self::NotProven { .. } | Self::NotFound { .. } => Topic::CertificateProof,
            Self::NotSeen { .. } | Self::DnsAccount { .. } => Topic::CertificateRecord,
            Self::RateLimited { .. } => Topic::CertificateLimit,
            Self::Paused { .. } => Topic::CertificatePaused,
            Self::Account { .. } | Self::Binding { .. } => Topic::CertificateAccount,
            Self::ServerDown { .. } => Topic::AuthorityAway,
            Self::Clock { .. } => Topic::PanelClock,
            Self::Untrusted { .. } => Topic::AuthorityUntrusted,
            Self::Refused { .. } => Topic::CertificateRefused,
        }
    }
}
