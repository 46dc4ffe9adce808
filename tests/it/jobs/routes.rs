//! Routes and what holds for them, on real hosts: at once, on every host, and noticed by nobody else.

use std::time::Duration;

use skiff::actions::Refused;
use skiff::actions::apps::{self, NewRoute, Pair};
use skiff::actions::routes::{self, Changed, EditFront, EditRules, EditTrust};
use skiff::domain::app::Spec;
use skiff::domain::ids::JobId;
use skiff::domain::ingress::{Home, Ingress, Line};
use skiff::domain::source::{Image, Source};
use skiff::jobs::execute::bring;

use crate::harness::fleet;
use crate::harness::host::TestHost;
use crate::harness::probe::Probe;
use crate::harness::world::{Ended, TestApp, World, ask};

const V1: &str = "127.0.0.1:5000/hello:1";
const V2: &str = "127.0.0.1:5000/hello:2";

/// The process of the proxy's present worker, and how many old ones there are.
async fn workers(host: &TestHost) -> (String, usize) {
    let ask = "echo 'show proc' | socat -t 5 - UNIX-CONNECT:/run/skiff/haproxy-master.sock";
    let shown = host.enter(&["/bin/bash", "-c", ask]).await.must("the master answers");
    let (now, old) = shown.split_once("# old workers").unwrap_or((shown.as_str(), ""));
    let pid = |text: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| line.split_whitespace().nth(1) == Some("worker"));
        lines.map(|line| line.split_whitespace().next().unwrap().to_owned()).collect()
    };
    (pid(now).pop().unwrap(), pid(old).len())
}

fn route(domain: &str, path: &str) -> NewRoute {
    NewRoute { domain: domain.into(), path: path.into() }
}

async fn done(world: &World, job: JobId) -> Ended {
    let ended = world.over(job).await;
    assert_eq!(ended.state, "succeeded", "{ended:#?}");
    ended
}

