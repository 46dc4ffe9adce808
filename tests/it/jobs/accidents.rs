//! What happens to a host, or to the database, in the middle of a deploy: a clear reason or no failure at all, the old
//! release serves on, nothing is left half-done, and the same deploy goes through afterwards.

use std::time::Duration;

use skiff::actions::hosts::{self, SetHttpPort};
use skiff::domain::deploy::Target;
use skiff::domain::rights::Actor;

use crate::harness::host::TestHost;
use crate::harness::postgres::OwnServer;
use crate::harness::probe::Probe;
use crate::harness::world::{Ended, TestApp, World, ask, ask_port};

const ONE: &str = "127.0.0.1:5000/hello:1";
const TWO: &str = "127.0.0.1:5000/hello:2";
const DOMAIN: &str = "accident.test";
const CONFIG: &str = "/etc/skiff/haproxy.cfg";
/// A proxy or a daemon that was killed is back by then.
const BACK_WITHIN: Duration = Duration::from_secs(15);

/// An app that serves its first version, and whose next one takes its time to listen.
async fn ready<'a>(world: &'a World, host: &TestHost) -> TestApp<'a> {
    let id = world.provision(host).await;
    host.load_app(ONE, "1").await;
    host.load_app(TWO, "2").await;
    let mut app = world.app(id, ONE, DOMAIN).await;
    app.must_deploy().await;
    app.image(TWO).await;
    app.set("START_DELAY_MS", "1500").await;
    app
}

/// The deploy that was asked for went through after all, and left one container.
async fn serves_two(app: &TestApp<'_>, host: &TestHost, ended: &Ended) {
    assert_eq!(ended.state, "succeeded", "{ended:#?}");
    let (status, body) = ask(host, DOMAIN, "/").await;
    assert!(status == 200 && body.contains('2'), "{status} {body} {ended:#?}");
    let containers = app.containers(host).await;
    assert!(containers.len() == 1 && containers.values().all(|state| state == "running"), "{containers:?} {ended:#?}");
}

/// Goes back to the first version, for the next accident.
async fn back_to_one(app: &TestApp<'_>) {
    let back = app.roll_back(1).await;
    assert_eq!(back.state, "succeeded", "{back:#?}");
}

