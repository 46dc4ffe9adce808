//! Connections: pinned, shared, rebuilt, and never in each other's way.

use super::{connected, login};
use crate::harness::host::TestHost;
use skiff::domain::ids::HostId;
use skiff::domain::secret::Secret;
use skiff::remote::{Error, Pool, PoolSettings, keys};
use std::time::{Duration, Instant};

#[tokio::test]
async fn a_host_is_known_by_its_key_alone_and_nothing_is_sent_to_another() {
    let rig = TestHost::bare().await;
    let pool = Pool::new(PoolSettings::default());
    let seen = keys::scan_host_key(&rig.address.parse().unwrap(), rig.port).await.unwrap();
    assert_eq!((seen.fingerprint.as_str(), seen.kind.as_str()), (rig.host_key.as_str(), "ssh-ed25519"));
    // sshd has met nobody yet who wanted to log in.
    assert!(!rig.enter(&["cat", "/var/log/sshd.log"]).await.out.contains("user root"));

    let mut wrong = login(&rig);
    wrong.host_key = "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA".to_owned();
    assert_eq!(pool.host(&wrong).await.err(), Some(Error::HostKeyChanged { seen: rig.host_key.clone() }));
    assert!(!rig.enter(&["cat", "/var/log/sshd.log"]).await.out.contains("user root"));

    // The same host with the right key is another way: it is not held back by the failure.
    let mut right = login(&rig);
    right.id = wrong.id;
    pool.host(&right).await.unwrap();

    let mut stranger = login(&rig);
    stranger.key = keys::generate("stranger").unwrap().0;
    assert_eq!(pool.host(&stranger).await.err(), Some(Error::AuthRefused));
    let mut nonsense = login(&rig);
    nonsense.key = Secret::new("no key".to_owned());
    assert_eq!(pool.host(&nonsense).await.err(), Some(Error::BadKey));
}

#[tokio::test]
async fn a_generated_key_opens_a_host_that_was_given_its_public_line() {
    let rig = TestHost::bare().await;
    let (private, public) = keys::generate("skiff of test").unwrap();
    assert!(public.starts_with("ssh-ed25519 ") && public.ends_with(" skiff of test"), "{public}");
    assert_eq!(keys::public_line(&private).unwrap(), public);
    connected(&rig).await.put("/root/.ssh/authorized_keys", format!("{public}\n").as_bytes(), 0o600).await.unwrap();
    let mut with_it = login(&rig);
    with_it.key = private;
    Pool::new(PoolSettings::default()).host(&with_it).await.unwrap();
}

