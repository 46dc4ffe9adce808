//! Deploys as pages show them. A fixed number of statements, however long the log is.

use super::intent;
use super::views::{DeployLine, DeployView, FailureView, PlanStage};
use crate::actions::gate::{self, Open};
use crate::actions::jobs::StepLine;
use crate::actions::kept::Weigh;
use crate::actions::{Ctx, Refused, apps, jobs};
use crate::db;
use crate::db::deploys::{Filter, Line};
use crate::domain::cause::Cause;
use crate::domain::deploy::{DeployState, Failure, Target};
use crate::domain::diff;
use crate::domain::ids::{AppId, DeployId};
use crate::domain::plan::Plan;
use crate::domain::rights::{Actor, Permission};

/// Deploys on one page of the list.
pub const DEPLOYS_ON_PAGE: i64 = 50;

/// An app's newest deploys, or those before this one.
pub async fn list(ctx: &Ctx, actor: &Actor, app: AppId, before: Option<DeployId>) -> Result<Vec<DeployLine>, Refused> {
    let Open { mut tx, permit, .. } = gate::known_app(ctx, actor, app, Permission::View).await?;
    let filter = Filter { app: Some(app), before, ..Default::default() };
    let rows = db::deploys::list(&mut tx, &permit, filter, DEPLOYS_ON_PAGE).await?;
    tx.commit().await?;
    Ok(rows.into_iter().map(line).collect())
}

impl Weigh for DeployView {
    fn bytes(&self) -> usize {
        /// A line beside its bytes, and all that is not the log.
        const LINE: usize = 96;
        const REST: usize = 20_000;
        REST + self.log.iter().map(|line| LINE + line.line.len()).sum::<usize>()
    }
}

/// One deploy.
pub async fn get(ctx: &Ctx, actor: &Actor, id: DeployId) -> Result<DeployView, Refused> {
    let Open { mut tx, permit, on } = gate::deploy(ctx, actor, id, Permission::View).await?;
    let filter = Filter { deploy: Some(id), ..Default::default() };
    let row = db::deploys::list(&mut tx, &permit, filter, 1).await?.into_iter().next().ok_or(Refused::NotFound)?;
    let more = db::deploys::more(&mut tx, &permit, id).await?.ok_or(Refused::NotFound)?;
    let app = db::apps::known(&mut tx, &permit, row.app).await?.ok_or(Refused::NotFound)?;
    let removed = db::removed::get(&mut tx, &permit, row.app).await?.is_some();
    let steps = jobs::steps(&mut tx, &permit, row.job).await?;
    let log = jobs::log_end(&mut tx, &permit, row.job).await?;
    let release = match more.release {
        Some(release) => db::releases::get(&mut tx, &permit, release).await?,
        None => None,
    };
    let former = match more.former {
        Some(former) => db::releases::get(&mut tx, &permit, former).await?,
        None => None,
    };
    let cause = match row.cause.0 {
        Cause::Delivery { id, .. } => Some(id),
        _ => None,
    };
    let delivery = db::deliveries::of_deploy(&mut tx, &permit, row.app, id, cause).await?;
    let placed = app.placement.first().map(|place| place.host);
    let host = match placed {
        Some(host) => db::hosts::list(&mut tx, &permit, Some(host)).await?.into_iter().next(),
        None => None,
    };
    let routes = &app.spec.routes;
    let addresses = apps::Addresses::read(&mut tx, &permit, routes.iter().map(|route| route.domain.as_ref())).await?;
    tx.commit().await?;

    let changes = release.as_ref().zip(former.as_ref()).map(|(release, former)| {
        let before = diff::Side::of_release(&former.body, &former.source);
        diff::changes(&before, &diff::Side::of_release(&release.body, &release.source))
    });
    let source = release.as_ref().map_or(&app.source.0, |release| &release.source.0);
    let port = host.map_or(80, |host| host.proxy_port);
    let may_deploy = !removed && actor.may(Permission::Deploy, on).is_ok();
    let serves = !removed && more.release.is_some() && app.current == more.release;
    let moved = more.switched_at.is_some() && serves && more.former != more.release;
    Ok(DeployView {
        intent: match (&row.target.0, row.again) {
            (Target::Release { number }, true) => format!("restart of v{number}"),
            (target, _) => intent(target, source),
        },
        delivery,
        job: row.job,
        wait_reason: more.wait_reason,
        plan: stages(more.plan.as_ref().map(|plan| &plan.0), &steps),
        notes: more.plan.map(|plan| plan.0.notes).unwrap_or_default(),
        failure: row.failure.as_ref().map(|failure| failure_view(&failure.0)),
        changes: changes.unwrap_or_default(),
        log_seq: log.last().map_or(0, |line| line.seq),
        log: log.into(),
        switched_at: more.switched_at,
        watch_until: more.watch_until,
        may_cancel: may_deploy && !row.state.is_final() && more.switched_at.is_none() && more.cancel_asked_by.is_none(),
        cancel_asked_by: more.cancel_asked_by,
        urls: routes
            .iter()
            .map(|route| addresses.url(placed, route.domain.as_ref(), route.path.as_ref(), port))
            .collect(),
        may_roll_back_to: row.former.filter(|_| may_deploy && moved && row.state == DeployState::Succeeded),
        may_deploy,
        ran_release_command: more.ran_release_command,
        steps,
        line: line(row),
    })
}

/// The stages of the steps as they were planned, in order.
fn stages(plan: Option<&Plan>, steps: &[StepLine]) -> Vec<PlanStage> {
    let mut stages: Vec<PlanStage> = Vec::new();
    for step in steps {
        match stages.last_mut().filter(|stage| stage.name == step.stage) {
            Some(stage) => stage.steps.push(step.words.clone()),
            None => stages.push(PlanStage {
                name: step.stage.clone(),
                after_switch: plan
                    .is_some_and(|plan| plan.stages.iter().any(|stage| stage.name == step.stage && stage.after_switch)),
                steps: vec![step.words.clone()],
            }),
        }
    }
    stages
}

/// A failure in words.
fn failure_view(failure: &Failure) -> FailureView {
    FailureView { sentence: failure.sentence(), advice: failure.advice().to_owned(), help: failure.help() }
}

/// A row as a line.
pub(in crate::actions) fn line(row: Line) -> DeployLine {
    DeployLine {
        id: row.id,
        app: row.app,
        app_name: row.app_name,
        target: row.target.0,
        again: row.again,
        state: row.state,
        number: row.number,
        former: row.former,
        commit: row.commit.and_then(|commit| commit.0),
        who: row.cause.who().to_owned(),
        failure: row.failure.map(|failure| failure.sentence()),
        created_at: row.created_at,
        started_at: row.started_at,
        finished_at: row.finished_at,
    }
}
