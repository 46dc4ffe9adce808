//! After a reload the file is all that is known.

use skiff::domain::ingress::{self, Answer};
use skiff::domain::rules::Wire;

use super::apps::{Client, free_port, get, serve};
use super::proxy::{Proxy, until};
use super::{address, backend, route};

#[test]
fn a_reload_finds_in_the_file_what_the_running_proxy_had_and_cuts_nothing() {
    let port = free_port();
    let _apps = [serve("old", address(1), port), serve("new", address(2), port)];
    let mut proxy = Proxy::start(|ingress| {
        ingress.backends = vec![backend(1, port, &[("web-1", 1)])];
        ingress.routes = vec![(route("shop.test", "/"), 1)];
    });
    let mut kept: Vec<Client> = (0..20).map(|_| Client::open(proxy.port())).collect();
    assert!(kept.iter_mut().all(|client| client.get("shop.test", "/").app() == "old"));
    let mut socket = Client::websocket(proxy.port(), "shop.test");

    // The new one is in the file and in the running proxy, the old one in neither any more; and there is a new route.
    proxy.ingress.backends = vec![backend(1, port, &[("web-2", 2)])];
    proxy.ingress.routes.push((route("more.test", "/"), 1));
    proxy.write();
    proxy.tell(&ingress::admit(1, &"web-2".parse().unwrap(), address(2), port, Wire::Plain));
    proxy.tell(&ingress::drain(1, &"web-1".parse().unwrap()));
    let before = proxy.processes();
    let after = proxy.reload();
    assert_eq!(after.failed, 0);
    assert_ne!(after.worker, before.worker);
    until("the new worker answers", || proxy.servers().iter().any(|s| s.name == "web-2").then_some(()));

    let servers: Vec<String> = proxy.servers().into_iter().map(|s| s.name).collect();
    assert_eq!(servers, ["web-2"]);
    assert_eq!(get(proxy.port(), "more.test", "/").app(), "new");
    // A kept connection of the old worker gets one more answer instead of being cut.
    assert!(kept.iter_mut().all(|client| client.get("shop.test", "/").app() == "new"));
    socket.echo(b'x');
    assert_eq!(proxy.processes().old.len(), 1, "the old worker lives for its websocket");
    drop((socket, kept));
    until("the old worker ends", || proxy.processes().old.is_empty().then_some(()));
}

#[test]
fn a_reload_that_fails_is_told_and_changes_nothing() {
    let port = free_port();
    let _app = serve("old", address(1), port);
    let proxy = Proxy::start(|ingress| {
        ingress.backends = vec![backend(1, port, &[("web-1", 1)])];
        ingress.routes = vec![(route("shop.test", "/"), 1)];
    });
    let before = proxy.processes().worker.unwrap();
    std::fs::write(proxy.path("haproxy.cfg"), format!("{}\nnonsense\n", proxy.ingress.haproxy_cfg())).unwrap();
    let after = proxy.reload();
    assert_eq!((after.failed, after.worker.map(|w| w.pid)), (1, Some(before.pid)));
    assert_eq!(get(proxy.port(), "shop.test", "/").app(), "old");
    proxy.write();
    assert_eq!(proxy.reload().failed, 0);
}

#[test]
fn a_slot_that_is_not_in_the_running_proxy_is_refused_and_comes_with_a_reload() {
    let port = free_port();
    let _app = serve("late", address(1), port);
    let mut proxy = Proxy::start(|_| {});
    let running = (1..=proxy.ingress.last_slot()).collect();
    let late = proxy.ingress.last_slot() + 1;
    proxy.ingress.backends = vec![backend(late, port, &[("late-1", 1)])];
    proxy.ingress.routes = vec![(route("late.test", "/"), late)];
    assert_eq!(
        proxy.tell(&ingress::admit(late, &"late-1".parse().unwrap(), address(1), port, Wire::Plain)).first(),
        Some(&Answer::NoSuchBackend)
    );
    assert!(ingress::needs_reload(&running, &proxy.ingress.fixed(), &proxy.ingress).is_some());
    proxy.write();
    assert_eq!(proxy.reload().failed, 0);
    until("the late app answers", || (get(proxy.port(), "late.test", "/").status == 200).then_some(()));
}
