//! What Skiff asks of itself, by the clock. Not here: the clock.

use super::{Ctx, Refused};
use crate::db::{acme, acme_orders, host_checks, host_passes, renewals, teams};
use crate::domain::cause::Cause;
use crate::domain::host::HostState;
use crate::jobs::check_host::{self, CheckHost};
use crate::jobs::keep_renewal;
use crate::jobs::look_after_certificates::LookAfterCertificates;
use crate::jobs::obtain_certificate;
use crate::jobs::tidy::Tidy;
use crate::queue::{self, New};

/// Hosts whose turn is taken in one go: the rest follows with the next.
const HOSTS_AT_ONCE: usize = 50;
/// Teams whose turn is taken in one transaction.
const AT_ONCE: i64 = 50;

/// Asks for the daily tidying of every team that is due. The turn and the job are one transaction, so that each team has
/// one a day however many panels ask. How many were asked for.
pub async fn tidy_due(ctx: &Ctx) -> Result<usize, Refused> {
    let mut tx = ctx.db.begin_worker().await?;
    let due = teams::to_tidy(&mut tx, AT_ONCE).await?;
    for team in &due {
        let cause = Cause::System { why: "once a day".into(), deploy: None };
        let new = New { lock_key: Some(format!("tidy:{}", team.team())), priority: -10, ..New::new("Tidy up", cause) };
        queue::push(&mut tx, &queue::permit_of_row(team), &Tidy {}, new).await?;
    }
    tx.commit().await?;
    Ok(due.len())
}

/// Asks for the daily check of every host that is due, and tells those that renew certificates without the panel that it is there; of one that is being made ready an hour later. The turn and the job
/// are one transaction, so that each host has one a day however many panels ask. How many were asked for.
pub async fn checks_due(ctx: &Ctx) -> Result<usize, Refused> {
    let mut asked = 0;
    for _ in 0..HOSTS_AT_ONCE {
        let mut tx = ctx.db.begin_worker().await?;
        let Some((turn, host)) = host_checks::take_turn(&mut tx).await? else { break };
        let permit = queue::permit_of_row(&turn);
        if let Some(now) = host_checks::now(&mut tx, &permit, host).await? {
            let speaks = matches!(now.state, HostState::Ready | HostState::Unreachable);
            if now.provisioning.is_some() {
                host_checks::later(&mut tx, &permit, host).await?;
            } else if speaks && now.checking.is_none() {
                let cause = Cause::System { why: "once a day".into(), deploy: None };
                let title = format!("Check {}", now.name);
                let mut new = New { priority: -10, ..New::new(&title, cause) };
                new.lock_key = Some(check_host::lock_key(host));
                new.host = Some(host);
                queue::push(&mut tx, &permit, &CheckHost { host }, new).await?;
                asked += 1;
                if renewals::concerns(&mut tx, &permit, host).await? {
                    keep_renewal::ask(&mut tx, &permit, host, &now.name).await?;
                }
            }
        }
        tx.commit().await?;
    }
    Ok(asked)
}

/// Certificates whose turn is taken in one go: an authority takes 300 orders in three hours.
const CERTIFICATES_AT_ONCE: usize = 20;

/// Asks for every certificate whose time has come: to be got, tried again, or renewed. Nothing while no authority is chosen. How
/// many were asked for.
pub async fn certificates_due(ctx: &Ctx) -> Result<usize, Refused> {
    let mut tx = ctx.db.begin_worker().await?;
    let chosen = acme::settings(&mut tx).await?.is_some();
    tx.commit().await?;
    let mut asked = 0;
    while chosen && asked < CERTIFICATES_AT_ONCE {
        let mut tx = ctx.db.begin_worker().await?;
        let Some((turn, order)) = acme_orders::take_turn(&mut tx).await? else { break };
        let permit = queue::permit_of_row(&turn);
        if let Some(row) = acme_orders::list(&mut tx, &permit, Some(order)).await?.pop() {
            let cause = Cause::System { why: "its time has come".into(), deploy: None };
            obtain_certificate::ask(&mut tx, &permit, &row, cause, -5).await?;
        }
        tx.commit().await?;
        asked += 1;
    }
    Ok(asked)
}

/// Has every team's certificates held against its routes, four times a day and when one ends. How many were asked for.
pub async fn certificates_looked_after(ctx: &Ctx) -> Result<usize, Refused> {
    let mut tx = ctx.db.begin_worker().await?;
    let due = acme_orders::teams_due(&mut tx, AT_ONCE).await?;
    for team in &due {
        let cause = Cause::System { why: "some times a day, and when one ends".into(), deploy: None };
        let lock_key = Some(format!("look-after-certificates:{}", team.team()));
        // Not behind others: another certificate takes the place of one within the minutes before that ends.
        let new = New { lock_key, ..New::new("Look after certificates", cause) };
        queue::push(&mut tx, &queue::permit_of_row(team), &LookAfterCertificates {}, new).await?;
    }
    tx.commit().await?;
    Ok(due.len())
}

/// Forgets passwords and keys that were given for one sign-in and not used within an hour. How many.
pub async fn forget_passes(ctx: &Ctx) -> Result<u64, Refused> {
    let mut tx = ctx.db.begin_worker().await?;
    let gone = host_passes::forget_old(&mut tx).await?;
    tx.commit().await?;
    Ok(gone)
}
