//! Asking for deploys, superseding, cancelling, following.

use skiff::actions::deploys::{self, RequestDeploy};
use skiff::actions::{apps, audit, jobs, releases, routes};
use skiff::db::{deploy_runs, job_log};
use skiff::domain::deploy::DeployState;
use skiff::domain::ids::{AppId, DeployId};
use skiff::domain::job::{JobState, Stream};
use skiff::domain::rights::Permit;

use super::{conflict, fields};
use crate::harness::panel::Panel;

async fn ready() -> (Panel, AppId) {
    let panel = Panel::new().await;
    panel.host(&panel.owner, "fra").await;
    let app = panel.app(&panel.owner, "web").await;
    (panel, app)
}

async fn head(panel: &Panel, app: AppId) -> DeployId {
    deploys::request(&panel.ctx, &panel.owner, app, RequestDeploy::default()).await.unwrap()
}

/// Makes a waiting deploy a running one, as a claim does.
async fn claim(panel: &Panel, deploy: DeployId) -> i64 {
    let permit = Permit::of_claimed_row(panel.owner.team());
    let mut tx = panel.test.begin(&permit).await.unwrap();
    let fence: i64 = sqlx::query_scalar(
        "update jobs set state = 'running', fence = fence + 1, lease_until = now() + interval '1 hour', started_at = now()
          where id = (select job_id from deploys where id = $1) returning fence",
    )
    .bind(deploy.0)
    .fetch_one(&mut *tx)
    .await
    .unwrap();
    deploy_runs::begin(&mut tx, &permit, deploy, None).await.unwrap();
    tx.commit().await.unwrap();
    fence
}

#[tokio::test]
async fn a_newer_deploy_supersedes_the_waiting_one_and_only_that() {
    let (panel, app) = ready().await;
    let first = head(&panel, app).await;
    claim(&panel, first).await;
    let second = head(&panel, app).await;
    let third = head(&panel, app).await;
    let state = async |id| deploys::get(&panel.ctx, &panel.owner, id).await.unwrap().line.state;
    assert_eq!(state(first).await, DeployState::Running);
    assert_eq!(state(second).await, DeployState::Superseded);
    assert_eq!(state(third).await, DeployState::Queued);
    let job = deploys::get(&panel.ctx, &panel.owner, second).await.unwrap().job;
    assert_eq!(jobs::get(&panel.ctx, &panel.owner, job).await.unwrap().line.state, JobState::Superseded);
    let view = apps::get(&panel.ctx, &panel.owner, app).await.unwrap();
    assert_eq!((view.running.unwrap().id, view.waiting.unwrap().id), (first, third));
    assert!(conflict(deploys::cancel(&panel.ctx, &panel.owner, second).await).contains("superseded"));
}

#[tokio::test]
async fn a_waiting_deploy_is_cancelled_at_once_and_a_running_one_is_asked() {
    let (panel, app) = ready().await;
    let waiting = head(&panel, app).await;
    deploys::cancel(&panel.ctx, &panel.owner, waiting).await.unwrap();
    assert_eq!(deploys::get(&panel.ctx, &panel.owner, waiting).await.unwrap().line.state, DeployState::Cancelled);
    conflict(deploys::cancel(&panel.ctx, &panel.owner, waiting).await);

    let running = head(&panel, app).await;
    claim(&panel, running).await;
    let view = deploys::get(&panel.ctx, &panel.owner, running).await.unwrap();
    assert!(view.may_cancel);
    conflict(jobs::cancel(&panel.ctx, &panel.owner, view.job).await);
    deploys::cancel(&panel.ctx, &panel.owner, running).await.unwrap();
    let view = deploys::get(&panel.ctx, &panel.owner, running).await.unwrap();
    assert_eq!((view.line.state, view.cancel_asked_by.as_deref()), (DeployState::Running, Some("Ada")));
    assert!(!view.may_cancel);
}

#[tokio::test]
async fn after_the_switch_one_rolls_back_instead() {
    let (panel, app) = ready().await;
    let deploy = head(&panel, app).await;
    claim(&panel, deploy).await;
    let permit = Permit::of_claimed_row(panel.owner.team());
    let mut tx = panel.test.begin(&permit).await.unwrap();
    assert!(deploy_runs::switch(&mut tx, &permit, deploy).await.unwrap());
    tx.commit().await.unwrap();
    let sentence = conflict(deploys::cancel(&panel.ctx, &panel.owner, deploy).await);
    assert!(sentence.contains("roll back instead"), "{sentence}");
    assert!(!deploys::get(&panel.ctx, &panel.owner, deploy).await.unwrap().may_cancel);
}

