//! An image from a registry that wants a login: Docker's own registry on the host's loopback.

use skiff::domain::app::{Route, Spec};
use skiff::domain::deploy::Target;
use skiff::domain::source::{Image, RegistryLogin, Source};

use crate::harness::fleet;
use crate::harness::host::TestHost;
use crate::harness::world::{World, ask};

const PASSWORD: &str = "CANARY-registry-8d1f0c";
/// That password as bcrypt has it, which is the only form this registry reads.
const USERS: &str = "ada:$2b$05$D42Hg9MJZXGR24hyk/6J.OGmceBMPjCbj5wTVcGtzAlLFZTPSKOZC\n";
const CONFIG: &str = "version: 0.1
storage: { filesystem: { rootdirectory: /var/lib/test-registry } }
http: { addr: '127.0.0.1:5000' }
auth: { htpasswd: { realm: test, path: /etc/test-registry.users } }
";

/// Starts the registry with this version in it, which the host then has no more.
async fn serve(host: &TestHost, image: &str, version: &str) {
    std::fs::write(host.path("/etc/test-registry.users"), USERS).unwrap();
    std::fs::write(host.path("/etc/test-registry.yml"), CONFIG).unwrap();
    // Without our pipes, which would be waited for.
    let start =
        "setsid --fork docker-registry serve /etc/test-registry.yml > /var/log/test-registry.log 2>&1 < /dev/null";
    host.enter(&["/bin/sh", "-c", start]).await.must("it starts");
    let up =
        "for i in $(seq 400); do curl -s -o /dev/null http://127.0.0.1:5000/v2/ && exit 0; sleep 0.05; done; exit 1";
    host.enter(&["/bin/sh", "-c", up]).await.must("it answers");
    publish(host, image, version).await;
}

