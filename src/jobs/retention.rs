//! After a deploy: releases that are kept no more are retired, and what they left on hosts goes: images by our own names
//! for them, folders by their numbers. Runs under the lock of the app's deploys, so that none is using what goes.
//! Not here: what is kept (`domain/retention.rs`).

use super::Ctx;
use super::log::Log;
use super::stop::{Stop, detail};
use crate::access::{self, Reached};
use crate::db::ledger::images;
use crate::db::{apps, retention};
use crate::domain::ids::{AppId, HostId};
use crate::domain::retention as decide;
use crate::domain::run_bash;
use crate::queue::Run;
use crate::remote;

/// What is kept of an app, and what may go.
struct Kept {
    releases: Vec<i32>,
    last: i32,
    images: Vec<images::Row>,
}

/// Retires, then removes. A host that does not answer is left for the next deploy.
pub async fn app(ctx: &Ctx, run: &Run, log: &Log, app: AppId) -> Result<(), Stop> {
    let kept = retire(run, app).await?;
    let mut hosts: Vec<HostId> = kept.images.iter().map(|row| row.host).collect();
    hosts.dedup();
    for reached in access::reach(&ctx.access(), &run.permit, &hosts).await? {
        match &reached.host {
            Ok(host) => on_host(run, log, app, &kept, &reached, host).await?,
            Err(error) => log.say(None, format!("Old images stay on {} for now: {}", reached.row.name, detail(error))),
        }
    }
    Ok(())
}

/// Decides and writes it down, with the app's row locked: nobody asks for a release meanwhile.
async fn retire(run: &Run, app: AppId) -> Result<Kept, Stop> {
    let permit = &run.permit;
    let mut tx = run.begin().await?;
    apps::lock(&mut tx, permit, app).await?;
    let known = retention::releases(&mut tx, permit, app).await?;
    let gone = decide::retired(&known);
    if !gone.is_empty() {
        retention::retire(&mut tx, permit, app, &gone).await?;
    }
    let last = apps::get(&mut tx, permit, app).await?.map_or(0, |row| row.last_release);
    let images = images::beyond(&mut tx, permit, app).await?;
    tx.commit().await?;
    let releases = known.iter().map(|release| release.number).filter(|number| !gone.contains(number)).collect();
    Ok(Kept { releases, last, images })
}

async fn on_host(
    run: &Run,
    log: &Log,
    app: AppId,
    kept: &Kept,
    reached: &Reached,
    host: &remote::Host,
) -> Result<(), Stop> {
    let name = &reached.row.name;
    // Folders first: the images' rows are what brings us here again if we do not come to the end.
    if let Err(error) = folders(run, app, kept, host).await? {
        log.say(None, format!("Folders of old releases stay on {name} for now: {}", detail(error)));
        return Ok(());
    }
    for row in kept.images.iter().filter(|row| row.host == reached.id()) {
        run.still_mine().await?;
        match host.docker().untag(&row.image).await {
            Ok(was_there) => {
                let mut tx = run.begin().await?;
                images::removed(&mut tx, &run.permit, row.host, &row.image).await?;
                tx.commit().await?;
                if was_there {
                    log.say(None, format!("Removed the old image {} from {name}", row.image));
                }
            }
            // A container may still be made of it: never by force, the next deploy asks again.
            Err(error) => log.say(None, format!("{} stays on {name} for now: {}", row.image, detail(error))),
        }
    }
    Ok(())
}

async fn folders(run: &Run, app: AppId, kept: &Kept, host: &remote::Host) -> Result<Result<(), remote::Error>, Stop> {
    let above = run_bash::app_folder(app);
    let found = match host.list_folder(&above).await {
        Ok(found) => found,
        Err(error) => return Ok(Err(error)),
    };
    for number in decide::folders(&found, &kept.releases, kept.last) {
        run.still_mine().await?;
        if let Err(error) = host.remove_folder(&format!("{above}/{number}"), &run_bash::NAMES).await {
            return Ok(Err(error));
        }
    }
    Ok(Ok(()))
}
