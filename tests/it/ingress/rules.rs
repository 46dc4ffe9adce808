//! What routes ask and what is done to answers, by the real HAProxy.

use std::time::Instant;

use proptest::prelude::*;
use skiff::domain::ids::RouteId;
use skiff::domain::ingress::{Ingress, Ruled, difference};
use skiff::domain::rules::{Cidr, Front, HeaderRule, Moved, Port, Redirect, Rules, Wire};
use skiff::domain::secret::Secret;

use super::apps::{Client, SLOWER, free_port, get, get_with, serve};
use super::proxy::{Proxy, accepts, home, until};
use super::{address, backend, route, rule};

/// A proxy before one app, whose route `shop.test/` is plain.
pub fn proxy(fill: impl FnOnce(&mut Ingress)) -> (Proxy, super::apps::Up) {
    let port = free_port();
    let app = serve("shop", address(1), port);
    let proxy = Proxy::start(|ingress| {
        ingress.backends = vec![backend(1, port, &[("shop-1", 1)])];
        ingress.routes = vec![(route("shop.test", "/"), 1)];
        // Whoever asks here may say where from: so one machine is many clients.
        ingress.trust.forwarded = vec!["127.0.0.1".parse().unwrap()];
        fill(ingress);
    });
    (proxy, app)
}

fn header(answer: &super::apps::Answer, name: &str) -> Option<String> {
    let start = format!("{}: ", name.to_lowercase());
    answer.head.lines().find(|line| line.to_lowercase().starts_with(&start)).map(|line| line[start.len()..].to_owned())
}

#[test]
fn networks_keep_others_out_of_their_route_alone() {
    let (proxy, _app) = proxy(|ingress| {
        let allow = vec!["10.0.0.0/8".parse().unwrap(), "2001:db8::/32".parse().unwrap()];
        rule(ingress, 1, "shop.test", "/admin", Rules { allow, ..Rules::default() });
    });
    let ask =
        |path: &str, from: &str| get_with(proxy.port(), "shop.test", path, &format!("X-Forwarded-For: {from}\r\n"));
    for (path, from, status) in [
        ("/admin", "10.1.2.3", 200),
        ("/admin/x", "2001:db8::7", 200),
        ("/admin", "11.1.2.3", 403),
        ("/admin/", "2001:db9::7", 403),
        ("/administration", "11.1.2.3", 200),
        ("/", "11.1.2.3", 200),
    ] {
        assert_eq!(ask(path, from).status, status, "{path} from {from}");
    }
    assert_eq!(ask("/admin", "11.1.2.3").body, "This address is not open to you.\n");
}

#[test]
fn no_other_spelling_goes_around_a_route() {
    let (proxy, _app) = proxy(|ingress| {
        let allow = vec!["10.1.0.0/16".parse().unwrap()];
        rule(ingress, 1, "shop.test", "/admin", Rules { allow, ..Rules::default() });
    });
    let ask = |host: &str, path: &str, from: &str| {
        get_with(proxy.port(), host, path, &format!("X-Forwarded-For: {from}\r\n"))
    };
    for path in [
        "/%61dmin",
        "/%61%64min/x",
        "//admin",
        "///admin/x",
        "/x/../admin",
        "/./admin",
        "/x/%2e%2e/admin",
        "/admin;x",
        "/;x/admin",
        "/..;/admin",
        "/ADMIN",
        "/Admin/x",
        "/\\admin",
        "/%5cadmin",
        "/%2fadmin",
        "/admin%00",
        "/%zz",
        "/admin/..",
        "/.",
    ] {
        for from in ["11.1.2.3", "10.1.2.3"] {
            assert_eq!(ask("shop.test", path, from).status, 400, "{path} from {from}");
        }
        // Nor by the name of a key that only the proxy knows.
        for host in ["~shop.test", "~SHOP.test.", "~~shop.test", "~shop.test:80"] {
            assert_eq!(ask(host, path, "11.1.2.3").status, 400, "{host} {path}");
        }
    }
    for (host, path) in [
        ("SHOP.test.", "/admin"),
        ("shop.test:80", "/admin"),
        ("shop.test", "/admin//x"),
        ("shop.test", "/admin/%41;b=c?d=/../e"),
        ("shop.test", "/admin?x=//y"),
    ] {
        assert_eq!(ask(host, path, "11.1.2.3").status, 403, "{host} {path}");
        assert_eq!(ask(host, path, "10.1.2.3").status, 200, "{host} {path}");
    }
    // HAProxy from 2.8 on takes no such host from anybody.
    for host in ["shop.test/x", "shop.test/"] {
        let (outside, inside) = (ask(host, "/admin", "11.1.2.3").status, ask(host, "/admin", "10.1.2.3").status);
        assert!([(403, 200), (400, 400)].contains(&(outside, inside)), "{host}: {outside}, {inside}");
    }
    for path in [
        "/x%20y",
        "/a+b",
        "/a..b/.well-known/x...",
        "/x;y=z",
        "/a//b",
        "/%2561dmin",
        "/administrator",
        "/x?admin=/../%zz",
    ] {
        assert_eq!(ask("shop.test", path, "11.1.2.3").status, 200, "{path}");
    }
}

