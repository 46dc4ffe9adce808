//! HTTPS by the real HAProxy: who is shown which certificate, what comes and goes while it runs, where plain HTTP leads.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use skiff::domain::ids::{CertificateId, RouteId};
use skiff::domain::ingress::tls::{self, map_text};
use skiff::domain::ingress::{self, Ingress, PanelDoor, Ruled, Tls};
use skiff::domain::rules::Rules;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::apps::{Client, free_port, get, get_with, serve};
use super::proxy::{Proxy, accepts, home};
use super::{address, backend, route};
use crate::harness::tls::{Authority, Made, presented};

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

fn id(n: u128) -> CertificateId {
    CertificateId(uuid::Uuid::from_u128(n))
}

/// The file of a certificate, as it is written on a host.
fn put(proxy: &Proxy, id: CertificateId, made: &Made) {
    let file = proxy.ingress.home.tls.certificate(id);
    std::fs::write(file, format!("{}{}", made.chain, made.key)).unwrap();
}

/// Says the words that have a certificate served, and wants each to be done.
fn set(proxy: &Proxy, id: CertificateId, made: &Made, new: bool) {
    let files = &proxy.ingress.home.tls;
    if new {
        let said = proxy.say(&tls::announce(files, id));
        assert!(said.contains("New empty certificate store"), "{said}");
    }
    let said = proxy.say(&format!("{} <<\n{}{}", tls::offer(files, id), made.chain, made.key));
    assert!(said.contains("Transaction"), "{said}");
    let said = proxy.say(&tls::commit(files, id));
    assert!(said.contains("Success"), "{said}");
    if new {
        let (line, text) = proxy.ingress.tls.as_ref().unwrap().enlist(files, id);
        let said = proxy.say(&text.map(|text| format!("{line} <<\n{text}")).unwrap_or(line));
        assert!(said.contains("Success"), "{said}");
    }
}

fn secured(ingress: &mut Ingress, domain: &str, id: CertificateId) {
    let tls = ingress.tls.as_mut().unwrap();
    tls.certificates.insert(id);
    tls.secured.insert(domain.parse().unwrap());
}

/// A proxy with an app at shop.test and a certificate for it in its files.
fn shop(authority: &Authority) -> (Proxy, super::apps::Up, Made) {
    let (port, https) = (free_port(), free_port());
    let app = serve("shop", address(1), port);
    let made = authority.issue(&["shop.test"], 90);
    let proxy = Proxy::start(|ingress| {
        ingress.backends = vec![backend(1, port, &[("web-1", 1)])];
        ingress.routes =
            vec![(route("shop.test", "/"), 1), (route("plain.test", "/"), 1), (route("more.test", "/"), 1)];
        ingress.tls = Some(Tls::empty(https));
        secured(ingress, "shop.test", id(1));
        std::fs::create_dir_all(ingress.home.tls.folder.as_ref()).unwrap();
        std::fs::write(ingress.home.tls.certificate(id(1)), format!("{}{}", made.chain, made.key)).unwrap();
    });
    (proxy, app, made)
}

fn https(proxy: &Proxy) -> u16 {
    proxy.ingress.tls.as_ref().unwrap().port
}

