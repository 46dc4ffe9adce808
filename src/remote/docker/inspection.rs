//! Everything a daemon says about a container, without the values of its environment: secrets stand there. They end here,
//! so that no page can show what it was never given.

use bollard::query_parameters::{InspectContainerOptions, TopOptionsBuilder};
use serde_json::Value;
use std::time::Duration;

use super::Docker;
use super::containers::Which;
use crate::remote::error::{Error, detail};

/// A page waits for it, and says so where it takes longer.
const LOOK_LIMIT: Duration = Duration::from_secs(5);
/// Processes of one container that are told: more is a fork bomb.
const PROCESSES: usize = 200;
/// What is asked of each; `ps` of the host is asked, not one in the container.
const PS: &str = "-eo pid,user,etime,rss,args";

/// A container as the daemon describes it.
#[derive(Clone, Debug)]
pub struct Inspection {
    /// Its description, without the environment.
    pub raw: Value,
    /// The names in its environment.
    pub env: Vec<String>,
}

/// Its processes.
#[derive(Clone, Debug, Default)]
pub struct Processes {
    /// The heads of the columns.
    pub heads: Vec<String>,
    /// A row for each, at most 200.
    pub rows: Vec<Vec<String>>,
}

impl Docker {
    /// All about a container, if it is on the host.
    pub async fn inspection(&self, which: impl Into<Which<'_>>) -> Result<Option<Inspection>, Error> {
        let asked = self.api.inspect_container(which.into().text(), None::<InspectContainerOptions>);
        let mut seen = match self.call_within("Looking at a container", LOOK_LIMIT, asked).await {
            Ok(seen) => seen,
            Err(Error::NoSuchContainer) => return Ok(None),
            Err(error) => return Err(error),
        };
        let env = seen.config.as_mut().and_then(|config| config.env.take()).unwrap_or_default();
        let name = |entry: &String| entry.split('=').next().unwrap_or_default().to_owned();
        let env = env.iter().map(name).collect();
        let raw = serde_json::to_value(&seen).map_err(|error| Error::Refused { detail: detail(error) })?;
        Ok(Some(Inspection { raw, env }))
    }

    /// The processes of a running container.
    pub async fn processes(&self, which: impl Into<Which<'_>>) -> Result<Processes, Error> {
        let options = TopOptionsBuilder::default().ps_args(PS).build();
        let asked = self.api.top_processes(which.into().text(), Some(options));
        let seen = self.call_within("Listing processes", LOOK_LIMIT, asked).await?;
        let rows = seen.processes.unwrap_or_default().into_iter().take(PROCESSES).collect();
        Ok(Processes { heads: seen.titles.unwrap_or_default(), rows })
    }
}