/// Kills these processes of the host at once.
async fn kill(host: &TestHost, pids: &str) {
    let mut argv = vec!["kill", "-9"];
    argv.extend(pids.split_whitespace());
    let said = host.enter(&argv).await;
    // The workers of a killed proxy leave by themselves, sometimes before their turn.
    assert!(said.status == 0 || said.err.contains("No such process"), "{}", said.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_said_and_the_old_version_serves_on() {
    let (host, world) = (TestHost::bare().await, World::new().await);
    let app = ready(&world, &host).await;
    let before = app.containers(&host).await;
    let probe = Probe::start(&host, DOMAIN);

    host.fill_disk(1024).await;
    let ended = app.deploy().await;
    assert_eq!(ended.state, "failed", "{ended:#?}");
    assert!(ended.reason.contains("MB free where Docker keeps its data"), "{}", ended.reason);
    assert!(ended.reason.contains("Free some space there"), "{}", ended.reason);
    assert_eq!(app.containers(&host).await, before, "nothing was begun");

    host.free_disk().await;
    let config = std::fs::read(host.path(CONFIG)).unwrap();
    let (_, job) = app.request(Target::Head).await;
    world.reach_step(job, "wait until").await;
    host.fill_disk(0).await;
    let ended = world.over(job).await;
    assert_eq!(ended.state, "failed", "{ended:#?}");
    assert!(ended.reason.contains("The disk of") && ended.reason.contains("is full"), "{ended:#?}");
    assert_eq!(std::fs::read(host.path(CONFIG)).unwrap(), config, "no half of a file");
    let after = app.containers(&host).await;
    for (name, state) in &before {
        assert_eq!(after.get(name), Some(state), "untouched: {after:?}");
    }

    host.free_disk().await;
    let ended = app.must_deploy().await;
    serves_two(&app, &host, &ended).await;
    let half: Vec<_> = std::fs::read_dir(host.path("/etc/skiff")).unwrap().flatten().collect();
    assert!(half.iter().all(|entry| !entry.file_name().to_string_lossy().ends_with(".new")), "{half:?}");
    probe.clean("a full disk").await;
    world.quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn docker_and_the_proxy_killed_in_a_deploy_are_waited_for() {
    let (host, world) = (TestHost::bare().await, World::new().await);
    let app = ready(&world, &host).await;

    // Docker: what runs goes on running, and so does the deploy once it answers again.
    let probe = Probe::start(&host, DOMAIN);
    let (_, job) = app.request(Target::Head).await;
    world.reach_step(job, "wait until").await;
    kill(&host, &std::fs::read_to_string(host.path("/run/docker.pid")).unwrap()).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    host.enter(&["bash", "-c", "setsid dockerd </dev/null >>/var/log/docker.log 2>&1 &"]).await.must("dockerd");
    let ended = world.over(job).await;
    serves_two(&app, &host, &ended).await;
    assert!(ended.log.contains("Docker on ") && ended.log.contains("It is waited for"), "{ended:#?}");
    assert_eq!(ended.log.matches("Release v").count(), 1, "the same release: {ended:#?}");
    probe.clean("a killed dockerd").await;

    // The proxy, with nobody deploying: it comes back by itself, with the same file.
    let config = std::fs::read(host.path(CONFIG)).unwrap();
    let probe = Probe::start(&host, DOMAIN);
    kill(&host, &host.enter(&["pidof", "haproxy"]).await.must("it runs")).await;
    probe.serves_again(BACK_WITHIN).await;
    assert_eq!(std::fs::read(host.path(CONFIG)).unwrap(), config);
    back_to_one(&app).await;

    // In a deploy, before traffic moves and while it does.
    for step in ["wait until", "send requests"] {
        let (_, job) = app.request(Target::Head).await;
        world.reach_step(job, step).await;
        kill(&host, &host.enter(&["pidof", "haproxy"]).await.must("it runs")).await;
        probe.serves_again(BACK_WITHIN).await;
        let ended = world.over(job).await;
        serves_two(&app, &host, &ended).await;
        probe.serves_again(BACK_WITHIN).await;
        back_to_one(&app).await;
    }

    // Its file made invalid by hand, or gone with the folder and with what keeps the proxy alive: a deploy mends it.
    std::fs::write(host.path(CONFIG), "nonsense\n").unwrap();
    kill(&host, &host.enter(&["pidof", "haproxy"]).await.must("it runs")).await;
    let ended = app.deploy().await;
    serves_two(&app, &host, &ended).await;
    back_to_one(&app).await;
    kill(&host, &std::fs::read_to_string(host.path("/run/skiff/haproxy-keeper.pid")).unwrap()).await;
    kill(&host, &host.enter(&["pidof", "haproxy"]).await.must("it runs")).await;
    host.enter(&["rm", "-r", "/etc/skiff"]).await.must("rm");
    let ended = app.deploy().await;
    serves_two(&app, &host, &ended).await;
    assert!(ended.log.contains("was started again"), "{ended:#?}");
    probe.serves_again(BACK_WITHIN).await;
    probe.clean("at the end").await;
    world.quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_killed_in_a_deploy_and_started_again_ends_it_well() {
    let server = OwnServer::start().await;
    let (host, mut world) = (TestHost::bare().await, World::idle(server.database().await).await);
    world.start_worker();
    let app = ready(&world, &host).await;
    let probe = Probe::start(&host, DOMAIN);
    for step in ["wait until", "stop"] {
        let (_, job) = app.request(Target::Head).await;
        world.reach_step(job, step).await;
        server.stop();
        tokio::time::sleep(Duration::from_secs(2)).await;
        server.again().await;
        let ended = world.over(job).await;
        serves_two(&app, &host, &ended).await;
        let numbers = world.log_numbers(job).await;
        assert_eq!(numbers, (1..).take(numbers.len()).collect::<Vec<i64>>(), "{step}");
        back_to_one(&app).await;
    }
    probe.clean("Postgres away").await;
    world.quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_port_is_said_at_provisioning_and_another_one_serves() {
    let (host, world) = (TestHost::bare().await, World::new().await);
    host.enter(&["setsid", "--fork", "busybox", "httpd", "-p", "80", "-h", "/etc"]).await;
    let id = world.add_host(&host).await;
    let ended = world.provision_again(id).await;
    assert_eq!(ended.state, "failed", "{ended:#?}");
    assert!(ended.reason.starts_with("Port 80 is used by busybox (process "), "{}", ended.reason);
    assert!(ended.reason.ends_with("another port, such as 8080 or 8000."), "{}", ended.reason);

    let person = Actor::on_the_panels_machine(world.team.id);
    hosts::set_http_port(&world.actions(), &person, id, SetHttpPort { http_port: "8080".into() }).await.unwrap();
    let ended = world.provision_again(id).await;
    assert_eq!(ended.state, "succeeded", "{ended:#?}");
    host.load_app(ONE, "1").await;
    let app = world.app(id, ONE, DOMAIN).await;
    app.must_deploy().await;
    let (status, body) = ask_port(&host, 8080, DOMAIN, "/").await;
    assert!(status == 200 && body.contains('1'), "{status} {body}");
    assert_eq!(ask(&host, DOMAIN, "/hostname").await.0, 200, "who had the port has it still");
    world.quiet().await;
}
