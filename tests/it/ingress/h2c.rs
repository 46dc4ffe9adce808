//! An app that speaks HTTP/2 alone, as gRPC does: another HAProxy, which says by which version it was asked.

use std::process::{Command, Stdio};

use super::apps::{free_port, get};
use super::proxy::{Proxy, until};
use super::{address, backend, route};
use skiff::domain::ingress::admit;
use skiff::domain::rules::Wire;

#[test]
fn an_app_is_asked_by_http_2_where_it_says_so() {
    let (port, folder) = (free_port(), tempfile::tempdir().unwrap());
    let config = folder.path().join("app.cfg");
    let app = |last: u8| {
        format!(
            "frontend a{last}\n    bind {}:{port} proto h2\n    http-request return status 200 content-type text/plain lf-string \"by %[req.ver]\"\n",
            address(last)
        )
    };
    let text = format!("defaults\n    mode http\n    timeout client 5s\n{}{}", app(1), app(2));
    std::fs::write(&config, text).unwrap();
    let mut child =
        Command::new("/usr/sbin/haproxy").args(["-db", "-f"]).arg(&config).stderr(Stdio::null()).spawn().unwrap();
    let proxy = Proxy::start(|ingress| {
        ingress.backends = vec![backend(1, port, &[("grpc-1", 1)])];
        ingress.backends[0].front.h2c = true;
        ingress.routes = vec![(route("grpc.test", "/"), 1)];
    });
    until("the app answers", || (get(proxy.port(), "grpc.test", "/").body == "by 2.0").then_some(()));
    // One that comes while the proxy runs is spoken to in the same way.
    proxy.tell(&admit(1, &"grpc-2".parse().unwrap(), address(2), port, Wire::H2c));
    proxy.tell(&skiff::domain::ingress::drain(1, &"grpc-1".parse().unwrap()));
    until("the second answers", || (get(proxy.port(), "grpc.test", "/").body == "by 2.0").then_some(()));
    child.kill().unwrap();
    child.wait().unwrap();
}
