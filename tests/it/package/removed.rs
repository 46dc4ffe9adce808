//! The package removed and installed again: what dpkg runs then, with the package's own scripts around a program that does nothing.

use crate::harness::host::TestHost;

/// The scripts in a package as small as can be, with units in the places of the panel's and of its way into the machine.
const PACKED: &str = r#"set -e
mkdir -p /deb/DEBIAN /deb/usr/lib/systemd/system
install -m 755 /scripts/prerm /scripts/postinst /scripts/postrm /deb/DEBIAN/
printf 'Package: skiff\nVersion: 1.0\nArchitecture: all\nMaintainer: Skiff <skiff@example.org>\nDescription: a test\n' > /deb/DEBIAN/control
unit() { printf '[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n' > "$1"; }
unit /deb/usr/lib/systemd/system/skiff.service
unit /etc/systemd/system/skiff-sshd.service
dpkg-deb --root-owner-group --build /deb /skiff.deb"#;
/// How both stand: enabled or not, active or not.
const STANDS: &str =
    "for unit in skiff skiff-sshd; do echo $unit $(systemctl is-enabled $unit) $(systemctl is-active $unit); done";
/// What is said of a panel that does not run.
const SAID: &str = "its panel does not run. Start it, now and with the machine: sudo systemctl enable --now skiff";

#[tokio::test]
async fn a_panel_that_ran_runs_when_its_package_is_back_and_one_that_was_stopped_does_not() {
    let scripts = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/package/debian"));
    let host = TestHost::fresh(true, &[(scripts, "/scripts")]).await;
    let bash = async |script: &str| host.enter(&["/bin/bash", "-c", script]).await.must(script);
    bash("for i in $(seq 300); do systemctl is-system-running | grep -qE 'running|degraded' && exit; sleep 0.1; done; exit 1").await;
    bash(PACKED).await;
    let first = bash("dpkg -i /skiff.deb").await;
    assert!(first.contains("does not run yet") && !first.contains(SAID), "{first}");
    // As set-up leaves it.
    bash("mkdir -p /etc/default; : > /etc/default/skiff-panel; systemctl enable --now skiff skiff-sshd").await;
    let again = async |before: &str| {
        let removed = bash(&format!("{before}; dpkg -r skiff")).await;
        assert!(removed.contains("The panel is stopped."), "{removed}");
        assert_eq!(bash("systemctl is-active skiff skiff-sshd; true").await, "inactive\ninactive\n", "{before}");
        (bash("dpkg -i /skiff.deb").await, bash(STANDS).await)
    };
    let (said, stands) = again("true").await;
    assert_eq!(stands, "skiff enabled active\nskiff-sshd enabled active\n");
    assert!(!said.contains("does not run"), "{said}");
    assert_eq!(bash("ls -A /var/lib/skiff-up").await, "", "the mark is for once");
    // An upgrade of one that runs leaves it so.
    bash("dpkg -i /skiff.deb").await;
    assert_eq!(bash(STANDS).await, stands);

    for by_hand in ["systemctl disable skiff", "systemctl enable --now skiff; systemctl stop skiff"] {
        let (said, stands) = again(by_hand).await;
        assert_eq!(stands, "skiff disabled inactive\nskiff-sshd enabled active\n", "{by_hand}");
        assert!(said.contains(SAID), "{by_hand}: {said}");
    }
    // One that ran, and was purged.
    bash("systemctl enable --now skiff; dpkg -P skiff; test ! -e /var/lib/skiff-up").await;
}
