//! Hosts: enrol, provision, look at. Not here: speaking to one; that is a job.

mod check;
mod edit;
mod forget;
mod https;
mod key;
mod part;
mod pass;
mod script;
mod team_key;
mod views;

pub use check::{CheckView, Difference, check};
pub use edit::edit;
pub use forget::forget;
pub use https::{NONE as NO_HTTPS, SetHttpsPort, set_https_port};
pub use key::confirm_key;
pub use part::set_part;
pub use pass::give_pass;
pub use script::{NewScript, script};
pub use views::{
    ConfirmHostKey, EditHost, ForgetHost, Forgotten, GivePass, HostLine, HostPart, HostView, InstanceLine,
    InstanceState, NewHost, SetHttpPort,
};

use serde_json::json;
use uuid::Uuid;

use super::fields::Fields;
use super::gate::{self, Open};
use super::routes::ports;
use super::{Ctx, Refused, apps, jobs, panel};
use crate::db::{self, Tx, audit};
use crate::domain::host::{fingerprint_line, is_loopback};
use crate::domain::ids::{HostId, JobId};
use crate::domain::names::{DisplayName, HostAddress, HostKey, Slug, SshUser};
use crate::domain::rights::{Actor, On, Permission, Permit};
use crate::jobs::check_host::CheckHost;
use crate::jobs::look_at_host::LookAtHost;
use crate::jobs::provision::{self, Provision};
use crate::queue::{self, Job, New};
use team_key::TeamKey;

/// Jobs on a host's page.
const JOBS: i64 = 10;
/// Instances on a host's page.
const INSTANCES: i64 = 500;

/// All hosts one may see.
pub async fn list(ctx: &Ctx, actor: &Actor) -> Result<Vec<HostLine>, Refused> {
    let Open { mut tx, permit, .. } = gate::team(ctx, actor).await?;
    let lines = lines(&mut tx, &permit, actor).await?;
    tx.commit().await?;
    Ok(lines)
}

/// The hosts one may see, in the caller's transaction.
pub(super) async fn lines(tx: &mut Tx<'_>, permit: &Permit, actor: &Actor) -> Result<Vec<HostLine>, Refused> {
    let rows = db::hosts::list(tx, permit, None).await?;
    let seen = |row: &db::hosts::Row| gate::sees(actor, On::host(actor.team(), row.id));
    Ok(rows.into_iter().filter(seen).map(line).collect())
}

/// The host of this short name.
pub async fn named(ctx: &Ctx, actor: &Actor, name: &str) -> Result<HostId, Refused> {
    let found = list(ctx, actor).await?.into_iter().find(|line| line.slug == name);
    found.map(|line| line.id).ok_or(Refused::NotFound)
}