#[test]
fn haproxy_takes_the_file_without_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    let mut ingress = Ingress::empty(home(&folder), free_port());
    ingress.tls = Some(Tls::empty(free_port()));
    secured(&mut ingress, "shop.test", id(1));
    let made = Authority::new("Test").issue(&["shop.test"], 90);
    std::fs::create_dir_all(ingress.home.tls.folder.as_ref()).unwrap();
    std::fs::write(ingress.home.tls.certificate(id(1)), format!("{}{}", made.chain, made.key)).unwrap();
    let tls = ingress.tls.as_mut().unwrap();
    tls.strict.insert("shop.test".parse().unwrap());
    tls.challenge = Some("abcdefghijklmnopqrstuvwxyz-ABCDEFGHIJ_01234".parse().unwrap());
    tls.panel = Some(PanelDoor { names: BTreeSet::from(["panel.test".parse().unwrap()]), port: 7070 });
    accepts(&ingress, &folder).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn each_name_is_shown_its_own_certificate_and_a_name_without_one_none() {
    let authority = Authority::new("Test");
    let (mut proxy, _app, made) = shop(&authority);
    let answer = authority.get(HERE, https(&proxy), "shop.test", "/x").await.unwrap();
    assert_eq!((answer.status, answer.served), (200, made.der));
    assert!(answer.body.contains("x-forwarded-proto: https\r\n"), "{}", answer.body);
    assert!(authority.get(HERE, https(&proxy), "more.test", "/").await.unwrap_err().contains("handshake"));

    // Another one comes while it runs, and is there after a reload too.
    let more = authority.issue(&["more.test", "*.more.test"], 90);
    put(&proxy, id(2), &more);
    set(&proxy, id(2), &more, true);
    let answer = authority.get(HERE, https(&proxy), "more.test", "/").await.unwrap();
    assert_eq!((answer.status, &answer.served), (200, &more.der));
    assert_eq!(presented(&authority.connect(HERE, https(&proxy), "a.more.test", &[]).await.unwrap()), more.der);
    let files = proxy.ingress.home.tls.clone();
    assert_eq!(tls::read_stored(&proxy.say("show ssl cert"), &files), BTreeSet::from([id(1), id(2)]));
    let listed = proxy.say(&format!("show ssl crt-list -n {}", files.list));
    let listed = tls::read_listed(&listed, &files);
    assert_eq!(listed.iter().map(|entry| (entry.id, entry.names.len())).collect::<Vec<_>>(), [(id(1), 0), (id(2), 0)]);
    secured(&mut proxy.ingress, "more.test", id(2));
    proxy.write();
    assert_eq!(proxy.reload().failed, 0);
    assert_eq!(authority.get(HERE, https(&proxy), "more.test", "/").await.unwrap().served, more.der);

    // It goes.
    let listed = tls::read_listed(&proxy.say(&format!("show ssl crt-list -n {}", files.list)), &files);
    for line in tls::discard(&files, id(2), &listed) {
        let said = proxy.say(&line);
        assert!(said.contains("deleted"), "{said}");
    }
    assert!(authority.get(HERE, https(&proxy), "more.test", "/").await.is_err());
    assert_eq!(authority.get(HERE, https(&proxy), "shop.test", "/").await.unwrap().status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_star_does_not_stand_for_a_name_that_has_its_own_whichever_came_first() {
    let authority = Authority::new("Test");
    let (mut proxy, _app, made) = shop(&authority);
    let (star, own) = (authority.issue(&["*.shop.test"], 90), authority.issue(&["a.shop.test", "b.shop.test"], 30));
    for (n, made) in [(2, &star), (3, &own)] {
        put(&proxy, id(n), made);
        set(&proxy, id(n), made, true);
        proxy.ingress.tls.as_mut().unwrap().certificates.insert(id(n));
    }
    let wanted = [("shop.test", &made), ("a.shop.test", &own), ("b.shop.test", &own), ("c.shop.test", &star)]
        .map(|(n, m)| (n, &m.der));
    for reloaded in [false, true] {
        if reloaded {
            proxy.write();
            assert_eq!(proxy.reload().failed, 0);
        }
        for (name, der) in wanted {
            assert_eq!(presented(&authority.connect(HERE, https(&proxy), name, &[]).await.unwrap()), *der, "{name}");
        }
    }
    // Only one label, and nothing of its own above it.
    assert!(authority.connect(HERE, https(&proxy), "x.c.shop.test", &[]).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_for_one_name_the_one_that_is_told_it_is_shown_whatever_their_keys() {
    let authority = Authority::new("Test");
    let (mut proxy, _app, made) = shop(&authority);
    let rsa = authority.issue_rsa(&["a.test", "b.test", "x.wild.test"], time::Duration::days(90));
    let ecdsa = authority.issue(&["a.test", "c.test", "*.wild.test"], 30);
    let files = proxy.ingress.home.tls.clone();
    let told = |proxy: &mut Proxy, to: &[(u128, &str)]| {
        let names = |text: &str| text.split(' ').map(str::to_owned).collect();
        proxy.ingress.tls.as_mut().unwrap().names = to.iter().map(|(n, text)| (id(*n), names(text))).collect();
    };
    for (n, made) in [(2, &rsa), (3, &ecdsa)] {
        put(&proxy, id(n), made);
        set(&proxy, id(n), made, true);
        proxy.ingress.tls.as_mut().unwrap().certificates.insert(id(n));
    }
    let shown = async |proxy: &Proxy, name: &str| {
        let answer = authority.connect(HERE, https(proxy), name, &[]).await;
        let der = presented(&answer.unwrap_or_else(|error| panic!("{name}: {error}")));
        [&made, &rsa, &ecdsa].iter().position(|made| made.der == der).unwrap()
    };
    let names = ["shop.test", "a.test", "b.test", "c.test", "x.wild.test", "y.wild.test"];
    let all = async |proxy: &Proxy| {
        let mut all = Vec::new();
        for name in names {
            all.push(shown(proxy, name).await);
        }
        all
    };
    assert_eq!(all(&proxy).await, [0, 2, 1, 2, 2, 2], "left to itself it goes by the kind of key");

    let ask = |proxy: &Proxy| tls::read_listed(&proxy.say(&format!("show ssl crt-list -n {}", files.list)), &files);
    for (to, wanted) in [
        (&[(3, "c.test *.wild.test !x.wild.test")][..], [0, 1, 1, 2, 1, 2]),
        (&[(2, "b.test")], [0, 2, 1, 2, 2, 2]),
        (&[(3, "c.test y.wild.test"), (2, "a.test b.test x.wild.test")], [0, 1, 1, 2, 1, 2]),
        (&[(3, "c.test *.wild.test !x.wild.test")], [0, 1, 1, 2, 1, 2]),
    ] {
        told(&mut proxy, to);
        let want = proxy.ingress.tls.clone().unwrap();
        let listed = ask(&proxy);
        let (again, gone) = want.relist(&listed);
        assert!(!again.is_empty() && again.len() <= gone.len(), "{again:?} {gone:?}");
        for (line, text) in again.iter().map(|id| want.enlist(&files, *id)) {
            let said = proxy.say(&text.map(|text| format!("{line} <<\n{text}")).unwrap_or(line));
            assert!(said.contains("Success"), "{said}");
            all(&proxy).await;
        }
        for entry in gone {
            let said = proxy.say(&tls::delist(&files, entry));
            assert!(said.contains("deleted"), "{said}");
            all(&proxy).await;
        }
        assert!(want.relist(&ask(&proxy)).1.is_empty(), "{:?}", ask(&proxy));
        assert_eq!(all(&proxy).await, wanted, "{to:?}");
    }
    // The same from the file, and renewed while it runs.
    proxy.write();
    assert_eq!(proxy.reload().failed, 0);
    assert_eq!(all(&proxy).await, [0, 1, 1, 2, 1, 2]);
    assert!(proxy.ingress.tls.as_ref().unwrap().relist(&ask(&proxy)).1.is_empty(), "{:?}", ask(&proxy));
    let renewed = authority.issue(&["a.test", "c.test", "*.wild.test"], 90);
    set(&proxy, id(3), &renewed, false);
    assert_eq!(presented(&authority.connect(HERE, https(&proxy), "y.wild.test", &[]).await.unwrap()), renewed.der);
    assert_eq!(shown(&proxy, "x.wild.test").await, 1);
    assert_eq!(shown(&proxy, "a.test").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewed_one_is_shown_from_the_next_handshake_on_and_no_connection_is_cut() {
    let authority = Authority::new("Test");
    let (proxy, _app, old) = shop(&authority);
    let mut socket = authority.connect(HERE, https(&proxy), "shop.test", &["http/1.1"]).await.unwrap();
    assert_eq!(presented(&socket), old.der);
    let upgrade = "GET /ws HTTP/1.1\r\nHost: shop.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    socket.write_all(upgrade.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(socket.read_u8().await.unwrap());
    }
    assert!(head.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&head));

    let before = proxy.processes();
    let new = authority.issue(&["shop.test"], 90);
    put(&proxy, id(1), &new);
    set(&proxy, id(1), &new, false);
    assert_eq!(authority.get(HERE, https(&proxy), "shop.test", "/").await.unwrap().served, new.der);
    let serial = tls::read_serial(&proxy.say(&format!("show ssl cert {}", proxy.ingress.home.tls.certificate(id(1)))));
    let (_, parsed) = x509_parser::parse_x509_certificate(&new.der).unwrap();
    assert!(tls::same_serial(&serial.unwrap(), &hex::encode_upper(parsed.raw_serial())));
    socket.write_all(b"x").await.unwrap();
    assert_eq!(socket.read_u8().await.unwrap(), b'x', "the websocket goes on");
    assert_eq!(proxy.processes().reloads, before.reloads, "without a reload");

    // A change that was begun and left is no hindrance.
    let files = &proxy.ingress.home.tls;
    proxy.say(&format!("{} <<\n{}{}", tls::offer(files, id(1)), old.chain, old.key));
    proxy.say(&tls::abort(files, id(1)));
    set(&proxy, id(1), &old, false);
    assert_eq!(authority.get(HERE, https(&proxy), "shop.test", "/").await.unwrap().served, old.der);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_without_any_certificate_listens_and_takes_the_first_one() {
    let authority = Authority::new("Test");
    let (port, https) = (free_port(), free_port());
    let _app = serve("shop", address(1), port);
    let proxy = Proxy::start(|ingress| {
        ingress.backends = vec![backend(1, port, &[("web-1", 1)])];
        ingress.routes = vec![(route("shop.test", "/"), 1)];
        ingress.tls = Some(Tls::empty(https));
    });
    let refused = authority.connect(HERE, https, "shop.test", &[]).await.unwrap_err();
    assert!(refused.starts_with("handshake:"), "{refused}");
    assert_eq!(get(proxy.port(), "shop.test", "/").app(), "shop");
    let made = authority.issue(&["shop.test"], 90);
    set(&proxy, id(9), &made, true);
    assert_eq!(authority.get(HERE, https, "shop.test", "/").await.unwrap().served, made.der);
}

#[tokio::test(flavor = "multi_thread")]
async fn browsers_get_http_2_and_old_versions_of_tls_nothing() {
    let authority = Authority::new("Test");
    let (proxy, _app, _) = shop(&authority);
    let stream = authority.connect(HERE, https(&proxy), "shop.test", &["h2", "http/1.1"]).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(b"h2".as_slice()));
    let io = hyper_util::rt::TokioIo::new(stream);
    let exec = hyper_util::rt::TokioExecutor::new();
    let (mut sender, connection) = hyper::client::conn::http2::handshake(exec, io).await.unwrap();
    let task = tokio::spawn(connection);
    let request = hyper::Request::get(format!("https://shop.test:{}/h2", https(&proxy)));
    let request = request.body(http_body_util::Empty::<bytes::Bytes>::new()).unwrap();
    let answer = sender.send_request(request).await.unwrap();
    assert_eq!((answer.status(), answer.version()), (hyper::StatusCode::OK, hyper::Version::HTTP_2));
    task.abort();
    for (version, works) in [("-tls1_1", false), ("-tls1_2", true), ("-tls1_3", true)] {
        let at = format!("127.0.0.1:{}", https(&proxy));
        let said = std::process::Command::new("openssl")
            .args(["s_client", "-connect", &at, "-servername", "shop.test", version, "-cipher", "DEFAULT@SECLEVEL=0"])
            .stdin(std::process::Stdio::null())
            .output()
            .unwrap();
        let out = String::from_utf8_lossy(&said.stdout);
        assert_eq!(out.contains("BEGIN CERTIFICATE"), works, "{version}: {out}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_http_leads_on_where_there_is_a_certificate_and_browsers_remember_where_wanted() {
    let authority = Authority::new("Test");
    let (mut proxy, _app, _) = shop(&authority);
    let (plain, port) = (proxy.port(), https(&proxy));
    let answer = get(plain, "shop.test", "/a/b?c=d&e=%2F");
    assert_eq!(answer.status, 308);
    let location = format!("location: https://shop.test:{port}/a/b?c=d&e=%2F\r\n");
    assert!(answer.head.contains(&location), "{}", answer.head);
    assert_eq!(get(plain, "SHOP.test:80", "/").status, 308, "whatever the letters and the port");
    assert_eq!(get(plain, "plain.test", "/").app(), "shop", "a name without a certificate is served as before");
    assert_eq!(
        get(plain, "shop.test", "/.well-known/acme-challenge/x").app(),
        "shop",
        "and so is what an ACME server asks for"
    );

    let hsts = |answer: crate::harness::tls::Answer| answer.header("strict-transport-security").to_owned();
    assert_eq!(hsts(authority.get(HERE, port, "shop.test", "/").await.unwrap()), "");
    proxy.ingress.tls.as_mut().unwrap().strict.insert("shop.test".parse().unwrap());
    let tls = proxy.ingress.tls.clone().unwrap();
    let map = proxy.ingress.home.tls.strict.clone();
    let lines =
        ingress::map_changes(&map, &ingress::read_map(&proxy.say(&format!("show map {map}"))), &tls.strict_entries());
    proxy.tell(&lines);
    assert_eq!(hsts(authority.get(HERE, port, "shop.test", "/").await.unwrap()), "max-age=31536000");
    assert!(!get(plain, "plain.test", "/").head.to_lowercase().contains("strict-transport"), "never over plain HTTP");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_acme_server_is_answered_for_every_name_and_nothing_else_is() {
    let authority = Authority::new("Test");
    let (mut proxy, _app, _) = shop(&authority);
    let thumbprint = "abcdefghijklmnopqrstuvwxyz-ABCDEFGHIJ_01234";
    proxy.ingress.tls.as_mut().unwrap().challenge = Some(thumbprint.parse().unwrap());
    let tls = proxy.ingress.tls.clone().unwrap();
    let map = proxy.ingress.home.tls.challenge.clone();
    let lines = ingress::map_changes(&map, &[], &tls.challenge_entries());
    proxy.tell(&lines);
    for host in ["shop.test", "plain.test", "nowhere.test", "192.0.2.1"] {
        let answer = get(proxy.port(), host, "/.well-known/acme-challenge/tok_EN-1");
        assert_eq!((answer.status, answer.body), (200, format!("tok_EN-1.{thumbprint}")), "{host}");
        assert!(answer.head.to_lowercase().contains("content-type: text/plain"), "{}", answer.head);
    }
    for path in [
        "/.well-known/acme-challenge/",
        "/.well-known/acme-challenge/a/b",
        "/.well-known/acme-challenge/%3Cscript%3E",
        "/x/.well-known/acme-challenge/a",
    ] {
        assert!(!get(proxy.port(), "plain.test", path).body.contains(thumbprint), "{path}");
    }
    // The same from the files.
    proxy.write();
    assert_eq!(proxy.reload().failed, 0);
    assert_eq!(get(proxy.port(), "new.test", "/.well-known/acme-challenge/b").body, format!("b.{thumbprint}"));
    assert_eq!(map_text(&tls.challenge_entries()), format!("thumbprint {thumbprint}\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_panels_name_leads_to_its_door_and_no_route_takes_it() {
    let authority = Authority::new("Test");
    let (mut proxy, _app, _) = shop(&authority);
    let door = free_port();
    let _panel = serve("panel", Ipv4Addr::LOCALHOST, door);
    let made = authority.issue(&["panel.test"], 90);
    put(&proxy, id(5), &made);
    set(&proxy, id(5), &made, true);
    // A team's app has the name too, with a longer path even.
    proxy.ingress.routes.extend([(route("panel.test", "/"), 1), (route("panel.test", "/t"), 1)]);
    let names = BTreeSet::from(["panel.test".parse().unwrap()]);
    proxy.ingress.tls.as_mut().unwrap().panel = Some(PanelDoor { names, port: door });
    let tls = proxy.ingress.tls.clone().unwrap();
    let doors = tls::read_doors(&proxy.say("show servers state panel"));
    assert_eq!(doors, [""; 0]);
    proxy.tell(&tls::panel_changes(&tls, &doors));
    let map = proxy.ingress.home.map.clone();
    let running = ingress::read_map(&proxy.say(&format!("show map {map}")));
    proxy.tell(&ingress::map_changes(&map, &running, &proxy.ingress.route_entries()));
    for path in ["/", "/t/acme", "/t"] {
        let answer = authority.get(HERE, https(&proxy), "panel.test", path).await.unwrap();
        assert_eq!((answer.status, answer.body.lines().next()), (200, Some("panel")), "{path}");
    }
    // In the clear only what proves that the name leads here.
    assert_eq!(get(proxy.port(), "panel.test", "/").status, 403);
    assert_eq!(get(proxy.port(), "panel.test", "/.well-known/skiff-panel/x").app(), "panel");
    assert_eq!(get(proxy.port(), "shop.test", "/").status, 308);
    // The same from the files, and gone again.
    secured(&mut proxy.ingress, "panel.test", id(5));
    proxy.write();
    assert_eq!(proxy.reload().failed, 0);
    assert_eq!(
        authority.get(HERE, https(&proxy), "panel.test", "/t").await.unwrap().body.lines().next(),
        Some("panel")
    );
    assert_eq!(get(proxy.port(), "panel.test", "/login").status, 308);
    let doors = tls::read_doors(&proxy.say("show servers state panel"));
    assert_eq!(doors, [format!("door-{door}")]);
    let none = Tls { panel: None, ..tls };
    proxy.tell(&tls::panel_changes(&none, &doors));
    assert_eq!(authority.get(HERE, https(&proxy), "panel.test", "/").await.unwrap().status, 503);
    let mut client = Client::open(proxy.port());
    assert_eq!(client.get("plain.test", "/").app(), "shop");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_believed_says_what_came_by_https_and_rules_hold_there_too() {
    let authority = Authority::new("Test");
    let (mut proxy, _app, _) = shop(&authority);
    let (plain, port) = (proxy.port(), https(&proxy));
    let said = "X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-Proto: https\r\n";
    assert_eq!(get_with(plain, "shop.test", "/", said).status, 308, "nobody is believed");
    let headers = [("X-Forwarded-For", "203.0.113.9"), ("X-Forwarded-Proto", "http")];
    proxy.ingress.trust.forwarded = vec!["127.0.0.0/8".parse().unwrap()];
    let rules = Rules { allow: vec!["203.0.113.0/24".parse().unwrap()], ..Rules::default() };
    let ruled = Ruled { id: RouteId(uuid::Uuid::from_u128(7)), route: route("shop.test", "/"), rules };
    proxy.ingress.backends[0].ruled = vec![ruled];
    proxy.write();
    assert_eq!(proxy.reload().failed, 0);

    // What was led on by the one before is not led on again; what that one took in the clear is.
    let answer = get_with(plain, "shop.test", "/", said);
    assert_eq!(answer.status, 200, "{}", answer.head);
    let body = answer.body.to_lowercase();
    assert!(body.contains("x-forwarded-proto: https\r\n") && body.contains("x-real-ip: 203.0.113.9\r\n"), "{body}");
    assert_eq!(get_with(plain, "shop.test", "/", "X-Forwarded-For: 203.0.113.9\r\n").status, 308);

    // Behind the port of HTTPS it is the visitor whom rules ask for, and it is HTTPS whatever is said.
    let answer = authority.get_with(HERE, port, "shop.test", "/", &headers).await.unwrap();
    let body = answer.body.to_lowercase();
    assert!(body.contains("x-forwarded-proto: https\r\n") && body.contains("x-real-ip: 203.0.113.9\r\n"), "{body}");
    assert_eq!(authority.get(HERE, port, "shop.test", "/").await.unwrap().status, 403);
}
