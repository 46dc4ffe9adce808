//! Instances come and go through the socket, without a reload.

use skiff::domain::ingress::{self, Answer, read_map, read_stat};
use skiff::domain::names::ContainerName;
use skiff::domain::observed::Served;
use skiff::domain::rules::Wire;

use super::apps::{Client, free_port, get, serve};
use super::proxy::{Proxy, until};
use super::{address, backend, route};

fn name(text: &str) -> ContainerName {
    text.parse().unwrap()
}

#[test]
fn an_instance_is_admitted_drained_and_dismissed() {
    let port = free_port();
    let _apps = [serve("old", address(1), port), serve("new", address(2), port)];
    let proxy = Proxy::start(|ingress| {
        ingress.backends = vec![backend(1, port, &[("web-1", 1)])];
        ingress.routes = vec![(route("shop.test", "/"), 1)];
    });
    let served = |wanted: &str| proxy.servers().into_iter().find(|s| s.name == wanted).map(|s| s.served);
    assert_eq!(served("web-1"), Some(Served::Up));

    assert_eq!(
        proxy.tell(&ingress::admit(1, &name("web-2"), address(2), port, Wire::Plain)),
        [Answer::Done, Answer::Done]
    );
    assert_eq!(served("web-2"), Some(Served::Up));
    assert_eq!(
        proxy.tell(&ingress::admit(1, &name("web-2"), address(2), port, Wire::Plain)),
        [Answer::AlreadyThere, Answer::Done]
    );
    let seen = proxy.servers().into_iter().find(|s| s.name == "web-2").unwrap();
    assert_eq!((seen.slot, seen.address, seen.port), (1, address(2), port));

    // A slow request on the old one, a kept connection beside it: the drain cuts neither.
    let mut kept = Client::open(proxy.port());
    assert_eq!(kept.get("shop.test", "/").status, 200);
    let mut slow: Vec<Client> = (0..4).map(|_| Client::open(proxy.port())).collect();
    slow.iter_mut().for_each(|client| client.send("shop.test", "/slow", ""));
    let count = |wanted: &str| {
        let counts = read_stat(&proxy.say("show stat"));
        counts.into_iter().find(|c| c.slot == 1 && c.name == wanted).map_or(0, |c| c.current)
    };
    until("the old one has slow requests", || (count("web-1") > 0).then_some(()));
    assert_eq!(proxy.tell(&ingress::drain(1, &name("web-1"))), [Answer::Done]);
    assert_eq!(served("web-1"), Some(Served::Draining));
    for _ in 0..5 {
        assert_eq!(get(proxy.port(), "shop.test", "/").app(), "new");
        assert_eq!(kept.get("shop.test", "/").app(), "new");
    }
    assert!(slow.into_iter().all(|mut client| client.read().status == 200));
    until("the old one is drained", || (count("web-1") == 0).then_some(()));

    let answers = proxy.tell(&ingress::dismiss(1, &name("web-1")));
    assert!(!answers.iter().any(|a| matches!(a, Answer::Refused(_))), "{answers:?}");
    until("the old one is gone", || {
        let last = proxy.tell(&ingress::dismiss(1, &name("web-1"))).pop();
        (last == Some(Answer::Absent)).then_some(())
    });
    assert_eq!(served("web-1"), None);
    assert_eq!(get(proxy.port(), "shop.test", "/").app(), "new");
    assert_eq!(proxy.processes().reloads, 0);
}

#[test]
fn a_server_with_an_open_websocket_stays_until_its_program_closes_it() {
    let port = free_port();
    let _app = serve("old", address(1), port);
    let proxy = Proxy::start(|ingress| {
        ingress.backends = vec![backend(1, port, &[("web-1", 1)])];
        ingress.routes = vec![(route("shop.test", "/"), 1)];
    });
    let mut socket = Client::websocket(proxy.port(), "shop.test");
    socket.echo(b'a');
    proxy.tell(&ingress::drain(1, &name("web-1")));
    socket.echo(b'b');
    let maint = format!("set server b0001/{} state maint", "web-1");
    assert_eq!(proxy.tell(&[maint, "del server b0001/web-1".to_owned()]), [Answer::Done, Answer::Busy]);
    socket.echo(b'c');
    drop(socket);
    until("the server is gone", || {
        proxy.tell(&["del server b0001/web-1".to_owned()]).contains(&Answer::Done).then_some(())
    });
}

#[test]
fn twenty_websockets_live_through_ten_new_routes_of_other_apps() {
    let port = free_port();
    let _apps = [serve("chat", address(1), port), serve("other", address(2), port)];
    let mut proxy = Proxy::start(|ingress| {
        ingress.backends = vec![backend(1, port, &[("chat-1", 1)])];
        ingress.routes = vec![(route("chat.test", "/"), 1)];
    });
    let worker = proxy.processes().worker;
    let mut sockets: Vec<Client> = (0..20).map(|_| Client::websocket(proxy.port(), "chat.test")).collect();
    let running = (1..=proxy.ingress.last_slot()).collect();
    for slot in 2..12 {
        let domain = format!("app{slot}.test");
        proxy.ingress.backends.push(backend(slot, port, &[("other-1", 2)]));
        proxy.ingress.routes.push((route(&domain, "/"), slot));
        assert_eq!(ingress::needs_reload(&running, &proxy.ingress.fixed(), &proxy.ingress), None);
        // File, then the running proxy, as a deploy does it.
        proxy.write();
        let map = read_map(&proxy.say(&format!("show map {}", proxy.ingress.home.map)));
        let changes = ingress::map_changes(&proxy.ingress.home.map, &map, &proxy.ingress.route_entries());
        assert_eq!(proxy.tell(&changes), [Answer::Done]);
        assert_eq!(
            proxy.tell(&ingress::admit(slot, &name("other-1"), address(2), port, Wire::Plain)),
            [Answer::Done, Answer::Done]
        );
        assert_eq!(get(proxy.port(), &domain, "/").app(), "other");
        sockets.iter_mut().for_each(|socket| socket.echo(b'0' + (slot % 10) as u8));
    }
    assert_eq!(proxy.processes().worker, worker, "the same worker all along");
    let map = read_map(&proxy.say(&format!("show map {}", proxy.ingress.home.map)));
    assert!(ingress::map_changes(&proxy.ingress.home.map, &map, &proxy.ingress.route_entries()).is_empty());
    // A route that goes is gone, and one that moves moves.
    proxy.ingress.routes.retain(|(route, _)| route.domain.as_ref() != "app5.test");
    proxy
        .ingress
        .routes
        .iter_mut()
        .filter(|(route, _)| route.domain.as_ref() == "app6.test")
        .for_each(|(_, slot)| *slot = 1);
    let changes = ingress::map_changes(&proxy.ingress.home.map, &map, &proxy.ingress.route_entries());
    assert_eq!(proxy.tell(&changes), [Answer::Done, Answer::Done]);
    assert_eq!(get(proxy.port(), "app5.test", "/").status, 421);
    assert_eq!(get(proxy.port(), "app6.test", "/").app(), "chat");
}