#[test]
fn routes_that_differ_in_capitals_alone_are_each_as_they_are_written() {
    let (proxy, _app) = proxy(|ingress| {
        for path in ["/admin", "/Admin"] {
            let allow = vec!["10.1.0.0/16".parse().unwrap()];
            rule(ingress, 1, "shop.test", path, Rules { allow, ..Rules::default() });
        }
    });
    let ask = |path: &str, from: &str| {
        get_with(proxy.port(), "shop.test", path, &format!("X-Forwarded-For: {from}\r\n")).status
    };
    for path in ["/admin", "/Admin", "/admin/x", "/Admin/x"] {
        assert_eq!((ask(path, "11.1.2.3"), ask(path, "10.1.2.3")), (403, 200), "{path}");
    }
    for path in ["/ADMIN", "/%61dmin", "//admin", "/x/../Admin", "/aDmin;x"] {
        assert_eq!((ask(path, "11.1.2.3"), ask(path, "10.1.2.3")), (400, 400), "{path}");
    }
    assert_eq!(ask("/administration", "11.1.2.3"), 200);
}

#[test]
fn headers_that_apps_read_as_the_proxys_own_go_no_further() {
    let (proxy, _app) = proxy(|_| ());
    let told = "X_Forwarded_For: 6.6.6.6\r\nX_Real_IP: 6.6.6.6\r\nX_Forwarded_Proto: https\r\nX-Kept-1: kept\r\n";
    let body = get_with(proxy.port(), "shop.test", "/", told).body.to_lowercase();
    assert!(!body.contains('_') && body.contains("kept"), "{body}");
}

#[test]
fn what_is_read_kindly_elsewhere_is_of_no_concern_where_no_path_leads_elsewhere() {
    let (proxy, _app) =
        proxy(|ingress| rule(ingress, 1, "case.test", "/API", Rules { body_kib: Some(5), ..Rules::default() }));
    for path in ["//admin", "/x/../y", "/%61", "/ADMIN", "/a%01"] {
        assert_eq!(get(proxy.port(), "shop.test", path).status, 200, "{path}");
    }
    assert_eq!(get(proxy.port(), "case.test", "/API/x").status, 200);
    assert_eq!(get(proxy.port(), "case.test", "/api/x").status, 400);
}

