//! A volume is removed with its data only by typed name, and never under somebody's feet.

use skiff::domain::app::Mount;
use skiff::domain::ids::VolumeId;
use skiff::jobs::remove_volume::{self, RemoveVolume};
use skiff::queue::{self, New};

use crate::harness::host::TestHost;
use crate::harness::team::cause;
use crate::harness::world::{Ended, World};

async fn remove(world: &World, volume: VolumeId, host: skiff::domain::ids::HostId) -> Ended {
    let args = RemoveVolume { volume, name: "data".into(), host, by: "Ada".into() };
    let new = New { lock_key: Some(remove_volume::lock_key(volume, host)), ..New::new("Remove a volume", cause()) };
    let mut tx = world.db.begin(&world.team.permit).await.unwrap();
    let pushed = queue::push(&mut tx, &world.team.permit, &args, new).await.unwrap();
    tx.commit().await.unwrap();
    world.over(pushed.job).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_volume_in_use_stays_and_one_that_is_not_is_gone_with_its_data() {
    let (host, world) = (TestHost::bare().await, World::new().await);
    let id = world.provision(&host).await;
    host.load_app("127.0.0.1:5000/hello:1", "1").await;
    host.docker(&["volume", "create", "precious"]).await;
    let foreign = host.foreign_inventory().await;
    let volume = VolumeId(uuid::Uuid::now_v7());
    let mut spec = world.app(id, "127.0.0.1:5000/hello:1", "first.test").await.spec;
    spec.routes.clear();
    let without = spec.clone();
    spec.mounts.push(Mount { volume, name: "data".parse().unwrap(), path: "/data".parse().unwrap() });
    let source = skiff::domain::source::Source::Image(skiff::domain::source::Image {
        image: "127.0.0.1:5000/hello:1".parse().unwrap(),
        login: None,
    });
    let mut app = world.app_of(id, source, spec).await;
    app.must_deploy().await;
    let name = format!("skiff-{}", volume.simple());
    assert!(host.docker(&["volume", "ls", "--quiet"]).await.contains(&name));

    // What the actions refuse, the job is refused by Docker as well: nothing is forced.
    let refused = remove(&world, volume, id).await;
    assert!(refused.state == "failed" && refused.reason.contains("in use"), "{refused:#?}");
    assert!(host.docker(&["volume", "ls", "--quiet"]).await.contains(&name));

    app.save(without).await;
    app.must_deploy().await;
    let removed = remove(&world, volume, id).await;
    assert_eq!(removed.state, "succeeded", "{removed:#?}");
    assert!(!host.docker(&["volume", "ls", "--quiet"]).await.contains(&name));
    let by: Option<String> = sqlx::query_scalar("select removed_by from ledger_volumes where removed_at is not null")
        .fetch_one(&mut world.db.superuser().await)
        .await
        .unwrap();
    assert_eq!(by.as_deref(), Some("Ada"));
    // A second run of the job finds it gone, which is what was wanted.
    assert_eq!(remove(&world, volume, id).await.state, "succeeded");
    // Going back to the release that had it would run with an empty one, which nobody asked for.
    let back = app.roll_back(1).await;
    assert!(
        back.state == "failed" && back.reason.contains("v1 mounts a volume at /data that was removed"),
        "{back:#?}"
    );
    assert!(!host.docker(&["volume", "ls", "--quiet"]).await.contains(&name));
    assert_eq!(host.foreign_inventory().await, foreign, "nothing of others was touched");
    world.quiet().await;
}