async fn holds(world: &World, changed: Result<Changed, Refused>) -> Ended {
    done(world, changed.unwrap().job.expect("a proxy leads to it")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_of_a_route_holds_at_once_and_no_deploy_changes_it() {
    let (host, world) = (TestHost::bare().await, World::new().await);
    let id = world.provision(&host).await;
    host.load_app(V1, "1").await;
    host.load_app(V2, "2").await;
    let neighbour = world.app(id, V2, "neighbour.test").await;
    neighbour.must_deploy().await;
    let app = world.app(id, V1, "first.test").await;
    app.must_deploy().await;
    let (ctx, owner) = (world.actions(), &world.team.owner);
    let probe = Probe::start(&host, "neighbour.test");

    // A plain route is a line of the map: no reload.
    let before = workers(&host).await;
    let added = routes::add(&ctx, owner, app.id, route("more.test", "/"), EditRules::default()).await;
    let more = added.as_ref().unwrap().route.unwrap();
    holds(&world, added).await;
    assert_eq!(ask(&host, "more.test", "/").await.1.trim(), "1");
    assert_eq!(workers(&host).await, before);

    // Rules are lines of the file; who is shut out is shut out on this route alone.
    let shut = EditRules { allow: "10.9.9.9".into(), ..EditRules::default() };
    let ended = holds(&world, routes::set_rules(&ctx, owner, app.id, more, shut).await).await;
    assert!(ended.steps[0].contains("the proxy was reloaded"), "{ended:#?}");
    assert_eq!((ask(&host, "more.test", "/").await.0, ask(&host, "first.test", "/").await.0), (403, 200));
    let file = tokio::fs::metadata(host.path("/etc/skiff/haproxy.cfg")).await.unwrap();
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&file.permissions()) & 0o007, 0, "not everybody's to read");

    // One that is new comes with its rules: at no moment without.
    let moved =
        EditRules { redirect: "https://first.test".into(), redirect_status: "301".into(), ..EditRules::default() };
    let added = routes::add(&ctx, owner, app.id, route("www.first.test", "/"), moved).await;
    holds(&world, added).await;
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let url = format!("http://{}/x?y", host.address);
    let answer = client.get(url).header("host", "www.first.test").send().await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), answer.headers()["location"].to_str().unwrap()),
        (301, "https://first.test/x?y")
    );

    // Neither another release nor the way back to an older one opens a door.
    app.image(V2).await;
    app.must_deploy().await;
    assert_eq!((ask(&host, "more.test", "/").await.0, ask(&host, "first.test", "/").await.1.trim()), (403, "2"));
    let back = app.roll_back(1).await;
    assert_eq!(back.state, "succeeded", "{back:#?}");
    assert_eq!((ask(&host, "more.test", "/").await.0, ask(&host, "first.test", "/").await.1.trim()), (403, "1"));

    // A deploy goes through while everybody sees the page of maintenance.
    let page = EditFront { maintenance_page: "<p>soon</p>".into(), ..EditFront::default() };
    holds(&world, routes::set_front(&ctx, owner, app.id, page).await).await;
    assert_eq!(ask(&host, "first.test", "/").await.0, 200);
    holds(&world, routes::maintain(&ctx, owner, app.id, true).await).await;
    assert_eq!(ask(&host, "first.test", "/").await, (503, "<p>soon</p>".to_owned()));
    app.must_deploy().await;
    assert_eq!(ask(&host, "first.test", "/").await.0, 503);
    holds(&world, routes::maintain(&ctx, owner, app.id, false).await).await;
    assert_eq!(ask(&host, "first.test", "/").await.1.trim(), "2");

    // Given up, it is free at once, and another app's without the former rules.
    holds(&world, routes::remove(&ctx, owner, app.id, more).await).await;
    assert_eq!(ask(&host, "more.test", "/").await.0, 421);
    holds(&world, routes::add(&ctx, owner, neighbour.id, route("more.test", "/"), EditRules::default()).await).await;
    assert_eq!(ask(&host, "more.test", "/").await.1.trim(), "2");
    let seen = probe.clean("the neighbour's visitors").await;
    assert_eq!(seen.bodies.len(), 1);
    world.quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_route_is_led_to_another_app_with_its_rules_or_it_stays_where_it_is() {
    let (host, world) = (TestHost::bare().await, World::new().await);
    let id = world.provision(&host).await;
    host.load_app(V1, "1").await;
    host.load_app(V2, "2").await;
    let app = world.app(id, V1, "shop.test").await;
    app.must_deploy().await;
    let other = world.app(id, V2, "other.test").await;
    let (ctx, owner) = (world.actions(), &world.team.owner);
    let tagged = EditRules { answer_headers: "X-Tag: kept".into(), ..EditRules::default() };
    let added = routes::add(&ctx, owner, app.id, route("tag.test", "/"), tagged).await;
    let tag = added.as_ref().unwrap().route.unwrap();
    holds(&world, added).await;
    let refused = async |to| match routes::move_to(&ctx, owner, app.id, tag, to).await {
        Err(Refused::Fields(errors)) => errors[0].sentence.clone(),
        done => panic!("{done:?}"),
    };

    // Where a request would fall between, nothing is moved.
    assert!(refused(app.id).await.contains("leads to this app already"));
    assert!(refused(skiff::domain::ids::AppId(uuid::Uuid::nil())).await.contains("no such app"));
    assert!(refused(other.id).await.contains("serves nothing yet"));
    other.must_deploy().await;
    let far = world.add_host(&host).await;
    let permit = &world.team.permit;
    let mut tx = world.db.begin(permit).await.unwrap();
    skiff::db::ledger::backends::claim(&mut tx, permit, far, app.id).await.unwrap();
    tx.commit().await.unwrap();
    let said = refused(other.id).await;
    assert!(said.contains("is not on host-") && said.contains("left unanswered"), "{said}");
    let mut conn = world.db.superuser().await;
    sqlx::query("delete from ledger_backends where host_id = $1").bind(far.0).execute(&mut conn).await.unwrap();
    assert_eq!(ask(&host, "tag.test", "/").await.1.trim(), "1");

    // A plain one without a reload, and one with rules by one; the neighbours notice neither.
    let probe = Probe::start(&host, "other.test");
    let before = workers(&host).await;
    let plain = apps::get(&ctx, owner, app.id).await.unwrap().routes[0].id;
    for (route, domain, reload) in [(plain, "shop.test", false), (tag, "tag.test", true)] {
        let change = routes::Change::Move(route, other.id);
        let seen = routes::preview(&ctx, owner, app.id, change).await.unwrap();
        assert_eq!((seen.len(), seen[0].reload), (1, reload), "{seen:?}");
        let lines: Vec<_> = seen[0].blocks.iter().flat_map(|block| &block.lines).collect();
        let has = |sign: fn(&Line) -> bool| lines.iter().any(|line| sign(line) && format!("{line:?}").contains(domain));
        assert!(has(|line| matches!(line, Line::Gone(_))) && has(|line| matches!(line, Line::New(_))), "{seen:?}");
        assert_eq!(ask(&host, domain, "/").await.1.trim(), "1", "nothing has changed yet");
    }
    holds(&world, routes::move_to(&ctx, owner, app.id, plain, other.id).await).await;
    assert_eq!((ask(&host, "shop.test", "/").await.1.trim(), workers(&host).await), ("2", before));
    holds(&world, routes::move_to(&ctx, owner, app.id, tag, other.id).await).await;
    let url = format!("http://{}/", host.address);
    let answer = reqwest::Client::new().get(url).header("host", "tag.test").send().await.unwrap();
    assert_eq!(answer.headers()["x-tag"], "kept");
    assert_eq!(answer.text().await.unwrap().trim(), "2");
    probe.clean("the neighbour's visitors").await;

    // Both apps know, and a deploy of either changes nothing of it.
    let domains = async |id| -> Vec<String> {
        let view = apps::get(&ctx, owner, id).await.unwrap();
        view.routes.into_iter().map(|route| route.domain).collect()
    };
    assert_eq!((domains(app.id).await, domains(other.id).await.len()), (Vec::<String>::new(), 3));
    app.must_deploy().await;
    other.must_deploy().await;
    assert_eq!((ask(&host, "shop.test", "/").await.1.trim(), ask(&host, "tag.test", "/").await.1.trim()), ("2", "2"));
    world.quiet().await;
}

