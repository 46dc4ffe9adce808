//! Lists of apps: rows become lines with a state. Not here: one app's page.

use super::addresses::Addresses;
use super::views::{
    AppLine, AppState, DeployBrief, EnvironmentChoice, HostChoice, NewAppForm, ReleaseBrief, RoutesStand, Stopped,
    TakenBack,
};
use crate::actions::gate::{self, Open};
use crate::actions::{Ctx, Refused};
use crate::db::app_lines::{Filter, Row};
use crate::db::{self, Tx};
use crate::domain::cause::Cause;
use crate::domain::deploy::DeployState;
use crate::domain::host::HostState;
use crate::domain::rights::{Actor, On, Permission, Permit};

/// All apps one may see, by project, environment and name.
pub async fn list(ctx: &Ctx, actor: &Actor) -> Result<Vec<AppLine>, Refused> {
    let Open { mut tx, permit, .. } = gate::team(ctx, actor).await?;
    let lines = lines(&mut tx, &permit, actor, Filter::default()).await?;
    tx.commit().await?;
    Ok(lines)
}

/// What the form for a new app offers: environments one may edit apps in, and hosts.
pub async fn new_form(ctx: &Ctx, actor: &Actor) -> Result<NewAppForm, Refused> {
    let Open { mut tx, permit, .. } = gate::team(ctx, actor).await?;
    let team = actor.team();
    let environments = db::environments::list(&mut tx, &permit)
        .await?
        .into_iter()
        .filter(|row| actor.may(Permission::EditApps, On::environment(team, row.project, row.id)).is_ok())
        .map(|row| EnvironmentChoice { id: row.id, words: format!("{} / {}", row.project_name, row.name) })
        .collect::<Vec<_>>();
    if environments.is_empty() {
        actor.may(Permission::EditApps, On::team(team))?;
    }
    let hosts = db::hosts::list(&mut tx, &permit, None).await?.into_iter().map(choice).collect();
    tx.commit().await?;
    Ok(NewAppForm {
        environments,
        hosts,
        configuration: super::configuration::defaults(),
        domain_hint: "app.localhost".into(),
    })
}

/// A host as something to choose.
pub(super) fn choice(row: db::hosts::Row) -> HostChoice {
    HostChoice { id: row.id, name: row.name, ready: row.state == HostState::Ready }
}

/// The apps one may see, in the caller's transaction.
pub(in crate::actions) async fn lines(
    tx: &mut Tx<'_>,
    permit: &Permit,
    actor: &Actor,
    filter: Filter,
) -> Result<Vec<AppLine>, Refused> {
    let rows = db::app_lines::list(tx, permit, filter).await?;
    let seen = |row: &Row| gate::sees(actor, On::environment(actor.team(), row.project, row.environment));
    let addresses = Addresses::read(tx, permit, rows.iter().filter_map(|row| row.domain.as_deref())).await?;
    Ok(rows.into_iter().filter(seen).map(|row| line(row, &addresses)).collect())
}

/// One row as a line.
fn line(row: Row, addresses: &Addresses) -> AppLine {
    let state = state(&row);
    let port = row.http_port.unwrap_or(80);
    let path = row.path.as_deref().unwrap_or("/");
    let url = row.domain.as_deref().map(|domain| addresses.url(row.host, domain, path, port));
    AppLine {
        state,
        url,
        id: row.id,
        slug: row.slug,
        name: row.name,
        kind: row.kind,
        project: row.project,
        project_slug: row.project_slug,
        project_name: row.project_name,
        environment: row.environment,
        environment_slug: row.environment_slug,
        environment_name: row.environment_name,
        current: row.release.zip(row.number).map(|(id, number)| ReleaseBrief {
            id,
            number,
            commit: row.commit.as_deref().map(|id| id.chars().take(7).collect()),
        }),
        serving: row.serving - row.lost,
        wanted: row.wanted,
        last_deploy: match (row.deploy, row.deploy_state, row.deploy_cause, row.deploy_created_at) {
            (Some(id), Some(state), Some(cause), Some(created_at)) => Some(DeployBrief {
                id,
                state,
                who: cause.0.who().to_owned(),
                created_at,
                finished_at: row.deploy_finished_at,
                answers: taken_back(&cause.0),
            }),
            _ => None,
        },
        pending: row.pending,
        maintenance: row.maintenance,
        routes: match (row.routes_told, row.routes_differ) {
            (true, _) => RoutesStand::Told,
            (false, true) => RoutesStand::Stuck,
            (false, false) => RoutesStand::Settled,
        },
        observed_at: row.seen_at.or(row.deploy_finished_at),
        stopped: row.stopped_at.map(|at| Stopped { by: row.stopped_by, at }),
    }
}

/// What a deploy that Skiff itself asked for is the answer to.
fn taken_back(cause: &Cause) -> Option<TakenBack> {
    match cause {
        Cause::System { why, deploy: Some(deploy) } => Some(TakenBack { deploy: *deploy, why: why.clone() }),
        _ => None,
    }
}

/// How an app stands, from the ledger and its last deploy.
fn state(row: &Row) -> AppState {
    let busy = matches!(row.deploy_state, Some(DeployState::Queued | DeployState::Running));
    // A release that was taken back needs somebody until they deploy again, well as the former one serves.
    let answers = row.deploy_cause.as_ref().is_some_and(|cause| taken_back(&cause.0).is_some());
    let bad = answers || row.deploy_state == Some(DeployState::Failed);
    match row.number {
        _ if busy => AppState::Deploying,
        // Not down: somebody wanted it so.
        _ if row.stopped_at.is_some() && row.up > 0 => AppState::Stopping,
        _ if row.stopped_at.is_some() => AppState::Stopped,
        None if bad => AppState::NeedsYou,
        None => AppState::New,
        Some(_) if row.host_silent => AppState::Unknown,
        Some(_) if row.serving - row.lost <= 0 => AppState::Down,
        Some(_) if bad || row.serving - row.lost < row.wanted => AppState::NeedsYou,
        Some(_) => AppState::Running,
    }
}
