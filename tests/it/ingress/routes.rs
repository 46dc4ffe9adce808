//! Which request goes where.

use skiff::domain::ingress::Ingress;

use super::apps::{Client, free_port, get, serve};
use super::proxy::{Proxy, accepts, home};
use super::{address, backend, route};

#[test]
fn the_real_proxy_accepts_the_file_empty_and_full() {
    let folder = tempfile::tempdir().unwrap();
    let mut ingress = Ingress::empty(home(&folder), free_port());
    accepts(&ingress, &folder).unwrap();
    for slot in 1..=500 {
        ingress.backends.push(backend(slot, 8080, &[("web-1", 1), ("web-2", 2)]));
        ingress.routes.push((route(&format!("app{slot}.example.org"), "/a~b/c_d-e.f"), slot));
    }
    accepts(&ingress, &folder).unwrap();
}

#[test]
fn the_longest_route_wins_at_whole_parts_of_the_path() {
    let port = free_port();
    let _apps = [serve("shop", address(1), port), serve("api", address(2), port), serve("v2", address(3), port)];
    let proxy = Proxy::start(|ingress| {
        ingress.backends = vec![
            backend(1, port, &[("shop-1", 1)]),
            backend(2, port, &[("api-1", 2)]),
            backend(3, port, &[("v2-1", 3)]),
        ];
        ingress.routes = vec![
            (route("shop.test", "/"), 1),
            (route("shop.test", "/api"), 2),
            (route("shop.test", "/api/v2"), 3),
            (route("only.test", "/api"), 2),
        ];
    });
    let cases = [
        ("shop.test", "/", "shop"),
        ("shop.test", "/anything?x=/api/", "shop"),
        ("shop.test", "/api", "api"),
        ("shop.test", "/api/", "api"),
        ("shop.test", "/api?x=1", "api"),
        ("shop.test", "/apiary", "shop"),
        ("shop.test", "/api/v1/x", "api"),
        ("shop.test", "/api/v2", "v2"),
        ("shop.test", "/api/v2/deep/er", "v2"),
        ("shop.test", "/api/v20", "api"),
        ("SHOP.Test", "/api", "api"),
        ("shop.test:8080", "/api", "api"),
        ("shop.test.", "/api", "api"),
        ("only.test", "/api/x", "api"),
    ];
    for (host, path, app) in cases {
        let answer = get(proxy.port(), host, path);
        assert_eq!((answer.status, answer.app()), (200, app), "{host}{path}");
    }
    for (host, path) in [("only.test", "/"), ("only.test", "/apiary"), ("other.test", "/api"), ("xshop.test", "/")] {
        let answer = get(proxy.port(), host, path);
        assert_eq!((answer.status, answer.body.as_str()), (421, "There is no app at this address.\n"), "{host}{path}");
        assert!(answer.head.contains("content-type: text/plain; charset=utf-8"), "{}", answer.head);
    }
}

#[test]
fn an_app_without_instances_is_said_in_our_words() {
    let proxy = Proxy::start(|ingress| ingress.routes = vec![(route("shop.test", "/"), 1)]);
    let answer = get(proxy.port(), "shop.test", "/");
    assert_eq!((answer.status, answer.body.as_str()), (503, "The app at this address is not running at the moment.\n"));
}

#[test]
fn what_a_client_says_about_where_it_comes_from_is_replaced() {
    let port = free_port();
    let _app = serve("shop", address(1), port);
    let proxy = Proxy::start(|ingress| {
        ingress.backends = vec![backend(1, port, &[("shop-1", 1)])];
        ingress.routes = vec![(route("shop.test", "/"), 1)];
    });
    let mut client = Client::open(proxy.port());
    client.send(
        "shop.test",
        "/",
        "X-Forwarded-For: 6.6.6.6\r\nx-forwarded-for: 7.7.7.7\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: evil\r\nX-Forwarded-Port: 1\r\nX-Real-IP: 6.6.6.6\r\nForwarded: for=6.6.6.6\r\n",
    );
    let answer = client.read();
    let mut seen: Vec<String> = answer
        .body
        .lines()
        .map(str::to_lowercase)
        .filter(|l| l.contains("forwarded") || l.contains("real-ip"))
        .collect();
    seen.sort();
    assert_eq!(
        seen,
        [
            "x-forwarded-for: 127.0.0.1",
            "x-forwarded-host: shop.test",
            "x-forwarded-proto: http",
            "x-real-ip: 127.0.0.1"
        ]
    );
}

#[test]
fn a_refused_connection_is_tried_at_another_instance() {
    let port = free_port();
    let _app = serve("alive", address(2), port);
    let proxy = Proxy::start(|ingress| {
        ingress.backends = vec![backend(1, port, &[("dead-1", 1), ("alive-1", 2)])];
        ingress.routes = vec![(route("shop.test", "/"), 1)];
    });
    for _ in 0..6 {
        assert_eq!(get(proxy.port(), "shop.test", "/").app(), "alive");
    }
}