#[test]
fn containers_of_the_host_are_no_part_of_a_wider_network() {
    let (proxy, _app) = proxy(|ingress| {
        ingress.backends[0].servers[0].1 = address(1);
        for (path, networks) in
            [("/wide", &["10.0.0.0/8"][..]), ("/near", &["10.0.0.0/8", "10.64.3.0/24"]), ("/own", &["10.64.0.0/10"])]
        {
            let allow = networks.iter().map(|network| network.parse().unwrap()).collect();
            rule(ingress, 1, "shop.test", path, Rules { allow, ..Rules::default() });
        }
    });
    let ask = |path: &str, from: &str| {
        get_with(proxy.port(), "shop.test", path, &format!("X-Forwarded-For: {from}\r\n")).status
    };
    for (path, office, near, container) in [("/wide", 200, 403, 403), ("/near", 200, 200, 403), ("/own", 403, 200, 200)]
    {
        let all = (ask(path, "10.1.2.3"), ask(path, "10.64.3.9"), ask(path, "10.127.255.254"));
        assert_eq!(all, (office, near, container), "{path}");
    }
}

#[test]
fn a_password_is_asked_for_and_is_nothing_to_the_app() {
    let hash = skiff::vault::basic_hash(&Secret::new("correct horse:battery".to_owned())).unwrap();
    let (proxy, _app) = proxy(|ingress| {
        let users = [("ada".parse().unwrap(), hash.parse().unwrap())].into();
        rule(ingress, 1, "shop.test", "/admin", Rules { users, ..Rules::default() });
    });
    let ask = |path: &str, credentials: &str| {
        use base64::Engine as _;
        let encoded = base64::engine::general_purpose::STANDARD.encode(credentials);
        get_with(proxy.port(), "shop.test", path, &format!("Authorization: Basic {encoded}\r\n"))
    };
    let none = get(proxy.port(), "shop.test", "/admin");
    assert_eq!((none.status, header(&none, "www-authenticate").as_deref()), (401, Some("Basic realm=\"shop.test\"")));
    for wrong in ["ada:wrong", "ada:", "bob:correct horse:battery", ":", "", "ada"] {
        assert_eq!(ask("/admin/x", wrong).status, 401, "{wrong}");
    }
    let right = ask("/admin/x", "ada:correct horse:battery");
    assert_eq!(right.status, 200);
    assert!(!right.body.to_lowercase().contains("authorization"), "{}", right.body);
    // Elsewhere the header is the app's own matter.
    assert!(ask("/other", "ada:wrong").body.to_lowercase().contains("authorization: basic"));
}

#[test]
fn redirects_keep_the_rest_of_the_address_or_do_not() {
    let (proxy, _app) = proxy(|ingress| {
        let to = |to: &str, moved, keep| Rules {
            redirect: Some(Redirect { to: to.parse().unwrap(), moved, keep }),
            ..Rules::default()
        };
        rule(ingress, 1, "www.shop.test", "/", to("https://shop.test", Moved::ForGood, true));
        rule(ingress, 1, "shop.test", "/old", to("http://shop.test:8080/new", Moved::Old302, true));
        rule(ingress, 1, "shop.test", "/gone", to("https://else.test/why", Moved::ForNow, false));
    });
    for (host, path, status, to) in [
        ("www.shop.test", "/", 308, "https://shop.test/"),
        ("www.shop.test", "/a/b?c=d&e=%2f", 308, "https://shop.test/a/b?c=d&e=%2f"),
        ("www.shop.test", "//evil.test/", 308, "https://shop.test//evil.test/"),
        ("shop.test", "/old", 302, "http://shop.test:8080/new"),
        ("shop.test", "/old?x=1", 302, "http://shop.test:8080/new?x=1"),
        ("shop.test", "/old/x/y?z", 302, "http://shop.test:8080/new/x/y?z"),
        ("shop.test", "/gone/x?y", 307, "https://else.test/why"),
    ] {
        let answer = get(proxy.port(), host, path);
        assert_eq!((answer.status, header(&answer, "location").as_deref()), (status, Some(to)), "{host}{path}");
    }
    assert_eq!(get(proxy.port(), "shop.test", "/older").status, 200);
}

