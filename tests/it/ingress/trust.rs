//! Who before the proxy may say where a request came from.

use super::apps::{Client, free_port, get_with, serve};
use super::proxy::{Proxy, accepts, home};
use super::{address, backend, route};
use skiff::domain::ingress::{Answer, Ingress};
use skiff::domain::rules::{Port, Wire};
use skiff::domain::trust::Trust;

fn proxy(trust: Trust) -> (Proxy, super::apps::Up) {
    let port = free_port();
    let app = serve("shop", address(1), port);
    let proxy = Proxy::start(|ingress| {
        ingress.backends = vec![backend(1, port, &[("shop-1", 1)])];
        ingress.routes = vec![(route("shop.test", "/"), 1)];
        ingress.trust = trust;
    });
    (proxy, app)
}

/// What the app was told of the client: address and protocol.
fn told(body: &str) -> (String, String) {
    let of = |name: &str| {
        let line = body.lines().find(|line| line.to_lowercase().starts_with(name)).unwrap_or_default();
        line.split_once(": ").map(|(_, value)| value.to_owned()).unwrap_or_default()
    };
    assert_eq!(of("x-forwarded-for"), of("x-real-ip"));
    (of("x-real-ip"), of("x-forwarded-proto"))
}

const LIES: &str =
    "X-Forwarded-For: 6.6.6.6, 203.0.113.9\r\nX-Forwarded-Proto: https\r\nCF-Connecting-IP: 198.51.100.4\r\n";

#[test]
fn only_those_who_are_named_are_believed() {
    let is = |address: &str, proto: &str| (address.to_owned(), proto.to_owned());
    let ask = |trust: Trust| {
        let (proxy, _app) = proxy(trust);
        told(&get_with(proxy.port(), "shop.test", "/", LIES).body)
    };
    assert_eq!(ask(Trust::default()), is("127.0.0.1", "http"));
    // Not one of Cloudflare's.
    assert_eq!(ask(Trust { cloudflare: true, ..Trust::default() }), is("127.0.0.1", "http"));
    let others = Trust { forwarded: vec!["10.0.0.0/8".parse().unwrap()], ..Trust::default() };
    assert_eq!(ask(others), is("127.0.0.1", "http"));
    let ours = Trust { forwarded: vec!["127.0.0.0/8".parse().unwrap()], ..Trust::default() };
    assert_eq!(ask(ours.clone()), is("203.0.113.9", "https"), "the last one, which the proxy itself has put there");
    let (proxy, _app) = proxy(ours);
    assert_eq!(told(&get_with(proxy.port(), "shop.test", "/", "").body), is("127.0.0.1", "http"));
    let odd = get_with(proxy.port(), "shop.test", "/", "X-Forwarded-For: unknown\r\n");
    assert_eq!(odd.status, 200, "what is no address changes nothing");
}

#[test]
fn the_line_of_the_proxy_protocol_is_read_from_those_who_are_named_alone() {
    let ours = Trust { proxy_protocol: vec!["127.0.0.0/8".parse().unwrap()], ..Trust::default() };
    let (proxy, _app) = proxy(ours);
    let mut client = Client::begun(proxy.port(), b"PROXY TCP4 203.0.113.9 10.0.0.1 4711 80\r\n");
    assert_eq!(told(&client.get("shop.test", "/").body).0, "203.0.113.9");
    let mut without = Client::open(proxy.port());
    without.send("shop.test", "/", "");
    assert!(without.is_closed(), "whoever is named must say it");

    let others = Trust { proxy_protocol: vec!["10.0.0.0/8".parse().unwrap()], ..Trust::default() };
    let (proxy, _app) = super::trust::proxy(others);
    let mut liar = Client::begun(proxy.port(), b"PROXY TCP4 203.0.113.9 10.0.0.1 4711 80\r\n");
    liar.send("shop.test", "/", "");
    assert_eq!(liar.read().status, 400, "from anybody else it is no request");
}

