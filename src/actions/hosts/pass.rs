//! A password or a private key that is given for one sign-in: sealed until the host is made ready, used once there and
//! forgotten. Not here: using it.

use uuid::Uuid;

use super::{GivePass, push_provision, record};
use crate::actions::fields::Fields;
use crate::actions::gate::{self, Open};
use crate::actions::{Ctx, Refused};
use crate::db::{self, Tx};
use crate::domain::ids::{HostId, JobId};
use crate::domain::rights::{Actor, Permission, Permit};
use crate::domain::secret::Secret;
use crate::remote::Pass;
use crate::vault::Context;

/// The longest password that is taken: sshd takes no more.
const PASSWORD_BYTES: usize = 1024;
/// The longest key: one of 16384 bits has 13 KiB.
const KEY_BYTES: usize = 64 * 1024;

/// Gives a host something to sign in with once. Where its key is confirmed, it is made ready with it now; that job.
pub async fn give_pass(ctx: &Ctx, actor: &Actor, id: HostId, input: GivePass) -> Result<Option<JobId>, Refused> {
    let Open { mut tx, permit, .. } = gate::host(ctx, actor, id, Permission::ManageHosts).await?;
    let row = db::hosts::list(&mut tx, &permit, Some(id)).await?.into_iter().next().ok_or(Refused::NotFound)?;
    let mut fields = Fields::default();
    let pass = read(&mut fields, &input).await;
    if pass.is_none() && fields.fine() {
        fields.wrong("password", "Give the user's password, or a private key.");
    }
    let (Some(pass), true) = (pass, fields.fine()) else { return Err(fields.refuse()) };
    if row.busy.is_some() {
        return Err(Refused::Conflict(format!(
            "{} is being made ready. Wait for the end of that, or cancel it.",
            row.name
        )));
    }
    keep(ctx, &mut tx, &permit, id, &pass).await?;
    record(&mut tx, &permit, "host.pass_given", id, &row.name, None, None).await?;
    let known = !row.host_key.is_empty() && (row.jump_address.is_none() || !row.jump_host_key.is_empty());
    let job = if known { Some(push_provision(&mut tx, &permit, actor, id, &row.name).await?) } else { None };
    tx.commit().await?;
    Ok(job)
}

/// What the form gives; none where it gives nothing.
pub(super) async fn read(fields: &mut Fields, input: &GivePass) -> Option<Pass> {
    let private = input.private_key.trim();
    if input.password.is_empty() && private.is_empty() {
        if !input.passphrase.is_empty() {
            fields.wrong("private_key", "Give the private key that this passphrase opens.");
        }
        return None;
    }
    if !input.password.is_empty() && !private.is_empty() {
        fields.wrong("private_key", "Give a password or a private key, not both.");
        return None;
    }
    if private.is_empty() {
        if input.password.len() > PASSWORD_BYTES || input.password.chars().any(char::is_control) {
            fields.wrong("password", "Use at most 1024 characters, without line ends.");
            return None;
        }
        return Some(Pass::Password(Secret::new(input.password.clone())));
    }
    if private.len() > KEY_BYTES {
        fields.wrong("private_key", "This is longer than any private key.");
        return None;
    }
    let locked = !input.passphrase.is_empty();
    let pass = Pass::Key {
        private: Secret::new(format!("{private}\n")),
        passphrase: locked.then(|| Secret::new(input.passphrase.clone())),
    };
    if pass.reads().await {
        return Some(pass);
    }
    if locked {
        fields.wrong("passphrase", "The key does not open with this passphrase, or it is no OpenSSH key.");
    } else {
        fields.wrong(
            "private_key",
            "This is no private key that Skiff can read: use the file's whole text. One with a passphrase needs that too.",
        );
    }
    None
}

/// Seals it and keeps it.
pub(super) async fn keep(
    ctx: &Ctx,
    tx: &mut Tx<'_>,
    permit: &Permit,
    host: HostId,
    pass: &Pass,
) -> Result<(), Refused> {
    let id = Uuid::now_v7();
    let data_key = db::host_logins::data_key(tx, permit).await?;
    let place = Context::host_pass(permit.team(), id);
    let sealed =
        ctx.vault.seal(&data_key, &place, pass.to_keep().expose()).map_err(|error| Refused::internal(&error))?;
    Ok(db::host_passes::give(tx, permit, host, id, &sealed).await?)
}
