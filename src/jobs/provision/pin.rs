//! The host key before anything is sent to a host: pinned where it is known, shown to a person where it is not. A jump host
//! comes first, in the same way: through it the host is looked at.

use super::Broken;
use crate::access;
use crate::db::{host_logins, host_ways, hosts};
use crate::domain::host::{fingerprint_line, is_loopback};
use crate::domain::ids::HostId;
use crate::domain::rights::Permit;
use crate::jobs::Ctx;
use crate::remote;
use crate::remote::keys::{self, HostKey};

/// What a look at a host's key came to.
pub(in crate::jobs) enum Seen {
    /// It has a pinned key, and so has its jump host.
    Pinned,
    /// One of them shows this key, which waits for a person.
    Waits(Waits),
}

/// A key that waits for a person.
pub(in crate::jobs) struct Waits {
    /// True where it is the jump host's.
    jump: bool,
    key: HostKey,
}

impl Waits {
    fn whose(&self) -> &'static str {
        if self.jump { "jump host" } else { "server" }
    }

    /// In a few words, for a step.
    pub(in crate::jobs) fn words(&self) -> String {
        format!("the {} shows the {} key {}", self.whose(), self.key.kind, self.key.fingerprint)
    }

    /// What to do about it.
    pub(super) fn sentence(&self) -> String {
        let whose = self.whose();
        format!(
            "The {whose} shows the {} key {}. Compare it with what {} says on the {whose}, confirm it on the host's page, \
             and try again.",
            self.key.kind,
            self.key.fingerprint,
            fingerprint_line(&self.key.kind),
        )
    }
}

/// Sees to it that the host has a pinned key, and its jump host too. On this machine's own loopback address nobody can stand
/// in between: the first key shown there is pinned. Anywhere else a person compares it first.
pub(in crate::jobs) async fn pin(ctx: &Ctx, permit: &Permit, host: HostId) -> Result<Seen, Broken> {
    if let Some(waits) = pin_jump(ctx, permit, host).await? {
        return Ok(Seen::Waits(waits));
    }
    let Some(login) = access::login_of(&ctx.access(), permit, host).await? else { return Ok(Seen::Pinned) };
    let login = login?;
    if !login.host_key.is_empty() {
        return Ok(Seen::Pinned);
    }
    let key = match keys::scan_through(&login).await {
        Ok(key) => key,
        Err(error) => {
            // The jump host may show another key than its pinned one: somebody has to see it.
            note_changed(ctx, permit, host, &error).await?;
            return Err(error.into());
        }
    };
    // What the jump host calls loopback is another machine's.
    let loopback = login.jump.is_none() && is_loopback(login.address.as_ref());
    let mut tx = ctx.db.begin(permit).await?;
    if loopback {
        hosts::pin(&mut tx, permit, host, &key.fingerprint).await?;
    } else {
        hosts::key_seen(&mut tx, permit, host, &key.fingerprint, &key.kind).await?;
    }
    tx.commit().await?;
    Ok(if loopback { Seen::Pinned } else { Seen::Waits(Waits { jump: false, key }) })
}

/// The jump host's key, where it waits for a person now.
async fn pin_jump(ctx: &Ctx, permit: &Permit, host: HostId) -> Result<Option<Waits>, Broken> {
    let mut tx = ctx.db.begin(permit).await?;
    let row = host_logins::of(&mut tx, permit, &[host]).await?.pop();
    tx.commit().await?;
    let Some(row) = row.filter(|row| row.jump_host_key.is_empty()) else { return Ok(None) };
    let (Some(address), Some(port)) = (row.jump_address, row.jump_port) else { return Ok(None) };
    let key = keys::scan_host_key(&address, u16::try_from(port).unwrap_or(22)).await.map_err(as_jump)?;
    let loopback = is_loopback(address.as_ref());
    let mut tx = ctx.db.begin(permit).await?;
    if loopback {
        host_ways::pin_jump(&mut tx, permit, host, &key.fingerprint).await?;
    } else {
        host_ways::jump_key_seen(&mut tx, permit, host, &key.fingerprint, &key.kind).await?;
    }
    tx.commit().await?;
    Ok(if loopback { None } else { Some(Waits { jump: true, key }) })
}

/// What went wrong on the way to a jump host, told as such.
fn as_jump(error: remote::Error) -> remote::Error {
    match error {
        remote::Error::Unreachable { detail } => remote::Error::JumpUnreachable { detail },
        remote::Error::TimedOut { after, .. } => {
            remote::Error::JumpUnreachable { detail: format!("no answer within {} s", after.as_secs()) }
        }
        other => other,
    }
}

/// Keeps the key that was shown in place of the pinned one, for a person to look at.
pub(in crate::jobs) async fn note_changed(
    ctx: &Ctx,
    permit: &Permit,
    host: HostId,
    error: &remote::Error,
) -> Result<(), sqlx::Error> {
    let mut tx = ctx.db.begin(permit).await?;
    match error {
        remote::Error::HostKeyChanged { seen } => hosts::key_seen(&mut tx, permit, host, seen, "").await?,
        remote::Error::JumpKeyChanged { seen } => host_ways::jump_key_seen(&mut tx, permit, host, seen, "").await?,
        _ => {}
    }
    tx.commit().await
}
