//! HAProxy is upgraded on a host as apt does it, under the running proxy: in the middle of deploys, and while certificates change.

use std::path::{Path, PathBuf};
use std::time::Duration;

use skiff::actions::certificates::{self, NewCertificate};
use skiff::actions::hosts;
use skiff::domain::app::{Route, Spec};
use skiff::domain::deploy::Target;
use skiff::domain::ids::{HostId, JobId};
use skiff::domain::source::{Image, Source};

use crate::harness::haproxy;
use crate::harness::host::TestHost;
use crate::harness::probe::Probe;
use crate::harness::tls::{Authority, Made};
use crate::harness::world::{TestApp, World, ask};

const IMAGES: [&str; 2] = ["127.0.0.1:5000/hello:1", "127.0.0.1:5000/hello:2"];
const DOMAIN: &str = "upgraded.test";
const SECURED: &str = "secured.test";
/// A proxy that was killed is back by then.
const BACK_WITHIN: Duration = Duration::from_secs(15);

/// The versions that are here, the oldest first; where there is one only, a second copy of it stands for the next.
async fn versions() -> Vec<PathBuf> {
    let mut all = haproxy::kept().await;
    if all.len() == 1 {
        // A host has a /tmp of its own.
        let copy = PathBuf::from("/var/cache/skiffrig/second-haproxy");
        std::fs::create_dir_all(copy.parent().unwrap()).unwrap();
        std::fs::copy(&all[0], &copy).unwrap();
        all.push(copy);
    }
    all
}

/// What the host's running proxy is.
async fn runs(host: &TestHost) -> String {
    let ask = "echo 'show info' | socat -t 5 - UNIX-CONNECT:/run/skiff/haproxy.sock | sed -n 's/^Version: \\([0-9.]*\\).*/\\1/p'";
    host.enter(&["/bin/bash", "-c", ask]).await.must("it answers").trim().to_owned()
}

async fn bash(host: &TestHost, script: &str) {
    host.enter(&["/bin/bash", "-ec", script]).await.must(script);
}

/// A deploy of the other image, with this done to the host in the middle of it.
async fn deploy_while(
    world: &World,
    app: &TestApp<'_>,
    host: &TestHost,
    step: &str,
    to: usize,
    script: &str,
    new: &Path,
) {
    app.image(IMAGES[to]).await;
    let (_, job) = app.request(Target::Head).await;
    world.reach_step(job, step).await;
    haproxy::install(host, new).await;
    bash(host, script).await;
    let ended = world.over(job).await;
    assert_eq!(ended.state, "succeeded", "{ended:#?}");
    let (status, body) = ask(host, DOMAIN, "/").await;
    assert!(status == 200 && body.contains(&(to + 1).to_string()), "{status} {body} {ended:#?}");
    let containers = app.containers(host).await;
    assert_eq!(containers.len(), 1, "{containers:?} {ended:#?}");
}

/// Uploads it, and waits for the host to have it.
async fn upload(world: &World, made: &Made) {
    let input = NewCertificate { chain: made.chain.clone(), key: made.key.clone() };
    certificates::upload(&world.actions(), &world.team.owner, input).await.unwrap();
    let newest = "select id from jobs where kind = 'set_certificates' order by created_at desc limit 1";
    let job: uuid::Uuid = sqlx::query_scalar(newest).fetch_one(&mut world.db.superuser().await).await.unwrap();
    let ended = world.over(JobId(job)).await;
    assert_eq!(ended.state, "succeeded", "{ended:#?}");
}

