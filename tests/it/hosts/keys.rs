//! A host that shows another key is left alone, and taken up again when it shows the pinned one.

use std::time::Duration;

use skiff::domain::host::HostState;
use skiff::domain::ids::HostId;
use tokio_util::sync::CancellationToken;

use super::{another_key, reload, view};
use crate::harness::host::TestHost;
use crate::harness::world::World;

/// Has the watch look now, until the host is as wanted.
async fn until(world: &World, host: HostId, state: HostState) {
    let mut conn = world.db.superuser().await;
    for _ in 0..400 {
        if view(world, host).await.line.state == state {
            return;
        }
        let due = "update host_sights set due_at = now(), lease_until = null";
        sqlx::query(due).execute(&mut conn).await.unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("it never became {state:?}: {:?}", view(world, host).await.line);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pinned_key_shown_again_takes_the_alarm_back() {
    let (rig, world) = (TestHost::bare().await, World::new().await);
    let host = world.provision(&rig).await;
    let stop = CancellationToken::new();
    let watching = tokio::spawn(skiff::watch::run(world.ctx.access(), world.ctx.panel, stop.clone()));
    let other = another_key(&rig).await;
    world.ctx.pool.forget(host);
    until(&world, host, HostState::KeyMismatch).await;
    let alarmed = view(&world, host).await;
    assert_eq!((alarmed.host_key_seen.as_str(), alarmed.host_key.as_str()), (other.as_str(), rig.host_key.as_str()));
    assert!(alarmed.line.note.contains(&other), "{}", alarmed.line.note);

    let key = "/etc/ssh/ssh_host_ed25519_key";
    rig.enter(&["mv", &format!("{key}.old"), key]).await.must("the former key is back");
    reload(&rig).await;
    until(&world, host, HostState::Ready).await;
    let well = view(&world, host).await;
    assert_eq!(
        (well.host_key_seen.as_str(), well.host_key.as_str(), well.line.note.as_str()),
        ("", rig.host_key.as_str(), "")
    );
    stop.cancel();
    watching.await.unwrap();
    world.quiet().await;
}
