//! HAProxy's sockets over SSH: a real master and worker.

use super::connected;
use crate::harness::host::TestHost;
use skiff::domain::ingress::read_processes;
use skiff::remote::{Error, Host};
use std::time::Duration;

const CONFIG: &str = "global
  stats socket /run/skiff/haproxy.sock mode 600 level admin expose-fd listeners
  hard-stop-after 1m
defaults
  mode http
  option idle-close-on-response
  timeout connect 2s
  timeout client 1m
  timeout server 1m
frontend web
  bind 127.0.0.1:8080
  default_backend b0001
backend b0001
  balance roundrobin
";

/// Starts HAProxy as a master with one worker.
async fn start(rig: &TestHost, host: &Host) {
    host.make_folders(&["/run/skiff"]).await.unwrap();
    host.put("/etc/skiff/haproxy.cfg", CONFIG.as_bytes(), 0o640).await.unwrap();
    let script = "exec </dev/null >/dev/null 2>&1; haproxy -D -W -S /run/skiff/haproxy-master.sock -f /etc/skiff/haproxy.cfg -p /run/skiff/haproxy.pid";
    assert_eq!(rig.enter(&["/bin/bash", "-c", script]).await.status, 0);
    for _ in 0..100 {
        if host.haproxy().ask_one("show info").await.is_ok() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("HAProxy does not answer");
}

#[tokio::test]
async fn servers_come_and_go_through_the_sockets() {
    let rig = TestHost::bare().await;
    let host = connected(&rig).await;
    start(&rig, &host).await;
    let proxy = host.haproxy();
    let info = proxy.ask_one("show info").await.unwrap();
    assert!(info.contains("Version: "), "{info}");

    let commands = [
        "add server b0001/skiff-a 127.0.0.1:9001 check",
        "set server b0001/skiff-a state ready",
        "show servers state b0001",
    ];
    let answers = proxy.ask(&commands.map(str::to_owned)).await.unwrap();
    assert!(answers[0].contains("New server registered"), "{answers:?}");
    assert_eq!(answers[1], "");
    assert!(answers[2].contains("skiff-a") && answers[2].contains("127.0.0.1"), "{answers:?}");
    let commands = ["set server b0001/skiff-a state maint", "del server b0001/skiff-a", "del server b0001/skiff-a"];
    let answers = proxy.ask(&commands.map(str::to_owned)).await.unwrap();
    assert!(answers[1].contains("Server deleted") && answers[2].contains("No such server"), "{answers:?}");

    // Very many commands in one call.
    let many: Vec<String> = (0..1500).map(|n| format!("get weight b0001/skiff-{n}")).collect();
    let answers = proxy.ask(&many).await.unwrap();
    assert_eq!(answers.len(), 1500);
    assert!(answers.iter().all(|answer| answer.contains("o such server")), "{:?}", answers.first());

    assert!(matches!(proxy.ask_one("show info;show stat").await, Err(Error::ProxyRefused { .. })));
    // The master opens its socket a moment after its worker.
    let first = async {
        loop {
            if let Ok(text) = proxy.ask_master("show proc").await
                && let Some(worker) = read_processes(&text).worker
            {
                return worker;
            }
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    };
    let first = tokio::time::timeout(Duration::from_secs(10), first).await.unwrap();
    let stat = proxy.ask_worker(first.pid, "show stat").await.unwrap();
    assert!(stat.contains("b0001,BACKEND"), "{stat}");

    // The master closes the connection when it starts itself anew, and says later how it went.
    let reload = async |want: u32| {
        let _ = proxy.ask_master("reload").await;
        for _ in 0..100 {
            if let Ok(text) = proxy.ask_master("show proc").await
                && read_processes(&text).reloads == want
            {
                return read_processes(&text);
            }
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
        panic!("no {want} reloads")
    };
    assert_ne!(reload(1).await.worker.unwrap().pid, first.pid);
    host.put("/etc/skiff/haproxy.cfg", b"nonsense\n", 0o640).await.unwrap();
    assert_eq!(reload(2).await.failed, 1);
    assert!(proxy.ask_one("show info").await.is_ok(), "the old worker goes on");
}
