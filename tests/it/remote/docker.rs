//! Docker over SSH: what is made is exactly what was wanted.

use super::connected;
use crate::harness::host::TestHost;
use serde_json::{Value, json};
use skiff::domain::address::Bridge;
use skiff::domain::container::{Ended, RunSpec, label, network_name, volume_name};
use skiff::domain::ids::{EnvironmentId, VolumeId};
use skiff::domain::names::{ContainerName, ImageRef, NetworkName};
use skiff::domain::observed::Running;
use skiff::remote::docker::{Docker, Made};
use skiff::remote::{CUT_MARK, Error, Host, LINE_BYTES, Stream};
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

const BRIDGE: Bridge = Bridge { host: 3, index: 2 };

/// An address of the bridge.
fn address(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 64, 194, last)
}

fn spec(name: &str, network: &NetworkName, last: u8, script: &str) -> RunSpec {
    RunSpec {
        name: name.parse().unwrap(),
        image: "skiff-bb:1".parse().unwrap(),
        env: vec![],
        labels: vec![(label::APP, "app-1".to_owned()), (label::PANEL, "test".to_owned())],
        mounts: vec![],
        network: network.clone(),
        address: Some(address(last)),
        memory_bytes: None,
        nano_cpus: None,
        stop_grace_s: 1,
        restart: false,
        argv: ["/bin/sh", "-c", script].map(str::to_owned).to_vec(),
    }
}

/// Makes and starts a container; its name.
async fn started(host: &Host, spec: &RunSpec) -> ContainerName {
    host.docker().create(spec).await.unwrap();
    host.docker().start(&spec.name).await.unwrap();
    spec.name.clone()
}

/// Waits until a container no longer runs.
async fn over(docker: &Docker, name: &ContainerName) -> Ended {
    docker.wait(name, Duration::from_secs(20)).await.unwrap();
    docker.inspect(name).await.unwrap().unwrap().ended.unwrap()
}