#[test]
fn cloudflare_is_believed_from_its_own_networks() {
    let before = vec!["127.0.0.0/8".parse().unwrap()];
    let (proxy, _app) = proxy(Trust { cloudflare: true, proxy_protocol: before, ..Trust::default() });
    let ask = |from: &str, headers: &str| {
        let mut client = Client::begun(proxy.port(), format!("PROXY {from} 4711 80\r\n").as_bytes());
        client.send("shop.test", "/", headers);
        told(&client.read().body)
    };
    let is = |address: &str, proto: &str| (address.to_owned(), proto.to_owned());
    for theirs in ["TCP4 173.245.48.1 10.0.0.1", "TCP6 2400:cb00::1 2001:db8::1"] {
        assert_eq!(ask(theirs, LIES), is("198.51.100.4", "https"), "{theirs}");
    }
    assert_eq!(ask("TCP4 173.245.48.1 10.0.0.1", ""), is("173.245.48.1", "http"), "it names nobody");
    // The first address behind the same network.
    assert_eq!(ask("TCP4 173.245.64.0 10.0.0.1", LIES), is("173.245.64.0", "http"));
}

#[test]
fn a_port_without_http_reads_it_too_and_lets_the_client_in_whom_it_names() {
    let (port, open) = (free_port(), free_port());
    let _app = serve("raw", address(1), port);
    let _proxy = Proxy::start(|ingress| {
        ingress.backends = vec![backend(1, port, &[("raw-1", 1)])];
        ingress.backends[0].front.ports = vec![Port { port: open, allow: vec!["203.0.113.0/24".parse().unwrap()] }];
        ingress.trust = Trust { proxy_protocol: vec!["127.0.0.0/8".parse().unwrap()], ..Trust::default() };
    });
    let mut named = Client::begun(open, b"PROXY TCP4 203.0.113.9 10.0.0.1 4711 5432\r\n");
    assert_eq!(named.get("whatever.test", "/").app(), "raw", "the line is no part of what the app gets");
    let mut other = Client::begun(open, b"PROXY TCP4 198.51.100.9 10.0.0.1 4711 5432\r\n");
    other.send("whatever.test", "/", "");
    assert!(other.is_closed(), "who comes counts, and not the proxy before it");
}

#[test]
fn an_app_on_a_port_is_told_who_connects_where_it_asks_for_that() {
    let (port, open) = (free_port(), free_port());
    let listener = std::net::TcpListener::bind((address(1), port)).unwrap();
    let _second = std::net::TcpListener::bind((address(2), port)).unwrap();
    let proxy = Proxy::start(|ingress| {
        ingress.backends = vec![backend(1, port, &[("raw-1", 1)])];
        ingress.backends[0].front.ports = vec![Port { port: open, allow: vec![] }];
        ingress.backends[0].front.send_proxy = true;
    });
    let client = std::net::TcpStream::connect(("127.0.0.1", open)).unwrap();
    let from = client.local_addr().unwrap();
    let (mut met, _) = listener.accept().unwrap();
    // Twelve bytes that are no text, "version 2, proxied", "TCP over IPv4", the length; then who, to whom, and their ports.
    let mut begins = [0; 28];
    std::io::Read::read_exact(&mut met, &mut begins).unwrap();
    assert_eq!(&begins[..14], b"\r\n\r\n\0\r\nQUIT\n\x21\x11");
    assert_eq!(begins[16..20], [127, 0, 0, 1]);
    assert_eq!(begins[24..26], from.port().to_be_bytes());
    // One that comes while the proxy runs is spoken to in the same way.
    let lines = skiff::domain::ingress::admit(1, &"raw-2".parse().unwrap(), address(2), port, Wire::Proxied);
    assert_eq!(proxy.tell(&lines), [Answer::Done, Answer::Done]);
    let stands = proxy.ingress.haproxy_cfg();
    assert!(stands.contains("    # b0001 is told who comes\n"), "run.bash reads it: {stands}");
}

#[test]
fn all_of_it_together_is_accepted() {
    let folder = tempfile::tempdir().unwrap();
    let mut ingress = Ingress::empty(home(&folder), free_port());
    let network = || vec!["10.0.0.0/8".parse().unwrap(), "2001:db8::/32".parse().unwrap()];
    ingress.trust = Trust { cloudflare: true, forwarded: network(), proxy_protocol: network() };
    accepts(&ingress, &folder).unwrap();
}
