//! The real program, killed with `kill -9` in every step of a deploy and started again: the deploy ends by itself, one
//! set of containers serves, nobody who asks the app notices, and the log has no gap, also for a browser that follows it.

use std::time::Duration;

use futures_util::StreamExt;
use skiff::domain::app::{Route, Spec};
use skiff::domain::deploy::Target;
use skiff::domain::ids::DeployId;
use skiff::domain::source::Source;

use crate::build::bench::git;
use crate::build::repo::Repo;
use crate::harness::door::Visitor;
use crate::harness::host::TestHost;
use crate::harness::postgres::fresh_database;
use crate::harness::probe::Probe;
use crate::harness::program::{EMAIL, Program, owner};
use crate::harness::world::{World, ask};

#[tokio::test(flavor = "multi_thread")]
async fn the_program_killed_in_any_step_of_a_deploy_goes_on_with_it_when_started_again() {
    let (host, world) = (TestHost::bare().await, World::idle(fresh_database().await).await);
    let slug = owner(&world).await;
    let mut program = Program::start(&world).await;
    let id = world.provision(&host).await;
    for version in ["1", "2"] {
        host.load_app(&format!("127.0.0.1:5000/hello:{version}"), version).await;
    }
    let app = world.app(id, "127.0.0.1:5000/hello:1", "killed.test").await;
    app.must_deploy().await;
    app.image("127.0.0.1:5000/hello:2").await;
    // The steps of a deploy that replaces another: a new one joins by itself.
    let whole = app.must_deploy().await;
    let mut ada = Visitor::of(&program.base);
    ada.sign_in(EMAIL).await;
    for (round, step) in whole.steps.iter().enumerate() {
        let version = if round % 2 == 0 { "1" } else { "2" };
        app.image(&format!("127.0.0.1:5000/hello:{version}")).await;
        let probe = Probe::start(&host, "killed.test");
        let (deploy, job) = app.request(Target::Head).await;
        let follower = tokio::spawn(follow(ada.clone(), slug.clone(), deploy));
        world.reach_step_number(job, i32::try_from(round).unwrap() + 1).await;
        program.kill().await;
        program.again().await;
        let ended = world.over(job).await;
        assert_eq!(ended.state, "succeeded", "{step}: {ended:#?}\n{}", program.log());
        let (status, body) = ask(&host, "killed.test", "/").await;
        assert!(status == 200 && body.contains(version), "{step}: {status} {body}");
        let containers = app.containers(&host).await;
        assert_eq!(containers.len(), 1, "{step}: {containers:?} {ended:#?}");
        probe.clean(step).await;
        let numbers = world.log_numbers(job).await;
        let without_gap: Vec<i64> = (1..).take(numbers.len()).collect();
        assert_eq!(numbers, without_gap, "{step}");
        let followed = tokio::time::timeout(Duration::from_secs(30), follower).await;
        assert_eq!(followed.expect("the stream ends").unwrap(), without_gap, "{step}: as followed");
    }
    let seated = program.log().matches("jobs that the former process left are taken up again").count();
    println!("{} steps, {seated} times a deploy was taken over at the start", whole.steps.len());
    assert!(seated > 0, "{}", program.log());
    crate::harness::quiet::assert_quiet(&world.db).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_killed_in_a_build_builds_again_and_another_folder_waits_for_the_lease() {
    let repo = Repo::new();
    let version = |version: &str| {
        let dockerfile = "FROM busybox:1\nCOPY www /www\nRUN echo building; sleep 2\n\
                          CMD [\"httpd\", \"-f\", \"-p\", \"8080\", \"-h\", \"/www\"]\n";
        repo.write("Dockerfile", dockerfile);
        repo.write("www/up", "ok").write("www/index.html", version).commit(&format!("Say {version}"));
    };
    version("one");
    let (host, world) = (TestHost::bare().await, World::idle(fresh_database().await).await);
    let mut program = Program::start(&world).await;
    let id = world.provision(&host).await;
    host.load_busybox("busybox:1").await;
    let mut spec = Spec::web(8080, "/up".parse().unwrap());
    spec.routes.push(Route { domain: "git.test".parse().unwrap(), path: "/".parse().unwrap() });
    (spec.watch.seconds, spec.drain_s, spec.stop_grace_s) = (0, 2, 1);
    let app = world.app_of(id, Source::Git(git(&repo)), spec).await;
    app.must_deploy().await;

    version("two");
    let probe = Probe::start(&host, "git.test");
    let (_, job) = app.request(Target::Head).await;
    until_said(&world, job, "building").await;
    program.kill().await;
    // As on another machine: who takes the job over knows nothing of the dead one but its lease.
    let seat = std::fs::File::open(world.data_dir().join("worker.lock")).unwrap();
    seat.lock().unwrap();
    program.again().await;
    let leased = "select state = 'running' and lease_until > now() from jobs where id = $1";
    let mut conn = world.db.superuser().await;
    assert!(
        sqlx::query_scalar::<_, bool>(leased).bind(job.0).fetch_one(&mut conn).await.unwrap(),
        "nobody takes it yet"
    );
    world.leases_run_out().await;
    let ended = world.over(job).await;
    assert_eq!(ended.state, "succeeded", "{ended:#?}");
    assert_eq!(ask(&host, "git.test", "/").await, (200, "two".into()), "{ended:#?}");
    assert_eq!(app.containers(&host).await.len(), 1, "{ended:#?}");
    probe.clean("a build").await;
    let numbers = world.log_numbers(job).await;
    assert_eq!(numbers, (1..).take(numbers.len()).collect::<Vec<i64>>());
    crate::harness::quiet::assert_quiet(&world.db).await;
}

/// Waits until a job's log has a line that is this.
async fn until_said(world: &World, job: skiff::domain::ids::JobId, line: &str) {
    let mut conn = world.db.superuser().await;
    for _ in 0..3000 {
        let sql = "select exists (select from job_log where job_id = $1 and line = $2)
                       or exists (select from jobs where id = $1 and finished_at is not null)";
        if sqlx::query_scalar(sql).bind(job.0).bind(line.as_bytes()).fetch_one(&mut conn).await.unwrap() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("'{line}' was never said");
}

/// Follows a deploy's live log as a browser does, over deaths of the panel: connects again with the last event's id,
/// until the stream says that it is over. Gives the numbers of the lines as they came.
async fn follow(visitor: Visitor, slug: String, deploy: DeployId) -> Vec<i64> {
    let (mut lines, mut last) = (Vec::new(), String::new());
    loop {
        let mut request = visitor.http.get(visitor.at(&format!("/t/{slug}/deploys/{deploy}/live?after=0")));
        if !last.is_empty() {
            request = request.header("last-event-id", &last);
        }
        if let Ok(answer) = request.send().await
            && answer.status() == 200
        {
            let (mut stream, mut text) = (answer.bytes_stream(), String::new());
            while let Some(Ok(chunk)) = stream.next().await {
                text.push_str(&String::from_utf8_lossy(&chunk));
                while let Some((event, rest)) = text.split_once("\n\n") {
                    let event = event.to_owned();
                    text = rest.to_owned();
                    let numbers = event.split("id=\"L").skip(1).filter_map(|text| text.split('"').next()?.parse().ok());
                    lines.extend::<Vec<i64>>(numbers.collect());
                    if let Some(id) = event.lines().find_map(|line| line.strip_prefix("id: ")) {
                        last = id.to_owned();
                    }
                    if event.contains("event: done") {
                        return lines;
                    }
                }
            }
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