/// One host.
pub async fn get(ctx: &Ctx, actor: &Actor, id: HostId) -> Result<HostView, Refused> {
    let Open { mut tx, permit, on } = gate::host(ctx, actor, id, Permission::View).await?;
    let row = db::hosts::list(&mut tx, &permit, Some(id)).await?.into_iter().next().ok_or(Refused::NotFound)?;
    let instances = db::instances::list(&mut tx, &permit, None, Some(id), INSTANCES).await?;
    let filter = db::jobs::Filter { host: Some(id), ..Default::default() };
    let jobs = jobs::lines(&mut tx, &permit, actor, &filter, JOBS).await?;
    let check = db::host_checks::last(&mut tx, &permit, id).await?.map(CheckView::from);
    let newest = jobs.iter().find(|job| job.kind == "provision").map(|job| job.id);
    let steps = match newest {
        Some(job) => jobs::steps(&mut tx, &permit, job).await?,
        None => Vec::new(),
    };
    let leaving = apps::left_on(&mut tx, &permit, actor, id).await?;
    tx.commit().await?;
    Ok(HostView {
        leaving,
        number: row.number,
        ssh_port: row.ssh_port,
        ssh_user: row.ssh_user.clone(),
        http_port: row.http_port,
        https_port: row.https_port,
        proxy_https_port: row.proxy_https_port,
        builds: row.builds,
        has_registry: row.registry_port.is_some(),
        private_address: row.private_address.clone().unwrap_or_default(),
        peer_address: row.peer_address.clone().unwrap_or_default(),
        public_key: row.ssh_public.clone(),
        host_key: row.host_key.clone(),
        host_key_seen: row.host_key_seen.clone(),
        host_key_line: fingerprint_line(&row.host_key_seen_kind),
        looking: jobs.iter().any(|job| job.kind == LookAtHost::KIND && !job.state.is_final()),
        checking: jobs.iter().any(|job| job.kind == CheckHost::KIND && !job.state.is_final()),
        check,
        loopback: row.jump_address.is_none() && is_loopback(&row.address),
        jump: row.jump().map(|jump| jump.to_string()).unwrap_or_default(),
        jump_host_key: row.jump_host_key.clone(),
        jump_key_seen: row.jump_key_seen.clone(),
        jump_key_line: fingerprint_line(&row.jump_key_seen_kind),
        jump_key_seen_kind: row.jump_key_seen_kind.clone(),
        pass_given_at: row.pass_given_at,
        host_key_seen_kind: row.host_key_seen_kind.clone(),
        created_at: row.created_at,
        line: line(row),
        instances: instances.into_iter().map(instance).collect(),
        jobs,
        steps,
        may_manage: actor.may(Permission::ManageHosts, on).is_ok(),
    })
}

/// Adds a host, which the team's key signs in to. Nothing is asked of the host yet.
pub async fn create(ctx: &Ctx, actor: &Actor, input: NewHost) -> Result<HostId, Refused> {
    let Open { mut tx, permit, .. } = gate::team_for(ctx, actor, Permission::ManageHosts).await?;
    let mut fields = Fields::default();
    let name = fields.text::<DisplayName>("name", &input.name);
    let address = fields.text::<HostAddress>("address", &input.address);
    let ssh_port = fields.number_or::<u16>("port", &input.port, 22, 1..=65535, "");
    let user = if input.user.trim().is_empty() { "root" } else { input.user.trim() };
    let ssh_user = fields.text::<SshUser>("user", user);
    let http_port = fields.number_or::<u16>("http_port", &input.http_port, 80, 1..=65535, "");
    let https_port = https::port(&mut fields, &input.https_port, http_port.map(i32::from));
    let host_key = fields.optional::<HostKey>("host_key", &input.host_key);
    let jump = edit::jump(&mut fields, &input.jump);
    let pass = pass::read(&mut fields, &input.pass).await;
    let known = db::hosts::list(&mut tx, &permit, None).await?;
    if name.as_ref().is_some_and(|name| known.iter().any(|row| row.name == name.as_ref())) {
        fields.wrong("name", "The team has a host of this name already.");
    }
    let through = jump.as_ref().and_then(Option::as_ref);
    let same = |row: &db::hosts::Row| edit::same(row, address.as_ref(), ssh_port, through);
    if let Some(row) = known.iter().find(|row| same(row)) {
        fields.wrong("address", format!("This is the host {} already.", row.name));
    }
    if !fields.fine() {
        return Err(fields.refuse());
    }
    let (Some(name), Some(address), Some(ssh_port), Some(ssh_user), Some(http_port), Some(https_port), Some(jump)) =
        (name, address, ssh_port, ssh_user, http_port, https_port, jump)
    else {
        return Err(fields.refuse());
    };

    let id = HostId(Uuid::now_v7());
    let TeamKey { secret: key, public } = team_key::of(ctx, &mut tx, &permit).await?;
    let taken: Vec<String> = known.into_iter().map(|row| row.slug).collect();
    let new = db::hosts::New {
        id,
        slug: &Slug::of(name.as_ref(), "host", &taken),
        name: &name,
        address: &address,
        ssh_port,
        ssh_user: &ssh_user,
        ssh_key: key,
        ssh_public: &public,
        host_key: host_key.as_ref().map_or("", AsRef::as_ref),
        http_port,
        https_port,
    };
    if db::hosts::insert(&mut tx, &permit, &new).await?.is_none() {
        return Err(Refused::Conflict("The panel has room for 252 hosts, and all places are taken.".into()));
    }
    if jump.is_some() {
        db::host_ways::set_jump(&mut tx, &permit, id, jump.as_ref()).await?;
    }
    // Apps have an address from the first deploy on, where one can be made without a record of anybody's.
    let made = panel::made_name_of(address.as_ref()).and_then(|name| name.parse().ok());
    if let Some(base) = &made {
        db::fronts::set_base_domain(&mut tx, &permit, id, Some(base)).await?;
    }
    if let Some(pass) = &pass {
        pass::keep(ctx, &mut tx, &permit, id, pass).await?;
    }
    let after = json!({ "address": address, "port": ssh_port, "user": ssh_user, "host_key": host_key,
        "jump host": jump.map(|jump| jump.to_string()), "pass given": pass.is_some() });
    record(&mut tx, &permit, "host.added", id, name.as_ref(), None, Some(after)).await?;
    tx.commit().await?;
    Ok(id)
}

