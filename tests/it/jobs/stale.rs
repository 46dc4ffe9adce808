//! A worker that was overtaken and whose last word to a host comes through after all: the name of what it makes is taken or
//! takes, and there is one of it.

use skiff::domain::deploy::Target;

use crate::harness::fleet;
use crate::harness::host::TestHost;
use crate::harness::world::{World, ask};

const V1: &str = "127.0.0.1:5000/hello:1";
const V2: &str = "127.0.0.1:5000/hello:2";
const DOMAIN: &str = "stale.test";

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_workers_create_on_the_second_host_collides_and_is_adopted() {
    let (a, b, world) = (TestHost::bare().await, TestHost::bare().await, World::new().await);
    let ids = fleet::ready(&world, &[&a, &b]).await;
    for host in [&a, &b] {
        host.load_app(V1, "1").await;
        host.load_app(V2, "2").await;
    }
    let mut app = world.app(ids[0], V1, DOMAIN).await;
    app.spec.variables.insert("START_DELAY_MS".parse().unwrap(), "2000".parse().unwrap());
    fleet::place(&world, app.id, &mut app.spec, &[(ids[0], 1), (ids[1], 1)]).await;
    app.must_deploy().await;

    // While the first instance starts on the first host, the second one's container is made on the second by somebody else:
    // what the planned step says, under its name.
    app.image(V2).await;
    let (deploy, job) = app.request(Target::Head).await;
    world.reach_step(job, "wait until").await;
    let words: String = sqlx::query_scalar(
        "select s.words from job_steps s where s.job_id = $1 and s.host_id = $2 and s.words like 'create %'",
    )
    .bind(job.0)
    .bind(ids[1].0)
    .fetch_one(&mut world.db.superuser().await)
    .await
    .unwrap();
    let address = words.split(" at ").nth(1).unwrap().split(' ').next().unwrap();
    let network = b.docker(&["network", "ls", "--format", "{{.Name}}", "--filter", "name=skiff-"]).await;
    let name = format!("skiff-{}-{}-2", app.id.0.simple(), deploy.0.simple());
    let label = |key: &str, value: String| format!("skiff.{key}={value}");
    let (panel, of_app, of_deploy) = (
        label("panel", world.ctx.panel.to_string()),
        label("app", app.id.to_string()),
        label("deploy", deploy.to_string()),
    );
    let mut argv = vec!["create", "--name", &name, "--network", network.trim(), "--ip", address, "--restart", "always"];
    argv.extend(["--label", &panel, "--label", &of_app, "--label", &of_deploy, "--env", "START_DELAY_MS=2000", V2]);
    let made = b.docker(&argv).await;

    let ended = world.over(job).await;
    assert_eq!(ended.state, "succeeded", "{ended:#?}");
    assert!(ended.log.contains("Taken up again"), "its own create was refused, so that it looked again: {ended:#?}");
    for host in [&a, &b] {
        assert!(ask(host, DOMAIN, "/").await.1.contains('2'), "{ended:#?}");
        assert_eq!(app.containers(host).await.len(), 1, "{ended:#?}");
    }
    let serving = b.docker(&["ps", "--no-trunc", "--quiet", "--filter", &format!("label=skiff.app={}", app.id)]).await;
    assert_eq!(serving.trim(), made.trim(), "it is the one that was there first");
    let after = app.must_deploy().await;
    assert_eq!(app.containers(&b).await.len(), 1, "{after:#?}");
    world.quiet().await;
}
