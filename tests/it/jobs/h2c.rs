//! Deploys are asked for through the proxy as visitors come: by HTTPS where there is a certificate; and an app that speaks HTTP/2 alone is
//! asked for its health so.

use skiff::actions::certificates::{self, NewCertificate};
use skiff::actions::routes::{self, EditFront};
use skiff::domain::app::{Probe, Spec};
use skiff::domain::ids::JobId;

use crate::harness::host::TestHost;
use crate::harness::tls::Authority;
use crate::harness::world::{TestApp, World, ask};

const IMAGE: &str = "127.0.0.1:5000/hello:1";

/// Uploads a certificate for the domain, and waits until a visitor is shown it.
async fn secure(world: &World, host: &TestHost, domain: &str) -> Authority {
    let authority = Authority::new("Test Authority");
    let made = authority.issue(&[domain], 90);
    let input = NewCertificate { chain: made.chain, key: made.key };
    certificates::upload(&world.actions(), &world.team.owner, input).await.unwrap();
    let job = "select id from jobs where kind = 'set_certificates' order by created_at desc limit 1";
    let job: uuid::Uuid = sqlx::query_scalar(job).fetch_one(&mut world.db.superuser().await).await.unwrap();
    assert_eq!(world.over(JobId(job)).await.state, "succeeded");
    authority.get(host.address.parse().unwrap(), 443, domain, "/").await.unwrap();
    authority
}

/// Has the proxies speak HTTP/2 to the app, or not.
async fn speak(world: &World, app: &TestApp<'_>, h2c: &str) {
    let front = EditFront { h2c: h2c.into(), ..EditFront::default() };
    let changed = routes::set_front(&world.actions(), &world.team.owner, app.id, front).await.unwrap();
    if let Some(job) = changed.job {
        let ended = world.over(job).await;
        assert_eq!(ended.state, "succeeded", "{ended:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_certificate_the_app_itself_is_asked_and_a_broken_one_found_out() {
    let (host, world) = (TestHost::bare().await, World::new().await);
    let id = world.provision(&host).await;
    host.load_app(IMAGE, "1").await;
    let mut app = world.app(id, IMAGE, "shop.test").await;
    app.must_deploy().await;
    let authority = secure(&world, &host, "shop.test").await;
    let answers = |steps: &[String], what: &str| steps.iter().any(|step| step.contains(what));
    let ended = app.must_deploy().await;
    assert!(answers(&ended.steps, "shop.test answers 200"), "{ended:#?}");

    // A redirect of the app's own is an answer of the app's. (With the first deploy the former instance may still be the one that is met.)
    app.set("REDIRECT", "https://shop.test/up").await;
    let tcp = |spec: &Spec| {
        let mut spec = spec.clone();
        spec.health.probe = Probe::Tcp;
        spec
    };
    app.save(tcp(&app.spec)).await;
    app.must_deploy().await;
    let ended = app.must_deploy().await;
    assert!(answers(&ended.steps, "shop.test answers 301"), "{ended:#?}");
    let mut spec = app.spec.clone();
    spec.variables.clear();
    app.save(spec).await;
    app.must_deploy().await;

    // The port opens, and by HTTP/2 the app answers nothing: no visitor is served.
    speak(&world, &app, "yes").await;
    let ended = app.deploy().await;
    assert_eq!(ended.state, "failed", "{ended:#?}");
    assert!(ended.reason.contains("no request came through the proxy"), "{}", ended.reason);
    // 502 where it closes the connection, 503 where that breaks before the request is sent.
    assert!(ended.reason.contains("shop.test/: the proxy answers 50"), "{}", ended.reason);

    // Asked for its health as the proxy asks it, that is found out before anything is turned.
    let mut spec = app.spec.clone();
    spec.health.probe = Probe::Http { path: "/up".parse().unwrap() };
    spec.health.start_period_s = 2;
    app.save(spec.clone()).await;
    let ended = app.deploy().await;
    assert_eq!(ended.state, "failed", "{ended:#?}");
    assert!(ended.reason.contains("The health check's connection to port 8080 was refused or cut"), "{}", ended.reason);

    speak(&world, &app, "no").await;
    spec.health.start_period_s = 15;
    app.save(spec).await;
    let ended = app.must_deploy().await;
    assert!(answers(&ended.steps, "shop.test answers 200"), "{ended:#?}");
    assert_eq!(authority.get(host.address.parse().unwrap(), 443, "shop.test", "/").await.unwrap().status, 200);
    world.quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_speaks_http_2_alone_is_healthy_from_its_first_deploy() {
    let (host, world) = (TestHost::bare().await, World::new().await);
    let id = world.provision(&host).await;
    host.load_app(IMAGE, "1").await;
    let mut app = world.app(id, IMAGE, "grpc.test").await;
    app.set("H2C", "1").await;
    speak(&world, &app, "yes").await;
    let ended = app.must_deploy().await;
    assert!(ended.steps.iter().any(|step| step.contains("grpc.test answers 200")), "{ended:#?}");
    assert_eq!(ask(&host, "grpc.test", "/").await, (200, "1\n".to_owned()));

    let authority = secure(&world, &host, "grpc.test").await;
    let ended = app.must_deploy().await;
    assert!(ended.steps.iter().any(|step| step.contains("grpc.test answers 200")), "{ended:#?}");
    let answer = authority.get(host.address.parse().unwrap(), 443, "grpc.test", "/").await.unwrap();
    assert_eq!((answer.status, answer.body.trim()), (200, "1"));
    world.quiet().await;
}
