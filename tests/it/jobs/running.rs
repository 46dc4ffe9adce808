//! Restarting, stopping and starting: nothing is dropped where something serves, and what is stopped stays so.

use skiff::actions::apps::AppState;
use skiff::actions::deploys::RequestDeploy;
use skiff::actions::instances::{self, Restarted};
use skiff::actions::{Refused, apps, deploys, home};
use skiff::domain::ids::{AppId, DeployId, InstanceId, JobId};
use skiff::domain::rights::Actor;

use crate::harness::host::TestHost;
use crate::harness::probe::Probe;
use crate::harness::world::{Ended, World, ask};

async fn job_of(world: &World, deploy: DeployId) -> JobId {
    let job: uuid::Uuid = sqlx::query_scalar("select job_id from deploys where id = $1")
        .bind(deploy.0)
        .fetch_one(&mut world.db.superuser().await)
        .await
        .unwrap();
    JobId(job)
}

/// Deploys the release that serves once more, as the button does.
async fn again(world: &World, app: AppId) -> Ended {
    let person = Actor::on_the_panels_machine(world.team.id);
    let input = RequestDeploy { to: "again".into(), ..RequestDeploy::default() };
    let deploy = deploys::request(&world.actions(), &person, app, input).await.unwrap();
    world.over(job_of(world, deploy).await).await
}

async fn state(world: &World, app: AppId) -> AppState {
    let person = Actor::on_the_panels_machine(world.team.id);
    apps::get(&world.actions(), &person, app).await.unwrap().line.state
}

