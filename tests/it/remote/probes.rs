//! Probes from the host's side: each answer by its name.

use super::connected;
use crate::harness::host::TestHost;
use crate::harness::tls::Authority;
use skiff::remote::{Error, Probe, Way};
use std::net::IpAddr;
use std::time::Duration;

/// A server that answers each port in its own way.
const SERVER: &str = "defaults
  mode http
  timeout connect 1s
  timeout client 1m
  timeout server 1m
frontend fine
  bind 127.0.0.1:8001
  http-request return status 200 if { path /up } { query full=1 } { req.hdr(host) app.example.org }
  http-request return status 404
frontend broken
  bind 127.0.0.1:8002
  http-request return status 500
frontend moved
  bind 127.0.0.1:8003
  http-request redirect location https://example.org/up code 301
listen other_protocol
  bind 127.0.0.1:8004
  mode tcp
  server ssh 127.0.0.1:22
frontend closes
  bind 127.0.0.1:8005
  mode tcp
  tcp-request inspect-delay 500ms
  tcp-request content reject if WAIT_END
frontend hangs
  bind 127.0.0.1:8006
  mode tcp
  tcp-request inspect-delay 1m
  tcp-request content reject if WAIT_END
frontend http_2
  bind 127.0.0.1:8007 proto h2
  http-request return status 200 if { path /up } { query full=1 } { req.hdr(host) app.example.org } { req.ver 2.0 }
  http-request return status 404
frontend secured
  bind 127.0.0.1:8008 ssl crt /tmp/app.pem strict-sni
  http-request return status 200 if { path /up } { ssl_fc_sni app.example.org } { req.hdr(host) app.example.org }
  http-request return status 404
";

#[tokio::test]
async fn every_answer_of_a_probe_has_its_name() {
    let rig = TestHost::bare().await;
    let host = connected(&rig).await;
    let made = Authority::new("Test").issue(&["app.example.org"], 90);
    host.put("/tmp/app.pem", format!("{}{}", made.chain, made.key).as_bytes(), 0o600).await.unwrap();
    host.put("/tmp/server.cfg", SERVER.as_bytes(), 0o644).await.unwrap();
    let started = rig.enter(&["/usr/sbin/haproxy", "-q", "-D", "-f", "/tmp/server.cfg"]).await;
    assert_eq!(started.status, 0, "{}", started.err);
    let here: IpAddr = "127.0.0.1".parse().unwrap();
    let asked = async |port: u16, name: &str, way, ms: u64| {
        let path = "/up?full=1".parse().unwrap();
        host.probe_http(here, port, &path, name, way, Duration::from_millis(ms)).await.unwrap()
    };
    let ask = async |port: u16, ms: u64| asked(port, "app.example.org", Way::Plain, ms).await;
    assert_eq!(ask(8001, 3000).await, Probe::Status(200));
    assert_eq!(ask(8002, 3000).await, Probe::Status(500));
    assert_eq!(ask(8003, 3000).await, Probe::Redirect(301, "https://example.org/up".to_owned()));
    assert_eq!(ask(8004, 3000).await, Probe::Closed);
    assert_eq!(ask(8005, 3000).await, Probe::Closed);
    assert_eq!(ask(8006, 500).await, Probe::TimedOut);
    assert_eq!(ask(8009, 3000).await, Probe::Refused);
    // By HTTP/2 without TLS, and by TLS under a name: who speaks something else gives no answer.
    let by = async |port, way| asked(port, "app.example.org", way, 3000).await;
    assert_eq!(by(8007, Way::H2c).await, Probe::Status(200));
    assert_eq!(by(8007, Way::Plain).await, Probe::Closed);
    assert_eq!(by(8001, Way::H2c).await, Probe::Status(200), "HAProxy speaks both");
    assert_eq!(by(8004, Way::H2c).await, Probe::Closed);
    assert_eq!(asked(8006, "app.example.org", Way::H2c, 500).await, Probe::TimedOut);
    assert_eq!(by(8008, Way::Tls).await, Probe::Status(200));
    assert_eq!(asked(8008, "other.example.org", Way::Tls, 3000).await, Probe::NoCertificate);
    assert_eq!(by(8004, Way::Tls).await, Probe::Closed);
    assert_eq!(by(8001, Way::Tls).await, Probe::Closed);
    assert_eq!(asked(8006, "app.example.org", Way::Tls, 500).await, Probe::TimedOut);
    assert_eq!(by(8009, Way::Tls).await, Probe::Refused);
    assert_eq!(host.probe_tcp(here, 8009, Duration::from_secs(3)).await.unwrap(), Probe::Refused);
    // An address that swallows packets.
    let nowhere: IpAddr = "10.255.255.1".parse().unwrap();
    let swallowed = host.probe_tcp(nowhere, 80, Duration::from_millis(600)).await.unwrap();
    assert!(matches!(swallowed, Probe::TimedOut | Probe::Refused), "{swallowed:?}");

    host.cut();
    assert_eq!(ask(8001, 3000).await, Probe::Status(200), "over a new connection");
    rig.power_off().await;
    let gone = host.probe_tcp(here, 8001, Duration::from_millis(500)).await;
    assert!(matches!(gone, Ok(Probe::TimedOut) | Err(Error::Unreachable { .. })), "{gone:?}");
}
