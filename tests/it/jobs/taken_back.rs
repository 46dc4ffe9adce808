//! A release that turns bad after traffic has moved to it: its watch brings the former one back.

use skiff::actions::apps::AppState;
use skiff::domain::app::Spec;
use skiff::domain::ids::JobId;
use skiff::domain::rights::Actor;

use crate::harness::host::TestHost;
use crate::harness::world::{Ended, World, ask};

const DOMAIN: &str = "watched.test";

/// The newest job of a kind.
async fn newest(world: &World, kind: &str) -> JobId {
    let mut conn = world.db.superuser().await;
    let sql = "select id from jobs where kind = $1 order by id desc limit 1";
    JobId(sqlx::query_scalar(sql).bind(kind).fetch_one(&mut conn).await.unwrap())
}

/// Asks the app until the watch is over.
async fn watched(world: &World, host: &TestHost) -> Ended {
    let visits = async {
        let http = reqwest::Client::new();
        loop {
            // What it answers is the watch's to judge.
            http.get(format!("http://{}/", host.address)).header("host", DOMAIN).send().await.ok();
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    let watch = newest(world, "watch").await;
    tokio::select! {
        ended = world.over(watch) => ended,
        () = visits => unreachable!(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_that_turns_bad_is_taken_back_by_its_watch() {
    let (host, world) = (TestHost::bare().await, World::new().await);
    let id = world.provision(&host).await;
    host.load_app("127.0.0.1:5000/hello:1", "1").await;
    host.load_app("127.0.0.1:5000/hello:2", "2").await;
    let mut app = world.app(id, "127.0.0.1:5000/hello:1", DOMAIN).await;
    let mut good: Spec = app.spec.clone();
    (good.watch.seconds, good.memory_mib, good.stop_grace_s) = (1, Some(64), 1);
    app.save(good.clone()).await;
    app.must_deploy().await;
    let fine = watched(&world, &host).await;
    assert_eq!(fine.state, "succeeded", "{fine:#?}");
    assert!(fine.log.contains("v1 has lived through its watch."), "{fine:#?}");

    app.image("127.0.0.1:5000/hello:2").await;
    let skiff = Actor::on_the_panels_machine(world.team.id);
    // A secret, which the program prints before it ends.
    let flap = world.secret("app", app.id.0, "FLAP_MS", "1200").await;
    let cases: [(&[(&str, &str)], &str); 3] = [
        (&[], "instance 1 restarted 3 times, and ended with status 1"),
        (&[("STATUS", "500"), ("UP_STATUS", "200")], "answers were errors of 500 and above"),
        (
            &[("MEMORY_MB", "512"), ("MEMORY_DELAY_MS", "1200")],
            "restarted 3 times, killed for its memory: it needed more than its limit of 64 MB",
        ),
    ];
    for (round, (variables, words)) in cases.iter().enumerate() {
        let (number, mut bad) = (round + 2, good.clone());
        bad.watch.seconds = 120;
        for (name, value) in *variables {
            bad.variables.insert(name.parse().unwrap(), value.parse().unwrap());
        }
        if variables.is_empty() {
            bad.secrets.insert("FLAP_MS".parse().unwrap(), flap);
        }
        app.save(bad).await;
        app.must_deploy().await;
        let deployed = newest(&world, "deploy").await;
        let watch = watched(&world, &host).await;
        assert_eq!(watch.state, "failed", "{variables:?}: {watch:#?}");
        assert!(watch.reason.starts_with(&format!("v{number} is taken back: ")), "{}", watch.reason);
        assert!(watch.reason.contains(words) && watch.reason.ends_with("v1 is deployed again."), "{}", watch.reason);

        let back = newest(&world, "deploy").await;
        assert_ne!(back, deployed, "a deploy of the former release was asked for");
        let ended = world.over(back).await;
        assert_eq!(ended.state, "succeeded", "{variables:?}: {ended:#?}");
        let (status, body) = ask(&host, DOMAIN, "/").await;
        assert!(status == 200 && body.contains('1'), "{variables:?}: {status} {body}");
        let mut conn = world.db.superuser().await;
        let (state, failure): (String, String) =
            sqlx::query_as("select state, coalesce(failure::text, '') from deploys where job_id = $1")
                .bind(deployed.0)
                .fetch_one(&mut conn)
                .await
                .unwrap();
        assert_eq!(state, "taken_back", "{variables:?}");
        assert!(failure.contains(words), "the deploy says why: {failure}");
        assert!(watch.log.contains("The last lines of instance 1:"), "{watch:#?}");
        if variables.is_empty() {
            assert!(watch.log.contains("ending after ••• ms") && !watch.log.contains("1200"), "{watch:#?}");
        }
        let lines = skiff::actions::apps::list(&world.actions(), &skiff).await.unwrap();
        let line = lines.iter().find(|line| line.id == app.id).unwrap();
        let answers = line.last_deploy.as_ref().and_then(|deploy| deploy.answers.as_ref());
        assert_eq!(line.state, AppState::NeedsYou, "well as it serves, somebody has to look");
        assert!(answers.is_some_and(|taken| taken.why.contains(words)), "{line:#?}");
        assert_eq!(app.containers(&host).await.len(), 1, "{variables:?}: {ended:#?}");
        watched(&world, &host).await;
    }
    world.quiet().await;
}
