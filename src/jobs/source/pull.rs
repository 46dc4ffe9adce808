//! An image by name: the registry is always asked, so that a moved tag is seen.

use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Asked, Made, Resolved, beside};
use crate::access::Reached;
use crate::domain::build::pulled_image;
use crate::domain::container::Login;
use crate::domain::deploy::Failure;
use crate::domain::job::StepState;
use crate::domain::source::Image;
use crate::jobs::stop::{Stop, detail, on_host};
use crate::remote;
use crate::remote::docker::{ImageSeen, PullProgress};

/// How often the note beside the step follows the bytes.
const NOTE_EVERY: Duration = Duration::from_millis(500);
/// Docker's words for a registry that is not there at all, rather than in trouble.
const NOBODY_THERE: [&str; 2] = ["connection refused", "no such host"];
/// Layers whose progress is counted; an image has at most 127.
const MAX_LAYERS: usize = 200;

/// Pulls the image, on the app's other hosts at the same time, and keeps it by a name of ours.
pub(super) async fn bring(asked: &Asked<'_>, image: &Image) -> Result<Made, Stop> {
    let login = match &image.login {
        None => None,
        Some(login) => {
            let password = asked.open_text("the registry's password", login.password).await?;
            Some(Login { user: login.user.clone(), password })
        }
    };
    let (reached, host) = asked.host()?;
    asked.run.still_mine().await?;
    let done = CancellationToken::new();
    let others = asked.hosts.iter().filter(|other| other.id() != reached.id());
    let fetching = beside::fetch(asked, others, &image.image, login.as_ref(), &done);
    let pulling = async {
        let made = pull(asked, image, login.as_ref(), reached, host).await?;
        done.cancel();
        Ok::<_, Stop>(made)
    };
    // Where the first one fails there is nothing the others could be compared to.
    let (made, fetched) = tokio::try_join!(pulling, async { Ok(fetching.await) })?;
    beside::keep(asked, fetched, &image.image, &made.resolved).await?;
    Ok(made)
}

/// On the host that answers first.
async fn pull(
    asked: &Asked<'_>,
    image: &Image,
    login: Option<&Login>,
    reached: &Reached,
    host: &remote::Host,
) -> Result<Made, Stop> {
    let before = host.docker().image(&image.image).await.map_err(|error| on_host(&reached.row.name, error))?;
    if before.is_none() {
        asked.note_name(reached, &image.image).await?;
    }
    asked.say(format!("Asking the registry for {} from {}", image.image, reached.row.name));
    let mut progress = Progress::default();
    let signs_in = login.is_some();
    let pulled = {
        let mut on_progress = |step: PullProgress| progress.hear(asked, step);
        host.docker_bulk().pull(&image.image, login, &mut on_progress).await
    };
    let seen = match (pulled, before.as_ref()) {
        (Ok(seen), _) => seen,
        // An image that never came from a registry was loaded or built there by hand: no registry has a newer one.
        (Err(error), Some(local)) if is_of_hand(local, &error, signs_in) => {
            asked.say(format!("No registry gave it, so the one that was loaded on {} is used", reached.row.name));
            local.clone()
        }
        (Err(error), _) => return Err(failure(asked, image, &reached.row.name, error)),
    };
    let name = pulled_image(asked.app, &seen.id);
    asked.keep(reached, host, &name, &seen.id).await?;
    if before.is_none() {
        // The registry's name came with our pull: with it left there, the image would outlive the last release of it.
        let gone = asked.let_go(reached, host, &image.image).await?;
        gone.map_err(|error| on_host(&reached.row.name, error))?;
    }
    let new = progress.moved || before.is_some_and(|before| before.id != seen.id);
    let digest = seen.repo_digests.first().cloned().unwrap_or_else(|| seen.id.to_string());
    asked.say(format!("The image is {digest}"));
    let state = if new { StepState::Changed } else { StepState::Unchanged };
    let note = if new { format!("{} MB", seen.size / 1_000_000) } else { "already there".to_owned() };
    Ok(Made { resolved: Resolved { image: name, image_id: seen.id, commit: None, dockerfile: None }, state, note })
}