#[tokio::test]
async fn two_connections_serve_two_hundred_calls_and_are_made_anew_when_cut() {
    let rig = TestHost::light().await;
    let host = connected(&rig).await;
    host.docker().ping().await.unwrap();
    host.docker_bulk().ping().await.unwrap();
    let logins = "/bin/grep -c 'Accepted publickey' /var/log/sshd.log";
    let count = async || rig.enter(&["/bin/sh", "-c", logins]).await.out.trim().to_owned();
    assert_eq!(count().await, "2");

    let calls = (0..200).map(|n| {
        let host = host.clone();
        tokio::spawn(async move {
            let docker = if n % 2 == 0 { host.docker() } else { host.docker_bulk() };
            docker.list_all().await
        })
    });
    for call in calls.collect::<Vec<_>>() {
        assert_eq!(call.await.unwrap().unwrap(), []);
    }
    assert_eq!(count().await, "2", "all through the same two connections");

    host.cut();
    for _ in 0..3 {
        host.docker().ping().await.unwrap();
        host.docker_bulk().ping().await.unwrap();
    }
    assert_eq!(host.get("/etc/hostname").await.unwrap(), rig.enter(&["cat", "/etc/hostname"]).await.out.into_bytes());
    assert_eq!(count().await, "4");

    // Killed from the other side, under a kept SFTP session and kept HTTP connections.
    rig.enter(&["/usr/bin/pkill", "-f", "sshd[^ ]*: root"]).await;
    for _ in 0..100 {
        if !host.is_connected() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    host.docker().ping().await.unwrap();
    host.get("/etc/hostname").await.unwrap();
    assert_eq!(count().await, "6");
}

#[tokio::test]
async fn a_host_that_swallows_packets_holds_up_nobody() {
    let (lost, well) = tokio::join!(TestHost::bare(), TestHost::bare());
    let pool = Pool::new(PoolSettings::default());
    lost.cut().await;
    let (lost_login, well_login) = (login(&lost), login(&well));
    let began = Instant::now();
    let waiting: Vec<_> = (0..5)
        .map(|_| {
            let (pool, login) = (pool.clone(), lost_login.clone());
            tokio::spawn(async move { pool.host(&login).await.err() })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(50)).await;
    pool.host(&well_login).await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    for answer in waiting {
        assert!(matches!(answer.await.unwrap(), Some(Error::TimedOut { .. })));
    }
    // Five askers, one handshake: the limit of one, not of five.
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
    lost.heal().await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    pool.host(&lost_login).await.unwrap();
}

#[tokio::test]
async fn a_host_that_is_back_is_reached_by_the_first_who_asks_then() {
    let rig = TestHost::bare().await;
    let pool = Pool::new(PoolSettings::default());
    let mut login = login(&rig);
    pool.host(&login).await.unwrap();
    // The same host behind a door that is shut: refused again and again, as while it starts.
    let port = std::mem::replace(&mut login.port, 2);
    for _ in 0..5 {
        assert!(matches!(pool.host(&login).await.err(), Some(Error::Unreachable { .. })));
    }
    let open = format!("TCP-LISTEN:2,bind={},fork,reuseaddr", rig.address);
    // Without our pipes, which would be waited for.
    let apart = "setsid --fork socat \"$1\" \"$2\" > /dev/null 2>&1 < /dev/null";
    let to = format!("TCP:{}:{port}", rig.address);
    rig.enter(&["/bin/sh", "-c", apart, "sh", &open, &to]).await.must("opened");
    let listens = "for i in $(seq 200); do ss -Hltn 'sport = :2' | grep -q . && exit 0; sleep 0.05; done; exit 1";
    rig.enter(&["/bin/sh", "-c", listens]).await.must("it listens");
    pool.host(&login).await.unwrap();
    // Many at once are one attempt, and share its answer.
    let asked = (0..50).map(|_| pool.host(&login));
    assert!(futures_util::future::join_all(asked).await.into_iter().all(|answer| answer.is_ok()));
}

#[tokio::test]
async fn nobody_listens_is_said_at_once() {
    let rig = TestHost::bare().await;
    let mut login = login(&rig);
    (login.id, login.port) = (HostId(uuid::Uuid::now_v7()), 2);
    let error = Pool::new(PoolSettings::default()).host(&login).await.err().unwrap();
    assert!(matches!(&error, Error::Unreachable { detail } if detail.contains("refused")), "{error:?}");
}

#[tokio::test]
async fn a_host_that_falls_silent_is_given_up_within_seconds() {
    let rig = TestHost::light().await;
    let host = connected(&rig).await;
    host.docker().ping().await.unwrap();
    rig.enter(&["/usr/bin/pkill", "-STOP", "-f", "sshd[^ ]*: root"]).await;
    let began = Instant::now();
    let silent = host.docker().ping().await;
    assert!(matches!(silent, Err(Error::Unreachable { .. })), "{silent:?}");
    assert!(began.elapsed() < Duration::from_secs(13), "{:?}", began.elapsed());
    // sshd itself is well: a new connection serves, whatever becomes of the old one.
    host.docker().ping().await.unwrap();
    let probe = host.probe_tcp("127.0.0.1".parse().unwrap(), 22, Duration::from_secs(2)).await;
    assert_eq!(probe, Ok(skiff::remote::Probe::Open));
}

#[tokio::test]
async fn a_forgotten_host_is_let_go_when_its_last_call_ends() {
    let rig = TestHost::light().await;
    let pool = Pool::new(PoolSettings::default());
    let host = pool.host(&login(&rig)).await.unwrap();
    let id = host.login().id;
    let sleeper = host.clone();
    let run = tokio::spawn(async move {
        const SLEEP: skiff::remote::RemoteScript = skiff::remote::RemoteScript::new("sleep", "sleep 1; echo done");
        let mut said = Vec::new();
        let exit = sleeper.run(&SLEEP, &[], Duration::from_secs(9), &mut |_, line| said.push(line.to_vec())).await;
        (exit.unwrap().status, said)
    });
    tokio::time::sleep(Duration::from_millis(400)).await;
    pool.forget(id);
    drop(host);
    assert_eq!(run.await.unwrap(), (0, vec![b"done".to_vec()]), "what is under way is not cut");
    let began = Instant::now();
    while rig.enter(&["/usr/bin/pgrep", "-f", "sshd[^ ]*: root"]).await.status == 0 {
        assert!(began.elapsed() < Duration::from_secs(10), "a connection was left behind");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_server_that_talks_nonsense_is_no_danger() {
    use tokio::io::AsyncWriteExt;
    let server = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = server.local_addr().unwrap().port();
    let flood = tokio::spawn(async move {
        let line = [b'x'; 1000];
        let mut sent = 0_u64;
        loop {
            let (mut peer, _) = server.accept().await.unwrap();
            while sent < 1 << 30 && peer.write_all(&line).await.is_ok() {
                sent += 1000;
            }
        }
    });
    let began = Instant::now();
    let scanned = keys::scan_host_key(&"127.0.0.1".parse().unwrap(), port).await;
    assert!(scanned.is_err(), "{scanned:?}");
    assert!(began.elapsed() < Duration::from_secs(12));
    flood.abort();
}
