//! A password or a private key given once: it lets Skiff's key in, and is nowhere afterwards.

use skiff::actions::hosts::{self, ForgetHost, GivePass, NewHost};
use skiff::actions::upkeep;
use skiff::domain::ids::HostId;

use super::{add, confirm, look, newest, provision, sshd, view};
use crate::harness::host::{TestHost, run};
use crate::harness::world::{Ended, World};

const PASSWORD: &str = "Tide & \"Ebb\" 'n' $Flow";

fn password(text: &str) -> GivePass {
    GivePass { password: text.into(), ..GivePass::default() }
}

/// Lets passwords in on a server, and gives one to this user.
async fn takes_passwords(rig: &TestHost, user: &str, more: &str) {
    let config = |text: String| {
        let text = text.replace("PasswordAuthentication no", "PasswordAuthentication yes");
        text.replace("PermitRootLogin prohibit-password", "PermitRootLogin yes") + more
    };
    sshd(rig, config).await;
    set_password(rig, user).await;
}

async fn set_password(rig: &TestHost, user: &str) {
    let set = "printf '%s:%s\\n' \"$1\" \"$2\" | chpasswd";
    rig.enter(&["/bin/sh", "-c", set, "sh", user, PASSWORD]).await.must("it has a password");
}

/// A host whose key was confirmed.
async fn known(world: &World, rig: &TestHost, form: NewHost) -> HostId {
    let host = add(world, rig, form).await;
    look(world, host).await;
    confirm(world, host, &rig.host_key, "").await;
    host
}

/// Gives what lets Skiff in; gives the end of the run that it begins.
async fn give(world: &World, host: HostId, pass: GivePass) -> Ended {
    let job = hosts::give_pass(&world.actions(), &world.team.owner, host, pass).await.unwrap();
    world.over(job.expect("its key is confirmed, so it is made ready")).await
}

