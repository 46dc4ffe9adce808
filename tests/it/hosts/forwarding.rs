//! An sshd that forbids what Skiff goes through: said with the line to change, at enrolment and at a call.

use skiff::remote::{Error, Pool, PoolSettings};

use super::{ping_anew, sshd};
use crate::harness::host::TestHost;
use crate::harness::world::{World, login};

#[tokio::test(flavor = "multi_thread")]
async fn what_forbids_forwarding_is_said_before_anything_is_changed() {
    let (rig, world) = (TestHost::bare().await, World::new().await);
    let host = world.add_host(&rig).await;
    let plain = std::fs::read_to_string(rig.path("/etc/ssh/sshd_config")).unwrap();
    let line = plain.lines().count() + 1;
    for (setting, value, wanted) in [
        ("AllowStreamLocalForwarding", "no", "yes"),
        ("AllowTcpForwarding", "no", "yes"),
        ("AllowTcpForwarding", "remote", "yes"),
        ("DisableForwarding", "yes", "no"),
    ] {
        sshd(&rig, |_| format!("{plain}{setting} {value}\n")).await;
        world.ctx.pool.forget(host);
        let refused = world.provision_again(host).await;
        assert_eq!(refused.state, "failed", "{refused:#?}");
        let said =
            format!("Line {line} of /etc/ssh/sshd_config says {setting} {value}: write {setting} {wanted} there.");
        assert!(refused.reason.contains(&said), "{setting}: {}", refused.reason);
        assert!(refused.steps[0].starts_with("look at the server: failed"), "{refused:#?}");
        assert!(rig.enter(&["id", "skiff"]).await.status != 0, "nothing was changed");
    }
    // In a file of its own, as distributions have them, and for one user only.
    std::fs::create_dir_all(rig.path("/etc/ssh/sshd_config.d")).unwrap();
    std::fs::write(rig.path("/etc/ssh/sshd_config.d/10-hard.conf"), "# hardened\nAllowTcpForwarding no\n").unwrap();
    sshd(&rig, |_| format!("Include /etc/ssh/sshd_config.d/*.conf\n{plain}")).await;
    world.ctx.pool.forget(host);
    let refused = world.provision_again(host).await;
    assert!(refused.reason.contains("Line 2 of /etc/ssh/sshd_config.d/10-hard.conf"), "{}", refused.reason);
    sshd(&rig, |_| format!("{plain}Match User skiff\n  AllowStreamLocalForwarding no\n")).await;
    world.ctx.pool.forget(host);
    let refused = world.provision_again(host).await;
    assert_eq!(refused.state, "failed", "{refused:#?}");
    assert!(refused.steps.iter().any(|step| step.starts_with("sign in as skiff: failed")), "{refused:#?}");
    assert!(refused.reason.contains("AllowStreamLocalForwarding yes"), "{}", refused.reason);

    sshd(&rig, |_| plain).await;
    let ended = world.provision_again(host).await;
    assert_eq!(ended.state, "succeeded", "{ended:#?}");
    world.quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_says_it_too_and_the_next_one_after_the_change_goes_through() {
    let rig = TestHost::light().await;
    let host = Pool::new(PoolSettings::default()).host(&login(&rig)).await.unwrap();
    host.docker().ping().await.unwrap();
    let plain = std::fs::read_to_string(rig.path("/etc/ssh/sshd_config")).unwrap();
    for setting in ["AllowStreamLocalForwarding no", "DisableForwarding yes"] {
        sshd(&rig, |_| format!("{plain}{setting}\n")).await;
        let said = ping_anew(&host).await.unwrap_err();
        assert!(matches!(&said, Error::ForwardingForbidden { change } if change.contains(setting)), "{said:?}");
        let said = host.haproxy().ask_one("show info").await.unwrap_err();
        assert!(matches!(&said, Error::ForwardingForbidden { change } if change.contains(setting)), "{said:?}");
        // The connection of before the change is not the one of the next call.
        sshd(&rig, |_| plain.clone()).await;
        host.docker().ping().await.unwrap();
    }
    sshd(&rig, |_| format!("{plain}AllowTcpForwarding no\n")).await;
    host.cut();
    let probed = host.probe_tcp("127.0.0.1".parse().unwrap(), 22, std::time::Duration::from_secs(2)).await;
    let said = probed.unwrap_err().to_string();
    assert!(said.contains("AllowTcpForwarding no: write AllowTcpForwarding yes there"), "{said}");
    // A Docker that is away is another matter.
    sshd(&rig, |_| plain).await;
    rig.enter(&["/bin/sh", "-c", "kill $(cat /run/docker.pid); while [ -e /run/docker.pid ]; do sleep 0.1; done"])
        .await;
    let said = ping_anew(&host).await.unwrap_err();
    assert!(matches!(said, Error::DockerUnavailable { .. }), "{said:?}");
}