/// True where the image that is there is as new as it gets, though the registry failed like this. Docker gives an image a digest when it
/// comes from a registry, but where it keeps images in containerd's store (from 29 on, on new servers) every one has its own id as its
/// digest: there it counts that no registry has it, or that nobody is there who could. A sign-in that is refused says neither.
fn is_of_hand(local: &ImageSeen, error: &remote::Error, signs_in: bool) -> bool {
    if local.repo_digests.is_empty() {
        return is_registry(error);
    }
    let own = |digest: &String| digest.split_once('@').is_some_and(|(_, digest)| digest == local.id.as_ref());
    local.repo_digests.iter().any(own)
        && match error {
            remote::Error::RegistryUnreachable { detail } => {
                NOBODY_THERE.iter().any(|words| detail.to_lowercase().contains(words))
            }
            remote::Error::RegistryDenied { .. } if signs_in => false,
            other => is_registry(other),
        }
}

/// True where the registry, not the host, is what failed.
fn is_registry(error: &remote::Error) -> bool {
    matches!(
        error,
        remote::Error::NoSuchImage { .. }
            | remote::Error::RegistryDenied { .. }
            | remote::Error::RegistryUnreachable { .. }
    )
}

/// A pull that failed, for people.
fn failure(asked: &Asked<'_>, image: &Image, host: &str, error: remote::Error) -> Stop {
    let name = image.image.clone();
    Stop::Failed(match error {
        remote::Error::NoSuchImage { .. } | remote::Error::NotFound { .. } => Failure::ImageNotFound { image: name },
        remote::Error::RegistryDenied { detail } => {
            asked.say(detail);
            Failure::ImageDenied { image: name }
        }
        remote::Error::RegistryUnreachable { detail: words } => {
            Failure::RegistryUnreachable { image: name, detail: detail(words) }
        }
        other => return on_host(host, other),
    })
}

/// The bytes of each layer, summed for the note; the layers' ends, told in the log.
#[derive(Default)]
struct Progress {
    layers: std::collections::BTreeMap<String, (u64, u64)>,
    noted: Option<Instant>,
    /// True once a layer was not there already.
    moved: bool,
}

impl Progress {
    fn hear(&mut self, asked: &Asked<'_>, step: PullProgress) {
        if step.status == "Pull complete" {
            self.moved = true;
            asked.say(format!("{} complete", step.layer));
        }
        if step.total == 0 || step.status != "Downloading" {
            return;
        }
        if self.layers.len() < MAX_LAYERS || self.layers.contains_key(&step.layer) {
            self.layers.insert(step.layer, (step.done, step.total));
        }
        if self.noted.is_none_or(|noted| noted.elapsed() > NOTE_EVERY) {
            self.noted = Some(Instant::now());
            let (done, total) = self.layers.values().fold((0, 0), |sum, layer| (sum.0 + layer.0, sum.1 + layer.1));
            asked.note(format!("{} of {} MB", done / 1_000_000, total / 1_000_000));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_of_hand_is_told_from_one_that_a_registry_may_have_newer() {
        let id = |n: char| format!("sha256:{}", n.to_string().repeat(64));
        let image = |digests: &[String]| ImageSeen {
            id: id('a').parse().unwrap(),
            arch: "amd64".into(),
            repo_digests: digests.to_vec(),
            tags: Vec::new(),
            size: 1,
            ports: Vec::new(),
        };
        let (loaded, pulled, stored) = (
            image(&[]),
            image(&[format!("registry.example/hello@{}", id('b'))]),
            image(&[format!("registry.example/hello@{}", id('a'))]),
        );
        let unreachable = |words: &str| remote::Error::RegistryUnreachable { detail: words.into() };
        let none = remote::Error::NoSuchImage { detail: "x".into() };
        for (error, of_loaded, of_stored) in [
            (unreachable("dial tcp 127.0.0.1:5000: connect: connection refused"), true, true),
            (unreachable("lookup registry.example: no such host"), true, true),
            (unreachable("toomanyrequests: slow down"), true, false),
            (none, true, true),
            (remote::Error::RegistryDenied { detail: "x".into() }, true, false),
            (remote::Error::DiskFull { detail: "x".into() }, false, false),
        ] {
            let told = [&loaded, &stored, &pulled].map(|local| is_of_hand(local, &error, true));
            assert_eq!(told, [of_loaded, of_stored, false], "{error:?}");
        }
    }
}
