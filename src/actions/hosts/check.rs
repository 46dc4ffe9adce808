//! Whether a host is still as it was made: asked for, and what came of it. Not here: looking; that is a job.

use time::OffsetDateTime;

use super::record;
use crate::actions::gate::{self, Open};
use crate::actions::{Ctx, Refused};
use crate::db::host_checks::{self, Row};
use crate::domain::host::HostState;
use crate::domain::ids::{HostId, JobId};
use crate::domain::rights::{Actor, Permission};
use crate::jobs::check_host::{self, CheckHost};
use crate::queue::{self, New};

pub use crate::domain::host_check::Difference;

/// What came of the last check.
#[derive(Clone, Debug)]
pub struct CheckView {
    /// When that was.
    pub at: OffsetDateTime,
    /// What differs; nothing where all is as it should be.
    pub differences: Vec<Difference>,
    /// Why the host could not be looked at; empty where it could.
    pub failed: String,
}

impl From<Row> for CheckView {
    fn from(row: Row) -> Self {
        Self { at: row.at, differences: row.checked.0.differences, failed: row.checked.0.failed }
    }
}

/// Has a host looked at, and nothing changed there. Returns the job to watch; where one waits or runs already, that one.
pub async fn check(ctx: &Ctx, actor: &Actor, id: HostId) -> Result<JobId, Refused> {
    let Open { mut tx, permit, .. } = gate::host(ctx, actor, id, Permission::ManageHosts).await?;
    let now = host_checks::now(&mut tx, &permit, id).await?.ok_or(Refused::NotFound)?;
    let name = &now.name;
    if now.provisioning.is_some() {
        return Err(Refused::Conflict(format!(
            "{name} is being made ready, which looks at everything. Check it after that."
        )));
    }
    match now.state {
        HostState::New => {
            return Err(Refused::Conflict(format!("{name} is not ready. Make it ready: that looks at everything.")));
        }
        HostState::KeyMismatch => {
            return Err(Refused::Conflict(format!(
                "{name} shows another host key than the pinned one, so it is not spoken to. Look at that first, on its page."
            )));
        }
        HostState::Ready | HostState::Unreachable => {}
    }
    if let Some(job) = now.checking {
        return Ok(job);
    }
    let title = format!("Check {name}");
    let mut new = New::new(&title, actor.who().cause());
    new.lock_key = Some(check_host::lock_key(id));
    new.host = Some(id);
    let pushed = queue::push(&mut tx, &permit, &CheckHost { host: id }, new).await?;
    record(&mut tx, &permit, "host.check_asked", id, name, None, None).await?;
    tx.commit().await?;
    Ok(pushed.job)
}