#[tokio::test]
async fn a_container_is_exactly_its_spec() {
    let rig = TestHost::light().await;
    rig.load_busybox("skiff-bb:1").await;
    let host = connected(&rig).await;
    let docker = host.docker();
    assert!(docker.version().await.unwrap().engine.starts_with(|c: char| c.is_ascii_digit()));
    assert!(docker.info().await.unwrap().cpus > 0);

    let marks = [(label::PANEL, "test".to_owned())];
    let network = network_name(EnvironmentId(uuid::Uuid::now_v7()));
    for made in [Made::Created, Made::Existed] {
        assert_eq!(docker.network_ensure(&network, BRIDGE, &marks).await.unwrap(), made);
    }
    let moved = docker.network_ensure(&network, Bridge { host: 3, index: 3 }, &marks).await;
    assert!(matches!(moved, Err(Error::NameTaken { .. })), "{moved:?}");
    let volume = volume_name(VolumeId(uuid::Uuid::now_v7()));
    for made in [Made::Created, Made::Existed] {
        assert_eq!(docker.volume_ensure(&volume, &marks).await.unwrap(), made);
    }

    let mut wanted = spec("skiff-one", &network, 5, "env > /data/env; sleep 300");
    wanted.env = vec![
        ("A".parse().unwrap(), "two\nlines $(x) 'q' \"d\" ü".to_owned()),
        ("EMPTY".parse().unwrap(), String::new()),
    ];
    wanted.mounts = vec![(volume.clone(), "/data".parse().unwrap())];
    wanted.memory_bytes = Some(64 << 20);
    wanted.nano_cpus = Some(500_000_000);
    wanted.stop_grace_s = 17;
    wanted.restart = true;
    let id = docker.create(&wanted).await.unwrap();
    assert_eq!(docker.inspect(&id).await.unwrap().unwrap().running, Running::Created);
    docker.start(&wanted.name).await.unwrap();
    docker.start(&wanted.name).await.unwrap();

    let raw: Value = serde_json::from_str(&rig.docker(&["inspect", "skiff-one"]).await).unwrap();
    let host_config = &raw[0]["HostConfig"];
    let got = json!({
        "env": raw[0]["Config"]["Env"].as_array().unwrap()[..2],
        "cmd": raw[0]["Config"]["Cmd"],
        "labels": raw[0]["Config"]["Labels"],
        "stop": raw[0]["Config"]["StopTimeout"],
        "log": host_config["LogConfig"],
        "memory": [host_config["Memory"], host_config["MemorySwap"]],
        "cpus": host_config["NanoCpus"],
        "restart": host_config["RestartPolicy"],
        "network": host_config["NetworkMode"],
        "privileged": host_config["Privileged"],
        "ports": host_config["PortBindings"],
        "binds": host_config["Binds"],
        "mounts": [raw[0]["Mounts"][0]["Type"], raw[0]["Mounts"][0]["Name"], raw[0]["Mounts"][0]["Destination"]],
        "address": raw[0]["NetworkSettings"]["Networks"][network.as_ref()]["IPAddress"],
        "networks": raw[0]["NetworkSettings"]["Networks"].as_object().unwrap().len(),
    });
    let want = json!({
        "env": ["A=two\nlines $(x) 'q' \"d\" ü", "EMPTY="],
        "cmd": ["/bin/sh", "-c", "env > /data/env; sleep 300"],
        "labels": {"skiff.app": "app-1", "skiff.panel": "test"},
        "stop": 17,
        "log": {"Type": "local", "Config": {"max-size": "10m", "max-file": "3"}},
        "memory": [64 << 20, 64 << 20],
        "cpus": 500_000_000,
        "restart": {"Name": "unless-stopped", "MaximumRetryCount": 0},
        "network": network.as_ref(),
        "privileged": false,
        "ports": null,
        "binds": null,
        "mounts": ["volume", volume.as_ref(), "/data"],
        "address": "10.64.194.5",
        "networks": 1,
    });
    assert_eq!(got, want);

    let seen = docker.inspect(&wanted.name).await.unwrap().unwrap();
    assert_eq!((seen.id, seen.running, seen.ended.clone(), seen.restarts), (id.clone(), Running::Up, None, 0));
    assert_eq!(seen.addresses[network.as_ref()], address(5));
    let lines = docker.list_by_label(label::APP, "app-1").await.unwrap();
    assert_eq!(
        lines.iter().map(|l| (&l.id, l.name.as_str(), l.running)).collect::<Vec<_>>(),
        [(&id, "skiff-one", Running::Up)]
    );
    assert_eq!(lines[0].addresses[network.as_ref()], address(5));
    assert_eq!(docker.list_by_label(label::APP, "app-2").await.unwrap(), []);
    assert_eq!(docker.network(&network).await.unwrap().unwrap().taken, [address(5)]);

    // Who comes second is told so: by the name, and by the address when started.
    assert!(matches!(docker.create(&wanted).await, Err(Error::NameTaken { .. })));
    let twin = spec("skiff-two", &network, 5, "sleep 300");
    docker.create(&twin).await.unwrap();
    let collided = docker.start(&twin.name).await;
    assert!(matches!(collided, Err(Error::AddressTaken { .. })), "{collided:?}");

    // What is in use is not removed; what is gone is removed already.
    assert!(docker.remove(&wanted.name).await.is_err());
    assert!(docker.volume_remove(&volume).await.is_err());
    docker.stop(&wanted.name, 1).await.unwrap();
    docker.stop(&wanted.name, 1).await.unwrap();
    assert_eq!(docker.inspect(&id).await.unwrap().unwrap().running, Running::Ended);
    for _ in 0..2 {
        docker.remove(&wanted.name).await.unwrap();
        docker.remove(&twin.name).await.unwrap();
        docker.network_remove(&network).await.unwrap();
        docker.volume_remove(&volume).await.unwrap();
    }
    assert_eq!(docker.inspect(&id).await.unwrap(), None);
    assert!(!docker.volume_exists(&volume).await.unwrap());
}

