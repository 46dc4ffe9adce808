//! The host key before anything is sent to a host: pinned where it is known, shown to a person where it is not.

use super::Broken;
use crate::db::{host_logins, hosts};
use crate::domain::host::is_loopback;
use crate::domain::ids::HostId;
use crate::domain::rights::Permit;
use crate::jobs::Ctx;
use crate::remote;
use crate::remote::keys::{self, HostKey};

/// What a look at a host's key came to.
pub(in crate::jobs) enum Seen {
    /// It has a pinned key.
    Pinned,
    /// It shows this one, which waits for a person.
    Waits(HostKey),
}

/// Sees to it that the host has a pinned key. On this machine's own loopback address nobody can stand in between: the
/// first key shown there is pinned. Anywhere else a person compares it first.
pub(in crate::jobs) async fn pin(ctx: &Ctx, permit: &Permit, host: HostId) -> Result<Seen, Broken> {
    let mut tx = ctx.db.begin(permit).await?;
    let row = host_logins::of(&mut tx, permit, &[host]).await?.pop();
    tx.commit().await?;
    let Some(row) = row.filter(|row| row.host_key.is_empty()) else { return Ok(Seen::Pinned) };
    let key = keys::scan_host_key(&row.address, u16::try_from(row.ssh_port).unwrap_or(22)).await?;
    let loopback = is_loopback(row.address.as_ref());
    let mut tx = ctx.db.begin(permit).await?;
    if loopback {
        hosts::pin(&mut tx, permit, host, &key.fingerprint).await?;
    } else {
        hosts::key_seen(&mut tx, permit, host, &key.fingerprint, &key.kind).await?;
    }
    tx.commit().await?;
    Ok(if loopback { Seen::Pinned } else { Seen::Waits(key) })
}

/// Keeps the key that was shown in place of the pinned one, for a person to look at.
pub(in crate::jobs) async fn note_changed(
    ctx: &Ctx,
    permit: &Permit,
    host: HostId,
    error: &remote::Error,
) -> Result<(), sqlx::Error> {
    let remote::Error::HostKeyChanged { seen } = error else { return Ok(()) };
    let mut tx = ctx.db.begin(permit).await?;
    hosts::key_seen(&mut tx, permit, host, seen, "").await?;
    tx.commit().await
}
