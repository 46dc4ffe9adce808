//! A host under another address, and a host that is forgotten, with a real server.

use skiff::actions::hosts::{self, EditHost, ForgetHost, HostView};
use skiff::domain::host::HostState;

use super::{another_key, provision, view};
use crate::actions::conflict;
use crate::harness::fleet;
use crate::harness::host::TestHost;
use crate::harness::world::World;

fn as_it_is(view: &HostView) -> EditHost {
    EditHost {
        name: view.line.name.clone(),
        address: view.line.address.clone(),
        port: view.ssh_port.to_string(),
        user: view.ssh_user.clone(),
        jump: view.jump.clone(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_moved_is_spoken_to_there_while_it_shows_the_pinned_key() {
    let (rig, world) = (TestHost::bare().await, World::new().await);
    let host = world.provision(&rig).await;
    let (ctx, owner) = (world.actions(), &world.team.owner);
    // It listens on a second port from now on.
    super::sshd(&rig, |text| text.replace("Port 22\n", "Port 22\nPort 2222\n")).await;
    let known = view(&world, host).await;
    let form = EditHost { name: "ber-1".into(), port: "2222".into(), ..as_it_is(&known) };
    hosts::edit(&ctx, owner, host, form).await.unwrap();
    let edited = view(&world, host).await;
    assert_eq!((edited.line.name.as_str(), edited.ssh_port), ("ber-1", 2222));
    assert_eq!(
        (edited.host_key.as_str(), edited.line.slug.as_str()),
        (rig.host_key.as_str(), known.line.slug.as_str())
    );
    let ended = provision(&world, host).await;
    assert_eq!(ended.state, "succeeded", "no key was asked for: {ended:#?}");

    // At another address another server answers.
    let other = another_key(&rig).await;
    let form = EditHost { port: "22".into(), ..as_it_is(&edited) };
    hosts::edit(&ctx, owner, host, form).await.unwrap();
    let ended = provision(&world, host).await;
    assert!(ended.reason.contains(&format!("shows another key ({other})")), "{ended:#?}");
    assert_eq!(view(&world, host).await.line.state, HostState::KeyMismatch);
    world.quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_is_forgotten_once_nothing_is_on_it_and_the_server_stays_as_it_is() {
    let (rig, other, world) = (TestHost::bare().await, TestHost::bare().await, World::new().await);
    let ids = fleet::ready(&world, &[&rig, &other]).await;
    for rig in [&rig, &other] {
        rig.load_app("127.0.0.1:5000/hello:1", "1").await;
    }
    let mut app = world.app(ids[0], "127.0.0.1:5000/hello:1", "hello.test").await;
    app.must_deploy().await;
    let (ctx, owner) = (world.actions(), &world.team.owner);
    let known = view(&world, ids[0]).await;
    let forget = async |gone: &str| {
        let form = ForgetHost { name: known.line.name.clone(), gone: gone.into() };
        hosts::forget(&ctx, owner, ids[0], form).await
    };
    assert!(conflict(forget("").await).contains("Apps are placed on"));
    app.place(ids[1]).await;
    assert!(conflict(forget("").await).contains("Instances are still on"));
    app.must_deploy().await;
    let files =
        "find /etc/skiff /var/lib/skiff /etc/sudoers.d /home/skiff/.ssh /root/.ssh -printf '%p %T@ %m\\n' | sort";
    let before = rig.enter(&["/bin/sh", "-c", files]).await.must("what is there");
    let containers = rig.docker(&["ps", "-a", "--format", "{{.Names}}"]).await;
    let forgotten = forget("").await.unwrap();
    assert!(forgotten.remains.iter().any(|(_, line)| line.contains("userdel")), "{forgotten:?}");
    assert_eq!(rig.enter(&["/bin/sh", "-c", files]).await.must("what is there"), before);
    assert_eq!(rig.docker(&["ps", "-a", "--format", "{{.Names}}"]).await, containers);
    // The connection is let go.
    for _ in 0..200 {
        if rig.enter(&["/usr/bin/pgrep", "-f", "sshd[^ ]*: skiff"]).await.status != 0 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_ne!(rig.enter(&["/usr/bin/pgrep", "-f", "sshd[^ ]*: skiff"]).await.status, 0, "a connection was left");

    // Its history is read as before, and it can be added again: the same number, the same server, the same panel.
    let mut conn = world.db.superuser().await;
    let jobs: Vec<uuid::Uuid> = sqlx::query_scalar("select id from jobs where team_id = $1")
        .bind(owner.team().0)
        .fetch_all(&mut conn)
        .await
        .unwrap();
    for job in jobs {
        let page = skiff::actions::jobs::get(&ctx, owner, skiff::domain::ids::JobId(job)).await.unwrap();
        assert!(!page.steps.is_empty(), "{page:?}");
    }
    let again = world.provision(&rig).await;
    assert_eq!(view(&world, again).await.number, known.number);
    app.must_deploy().await;
    world.quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_gone_for_good_is_forgotten_with_what_was_on_it() {
    let (rig, other, world) = (TestHost::bare().await, TestHost::bare().await, World::new().await);
    let ids = fleet::ready(&world, &[&rig, &other]).await;
    other.load_app("127.0.0.1:5000/hello:1", "1").await;
    rig.load_app("127.0.0.1:5000/hello:1", "1").await;
    let mut app = world.app(ids[0], "127.0.0.1:5000/hello:1", "hello.test").await;
    app.must_deploy().await;
    app.place(ids[1]).await;
    let (ctx, owner) = (world.actions(), &world.team.owner);
    let name = view(&world, ids[0]).await.line.name;
    let gone = ForgetHost { name, gone: "yes".into() };
    assert_eq!(crate::actions::fields(hosts::forget(&ctx, owner, ids[0], gone.clone()).await), ["gone"]);
    rig.power_off().await;
    let mut conn = world.db.superuser().await;
    sqlx::query("update hosts set state = 'unreachable' where id = $1")
        .bind(ids[0].0)
        .execute(&mut conn)
        .await
        .unwrap();
    let forgotten = hosts::forget(&ctx, owner, ids[0], gone).await.unwrap();
    assert!(forgotten.remains.is_empty(), "there is nothing to take it away from");
    app.must_deploy().await;
    assert_eq!(app.containers(&other).await.len(), 1);
    world.quiet().await;
}