/// The public line of the team's key, made where there is none yet: it can be pasted before the host is added.
pub async fn team_key(ctx: &Ctx, actor: &Actor) -> Result<String, Refused> {
    let Open { mut tx, permit, .. } = gate::team_for(ctx, actor, Permission::ManageHosts).await?;
    let key = team_key::of(ctx, &mut tx, &permit).await?;
    tx.commit().await?;
    Ok(key.public)
}

/// Has a look taken at the key a host shows, or its jump host, where none is pinned yet: nothing is sent to it. One look at a
/// time.
pub async fn look(ctx: &Ctx, actor: &Actor, id: HostId) -> Result<(), Refused> {
    let Open { mut tx, permit, .. } = gate::host(ctx, actor, id, Permission::ManageHosts).await?;
    let row = db::hosts::list(&mut tx, &permit, Some(id)).await?.into_iter().next().ok_or(Refused::NotFound)?;
    if row.busy.is_some() || !has_unknown_key(&row) {
        return Ok(());
    }
    push_look(&mut tx, &permit, actor, id, &row.name).await?;
    record(&mut tx, &permit, "host.looked_at", id, &row.name, None, None).await?;
    tx.commit().await?;
    Ok(())
}

/// True where the key of the host or of its jump host is not pinned.
fn has_unknown_key(row: &db::hosts::Row) -> bool {
    row.host_key.is_empty() || (row.jump_address.is_some() && row.jump_host_key.is_empty())
}

/// Asks for a look at its key.
async fn push_look(tx: &mut Tx<'_>, permit: &Permit, actor: &Actor, id: HostId, name: &str) -> Result<(), Refused> {
    let title = format!("Look at the key of {name}");
    let mut new = New::new(&title, actor.who().cause());
    new.lock_key = Some(provision::lock_key(id));
    new.host = Some(id);
    queue::push(tx, permit, &LookAtHost { host: id }, new).await?;
    Ok(())
}

/// Has a host made ready, or looked at again: a second run changes nothing that is right, and one that failed is begun
/// anew. Returns the job to watch; where one waits or runs already, that one.
pub async fn provision(ctx: &Ctx, actor: &Actor, id: HostId) -> Result<JobId, Refused> {
    let Open { mut tx, permit, .. } = gate::host(ctx, actor, id, Permission::ManageHosts).await?;
    let row = db::hosts::list(&mut tx, &permit, Some(id)).await?.into_iter().next().ok_or(Refused::NotFound)?;
    if let Some(job) = row.busy {
        return Ok(job);
    }
    let job = push_provision(&mut tx, &permit, actor, id, &row.name).await?;
    tx.commit().await?;
    Ok(job)
}

