//! Who is told of what: once, not twice, in the transaction it happened in; and what becomes of a service that does not answer.

use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use axum::response::IntoResponse;
use skiff::actions::certificates::{self, NewCertificate};
use skiff::actions::home;
use skiff::actions::notices::{self, SetMine};
use skiff::db::deploy_runs;
use skiff::domain::app::Spec;
use skiff::domain::deploy::{DeployState, Target};
use skiff::domain::ids::{AccountId, AppId, DeployId, HostId, JobId};
use skiff::domain::rights::{Actor, Grant, Role, Scope};
use skiff::domain::source::{Image, Source};
use skiff::jobs::{self, look_after_certificates::LookAfterCertificates};
use skiff::queue::{self, New, Runner, RunnerSettings};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{add, all, deliveries, webhook};
use crate::harness::postgres::fresh_database;
use crate::harness::services::{WebService, outside_of};
use crate::harness::tls::Authority;
use crate::harness::world::World;

/// Nothing of a test takes longer.
const WITHIN: Duration = Duration::from_secs(60);

/// A runner of notices.
pub(super) struct Telling {
    stop: CancellationToken,
    running: tokio::task::JoinHandle<()>,
}

impl Telling {
    pub(super) fn start(world: &World) -> Self {
        let how = RunnerSettings { concurrency: 4, ..RunnerSettings::default() };
        let runner = Runner::new(world.db.db.clone(), world.changes.clone(), jobs::notices(&world.ctx), how);
        let stop = CancellationToken::new();
        let until = stop.clone();
        Self { stop, running: tokio::spawn(async move { runner.run(until).await }) }
    }

    /// Ends it as `kill -9` does.
    fn kill(self) {
        self.running.abort();
    }
}

impl Drop for Telling {
    fn drop(&mut self) {
        self.stop.cancel();
        self.running.abort();
    }
}

pub(super) async fn world() -> World {
    World::idle(fresh_database().await).await
}

/// Apps that stand nowhere: their deploys end as the test says.
pub(super) async fn app(world: &World) -> (AppId, Uuid) {
    let spec = Spec::web(8080, "/up".parse().unwrap());
    let source = Source::Image(Image { image: "web:1".parse().unwrap(), login: None });
    let app = world.app_of(HostId(Uuid::now_v7()), source, spec).await;
    let project = sqlx::query_scalar(
        "select e.project_id from apps a join environments e on e.id = a.environment_id where a.id = $1",
    )
    .bind(app.id.0)
    .fetch_one(&mut world.db.superuser().await)
    .await
    .unwrap();
    (app.id, project)
}

/// Lets shop.test lead to an app.
pub(super) async fn leads_there(world: &World, app: AppId) {
    sqlx::query(
        "insert into routes (team_id, id, app_id, domain, path) values ($1, gen_random_uuid(), $2, 'shop.test', '/')",
    )
    .bind(world.team.id.0)
    .bind(app.0)
    .execute(&mut world.db.superuser().await)
    .await
    .unwrap();
}

/// A deploy that was asked for, and its job.
pub(super) async fn asked(world: &World, app: AppId) -> (DeployId, JobId) {
    let (permit, deploy, job) = (&world.team.permit, DeployId(Uuid::now_v7()), JobId(Uuid::now_v7()));
    let cause = crate::harness::team::cause();
    sqlx::query(
        "insert into jobs (id, team_id, kind, args, title, cause) values ($1, $2, 'deploy of a test', '{}', 'Deploy', $3)",
    )
    .bind(job.0)
    .bind(world.team.id.0)
    .bind(sqlx::types::Json(cause.clone()))
    .execute(&mut world.db.superuser().await)
    .await
    .unwrap();
    let mut tx = world.db.begin(permit).await.unwrap();
    deploy_runs::insert(&mut tx, permit, deploy, app, job, &Target::Head, &cause).await.unwrap();
    tx.commit().await.unwrap();
    (deploy, job)
}

/// A deploy that ends like this. The last words of its job come a moment later.
pub(super) async fn ended(world: &World, app: AppId, state: DeployState) -> DeployId {
    let ((deploy, job), permit) = (asked(world, app).await, &world.team.permit);
    let mut tx = world.db.begin(permit).await.unwrap();
    deploy_runs::end(&mut tx, permit, deploy, state, None).await.unwrap();
    tx.commit().await.unwrap();
    sqlx::query(
        "update jobs set state = 'failed', finished_at = now(), reason = 'It did not become healthy.' where id = $1",
    )
    .bind(job.0)
    .execute(&mut world.db.superuser().await)
    .await
    .unwrap();
    deploy
}

