//! The constant scripts on real hosts: each does its part, says so, and does nothing the second time.

use crate::harness::host::{Said, TestHost};
use std::time::Duration;

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGHpQn0sYMZcdfxGvhZ3IlNPkeXJpgbAzOnaxHxCEkQh panel";
/// The smallest configuration with the sockets the product uses.
const CONFIG: &str = "global\n  stats socket /run/skiff/haproxy.sock mode 660 group skiff level admin\ndefaults\n  mode http\n  \
                      timeout client 5s\n  timeout server 5s\n  timeout connect 5s\nfrontend web\n  bind :8000\n  \
                      http-request return status 200 content-type text/plain string first\n";

fn reason(said: &Said) -> &str {
    assert_eq!(said.status, 1, "{}{}", said.out, said.err);
    said.out
        .lines()
        .find_map(|line| line.strip_prefix("::reason "))
        .unwrap_or_else(|| panic!("no reason: {}{}", said.out, said.err))
}

async fn write(host: &TestHost, path: &str, text: &str) {
    std::fs::write(host.path(path), text).unwrap();
    host.enter(&["chown", "skiff:skiff", path]).await.must("chown");
}

async fn body(host: &TestHost, port: u16) -> String {
    for _ in 0..100 {
        if let Ok(answer) = reqwest::get(format!("http://{}:{port}/", host.address)).await {
            return answer.text().await.unwrap();
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("nothing answers on {port}");
}

#[tokio::test]
async fn a_bare_server_becomes_a_host_and_stays_one() {
    let host = TestHost::bare().await;
    let facts = host.script("facts.bash", &[]).await.must("facts");
    for start in
        ["OS=", "KERNEL=", "ARCH=", "CPUS=", "MEMORY_MIB=", "DISK_MIB=", "DISK_FREE_MIB=", "DOCKER=", "HAPROXY="]
    {
        assert!(
            facts.lines().any(|line| line.strip_prefix(start).is_some_and(|value| !value.is_empty())),
            "{start}: {facts}"
        );
    }
    assert!(facts.contains("INIT=none"), "{facts}");

    assert!(!host.script_changed("packages.bash", &[]).await, "this machine has the packages");
    for (first, second) in [(true, false)] {
        for changed in [first, second] {
            assert_eq!(host.script_changed("user.bash", &[("PUBLIC_KEY", KEY)]).await, changed, "user");
            assert_eq!(host.script_changed("folders.bash", &[]).await, changed, "folders");
            assert_eq!(host.script_changed("docker.bash", &[]).await, changed, "docker");
        }
    }
    let groups = host.enter(&["id", "-nG", "skiff"]).await.must("id");
    assert!(groups.split_whitespace().any(|group| group == "docker"), "{groups}");
    host.enter(&["runuser", "-u", "skiff", "--", "sudo", "-n", "true"]).await.must("skiff may use sudo");
    assert!(host.docker(&["info", "--format", "{{.LiveRestoreEnabled}}"]).await.contains("true"));

    write(&host, "/etc/skiff/haproxy.cfg", CONFIG).await;
    assert!(host.script_changed("haproxy.bash", &[("HTTP_PORT", "8000")]).await);
    assert!(!host.script_changed("haproxy.bash", &[("HTTP_PORT", "8000")]).await);
    assert_eq!(body(&host, 8000).await, "first");

    // A changed file is loaded when asked for, and a broken one leaves the old one serving.
    write(&host, "/etc/skiff/haproxy.cfg", &CONFIG.replace("first", "second")).await;
    assert!(host.script_changed("haproxy.bash", &[("HTTP_PORT", "8000"), ("RELOAD", "yes")]).await);
    assert_eq!(body(&host, 8000).await, "second");
    write(&host, "/etc/skiff/haproxy.cfg", "nonsense\n").await;
    let said = host.script("haproxy.bash", &[("HTTP_PORT", "8000"), ("RELOAD", "yes")]).await;
    assert!(reason(&said).starts_with("HAProxy does not accept /etc/skiff/haproxy.cfg: "), "{}", said.out);
    assert_eq!(body(&host, 8000).await, "second");
    write(&host, "/etc/skiff/haproxy.cfg", CONFIG).await;

    // Killed, it comes back by itself; and so does everything after a reboot.
    let master = std::fs::read_to_string(host.path("/run/skiff/haproxy.pid")).unwrap();
    host.enter(&["kill", "-9", master.trim()]).await.must("kill");
    assert!(!body(&host, 8000).await.is_empty());
    host.reboot().await;
    assert_eq!(body(&host, 8000).await, "first");
    assert!(!host.script_changed("docker.bash", &[]).await, "Docker starts with the machine");
    assert!(!host.script_changed("haproxy.bash", &[("HTTP_PORT", "8000")]).await);
}

#[tokio::test]
async fn a_taken_port_is_said_with_its_owner() {
    let host = TestHost::light().await;
    host.script_changed("user.bash", &[("PUBLIC_KEY", KEY)]).await;
    host.script_changed("folders.bash", &[]).await;
    write(&host, "/etc/skiff/haproxy.cfg", CONFIG).await;
    host.load_busybox("bb:1").await;
    host.docker(&["run", "--detach", "--name", "the-shop", "--publish", "8000:80", "bb:1", "sleep", "600"]).await;
    let said = host.script("haproxy.bash", &[("HTTP_PORT", "8000")]).await;
    assert_eq!(
        reason(&said),
        "Port 8000 is used by the container the-shop. Stop it, or give this host's proxy another port, such as 80 or 8080."
    );
    host.docker(&["rm", "--force", "the-shop"]).await;
    host.enter(&["setsid", "--fork", "busybox", "httpd", "-p", "8000"]).await;
    let said = host.script("haproxy.bash", &[("HTTP_PORT", "8000")]).await;
    assert!(reason(&said).starts_with("Port 8000 is used by busybox (process "), "{}", said.out);
}

#[tokio::test]
async fn a_docker_in_use_keeps_its_settings_and_its_containers() {
    let host = TestHost::light().await;
    std::fs::create_dir_all(host.path("/etc/docker")).unwrap();
    let own = "{\n  \"max-concurrent-downloads\": 7,\n  \"labels\": [\"a={b}\"]\n}\n";
    std::fs::write(host.path("/etc/docker/daemon.json"), own).unwrap();
    host.load_busybox("bb:1").await;
    host.docker(&["run", "--detach", "--name", "the-shop", "bb:1", "sleep", "600"]).await;
    let before = host.foreign_inventory().await;
    assert!(host.script_changed("docker.bash", &[]).await);
    assert!(!host.script_changed("docker.bash", &[]).await);
    assert_eq!(before, host.foreign_inventory().await);
    let merged = std::fs::read_to_string(host.path("/etc/docker/daemon.json")).unwrap();
    let merged: serde_json::Value = serde_json::from_str(&merged).unwrap();
    assert_eq!(merged, serde_json::json!({ "live-restore": true, "max-concurrent-downloads": 7, "labels": ["a={b}"] }));

    // Who switched it off keeps it off.
    std::fs::write(host.path("/etc/docker/daemon.json"), "{\"live-restore\": false}").unwrap();
    let dockerd = std::fs::read_to_string(host.path("/run/docker.pid")).unwrap();
    host.enter(&["kill", "-HUP", dockerd.trim()]).await.must("hup");
    let said = host.script("docker.bash", &[]).await;
    assert!(said.out.contains("switched off in /etc/docker/daemon.json and stays so"), "{}", said.out);
    assert_eq!(std::fs::read_to_string(host.path("/etc/docker/daemon.json")).unwrap(), "{\"live-restore\": false}");
}

#[tokio::test]
async fn a_docker_nobody_has_used_gets_a_bounded_build_cache() {
    let host = TestHost::light().await;
    assert!(host.script_changed("docker.bash", &[]).await);
    assert!(!host.script_changed("docker.bash", &[]).await);
    let written = std::fs::read_to_string(host.path("/etc/docker/daemon.json")).unwrap();
    let written: serde_json::Value = serde_json::from_str(&written).unwrap();
    let gc = serde_json::json!({ "gc": { "enabled": true, "defaultKeepStorage": "10GB" } });
    assert_eq!(written, serde_json::json!({ "live-restore": true, "builder": gc }));
    // The daemon takes it, and comes up with it.
    host.enter(&["dockerd", "--validate", "--config-file", "/etc/docker/daemon.json"]).await;
    host.reboot().await;
    host.script("docker.bash", &[]).await.must("Docker answers");
}

#[tokio::test]
async fn a_hostile_key_is_refused() {
    let host = TestHost::bare().await;
    for key in ["$(touch /canary)", "command=\"/bin/sh\" ssh-ed25519 AAAA", "-oProxyCommand=x"] {
        let said = host.script("user.bash", &[("PUBLIC_KEY", key)]).await;
        assert_eq!(reason(&said), "The panel's key is not a line for authorized_keys.");
    }
    assert!(!host.path("/canary").exists());
}
