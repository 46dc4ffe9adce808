//! A bare Ubuntu 24.04 with systemd becomes a host, and serves, also while apt upgrades HAProxy. Only where a mirror of Ubuntu is named.

use skiff::domain::deploy::Target;
use skiff::domain::release::Place;

use super::provision_accidents::succeeds;
use crate::harness::host::TestHost;
use crate::harness::probe::Probe;
use crate::harness::world::{World, ask};

const DOMAIN: &str = "noble.test";
/// HAProxy as the release had it at first, and what Ubuntu's servers have that restarts services after an upgrade.
const FIRST: &str = "export DEBIAN_FRONTEND=noninteractive; apt-get -qq update && \
    apt-get -qq install -y --no-install-recommends needrestart haproxy=$(apt-cache madison haproxy | awk 'END { print $3 }')";
/// As unattended upgrades do it.
const UPGRADE: &str =
    "export DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=a; apt-get install -y --no-install-recommends haproxy";
/// What the running proxy is, and what is installed.
const VERSIONS: &str = "echo 'show info' | socat - UNIX-CONNECT:/run/skiff/haproxy.sock | sed -n 's/^Version: //p'; \
    dpkg-query -W -f '${Version}\n' haproxy";

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a mirror of Ubuntu: SKIFF_UBUNTU_MIRROR=http://… bin/test t_provision_ubuntu"]
async fn t_provision_ubuntu() {
    let world = World::new().await;
    let host = TestHost::fresh_ubuntu_with_sshd().await;
    let bash = async |script: &str| host.enter(&["/bin/bash", "-c", script]).await.must(script);
    bash(FIRST).await;
    let id = world.add_host(&host).await;
    let first = succeeds(&world, id).await;
    assert!(first.steps.iter().any(|step| step.contains(": changed")), "{first:#?}");
    let again = succeeds(&world, id).await;
    assert!(again.steps.iter().all(|step| step.contains(": unchanged")), "{again:#?}");

    for version in ["1", "2"] {
        host.load_app(&format!("127.0.0.1:5000/hello:{version}"), version).await;
    }
    let mut app = world.app(id, "127.0.0.1:5000/hello:1", DOMAIN).await;
    app.must_deploy().await;
    let (status, said) = ask(&host, DOMAIN, "/").await;
    assert!(status == 200 && said.contains('1'), "{status} {said}");
    app.image("127.0.0.1:5000/hello:2").await;
    app.must_deploy().await;
    let (status, said) = ask(&host, DOMAIN, "/").await;
    assert!(status == 200 && said.contains('2'), "{status} {said}");

    // Upgraded in the middle of a deploy: reloaded, not restarted, and no request fails.
    let before = bash(VERSIONS).await;
    let probe = Probe::start(&host, DOMAIN);
    app.set("START_DELAY_MS", "1500").await;
    let (_, job) = app.request(Target::Head).await;
    world.reach_step(job, "wait until").await;
    let said = bash(UPGRADE).await;
    let ended = world.over(job).await;
    assert_eq!(ended.state, "succeeded", "{ended:#?}");
    let after = bash(VERSIONS).await;
    let lines: Vec<&str> = after.lines().collect();
    assert!(lines.len() == 2 && lines[0] == lines[1] && before != after, "{before}{after}{said}");
    assert_eq!(bash("systemctl show -p NRestarts --value skiff-haproxy").await.trim(), "0");
    probe.clean("HAProxy upgraded by apt").await;

    // A Docker of before calls the same image by another id: said, and what serves goes on.
    let former = TestHost::bare().await;
    let both = [id, world.provision(&former).await].map(|host| Place { host, instances: 1 });
    sqlx::query("update apps set placement = $2 where id = $1")
        .bind(app.id.0)
        .bind(sqlx::types::Json(&both))
        .execute(&mut world.db.superuser().await)
        .await
        .unwrap();
    let ended = app.deploy().await;
    assert!(ended.state == "failed" && ended.reason.contains("stores of different kinds"), "{ended:#?}");
    assert_eq!(ask(&host, DOMAIN, "/").await.0, 200);
    println!(
        "{}",
        host.enter(&["/bin/sh", "-c", "grep PRETTY /etc/os-release; docker --version; haproxy -v | head -1"]).await.out
    );
    world.quiet().await;
}
