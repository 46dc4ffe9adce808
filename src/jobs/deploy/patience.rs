//! A daemon of a host that is away for a moment (restarted, killed, updated) ends no deploy: it is waited for, and the
//! deploy goes on from what is there then. Not here: what a deploy does.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::Course;
use crate::access;
use crate::domain::deploy::Failure;
use crate::domain::plan::{GivingUp, Want};
use crate::jobs::execute::Ended;
use crate::jobs::proxy;
use crate::jobs::stop::{Stop, on_host};
use crate::remote::Error;

/// A dockerd with many containers is back within half a minute; what is away longer was stopped on purpose.
const PATIENCE: Duration = Duration::from_secs(45);
/// The same on the way back, which comes after the first wait.
const PATIENCE_BACK: Duration = Duration::from_secs(20);
/// Between two tries.
const PAUSE: Duration = Duration::from_secs(1);
/// Whatever started the proxy of a host starts it again within two seconds; after this long nobody does.
const NOBODY_REVIVES: Duration = Duration::from_secs(5);

impl Course<'_> {
    /// Goes on after what passes by itself.
    pub(super) async fn go_patiently(&mut self) -> Result<Ended, Stop> {
        let mut first: Option<Instant> = None;
        loop {
            // On the heap: the states of a whole deploy are too much for the stack of a thread.
            let ended = Box::pin(self.go()).await;
            let stop = match &ended {
                Ok(Ended::Untidy(stop)) | Err(stop) => stop,
                Ok(Ended::Whole) => return ended,
            };
            let Some(failure) = self.passing(stop) else { return ended };
            let since = match first {
                Some(first) => first.elapsed(),
                None => {
                    first = Some(Instant::now());
                    let wait = PATIENCE.as_secs();
                    let words = format!("{} It is waited for, up to {wait} s.", failure.sentence());
                    self.log.say(None, self.log.redacted(&words));
                    Duration::ZERO
                }
            };
            if since > PATIENCE {
                return ended;
            }
            if since > NOBODY_REVIVES {
                self.revive_proxies().await?;
            }
            tokio::select! {
                () = sleep(PAUSE) => {}
                () = self.run.lost.cancelled() => return Err(Stop::Lost),
                () = self.run.cancel.cancelled() => return ended,
            }
        }
    }

    /// The way back, likewise; when patience is over it is gone on the hosts that answer.
    pub(super) async fn go_back_patiently(&self, want: &Want, why: GivingUp) -> Result<(), Stop> {
        let until = Instant::now() + PATIENCE_BACK;
        while Instant::now() < until {
            match Box::pin(self.go_back(want, why, false)).await {
                Err(stop) if self.passing(&stop).is_some() => {}
                ended => return ended,
            }
            tokio::select! {
                () = sleep(PAUSE) => {}
                () = self.run.lost.cancelled() => return Err(Stop::Lost),
            }
        }
        Box::pin(self.go_back(want, why, true)).await
    }

    /// The failure, where it may pass by itself. A host that was never reached is said at once: nothing waits there.
    fn passing<'a>(&self, stop: &'a Stop) -> Option<&'a Failure> {
        let Stop::Failed(failure) = stop else { return None };
        let passes = match failure {
            Failure::DockerUnavailable { .. } | Failure::ProxyUnavailable { .. } => true,
            Failure::HostUnreachable { .. } => self.begun,
            _ => false,
        };
        passes.then_some(failure)
    }

    /// The first silent host that is worth waiting for. Of the others the planner speaks.
    pub(super) fn worth_waiting(&self, silent: Vec<(String, Error)>) -> Option<Stop> {
        silent.into_iter().map(|(name, error)| on_host(&name, error)).find(|stop| self.passing(stop).is_some())
    }

    /// Starts the proxy on hosts where it does not run and nobody starts it.
    async fn revive_proxies(&self) -> Result<(), Stop> {
        // A release one goes back to may belong on other hosts than the app does now.
        let wanted = self.want.as_ref().map_or(&self.row.placement.0, |want| &want.release.placement);
        let ids: Vec<_> = wanted.iter().map(|place| place.host).collect();
        for reached in access::reach(&self.ctx.access(), &self.run.permit, &ids).await? {
            let Ok(host) = &reached.host else { continue };
            if !matches!(proxy::look(host).await, Err(Error::ProxyUnavailable { .. })) {
                continue;
            }
            match proxy::revive(self.ctx, self.run, &reached, host).await? {
                Ok(()) => self.log.say(None, format!("The proxy of {} was started again.", reached.row.name)),
                Err(why) => self.log.say(None, format!("The proxy of {} cannot be started: {why}", reached.row.name)),
            }
        }
        Ok(())
    }
}
