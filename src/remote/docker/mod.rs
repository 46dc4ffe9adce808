//! Docker of one host, through its API over SSH. The only user of the client library: that one joins strings into URL
//! paths unchecked, so nothing but checked names goes in. Never calls any `prune`.

mod build;
mod containers;
mod exec;
mod fault;
mod images;
mod inspection;
mod logs;
mod networks;
mod seen;
mod session;
mod status;
mod trace;
mod transport;
mod volumes;

use bollard::Docker as Api;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::error::Error;
use super::link::Link;
use super::session::within;
use transport::{Kind, Transport};

pub use build::{BuildEvent, BuildRequest, BuildSecret};
pub use containers::Which;
pub use exec::Executed;
pub use images::{ImageName, PullProgress};
pub use inspection::{Inspection, Processes};
pub use logs::{Following, LogLine, Reading, TAIL_LINES};
pub use seen::{ContainerLine, ContainerSeen, ImageSeen, NetworkLine, NetworkSeen};
pub use status::{DockerInfo, DockerVersion};

/// A short call answers in milliseconds; a daemon under load, or creating a container on a slow disk, in seconds.
pub const CALL_LIMIT: Duration = Duration::from_secs(60);

/// Whether something had to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Made {
    /// It was not there.
    Created,
    /// It was there, as wanted.
    Existed,
}

/// Docker of one host; cheap to clone.
#[derive(Clone)]
pub struct Docker {
    api: Api,
    transport: Arc<Transport>,
}

impl Docker {
    /// For short calls.
    pub(crate) fn control(link: Arc<Link>, socket: &'static str) -> Self {
        Self::over(Transport::new(link, socket, Kind::Control))
    }

    /// For long calls.
    pub(crate) fn bulk(link: Arc<Link>, socket: &'static str) -> Self {
        Self::over(Transport::new(link, socket, Kind::Bulk))
    }

    fn over(transport: Arc<Transport>) -> Self {
        Self { api: transport.api(), transport }
    }

    /// The same Docker on a connection of its own, for one transfer that goes at its reader's pace.
    fn apart(&self) -> Self {
        Self::over(self.transport.apart())
    }

    /// A call with a limit, its error put into our words.
    async fn call<T>(
        &self,
        what: &'static str,
        asking: impl Future<Output = Result<T, bollard::errors::Error>>,
    ) -> Result<T, Error> {
        self.call_within(what, CALL_LIMIT, asking).await
    }

    /// A call with another limit.
    async fn call_within<T>(
        &self,
        what: &'static str,
        limit: Duration,
        asking: impl Future<Output = Result<T, bollard::errors::Error>>,
    ) -> Result<T, Error> {
        match within(what, limit, self.transport.watch(asking)).await?? {
            Ok(answer) => Ok(answer),
            Err(error) => Err(self.fault(what, limit, error).await),
        }
    }

    /// An error of the library in our words.
    async fn fault(&self, what: &'static str, limit: Duration, error: bollard::errors::Error) -> Error {
        self.blame(fault::of(what, limit, error)).await
    }

    /// An answer that breaks off is Docker's fault only where the host itself still answers.
    async fn blame(&self, error: Error) -> Error {
        match error {
            Error::DockerUnavailable { detail } if !self.transport.host_lives().await => {
                Error::Unreachable { detail: self.transport.on_the_way(detail) }
            }
            other => other,
        }
    }
}

/// Labels as the library wants them.
fn labels(labels: &[(&'static str, String)]) -> HashMap<String, String> {
    labels.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
}
