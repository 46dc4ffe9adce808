//! Two panels, one server: the second one keeps off.

use crate::harness::host::TestHost;
use crate::harness::world::World;

const MARK: &str = "/var/lib/skiff/panel";

#[tokio::test(flavor = "multi_thread")]
async fn a_server_of_another_panel_is_refused_before_anything_is_changed() {
    let (rig, first, second) = (TestHost::bare().await, World::new().await, World::new().await);
    let ours = first.provision(&rig).await;
    let mark = std::fs::read_to_string(rig.path(MARK)).unwrap();
    assert_eq!(mark.trim(), first.ctx.panel.to_string());
    let state = async || {
        let files = "find /etc/skiff /var/lib/skiff /home/skiff /etc/sudoers.d -printf '%p %T@ %m %u\\n' | sort; docker --version";
        rig.enter(&["/bin/sh", "-c", files]).await.must("what is there")
    };
    let before = state().await;

    let theirs = second.add_host(&rig).await;
    let refused = second.provision_again(theirs).await;
    assert_eq!(refused.state, "failed", "{refused:#?}");
    for said in [MARK, &first.ctx.panel.to_string(), &second.ctx.panel.to_string(), "remove that file"] {
        assert!(refused.reason.contains(said), "{said}: {}", refused.reason);
    }
    assert!(refused.steps[0].starts_with("look at the server: failed"), "{refused:#?}");
    assert!(refused.steps[1..].iter().all(|step| step.ends_with(": skipped")), "{refused:#?}");
    assert_eq!(state().await, before, "nothing was changed");
    // Where both look before either was there, the script itself sees the other's mark.
    let said = rig.script("folders.bash", &[("PANEL", &second.ctx.panel.to_string())]).await;
    assert!(said.status == 1 && said.out.contains("::reason Another panel"), "{}{}", said.out, said.err);
    assert_eq!(state().await, before, "nothing was changed");

    // The first panel goes on; a host of the time before the mark gets it, once.
    std::fs::remove_file(rig.path(MARK)).unwrap();
    let again = first.provision_again(ours).await;
    assert!(again.steps.contains(&"make the folders: changed".to_owned()), "{again:#?}");
    assert_eq!(std::fs::read_to_string(rig.path(MARK)).unwrap(), mark);
    let again = first.provision_again(ours).await;
    assert!(again.steps.contains(&"make the folders: unchanged".to_owned()), "{again:#?}");

    // The first panel is gone, and somebody has said so.
    std::fs::remove_file(rig.path(MARK)).unwrap();
    let taken = second.provision_again(theirs).await;
    assert_eq!(taken.state, "succeeded", "{taken:#?}");
    assert_eq!(std::fs::read_to_string(rig.path(MARK)).unwrap().trim(), second.ctx.panel.to_string());
    first.quiet().await;
    second.quiet().await;
}
