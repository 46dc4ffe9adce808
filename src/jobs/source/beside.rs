//! The app's other hosts fetch an image from its registry while the first one does, so that it need not travel between them.
//! Whoever does not get it there has it brought by a step of the plan.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::{Asked, Resolved};
use crate::access::Reached;
use crate::domain::container::Login;
use crate::domain::names::ImageRef;
use crate::jobs::stop::{Stop, detail};
use crate::remote::docker::{ImageSeen, PullProgress};
use crate::remote::{Error, Host};

/// A host that has not heard of its registry for so long after the first one had everything is not waited for: from there
/// the registry cannot be reached.
const UNHEARD_LIMIT: Duration = Duration::from_secs(5);
/// Whoever is not done so long after the first one, and as long again as that one took, has it brought instead.
const SLOW_LIMIT: Duration = Duration::from_secs(30);
/// MiB that must be free before anything is fetched beside: whether there is room is the plan's to judge.
const FREE_MIB: u64 = 1024;

/// What became of it on one host.
pub(super) struct Fetched<'a> {
    reached: &'a Reached,
    host: &'a Host,
    /// Whether the registry's name came with it.
    named: bool,
    image: Result<ImageSeen, Error>,
}

/// Fetches it on these hosts, until all have it or `done` (with the first) says that it is no use to wait longer.
pub(super) async fn fetch<'a>(
    asked: &Asked<'_>,
    hosts: impl Iterator<Item = &'a Reached>,
    image: &ImageRef,
    login: Option<&Login>,
    done: &CancellationToken,
) -> Vec<Fetched<'a>> {
    let begun = Instant::now();
    let answering = hosts.filter_map(|reached| Some((reached, reached.host.as_ref().ok()?)));
    let all = answering.map(|(reached, host)| one(asked, (reached, host.as_ref()), image, login, (begun, done)));
    join_all(all).await.into_iter().flatten().collect()
}

/// None where nothing was begun, or nothing came in time.
async fn one<'a>(
    asked: &Asked<'_>,
    (reached, host): (&'a Reached, &'a Host),
    image: &ImageRef,
    login: Option<&Login>,
    (begun, done): (Instant, &CancellationToken),
) -> Option<Fetched<'a>> {
    let looked = tokio::join!(host.docker().image(image), host.free_mib("/var/lib/docker"));
    let (Ok(before), Ok(free)) = looked else { return None };
    if free.is_some_and(|free| free < FREE_MIB) {
        return None;
    }
    if before.is_none() && asked.note_name(reached, image).await.is_err() {
        return None;
    }
    let heard = AtomicBool::new(false);
    let mut on_progress = |_: PullProgress| heard.store(true, Ordering::Relaxed);
    let too_late = async {
        done.cancelled().await;
        let first = begun.elapsed();
        sleep(UNHEARD_LIMIT).await;
        if heard.load(Ordering::Relaxed) {
            sleep((SLOW_LIMIT + first).saturating_sub(UNHEARD_LIMIT)).await;
        }
    };
    let docker = host.docker_bulk();
    tokio::select! {
        image = docker.pull(image, login, &mut on_progress) => Some(Fetched { reached, host, named: before.is_none(), image }),
        () = too_late => None,
    }
}

/// Keeps by our name what is the same image as the first host's, and lets go of the rest.
pub(super) async fn keep(
    asked: &Asked<'_>,
    fetched: Vec<Fetched<'_>>,
    name: &ImageRef,
    made: &Resolved,
) -> Result<(), Stop> {
    asked.run.still_mine().await?;
    let kept = fetched.iter().map(|fetched| async move {
        let Fetched { reached, host, named, image } = fetched;
        match image {
            // The tag may have moved in between, or mean another image for another kind of machine.
            Ok(seen) if seen.id == made.image_id => match asked.keep(reached, host, &made.image, &seen.id).await {
                Ok(()) => asked.say(format!("{} has it from the registry too", reached.row.name)),
                // A step of the plan brings it.
                Err(Stop::Failed(failure)) => asked.say(asked.log.redacted(&failure.sentence())),
                Err(stop) => return Err(stop),
            },
            Ok(_) => {}
            Err(error) => {
                let words = format!("{} did not get it from the registry: {}", reached.row.name, detail(error));
                asked.say(asked.log.redacted(&words));
            }
        }
        if *named && let Err(error) = asked.let_go(reached, host, name).await? {
            asked.say(format!("{}: {}", reached.row.name, detail(error)));
        }
        Ok(())
    });
    join_all(kept).await.into_iter().collect()
}