#[test]
fn hostile_values_of_headers_arrive_as_they_were_written() {
    let hostile = [
        r#"a "quoted" 'text' with \ backslashes \n \" and $HOME ${HOME} "$(id)""#,
        "%[src] %% %{+Q}o %[env(HOME)] 100%",
        "# no comment; } if TRUE { always_true } || TRUE",
        r#"\\\"#,
        r#"""#,
        "default-src 'self'; script-src 'nonce-x'",
        "\\x0d\\x0aX-Evil: 1",
        &"x".repeat(1000),
    ];
    for value in hostile {
        let (proxy, _app) = proxy(|ingress| {
            let name = || "X-Test".parse().unwrap();
            let set = HeaderRule::Set(name(), value.parse().unwrap());
            let added = HeaderRule::Add("X-More".parse().unwrap(), value.parse().unwrap());
            let gone = HeaderRule::Remove("X-Gone".parse().unwrap());
            let rules = Rules { request: vec![set.clone(), added, gone], answer: vec![set], ..Rules::default() };
            rule(ingress, 1, "shop.test", "/h", rules);
        });
        let answer =
            get_with(proxy.port(), "shop.test", "/h", "X-Test: theirs\r\nX-More: theirs\r\nX-Gone: theirs\r\n");
        assert_eq!(header(&answer, "x-test").as_deref(), Some(value));
        let lines: Vec<String> =
            answer.body.lines().skip(2).filter(|l| l.to_lowercase().starts_with("x-")).map(str::to_owned).collect();
        let of = |name: &str| -> Vec<String> {
            let start = format!("{name}: ");
            lines.iter().filter(|l| l.to_lowercase().starts_with(&start)).map(|l| l[start.len()..].to_owned()).collect()
        };
        assert_eq!(
            (of("x-test"), of("x-more"), of("x-gone")),
            (vec![value.to_owned()], vec!["theirs".to_owned(), value.to_owned()], vec![]),
            "{value}"
        );
        assert_eq!(header(&get(proxy.port(), "shop.test", "/"), "x-test"), None);
    }
}

#[test]
fn an_app_that_is_slower_than_its_route_allows_is_given_up() {
    let (proxy, _app) = proxy(|ingress| {
        rule(ingress, 1, "slow.test", "/", Rules { answer_s: Some(30), ..Rules::default() });
        rule(ingress, 1, "fast.test", "/", Rules { answer_s: Some(1), ..Rules::default() });
    });
    let port = proxy.port();
    let waits = std::thread::spawn(move || get(port, "slow.test", "/slower").status);
    let began = Instant::now();
    let given_up = get(port, "fast.test", "/slower");
    assert_eq!((given_up.status, given_up.body.as_str()), (504, "The app did not answer in time.\n"));
    assert!(began.elapsed() < SLOWER, "before the app answers: {:?}", began.elapsed());
    assert_eq!(get(port, "fast.test", "/").status, 200, "what is fast enough is answered");
    assert_eq!(waits.join().unwrap(), 200, "the other route has the time");
}

#[test]
fn everybody_but_some_sees_the_page_of_maintenance() {
    let page = "<!doctype html>\n<title>Back \"soon\" \\o/ 100% $5</title>\n\t<p>ü</p>\n";
    let (mut proxy, _app) = proxy(|ingress| {
        let backend = &mut ingress.backends[0];
        backend.front = Front {
            maintenance: true,
            maintenance_allow: vec!["10.0.0.7".parse().unwrap()],
            maintenance_page: Some(page.parse().unwrap()),
            ..Front::default()
        };
    });
    let ask =
        |proxy: &Proxy, from: &str| get_with(proxy.port(), "shop.test", "/x", &format!("X-Forwarded-For: {from}\r\n"));
    let answer = ask(&proxy, "10.0.0.8");
    assert_eq!((answer.status, answer.body.as_str()), (503, page));
    assert_eq!(header(&answer, "retry-after").as_deref(), Some("120"));
    assert_eq!(ask(&proxy, "10.0.0.7").app(), "shop");
    // Off again, by a reload.
    proxy.ingress.backends[0].front.maintenance = false;
    proxy.write();
    assert_eq!(proxy.reload().failed, 0);
    until("the app is seen again", || (ask(&proxy, "10.0.0.8").status == 200).then_some(()));
}

