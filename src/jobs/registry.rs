//! The registry of images of a host that builds: its password opened, its service seen to, and an image on its way from there
//! to another host. Not here: who needs which image.

use std::time::{Duration, Instant};

use super::Ctx;
use super::log::Log;
use super::provision::scripts::{self, Said};
use super::stop::detail;
use crate::access::Reached;
use crate::db::host_logins;
use crate::domain::container::Login;
use crate::domain::names::{ImageId, ImageRef};
use crate::domain::registry::{MIRRORS, PORT, USER, name_at};
use crate::domain::rights::Permit;
use crate::domain::secret::Secret;
use crate::remote::docker::PullProgress;
use crate::remote::{Error, Host};
use crate::vault::{self, SecretPlace};

/// The script waits 20 s for a registry that starts, and may have to empty it first.
const ENSURE_LIMIT: Duration = Duration::from_secs(90);
/// How often the note beside a step follows the bytes.
const NOTE_EVERY: Duration = Duration::from_millis(500);

/// The login of a host's registry; none where it has none. The log learns the password before anything is said.
pub async fn login(ctx: &Ctx, permit: &Permit, log: &Log, host: &Reached) -> Result<Option<Login>, sqlx::Error> {
    let Some(key) = host.row.registry_key else { return Ok(None) };
    let mut tx = ctx.db.begin(permit).await?;
    let data_key = host_logins::data_key(&mut tx, permit).await?;
    let sealed = host_logins::current(&mut tx, permit, &[key]).await?.pop();
    tx.commit().await?;
    let Some(sealed) = sealed else { return Ok(None) };
    let place = SecretPlace { team: permit.team(), secret: key, version: sealed.version };
    let Ok(value) = ctx.vault.open_secret(&data_key, place, &sealed.sealed) else { return Ok(None) };
    log.learn([value.expose().as_slice()]);
    let password = String::from_utf8(value.expose().clone()).ok().map(Secret::new);
    Ok(password.map(|password| Login { user: USER.to_owned(), password }))
}

/// Sees to it that the registry runs as wanted, or that there is none. What the script prints is handed on; the answer is
/// whether anything was changed, or the script's reason.
pub async fn ensure(
    host: &Host,
    login: Option<&Login>,
    on_line: &mut (dyn FnMut(&[u8]) + Send),
) -> Result<Result<bool, String>, Error> {
    let line = login.and_then(|login| vault::htpasswd(&login.user, &login.password));
    let (wanted, port) = (if line.is_some() { "yes" } else { "no" }, PORT.to_string());
    let passwords = line.as_ref().map_or("", |line| line.expose().as_str());
    let params = [("WANTED", wanted), ("PORT", port.as_str()), ("HTPASSWD", passwords)];
    let mut said = Said::default();
    let mut listen = |_, line: &[u8]| {
        if !said.take(line) {
            on_line(line);
        }
    };
    let exit = host.run(&scripts::REGISTRY, &params, ENSURE_LIMIT, &mut listen).await?;
    Ok(if exit.ok() {
        Ok(said.changed)
    } else {
        Err(said.reason.unwrap_or_else(|| format!("the script ended with {}", exit.status)))
    })
}

/// Brings an image into the registry of a host that has it.
pub async fn fill(from: &Host, login: &Login, image: &ImageRef, id: &ImageId) -> Result<(), Error> {
    match ensure(from, Some(login), &mut |_| {}).await? {
        Ok(_) => {}
        Err(reason) => return Err(Error::Refused { detail: detail(reason) }),
    }
    let name = named(PORT, image)?;
    from.docker().tag(id, &name).await?;
    let pushed = from.docker_bulk().push(&name, login).await;
    // The name was for the way: what keeps the image is its own.
    let untagged = from.docker().untag(&name).await;
    pushed.and(untagged.map(drop))
}

/// Fetches an image from the registry of one host into another, and keeps it there by its own name. Only layers that are
/// missing travel. The answer is how many bytes did.
pub async fn fetch(
    to: &Host,
    from: &Host,
    login: &Login,
    image: &ImageRef,
    id: &ImageId,
    on_note: &mut (dyn FnMut(String) + Send),
) -> Result<u64, Error> {
    let mirror = to.mirror(from, PORT, &MIRRORS).await?;
    let name = named(mirror.port(), image)?;
    let mut noted = Instant::now();
    let mut progress = |_: PullProgress| {
        if noted.elapsed() > NOTE_EVERY {
            noted = Instant::now();
            on_note(format!("{} MB so far", mirror.moved() / 1_000_000));
        }
    };
    let pulled = to.docker_bulk().pull(&name, Some(login), &mut progress).await;
    let done = match &pulled {
        Ok(seen) if seen.id == *id => to.docker().tag(id, image).await,
        Ok(seen) => Err(Error::Refused { detail: format!("the registry gave {} in place of {id}", seen.id) }),
        Err(error) => Err(error.clone()),
    };
    if pulled.is_ok() {
        to.docker().untag(&name).await?;
    }
    done.map(|()| mirror.moved())
}

fn named(port: u16, image: &ImageRef) -> Result<ImageRef, Error> {
    name_at(port, image).ok_or_else(|| Error::refused("the image has no name of ours"))
}