/// Waits until this is so of the deliveries.
pub(super) async fn until(world: &World, so: impl Fn(&[(String, i32, String)]) -> bool) -> Vec<(String, i32, String)> {
    let begun = std::time::Instant::now();
    loop {
        let all = deliveries(&world.db).await;
        if so(&all) {
            return all;
        }
        assert!(begun.elapsed() < WITHIN, "{all:#?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Lets the time of back-offs pass.
pub(super) async fn time_passes(world: &World) {
    let mut conn = world.db.superuser().await;
    sqlx::query("update notice_channels set rests_until = null").execute(&mut conn).await.unwrap();
    sqlx::query("update jobs set run_at = now() where state = 'queued'").execute(&mut conn).await.unwrap();
}

#[tokio::test]
async fn a_letter_leads_to_the_panel_by_the_name_it_is_known_by() {
    let world = world().await;
    let service = WebService::start(|_, _| StatusCode::OK).await;
    let (ctx, owner) = (world.actions(), &world.team.owner);
    let id = add(&ctx, owner, webhook("ours", &service.base)).await;
    assert!(notices::test(&ctx, owner, id).await.unwrap().taken);
    let (app, _) = app(&world).await;
    let mut conn = world.db.superuser().await;
    for statement in [
        "set session_replication_role = replica",
        "insert into panel_addresses (state, domain, owner_team, host_id, door, port, nonce)
         values ('serving', 'panel.example.org', gen_random_uuid(), gen_random_uuid(), 7070, 8443, 'x')",
    ] {
        sqlx::query(statement).execute(&mut conn).await.unwrap();
    }
    tokio::time::sleep(Duration::from_millis(2_100)).await; // names are kept for two seconds
    assert!(notices::test(&ctx, owner, id).await.unwrap().taken);
    let _telling = Telling::start(&world);
    ended(&world, app, DeployState::Failed).await;
    until(&world, |all| all.len() == 3 && all.iter().all(|(state, _, _)| state == "sent")).await;
    let urls: Vec<String> =
        service.asked().iter().map(|asked| asked.json()["url"].as_str().unwrap().to_owned()).collect();
    let begins = |url: &str| {
        ["http://127.0.0.1:7070/t/", "https://panel.example.org:8443/t/"].iter().position(|b| url.starts_with(b))
    };
    assert_eq!(urls.iter().map(|url| begins(url)).collect::<Vec<_>>(), [Some(0), Some(1), Some(1)], "{urls:?}");
}

#[tokio::test]
async fn a_certificate_that_runs_out_is_told_to_those_of_its_project() {
    let mut world = world().await;
    let service = WebService::start(|_, _| StatusCode::OK).await;
    let (ctx, owner) = (world.actions(), world.team.owner.clone());
    let ((ours, project), (_, other)) = (app(&world).await, app(&world).await);
    for (path, project) in [("ours", project), ("others", other)] {
        let mut form = webhook(path, &format!("{}/{path}", service.base));
        form.wanted.events = vec!["certificate".into()];
        form.wanted.projects = vec![project.to_string()];
        add(&ctx, &owner, form).await;
    }
    leads_there(&world, ours).await;
    let authority = Authority::new("Test CA");
    let upload = async |names: &[&str], days: i64| {
        let made = authority.issue(names, days);
        let input = NewCertificate { chain: made.chain, key: made.key };
        certificates::upload(&ctx, &owner, input).await.unwrap();
    };
    upload(&["shop.test"], 20).await;
    upload(&["unused.test"], 20).await;
    world.start_worker();
    let _telling = Telling::start(&world);
    let looked = async || {
        let permit = &world.team.permit;
        let mut tx = world.db.begin(permit).await.unwrap();
        let new = New::new("Look", crate::harness::team::cause());
        let job = queue::push(&mut tx, permit, &LookAfterCertificates {}, new).await.unwrap().job;
        tx.commit().await.unwrap();
        assert_eq!(world.over(job).await.state, "succeeded");
    };
    looked().await;
    looked().await;
    until(&world, |all| all.len() == 1 && all[0].0 == "sent").await;
    let needs = home::get(&ctx, &owner).await.unwrap().needs;
    assert!(
        needs.iter().any(|need| need.certificate && need.sentence.contains("shop.test: It runs out within a month")),
        "{needs:?}"
    );
    sqlx::query("update certificate_versions set not_after = now() + interval '3 days'")
        .execute(&mut world.db.superuser().await)
        .await
        .unwrap();
    looked().await;
    until(&world, |all| all.len() == 2 && all[1].0 == "sent").await;
    upload(&["shop.test"], 90).await;
    looked().await;
    until(&world, |all| all.len() == 3 && all[2].0 == "sent").await;
    looked().await;
    let asked = service.asked();
    assert!(asked.len() == 3 && asked.iter().all(|asked| asked.path == "/ours"), "{asked:?}");
    assert!(asked[1].json()["body"].as_str().unwrap().contains("within a week"), "{}", asked[1].json());
    let phases: Vec<String> = asked.iter().map(|asked| asked.json()["phase"].as_str().unwrap().to_owned()).collect();
    assert_eq!(phases, ["began", "began", "over"]);
    assert!(
        asked[1].json()["url"].as_str().unwrap().ends_with("/certificates"),
        "where one uploads: {}",
        asked[1].json()
    );
    assert!(home::get(&ctx, &owner).await.unwrap().needs.iter().all(|need| !need.certificate));
    let all = notices::alerts(&ctx, &owner).await.unwrap();
    assert!(all.len() == 2 && all.iter().all(|alert| alert.closed_at.is_some()), "{all:?}");

    // One that is brought and taken away is judged at once, and nothing stays of it.
    upload(&["shop.test"], 3).await;
    until(&world, |all| all.len() == 4 && all[3].0 == "sent").await;
    let there = certificates::list(&ctx, &owner).await.unwrap();
    let served = there.iter().find(|line| line.names == ["shop.test"]).unwrap();
    certificates::remove(&ctx, &owner, served.id).await.unwrap();
    assert!(home::get(&ctx, &owner).await.unwrap().needs.iter().all(|need| !need.certificate));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_deploy_is_told_once_by_two_workers_and_to_whom_it_concerns() {
    let world = world().await;
    let service = WebService::start(|_, _| StatusCode::OK).await;
    let (ctx, owner) = (world.actions(), &world.team.owner);
    let ((ours, project), (other, _)) = (app(&world).await, app(&world).await);
    let mut form = webhook("ours", &format!("{}/ours", service.base));
    form.wanted.projects = vec![project.to_string()];
    add(&ctx, owner, form).await;
    let mut form = webhook("failures", &format!("{}/failures", service.base));
    form.wanted.events = vec!["deploy_failed".into()];
    add(&ctx, owner, form).await;
    let (one, two) = (Telling::start(&world), Telling::start(&world));
    for _ in 0..10 {
        ended(&world, ours, DeployState::Failed).await;
        ended(&world, other, DeployState::Failed).await;
    }
    until(&world, |all| all.len() == 30 && all.iter().all(|(state, _, _)| state == "sent")).await;
    let asked = service.asked();
    let count = |path: &str| asked.iter().filter(|asked| asked.path == path).count();
    assert_eq!((count("/ours"), count("/failures")), (10, 20));
    let mut ids: Vec<&str> = asked.iter().map(|asked| asked.header("skiff-delivery")).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 30, "nobody got one twice");
    let json = asked[0].json();
    assert!(json["title"].as_str().unwrap().ends_with(": a deploy failed"), "{json}");
    assert!(json["body"].as_str().unwrap().starts_with("It did not become healthy.\n"), "{json}");
    drop((one, two));
}

#[tokio::test]
async fn what_did_not_happen_is_not_told_and_nobody_listening_costs_no_job() {
    let world = world().await;
    let (app, _) = app(&world).await;
    ended(&world, app, DeployState::Failed).await;
    let mut conn = world.db.superuser().await;
    let count = async |conn: &mut sqlx::PgConnection| -> (i64, i64) {
        let events = sqlx::query_scalar("select count(*) from notice_events").fetch_one(&mut *conn).await.unwrap();
        let jobs =
            sqlx::query_scalar("select count(*) from jobs where kind = 'announce'").fetch_one(conn).await.unwrap();
        (events, jobs)
    };
    assert_eq!(count(&mut conn).await, (0, 0));
    add(&world.actions(), &world.team.owner, webhook("hook", "http://127.0.0.1:9/")).await;
    let permit = &world.team.permit;
    let mut tx = world.db.begin(permit).await.unwrap();
    let detail = skiff::domain::notice::Detail::default();
    skiff::db::alerts::happened(&mut tx, permit, skiff::domain::notice::Kind::HostDown, None, &detail).await.unwrap();
    tx.rollback().await.unwrap();
    assert_eq!(count(&mut conn).await, (0, 0));
    ended(&world, app, DeployState::Cancelled).await;
    assert_eq!(count(&mut conn).await, (0, 0));
    ended(&world, app, DeployState::Failed).await;
    assert_eq!(count(&mut conn).await, (1, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_is_away_is_asked_again_and_one_that_refuses_is_not() {
    let world = world().await;
    let service = WebService::start(|number, asked| match (asked.path.as_str(), number) {
        ("/refuses", _) => StatusCode::NOT_FOUND,
        (_, 0..=3) => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::OK,
    })
    .await;
    let (ctx, owner) = (world.actions(), &world.team.owner);
    let (app, _) = app(&world).await;
    let refuses = add(&ctx, owner, webhook("refuses", &format!("{}/refuses", service.base))).await;
    let telling = Telling::start(&world);
    ended(&world, app, DeployState::Failed).await;
    let all = until(&world, |all| all.iter().any(|(state, _, _)| state == "failed")).await;
    assert_eq!(all[0].1, 1, "{all:?}");
    assert!(all[0].2.contains("answered 404. Does it take POST at this address?"), "{all:?}");
    notices::remove(&ctx, owner, refuses).await.unwrap();

    add(&ctx, owner, webhook("away", &format!("{}/away", service.base))).await;
    ended(&world, app, DeployState::Failed).await;
    let all = until(&world, |all| all.len() == 2 && all[1].1 == 1 && all[1].0 == "waiting").await;
    assert!(all[1].2.contains("answered 503"), "{all:?}");
    // What came of it is written down a moment before its job waits.
    let begun = std::time::Instant::now();
    let pause = loop {
        let pause: Option<f64> = sqlx::query_scalar(
            "select extract(epoch from run_at - now())::float8 from jobs where kind = 'notice' and state = 'queued'",
        )
        .fetch_optional(&mut world.db.superuser().await)
        .await
        .unwrap();
        if let Some(pause) = pause {
            break pause;
        }
        assert!(begun.elapsed() < WITHIN);
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert!(pause > 5.0, "it is not hammered: {pause}");
    // Another letter does not try the channel meanwhile.
    let before = service.asked().len();
    ended(&world, app, DeployState::Failed).await;
    until(&world, |all| all.len() == 3).await;
    let begun = std::time::Instant::now();
    loop {
        let waits: i64 = sqlx::query_scalar(
            "select count(*) from jobs where kind = 'notice' and state = 'queued' and wait_reason = 'the channel did not answer lately'",
        )
        .fetch_one(&mut world.db.superuser().await)
        .await
        .unwrap();
        if waits == 1 {
            break;
        }
        assert!(begun.elapsed() < WITHIN);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(service.asked().len(), before);
    let begun = std::time::Instant::now();
    while deliveries(&world.db).await.iter().filter(|(state, _, _)| state == "sent").count() < 2 {
        assert!(begun.elapsed() < WITHIN, "{:#?}", deliveries(&world.db).await);
        time_passes(&world).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    drop(telling);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_letter_whose_sender_died_is_not_sent_twice_and_says_so() {
    let world = world().await;
    let gate = Arc::new(tokio::sync::Semaphore::new(0));
    let held = gate.clone();
    let service = WebService::start_slow(move |_, _| {
        let held = held.clone();
        async move {
            let _ = held.acquire().await;
            StatusCode::OK.into_response()
        }
    })
    .await;
    let (app, _) = app(&world).await;
    add(&world.actions(), &world.team.owner, webhook("slow", &service.base)).await;
    let telling = Telling::start(&world);
    ended(&world, app, DeployState::Failed).await;
    let begun = std::time::Instant::now();
    while service.asked().is_empty() {
        assert!(begun.elapsed() < WITHIN);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    telling.kill();
    world.leases_run_out().await;
    let telling = Telling::start(&world);
    let all = until(&world, |all| all[0].0 == "unclear").await;
    assert!(all[0].2.contains("whether it arrived is not known"), "{all:?}");
    gate.add_permits(10);
    assert_eq!(service.asked().len(), 1);
    drop(telling);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn services_that_never_answer_hold_up_no_other_job() {
    let mut world = world().await;
    let service = WebService::start_slow(|_, _| std::future::pending()).await;
    let (app, _) = app(&world).await;
    for n in 0..6 {
        add(&world.actions(), &world.team.owner, webhook(&format!("hole {n}"), &service.base)).await;
    }
    let telling = Telling::start(&world);
    world.start_worker();
    for _ in 0..4 {
        ended(&world, app, DeployState::Failed).await;
    }
    let begun = std::time::Instant::now();
    while service.asked().len() < 4 {
        assert!(begun.elapsed() < WITHIN);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let mut tx = world.db.begin(&world.team.permit).await.unwrap();
    let new = skiff::queue::New::new("Tidy", crate::harness::team::cause());
    let pushed = skiff::queue::push(&mut tx, &world.team.permit, &jobs::tidy::Tidy {}, new).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(world.over(pushed.job).await.state, "succeeded");
    let all = deliveries(&world.db).await;
    assert!(all.iter().all(|(state, _, _)| state == "sending" || state == "waiting"), "{all:?}");
    drop(telling);
    world.stop_worker().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_is_told_what_they_chose_of_what_they_may_see() {
    let mut world = world().await;
    let server = crate::harness::services::MailService::start(Default::default()).await;
    world.ctx.outside = outside_of(None, None);
    let (ctx, owner) = (world.actions(), world.team.owner.clone());
    let mail = notices::SetMail {
        host: "127.0.0.1".into(),
        port: server.port.to_string(),
        security: "none".into(),
        sender: "skiff@example.org".into(),
        ..Default::default()
    };
    notices::set_mail(&ctx, &owner, mail).await.unwrap();
    let ((seen, project), (unseen, _)) = (app(&world).await, app(&world).await);
    let team = world.team.id;
    let (ada, grant) = (AccountId(Uuid::now_v7()), Grant { scope: Scope::Team(team), role: Role::Viewer });
    let dora = AccountId(Uuid::now_v7());
    let mut conn = world.db.superuser().await;
    for (account, name, kind, scope) in [(ada, "ada", "team", team.0), (dora, "dora", "project", project)] {
        let member = Uuid::now_v7();
        sqlx::query("insert into accounts (id, email, name, password_hash) values ($1, $2 || '@example.org', $2, 'x')")
            .bind(account.0)
            .bind(name)
            .execute(&mut conn)
            .await
            .unwrap();
        sqlx::query("insert into members (team_id, id, account_id) values ($1, $2, $3)")
            .bind(team.0)
            .bind(member)
            .bind(account.0)
            .execute(&mut conn)
            .await
            .unwrap();
        sqlx::query(
            "insert into grants (team_id, member_id, scope_kind, scope_id, role) values ($1, $2, $3, $4, 'viewer')",
        )
        .bind(team.0)
        .bind(member)
        .bind(kind)
        .bind(scope)
        .execute(&mut conn)
        .await
        .unwrap();
        let grants = match kind {
            "team" => vec![grant],
            _ => vec![Grant { scope: Scope::Project(skiff::domain::ids::ProjectId(project)), role: Role::Viewer }],
        };
        let actor = Actor::new(account, name.into(), String::new(), team, grants);
        let mut form = SetMine { email: format!("{name}@example.org"), wanted: all() };
        form.wanted.events.retain(|event| event != "deploy_succeeded");
        notices::choose(&ctx, &actor, form).await.unwrap();
    }
    let telling = Telling::start(&world);
    ended(&world, seen, DeployState::Failed).await;
    ended(&world, unseen, DeployState::Failed).await;
    until(&world, |all| all.len() == 3 && all.iter().all(|(state, _, _)| state == "sent")).await;
    let mut to: Vec<String> = server.mails().into_iter().flat_map(|mail| mail.to).collect();
    to.sort();
    assert_eq!(to, ["ada@example.org", "ada@example.org", "dora@example.org"]);
    // Whoever left is told nothing any more.
    sqlx::query("delete from members where account_id = $1").bind(ada.0).execute(&mut conn).await.unwrap();
    ended(&world, unseen, DeployState::Failed).await;
    ended(&world, seen, DeployState::Failed).await;
    until(&world, |all| all.len() == 4 && all.iter().all(|(state, _, _)| state == "sent")).await;
    drop(telling);
}
