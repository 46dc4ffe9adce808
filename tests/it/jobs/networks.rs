//! Networks of environments that were left behind, went at the wrong moment, or are needed by nobody any more.

use skiff::actions::hosts::{self, ForgetHost};
use skiff::domain::deploy::Target;
use skiff::domain::ids::{AppId, HostId};

use super::removal::{networks, person, quick, remove};
use super::retention::tidy;
use crate::harness::fleet;
use crate::harness::host::TestHost;
use crate::harness::world::{World, ask};

const V1: &str = "127.0.0.1:5000/hello:1";

/// The name of the network of an app's environment.
async fn network(world: &World, app: AppId) -> String {
    let environment: uuid::Uuid = sqlx::query_scalar("select environment_id from apps where id = $1")
        .bind(app.0)
        .fetch_one(&mut world.db.superuser().await)
        .await
        .unwrap();
    format!("skiff-{}", environment.simple())
}

/// Its subnet on a host; empty where it is not there.
async fn subnet(host: &TestHost, name: &str) -> String {
    let all = host.docker(&["network", "ls", "--format", "{{.Name}}"]).await;
    if !all.lines().any(|line| line == name) {
        return String::new();
    }
    let form = "{{range .IPAM.Config}}{{.Subnet}}{{end}}";
    host.docker(&["network", "inspect", "--format", form, name]).await.trim().to_owned()
}

