//! Making a release out of what the source gave and what the app wants now, and opening its secrets.

use std::collections::BTreeMap;

use super::Course;
use crate::db::{Tx, apps, deploy_runs, host_logins, releases, routes, volumes};
use crate::domain::deploy::Failure;
use crate::domain::ids::{ReleaseId, SecretId};
use crate::domain::names::EnvName;
use crate::domain::release::Release;
use crate::domain::rights::Permit;
use crate::jobs::Ctx;
use crate::jobs::log::Log;
use crate::jobs::source::Resolved;
use crate::jobs::stop::Stop;
use crate::vault::SecretPlace;

impl Course<'_> {
    /// Stores a new release: number, image, configuration and the versions of its secrets, in one transaction.
    pub(super) async fn make_release(&self, resolved: Resolved) -> Result<Release, Stop> {
        let permit = &self.run.permit;
        let spec = self.row.spec.0.clone();
        let dockerfile = resolved.dockerfile;
        let secrets: Vec<SecretId> = spec.secrets.values().copied().collect();
        let mut tx = self.ctx.db.begin(permit).await?;
        self.hold_routes(&mut tx).await?;
        let number = deploy_runs::next_number(&mut tx, permit, self.row.app).await?;
        let versions = host_logins::current(&mut tx, permit, &secrets).await?;
        let release = Release {
            id: ReleaseId(uuid::Uuid::now_v7()),
            app: self.row.app,
            environment: self.row.environment,
            number,
            image_id: resolved.image_id,
            image: resolved.image,
            secret_versions: versions.into_iter().map(|sealed| (sealed.id, sealed.version)).collect(),
            placement: self.row.placement.0.clone(),
            commit: resolved.commit,
            spec,
        };
        let by = self.row.cause.0.who();
        let made =
            deploy_runs::Made { release: &release, source: &self.row.source.0, dockerfile: dockerfile.as_ref(), by };
        deploy_runs::insert_release(&mut tx, permit, self.job.deploy, made).await?;
        tx.commit().await?;
        self.log.say(None, format!("Release v{number} of {}", self.row.app_name));
        Ok(release)
    }

    /// Stores a release that is a kept one in all but its places.
    pub(super) async fn scaled_release(&self, number: i32) -> Result<Release, Stop> {
        let permit = &self.run.permit;
        let mut tx = self.ctx.db.begin(permit).await?;
        let kept = releases::numbered(&mut tx, permit, self.row.app, number).await?.filter(|row| row.kept);
        let Some(kept) = kept else {
            let reason =
                format!("The release v{number} of this app is not kept. Its list of releases shows which are.");
            return Err(Stop::Failed(Failure::Refused { reason }));
        };
        self.need_volumes(&mut tx, &kept.body).await?;
        let fresh = deploy_runs::next_number(&mut tx, permit, self.row.app).await?;
        let release = kept.body.0.placed_anew(ReleaseId(uuid::Uuid::now_v7()), fresh, self.row.placement.0.clone());
        let by = self.row.cause.0.who();
        let made =
            deploy_runs::Made { release: &release, source: &kept.source.0, dockerfile: kept.dockerfile.as_ref(), by };
        deploy_runs::insert_release(&mut tx, permit, self.job.deploy, made).await?;
        tx.commit().await?;
        self.log
            .say(None, format!("Release v{fresh} of {}: v{number} with its instances placed anew", self.row.app_name));
        Ok(release)
    }

    /// Sees to it that the routes the app names are its own: they may have been given up while the image was built. A kept
    /// release opens none that was given up since.
    async fn hold_routes(&self, tx: &mut Tx<'_>) -> Result<(), Stop> {
        let permit = &self.run.permit;
        // As the app names them now, and not when the deploy began.
        let Some(app) = apps::get(tx, permit, self.row.app).await? else { return Ok(()) };
        match routes::hold(tx, permit, self.row.app, &app.spec.routes).await? {
            None => Ok(()),
            Some(route) => {
                let reason = format!(
                    "{}{} leads to another app by now. Take it out of this app, or free it there, then deploy again.",
                    route.domain, route.path
                );
                Err(Stop::Failed(Failure::Refused { reason }))
            }
        }
    }

    /// Refuses a kept release whose volume was removed since, also where its watch brings it back.
    pub(super) async fn need_volumes(&self, tx: &mut Tx<'_>, release: &Release) -> Result<(), Stop> {
        match volumes::removed_mount(tx, &self.run.permit, self.row.app, &release.spec.mounts).await? {
            None => Ok(()),
            Some(mount) => {
                let (number, path) = (release.number, &mount.path);
                let reason = format!(
                    "v{number} mounts a volume at {path} that was removed with its data. Add a volume there, and deploy anew."
                );
                Err(Stop::Failed(Failure::Refused { reason }))
            }
        }
    }

    /// The environment of the release.
    pub(super) async fn environment(&self, release: &Release) -> Result<Vec<(EnvName, String)>, Stop> {
        environment(self.ctx, &self.run.permit, self.log, release).await
    }
}

/// The environment of a release: variables and opened secrets. The log learns the secrets before it says more: without this, nothing
/// that a container printed may be put into it.
pub async fn environment(
    ctx: &Ctx,
    permit: &Permit,
    log: &Log,
    release: &Release,
) -> Result<Vec<(EnvName, String)>, Stop> {
    let wanted: Vec<(SecretId, i32)> = release.secret_versions.iter().map(|(id, v)| (*id, *v)).collect();
    let mut tx = ctx.db.begin(permit).await?;
    let data_key = host_logins::data_key(&mut tx, permit).await?;
    let sealed = host_logins::versions(&mut tx, permit, &wanted).await?;
    tx.commit().await?;
    let sealed: BTreeMap<SecretId, host_logins::Sealed> = sealed.into_iter().map(|s| (s.id, s)).collect();
    let mut env: BTreeMap<EnvName, String> =
        release.spec.variables.iter().map(|(name, value)| (name.clone(), value.as_ref().to_owned())).collect();
    for (name, id) in &release.spec.secrets {
        let unreadable = || Failure::SecretUnreadable { name: name.to_string() };
        let sealed = sealed.get(id).ok_or_else(unreadable)?;
        let place = SecretPlace { team: permit.team(), secret: *id, version: sealed.version };
        let value = ctx.vault.open_secret(&data_key, place, &sealed.sealed).map_err(|_| unreadable())?;
        log.learn([value.expose().as_slice()]);
        env.insert(name.clone(), String::from_utf8(value.expose().clone()).map_err(|_| unreadable())?);
    }
    Ok(env.into_iter().collect())
}
