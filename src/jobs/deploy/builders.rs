//! Who makes the image of a release: a host that builds for the others, else the first of the app's own. Whether it can run
//! where it is wanted is seen before anything is built.

use futures_util::future::join_all;

use super::Course;
use crate::access::{self, Reached};
use crate::db::host_logins;
use crate::domain::deploy::{Failure, Target};
use crate::domain::names::ImageId;
use crate::domain::registry::misfit;
use crate::domain::release::Release;
use crate::domain::source::Source;
use crate::jobs::source;
use crate::jobs::stop::Stop;

impl Course<'_> {
    /// The hosts that build for the others, but for those the app itself is on.
    pub(super) async fn builders(&self, hosts: &[Reached]) -> Result<Vec<Reached>, Stop> {
        let permit = &self.run.permit;
        let mut tx = self.ctx.db.begin(permit).await?;
        let mut ids = host_logins::builders(&mut tx, permit).await?;
        tx.commit().await?;
        ids.retain(|id| hosts.iter().all(|host| host.id() != *id));
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let reached = access::reach(&self.ctx.access(), permit, &ids).await?;
        Ok(join_all(reached.into_iter().map(alive)).await)
    }

    /// A new release of what the source gives now, or of a kept one on other places.
    pub(super) async fn new_release(&self, hosts: &[Reached], builders: &[Reached]) -> Result<Release, Stop> {
        if let Target::Scale { number } = self.row.target.0 {
            return self.scaled_release(number).await;
        }
        let kinds: Vec<(&str, &str)> = hosts.iter().map(kind).collect();
        if let Some(reason) = misfit(None, &kinds) {
            return Err(Stop::Failed(Failure::Refused { reason }));
        }
        let makers = match &self.row.source.0 {
            Source::Image(_) => hosts.to_vec(),
            Source::Git(_) => self.makers(hosts, builders)?,
        };
        let asked = source::Asked {
            ctx: self.ctx,
            run: self.run,
            log: self.log,
            step: self.steps.source(),
            app: self.row.app,
            source_id: self.row.source_id,
            source: &self.row.source.0,
            target: &self.row.target.0,
            port: self.row.spec.port,
            hosts: &makers,
        };
        self.make_release(source::resolve(asked).await?).await
    }

    /// Those that may build it, in the order they are asked: hosts that build, then the app's own, of those only the ones
    /// whose images run where they are wanted.
    fn makers(&self, hosts: &[Reached], builders: &[Reached]) -> Result<Vec<Reached>, Stop> {
        let (own, rest): (Vec<&Reached>, Vec<&Reached>) = hosts.iter().partition(|host| host.row.builds);
        let all: Vec<&Reached> = own.into_iter().chain(builders).chain(rest).collect();
        let targets: Vec<(&str, &str)> = hosts.iter().map(kind).collect();
        let fits = |host: &&&Reached| misfit(Some(&host.row.arch), &targets).is_none();
        let fitting: Vec<Reached> = all.iter().filter(fits).map(|host| (*host).clone()).collect();
        if fitting.is_empty() {
            let made_for = all.first().map(|host| host.row.arch.as_str());
            let reason = misfit(made_for, &targets).unwrap_or_else(|| "No host can build this app.".to_owned());
            return Err(Stop::Failed(Failure::Refused { reason }));
        }
        let silent =
            fitting.iter().filter(|host| host.row.builds).filter_map(|host| Some((host, host.host.as_ref().err()?)));
        for (host, error) in silent {
            self.log.say(self.steps.source(), format!("{} builds for the others, but: {error}", host.row.name));
        }
        Ok(fitting)
    }
}

/// Asks the host's Docker for a sign of life: a connection that was kept may be dead without knowing, and a build on it
/// would fail where another host could do it.
async fn alive(reached: Reached) -> Reached {
    let Ok(host) = &reached.host else { return reached };
    match host.docker().ping().await {
        Ok(_) => reached,
        Err(error) => Reached { host: Err(error), ..reached },
    }
}

/// A host by its name and architecture.
fn kind(host: &Reached) -> (&str, &str) {
    (&host.row.name, &host.row.arch)
}

/// What an image is made for, where one of these hosts has it.
pub(super) async fn arch_of(hosts: &[Reached], image: &ImageId) -> Option<String> {
    for reached in hosts {
        let Ok(host) = &reached.host else { continue };
        if let Ok(Some(seen)) = host.docker().image(image).await {
            return Some(seen.arch).filter(|arch| !arch.is_empty());
        }
    }
    None
}
