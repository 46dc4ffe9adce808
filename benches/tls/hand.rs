//! The rival: a HAProxy on the same host as a careful person configures it, with the same certificates in a folder, the same
//! recommendation of Mozilla's, and the same apps behind a map of domains.

use std::fmt::Write as _;

use crate::scene::Scene;

pub const PORT: u16 = 8443;
const FOLDER: &str = "/etc/by-hand";

const HEAD: &str = "global
    user haproxy
    group haproxy
    pidfile /etc/by-hand/pid
    ssl-default-bind-options ssl-min-ver TLSv1.2 no-tls-tickets
    ssl-default-bind-ciphers ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305
    ssl-default-bind-ciphersuites TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256

defaults
    mode http
    timeout http-request 10s
    timeout http-keep-alive 60s
    timeout connect 5s
    timeout client 5m
    timeout server 5m
    timeout tunnel 1h
    balance leastconn

frontend https
    bind :8443 ssl crt /etc/by-hand/certs strict-sni alpn h2,http/1.1
    http-request set-header X-Forwarded-Proto https
    http-request set-header X-Forwarded-For %[src]
    use_backend %[req.hdr(host),field(1,:),lower,map(/etc/by-hand/domains.map)]
";

/// Started in the groups of the process that it is held against: the kernel shares the cores out by group, and switches more between
/// those of another group and the visitors (measured: a tenth of the handshakes).
const BESIDE: &str = r#"set -e
for folder in $(sed 's/^[0-9]*:\(name=\)\{0,1\}\([^:]*\):/\2/' "/proc/$1/cgroup"); do
  case $folder in /*) at=/sys/fs/cgroup$folder ;; *) at=/sys/fs/cgroup/$folder ;; esac
  [ ! -w "$at/cgroup.procs" ] || echo $$ > "$at/cgroup.procs"
done
exec /usr/sbin/haproxy -D -f /etc/by-hand/haproxy.cfg"#;

pub struct Hand<'a>(&'a Scene);

/// Starts it beside Skiff's.
pub async fn start(scene: &Scene) -> Hand<'_> {
    let host = &scene.host;
    host.enter(&[
        "/bin/bash",
        "-c",
        &format!("mkdir -p {FOLDER} && cp -r /etc/skiff/certs {FOLDER}/ && rm {FOLDER}/certs/list"),
    ])
    .await
    .must("the same certificates");
    // Backends with their servers, and which domain leads to which: read from Skiff's own files.
    let file = std::fs::read_to_string(host.path("/etc/skiff/haproxy.cfg")).unwrap();
    let mut text = HEAD.to_owned();
    for block in
        file.split("\nbackend ").skip(1).filter(|block| block.starts_with('b') && block.contains("\n    server "))
    {
        let name = block.split_whitespace().next().unwrap();
        let servers: Vec<&str> = block.lines().filter(|line| line.starts_with("    server ")).collect();
        let _ = write!(text, "\nbackend {name}\n{}\n", servers.join("\n"));
    }
    let map = std::fs::read_to_string(host.path("/etc/skiff/maps/routes.map")).unwrap().replace("/ ", " ");
    std::fs::write(host.path(&format!("{FOLDER}/domains.map")), map).unwrap();
    std::fs::write(host.path(&format!("{FOLDER}/haproxy.cfg")), text).unwrap();
    host.enter(&["/bin/bash", "-c", BESIDE, "beside", &scene.worker().await]).await.must("it starts");
    let mut way = scene.way();
    way.at.set_port(PORT);
    for name in [&scene.domains[0], scene.domains.last().unwrap()] {
        assert_eq!(way.get(name).await.as_deref(), Ok("1"), "{name} is served by the one that was configured by hand");
    }
    Hand(scene)
}

impl Hand<'_> {
    pub async fn pid(&self) -> String {
        let pid = self.0.host.enter(&["cat", &format!("{FOLDER}/pid")]).await.must("it runs");
        pid.trim().to_owned()
    }

    pub async fn stop(self) {
        self.0.host.enter(&["kill", &self.pid().await]).await.must("it ends");
    }
}
