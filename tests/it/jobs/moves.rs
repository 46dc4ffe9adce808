//! An app that moves to another host: the old host is left only once the new one serves.

use crate::harness::host::TestHost;
use crate::harness::world::{World, ask};

#[tokio::test(flavor = "multi_thread")]
async fn an_app_moves_to_another_host_and_back_and_nothing_of_it_stays_behind() {
    let (a, b, world) = (TestHost::bare().await, TestHost::bare().await, World::new().await);
    let (id_a, id_b) = (world.provision(&a).await, world.provision(&b).await);
    a.load_app("127.0.0.1:5000/hello:1", "1").await;
    let foreign = [a.foreign_inventory().await, b.foreign_inventory().await];
    let mut app = world.app(id_a, "127.0.0.1:5000/hello:1", "hello.test").await;
    app.must_deploy().await;

    // v2 is another image, so that nothing of v1 is needed on the new host.
    b.load_app("127.0.0.1:5000/hello:2", "2").await;
    app.image("127.0.0.1:5000/hello:2").await;
    app.place(id_b).await;
    let moved = app.must_deploy().await;
    assert!(ask(&b, "hello.test", "/").await.1.contains('2'), "{moved:#?}");
    assert!(app.containers(&a).await.is_empty(), "the host that was left is empty: {moved:#?}");
    assert!(ask(&a, "hello.test", "/").await.0 >= 400, "and its proxy knows the app no more");

    // A release goes back to where it was, and the image comes from there.
    let back = app.roll_back(1).await;
    assert_eq!(back.state, "succeeded", "{back:#?}");
    assert!(ask(&a, "hello.test", "/").await.1.contains('1'), "{back:#?}");
    assert!(app.containers(&b).await.is_empty(), "{back:#?}");

    // The host that is left does not answer: the deploy succeeds, says so, and the next one takes away what stayed.
    a.cut_with_resets().await;
    let without = app.must_deploy().await;
    assert!(ask(&b, "hello.test", "/").await.1.contains('2'), "{without:#?}");
    assert!(without.log.contains("what runs there of older releases stays"), "{without:#?}");
    a.heal().await;
    assert_eq!(app.containers(&a).await.len(), 1);
    let after = app.must_deploy().await;
    assert!(app.containers(&a).await.is_empty(), "{after:#?}");
    assert_eq!(app.containers(&b).await.len(), 1, "{after:#?}");
    let inventory = b.foreign_inventory().await;
    let others: Vec<&str> = inventory.lines().filter(|line| !line.contains("hello:2")).collect();
    assert_eq!([a.foreign_inventory().await, others.join("\n")], foreign, "nothing of others was touched");
    world.quiet().await;
}
