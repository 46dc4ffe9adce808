//! Rules of routes as they are asked for: what is refused, in which words, and what comes back out.

use skiff::actions::apps::{self, NewApp, NewRoute, Pair, PlaceApp};
use skiff::actions::hosts::{self, SetHttpPort};
use skiff::actions::projects::{self, NewEnvironment};
use skiff::actions::routes::{self, Change, EditFront, EditRules, EditTrust, rules_form};
use skiff::actions::tokens::{self, NewToken};
use skiff::actions::{Refused, audit};
use skiff::domain::ids::{AppId, HostId, RouteId};

use super::{conflict, fields};
use crate::harness::panel::{Panel, new_app};

async fn ready() -> (Panel, AppId, RouteId) {
    let panel = Panel::new().await;
    panel.host(&panel.owner, "fra").await;
    let app = panel.app(&panel.owner, "web").await;
    let route = apps::get(&panel.ctx, &panel.owner, app).await.unwrap().routes[0].id;
    (panel, app, route)
}

fn pair(name: &str, value: &str) -> Pair {
    Pair { name: name.into(), value: value.into() }
}

fn sentence<T: std::fmt::Debug>(refused: Result<T, Refused>) -> String {
    match refused {
        Err(Refused::Fields(all)) => all[0].sentence.clone(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn every_wrong_rule_is_named_at_once_and_nothing_is_kept() {
    let (panel, app, route) = ready().await;
    let wrong = EditRules {
        redirect: "shop.example.org".into(),
        users: vec![pair("ada", "short")],
        allow: "10.0.0.0/8\nsomewhere".into(),
        request_headers: "Host: evil".into(),
        answer_headers: "X-A: 1\nno header".into(),
        body_mb: "0".into(),
        answer_s: "a day".into(),
        ..EditRules::default()
    };
    let all = ["redirect", "users", "allow", "request_headers", "answer_headers", "body_mb", "answer_s"];
    assert_eq!(fields(routes::set_rules(&panel.ctx, &panel.owner, app, route, wrong.clone()).await), all);
    let new = NewRoute { domain: "no domain".into(), path: "/".into() };
    let refused = routes::add(&panel.ctx, &panel.owner, app, new, wrong).await;
    assert_eq!(fields(refused), ["domain"].into_iter().chain(all).collect::<Vec<_>>());
    let view = apps::get(&panel.ctx, &panel.owner, app).await.unwrap();
    assert!(view.routes.len() == 1 && view.routes[0].rules.is_plain());

    let allow = EditRules { allow: "\n10.0.0.0/8\nsomewhere\n".into(), ..EditRules::default() };
    let said = sentence(routes::set_rules(&panel.ctx, &panel.owner, app, route, allow).await);
    assert!(said.starts_with("Line 3: Use an address such as"), "{said}");
    for to in ["http://web.example.org", "https://web.example.org/deeper"] {
        let circle = EditRules { redirect: to.into(), ..EditRules::default() };
        let said = sentence(routes::set_rules(&panel.ctx, &panel.owner, app, route, circle).await);
        assert!(said.contains("leads to the route itself"), "{to}: {said}");
    }
    // A password whose user was forgotten is no open route.
    let nobody = EditRules { users: vec![pair("", "correct horse"), pair("", "")], ..EditRules::default() };
    assert_eq!(fields(routes::set_rules(&panel.ctx, &panel.owner, app, route, nobody).await), ["users"]);
    let gone = routes::set_rules(&panel.ctx, &panel.owner, app, RouteId(uuid::Uuid::now_v7()), EditRules::default());
    assert!(matches!(gone.await, Err(Refused::NotFound)));
}

#[tokio::test]
async fn rules_that_somebody_else_changed_meanwhile_are_not_replaced_unseen() {
    let (panel, app, route) = ready().await;
    let read = || async { rules_form(&apps::get(&panel.ctx, &panel.owner, app).await.unwrap().routes[0].rules) };
    let mine = EditRules { answer_headers: "X-A: 1".into(), ..read().await };
    let theirs = EditRules { users: vec![pair("ada", "a long password")], ..read().await };
    routes::set_rules(&panel.ctx, &panel.owner, app, route, theirs).await.unwrap();
    assert_eq!(fields(routes::set_rules(&panel.ctx, &panel.owner, app, route, mine).await), ["as_of"]);
    let names = async || read().await.users.into_iter().map(|user| user.name).collect::<Vec<_>>();
    assert_eq!(names().await, ["ada"]);
    let again = EditRules { answer_headers: "X-A: 1".into(), ..read().await };
    routes::set_rules(&panel.ctx, &panel.owner, app, route, again).await.unwrap();
    assert_eq!((names().await, read().await.answer_headers), (vec!["ada".to_owned()], "X-A: 1".to_owned()));
}

#[tokio::test]
async fn a_path_of_a_domain_is_for_those_who_may_change_what_leads_there_already() {
    let panel = Panel::new().await;
    let (ctx, owner, host) = (&panel.ctx, &panel.owner, panel.host(&panel.owner, "fra").await);
    let shop = panel.app(owner, "shop").await;
    let project = apps::get(ctx, owner, shop).await.unwrap().line.project;
    let dev = projects::create_environment(ctx, owner, project, NewEnvironment { name: "dev".into() }).await.unwrap();
    let scope = format!("environment:{dev}");
    let form = NewToken { name: "dev".into(), role: "developer".into(), scope, days: "1".into() };
    let made = tokens::create(ctx, owner, form).await.unwrap();
    let developer = tokens::caller(ctx, made.secret.expose(), "").await.unwrap().unwrap().actor;
    let sketch = |routes: &[(&str, &str)]| {
        let routes = routes.iter().map(|(domain, path)| NewRoute { domain: (*domain).into(), path: (*path).into() });
        let (environment, host) = (dev.to_string(), host.to_string());
        NewApp { environment, host, routes: routes.collect(), ..new_app("sketch") }
    };
    let said = sentence(apps::create(ctx, &developer, sketch(&[("shop.example.org", "/login")])).await);
    assert!(said.starts_with("shop.example.org leads to apps that you may not change."), "{said}");
    let own = apps::create(ctx, &developer, sketch(&[("sketch.example.org", "/")])).await.unwrap();
    let add = async |actor, domain: &str, path: &str| {
        let route = NewRoute { domain: domain.into(), path: path.into() };
        routes::add(ctx, actor, own, route, EditRules::default()).await
    };
    let said = sentence(add(&developer, "shop.example.org", "/login").await);
    assert!(said.starts_with("shop.example.org leads to apps that you may not change."), "{said}");
    add(&developer, "sketch.example.org", "/api").await.unwrap();
    add(owner, "shop.example.org", "/login").await.unwrap();
}

#[tokio::test]
async fn a_port_of_a_host_is_its_own_or_one_apps() {
    let panel = Panel::new().await;
    let here = panel.host(&panel.owner, "fra").await;
    let bare = async |name: &str| {
        let mut form = new_app(name);
        form.routes.clear();
        apps::create(&panel.ctx, &panel.owner, form).await.unwrap()
    };
    let (one, two) = (bare("one").await, bare("two").await);
    let there = panel.host(&panel.owner, "ber").await;
    let (ctx, owner) = (&panel.ctx, &panel.owner);
    let on = |port: &str| EditFront { ports: vec![pair(port, "")], ..EditFront::default() };
    let places = |all: &[(HostId, &str)]| PlaceApp {
        places: all.iter().map(|(host, number)| pair(&host.to_string(), number)).collect(),
    };
    hosts::set_http_port(ctx, owner, here, SetHttpPort { http_port: "8080".into() }).await.unwrap();
    let said = sentence(routes::set_front(ctx, owner, one, on("8080")).await);
    assert!(said.starts_with("Port 8080 cannot be the app's"), "{said}");
    routes::set_front(ctx, owner, one, on("5432")).await.unwrap();
    let said = sentence(hosts::set_http_port(ctx, owner, here, SetHttpPort { http_port: "5432".into() }).await);
    assert!(said.contains("leads to the app one"), "{said}");

    // Who connects is told on ports alone, and not to an app that is asked for its health there by HTTP.
    let told = |port: &str| EditFront { send_proxy: "yes".into(), ..on(port) };
    let said = sentence(routes::set_front(ctx, owner, one, told("5432")).await);
    assert!(said.starts_with("Skiff asks the app for its health by HTTP"), "{said}");
    let none = EditFront { send_proxy: "yes".into(), ..EditFront::default() };
    assert_eq!(fields(routes::set_front(ctx, owner, one, none).await), ["send_proxy"]);

    // The same port on another host is free, until the apps meet; a developer takes no port of a further host.
    apps::place(ctx, owner, two, places(&[(there, "1")])).await.unwrap();
    routes::set_front(ctx, owner, two, on("5432")).await.unwrap();
    let said = sentence(apps::place(ctx, owner, one, places(&[(here, "1"), (there, "1")])).await);
    assert!(said.contains("leads to two already"), "{said}");
    routes::set_front(ctx, owner, two, on("5433")).await.unwrap();
    let dora = panel.person(owner, skiff::domain::rights::Role::Developer).await;
    let said = sentence(apps::place(ctx, &dora, one, places(&[(here, "1"), (there, "1")])).await);
    assert!(said.contains("somebody who manages the further hosts"), "{said}");
    apps::place(ctx, owner, one, places(&[(here, "1"), (there, "1")])).await.unwrap();
    apps::place(ctx, &dora, one, places(&[(here, "2"), (there, "1")])).await.unwrap();
}

#[tokio::test]
async fn passwords_are_kept_as_hashes_and_stay_where_none_is_typed() {
    let (panel, app, route) = ready().await;
    let of = |users: Vec<Pair>| EditRules { users, ..EditRules::default() };
    let users = vec![pair("ada", "canary password"), pair("bob", "another canary")];
    routes::set_rules(&panel.ctx, &panel.owner, app, route, of(users)).await.unwrap();
    let rules = || async { apps::get(&panel.ctx, &panel.owner, app).await.unwrap().routes[0].rules.clone() };
    let first = rules().await;
    assert!(!serde_json::to_string(&first).unwrap().contains("canary"));
    let form = rules_form(&first);
    assert!(form.users.iter().all(|user| user.value.is_empty()) && form.users.len() == 2);
    routes::set_rules(&panel.ctx, &panel.owner, app, route, of(vec![pair("ada", "")])).await.unwrap();
    let second = rules().await;
    let ada = "ada".parse().unwrap();
    assert_eq!((second.users.len(), second.users.get(&ada)), (1, first.users.get(&ada)));
    assert_eq!(
        fields(routes::set_rules(&panel.ctx, &panel.owner, app, route, of(vec![pair("new", "")])).await),
        ["users"]
    );
    // History says what was asked, and no hash.
    let lines = audit::list(&panel.ctx, &panel.owner, None).await.unwrap();
    assert_eq!(lines[0].words, "changed the rules of web.example.org/ of web");
    assert!(lines.iter().all(|line| !format!("{:?}{:?}", line.before, line.after).contains("$2y$")));
}

#[tokio::test]
async fn what_would_change_is_shown_and_nothing_is_changed() {
    let (panel, app, route) = ready().await;
    let rules =
        EditRules { allow: "10.0.0.0/8".into(), users: vec![pair("ada", "a long password")], ..EditRules::default() };
    let change = Change::Rules(route, rules);
    assert!(routes::preview(&panel.ctx, &panel.owner, app, change.clone()).await.unwrap().is_empty(), "no proxy yet");
    panel.backend(app).await;
    let found = routes::preview(&panel.ctx, &panel.owner, app, change).await.unwrap();
    let [host] = found.as_slice() else { panic!("{found:?}") };
    let names: Vec<&str> = host.blocks.iter().map(|block| block.name.split('-').next().unwrap()).collect();
    assert_eq!((names.as_slice(), host.reload), (["userlist u", "backend b0001", "map of routes"].as_slice(), true));
    assert!(!format!("{found:?}").contains("$2y$"), "{found:?}");
    let other = NewRoute { domain: "more.example.org".into(), path: "/api".into() };
    let found =
        routes::preview(&panel.ctx, &panel.owner, app, Change::Add(other.clone(), EditRules::default())).await.unwrap();
    assert_eq!((found[0].blocks.len(), found[0].reload), (1, false), "{found:?}");
    let view = apps::get(&panel.ctx, &panel.owner, app).await.unwrap();
    assert!(view.routes.len() == 1 && view.routes[0].rules.is_plain());
    // What the change would be refused for, the look at it is refused for.
    let taken = panel.app(&panel.owner, "taken").await;
    let theirs = NewRoute { domain: "web.example.org".into(), path: "/".into() };
    let refused = routes::preview(&panel.ctx, &panel.owner, taken, Change::Add(theirs, EditRules::default())).await;
    assert_eq!(fields(refused), ["domain"]);
}

#[tokio::test]
async fn a_front_is_read_whole_and_maintenance_has_a_switch_of_its_own() {
    let (panel, app, _) = ready().await;
    let wrong = EditFront {
        gzip: "perhaps".into(),
        maintenance_allow: "nobody".into(),
        maintenance_page: "x".repeat(12_001),
        error_page: "a\u{7}b".into(),
        ports: vec![pair("22", "")],
        ..EditFront::default()
    };
    let all = ["gzip", "maintenance_allow", "maintenance_page", "error_page", "ports"];
    assert_eq!(fields(routes::set_front(&panel.ctx, &panel.owner, app, wrong).await), all);
    routes::maintain(&panel.ctx, &panel.owner, app, true).await.unwrap();
    let front = EditFront { gzip: "yes".into(), error_page: "<p>sorry</p>".into(), ..EditFront::default() };
    routes::set_front(&panel.ctx, &panel.owner, app, front.clone()).await.unwrap();
    let view = routes::look(&panel.ctx, &panel.owner, app).await.unwrap();
    assert!(view.front.maintenance && view.front.gzip && !view.waits, "a form leaves the switch as it is");
    assert_eq!((view.form.gzip.as_str(), view.form.error_page.as_str()), ("yes", "<p>sorry</p>"));
    let words: Vec<String> =
        audit::list(&panel.ctx, &panel.owner, None).await.unwrap().into_iter().take(2).map(|l| l.words).collect();
    assert_eq!(
        words,
        ["changed what holds for all routes of web", "showed everybody the page of maintenance in place of web"]
    );

    // Ports are the hosts' own.
    let dora = panel.person(&panel.owner, skiff::domain::rights::Role::Developer).await;
    let mut form = new_app("db");
    form.routes.clear();
    let db = apps::create(&panel.ctx, &panel.owner, form).await.unwrap();
    let open = EditFront { ports: vec![pair("5432", "10.0.0.0/8")], ..EditFront::default() };
    assert_eq!(fields(routes::set_front(&panel.ctx, &dora, db, open.clone()).await), ["ports"]);
    routes::set_front(&panel.ctx, &panel.owner, db, open).await.unwrap();
    let kept = routes::look(&panel.ctx, &dora, db).await.unwrap().form;
    routes::set_front(&panel.ctx, &dora, db, EditFront { maintenance_page: "<p>x</p>".into(), ..kept }).await.unwrap();

    let mut form = new_app("job");
    form.configuration.kind = "worker".into();
    form.configuration.port.clear();
    form.routes.clear();
    let worker = apps::create(&panel.ctx, &panel.owner, form).await.unwrap();
    assert!(
        conflict(routes::maintain(&panel.ctx, &panel.owner, worker, true).await).contains("A worker answers nobody")
    );
    assert_eq!(fields(routes::set_front(&panel.ctx, &panel.owner, worker, front).await), ["ports"]);
}

#[tokio::test]
async fn a_front_that_somebody_else_changed_meanwhile_is_not_replaced_unseen() {
    let panel = Panel::new().await;
    let (ctx, owner) = (&panel.ctx, &panel.owner);
    panel.host(owner, "fra").await;
    let mut form = new_app("db");
    form.routes.clear();
    let app = apps::create(ctx, owner, form).await.unwrap();
    let read = || async { routes::look(ctx, owner, app).await.unwrap().form };
    let set = async |front: EditFront| routes::set_front(ctx, owner, app, front).await;
    set(EditFront { ports: vec![pair("5432", "")], ..EditFront::default() }).await.unwrap();

    // One closes the port while another looks at the page.
    let mine = EditFront { error_page: "<p>sorry</p>".into(), ..read().await };
    set(EditFront { ports: vec![pair("5432", "10.0.0.0/8")], ..read().await }).await.unwrap();
    let looked = routes::preview(ctx, owner, app, Change::Front(mine.clone())).await;
    assert_eq!(fields(looked), ["as_of"], "nor looked at as if it were as before");
    let said = sentence(set(mine.clone()).await);
    assert!(said.starts_with("Somebody else changed what holds for all routes of this app meanwhile."), "{said}");
    assert!(said.contains("there is now: the page of errors as Skiff has it; ports: 5432 from 10.0.0.0/8."), "{said}");
    let wrong = EditFront { maintenance_allow: "nobody".into(), ..mine.clone() };
    assert_eq!(fields(set(wrong).await), ["maintenance_allow", "as_of"]);
    let ports = async || read().await.ports.into_iter().map(|port| port.value).collect::<Vec<_>>();
    assert_eq!(ports().await, ["10.0.0.0/8"]);
    set(EditFront { error_page: mine.error_page, ..read().await }).await.unwrap();
    assert_eq!((ports().await, read().await.error_page), (vec!["10.0.0.0/8".to_owned()], "<p>sorry</p>".to_owned()));

    // The switch of maintenance is no part of it; and what is there already is sent twice without harm.
    let web = panel.app(owner, "web").await;
    let known = routes::look(ctx, owner, web).await.unwrap().form;
    routes::maintain(ctx, owner, web, true).await.unwrap();
    for _ in 0..2 {
        let front = EditFront { gzip: "yes".into(), ..known.clone() };
        routes::set_front(ctx, owner, web, front).await.unwrap();
    }
    assert!(routes::look(ctx, owner, web).await.unwrap().front.maintenance);
}

#[tokio::test]
async fn trust_that_somebody_else_changed_meanwhile_is_not_replaced_unseen() {
    let panel = Panel::new().await;
    let (ctx, owner, host) = (&panel.ctx, &panel.owner, panel.host(&panel.owner, "fra").await);
    let read = || async { routes::host_front(ctx, owner, host).await.unwrap().trust };
    let set = async |trust: EditTrust| routes::set_trust(ctx, owner, host, trust).await;
    set(EditTrust { forwarded: "10.0.0.0/8".into(), ..read().await }).await.unwrap();
    let mine = EditTrust { cloudflare: "yes".into(), ..read().await };
    set(EditTrust { forwarded: "10.7.0.0/16".into(), ..read().await }).await.unwrap();
    assert_eq!(fields(routes::preview_trust(ctx, owner, host, &mine).await), ["as_of"]);
    let said = sentence(set(mine).await);
    assert!(said.starts_with("Somebody else changed whom this host believes meanwhile."), "{said}");
    assert!(said.contains("there is now: Cloudflare not believed; X-Forwarded-For of 10.7.0.0/16."), "{said}");
    set(EditTrust { cloudflare: "yes".into(), ..read().await }).await.unwrap();
    let now = read().await;
    assert_eq!((now.cloudflare.as_str(), now.forwarded.as_str()), ("yes", "10.7.0.0/16"));

    // Of those who send at the same moment, from the same page, one is taken.
    let each = (1..=6).map(|n| set(EditTrust { forwarded: format!("10.{n}.0.0/16"), ..now.clone() }));
    let taken = futures_util::future::join_all(each).await.into_iter().filter(Result::is_ok).count();
    assert_eq!(taken, 1);
}

#[tokio::test]
async fn an_app_without_a_route_gets_one_under_its_hosts_domain_that_is_its_own() {
    let panel = Panel::new().await;
    let host = panel.host(&panel.owner, "fra").await;
    let bare = |name: &str| {
        let mut form = new_app(name);
        form.routes.clear();
        form
    };
    let none = apps::create(&panel.ctx, &panel.owner, bare("early")).await.unwrap();
    assert!(apps::get(&panel.ctx, &panel.owner, none).await.unwrap().routes.is_empty());
    let wrong = routes::set_base_domain(&panel.ctx, &panel.owner, host, "not a domain").await;
    assert_eq!(fields(wrong), ["base_domain"]);
    routes::set_base_domain(&panel.ctx, &panel.owner, host, "*.203-0-113-7.sslip.io").await.unwrap();
    let offered = routes::look(&panel.ctx, &panel.owner, none).await.unwrap().generated;
    assert_eq!(offered, "early-prod.203-0-113-7.sslip.io");
    let domains = async |app| {
        let view = apps::get(&panel.ctx, &panel.owner, app).await.unwrap();
        view.routes.into_iter().map(|route| route.domain).collect::<Vec<_>>()
    };
    let given = apps::create(&panel.ctx, &panel.owner, bare("web")).await.unwrap();
    assert_eq!(domains(given).await, ["web-prod.203-0-113-7.sslip.io"]);
    // Somebody has the next one already.
    let taken = NewRoute { domain: "api-prod.203-0-113-7.sslip.io".into(), path: "/".into() };
    routes::add(&panel.ctx, &panel.owner, none, taken, EditRules::default()).await.unwrap();
    let second = apps::create(&panel.ctx, &panel.owner, bare("api")).await.unwrap();
    assert_eq!(domains(second).await, ["api-prod-main.203-0-113-7.sslip.io"]);
    // Whoever names one has that alone.
    let own = panel.app(&panel.owner, "own").await;
    assert_eq!(domains(own).await, ["own.example.org"]);
    // A public address has names at once, any other one those that are given.
    let form = hosts::NewHost { name: "pub".into(), address: "203.0.113.9".into(), ..hosts::NewHost::default() };
    let public = hosts::create(&panel.ctx, &panel.owner, form).await.unwrap();
    let base = async |host| routes::host_front(&panel.ctx, &panel.owner, host).await.unwrap().base_domain;
    assert_eq!(
        (base(public).await.as_str(), base(host).await.as_str()),
        ("203-0-113-9.sslip.io", "203-0-113-7.sslip.io")
    );
}

#[tokio::test]
async fn nobody_is_believed_who_could_be_anybody() {
    let panel = Panel::new().await;
    let host = panel.host(&panel.owner, "fra").await;
    let wide = EditTrust { forwarded: "0.0.0.0/0".into(), proxy_protocol: "::/0".into(), ..EditTrust::default() };
    assert_eq!(fields(routes::set_trust(&panel.ctx, &panel.owner, host, wide).await), ["forwarded", "proxy_protocol"]);
    // Skiff asks its own proxy from loopback.
    let own = EditTrust { proxy_protocol: "203.0.113.1\n127.0.0.1".into(), ..EditTrust::default() };
    assert_eq!(fields(routes::set_trust(&panel.ctx, &panel.owner, host, own).await), ["proxy_protocol"]);
    let some = EditTrust { cloudflare: "yes".into(), forwarded: "10.0.0.0/8".into(), ..EditTrust::default() };
    routes::set_trust(&panel.ctx, &panel.owner, host, some).await.unwrap();
    let front = routes::host_front(&panel.ctx, &panel.owner, host).await.unwrap();
    assert_eq!(
        (front.trust.cloudflare.as_str(), front.trust.forwarded.as_str(), front.waits),
        ("yes", "10.0.0.0/8", true)
    );
}
