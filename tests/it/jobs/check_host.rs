//! A host is made ready by a script, looked at, and every change that somebody makes to it is said; the look itself changes nothing.

use skiff::actions::hosts::{self, CheckView, NewHost, NewScript};
use skiff::domain::host::HostState;
use skiff::domain::ids::HostId;

use crate::harness::host::TestHost;
use crate::harness::world::World;

/// Everything a look must leave as it is.
const STATE: &str = "find /etc /home/skiff /var/lib/skiff /run/skiff -printf '%p %m %u:%g %s %T@\\n' 2>/dev/null | sort | md5sum; docker ps -aq --no-trunc; ss -Hltnp";

/// Has the host looked at, and tells what came of it.
async fn check(world: &World, id: HostId) -> (String, CheckView) {
    let job = hosts::check(&world.actions(), &world.team.owner, id).await.unwrap();
    let ended = world.over(job).await;
    let view = hosts::get(&world.actions(), &world.team.owner, id).await.unwrap();
    (ended.state, view.check.unwrap())
}

/// "what: is" of all that differs.
pub(super) async fn differences(world: &World, id: HostId) -> Vec<String> {
    let (state, view) = check(world, id).await;
    assert_eq!((state.as_str(), view.failed.as_str()), ("succeeded", ""), "{view:#?}");
    view.differences.iter().map(|found| format!("{}: {}", found.what, found.is)).collect()
}

async fn bash(host: &TestHost, script: &str) -> String {
    host.enter(&["/bin/bash", "-c", script]).await.must(script)
}

#[tokio::test(flavor = "multi_thread")]
async fn after_the_script_ran_nothing_is_left_to_do_and_nothing_differs() {
    first_boot(&TestHost::bare().await).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a server fetches its packages: bin/test t_first_boot"]
async fn t_first_boot() {
    first_boot(&TestHost::fresh_with_sshd().await).await;
}

async fn first_boot(host: &TestHost) {
    let world = World::new().await;
    let (ctx, owner) = (world.actions(), &world.team.owner);
    let script = hosts::script(&ctx, owner, NewScript::default()).await.unwrap();
    assert!(script.starts_with("#!/bin/bash\n# Makes a server"), "{script}");
    tokio::fs::write(host.path("/root/first-boot.bash"), &script).await.unwrap();
    let run = ["/bin/bash", "/root/first-boot.bash"];
    let first = host.enter(&run).await.must("the first run");
    assert!(
        first.ends_with("This server is ready for Skiff: add it there as a host, with the user skiff.\n"),
        "{first}"
    );
    let second = host.enter(&run).await.must("the second run");
    assert!(second.ends_with("Nothing was changed: this server is ready for Skiff.\n"), "{second}");
    assert!(!second.lines().any(|line| line.trim() == "changed"), "{second}");
    let not_root = host.enter(&["runuser", "-u", "skiff", "--", "/bin/bash", "-c", &script]).await;
    assert!(not_root.status == 1 && not_root.err.contains("Run this as root"), "{}{}", not_root.out, not_root.err);

    let form = NewHost {
        name: "fra-1".into(),
        address: host.address.clone(),
        user: "skiff".into(),
        host_key: host.host_key.clone(),
        ..NewHost::default()
    };
    let id = hosts::create(&ctx, owner, form).await.unwrap();
    let ended = world.provision_again(id).await;
    assert_eq!(ended.state, "succeeded", "{ended:#?}");
    assert!(ended.steps.iter().all(|step| step.contains(": unchanged")), "{ended:#?}");
    assert_eq!(differences(&world, id).await, [""; 0]);
    world.quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_changed_on_a_host_is_said_and_looking_changes_nothing() {
    let (host, world) = (TestHost::bare().await, World::new().await);
    let id = world.provision(&host).await;
    host.load_app("127.0.0.1:5000/hello:1", "1").await;
    let app = world.app(id, "127.0.0.1:5000/hello:1", "check.test").await;
    app.must_deploy().await;
    let before = bash(&host, STATE).await;
    assert_eq!(differences(&world, id).await, [""; 0]);
    assert_eq!(before, bash(&host, STATE).await);

    bash(
        &host,
        "chmod 777 /var/lib/skiff/apps; echo '# mine' >>/etc/skiff/haproxy.cfg; rm /etc/skiff/maps/routes.map; \
         rm /etc/rc2.d/S??skiff-haproxy; echo linux-image-amd64 >/run/reboot-required.pkgs; touch /run/reboot-required; \
         printf '#!/bin/sh\\nexec /usr/bin/date -d \"-210 seconds\" \"$@\"\\n' >/usr/local/sbin/date; chmod 755 /usr/local/sbin/date",
    )
    .await;
    let before = bash(&host, STATE).await;
    let found = differences(&world, id).await;
    let line = found
        .iter()
        .find(|line| line.starts_with("/etc/skiff/haproxy.cfg: differs from line "))
        .expect("the file")
        .clone();
    let others: Vec<&String> = found.iter().filter(|other| **other != line).collect();
    assert_eq!(
        others,
        [
            "clock: 3 min behind the panel's",
            "reboot: wanted by linux-image-amd64",
            "folder /var/lib/skiff/apps: 777 skiff:skiff",
            "start of the proxy: by hand",
            "the proxy's map of routes: not there",
        ]
    );
    assert_eq!(before, bash(&host, STATE).await, "a look mends nothing");

    let mine = hosts::get(&world.actions(), &world.team.owner, id).await.unwrap();
    assert_eq!(mine.check.unwrap().differences.len(), found.len());
    // What Skiff made it makes again; what is the server's own is left to its owner.
    let ended = world.provision_again(id).await;
    assert_eq!(ended.state, "succeeded", "{ended:#?}");
    assert_eq!(
        differences(&world, id).await,
        ["clock: 3 min behind the panel's", "reboot: wanted by linux-image-amd64"]
    );
    bash(&host, "rm /usr/local/sbin/date /run/reboot-required*").await;

    bash(&host, "rm /etc/sudoers.d/skiff").await;
    assert_eq!(differences(&world, id).await, ["sudo for skiff: sudo asks for a password"]);
    world.quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_does_not_answer_is_said_to_be_so() {
    let (host, world) = (TestHost::bare().await, World::new().await);
    let (ctx, owner) = (world.actions(), &world.team.owner);
    let id = world.add_host(&host).await;
    let refused = hosts::check(&ctx, owner, id).await.unwrap_err().to_string();
    assert!(refused.ends_with("is not ready. Make it ready: that looks at everything."), "{refused}");
    let ended = world.provision_again(id).await;
    assert_eq!(ended.state, "succeeded", "{ended:#?}");

    host.cut_with_resets().await;
    let (state, view) = check(&world, id).await;
    assert_eq!((state.as_str(), view.differences.len()), ("failed", 0));
    assert!(view.failed.starts_with("The host does not answer by SSH ("), "{}", view.failed);
    let line = hosts::get(&ctx, owner, id).await.unwrap().line;
    assert_eq!((line.state, &line.note), (HostState::Unreachable, &view.failed));
    host.heal().await;
    assert_eq!(differences(&world, id).await, [""; 0]);
    world.quiet().await;
}
