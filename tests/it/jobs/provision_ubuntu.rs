//! A bare Ubuntu 24.04 with systemd becomes a host, and serves. Only where a mirror of Ubuntu is named.

use super::provision_accidents::succeeds;
use crate::harness::host::TestHost;
use crate::harness::world::{World, ask};

const DOMAIN: &str = "noble.test";

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a mirror of Ubuntu: SKIFF_UBUNTU_MIRROR=http://… bin/test t_provision_ubuntu"]
async fn t_provision_ubuntu() {
    let world = World::new().await;
    let host = TestHost::fresh_ubuntu_with_sshd().await;
    let id = world.add_host(&host).await;
    let first = succeeds(&world, id).await;
    assert!(first.steps.iter().any(|step| step.contains(": changed")), "{first:#?}");
    let again = succeeds(&world, id).await;
    assert!(again.steps.iter().all(|step| step.contains(": unchanged")), "{again:#?}");

    for version in ["1", "2"] {
        host.load_app(&format!("127.0.0.1:5000/hello:{version}"), version).await;
    }
    let app = world.app(id, "127.0.0.1:5000/hello:1", DOMAIN).await;
    app.must_deploy().await;
    let (status, said) = ask(&host, DOMAIN, "/").await;
    assert!(status == 200 && said.contains('1'), "{status} {said}");
    app.image("127.0.0.1:5000/hello:2").await;
    app.must_deploy().await;
    let (status, said) = ask(&host, DOMAIN, "/").await;
    assert!(status == 200 && said.contains('2'), "{status} {said}");
    println!(
        "{}",
        host.enter(&["/bin/sh", "-c", "grep PRETTY /etc/os-release; docker --version; haproxy -v | head -1"]).await.out
    );
    world.quiet().await;
}
