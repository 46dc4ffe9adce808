//! The ways in to a host, with real sshds: through another server, with what was given once, and who else is there.

mod edit;
mod forwarding;
mod jump;
mod keys;
mod owner;
mod pass;

use skiff::actions::hosts::{self, ConfirmHostKey, HostView, NewHost};
use skiff::domain::ids::HostId;
use skiff::remote::{Error, Host};

use crate::harness::host::TestHost;
use crate::harness::world::{Ended, World};

/// Changes sshd's configuration on a host, and waits until it holds.
async fn sshd(rig: &TestHost, change: impl FnOnce(String) -> String) {
    let file = rig.path("/etc/ssh/sshd_config");
    let text = change(std::fs::read_to_string(&file).unwrap());
    std::fs::write(file, text).unwrap();
    reload(rig).await;
}

/// What Docker's ping says on a new connection: of the one that was cut a kept channel may be tried first.
async fn ping_anew(host: &Host) -> Result<(), Error> {
    host.cut();
    for _ in 0..8 {
        match host.docker().ping().await {
            Err(Error::Unreachable { .. }) => {}
            said => return said,
        }
    }
    host.docker().ping().await
}

/// Has sshd read its configuration and its key again.
async fn reload(rig: &TestHost) {
    let listens = || {
        std::fs::read_to_string(rig.path("/var/log/sshd.log")).unwrap().matches("Server listening on 0.0.0.0").count()
    };
    let before = listens();
    rig.enter(&["/bin/sh", "-c", "kill -HUP $(cat /run/sshd.pid)"]).await.must("sshd is told");
    for _ in 0..200 {
        if listens() > before {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(25)).await;
    }
    panic!("sshd does not come back: {}", std::fs::read_to_string(rig.path("/var/log/sshd.log")).unwrap());
}

/// Gives a host another key of its own; gives the fingerprint.
async fn another_key(rig: &TestHost) -> String {
    let key = "/etc/ssh/ssh_host_ed25519_key";
    let make = format!("cp {key} {key}.old; rm {key}; ssh-keygen -q -t ed25519 -N '' -f {key}");
    rig.enter(&["/bin/sh", "-c", &make]).await.must("a key is made");
    reload(rig).await;
    let shown = rig.enter(&["ssh-keygen", "-lf", key]).await.must("it is read");
    shown.split_whitespace().nth(1).unwrap().to_owned()
}

/// Adds a host as its form does.
async fn add(world: &World, rig: &TestHost, form: NewHost) -> HostId {
    let form = NewHost { name: "fra-1".into(), address: rig.address.clone(), port: rig.port.to_string(), ..form };
    hosts::create(&world.actions(), &world.team.owner, form).await.unwrap()
}

/// The host's page.
async fn view(world: &World, host: HostId) -> HostView {
    hosts::get(&world.actions(), &world.team.owner, host).await.unwrap()
}

/// Has a look taken at its key, and waits for that.
async fn look(world: &World, host: HostId) -> Ended {
    hosts::look(&world.actions(), &world.team.owner, host).await.unwrap();
    newest(world, host).await
}

/// Waits for the newest job about it.
async fn newest(world: &World, host: HostId) -> Ended {
    let job = view(world, host).await.jobs[0].id;
    world.over(job).await
}

/// Confirms a key as somebody who compared it.
async fn confirm(world: &World, host: HostId, key: &str, name: &str) {
    let form = ConfirmHostKey { host_key: key.into(), name: name.into() };
    hosts::confirm_key(&world.actions(), &world.team.owner, host, form).await.unwrap();
}

/// Makes it ready, and waits for that.
async fn provision(world: &World, host: HostId) -> Ended {
    let job = hosts::provision(&world.actions(), &world.team.owner, host).await.unwrap();
    world.over(job).await
}

/// Puts the team's key where a person would paste it.
async fn paste(world: &World, rig: &TestHost, home: &str) {
    let key = hosts::team_key(&world.actions(), &world.team.owner).await.unwrap();
    let file = rig.path(&format!("{home}/.ssh/authorized_keys"));
    let known = std::fs::read_to_string(&file).unwrap_or_default();
    std::fs::write(file, format!("{known}{key}\n")).unwrap();
}