async fn started(host: &TestHost, name: &str) -> String {
    host.docker(&["inspect", "--format", "{{.State.StartedAt}}", name]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_restarts_without_a_lost_request_stops_stays_stopped_and_starts() {
    let (host, world) = (TestHost::bare().await, World::new().await);
    let id = world.provision(&host).await;
    host.load_app("127.0.0.1:5000/hello:1", "1").await;
    let mut app = world.app(id, "127.0.0.1:5000/hello:1", "stop.test").await;
    let (actions, person) = (world.actions(), Actor::on_the_panels_machine(world.team.id));
    let never = apps::stop(&actions, &person, app.id).await;
    assert!(matches!(&never, Err(Refused::Conflict(words)) if words.contains("never deployed")), "{never:?}");
    app.must_deploy().await;

    let (before, probe) = (app.containers(&host).await, Probe::start(&host, "stop.test"));
    let ended = again(&world, app.id).await;
    assert_eq!(ended.state, "succeeded", "{ended:#?}");
    probe.clean("restarting").await;
    let now = app.containers(&host).await;
    assert!(now.len() == 1 && now.keys().ne(before.keys()), "a new one in its place: {ended:#?}");

    // Asked for twice at once: the second finds nothing to do.
    let stop = apps::stop(&actions, &person, app.id).await.unwrap();
    let ended = world.over(stop).await;
    assert_eq!(ended.state, "succeeded", "{ended:#?}");
    let second = world.over(apps::stop(&actions, &person, app.id).await.unwrap()).await;
    assert_eq!(second.state, "succeeded", "{second:#?}");
    let (status, body) = ask(&host, "stop.test", "/").await;
    assert_eq!((status, body.as_str()), (503, "The app at this address is not running at the moment.\n"));
    assert_eq!(app.containers(&host).await.into_values().collect::<Vec<_>>(), ["exited"], "{ended:#?}");
    let line = apps::get(&actions, &person, app.id).await.unwrap().line;
    assert_eq!((line.state, line.stopped.unwrap().by.as_str()), (AppState::Stopped, "skiff admin"));
    assert_eq!(home::get(&actions, &person).await.unwrap().needs.len(), 0, "nobody has to look at it");

    // Whatever happens to the host, it stays as it is.
    host.reboot().await;
    assert_eq!(app.containers(&host).await.into_values().collect::<Vec<_>>(), ["exited"]);

    // A deploy that fails leaves it stopped: the former release is not started instead.
    app.set("EXIT_CODE", "3").await;
    let failed = app.deploy().await;
    assert_eq!(failed.state, "failed", "{failed:#?}");
    assert_eq!(state(&world, app.id).await, AppState::Stopped);
    assert!(app.containers(&host).await.values().all(|state| state == "exited"), "{failed:#?}");

    let ended = again(&world, app.id).await;
    assert_eq!(ended.state, "succeeded", "{ended:#?}");
    assert_eq!(ask(&host, "stop.test", "/").await.0, 200);
    assert_eq!(state(&world, app.id).await, AppState::Running);
    assert_eq!(app.containers(&host).await.len(), 1, "what was stopped and what failed are gone");
    world.quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_instance_is_restarted_while_the_other_serves_and_the_only_one_is_replaced() {
    let (host, world) = (TestHost::bare().await, World::new().await);
    let id = world.provision(&host).await;
    host.load_app("127.0.0.1:5000/hello:1", "1").await;
    let mut app = world.app(id, "127.0.0.1:5000/hello:1", "one.test").await;
    let mut spec = app.spec.clone();
    spec.instances = 2;
    app.save(spec.clone()).await;
    app.must_deploy().await;
    let (actions, person) = (world.actions(), Actor::on_the_panels_machine(world.team.id));
    let shown = apps::get(&actions, &person, app.id).await.unwrap().instances;
    let (which, other) = (&shown[0], &shown[1]);
    let (was, stays) = (started(&host, &which.name).await, started(&host, &other.name).await);

    let probe = Probe::start(&host, "one.test");
    let Restarted::InPlace(job) = instances::restart(&actions, &person, app.id, which.id).await.unwrap() else {
        panic!("the other one serves");
    };
    let ended = world.over(job).await;
    assert_eq!(ended.state, "succeeded", "{ended:#?}");
    probe.clean("restarting one of two").await;
    assert_ne!(started(&host, &which.name).await, was, "{ended:#?}");
    assert_eq!(started(&host, &other.name).await, stays, "{ended:#?}");
    let strange = instances::restart(&actions, &person, app.id, InstanceId(uuid::Uuid::now_v7())).await;
    assert!(matches!(strange, Err(Refused::NotFound)), "{strange:?}");

    spec.instances = 1;
    app.save(spec).await;
    app.must_deploy().await;
    let only = apps::get(&actions, &person, app.id).await.unwrap().instances.remove(0);
    let probe = Probe::start(&host, "one.test");
    let Restarted::Whole(deploy) = instances::restart(&actions, &person, app.id, only.id).await.unwrap() else {
        panic!("nothing else serves");
    };
    let ended = world.over(job_of(&world, deploy).await).await;
    assert_eq!(ended.state, "succeeded", "{ended:#?}");
    probe.clean("replacing the only one").await;
    assert!(!app.containers(&host).await.contains_key(&only.name), "{ended:#?}");
    world.quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_whose_host_is_away_says_so_and_is_finished_by_asking_again() {
    let (host, world) = (TestHost::bare().await, World::new().await);
    let id = world.provision(&host).await;
    host.load_app("127.0.0.1:5000/hello:1", "1").await;
    let app = world.app(id, "127.0.0.1:5000/hello:1", "away.test").await;
    app.must_deploy().await;
    let (actions, person) = (world.actions(), Actor::on_the_panels_machine(world.team.id));
    host.cut_with_resets().await;
    let ended = world.over(apps::stop(&actions, &person, app.id).await.unwrap()).await;
    assert!(ended.state == "failed" && ended.reason.contains("did not answer"), "{ended:#?}");
    host.heal().await;
    assert_eq!(ask(&host, "away.test", "/").await.0, 200, "what could not be reached goes on");
    let ended = world.over(apps::stop(&actions, &person, app.id).await.unwrap()).await;
    assert_eq!(ended.state, "succeeded", "{ended:#?}");
    assert_eq!(ask(&host, "away.test", "/").await.0, 503);
    world.quiet().await;
}