#[tokio::test]
async fn ends_logs_and_commands_are_told_as_they_are() {
    let rig = TestHost::light().await;
    rig.load_busybox("skiff-bb:1").await;
    let host = connected(&rig).await;
    let (docker, bulk) = (host.docker(), host.docker_bulk());
    let network = network_name(EnvironmentId(uuid::Uuid::now_v7()));
    docker.network_ensure(&network, BRIDGE, &[]).await.unwrap();

    let failing = started(&host, &spec("skiff-fails", &network, 2, "echo out; echo err >&2; echo last; exit 3")).await;
    assert_eq!(over(docker, &failing).await, Ended { code: 3, oom: false, error: String::new() });
    let tail = docker.logs_tail(&failing, 50).await.unwrap();
    let mut texts: Vec<(Stream, String)> =
        tail.into_iter().map(|line| (line.stream, String::from_utf8(line.bytes).unwrap())).collect();
    texts.sort_by_key(|(stream, _)| *stream == Stream::Err);
    assert_eq!(texts, [(Stream::Out, "out".into()), (Stream::Out, "last".into()), (Stream::Err, "err".into())]);

    let mut hungry = spec("skiff-eats", &network, 3, "head -c 60000000 /dev/zero | tail");
    hungry.memory_bytes = Some(16 << 20);
    let hungry = started(&host, &hungry).await;
    let ended = over(docker, &hungry).await;
    assert!(ended.oom && ended.code != 0, "{ended:?}");

    let mut absent = spec("skiff-absent", &network, 4, "");
    absent.argv = vec!["/no/such/program".to_owned()];
    docker.create(&absent).await.unwrap();
    assert!(docker.start(&absent.name).await.is_err());
    let seen = docker.inspect(&absent.name).await.unwrap().unwrap();
    assert_eq!(seen.running, Running::Ended);
    assert!(seen.ended.as_ref().is_some_and(|e| e.code == 127 && e.error.contains("/no/such/program")), "{seen:?}");

    let script = "i=0; while [ $i -lt 2000 ]; do echo line $i; i=$((i+1)); done; \
                  head -c 40000 /dev/zero | tr '\\0' x; echo; sleep 1; echo oops >&2; echo bye";
    let chatty = started(&host, &spec("skiff-chats", &network, 5, script)).await;
    let mut following = bulk.logs_follow(&chatty, 5000);
    // A reader that does not read stops nobody, and is told what it lost.
    let unread = bulk.logs_follow(&chatty, 5000);
    let began = Instant::now();
    bulk.ping().await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(2));
    let mut lines = Vec::new();
    while let Some(line) = following.next().await {
        lines.push(line);
    }
    let lost: u64 = lines.iter().map(|line| line.lost_before).sum();
    assert_eq!(lines.len() as u64 + lost, 2003, "every line came or was counted: {lost} lost");
    let end: Vec<(Stream, usize)> = lines.iter().rev().take(4).map(|line| (line.stream, line.bytes.len())).collect();
    let long = LINE_BYTES + CUT_MARK.len();
    assert_eq!(end.iter().filter(|end| **end == (Stream::Err, 4)).count(), 1, "{end:?}");
    assert_eq!(end.iter().filter(|end| **end == (Stream::Out, long)).count(), 1, "{end:?}");
    assert_eq!(end.iter().filter(|end| **end == (Stream::Out, 3)).count(), 1, "{end:?}");
    drop(unread);
    let tail = docker.logs_tail(&chatty, 3).await.unwrap();
    let tail: Vec<_> = tail.iter().map(|line| String::from_utf8_lossy(&line.bytes)).collect();
    assert_eq!((tail.len(), tail.iter().any(|line| line == "bye")), (3, true), "{tail:?}");

    let runs =
        started(&host, &spec("skiff-runs", &network, 6, "trap 'exit 0' TERM; while :; do sleep 0.1; done")).await;
    let argv = |argv: &[&str]| argv.iter().map(|a| (*a).to_owned()).collect::<Vec<_>>();
    let command = argv(&["/bin/sh", "-c", "echo \"$0\" a; echo b >&2; exit 4", "it's; $(x)"]);
    let said = bulk.exec(&runs, &command, Duration::from_secs(10)).await.unwrap();
    assert_eq!(said.code, 4);
    assert!(said.lines.contains(&b"it's; $(x) a".to_vec()) && said.lines.contains(&b"b".to_vec()), "{said:?}");
    let late = bulk.exec(&runs, &argv(&["/bin/sh", "-c", "sleep 30"]), Duration::from_millis(700)).await;
    assert!(matches!(late, Err(Error::TimedOut { .. })), "{late:?}");
    docker.stop(&runs, 10).await.unwrap();
    assert_eq!(over(docker, &runs).await.code, 0);
    assert!(matches!(
        docker.start(&"skiff-never".parse::<ContainerName>().unwrap()).await,
        Err(Error::NoSuchContainer)
    ));
}

