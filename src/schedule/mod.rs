//! The clock: asks for what is to be done at its time. Not here: what that is; actions know.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::actions::{Ctx, upkeep};

/// How often the clock is read: somebody waits for a certificate whose name has just got its address; the rest is due once a day.
const EVERY: Duration = Duration::from_secs(60);

/// Reads the clock until told to stop.
pub async fn run(ctx: Ctx, stop: CancellationToken) {
    loop {
        match upkeep::tidy_due(&ctx).await {
            Ok(0) => {}
            Ok(teams) => info!(teams, "The daily tidying of {teams} teams is asked for"),
            Err(error) => warn!(%error, "The daily tidying could not be asked for; trying again later"),
        }
        match upkeep::checks_due(&ctx).await {
            Ok(0) => {}
            Ok(hosts) => info!(hosts, "The daily check of {hosts} hosts is asked for"),
            Err(error) => warn!(%error, "The daily checks could not be asked for; trying again later"),
        }
        match upkeep::certificates_looked_after(&ctx).await {
            Ok(0) => {}
            Ok(teams) => info!(teams, "The certificates of {teams} teams are looked after"),
            Err(error) => warn!(%error, "Certificates could not be looked after; trying again later"),
        }
        match upkeep::certificates_due(&ctx).await {
            Ok(0) => {}
            Ok(due) => info!(due, "{due} certificates are asked for"),
            Err(error) => warn!(%error, "Certificates that are due could not be asked for; trying again later"),
        }
        if let Err(error) = upkeep::forget_passes(&ctx).await {
            warn!(%error, "What was given for one sign-in could not be forgotten; trying again later");
        }
        if stop.run_until_cancelled(tokio::time::sleep(EVERY)).await.is_none() {
            return;
        }
    }
}
