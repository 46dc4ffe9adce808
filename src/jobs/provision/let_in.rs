//! The first step where somebody gave a password or a private key: it signs in once, puts the team's key there, and is
//! forgotten, whatever came of it. Not here: keeping what was given.

use std::time::Duration;

use super::scripts::Said;
use super::{Broken, Stepped};
use crate::access;
use crate::db::{host_logins, host_passes};
use crate::domain::ids::HostId;
use crate::domain::job::{StepState, Stream};
use crate::jobs::Ctx;
use crate::jobs::log::Log;
use crate::jobs::stop::detail;
use crate::queue::Run;
use crate::remote::{self, Pass, RemoteScript};
use crate::vault::Context;

/// The step, in words.
pub(super) const WORDS: &str = "let Skiff's key in";

/// Puts the team's key into the user's authorized_keys.
const AUTHORIZE: RemoteScript =
    RemoteScript { name: "authorize", text: include_str!("../../../scripts/authorize.bash"), root: false };

/// It writes one line: a server that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(60);

/// Whether something was given.
pub(super) async fn is_given(ctx: &Ctx, run: &Run, host: HostId) -> Result<bool, sqlx::Error> {
    let mut tx = ctx.db.begin(&run.permit).await?;
    let given = host_passes::given(&mut tx, &run.permit, host).await?;
    tx.commit().await?;
    Ok(given.is_some())
}

/// Takes what was given, so that it can be used no second time, and lets our own key in with it.
pub(super) async fn let_in(ctx: &Ctx, run: &Run, log: &Log, host: HostId, seq: i32) -> Stepped {
    let Some(pass) = taken(ctx, run, host).await? else {
        return Ok((StepState::Unchanged, "what was given is forgotten: it is kept for an hour".to_owned()));
    };
    match &pass {
        Pass::Password(password) => log.learn([password.expose().as_bytes()]),
        Pass::Key { private, passphrase } => {
            log.learn([private.expose().as_bytes()]);
            log.learn(passphrase.iter().map(|locked| locked.expose().as_bytes()));
        }
    }
    let Some(login) = access::login_of(&ctx.access(), &run.permit, host).await? else {
        return Err(Broken::Said("The host is gone.".to_owned()));
    };
    let login = login?;
    if run.still_mine().await.is_err() {
        return Err(Broken::Said("Another worker has this job.".to_owned()));
    }
    let key = remote::keys::public_line(&login.key)?;
    let mut said = Said::default();
    let mut keep = |stream, line: &[u8]| {
        if !said.take(line) {
            let stream = if stream == remote::Stream::Out { Stream::Out } else { Stream::Err };
            log.line(Some(seq), stream, line);
        }
    };
    let params = [("PUBLIC_KEY", key.as_str())];
    let exit = remote::run_once(&login, &pass, &AUTHORIZE, &params, LIMIT, &mut keep).await?;
    drop(pass);
    if !exit.ok() {
        let fallback = || format!("The script authorize ended with {}. Its last lines are in the log.", exit.status);
        return Err(Broken::Said(said.reason.unwrap_or_else(fallback)));
    }
    match ctx.pool.host(&login).await {
        Ok(_) => {}
        Err(remote::Error::AuthRefused) => {
            return Err(Broken::Said(format!(
                "Skiff's key stands in ~/.ssh/authorized_keys of {} now, but the server does not take it: look at \
                 AuthorizedKeysFile and PubkeyAuthentication in its sshd_config, and at who may write into that folder.",
                login.user
            )));
        }
        Err(error) => return Err(error.into()),
    }
    let state = if said.changed { StepState::Changed } else { StepState::Unchanged };
    Ok((state, "what was given is forgotten".to_owned()))
}

async fn taken(ctx: &Ctx, run: &Run, host: HostId) -> Result<Option<Pass>, Broken> {
    let permit = &run.permit;
    let mut tx = ctx.db.begin(permit).await?;
    let taken = host_passes::take(&mut tx, permit, host).await?;
    let data_key = host_logins::data_key(&mut tx, permit).await?;
    tx.commit().await?;
    let Some(taken) = taken else { return Ok(None) };
    let place = Context::host_pass(permit.team(), taken.id);
    let opened = ctx.vault.unseal(&data_key, &place, &taken.sealed).map_err(|error| Broken::Said(detail(error)))?;
    Ok(Pass::of_kept(&opened))
}
