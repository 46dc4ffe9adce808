//! What is told of a deploy that succeeded, and of one whose release was taken back.

use axum::http::StatusCode;
use skiff::db::deploy_runs;
use skiff::domain::deploy::Failure;
use skiff::domain::ids::{AppId, DeployId, ReleaseId};
use uuid::Uuid;

use super::delivery::{Telling, app, asked, until, world};
use super::{add, webhook};
use crate::harness::services::WebService;
use crate::harness::world::World;

/// A release that nothing has to run.
async fn release(world: &World, app: AppId, number: i32) -> ReleaseId {
    let id = ReleaseId(Uuid::now_v7());
    sqlx::query(
        "insert into releases (team_id, id, app_id, number, body, source, created_by)
         values ($1, $2, $3, $4, '{}', '{}', 'Ada')",
    )
    .bind(world.team.id.0)
    .bind(id.0)
    .bind(app.0)
    .bind(number)
    .execute(&mut world.db.superuser().await)
    .await
    .unwrap();
    id
}

/// A deploy that is running, of the second release of an app.
async fn running(world: &World, app: AppId) -> DeployId {
    let (former, new) = (release(world, app, 1).await, release(world, app, 2).await);
    let ((deploy, job), permit) = (asked(world, app).await, &world.team.permit);
    let mut conn = world.db.superuser().await;
    let mut tx = world.db.begin(permit).await.unwrap();
    deploy_runs::begin(&mut tx, permit, deploy, Some(former)).await.unwrap();
    tx.commit().await.unwrap();
    sqlx::query("update deploys set release_id = $2 where id = $1")
        .bind(deploy.0)
        .bind(new.0)
        .execute(&mut conn)
        .await
        .unwrap();
    sqlx::query("update jobs set reason = 'Words of its job, which are not told.' where id = $1")
        .bind(job.0)
        .execute(&mut conn)
        .await
        .unwrap();
    deploy
}

#[tokio::test]
async fn a_deploy_that_succeeded_is_told_and_so_is_that_its_release_was_taken_back() {
    let world = world().await;
    let service = WebService::start(|_, _| StatusCode::OK).await;
    let (ctx, owner, permit) = (world.actions(), &world.team.owner, &world.team.permit);
    let (app, _) = app(&world).await;
    add(&ctx, owner, webhook("all", &format!("{}/all", service.base))).await;
    for event in ["deploy_failed", "deploy_returned"] {
        let mut form = webhook(event, &format!("{}/{event}", service.base));
        form.wanted.events = vec![event.to_owned()];
        add(&ctx, owner, form).await;
    }
    let name: String = sqlx::query_scalar("select name from apps where id = $1")
        .bind(app.0)
        .fetch_one(&mut world.db.superuser().await)
        .await
        .unwrap();
    let deploy = running(&world, app).await;
    let telling = Telling::start(&world);

    let mut tx = world.db.begin(permit).await.unwrap();
    deploy_runs::succeed(&mut tx, permit, deploy, 60).await.unwrap();
    tx.commit().await.unwrap();
    until(&world, |all| all.len() == 1 && all[0].0 == "sent").await;
    let mut tx = world.db.begin(permit).await.unwrap();
    let why = Failure::TurnedBad { number: 2, detail: "instance 1 restarted 3 times".into() };
    assert!(deploy_runs::take_back(&mut tx, permit, deploy, &why).await.unwrap());
    tx.commit().await.unwrap();
    until(&world, |all| all.len() == 3 && all.iter().all(|(state, _, _)| state == "sent")).await;

    let asked = service.asked();
    let mut paths: Vec<&str> = asked[1..].iter().map(|asked| asked.path.as_str()).collect();
    paths.sort_unstable();
    assert_eq!((asked[0].path.as_str(), paths), ("/all", vec!["/all", "/deploy_returned"]));
    let app = format!("{name} / prod / {name}");
    let succeeded = ("deploy_succeeded", format!("{app}: v2 is deployed"), "Asked for by Skiff.");
    let returned = (
        "deploy_returned",
        format!("{app}: v2 is taken back"),
        "The release v2 turned bad after the switch: instance 1 restarted 3 times.\nv1 is deployed again.\n\
         Asked for by Skiff.",
    );
    for (asked, (kind, title, body)) in asked.iter().zip([&succeeded, &returned, &returned]) {
        let json = asked.json();
        assert_eq!((asked.header("skiff-event"), json["event"].as_str()), (*kind, Some(*kind)), "{json}");
        assert_eq!((json["title"].as_str(), json["body"].as_str()), (Some(title.as_str()), Some(*body)), "{json}");
        assert!(json["phase"].is_null(), "{json}");
        assert!(json["url"].as_str().unwrap().ends_with(&format!("/deploys/{}", deploy.0)), "{json}");
    }
    drop(telling);
}
