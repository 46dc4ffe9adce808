//! The doctor: looks at the panel, its database, hosts, domains and certificates, and says what it found and what to do. It changes nothing.
//! Not here: what a finding means (`domain/doctor`), writing it for a terminal or a page.

mod blind;
mod bundle;
mod certificates;
mod database;
mod hosts;
mod machine;
mod names;

pub use blind::{Known, SEALED};
pub use bundle::{Piece, bundle};
pub use database::database;
pub use machine::{Place, machine};

use std::time::Duration;

use futures_util::future::join;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::gate;
use super::panel;
use super::{Ctx, Refused};
use crate::db::teams;
use crate::domain::doctor::{Area, Finding, Report, unreached};
use crate::domain::rights::{Actor, Permission};

/// Examinations at once: each asks all hosts of a team and the name server.
const AT_ONCE: usize = 4;
/// How long who asks waits for a turn: a page that asks gives up after 20 s in all.
const PATIENCE: Duration = Duration::from_secs(6);

static TURNS: Semaphore = Semaphore::const_new(AT_ONCE);

/// Examines what the actor may see to: the hosts they manage and the domains of apps they see; for an owner of the team that set the panel
/// up, the panel itself and its database too.
pub async fn examine(ctx: &Ctx, actor: &Actor) -> Result<Report, Refused> {
    actor.may_somewhere(Permission::ManageHosts)?;
    let busy = || Refused::Unavailable("The doctor is with others. Ask again in a moment.".to_owned());
    let _turn = timeout(PATIENCE, TURNS.acquire()).await.ok().and_then(Result::ok).ok_or_else(busy)?;
    let mut report = Report::default();
    if gate::owns_panel(ctx, actor).await? {
        if let Some(place) = &ctx.settings.place {
            report.add(machine(place, &panel::base_url(ctx).await?));
        }
        report.add(database(&ctx.db).await?);
        let (found, clock) = join(team(ctx, actor, ""), certificates::clock(ctx, actor)).await;
        report.add(found?);
        report.add(clock?);
        return Ok(report);
    }
    report.add(team(ctx, actor, "").await?);
    Ok(report)
}

/// The same for whoever has a shell on the panel's machine: all teams. What is wrong with the database is a finding, not an error.
pub async fn examine_all(ctx: &Ctx) -> Report {
    let mut report = Report::default();
    match all_teams(ctx).await {
        Ok(found) => report.add(found),
        Err(refused) => report.add([unreached(&refused.to_string())]),
    }
    report
}

async fn all_teams(ctx: &Ctx) -> Result<Vec<Finding>, Refused> {
    let mut door = ctx.db.begin_door().await?;
    let teams = teams::all(&mut door).await?;
    door.commit().await?;
    let several = teams.len() > 1;
    let mut found = Vec::new();
    if let Some(first) = teams.first() {
        found.extend(certificates::clock(ctx, &Actor::on_the_panels_machine(first.id)).await?);
    }
    for row in teams {
        // A host's name is its team's alone.
        let prefix = if several { [&row.name, " / "].concat() } else { String::new() };
        found.extend(team(ctx, &Actor::on_the_panels_machine(row.id), &prefix).await?);
    }
    Ok(found)
}

/// Hosts, domains and certificates of one team.
async fn team(ctx: &Ctx, actor: &Actor, prefix: &str) -> Result<Vec<Finding>, Refused> {
    let gate::Open { mut tx, permit, .. } = gate::team(ctx, actor).await?;
    let seen = hosts::known(&mut tx, &permit, actor).await?;
    let domains = names::known(&mut tx, &permit, actor).await?;
    let certificates = certificates::certificates(&mut tx, &permit, actor).await?;
    tx.commit().await?;
    let (mut found, domains) = join(hosts::look(ctx, &permit, seen), names::look(&ctx.lookup, domains)).await;
    found.extend(domains);
    found.extend(certificates);
    // Names of the internet are one team's anyway; those of hosts, and what is said of all, are not.
    let of_several = |finding: &&mut Finding| finding.area == Area::Host || !finding.of.contains('.');
    for finding in found.iter_mut().filter(of_several) {
        finding.of.insert_str(0, prefix);
    }
    Ok(found)
}