/// An app without routes.
pub(super) async fn without_routes(world: &World, host: skiff::domain::ids::HostId) -> TestApp<'_> {
    let source = Source::Image(Image { image: V1.parse().unwrap(), login: None });
    let mut spec = Spec::web(8080, "/up".parse().unwrap());
    spec.watch.seconds = 0;
    world.app_of(host, source, spec).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_proxy_does_not_take_changes_nothing_and_is_in_nobodys_way() {
    let (host, world) = (TestHost::bare().await, World::new().await);
    let id = world.provision(&host).await;
    host.load_app(V1, "1").await;
    let other = world.app(id, V1, "other.test").await;
    other.must_deploy().await;
    let app = without_routes(&world, id).await;
    app.must_deploy().await;
    let (ctx, owner) = (world.actions(), &world.team.owner);
    let file = || async { tokio::fs::read_to_string(host.path("/etc/skiff/haproxy.cfg")).await.unwrap() };
    let (before, worker) = (file().await, workers(&host).await);

    // Something else on the host has the port: HAProxy finds out only when it binds.
    let busy = "setsid socat TCP-LISTEN:5433,fork,reuseaddr EXEC:cat >/dev/null 2>&1 & for i in $(seq 50); do ss -Hltn 'sport = :5433' | grep -q . && exit 0; sleep 0.1; done; exit 1";
    host.enter(&["/bin/bash", "-c", busy]).await.must("somebody listens");
    let on = |port: &str, allow: &str| EditFront {
        ports: vec![Pair { name: port.into(), value: allow.into() }],
        ..EditFront::default()
    };
    let probe = Probe::start(&host, "other.test");
    let changed = routes::set_front(&ctx, owner, app.id, on("5433", "")).await.unwrap();
    let ended = world.over(changed.job.unwrap()).await;
    assert_eq!(ended.state, "failed", "{ended:#?}");
    probe.clean("a port that is taken").await;
    assert!(
        ended.reason.contains("Port 5433 cannot be opened: something else on the host listens there"),
        "{ended:#?}"
    );
    assert_eq!(file().await, before);
    assert_eq!(ask(&host, "other.test", "/").await.0, 200);
    let view = routes::look(&ctx, owner, app.id).await.unwrap();
    assert!(view.waits && view.last.is_some_and(|job| job.reason == ended.reason));
    other.must_deploy().await;
    assert_eq!(ask(&host, "other.test", "/").await.0, 200);

    // Another one is free.
    holds(&world, routes::set_front(&ctx, owner, app.id, on("5434", "")).await).await;
    // Nor is the port of an app that was never deployed in the way, which nobody has tried yet.
    let early = without_routes(&world, id).await;
    assert_eq!(routes::set_front(&ctx, owner, early.id, on("5433", "")).await.unwrap().job, None);
    let failed = early.deploy().await;
    assert_eq!(failed.state, "failed", "{failed:#?}");
    other.must_deploy().await;
    assert_eq!(ask(&host, "other.test", "/").await.0, 200);
    assert!(!file().await.contains(":5433"), "{}", file().await);

    let url = format!("http://{}:5434/", host.address);
    assert_eq!(reqwest::get(&url).await.unwrap().text().await.unwrap().trim(), "1");
    assert_ne!(workers(&host).await.0, worker.0);
    // No other app of the host gets it, and none with routes any.
    let taken = without_routes(&world, id).await;
    let refused = routes::set_front(&ctx, owner, taken.id, on("5434", "")).await;
    assert!(matches!(&refused, Err(Refused::Fields(all)) if all[0].sentence.contains("5434")), "{refused:?}");
    let refused = routes::set_front(&ctx, owner, other.id, on("5435", "")).await;
    assert!(matches!(&refused, Err(Refused::Fields(all)) if all[0].sentence.contains("has routes")), "{refused:?}");
    holds(&world, routes::set_front(&ctx, owner, app.id, on("5434", "10.9.9.9")).await).await;
    assert!(reqwest::Client::new().get(&url).timeout(Duration::from_secs(5)).send().await.is_err());

    // A file that HAProxy would not read never takes the other's place.
    let reached = skiff::access::reach(&world.ctx.access(), &world.team.permit, &[id]).await.unwrap().pop().unwrap();
    let remote = reached.host.unwrap();
    let broken = Home { map: "/nowhere/routes.map".parse().unwrap(), ..Home::default() };
    let (before, worker) = (file().await, workers(&host).await);
    let said = bring::bring(&world.ctx, &world.team.permit, id, &remote, &Ingress::empty(broken, 80)).await.unwrap();
    let words = said.unwrap_err();
    assert!(words.contains("HAProxy does not accept it") && words.contains("/nowhere/routes.map"), "{words}");
    assert_eq!((file().await, workers(&host).await), (before, worker));
    world.quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_hold_on_each_host_of_an_app_and_once_for_each_request() {
    let (a, b, world) = (TestHost::bare().await, TestHost::bare().await, World::new().await);
    let ids = fleet::ready(&world, &[&a, &b]).await;
    fleet::reachable(&world, ids[0], &a).await;
    fleet::reachable(&world, ids[1], &b).await;
    for host in [&a, &b] {
        host.load_app(V1, "1").await;
    }
    let mut app = world.app(ids[0], V1, "both.test").await;
    fleet::place(&world, app.id, &mut app.spec, &[(ids[0], 1), (ids[1], 1)]).await;
    app.must_deploy().await;
    let (ctx, owner) = (world.actions(), &world.team.owner);

    // Whom the hosts believe, so that this machine is a client from anywhere.
    for (host, address) in ids.iter().zip([&a.address, &b.address]) {
        let network = format!("{}.0/24", address.rsplit_once('.').unwrap().0);
        let trust = EditTrust { forwarded: network, ..EditTrust::default() };
        done(&world, routes::set_trust(&ctx, owner, *host, trust).await.unwrap()).await;
    }
    let only = EditRules { allow: "10.9.9.9".into(), ..EditRules::default() };
    let route = apps::get(&ctx, owner, app.id).await.unwrap().routes[0].id;
    holds(&world, routes::set_rules(&ctx, owner, app.id, route, only).await).await;
    let get = async |host: &TestHost, from: &str| {
        let asked = reqwest::Client::new().get(format!("http://{}/", host.address));
        let answer = asked.header("host", "both.test").header("x-forwarded-for", from).send().await.unwrap();
        answer.status().as_u16()
    };
    for host in [&a, &b] {
        // Several, so that both hosts' instances answer: what one host passes on is not asked again by the other.
        for _ in 0..6 {
            assert_eq!((get(host, "10.9.9.9").await, get(host, "10.9.9.8").await), (200, 403), "{}", host.address);
        }
    }
    holds(&world, routes::maintain(&ctx, owner, app.id, true).await).await;
    for host in [&a, &b] {
        assert_eq!((get(host, "10.9.9.9").await, get(host, "10.9.9.8").await), (503, 403));
    }
    world.quiet().await;
}