/// Forgets a host as its page does.
async fn forget(world: &World, host: HostId) {
    let name: String = sqlx::query_scalar("select name from hosts where id = $1")
        .bind(host.0)
        .fetch_one(&mut world.db.superuser().await)
        .await
        .unwrap();
    let form = ForgetHost { name, ..ForgetHost::default() };
    hosts::forget(&world.actions(), &person(world), host, form).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_added_again_gets_its_networks_anew_and_a_strangers_container_keeps_one() {
    let (a, b, world) = (TestHost::bare().await, TestHost::bare().await, World::new().await);
    let ids = fleet::ready(&world, &[&a, &b]).await;
    for host in [&a, &b] {
        host.load_app(V1, "1").await;
    }
    let (mut one, mut two) = (quick(&world, ids[0], "one.test").await, quick(&world, ids[0], "two.test").await);
    for app in [&mut one, &mut two] {
        app.must_deploy().await;
        app.place(ids[1]).await;
        app.must_deploy().await;
    }
    let (first, second) = (network(&world, one.id).await, network(&world, two.id).await);
    let before = (subnet(&a, &first).await, subnet(&a, &second).await);
    forget(&world, ids[0]).await;
    let again = world.provision(&a).await;

    // The second app comes first this time: its place is where the first one's was.
    two.place(again).await;
    a.docker(&["run", "--detach", "--name", "theirs", "--network", &second, V1]).await;
    for state in ["running", "stopped"] {
        if state == "stopped" {
            a.docker(&["kill", "theirs"]).await;
        }
        let refused = two.deploy().await;
        assert_eq!(refused.state, "failed", "{state}: {refused:#?}");
        let named = [second.as_str(), before.1.as_str(), "theirs"].iter().all(|word| refused.reason.contains(word));
        assert!(named, "{state}: {refused:#?}");
        assert_eq!(subnet(&a, &second).await, before.1, "{state}: untouched");
        assert_eq!(ask(&b, "two.test", "/").await.0, 200, "{state}: the old one serves");
    }
    a.docker(&["rm", "theirs"]).await;
    let made = two.must_deploy().await;
    assert_eq!(ask(&a, "two.test", "/").await.0, 200, "{made:#?}");
    assert_eq!((subnet(&a, &first).await, subnet(&a, &second).await), (String::new(), before.0), "{made:#?}");
    one.place(again).await;
    let made = one.must_deploy().await;
    assert_eq!(ask(&a, "one.test", "/").await.0, 200, "{made:#?}");
    assert_eq!(subnet(&a, &first).await, before.1, "{made:#?}");
    world.quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_goes_under_a_deploy_is_made_again_by_it() {
    let (a, b, world) = (TestHost::bare().await, TestHost::bare().await, World::new().await);
    let ids = fleet::ready(&world, &[&a, &b]).await;
    for host in [&a, &b] {
        host.load_app(V1, "1").await;
    }
    let mut app = quick(&world, ids[0], "back.test").await;
    app.must_deploy().await;
    app.place(ids[1]).await;
    app.must_deploy().await;

    // The deploy has seen the network, and stands before its first container; then the network goes, as with the last app
    // that was known to need it.
    let mut holder = world.db.superuser().await;
    sqlx::query("begin").execute(&mut holder).await.unwrap();
    sqlx::query("lock table ledger_instances in share row exclusive mode").execute(&mut holder).await.unwrap();
    let (_, job) = app.request(Target::Release { number: 1 }).await;
    world.reach_step(job, "create").await;
    a.docker(&["network", "rm", &network(&world, app.id).await]).await;
    sqlx::query("rollback").execute(&mut holder).await.unwrap();

    let ended = world.over(job).await;
    assert_eq!(ended.state, "succeeded", "{ended:#?}");
    assert!(ended.log.contains("Taken up again"), "it met the gap: {ended:#?}");
    assert_eq!(ask(&a, "back.test", "/").await.0, 200, "{ended:#?}");
    assert_eq!((app.containers(&a).await.len(), app.containers(&b).await.len()), (1, 0), "{ended:#?}");
    world.quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_last_takes_the_network_along_or_the_daily_upkeep_does() {
    let (a, b, world) = (TestHost::bare().await, TestHost::bare().await, World::new().await);
    let ids = fleet::ready(&world, &[&a, &b]).await;
    for host in [&a, &b] {
        host.load_app(V1, "1").await;
    }
    let one = quick(&world, ids[0], "one.test").await;
    let mut two = quick(&world, ids[1], "two.test").await;
    sqlx::query("update apps set environment_id = (select environment_id from apps where id = $2) where id = $1")
        .bind(two.id.0)
        .bind(one.id.0)
        .execute(&mut world.db.superuser().await)
        .await
        .unwrap();
    let mut spec = two.spec.clone();
    spec.health.start_period_s = 90;
    spec.variables.insert("START_DELAY_MS".parse().unwrap(), "60000".parse().unwrap());
    two.save(spec).await;
    one.must_deploy().await;
    let (_, running) = two.request(Target::Head).await;
    world.reach_step(running, "wait until").await;
    let first = world.over(remove(&world, one.id).await).await;
    assert_eq!(first.state, "succeeded", "{first:#?}");
    assert_eq!(networks(&a).await, 1, "what is being deployed may be on its way there: {first:#?}");
    let last = world.over(remove(&world, two.id).await).await;
    assert_eq!(last.state, "succeeded", "{last:#?}");
    assert_eq!((networks(&a).await, networks(&b).await), (0, 0), "{last:#?}");

    // An app that moved leaves its network to the upkeep, and somebody's container keeps it.
    let mut moved = quick(&world, ids[0], "moved.test").await;
    moved.must_deploy().await;
    moved.place(ids[1]).await;
    moved.must_deploy().await;
    let name = network(&world, moved.id).await;
    a.docker(&["create", "--name", "theirs", "--network", &name, V1]).await;
    let kept = tidy(&world).await;
    assert!(networks(&a).await == 1 && kept.log.contains("theirs"), "{kept:#?}");
    a.docker(&["rm", "theirs"]).await;
    let tidied = tidy(&world).await;
    assert_eq!((networks(&a).await, networks(&b).await), (0, 1), "{tidied:#?}");
    assert_eq!(ask(&b, "moved.test", "/").await.0, 200);
    world.quiet().await;
}