/// Asks for a host to be made ready.
async fn push_provision(
    tx: &mut Tx<'_>,
    permit: &Permit,
    actor: &Actor,
    id: HostId,
    name: &str,
) -> Result<JobId, Refused> {
    let title = format!("Make {name} ready");
    let mut new = New::new(&title, actor.who().cause());
    new.lock_key = Some(provision::lock_key(id));
    new.host = Some(id);
    let pushed = queue::push(tx, permit, &Provision { host: id }, new).await?;
    record(tx, permit, "host.provisioning", id, name, None, None).await?;
    Ok(pushed.job)
}

/// Gives a host's proxy another port, where 80 belongs to somebody else. Takes effect when the host is made ready again.
pub async fn set_http_port(ctx: &Ctx, actor: &Actor, id: HostId, input: SetHttpPort) -> Result<(), Refused> {
    let Open { mut tx, permit, .. } = gate::host(ctx, actor, id, Permission::ManageHosts).await?;
    let row = db::hosts::list(&mut tx, &permit, Some(id)).await?.into_iter().next().ok_or(Refused::NotFound)?;
    let mut fields = Fields::default();
    let port = fields.number::<u16>("http_port", &input.http_port, 1..=65535, "");
    if port.is_some_and(|port| i32::from(port) == row.ssh_port) {
        fields.wrong("http_port", "The host answers SSH on this port. Choose another, such as 8080.");
    }
    if port.is_some_and(|port| row.https_port == Some(i32::from(port))) {
        fields.wrong("http_port", "HTTPS has this port. Choose another, or give HTTPS another one first.");
    }
    if let Some(why) = ports::of_apps(&mut tx, &permit, id, port).await? {
        fields.wrong("http_port", why);
    }
    let (Some(port), true) = (port, fields.fine()) else { return Err(fields.refuse()) };
    db::hosts::set_http_port(&mut tx, &permit, id, port).await?;
    let (before, after) = (json!({ "http_port": row.http_port }), json!({ "http_port": port }));
    record(&mut tx, &permit, "host.port_changed", id, &row.name, Some(before), Some(after)).await?;
    tx.commit().await?;
    Ok(())
}

/// Writes an event about a host down.
async fn record(
    tx: &mut Tx<'_>,
    permit: &Permit,
    action: &'static str,
    id: HostId,
    name: &str,
    before: Option<serde_json::Value>,
    after: Option<serde_json::Value>,
) -> Result<(), Refused> {
    let event = audit::New { action, kind: "host", subject: Some(id.0), name, before, after };
    Ok(audit::record(tx, permit, event).await?)
}

/// A row as a line.
fn line(row: db::hosts::Row) -> HostLine {
    HostLine {
        id: row.id,
        slug: row.slug,
        name: row.name,
        address: row.address,
        state: row.state,
        note: row.note,
        facts: row.facts.0,
        instances: row.instances,
        seen_at: row.seen_at,
        busy: row.busy,
    }
}

/// A row as an instance's line.
pub(super) fn instance(row: db::instances::Row) -> InstanceLine {
    let state = match (row.kept, row.wanted, row.deploying) {
        (true, _, _) => InstanceState::Kept,
        (false, true, _) if row.host_silent => InstanceState::Unknown,
        (false, true, _) if row.seen == "ended" => InstanceState::Ended,
        (false, true, _) if row.seen == "missing" => InstanceState::Missing,
        (false, true, _) => InstanceState::Serving,
        (false, false, false) if row.stopped => InstanceState::Stopped,
        (false, false, true) => InstanceState::Starting,
        (false, false, false) => InstanceState::Leaving,
    };
    InstanceLine {
        id: row.id,
        name: row.name,
        app: row.app,
        app_name: row.app_name,
        host: row.host,
        host_name: row.host_name,
        number: row.number,
        position: row.position,
        address: row.address,
        container: row.container,
        state,
        seen: row.seen,
        seen_at: row.seen_at,
        created_at: row.created_at,
    }
}
