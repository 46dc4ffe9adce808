//! Deploys of one app that are asked for at once, by buttons and by pushes: one runs, one waits, and what was asked for last is
//! what serves.

use std::time::Duration;

use hmac::{Hmac, Mac};
use sha2::Sha256;
use skiff::actions::deploys::{self, RequestDeploy};
use skiff::actions::hooks::{self, Incoming, Received};
use skiff::domain::app::{Route, Spec};
use skiff::domain::deploy::Target;
use skiff::domain::hook::{Answer, Provider};
use skiff::domain::rights::Actor;
use skiff::domain::source::Source;
use tokio_util::sync::CancellationToken;

use crate::build::bench::git;
use crate::build::repo::Repo;
use crate::harness::host::TestHost;
use crate::harness::world::{World, ask};

const DOMAIN: &str = "orders.test";

/// Asks for this many pairs of deploys, one by a button and one by a signed call, at once.
async fn pairs(count: usize) {
    let (host, world) = (TestHost::bare().await, World::new().await);
    let id = world.provision(&host).await;
    for version in ["1", "2"] {
        host.load_app(&format!("127.0.0.1:5000/hello:{version}"), version).await;
    }
    let app = world.app(id, "127.0.0.1:5000/hello:1", DOMAIN).await;
    app.must_deploy().await;
    let (ctx, person) = (world.actions(), Actor::on_the_panels_machine(world.team.id));
    let secret = hooks::create(&ctx, &person, app.id, "generic").await.unwrap().secret;
    let hook = hooks::get(&ctx, &person, app.id).await.unwrap().hook.unwrap().id;
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()).unwrap();
    mac.update(b"");
    let signature = format!("sha256={}", hex::encode(mac.finalize().into_bytes()));

    let stop = CancellationToken::new();
    let (until, mut conn) = (stop.clone(), world.db.superuser().await);
    let app_id = app.id;
    let watching = tokio::spawn(async move {
        let sql = "select count(*) filter (where state = 'running'), count(*) filter (where state = 'queued')
                     from deploys where app_id = $1";
        let mut most = (0_i64, 0_i64);
        while !until.is_cancelled() {
            let (running, waiting) =
                sqlx::query_as::<_, (i64, i64)>(sql).bind(app_id.0).fetch_one(&mut conn).await.unwrap();
            most = (most.0.max(running), most.1.max(waiting));
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        most
    });
    for pair in 0..count {
        app.image(&format!("127.0.0.1:5000/hello:{}", 1 + pair % 2)).await;
        let button = deploys::request(&ctx, &person, app.id, RequestDeploy::default());
        let incoming = Incoming {
            provider: Provider::Generic,
            id: hook.to_string(),
            headers: [("x-skiff-signature".to_owned(), signature.clone())].into(),
            body: Vec::new(),
            address: "192.0.2.1".to_owned(),
            seat: None,
        };
        let (button, push) = tokio::join!(button, hooks::receive(&ctx, incoming));
        button.unwrap();
        assert!(matches!(push, Ok(Received::Kept { answer: Answer::Deploys, .. })), "{push:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let left = "select count(*) from jobs where finished_at is null";
    while sqlx::query_scalar::<_, i64>(left).fetch_one(&mut world.db.superuser().await).await.unwrap() > 0 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    stop.cancel();
    let (running, waiting) = watching.await.unwrap();
    assert_eq!((running, waiting), (1, 1), "one runs, one waits");
    let states: Vec<(String, i64)> =
        sqlx::query_as("select state, count(*) from deploys where app_id = $1 group by state order by state")
            .bind(app.id.0)
            .fetch_all(&mut world.db.superuser().await)
            .await
            .unwrap();
    println!("{count} pairs: {states:?}");
    let all: i64 = states.iter().map(|(_, n)| n).sum();
    assert_eq!(all, 1 + 2 * i64::try_from(count).unwrap(), "each has a row: {states:?}");
    assert!(states.iter().all(|(state, _)| matches!(state.as_str(), "succeeded" | "superseded")), "{states:?}");
    let last = 1 + (count - 1) % 2;
    assert!(ask(&host, DOMAIN, "/").await.1.contains(&last.to_string()), "{states:?}");
    assert_eq!(app.containers(&host).await.len(), 1);
    world.quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_pairs_of_deploys_asked_for_at_once_one_runs_one_waits_and_the_last_serves() {
    pairs(6).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "the whole of it takes minutes: bin/test t14"]
async fn t14_a_hundred_pairs_of_deploys_asked_for_at_once() {
    pairs(100).await;
}

/// A web server whose page is the version, and whose build takes its time.
fn version(repo: &Repo, version: &str, build_s: u8) {
    let dockerfile = format!(
        "FROM busybox:1\nCOPY www /www\nRUN echo building {version}; sleep {build_s}\n\
         CMD [\"httpd\", \"-f\", \"-p\", \"8080\", \"-h\", \"/www\"]\n"
    );
    repo.write("Dockerfile", dockerfile);
    repo.write("www/up", "ok").write("www/index.html", version).commit(&format!("Say {version}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_commit_that_builds_slowly_never_serves_after_a_newer_one() {
    let repo = Repo::new();
    version(&repo, "one", 0);
    let (host, world) = (TestHost::bare().await, World::new().await);
    let id = world.provision(&host).await;
    host.load_busybox("busybox:1").await;
    let spec = |domain: &str| {
        let mut spec = Spec::web(8080, "/up".parse().unwrap());
        spec.routes.push(Route { domain: domain.parse().unwrap(), path: "/".parse().unwrap() });
        (spec.watch.seconds, spec.drain_s, spec.stop_grace_s) = (0, 1, 1);
        spec
    };
    let app = world.app_of(id, Source::Git(git(&repo)), spec(DOMAIN)).await;
    app.must_deploy().await;

    version(&repo, "slow", 5);
    let (_, slow) = app.request(Target::Head).await;
    let building = "select exists (select from job_log where job_id = $1 and line = 'building slow'::bytea)";
    while !sqlx::query_scalar::<_, bool>(building)
        .bind(slow.0)
        .fetch_one(&mut world.db.superuser().await)
        .await
        .unwrap()
    {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    version(&repo, "fast", 0);
    let (_, fast) = app.request(Target::Head).await;
    let (slow, fast) = (world.over(slow).await, world.over(fast).await);
    assert_eq!((slow.state.as_str(), fast.state.as_str()), ("succeeded", "succeeded"), "{slow:#?} {fast:#?}");
    assert_eq!(ask(&host, DOMAIN, "/").await, (200, "fast".into()), "{slow:#?} {fast:#?}");

    // The same commit in another app, at the same time: neither takes the other's image.
    let other = world.app_of(id, Source::Git(git(&repo)), spec("other.test")).await;
    let (own, others) = tokio::join!(app.deploy(), other.deploy());
    assert_eq!((own.state.as_str(), others.state.as_str()), ("succeeded", "succeeded"), "{own:#?} {others:#?}");
    for domain in [DOMAIN, "other.test"] {
        assert_eq!(ask(&host, domain, "/").await, (200, "fast".into()), "{domain}");
    }
    let images: Vec<(String, i64)> =
        sqlx::query_as("select body->>'image', count(distinct app_id) from releases group by 1")
            .fetch_all(&mut world.db.superuser().await)
            .await
            .unwrap();
    assert!(images.iter().all(|(_, apps)| *apps == 1), "an image's name is one app's: {images:?}");
    world.quiet().await;
}
