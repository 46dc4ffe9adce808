//! A removed app goes from its hosts with everything that was made for it and nothing else, whatever happens meanwhile.

use skiff::actions::apps::{self, RemoveApp};
use skiff::actions::volumes::{self, RemoveCopy, RemoveVolume};
use skiff::actions::{Refused, deploys, hosts, jobs, releases};
use skiff::domain::app::{Mount, Spec};
use skiff::domain::deploy::Target;
use skiff::domain::ids::{AppId, JobId, VolumeId};
use skiff::domain::rights::Actor;
use skiff::domain::source::{Image, Source};

use crate::harness::fleet;
use crate::harness::host::TestHost;
use crate::harness::postgres::fresh_database;
use crate::harness::program::Program;
use crate::harness::world::{TestApp, World, ask};

const V1: &str = "127.0.0.1:5000/hello:1";
const V2: &str = "127.0.0.1:5000/hello:2";

pub fn person(world: &World) -> Actor {
    Actor::on_the_panels_machine(world.team.id)
}

async fn count(world: &World, what: &'static str, id: uuid::Uuid) -> i64 {
    sqlx::query_scalar(what).bind(id).fetch_one(&mut world.db.superuser().await).await.unwrap()
}

/// Removes an app as its page does.
pub async fn remove(world: &World, app: AppId) -> JobId {
    let name: String = sqlx::query_scalar("select name from apps where id = $1")
        .bind(app.0)
        .fetch_one(&mut world.db.superuser().await)
        .await
        .unwrap();
    let form = RemoveApp { name, volumes: String::new() };
    apps::remove(&world.actions(), &person(world), app, form).await.unwrap()
}

/// What is left of an app on a host: containers, its folder, mentions in the proxy's files.
async fn left(app: &TestApp<'_>, host: &TestHost, domain: &str) -> Vec<String> {
    let mut left: Vec<String> = app.containers(host).await.into_keys().collect();
    let folder = host.path(&format!("/var/lib/skiff/apps/{}", app.id.simple()));
    left.extend(folder.exists().then(|| folder.display().to_string()));
    for file in ["/etc/skiff/haproxy.cfg", "/etc/skiff/maps/routes.map"] {
        let text = std::fs::read_to_string(host.path(file)).unwrap();
        let (id, simple) = (app.id.to_string(), app.id.simple());
        let found = text.lines().filter(|line| [&id, &simple, domain].iter().any(|word| line.contains(*word)));
        left.extend(found.map(|line| format!("{file}: {line}")));
    }
    left
}

/// Names of ours for images on a host.
async fn images(host: &TestHost) -> usize {
    let images = host.docker(&["image", "ls", "--format", "{{.Repository}}"]).await;
    images.lines().filter(|line| line.starts_with("skiff")).count()
}

/// Networks of ours on a host.
pub async fn networks(host: &TestHost) -> usize {
    let all = host.docker(&["network", "ls", "--format", "{{.Name}}"]).await;
    all.lines().filter(|line| line.starts_with("skiff-")).count()
}

/// An app that starts and ends quickly.
pub async fn quick<'a>(world: &'a World, host: skiff::domain::ids::HostId, domain: &str) -> TestApp<'a> {
    let mut app = world.app(host, V1, domain).await;
    let mut spec = app.spec.clone();
    (spec.drain_s, spec.stop_grace_s) = (1, 1);
    app.save(spec).await;
    app
}

/// The same with a volume.
async fn with_volume<'a>(world: &'a World, app: &TestApp<'a>, volume: VolumeId) -> (TestApp<'a>, Spec) {
    let mut spec = app.spec.clone();
    spec.routes.clear();
    let without = spec.clone();
    spec.mounts.push(Mount { volume, name: "data".parse().unwrap(), path: "/data".parse().unwrap() });
    let source = Source::Image(Image { image: V1.parse().unwrap(), login: None });
    (world.app_of(app.host, source, spec).await, without)
}

