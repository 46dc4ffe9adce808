//! A host that is reached only through another server: known by two keys, used through two sshds, and either may fail.

use std::time::Duration;

use skiff::actions::hosts::{self, EditHost, NewHost};
use skiff::domain::host::HostState;
use skiff::domain::ids::HostId;
use skiff::remote::{Error, Jump, Login, Pool, PoolSettings, keys};

use super::{add, another_key, confirm, look, newest, paste, ping_anew, provision, sshd, view};
use crate::harness::host::TestHost;
use crate::harness::world::{World, ask, login};

/// Nobody but the jump host reaches its sshd: not this machine, whose address on the wire ends with 1.
async fn shut_direct_way(rig: &TestHost) {
    let gate = rig.address.rsplit_once('.').unwrap().0.to_owned() + ".1";
    let rules = format!(
        "table inet shut {{ chain input {{ type filter hook input priority 0; ip saddr {gate} tcp dport 22 reject with tcp reset; }}; }}"
    );
    rig.enter(&["nft", &rules]).await.must("the direct way is shut");
    let direct = keys::scan_host_key(&rig.address.parse().unwrap(), rig.port).await;
    assert!(matches!(direct, Err(Error::Unreachable { .. })), "{direct:?}");
}

fn through(jump: &TestHost, host: &TestHost) -> Login {
    let way = Jump {
        address: jump.address.parse().unwrap(),
        port: jump.port,
        user: "root".parse().unwrap(),
        host_key: jump.host_key.clone(),
    };
    Login { jump: Some(way), ..login(host) }
}

