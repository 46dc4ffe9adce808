//! Certificates on real hosts: brought, renewed under load, lost and brought again, taken away; and none of it drops a request.

use std::net::IpAddr;
use std::time::Duration;

use skiff::actions::apps::{self, NewRoute};
use skiff::actions::certificates::{self, NewCertificate};
use skiff::actions::deploys;
use skiff::actions::routes::{self, EditRules};
use skiff::domain::ids::{AppId, CertificateId, HostId, JobId};

use crate::harness::host::TestHost;
use crate::harness::team::TestTeam;
use crate::harness::tls::{Authority, Made, trusting};
use crate::harness::visitors::{Visitors, Way};
use crate::harness::world::{Ended, World, ask};

const DOMAIN: &str = "shop.test";
pub(super) const IMAGE: &str = "127.0.0.1:5000/hello:1";

pub(super) fn address(host: &TestHost) -> IpAddr {
    host.address.parse().unwrap()
}

/// A host that is ready, with the app's image.
pub(super) async fn ready() -> (TestHost, World, HostId) {
    let (host, world) = (TestHost::bare().await, World::new().await);
    let id = world.provision(&host).await;
    host.load_app(IMAGE, "1").await;
    (host, world, id)
}

/// Uploads it, and waits for the hosts that need it to have it.
pub(super) async fn upload(world: &World, made: &Made) -> CertificateId {
    let input = NewCertificate { chain: made.chain.clone(), key: made.key.clone() };
    let done = certificates::upload(&world.actions(), &world.team.owner, input).await.unwrap();
    if newest(world).await.is_some() {
        settled(world).await;
    }
    done.id
}

/// The newest job that brings certificates.
async fn newest(world: &World) -> Option<JobId> {
    let newest = "select id from jobs where kind = 'set_certificates' order by created_at desc limit 1";
    sqlx::query_scalar(newest).fetch_optional(&mut world.db.superuser().await).await.unwrap().map(JobId)
}

/// The newest job that brought certificates, once it is over.
pub(super) async fn settled(world: &World) -> Ended {
    let ended = world.over(newest(world).await.unwrap()).await;
    assert_eq!(ended.state, "succeeded", "{ended:#?}");
    ended
}

/// The app's address as a list of apps, its own page and that of its last deploy say it.
async fn urls(world: &World, app: AppId) -> [String; 3] {
    let (ctx, owner) = (world.actions(), &world.team.owner);
    let view = apps::get(&ctx, owner, app).await.unwrap();
    let mut deploy = deploys::get(&ctx, owner, view.deploys[0].id).await.unwrap();
    [view.line.url.unwrap(), view.routes[0].url.clone(), deploy.urls.remove(0)]
}

