//! Why a job stops before its end, and how what went wrong outside becomes a reason people can read.

use crate::domain::deploy::Failure;
use crate::queue::Lost;
use crate::remote;

/// Why the work stops.
#[derive(Debug)]
pub enum Stop {
    /// It failed, for this reason.
    Failed(Failure),
    /// A person asked for it.
    Cancelled,
    /// Another worker has the job, or will have it: nothing may be written any more.
    Lost,
    /// The database went away: the job is begun again, and looks at the hosts first.
    Again(String),
}

/// Bytes of a foreign text that a failure quotes.
const MAX_DETAIL: usize = 600;

/// A foreign text, short enough to be quoted.
pub fn detail(text: impl std::fmt::Display) -> String {
    let text = text.to_string();
    match text.char_indices().nth(MAX_DETAIL) {
        Some((end, _)) => format!("{} …", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

/// Something of ours went wrong: logged here under an id, and the id is what people see.
pub fn internal(error: impl std::fmt::Display) -> Failure {
    let id = uuid::Uuid::new_v4().simple().to_string().chars().take(8).collect::<String>();
    tracing::error!(error.id = %id, %error, "A job failed for a reason of ours ({id})");
    Failure::Internal { id }
}

impl From<sqlx::Error> for Stop {
    fn from(error: sqlx::Error) -> Self {
        Self::Again(detail(error))
    }
}

impl From<Lost> for Stop {
    fn from(lost: Lost) -> Self {
        match lost {
            Lost::Taken => Self::Lost,
            Lost::Unknown(error) => error.into(),
        }
    }
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// What a host's answer means for a deploy.
pub fn on_host(host: &str, error: remote::Error) -> Stop {
    let host = host.to_owned();
    Stop::Failed(match error {
        remote::Error::DiskFull { .. } => Failure::DiskFull { host },
        remote::Error::DockerUnavailable { .. } => Failure::DockerUnavailable { host, detail: detail(error) },
        remote::Error::ProxyUnavailable { .. } => Failure::ProxyUnavailable { host, detail: detail(error) },
        error @ (remote::Error::Unreachable { .. }
        | remote::Error::TimedOut { .. }
        | remote::Error::HostKeyChanged { .. }
        | remote::Error::JumpKeyChanged { .. }
        | remote::Error::JumpKeyUnknown
        | remote::Error::JumpUnreachable { .. }
        | remote::Error::JumpAuthRefused
        | remote::Error::JumpForbids
        | remote::Error::BehindJump { .. }
        | remote::Error::AuthRefused
        | remote::Error::BadKey
        | remote::Error::ForwardingForbidden { .. }) => Failure::HostUnreachable { host, detail: detail(error) },
        other => Failure::HostRefused { host, detail: detail(other) },
    })
}