#[tokio::test]
async fn images_are_found_named_moved_and_refused_in_words() {
    let (rig, other) = tokio::join!(TestHost::light(), TestHost::light());
    rig.load_busybox("skiff-bb:1").await;
    let (host, second) = tokio::join!(connected(&rig), connected(&other));
    let (docker, bulk) = (host.docker(), host.docker_bulk());
    let name: ImageRef = "skiff-bb:1".parse().unwrap();
    let image = docker.image(&name).await.unwrap().unwrap();
    assert_eq!(docker.image(&image.id).await.unwrap().unwrap(), image);
    assert!(image.size > 500_000 && !image.arch.is_empty());
    assert_eq!(docker.image(&"skiff-bb:2".parse::<ImageRef>().unwrap()).await.unwrap(), None);

    let kept: ImageRef = "skiff/0191:v1".parse().unwrap();
    docker.tag(&image.id, &kept).await.unwrap();
    assert_eq!(docker.image(&kept).await.unwrap().unwrap().id, image.id);
    second.docker_bulk().load(bulk.save((&kept).into())).await.unwrap();
    assert_eq!(second.docker().image(&kept).await.unwrap().unwrap().id, image.id);
    for was_there in [true, false] {
        assert_eq!(docker.untag(&kept).await.unwrap(), was_there);
    }
    assert!(docker.image(&kept).await.unwrap().is_none() && docker.image(&name).await.unwrap().is_some());

    let nobody = bulk.pull(&"127.0.0.1:9/a/b:v1".parse().unwrap(), None, &mut |_| {}).await;
    assert!(matches!(nobody, Err(Error::RegistryUnreachable { .. })), "{nobody:?}");
    let broken =
        bulk.load(futures_util::stream::iter([Ok::<_, std::io::Error>(bytes::Bytes::from_static(b"no tar"))])).await;
    assert!(broken.is_err());
}

#[tokio::test]
async fn docker_that_is_not_there_is_said_and_found_again() {
    let rig = TestHost::bare().await;
    let host = connected(&rig).await;
    let absent = host.docker().ping().await;
    assert!(matches!(absent, Err(Error::DockerUnavailable { .. })), "{absent:?}");
    assert!(matches!(host.haproxy().ask_one("show info").await, Err(Error::ProxyUnavailable { .. })));
}

#[tokio::test]
async fn a_daemon_that_dies_is_told_from_a_host_that_does() {
    let rig = TestHost::light().await;
    rig.load_busybox("skiff-bb:1").await;
    let host = connected(&rig).await;
    let (docker, bulk) = (host.docker(), host.docker_bulk());
    let network = network_name(EnvironmentId(uuid::Uuid::now_v7()));
    docker.network_ensure(&network, BRIDGE, &[]).await.unwrap();
    let name = started(&host, &spec("skiff-runs", &network, 6, "sleep 300")).await;
    let waiting = {
        let (host, name) = (host.clone(), name.clone());
        tokio::spawn(async move { host.docker_bulk().wait(&name, Duration::from_secs(30)).await })
    };
    let mut following = bulk.logs_follow(&name, 0);
    bulk.ping().await.unwrap();
    rig.enter(&["/usr/bin/pkill", "-KILL", "-x", "dockerd"]).await;
    let cut_off = waiting.await.unwrap();
    assert!(matches!(cut_off, Err(Error::DockerUnavailable { .. })), "{cut_off:?}");
    assert_eq!(following.next().await, None);
    for docker in [docker, bulk] {
        let dead = docker.ping().await;
        assert!(matches!(dead, Err(Error::DockerUnavailable { .. })), "{dead:?}");
    }
    let start = "exec </dev/null >/dev/null 2>&1; rm -f /run/docker.pid; setsid dockerd --host unix:///run/docker.sock --pidfile /run/docker.pid &";
    rig.enter(&["/bin/bash", "-c", start]).await;
    let began = Instant::now();
    while docker.ping().await.is_err() {
        assert!(began.elapsed() < Duration::from_secs(20), "Docker is not found again");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(docker.inspect(&name).await.unwrap().is_some());

    let waiting = {
        let (host, name) = (host.clone(), name.clone());
        tokio::spawn(async move { host.docker_bulk().wait(&name, Duration::from_secs(30)).await })
    };
    bulk.ping().await.unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    host.cut();
    let cut_off = waiting.await.unwrap();
    // Killed with its daemon, the container may have ended before.
    assert!(matches!(cut_off, Err(Error::Unreachable { .. }) | Ok(_)), "{cut_off:?}");
}
