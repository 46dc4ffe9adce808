//! One app on several hosts: its image comes from the one that has it, and it is all or nothing.

use skiff::domain::deploy::Target;

use crate::harness::fleet;
use crate::harness::host::TestHost;
use crate::harness::world::{World, ask};

const V1: &str = "127.0.0.1:5000/hello:1";
const V2: &str = "127.0.0.1:5000/hello:2";
const V3: &str = "127.0.0.1:5000/hello:3";

/// Bytes that a step's note says have travelled, in MB.
fn travelled(steps: &[String], host: &str) -> Vec<f64> {
    let told = steps.iter().filter(|step| step.starts_with("bring the image") && step.contains(host));
    told.map(|step| {
        let note = step.split(", ").nth(1).and_then(|rest| rest.split(" MB travelled").next());
        note.and_then(|mb| mb.parse().ok()).unwrap_or_else(|| panic!("{step}"))
    })
    .collect()
}

async fn name(world: &World, host: skiff::domain::ids::HostId) -> String {
    sqlx::query_scalar("select name from hosts where id = $1")
        .bind(host.0)
        .fetch_one(&mut world.db.superuser().await)
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_travels_from_the_building_host_and_only_what_is_missing_does() {
    let (a, b, world) = (TestHost::bare().await, TestHost::bare().await, World::new().await);
    let ids = fleet::ready(&world, &[&a, &b]).await;
    let (id_a, id_b) = (ids[0], ids[1]);
    fleet::builds(&world, id_a).await;
    let again = world.provision_again(id_a).await;
    assert!(again.steps.iter().all(|step| step.contains(": unchanged")), "a second run changes nothing: {again:#?}");
    // Nobody but root of the host, and nobody without the password, reaches the registry.
    let listening = a.enter(&["ss", "-H", "-ltn", "sport = :7071"]).await.must("ss runs");
    assert!(listening.contains("127.0.0.1:7071") && listening.lines().count() == 1, "{listening}");
    let unasked = a.enter(&["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "http://127.0.0.1:7071/v2/"]).await;
    assert_eq!(unasked.out, "401");

    for (image, version) in [(V1, "1"), (V2, "2")] {
        a.load_app(image, version).await;
    }
    let mut app = world.app(id_a, V1, "hello.test").await;
    fleet::place(&world, app.id, &mut app.spec, &[(id_a, 1), (id_b, 2)]).await;
    let foreign = b.foreign_inventory().await;
    let first = app.must_deploy().await;
    let host_b = name(&world, id_b).await;
    let moved = travelled(&first.steps, &host_b);
    assert!(moved.len() == 1 && moved[0] > 5.0, "{moved:?} {first:#?}");
    assert_eq!((app.containers(&a).await.len(), app.containers(&b).await.len()), (1, 2), "{first:#?}");
    for host in [&a, &b] {
        assert_eq!(ask(host, "hello.test", "/").await.0, 200);
    }

    app.image(V2).await;
    let second = app.must_deploy().await;
    let less = travelled(&second.steps, &host_b);
    assert!(less[0] < moved[0] / 3.0, "the layers they share stay where they are: {less:?} after {moved:?}");
    assert!(ask(&b, "hello.test", "/").await.1.contains('2'));
    // Nothing of the way is left: no name of the registry, no port.
    let images = b.docker(&["image", "ls", "--format", "{{.Repository}}:{{.Tag}}"]).await;
    assert!(!images.contains("127.0.0.1:707"), "{images}");
    assert_eq!(b.foreign_inventory().await, foreign);
    let ports = b.enter(&["ss", "-H", "-ltn", "sport >= :7072 and sport <= :7077"]).await.must("ss runs");
    assert_eq!(ports, "");
    let images = a.docker(&["image", "ls", "--format", "{{.Repository}}:{{.Tag}}"]).await;
    assert!(!images.contains("127.0.0.1:7071"), "{images}");

    // More instances of what serves: no build, no image moves.
    fleet::place(&world, app.id, &mut app.spec, &[(id_a, 2), (id_b, 1)]).await;
    let (_, job) = app.request(Target::Scale { number: 2 }).await;
    let scaled = world.over(job).await;
    assert_eq!(scaled.state, "succeeded", "{scaled:#?}");
    assert!(!scaled.steps.iter().any(|step| step.contains("image")), "{scaled:#?}");
    assert_eq!((app.containers(&a).await.len(), app.containers(&b).await.len()), (2, 1), "{scaled:#?}");
    assert!(ask(&b, "hello.test", "/").await.1.contains('2'));

    let take = |from: u16| {
        format!(
            "for p in {{{from}..7077}}; do setsid socat TCP-LISTEN:$p,bind=127.0.0.1,reuseaddr,fork /dev/null >/dev/null 2>&1 & done
             for i in {{1..200}}; do [ $(ss -Hltn 'sport >= :{from} and sport <= :7077' | wc -l) != $((7078 - {from})) ] || break; sleep 0.05; done"
        )
    };
    // All ports are somebody else's: the image goes whole, and the log says why.
    b.enter(&["/bin/bash", "-c", &take(7072)]).await;
    a.load_app(V3, "3").await;
    app.image(V3).await;
    fleet::place(&world, app.id, &mut app.spec, &[(id_a, 1), (id_b, 1)]).await;
    let whole = app.must_deploy().await;
    assert!(
        whole.log.contains("sshd does not listen on any of the ports")
            && whole.log.contains("It is copied whole instead"),
        "{whole:#?}"
    );
    assert!(
        whole.steps.iter().any(|step| step.starts_with("bring the image") && step.contains(", whole")),
        "{whole:#?}"
    );
    assert!(ask(&b, "hello.test", "/").await.1.contains('3'));
    world.quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_that_does_not_run_on_a_host_is_refused_before_it_moves() {
    let (a, b, world) = (TestHost::bare().await, TestHost::bare().await, World::new().await);
    let ids = fleet::ready(&world, &[&a, &b]).await;
    let (id_a, id_b) = (ids[0], ids[1]);
    a.load_app(V1, "1").await;
    let mut app = world.app(id_a, V1, "hello.test").await;
    app.must_deploy().await;
    fleet::place(&world, app.id, &mut app.spec, &[(id_a, 1), (id_b, 1)]).await;
    let arch = "update hosts set facts = facts || '{\"arch\": \"riscv64\"}' where id = $1";
    sqlx::query(arch).bind(id_b.0).execute(&mut world.db.superuser().await).await.unwrap();
    let before = b.docker(&["image", "ls", "--quiet"]).await;
    let ended = app.deploy().await;
    assert_eq!(ended.state, "failed", "{ended:#?}");
    assert!(ended.reason.contains("riscv64: one image does not run on both"), "{ended:#?}");
    // The same for what is known to be made for another kind: a kept release on a host of another kind.
    fleet::place(&world, app.id, &mut app.spec, &[(id_b, 1)]).await;
    let (_, job) = app.request(Target::Scale { number: 1 }).await;
    let ended = world.over(job).await;
    assert_eq!(ended.state, "failed", "{ended:#?}");
    assert!(ended.reason.contains("The image is made for") && ended.reason.contains("is riscv64"), "{ended:#?}");
    assert_eq!(b.docker(&["image", "ls", "--quiet"]).await, before);
    assert_eq!(ask(&a, "hello.test", "/").await.0, 200);
    world.quiet().await;
}