#[test]
fn where_the_app_does_not_answer_its_own_page_is_shown() {
    let page = format!("<p>{}</p>\n", "sorry ".repeat(1900));
    let proxy = Proxy::start(|ingress| {
        ingress.backends = vec![backend(1, free_port(), &[("gone-1", 1)])];
        ingress.backends[0].front.error_page = Some(page.parse().unwrap());
        ingress.routes = vec![(route("shop.test", "/"), 1)];
    });
    let answer = get(proxy.port(), "shop.test", "/");
    assert_eq!((answer.status, answer.body == page), (503, true), "{}", answer.body);
    assert_eq!(header(&answer, "content-type").as_deref(), Some("text/html; charset=utf-8"));
}

#[test]
fn who_came_once_is_sent_to_the_same_instance_also_when_others_come() {
    let port = free_port();
    let _apps: Vec<_> =
        [("a", 1), ("b", 2), ("c", 3), ("d", 4)].map(|(name, last)| serve(name, address(last), port)).into();
    let proxy = Proxy::start(|ingress| {
        ingress.backends = vec![backend(1, port, &[("a-1", 1), ("b-1", 2), ("c-1", 3)])];
        ingress.backends[0].front.sticky = true;
        ingress.routes = vec![(route("shop.test", "/"), 1)];
        ingress.trust.forwarded = vec!["127.0.0.1".parse().unwrap()];
    });
    let ask = |from: u8| {
        let answer = get_with(proxy.port(), "shop.test", "/", &format!("X-Forwarded-For: 10.0.0.{from}\r\n"));
        answer.app().to_owned()
    };
    let first: Vec<String> = (1..=12).map(ask).collect();
    assert!(first.iter().collect::<std::collections::BTreeSet<_>>().len() > 1, "{first:?}");
    // One more comes; it can be taken out again although clients know it.
    let lines = skiff::domain::ingress::admit(1, &"d-1".parse().unwrap(), address(4), port, Wire::Plain);
    proxy.tell(&lines);
    for _ in 0..3 {
        assert_eq!((1..=12).map(ask).collect::<Vec<_>>(), first);
    }
    let name = "a-1".parse().unwrap();
    proxy.tell(&skiff::domain::ingress::drain(1, &name));
    until("the drained one is out", || {
        let answers = proxy.tell(&skiff::domain::ingress::dismiss(1, &name));
        (answers.last() == Some(&skiff::domain::ingress::Answer::Done)).then_some(())
    });
    assert!((1..=12).map(ask).all(|app| app != "a"));
}

#[test]
fn text_is_compressed_for_whoever_reads_it_so() {
    let (proxy, _app) = proxy(|ingress| ingress.backends[0].front.gzip = true);
    let mut client = Client::open(proxy.port());
    client.send("shop.test", "/text", "Accept-Encoding: gzip\r\n");
    let mut head = String::new();
    until("the head is there", || {
        head.push_str(&client.line());
        head.ends_with("\r\n\r\n").then_some(())
    });
    assert!(head.to_lowercase().contains("content-encoding: gzip"), "{head}");
    assert_eq!(header(&get(proxy.port(), "shop.test", "/text"), "content-encoding"), None);
}

#[test]
fn a_port_without_http_leads_to_its_app_for_those_who_may_come() {
    let (port, open, closed) = (free_port(), free_port(), free_port());
    let _app = serve("raw", address(1), port);
    let proxy = Proxy::start(|ingress| {
        ingress.backends = vec![backend(1, port, &[("raw-1", 1)])];
        ingress.backends[0].front.ports = vec![
            Port { port: open, allow: vec!["127.0.0.0/8".parse().unwrap()] },
            Port { port: closed, allow: vec!["10.0.0.0/8".parse().unwrap()] },
        ];
    });
    let answer = get(open, "whatever.test", "/x");
    assert_eq!(answer.app(), "raw");
    assert!(!answer.body.to_lowercase().contains("x-forwarded"), "as it is: {}", answer.body);
    assert!(Client::open(closed).is_closed());
    // Its instances come and go as all others do.
    let _second = serve("second", address(2), port);
    proxy.tell(&skiff::domain::ingress::admit(1, &"second-1".parse().unwrap(), address(2), port, Wire::Plain));
    proxy.tell(&skiff::domain::ingress::drain(1, &"raw-1".parse().unwrap()));
    until("the second answers", || (get(open, "whatever.test", "/").app() == "second").then_some(()));
}