/// Puts a version into the registry of the host.
async fn publish(host: &TestHost, image: &str, version: &str) {
    host.load_app(image, version).await;
    let client = tempfile::tempdir().unwrap();
    let config = client.path().to_str().unwrap();
    host.docker(&["--config", config, "login", "--username", "ada", "--password", PASSWORD, "127.0.0.1:5000"]).await;
    host.docker(&["--config", config, "push", "--quiet", image]).await;
    host.docker(&["rmi", image]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_behind_a_login_is_pulled_and_a_wrong_password_is_said() {
    let image = "127.0.0.1:5000/team/hello:1";
    let (host, world) = (TestHost::bare().await, World::new().await);
    let id = world.provision(&host).await;
    serve(&host, image, "1").await;
    let mut spec = Spec::web(8080, "/up".parse().unwrap());
    spec.routes.push(Route { domain: "hello.test".parse().unwrap(), path: "/".parse().unwrap() });
    spec.watch.seconds = 0;
    let mut answers = Vec::new();
    for (name, password) in [("wrong", "CANARY-wrong-password"), ("right", PASSWORD)] {
        let password = world.secret("source", uuid::Uuid::now_v7(), name, password).await;
        let login = Some(RegistryLogin { user: "ada".into(), password });
        let source = Source::Image(Image { image: image.parse().unwrap(), login });
        let app = world.app_of(id, source, spec.clone()).await;
        answers.push(app.deploy().await);
    }
    assert!(answers[0].state == "failed" && answers[0].reason.contains("registry refused the image"), "{answers:#?}");
    assert_eq!(answers[1].state, "succeeded", "{answers:#?}");
    assert_eq!(ask(&host, "hello.test", "/").await.0, 200);
    let said = format!("{answers:?}");
    assert!(!said.contains("CANARY"), "no password in any line");
    // The registry's own name went with the pull; what keeps the image is our name alone.
    let names = host.docker(&["image", "ls", "--digests", "--format", "{{.Repository}}"]).await;
    assert!(names.lines().any(|name| name.starts_with("skiff")) && !names.contains("team/hello"), "{names}");
    world.quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_host_fetches_an_image_from_the_registry_and_who_cannot_has_it_brought() {
    let (one, two, three) =
        ("127.0.0.1:5000/team/hello:1", "127.0.0.1:5000/team/hello:2", "127.0.0.1:5000/team/hello:3");
    let (a, b, world) = (TestHost::bare().await, TestHost::bare().await, World::new().await);
    let ids = fleet::ready(&world, &[&a, &b]).await;
    for host in [&a, &b] {
        serve(host, one, "1").await;
    }
    let foreign = [a.foreign_inventory().await, b.foreign_inventory().await];
    let mut spec = Spec::web(8080, "/up".parse().unwrap());
    spec.routes.push(Route { domain: "hello.test".parse().unwrap(), path: "/".parse().unwrap() });
    (spec.watch.seconds, spec.drain_s) = (0, 2);
    let password = world.secret("source", uuid::Uuid::now_v7(), "right", PASSWORD).await;
    let source = |image: &str| {
        let login = Some(RegistryLogin { user: "ada".into(), password });
        sqlx::types::Json(Source::Image(Image { image: image.parse().unwrap(), login }))
    };
    let mut app = world.app_of(ids[0], source(one).0, spec).await;
    fleet::place(&world, app.id, &mut app.spec, &[(ids[0], 1), (ids[1], 1)]).await;
    let first = app.must_deploy().await;
    assert!(first.log.contains("has it from the registry too"), "{first:#?}");
    assert!(!first.steps.iter().any(|step| step.starts_with("bring the image")), "nothing travels: {first:#?}");

    let another = async |image: &str| {
        let sql = "update sources set spec = $2 where id = $1";
        let asked = sqlx::query(sql).bind(app.source.0).bind(source(image));
        asked.execute(&mut world.db.superuser().await).await.unwrap();
        app.must_deploy().await
    };
    // The registry of the second host does not have the version: it comes from the first.
    publish(&a, two, "2").await;
    let second = another(two).await;
    assert!(second.log.contains("did not get it from the registry"), "{second:#?}");
    assert!(second.steps.iter().any(|step| step.starts_with("bring the image")), "{second:#?}");
    // It has another image by that name: what the first one got is what runs on both.
    publish(&a, three, "3").await;
    publish(&b, three, "other").await;
    let third = another(three).await;
    assert!(third.steps.iter().any(|step| step.starts_with("bring the image")), "{third:#?}");
    for host in [&a, &b] {
        assert!(ask(host, "hello.test", "/").await.1.contains('3'), "{third:#?}");
        let names = host.docker(&["image", "ls", "--format", "{{.Repository}}:{{.Tag}}"]).await;
        assert!(!names.contains("team/hello"), "no name of the registry stays: {names}");
    }
    assert_eq!([a.foreign_inventory().await, b.foreign_inventory().await], foreign, "and no image without a name");
    world.quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_a_killed_worker_left_on_a_host_goes_with_the_same_deploy() {
    let image = "127.0.0.1:5000/team/hello:1";
    let (a, b, mut world) = (TestHost::bare().await, TestHost::bare().await, World::new().await);
    let ids = fleet::ready(&world, &[&a, &b]).await;
    for host in [&a, &b] {
        serve(host, image, "1").await;
    }
    let names = async |host: &TestHost| host.docker(&["image", "ls", "--format", "{{.Repository}}:{{.Tag}}"]).await;
    let foreign = [a.foreign_inventory().await, b.foreign_inventory().await];
    let mut spec = Spec::web(8080, "/up".parse().unwrap());
    spec.routes.push(Route { domain: "hello.test".parse().unwrap(), path: "/".parse().unwrap() });
    (spec.watch.seconds, spec.drain_s) = (0, 2);
    let password = world.secret("source", uuid::Uuid::now_v7(), "right", PASSWORD).await;
    let login = Some(RegistryLogin { user: "ada".into(), password });
    let source = Source::Image(Image { image: image.parse().unwrap(), login });
    let job = {
        let mut app = world.app_of(ids[0], source, spec).await;
        fleet::place(&world, app.id, &mut app.spec, &[(ids[0], 1), (ids[1], 1)]).await;
        // The second host's worker stands between the pull and our own name for what came.
        let held = format!(
            "create function hold_here() returns trigger language plpgsql as $$
             begin
               if new.host_id = '{}' and new.image like 'skiff/%' then perform pg_advisory_xact_lock_shared(4711); end if;
               return new;
             end $$;
             create trigger hold_here before insert on ledger_images for each row execute function hold_here();
             select pg_advisory_lock(4711)",
            ids[1]
        );
        let mut holder = world.db.superuser().await;
        sqlx::raw_sql(sqlx::AssertSqlSafe(held)).execute(&mut holder).await.unwrap();
        let (_, job) = app.request(Target::Head).await;
        let waits = "select exists (select from pg_locks where locktype = 'advisory' and objid = 4711 and not granted)";
        for _ in 0..3000 {
            if sqlx::query_scalar::<_, bool>(waits).fetch_one(&mut holder).await.unwrap() {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        assert!(names(&b).await.contains("team/hello"), "the registry's name is there in this moment");
        world.kill_worker();
        sqlx::query("select pg_advisory_unlock_all()").execute(&mut holder).await.unwrap();
        job
    };
    world.leases_run_out().await;
    world.start_worker();
    let ended = world.over(job).await;
    assert_eq!(ended.state, "succeeded", "{ended:#?}");
    for host in [&a, &b] {
        assert_eq!(ask(host, "hello.test", "/").await.0, 200, "{ended:#?}");
        assert!(!names(host).await.contains("team/hello"), "no name of the registry stays: {ended:#?}");
    }
    assert_eq!([a.foreign_inventory().await, b.foreign_inventory().await], foreign, "and no image without a name");
    world.quiet().await;
}