#[tokio::test]
async fn going_back_names_a_kept_release_and_claims_no_address() {
    let (panel, app) = ready().await;
    panel.deployed(&panel.owner, app).await;
    let to = |release: &str| RequestDeploy { to: "release".into(), release: release.into(), ..Default::default() };
    assert_eq!(fields(deploys::request(&panel.ctx, &panel.owner, app, to("7")).await), ["release"]);
    assert_eq!(fields(deploys::request(&panel.ctx, &panel.owner, app, to("x")).await), ["release"]);
    let commit = RequestDeploy { to: "commit".into(), commit: "abc".into(), ..Default::default() };
    assert_eq!(fields(deploys::request(&panel.ctx, &panel.owner, app, commit).await), ["commit", "to"]);

    let route = apps::get(&panel.ctx, &panel.owner, app).await.unwrap().routes[0].id;
    routes::remove(&panel.ctx, &panel.owner, app, route).await.unwrap();
    panel.deployed(&panel.owner, app).await;
    let other = panel.app(&panel.owner, "other").await;
    let taken = apps::NewRoute { domain: "web.example.org".into(), path: "/".into() };
    routes::add(&panel.ctx, &panel.owner, other, taken, Default::default()).await.unwrap();
    let preview = deploys::preview(&panel.ctx, &panel.owner, app, to("1")).await.unwrap();
    assert_eq!(preview.intent, "back to v1");
    deploys::request(&panel.ctx, &panel.owner, app, to("v1")).await.unwrap();
    // A kept release takes no address from anybody.
    assert!(apps::get(&panel.ctx, &panel.owner, app).await.unwrap().routes.is_empty());
    assert_eq!(apps::get(&panel.ctx, &panel.owner, other).await.unwrap().routes.len(), 2);
    let view = releases::get(&panel.ctx, &panel.owner, app, 1).await.unwrap();
    assert!(view.may_roll_back && !view.line.current);
}

#[tokio::test]
async fn a_preview_tells_the_steps_or_why_there_are_none() {
    let (panel, app) = ready().await;
    let preview = deploys::preview(&panel.ctx, &panel.owner, app, RequestDeploy::default()).await.unwrap();
    assert_eq!(preview.refusal, None);
    let steps: Vec<String> = preview.plan.iter().flat_map(|stage| stage.steps.clone()).collect();
    assert!(steps.iter().any(|step| step == "start web-1 v1 on fra"), "{steps:#?}");
    assert!(audit::list(&panel.ctx, &panel.owner, None).await.unwrap().iter().all(|e| e.action != "deploy.requested"));
}

#[tokio::test]
async fn a_follower_misses_no_line_and_is_told_the_end() {
    let (panel, app) = ready().await;
    let deploy = head(&panel, app).await;
    let job = deploys::get(&panel.ctx, &panel.owner, deploy).await.unwrap().job;
    let fence = claim(&panel, deploy).await;
    let permit = Permit::of_claimed_row(panel.owner.team());
    let say = async |from: i32, to: i32| {
        let line = |n| job_log::NewLine { stream: Stream::Out, step: None, line: format!("line {n}").into_bytes() };
        let lines: Vec<_> = (from..to).map(line).collect();
        let mut tx = panel.test.begin(&permit).await.unwrap();
        job_log::append(&mut tx, &permit, job, fence, &lines).await.unwrap().unwrap();
        tx.commit().await.unwrap();
    };
    say(0, 600).await;
    let mut follow = deploys::follow(&panel.ctx, &panel.owner, deploy, 100).await.unwrap();
    let mut seen = Vec::new();
    let first = follow.next().await.unwrap().unwrap();
    assert_eq!((first.lines.len(), first.state, first.done), (500, DeployState::Running, false));
    seen.extend(first.lines);
    say(600, 700).await;
    panel.finish(&panel.owner, deploy).await;
    let mut last = None;
    while let Some(update) = follow.next().await.unwrap() {
        seen.extend(update.lines);
        last = Some((update.state, update.done));
    }
    assert_eq!(last, Some((DeployState::Succeeded, true)));
    assert_eq!(seen.iter().map(|line| line.seq).collect::<Vec<_>>(), (101..=700).collect::<Vec<i64>>());
    let view = deploys::get(&panel.ctx, &panel.owner, deploy).await.unwrap();
    assert_eq!((view.log.len(), view.log_seq, view.log[0].seq), (500, 700, 201));

    let mut download = deploys::log(&panel.ctx, &panel.owner, deploy).await.unwrap();
    let mut bytes = Vec::new();
    while let Some(part) = futures_util::StreamExt::next(&mut download.bytes).await {
        bytes.extend(part.unwrap());
    }
    let whole: String = (0..700).map(|n| format!("line {n}\n")).collect();
    assert_eq!(String::from_utf8(bytes).unwrap(), whole);
    assert!(download.file.starts_with("deploy-web-") && download.file.ends_with(".log"), "{}", download.file);
}