/// What the look at the host finds about the running proxy's version: "is → should".
async fn found(world: &World, id: HostId) -> Vec<String> {
    let (ctx, owner) = (world.actions(), &world.team.owner);
    let job = hosts::check(&ctx, owner, id).await.unwrap();
    assert_eq!(world.over(job).await.state, "succeeded");
    let seen = hosts::get(&ctx, owner, id).await.unwrap().check.unwrap();
    let about = seen.differences.into_iter().filter(|found| found.what == "version of the running proxy");
    about.map(|found| format!("{} → {}", found.is, found.should)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn haproxy_upgraded_under_the_running_one_in_a_deploy_and_while_certificates_change() {
    let all = versions().await;
    let (host, world) = (TestHost::bare().await, World::new().await);
    let (oldest, newest) = (&all[0], &all[all.len() - 1]);
    haproxy::install(&host, oldest).await;
    let id = world.provision(&host).await;
    for (image, version) in IMAGES.iter().zip(["1", "2"]) {
        host.load_app(image, version).await;
    }
    // One name by plain HTTP, and one that has certificates.
    let mut spec = Spec::web(8080, "/up".parse().unwrap());
    spec.routes =
        [DOMAIN, SECURED].map(|name| Route { domain: name.parse().unwrap(), path: "/".parse().unwrap() }).into();
    (spec.drain_s, spec.watch.seconds, spec.health.start_period_s) = (5, 0, 15);
    let source = Source::Image(Image { image: IMAGES[0].parse().unwrap(), login: None });
    let mut app = world.app_of(id, source, spec).await;
    app.must_deploy().await;
    app.set("START_DELAY_MS", "1500").await;
    let authority = Authority::new("Test Authority");
    let at = host.address.parse().unwrap();
    let shown = async |made: &Made| {
        assert_eq!(authority.get(at, 443, SECURED, "/").await.unwrap().served, made.der);
    };

    // The file is another, and nobody reloads: deploys and certificates go on with the one that runs.
    let probe = Probe::start(&host, DOMAIN);
    deploy_while(&world, &app, &host, "wait until", 1, "true", newest).await;
    assert_eq!(runs(&host).await, haproxy::version(oldest).await);
    probe.clean("a program upgraded under the running one").await;
    let first = authority.issue(&[SECURED], 90);
    upload(&world, &first).await;
    shown(&first).await;

    // The next look says so, and making it ready reloads it.
    let differs = haproxy::version(oldest).await != haproxy::version(newest).await;
    assert_eq!(found(&world, id).await.len(), usize::from(differs));
    let probe = Probe::start(&host, DOMAIN);
    let ended = world.provision_again(id).await;
    assert_eq!(ended.state, "succeeded", "{ended:#?}");
    assert_eq!(runs(&host).await, haproxy::version(newest).await);
    assert_eq!(found(&world, id).await, [""; 0]);
    shown(&first).await;
    assert!(world.provision_again(id).await.steps.iter().all(|step| step.contains(": unchanged")), "once");

    // One version after the other, reloaded in the middle of a deploy as an upgrade by apt may have it done.
    for (n, program) in all.iter().enumerate() {
        let reload = "kill -USR2 $(cat /run/skiff/haproxy.pid)";
        for (step, to) in [("wait until", n % 2), ("send requests", (n + 1) % 2)] {
            deploy_while(&world, &app, &host, step, to, reload, program).await;
            assert_eq!(runs(&host).await, haproxy::version(program).await);
        }
        let made = authority.issue(&[SECURED], 90);
        upload(&world, &made).await;
        shown(&made).await;
    }
    probe.clean("reloaded as another version in deploys").await;

    // Ended and started as another version in the middle of one.
    let probe = Probe::start(&host, DOMAIN);
    for (program, to) in [(oldest, 0), (newest, 1)] {
        let kill = "kill -9 $(pidof haproxy) 2>/dev/null || true";
        deploy_while(&world, &app, &host, "wait until", to, kill, program).await;
        probe.serves_again(BACK_WITHIN).await;
        assert_eq!(runs(&host).await, haproxy::version(program).await);
    }
    probe.clean("at the end").await;
    let last = authority.issue(&[SECURED], 90);
    upload(&world, &last).await;
    shown(&last).await;
    world.quiet().await;
}