#[test]
fn plain_routes_need_no_reload_and_rules_do() {
    let mut ingress = Ingress::empty(Default::default(), 80);
    ingress.backends = vec![backend(1, 8080, &[("web-1", 1)])];
    let fixed = ingress.fixed();
    ingress.routes.push((route("shop.test", "/"), 1));
    ingress.backends.push(backend(2, 8080, &[("web-1", 2)]));
    ingress.backends[0].servers.clear();
    assert_eq!(ingress.fixed(), fixed, "routes, servers and plain apps");
    let before = ingress.haproxy_cfg();
    rule(&mut ingress, 2, "b.test", "/", Rules { body_kib: Some(1), ..Rules::default() });
    assert_ne!(ingress.fixed(), fixed);
    let blocks = difference(&before, &ingress.haproxy_cfg());
    assert_eq!(blocks.iter().map(|block| block.name.as_str()).collect::<Vec<_>>(), ["backend b0002"]);
}

/// Rules of whatever is accepted of these texts.
fn whatever(texts: &[String]) -> Rules {
    let mut rules = Rules::default();
    for text in texts {
        if let Ok(to) = text.parse() {
            rules.redirect = Some(Redirect { to, moved: Moved::ForGood, keep: true });
        }
        if let Ok(user) = text.parse() {
            let hash = "$2y$05$abcdefghijklmnopqrstuuDH/OZ3c7/S78.w3phxWw1nWmKH4H1da";
            rules.users.insert(user, hash.parse().unwrap());
        }
        rules.allow.extend(text.parse::<Cidr>());
        rules.answer.extend(format!("X-Test: {text}").parse::<HeaderRule>());
        rules.request.extend(text.parse::<HeaderRule>());
        rules.request.extend(format!("{text}: x").parse::<HeaderRule>());
    }
    rules
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Whatever a form accepts, HAProxy reads, and it opens no section of its own.
    #[test]
    fn no_text_of_a_person_breaks_the_file(
        free in proptest::collection::vec("(?s).{0,60}", 1..6),
        near in proptest::collection::vec("[-+a-zA-Z0-9 \"'\\\\$%#{}()\\[\\]:;,./\n\r\t&|<>`~^*?!=@_]{0,60}", 1..8),
        page in "(?s)[ -~\n\t\"\\\\$%ü€]{1,300}",
    ) {
        let texts: Vec<String> = free.into_iter().chain(near).collect();
        let folder = tempfile::tempdir().unwrap();
        let mut ingress = Ingress::empty(home(&folder), free_port());
        ingress.backends = vec![backend(1, 8080, &[("web-1", 1)])];
        let sections = |text: &str| text.lines().filter(|l| !l.starts_with([' ', '#']) && !l.is_empty()).count();
        let plain = sections(&ingress.haproxy_cfg());
        let rules = whatever(&texts);
        let lists = usize::from(!rules.users.is_empty());
        let route = route("shop.test", "/");
        ingress.routes.push((route.clone(), 1));
        ingress.backends[0].ruled = vec![Ruled { id: RouteId(uuid::Uuid::now_v7()), route, rules }];
        ingress.backends[0].front.error_page = page.parse().ok();
        ingress.backends[0].front.maintenance_page = page.parse().ok();
        ingress.backends[0].front.maintenance = true;
        prop_assert_eq!(sections(&ingress.haproxy_cfg()), plain + lists);
        prop_assert_eq!(accepts(&ingress, &folder), Ok(()));
    }
}