/// Asks for the host's certificates once more.
pub(super) async fn again(world: &World, host: HostId) -> Ended {
    let mut tx = world.db.begin(&world.team.permit).await.unwrap();
    let cause = crate::harness::team::cause();
    skiff::jobs::set_certificates::ask(&mut tx, &world.team.permit, host, "host", cause).await.unwrap();
    tx.commit().await.unwrap();
    settled(world).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_comes_and_is_renewed_and_goes_while_the_proxy_runs() {
    let (host, world, id) = ready().await;
    let app = world.app(id, IMAGE, DOMAIN).await;
    app.must_deploy().await;
    let authority = Authority::new("Test Authority");
    assert!(authority.get(address(&host), 443, DOMAIN, "/").await.is_err(), "there is none yet");
    assert_eq!(ask(&host, DOMAIN, "/").await.0, 200);
    assert_eq!(urls(&world, app.id).await, ["http://shop.test/"; 3]);

    // What another team has for this name, or for everything beside it, comes to no host of this one.
    let other = TestTeam::new(&world.db).await;
    sqlx::query("update teams set data_key = $2 where id = $1")
        .bind(other.id.0)
        .bind(world.vault.new_team_key(other.id))
        .execute(&mut world.db.superuser().await)
        .await
        .unwrap();
    let theirs = authority.issue(&["*.test", DOMAIN], 90);
    let input = NewCertificate { chain: theirs.chain, key: theirs.key };
    certificates::upload(&world.actions(), &other.owner, input).await.unwrap();
    again(&world, id).await;
    assert!(authority.get(address(&host), 443, DOMAIN, "/").await.is_err(), "nobody else's");

    let first = authority.issue(&[DOMAIN], 90);
    let certificate = upload(&world, &first).await;
    let answer = authority.get(address(&host), 443, DOMAIN, "/").await.unwrap();
    assert_eq!((answer.status, &answer.served), (200, &first.der));
    assert_eq!(urls(&world, app.id).await, ["https://shop.test/"; 3]);
    let redirect = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let led = redirect.get(format!("http://{}/x?y", host.address)).header("host", DOMAIN).send().await.unwrap();
    assert_eq!((led.status().as_u16(), led.headers()["location"].to_str().unwrap()), (308, "https://shop.test/x?y"));
    let line = certificates::get(&world.actions(), &world.team.owner, certificate).await.unwrap();
    assert!(line.hosts.len() == 1 && line.hosts[0].current && line.hosts[0].trouble.is_empty(), "{line:?}");

    // Nobody but its owner reads the key on the host, and a name that no route leads to is not brought.
    let file = format!("/etc/skiff/certs/{}.pem", certificate.simple());
    let mode = host.enter(&["stat", "-c", "%a %U", &file, "/etc/skiff/certs"]).await.must("stat");
    assert_eq!(mode, "600 skiff\n700 skiff\n");
    let asked = "select count(*) from jobs where kind = 'set_certificates'";
    let asked = async || sqlx::query_scalar::<_, i64>(asked).fetch_one(&mut world.db.superuser().await).await.unwrap();
    let before = asked().await;
    upload(&world, &authority.issue(&["elsewhere.test"], 90)).await;
    assert_eq!(asked().await, before, "nobody is asked for what no host needs");
    let files = host.enter(&["ls", "/etc/skiff/certs"]).await.must("ls");
    assert_eq!(files.lines().count(), 2, "{files}");

    // Another version of the same, and nothing to do the second time.
    let second = authority.issue(&[DOMAIN], 90);
    assert_eq!(upload(&world, &second).await, certificate);
    assert_eq!(authority.get(address(&host), 443, DOMAIN, "/").await.unwrap().served, second.der);
    let ended = again(&world, id).await;
    assert!(ended.steps.iter().all(|step| step.contains(": unchanged")), "{ended:#?}");
    assert!(!format!("{ended:?}").contains("PRIVATE KEY"));

    // Another app, served under a name that a certificate is there for already, has it with its deploy.
    let wild = authority.issue(&["*.wild.test"], 90);
    upload(&world, &wild).await;
    let other = world.app(id, IMAGE, "one.wild.test").await;
    other.must_deploy().await;
    assert_eq!(authority.get(address(&host), 443, "one.wild.test", "/").await.unwrap().served, wild.der);
    assert_eq!(urls(&world, other.id).await, ["https://one.wild.test/"; 3]);

    // Gone.
    certificates::remove(&world.actions(), &world.team.owner, certificate).await.unwrap();
    settled(&world).await;
    assert!(authority.get(address(&host), 443, DOMAIN, "/").await.is_err());
    assert_eq!(ask(&host, DOMAIN, "/").await.0, 200, "plain HTTP serves it again");
    assert_eq!(urls(&world, app.id).await, ["http://shop.test/"; 3]);
    assert!(host.enter(&["test", "-e", &file]).await.status != 0);
    world.quiet().await;
}

async fn renewals_under_load(per_second: u64, websockets: usize, changes: usize, answers: u64) {
    let (host, world, id) = ready().await;
    world.app(id, IMAGE, DOMAIN).await.must_deploy().await;
    let authority = Authority::new("Test Authority");
    upload(&world, &authority.issue(&[DOMAIN], 90)).await;
    let way = Way { at: (address(&host), 443).into(), trust: trusting(&authority.pem) };
    let visitors = Visitors::start(&way, vec![DOMAIN.to_owned()], per_second, websockets).await;
    let mut changed = 0;
    while changed < changes || visitors.answers() < answers {
        let made = authority.issue(&[DOMAIN], 90);
        upload(&world, &made).await;
        assert_eq!(authority.get(address(&host), 443, DOMAIN, "/").await.unwrap().served, made.der);
        // One that lasts longer takes its place, and goes.
        let other = authority.issue(&[DOMAIN, "beside.test"], 200);
        let beside = upload(&world, &other).await;
        assert_eq!(authority.get(address(&host), 443, DOMAIN, "/").await.unwrap().served, other.der);
        certificates::remove(&world.actions(), &world.team.owner, beside).await.unwrap();
        settled(&world).await;
        assert_eq!(authority.get(address(&host), 443, DOMAIN, "/").await.unwrap().served, made.der);
        changed += 1;
        let failures = visitors.failures();
        assert!(failures.is_empty(), "after change {changed}: {failures:#?}");
    }
    let seen = visitors.end().await;
    println!(
        "{} answers, {} echoes, {} failures over {changed} changes",
        seen.answers,
        seen.echoes,
        seen.failures.len()
    );
    assert!(seen.failures.is_empty(), "{:#?}", seen.failures);
    assert!(seen.echoes > 0);
    world.quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_request_fails_over_a_few_changes() {
    renewals_under_load(20, 3, 3, 40).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "the whole of it takes minutes: bin/test t_certificates_under_load"]
async fn t_certificates_under_load() {
    renewals_under_load(200, 20, 50, 10_000).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_lost_everything_is_made_whole_again() {
    let (host, world, id) = ready().await;
    let app = world.app(id, IMAGE, DOMAIN).await;
    app.must_deploy().await;
    let authority = Authority::new("Test Authority");
    let made = authority.issue(&[DOMAIN], 90);
    upload(&world, &made).await;
    let config = host.enter(&["cat", "/etc/skiff/haproxy.cfg", "/etc/skiff/certs/list"]).await.must("cat");

    // Killed: what keeps it starts it again, from the files.
    host.enter(&["/bin/bash", "-c", "kill -9 $(cat /run/skiff/haproxy.pid)"]).await.must("kill");
    let served = async {
        while authority.get(address(&host), 443, DOMAIN, "/").await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(15), served).await.expect("it serves again");

    // Its files are gone: making the host ready brings them, the very same ones.
    host.enter(&["/bin/bash", "-c", "rm -rf /etc/skiff; /etc/init.d/skiff-haproxy stop"]).await.must("rm");
    let ended = world.provision_again(id).await;
    assert_eq!(ended.state, "succeeded", "{ended:#?}");
    assert_eq!(authority.get(address(&host), 443, DOMAIN, "/").await.unwrap().served, made.der);
    let after = host.enter(&["cat", "/etc/skiff/haproxy.cfg", "/etc/skiff/certs/list"]).await.must("cat");
    assert_eq!(after, config);

    // The running proxy lost one that is in the files.
    let socket = "socat - UNIX-CONNECT:/run/skiff/haproxy.sock";
    let file = after.lines().last().unwrap();
    let lose = format!(
        "for l in 'del ssl crt-list /etc/skiff/certs/list {file}' 'del ssl cert {file}'; do echo \"$l\" | {socket}; done"
    );
    host.enter(&["/bin/bash", "-c", &lose]).await.must("lost");
    assert!(authority.get(address(&host), 443, DOMAIN, "/").await.is_err());
    again(&world, id).await;
    assert_eq!(authority.get(address(&host), 443, DOMAIN, "/").await.unwrap().served, made.der);

    // Somebody gave it another version: that is found where nothing else is to be done.
    let foreign = authority.issue(&[DOMAIN], 30);
    std::fs::write(host.path("/tmp/foreign.pem"), format!("{}{}", foreign.chain, foreign.key)).unwrap();
    let give = format!(
        "{{ echo 'set ssl cert {file} <<'; cat /tmp/foreign.pem; echo; }} | {socket}; echo 'commit ssl cert {file}' | {socket}"
    );
    host.enter(&["/bin/bash", "-c", &give]).await.must("given");
    assert_eq!(authority.get(address(&host), 443, DOMAIN, "/").await.unwrap().served, foreign.der);
    let ended = again(&world, id).await;
    assert!(ended.steps[2].contains("changed (1 brought anew)"), "{ended:#?}");
    assert_eq!(authority.get(address(&host), 443, DOMAIN, "/").await.unwrap().served, made.der);
    world.quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_comes_although_somebody_else_holds_them_in_the_proxy() {
    let (host, world, id) = ready().await;
    let app = world.app(id, IMAGE, DOMAIN).await;
    app.must_deploy().await;
    let authority = Authority::new("Test Authority");
    let late = authority.issue(&["late.test"], 90);
    upload(&world, &late).await;

    // A client that asks for a long list and does not read: HAProxy stands in the middle of its answer, and refuses everybody else's words
    // about certificates. What makes the list long is nobody's.
    let socket = "UNIX-CONNECT:/run/skiff/haproxy.sock";
    let name = "x".repeat(150);
    let many = format!(
        "(echo prompt; for n in {{1..300}}; do echo \"new ssl cert /etc/skiff/{name}$n\"; done; echo quit) | socat -t 5 - {socket}"
    );
    host.enter(&["/bin/bash", "-c", &many]).await.must("many");
    let hold = format!(
        "(echo prompt; yes 'show ssl cert' | head -n 40; echo quit) | timeout 30 socat -t 30 - {socket} | (sleep 4; timeout 30 cat >/dev/null)"
    );
    let hold = ["/bin/bash", "-c", &hold];
    let route = async {
        let look = format!("echo 'show ssl cert' | socat -t 5 - {socket}");
        let held = async {
            while !host.enter(&["/bin/bash", "-c", &look]).await.must("look").contains("currently locked") {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), held).await.expect("it is held");
        let input = NewRoute { domain: "late.test".into(), path: "/".into() };
        let (ctx, owner) = (world.actions(), &world.team.owner);
        let job = routes::add(&ctx, owner, app.id, input, EditRules::default()).await.unwrap().job.unwrap();
        let ended = world.over(job).await;
        assert_eq!(ended.state, "succeeded", "{ended:#?}");
        authority.get(address(&host), 443, "late.test", "/").await
    };
    let (_, answer) = tokio::join!(host.enter(&hold), route);
    assert_eq!(answer.expect("it is served").served, late.der);
    world.quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_somebody_left_open_is_in_nobodys_way() {
    let (host, world, id) = ready().await;
    let first_app = world.app(id, IMAGE, DOMAIN).await;
    first_app.must_deploy().await;
    let authority = Authority::new("Test Authority");
    let made = authority.issue(&[DOMAIN], 90);
    let first = upload(&world, &made).await;
    let late = authority.issue(&["late.test"], 90);
    let late_id = upload(&world, &late).await;

    // One of ours was begun and is never ended.
    let foreign = authority.issue(&[DOMAIN], 30);
    std::fs::write(host.path("/tmp/foreign.pem"), format!("{}{}", foreign.chain, foreign.key)).unwrap();
    let socket = "socat - UNIX-CONNECT:/run/skiff/haproxy.sock";
    let say = async |text: String| host.enter(&["/bin/bash", "-c", &text]).await.must("said");
    let begin = |file: &str| format!("{{ echo 'set ssl cert {file} <<'; cat /tmp/foreign.pem; echo; }} | {socket}");
    let file = format!("/etc/skiff/certs/{}.pem", first.simple());
    assert!(say(begin(&file)).await.contains("Transaction created"));
    world.app(id, IMAGE, "late.test").await.must_deploy().await;
    let shown = async |name: &str| authority.get(address(&host), 443, name, "/").await.map(|answer| answer.served);
    assert_eq!(shown("late.test").await.as_ref(), Ok(&late.der));
    assert_eq!(shown(DOMAIN).await.as_ref(), Ok(&made.der), "nothing of either came into the other");
    let left = say(format!("echo 'commit ssl cert {file}' | {socket}")).await;
    assert!(left.contains("No ongoing transaction"), "{left}");
    certificates::remove(&world.actions(), &world.team.owner, late_id).await.unwrap();
    settled(&world).await;

    // One of somebody's own is neither taken back nor touched: the deploy ends, and a job of its own brings the certificate.
    let own = "/etc/skiff/own.pem";
    say(format!("echo 'new ssl cert {own}' | {socket}")).await;
    assert!(say(begin(own)).await.contains("Transaction created"));
    let late = authority.issue(&["late.test"], 90);
    let input = NewCertificate { chain: late.chain.clone(), key: late.key.clone() };
    let late_id = certificates::upload(&world.actions(), &world.team.owner, input).await.unwrap().id;
    first_app.must_deploy().await;
    let place =
        async || certificates::get(&world.actions(), &world.team.owner, late_id).await.unwrap().hosts[0].clone();
    assert!(shown("late.test").await.is_err() && !place().await.current);
    assert!(place().await.trouble.contains("at work on its certificates"), "{:?}", place().await);
    let taken = say(format!("echo 'commit ssl cert {own}' | {socket}")).await;
    assert!(taken.contains("Success"), "{taken}");
    let theirs = say(format!("echo 'show ssl cert {own}' | {socket}")).await;
    assert!(theirs.contains(&format!("DNS:{DOMAIN}")), "{theirs}");
    let brought = async {
        while shown("late.test").await.as_ref() != Ok(&late.der) {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), brought).await.expect("it is brought by itself");
    settled(&world).await;
    assert!(place().await.trouble.is_empty() && place().await.current, "{:?}", place().await);
    world.quiet().await;
}