/// Both let the same key in.
async fn same_key(jump: &TestHost, host: &TestHost) {
    let public = keys::public_line(&login(host).key).unwrap();
    let file = jump.path("/root/.ssh/authorized_keys");
    let known = std::fs::read_to_string(&file).unwrap();
    std::fs::write(file, format!("{known}{public}\n")).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_said_of_the_one_it_is_wrong_with() {
    let (jump, rig) = tokio::join!(TestHost::bare(), TestHost::light());
    shut_direct_way(&rig).await;
    let way = through(&jump, &rig);
    let pool = || Pool::new(PoolSettings::default());
    let fails = async |login: &Login| pool().host(login).await.err().unwrap();
    assert_eq!(fails(&way).await, Error::JumpAuthRefused);
    same_key(&jump, &rig).await;
    let host = pool().host(&way).await.unwrap();
    host.docker().ping().await.unwrap();
    assert_eq!(host.get("/etc/hostname").await.unwrap(), rig.enter(&["cat", "/etc/hostname"]).await.out.into_bytes());

    let other = "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA".to_owned();
    let with = |change: &dyn Fn(&mut Login, &mut Jump)| {
        let mut login = way.clone();
        let mut jump = login.jump.clone().unwrap();
        change(&mut login, &mut jump);
        Login { jump: Some(jump), ..login }
    };
    let changed = fails(&with(&|_, jump| jump.host_key = other.clone())).await;
    assert_eq!(changed, Error::JumpKeyChanged { seen: jump.host_key.clone() });
    assert_eq!(fails(&with(&|_, jump| jump.host_key.clear())).await, Error::JumpKeyUnknown);
    let changed = fails(&with(&|login, _| login.host_key = other.clone())).await;
    assert_eq!(changed, Error::HostKeyChanged { seen: rig.host_key.clone() });
    let nobody = fails(&with(&|_, jump| jump.port = 2)).await;
    assert!(matches!(&nobody, Error::JumpUnreachable { detail } if detail.contains("refused")), "{nobody:?}");
    let nobody = fails(&with(&|login, _| login.port = 2)).await;
    assert!(matches!(nobody, Error::BehindJump { .. }), "{nobody:?}");
    let stranger = keys::generate("stranger").unwrap();
    let file = jump.path("/root/.ssh/authorized_keys");
    let known = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, format!("{known}{}\n", stranger.1)).unwrap();
    assert_eq!(fails(&with(&|login, _| login.key = stranger.0.clone())).await, Error::AuthRefused);

    let plain = std::fs::read_to_string(jump.path("/etc/ssh/sshd_config")).unwrap();
    sshd(&jump, |text| text + "AllowTcpForwarding no\n").await;
    assert_eq!(fails(&way).await, Error::JumpForbids);
    assert!(Error::JumpForbids.to_string().contains("Set AllowTcpForwarding yes in its /etc/ssh/sshd_config"));
    // One who may forward and run nothing is enough.
    sshd(&jump, |_| plain + "ForceCommand /bin/false\nAllowStreamLocalForwarding no\n").await;
    pool().host(&way).await.unwrap().docker().ping().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_jump_host_that_is_cut_off_under_calls_is_named_and_they_come_back() {
    let (jump, rig) = tokio::join!(TestHost::bare(), TestHost::light());
    shut_direct_way(&rig).await;
    same_key(&jump, &rig).await;
    let host = Pool::new(PoolSettings::default()).host(&through(&jump, &rig)).await.unwrap();
    host.docker().ping().await.unwrap();
    jump.cut().await;
    // Under way: the silence is noticed. Afterwards: whose it is.
    let said = host.docker().ping().await.unwrap_err();
    assert!(matches!(&said, Error::Unreachable { detail } if detail.contains("jump host")), "{said:?}");
    // A kept channel of the broken way may be tried first.
    let mut tries = 0;
    loop {
        let said = host.docker().ping().await.unwrap_err();
        assert!(said.is_connection() && said.to_string().contains("jump host"), "{said:?}");
        tries += 1;
        if matches!(said, Error::JumpUnreachable { .. }) {
            break;
        }
        assert!(tries < 5, "{said:?}");
    }
    jump.heal().await;
    host.docker().ping().await.unwrap();

    // Its sessions killed: the next call makes its way anew.
    jump.enter(&["/usr/bin/pkill", "-f", "sshd[^ ]*: root"]).await;
    for _ in 0..200 {
        if !host.is_connected() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    host.docker().ping().await.unwrap();
    // The host behind it, cut off from the jump host too.
    let rules = "table inet off { chain input { type filter hook input priority 0; tcp dport 22 drop; }; }";
    rig.enter(&["nft", rules]).await.must("it is cut off");
    let said = ping_anew(&host).await.unwrap_err();
    assert!(matches!(&said, Error::BehindJump { .. }), "{said:?}");
    rig.enter(&["nft", "delete table inet off"]).await.must("it is whole again");
    host.docker().ping().await.unwrap();
    // Nothing is left on the jump host of a way that is not used.
    drop(host);
    for _ in 0..200 {
        if jump.enter(&["/usr/bin/pgrep", "-f", "sshd[^ ]*: root"]).await.status != 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("a connection to the jump host was left behind");
}

/// Enrolled through the jump host as a person does it: both keys compared, the line pasted on both.
async fn enrolled(world: &World, jump: &TestHost, rig: &TestHost) -> HostId {
    let form = NewHost { jump: format!("root@{}", jump.address), ..NewHost::default() };
    let host = add(world, rig, form).await;
    assert!(
        look(world, host).await.steps[0].contains(&format!("jump host shows the ssh-ed25519 key {}", jump.host_key))
    );
    let shown = view(world, host).await;
    assert_eq!((shown.jump_key_seen.as_str(), shown.host_key_seen.as_str()), (jump.host_key.as_str(), ""));
    confirm(world, host, &jump.host_key, "").await;
    // Not let in yet: the look through it says so.
    let ended = newest(world, host).await;
    assert!(ended.reason.contains("The jump host refuses our key"), "{ended:#?}");
    paste(world, jump, "/root").await;
    look(world, host).await;
    assert_eq!(view(world, host).await.host_key_seen, rig.host_key);
    confirm(world, host, &rig.host_key, "").await;
    paste(world, rig, "/root").await;
    host
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_behind_a_jump_host_is_enrolled_used_and_stopped_by_another_key() {
    let (jump, rig, world) = (TestHost::bare().await, TestHost::bare().await, World::new().await);
    shut_direct_way(&rig).await;
    let host = enrolled(&world, &jump, &rig).await;
    let ended = provision(&world, host).await;
    assert_eq!(ended.state, "succeeded", "{ended:#?}");
    rig.load_app("127.0.0.1:5000/hello:1", "1").await;
    let app = world.app(host, "127.0.0.1:5000/hello:1", "hello.test").await;
    app.must_deploy().await;
    assert_eq!(ask(&rig, "hello.test", "/").await, (200, "1\n".into()));

    let other = another_key(&jump).await;
    world.ctx.pool.forget(host);
    let ended = provision(&world, host).await;
    assert!(ended.reason.contains(&format!("The jump host shows another key ({other})")), "{ended:#?}");
    let stopped = view(&world, host).await;
    assert_eq!((stopped.line.state, stopped.jump_key_seen.as_str()), (HostState::KeyMismatch, other.as_str()));
    let (ctx, owner) = (world.actions(), &world.team.owner);
    let form = |name: &str| hosts::ConfirmHostKey { host_key: other.clone(), name: name.into() };
    assert_eq!(crate::actions::fields(hosts::confirm_key(&ctx, owner, host, form("")).await), ["name"]);
    assert_eq!(view(&world, host).await.jump_host_key, jump.host_key, "a refusal changes nothing");
    confirm(&world, host, &other, "fra-1").await;
    let ended = provision(&world, host).await;
    assert_eq!(ended.state, "succeeded", "{ended:#?}");
    let well = view(&world, host).await;
    assert_eq!(
        (well.line.state, well.jump_host_key.as_str(), well.jump_key_seen.as_str()),
        (HostState::Ready, other.as_str(), "")
    );

    // Straight, once that way is open: the pinned key stays.
    rig.enter(&["nft", "delete table inet shut"]).await.must("the direct way is open");
    let form = EditHost {
        name: well.line.name.clone(),
        address: well.line.address.clone(),
        port: well.ssh_port.to_string(),
        user: well.ssh_user.clone(),
        jump: String::new(),
    };
    hosts::edit(&ctx, owner, host, form).await.unwrap();
    jump.power_off().await;
    let ended = provision(&world, host).await;
    assert_eq!(ended.state, "succeeded", "{ended:#?}");
    let straight = view(&world, host).await;
    assert_eq!(
        (straight.jump.as_str(), straight.jump_host_key.as_str(), straight.host_key),
        ("", "", rig.host_key.clone())
    );
    world.quiet().await;
}