/// What was given is in no table, sealed or not.
async fn is_nowhere(world: &World, secret: &str) {
    let mut conn = world.db.superuser().await;
    let kept: i64 = sqlx::query_scalar("select count(*) from host_passes").fetch_one(&mut conn).await.unwrap();
    assert_eq!(kept, 0, "nothing sealed is kept");
    let tables: Vec<String> = sqlx::query_scalar("select tablename::text from pg_tables where schemaname = 'public'")
        .fetch_all(&mut conn)
        .await
        .unwrap();
    assert!(tables.iter().any(|table| table == "job_log"));
    for table in tables {
        let rows = format!("select x::text from {table} x");
        let rows: Vec<String> = sqlx::query_scalar(sqlx::AssertSqlSafe(rows)).fetch_all(&mut conn).await.unwrap();
        let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
        for row in rows {
            let plain = row.replace("\"\"", "\"").replace("\\\\", "\\");
            assert!(!plain.contains(secret) && !row.contains(&hex), "{table}: {row}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_lets_skiffs_key_in_once_and_is_forgotten() {
    let (rig, world) = (TestHost::bare().await, World::new().await);
    takes_passwords(&rig, "root", "").await;
    let host = add(&world, &rig, NewHost { pass: password(PASSWORD), ..NewHost::default() }).await;
    assert!(view(&world, host).await.pass_given_at.is_some());
    look(&world, host).await;
    let log = std::fs::read_to_string(rig.path("/var/log/sshd.log")).unwrap();
    assert!(!log.contains("root from"), "nobody signs in before the key is confirmed: {log}");
    confirm(&world, host, &rig.host_key, "").await;
    let ended = provision(&world, host).await;
    assert_eq!(ended.state, "succeeded", "{ended:#?}");
    assert_eq!(ended.steps[0], "let Skiff's key in: changed (what was given is forgotten)");
    let log = std::fs::read_to_string(rig.path("/var/log/sshd.log")).unwrap();
    assert_eq!(log.matches("Accepted password for root").count(), 1, "{log}");
    is_nowhere(&world, PASSWORD).await;
    assert!(view(&world, host).await.pass_given_at.is_none());
    let keys = std::fs::read_to_string(rig.path("/root/.ssh/authorized_keys")).unwrap();
    let ours = hosts::team_key(&world.actions(), &world.team.owner).await.unwrap();
    assert_eq!(keys.matches(ours.trim()).count(), 1, "{keys}");
    let again = provision(&world, host).await;
    assert!(again.steps[0].starts_with("look at the server"), "{again:#?}");
    world.quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_said_and_another_one_can_be_given() {
    let (rig, world) = (TestHost::bare().await, World::new().await);
    let host = known(&world, &rig, NewHost::default()).await;
    // The server takes none at all.
    let ended = give(&world, host, password(PASSWORD)).await;
    assert!(ended.reason.contains("takes no passwords for this user"), "{ended:#?}");
    is_nowhere(&world, PASSWORD).await;
    takes_passwords(&rig, "root", "").await;
    let ended = give(&world, host, password("not it")).await;
    assert_eq!(ended.state, "failed");
    assert_eq!(ended.reason, "The server does not take this password for this user. Give another, or a private key.");
    assert!(ended.steps[1..].iter().all(|step| step.ends_with(": skipped")), "{ended:#?}");
    is_nowhere(&world, "not it").await;
    let ended = give(&world, host, password(PASSWORD)).await;
    assert_eq!(ended.state, "succeeded", "{ended:#?}");
    world.quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_asks_for_the_password_in_a_dialogue_is_answered() {
    let (rig, world) = (TestHost::bare().await, World::new().await);
    sshd(&rig, |text| {
        text.replace("KbdInteractiveAuthentication no", "KbdInteractiveAuthentication yes")
            .replace("UsePAM no", "UsePAM yes")
            .replace("PermitRootLogin prohibit-password", "PermitRootLogin yes")
    })
    .await;
    set_password(&rig, "root").await;
    let host = known(&world, &rig, NewHost::default()).await;
    let ended = give(&world, host, password("not it")).await;
    assert!(ended.reason.contains("does not take this password"), "{ended:#?}");
    let ended = give(&world, host, password(PASSWORD)).await;
    assert_eq!(ended.state, "succeeded", "{ended:#?}");
    let log = std::fs::read_to_string(rig.path("/var/log/sshd.log")).unwrap();
    assert!(log.contains("Accepted keyboard-interactive/pam for root"), "{log}");
    is_nowhere(&world, PASSWORD).await;
    world.quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_key_lets_it_in_with_and_without_a_passphrase() {
    let world = World::new().await;
    let folder = tempfile::tempdir().unwrap();
    for (kind, passphrase) in [("ed25519", ""), ("ed25519", "seven seas"), ("rsa", "seven seas")] {
        let rig = TestHost::bare().await;
        let file = folder.path().join(format!("{kind}{}", passphrase.len()));
        let path = file.to_str().unwrap();
        run("ssh-keygen", &["-q", "-t", kind, "-N", passphrase, "-f", path]).await.must("a key is made");
        let private_key = std::fs::read_to_string(&file).unwrap();
        let public = std::fs::read_to_string(file.with_extension("pub")).unwrap();
        let keys = rig.path("/root/.ssh/authorized_keys");
        // Without an end of its own: the line must not grow together with it.
        std::fs::write(keys, public.trim()).unwrap();
        let form = NewHost { name: format!("host {path}"), address: rig.address.clone(), ..NewHost::default() };
        let host = hosts::create(&world.actions(), &world.team.owner, form).await.unwrap();
        look(&world, host).await;
        confirm(&world, host, &rig.host_key, "").await;
        let give_it =
            GivePass { private_key: private_key.clone(), passphrase: passphrase.into(), ..GivePass::default() };
        if !passphrase.is_empty() {
            for (wrong, field) in [("", "private_key"), ("eight seas", "passphrase")] {
                let form = GivePass { passphrase: wrong.into(), ..give_it.clone() };
                let refused = hosts::give_pass(&world.actions(), &world.team.owner, host, form).await;
                assert_eq!(crate::actions::fields(refused), [field]);
            }
        }
        let ended = give(&world, host, give_it).await;
        assert_eq!(ended.state, "succeeded", "{ended:#?}");
        is_nowhere(&world, private_key.lines().nth(1).unwrap()).await;
        let keys = std::fs::read_to_string(rig.path("/root/.ssh/authorized_keys")).unwrap();
        assert_eq!(keys.lines().count(), 2, "{keys}");
        // The next server may get its address.
        let name = format!("host {path}");
        let form = ForgetHost { name, ..ForgetHost::default() };
        hosts::forget(&world.actions(), &world.team.owner, host, form).await.unwrap();
    }
    world.quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_cannot_become_root_is_told_before_anything_is_changed() {
    let (rig, world) = (TestHost::bare().await, World::new().await);
    rig.enter(&["useradd", "--create-home", "--shell", "/bin/bash", "ada"]).await.must("Ada is there");
    takes_passwords(&rig, "ada", "").await;
    let host = known(&world, &rig, NewHost { user: "ada".into(), ..NewHost::default() }).await;
    let untouched = |rig: &TestHost| !rig.path("/home/ada/.ssh").exists() && !rig.path("/home/skiff").exists();

    rig.enter(&["mv", "/usr/bin/sudo", "/usr/bin/no-sudo"]).await.must("sudo is away");
    let ended = give(&world, host, password(PASSWORD)).await;
    assert!(ended.reason.contains("ada is not root, and there is no sudo on the server"), "{ended:#?}");
    assert!(untouched(&rig));
    rig.enter(&["mv", "/usr/bin/no-sudo", "/usr/bin/sudo"]).await.must("sudo is back");
    let ended = give(&world, host, password(PASSWORD)).await;
    assert!(ended.reason.contains("ada may not use sudo without a password"), "{ended:#?}");
    assert!(ended.reason.contains("/etc/sudoers.d/ada"), "{ended:#?}");
    assert!(untouched(&rig));
    is_nowhere(&world, PASSWORD).await;

    std::fs::write(rig.path("/etc/sudoers.d/ada"), "ada ALL=(ALL) NOPASSWD: ALL\n").unwrap();
    let ended = give(&world, host, password(PASSWORD)).await;
    assert_eq!(ended.state, "succeeded", "{ended:#?}");
    assert_eq!(view(&world, host).await.ssh_user, "skiff");
    world.quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_used_within_an_hour_is_forgotten() {
    let (rig, world) = (TestHost::bare().await, World::new().await);
    takes_passwords(&rig, "root", "").await;
    let host = add(&world, &rig, NewHost { pass: password(PASSWORD), ..NewHost::default() }).await;
    let mut conn = world.db.superuser().await;
    let kept: Vec<u8> = sqlx::query_scalar("select sealed from host_passes").fetch_one(&mut conn).await.unwrap();
    assert!(!kept.windows(PASSWORD.len()).any(|part| part == PASSWORD.as_bytes()), "it is sealed");
    assert_eq!(upkeep::forget_passes(&world.actions()).await, Ok(0));
    assert!(view(&world, host).await.pass_given_at.is_some());
    let age = "update host_passes set given_at = now() - interval '61 minutes'";
    sqlx::query(age).execute(&mut conn).await.unwrap();
    assert!(view(&world, host).await.pass_given_at.is_none(), "it is not offered");
    look(&world, host).await;
    confirm(&world, host, &rig.host_key, "").await;
    let ended = provision(&world, host).await;
    assert!(ended.reason.contains("refuses our key"), "it is not used: {ended:#?}");
    assert_eq!(upkeep::forget_passes(&world.actions()).await, Ok(1));
    is_nowhere(&world, PASSWORD).await;
    assert_eq!(newest(&world, host).await.state, "failed");
    world.quiet().await;
}