#[tokio::test(flavor = "multi_thread")]
async fn all_that_is_ours_goes_and_nothing_else_and_history_stays() {
    let (host, world) = (TestHost::bare().await, World::new().await);
    let id = world.provision(&host).await;
    for (image, version) in [(V1, "1"), (V2, "2")] {
        host.load_app(image, version).await;
    }
    host.docker(&["volume", "create", "precious"]).await;
    host.docker(&["run", "-d", "--name", "theirs", V1]).await;
    let foreign = host.foreign_inventory().await;
    let other = quick(&world, id, "stays.test").await;
    other.must_deploy().await;
    let beside = (images(&host).await, networks(&host).await);

    let mut app = quick(&world, id, "goes.test").await;
    let secret = world.secret("app", app.id.0, "KEY", "s3cret").await;
    let mut spec = app.spec.clone();
    spec.secrets.insert("KEY".parse().unwrap(), secret);
    app.save(spec).await;
    app.must_deploy().await;
    app.image(V2).await;
    app.must_deploy().await;
    app.set("EXIT_CODE", "3").await;
    assert_eq!(app.deploy().await.state, "failed", "a container of it is kept for inspection");
    assert!(images(&host).await > beside.0 && networks(&host).await > beside.1);

    let (actions, by) = (world.actions(), person(&world));
    let ended = world.over(remove(&world, app.id).await).await;
    assert_eq!(ended.state, "succeeded", "{ended:#?}");
    assert_eq!(left(&app, &host, "goes.test").await, Vec::<String>::new(), "{ended:#?}");
    assert_eq!((images(&host).await, networks(&host).await), beside, "{ended:#?}");
    assert_eq!(ask(&host, "goes.test", "/").await.0, 421);
    assert_eq!(ask(&host, "stays.test", "/").await.0, 200);
    assert_eq!(host.foreign_inventory().await, foreign, "nothing of others was touched");
    for open in [
        "select count(*) from ledger_instances where app_id = $1 and removed_at is null",
        "select count(*) from ledger_images where app_id = $1 and removed_at is null",
        "select count(*) from ledger_backends where app_id = $1",
        "select count(*) from secrets where owner_id = $1",
        "select count(*) from releases where app_id = $1 and retired_at is null",
    ] {
        assert_eq!(count(&world, open, app.id.0).await, 0, "{open}");
    }
    let gone = apps::gone(&actions, &by, app.id).await.unwrap();
    assert!(gone.cleared && gone.deploys.len() == 3 && gone.job.is_none());
    assert!(!deploys::get(&actions, &by, gone.deploys[0].id).await.unwrap().may_deploy);
    assert!(!releases::get(&actions, &by, app.id, 1).await.unwrap().line.kept);

    // Its address and its place in the proxy are another's.
    let next = quick(&world, id, "goes.test").await;
    next.must_deploy().await;
    assert_eq!(ask(&host, "goes.test", "/").await.0, 200);
    // One that never was deployed has nothing anywhere.
    let never = quick(&world, id, "never.test").await;
    let ended = world.over(remove(&world, never.id).await).await;
    assert!(ended.state == "succeeded" && ended.steps.is_empty(), "{ended:#?}");
    world.quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn removed_in_any_step_of_a_deploy_nothing_of_it_is_left() {
    let (host, world) = (TestHost::bare().await, World::new().await);
    let id = world.provision(&host).await;
    for (image, version) in [(V1, "1"), (V2, "2")] {
        host.load_app(image, version).await;
    }
    let foreign = host.foreign_inventory().await;
    let whole = quick(&world, id, "any.test").await;
    whole.must_deploy().await;
    whole.image(V2).await;
    let steps = whole.must_deploy().await.steps;
    world.over(remove(&world, whole.id).await).await;
    for (round, step) in steps.iter().enumerate() {
        let app = quick(&world, id, "any.test").await;
        app.must_deploy().await;
        app.image(V2).await;
        let (_, running) = app.request(Target::Head).await;
        world.reach_step_number(running, i32::try_from(round).unwrap() + 1).await;
        let (_, waiting) = app.request(Target::Head).await;
        let begun = std::time::Instant::now();
        let job = remove(&world, app.id).await;
        println!("{step}: accepted after {} ms", begun.elapsed().as_millis());
        let ended = world.over(job).await;
        assert_eq!(ended.state, "succeeded", "{step}: {ended:#?}");
        let states = (world.over(running).await.state, world.over(waiting).await.state);
        assert!(matches!(states.0.as_str(), "cancelled" | "succeeded"), "{step}: {states:?}");
        // The second may have begun where the first was over by then.
        assert!(matches!(states.1.as_str(), "superseded" | "cancelled" | "succeeded"), "{step}: {states:?}");
        assert_eq!(left(&app, &host, "any.test").await, Vec::<String>::new(), "{step}: {ended:#?}");
        assert_eq!((images(&host).await, networks(&host).await), (0, 0), "{step}: {ended:#?}");
    }
    assert_eq!(host.foreign_inventory().await, foreign, "nothing of others was touched");
    world.quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_killed_in_any_step_of_a_removal_goes_on_with_it() {
    let (host, world) = (TestHost::bare().await, World::idle(fresh_database().await).await);
    let mut program = Program::start(&world).await;
    let id = world.provision(&host).await;
    host.load_app(V1, "1").await;
    let foreign = host.foreign_inventory().await;
    let whole = quick(&world, id, "kill.test").await;
    whole.must_deploy().await;
    let steps = world.over(remove(&world, whole.id).await).await.steps;
    assert!(steps.len() > 6, "{steps:#?}");
    for (round, step) in steps.iter().enumerate() {
        let app = quick(&world, id, "kill.test").await;
        app.must_deploy().await;
        let job = remove(&world, app.id).await;
        world.reach_step_number(job, i32::try_from(round).unwrap() + 1).await;
        program.kill().await;
        program.again().await;
        let ended = world.over(job).await;
        assert_eq!(ended.state, "succeeded", "{step}: {ended:#?}\n{}", program.log());
        assert_eq!(left(&app, &host, "kill.test").await, Vec::<String>::new(), "{step}: {ended:#?}");
        assert_eq!((images(&host).await, networks(&host).await), (0, 0), "{step}: {ended:#?}");
        assert!(apps::gone(&world.actions(), &person(&world), app.id).await.unwrap().cleared, "{step}");
    }
    assert_eq!(host.foreign_inventory().await, foreign, "nothing of others was touched");
    crate::harness::quiet::assert_quiet(&world.db).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_is_away_keeps_no_other_and_is_cleared_when_it_is_back() {
    let (a, b, world) = (TestHost::bare().await, TestHost::bare().await, World::new().await);
    let ids = fleet::ready(&world, &[&a, &b]).await;
    for host in [&a, &b] {
        host.load_app(V1, "1").await;
    }
    fleet::reachable(&world, ids[0], &a).await;
    fleet::reachable(&world, ids[1], &b).await;
    let mut app = quick(&world, ids[0], "away.test").await;
    fleet::place(&world, app.id, &mut app.spec, &[(ids[0], 1), (ids[1], 1)]).await;
    app.must_deploy().await;
    b.cut_with_resets().await;
    let job = remove(&world, app.id).await;
    let (actions, by) = (world.actions(), person(&world));
    let waits = "select count(*) from jobs where id = $1 and state = 'queued' and attempt = 0 and wait_reason like '%does not answer%'";
    for _ in 0..600 {
        if count(&world, waits, job.0).await == 1 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert_eq!(count(&world, waits, job.0).await, 1, "{:#?}", jobs::get(&actions, &by, job).await.unwrap());
    assert_eq!(left(&app, &a, "away.test").await, Vec::<String>::new());
    // What is left is told where one looks for it, and nobody can leave it at that.
    let page = hosts::get(&actions, &by, ids[1]).await.unwrap();
    assert_eq!((page.leaving.len(), page.leaving[0].left, page.leaving[0].job), (1, (1, 1), Some(job)));
    assert!(hosts::get(&actions, &by, ids[0]).await.unwrap().leaving.is_empty());
    assert!(apps::gone(&actions, &by, app.id).await.unwrap().waits.contains("does not answer"));
    assert!(matches!(jobs::cancel(&actions, &by, job).await, Err(Refused::Conflict(_))));

    // While its watch says that it is away, it is not even asked.
    b.heal().await;
    let mut root = world.db.superuser().await;
    let mut again = async |state: &str| {
        sqlx::query("update hosts set state = $2 where id = $1")
            .bind(ids[1].0)
            .bind(state)
            .execute(&mut root)
            .await
            .unwrap();
        sqlx::query("update jobs set run_at = now() where id = $1").bind(job.0).execute(&mut root).await.unwrap();
    };
    again("unreachable").await;
    let due = "select count(*) from jobs where id = $1 and (state <> 'queued' or run_at <= now())";
    for _ in 0..600 {
        if count(&world, due, job.0).await == 0 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert_eq!(count(&world, waits, job.0).await, 1, "{:#?}", jobs::get(&actions, &by, job).await.unwrap());
    assert!(!left(&app, &b, "away.test").await.is_empty());
    again("ready").await;
    let ended = world.over(job).await;
    assert_eq!(ended.state, "succeeded", "{ended:#?}");
    assert_eq!(left(&app, &b, "away.test").await, Vec::<String>::new(), "{ended:#?}");
    assert!(hosts::get(&actions, &by, ids[1]).await.unwrap().leaving.is_empty());
    world.quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn volumes_stay_until_their_names_are_typed() {
    let (host, world) = (TestHost::bare().await, World::new().await);
    let id = world.provision(&host).await;
    host.load_app(V1, "1").await;
    let plain = quick(&world, id, "plain.test").await;
    let volumes_on = async || host.docker(&["volume", "ls", "--quiet"]).await;
    let (stays, goes) = (VolumeId(uuid::Uuid::now_v7()), VolumeId(uuid::Uuid::now_v7()));
    let ((one, _), (two, _)) = (with_volume(&world, &plain, stays).await, with_volume(&world, &plain, goes).await);
    one.must_deploy().await;
    two.must_deploy().await;
    let (actions, by) = (world.actions(), person(&world));
    let ended = world.over(remove(&world, one.id).await).await;
    assert!(ended.state == "succeeded" && ended.log.contains("Its volumes stay with their data: data"), "{ended:#?}");
    let name = apps::get(&actions, &by, two.id).await.unwrap().line.name;
    let job = apps::remove(&actions, &by, two.id, RemoveApp { name, volumes: "data".into() }).await.unwrap();
    assert_eq!(world.over(job).await.state, "succeeded");
    let removal: uuid::Uuid = sqlx::query_scalar("select id from jobs where kind = 'remove_volume'")
        .fetch_one(&mut world.db.superuser().await)
        .await
        .unwrap();
    assert_eq!(world.over(JobId(removal)).await.state, "succeeded");
    let there = volumes_on().await;
    assert!(there.contains(&stays.simple()) && !there.contains(&goes.simple()), "{there}");

    let listed = volumes::left(&actions, &by).await.unwrap();
    assert_eq!((listed.len(), listed[0].id), (1, stays));
    let form = RemoveVolume { name: "data".into() };
    let job = volumes::remove_left(&actions, &by, stays, form).await.unwrap().unwrap();
    assert_eq!(world.over(job).await.state, "succeeded");
    assert!(!volumes_on().await.contains(&stays.simple()));
    assert!(volumes::left(&actions, &by).await.unwrap().is_empty());
    world.quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_moved_leaves_a_copy_that_is_told_of_and_goes_by_its_name() {
    let (a, b, world) = (TestHost::bare().await, TestHost::bare().await, World::new().await);
    let ids = fleet::ready(&world, &[&a, &b]).await;
    for host in [&a, &b] {
        host.load_app(V1, "1").await;
    }
    let plain = quick(&world, ids[0], "plain.test").await;
    let volume = VolumeId(uuid::Uuid::now_v7());
    let (app, without) = with_volume(&world, &plain, volume).await;
    let with = app.spec.clone();
    app.must_deploy().await;
    // One that is found on the host is noted there.
    let mut root = world.db.superuser().await;
    for forget in [
        "delete from ledger_volume_places where volume_id = $1",
        "update ledger_volumes set host_id = null where id = $1",
    ] {
        sqlx::query(forget).bind(volume.0).execute(&mut root).await.unwrap();
    }
    app.must_deploy().await;
    let noted = "select count(*) from ledger_volume_places p join ledger_volumes v on v.id = p.volume_id and v.host_id = p.host_id where v.id = $1";
    assert_eq!(count(&world, noted, volume.0).await, 1);
    let (actions, by) = (world.actions(), person(&world));
    let copies = async || apps::get(&actions, &by, app.id).await.unwrap().volumes.remove(0).copies;
    assert!(copies().await.is_empty());
    let gone = async |host: skiff::domain::ids::HostId, name: &str| {
        let form = RemoveCopy { host: host.to_string(), name: name.into() };
        volumes::remove_copy(&actions, &by, app.id, volume, form).await
    };
    assert!(matches!(gone(ids[0], "data").await, Err(Refused::Conflict(words)) if words.contains("no former copy")));

    let mut moved = world.known_app(app.id, app.source, ids[1], without);
    moved.place(ids[1]).await;
    moved.must_deploy().await;
    moved.save(with).await;
    moved.must_deploy().await;
    let told = copies().await;
    assert_eq!((told.len(), told[0].host), (1, ids[0]));
    assert!(matches!(gone(ids[1], "data").await, Err(Refused::Conflict(_))), "that is where it runs");
    assert!(matches!(gone(ids[0], "Data").await, Err(Refused::Fields(_))));
    let job = gone(ids[0], "data").await.unwrap().unwrap();
    let ended = world.over(job).await;
    assert_eq!(ended.state, "succeeded", "{ended:#?}");
    let on = async |host: &TestHost| host.docker(&["volume", "ls", "--quiet"]).await.contains(&volume.simple());
    assert!(!on(&a).await && on(&b).await);
    assert!(copies().await.is_empty());
    let kept = "select count(*) from ledger_volumes where id = $1 and removed_at is null and host_id is not null";
    assert_eq!(count(&world, kept, volume.0).await, 1);

    world.quiet().await;
}
