//! Repositories without a Dockerfile, from the look to the answer: what Skiff writes is built by a real BuildKit, run, and asked. The
//! base images are made here from Debian's packages, under the names that the texts have.

use std::time::Duration;

use skiff::domain::app::{Route, Spec};
use skiff::domain::ids::HostId;
use skiff::domain::source::Source;
use skiff::jobs::look_at_source::{LookAtSource, lock_key};
use skiff::queue::{self, New};
use sqlx::Row;

use super::bench::git;
use super::repo::Repo;
use super::samples::{FEW, REST, Sample};
use crate::harness::host::{TestHost, run};
use crate::harness::team::cause;
use crate::harness::world::{World, ask};

/// The script that makes the image they all stand on.
const IMAGES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/rig/language-images");
/// What it is called on the host before it gets the names of the texts.
const STAND_IN: &str = "stand-in:1";
/// How often the container's own check is looked for; with the pause between, a minute.
const LOOKS: u32 = 240;
const PAUSE: Duration = Duration::from_millis(250);

/// A host with the stand-in for all images.
async fn host_with(kind: &str, megabytes: u32) -> (TestHost, World, HostId) {
    let archive = run(IMAGES, &[kind]).await.must("the images are made");
    let (host, world) = (TestHost::bare_with_disk(megabytes).await, World::new().await);
    let id = world.provision(&host).await;
    let set =
        ["ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "ENV APACHE_CONFDIR=/etc/apache2"];
    host.docker(&["import", "--change", set[0], "--change", set[1], archive.trim(), STAND_IN]).await;
    (host, world, id)
}

/// Looks at it, gives the stand-in the names that the text says, deploys, asks, and looks at the container.
async fn serves(host: &TestHost, world: &World, id: HostId, sample: &Sample) {
    let repo = Repo::new();
    for (path, text) in sample.files {
        repo.write(path, text);
    }
    repo.commit("All of it");
    let domain = format!("{}.test", sample.name);
    let mut spec = Spec::web(8080, "/up".parse().unwrap());
    spec.routes.push(Route { domain: domain.parse().unwrap(), path: "/".parse().unwrap() });
    (spec.watch.seconds, spec.drain_s) = (0, 1);
    let app = world.app_of(id, Source::Git(git(&repo)), spec).await;

    let mut tx = world.db.begin(&world.team.permit).await.unwrap();
    let new = New { lock_key: Some(lock_key(app.source)), ..New::new("Look", cause()) };
    let looking = queue::push(&mut tx, &world.team.permit, &LookAtSource { app: app.id }, new).await.unwrap().job;
    tx.commit().await.unwrap();
    let looked = world.over(looking).await;
    assert_eq!(looked.state, "succeeded", "{looked:#?}");
    assert!(looked.log.contains(&format!("Skiff wrote one: {}, by ", sample.language)), "{looked:#?}");
    let mut conn = world.db.superuser().await;
    let text: String = sqlx::query("select dockerfile from sources where id = $1")
        .bind(app.source.0)
        .fetch_one(&mut conn)
        .await
        .unwrap()
        .get(0);
    for name in text.lines().filter_map(|line| line.strip_prefix("FROM ")?.split(' ').next()) {
        host.docker(&["tag", STAND_IN, name]).await;
    }

    let first = app.deploy().await;
    assert_eq!(first.state, "succeeded", "{first:#?}\n{text}");
    assert!(first.log.contains("using the one kept in Skiff, written by Skiff"), "{}", first.log);
    let answer = ask(host, &domain, "/").await;
    assert_eq!((answer.0, answer.1.trim()), (200, sample.says), "{text}");
    if sample.name == "static" {
        assert_eq!(ask(host, &domain, "/.env").await.0, 404);
        assert_eq!(ask(host, &domain, "/.skiff.dockerfile").await.0, 404);
        assert_eq!(ask(host, &domain, "/node_modules/x/index.js").await.0, 404);
    }
    let kept: Option<String> = sqlx::query("select dockerfile from releases where app_id = $1")
        .bind(app.id.0)
        .fetch_one(&mut conn)
        .await
        .unwrap()
        .get(0);
    assert_eq!(kept.as_ref(), Some(&text), "the release knows what it was built with");

    let containers = app.containers(host).await;
    assert_eq!(containers.len(), 1, "{containers:?}");
    let name = containers.keys().next().unwrap();
    assert_ne!(host.docker(&["exec", name, "id", "-u"]).await.trim(), "0", "it runs as root");
    let mut health = String::new();
    for _ in 0..LOOKS {
        health = host.docker(&["inspect", "--format", "{{.State.Health.Status}}", name]).await;
        if health.trim() == "healthy" {
            break;
        }
        tokio::time::sleep(PAUSE).await;
    }
    assert_eq!(health.trim(), "healthy", "the check in the text\n{text}");

    let again = app.deploy().await;
    assert!(again.steps[0].contains("already built"), "{:#?}", again.steps);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_skiff_writes_for_sites_node_and_python_is_built_and_answers() {
    let (host, world, id) = host_with("few", 6144).await;
    for sample in FEW {
        serves(&host, &world, id, sample).await;
    }
    world.quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "compilers of all languages are fetched, more than a gigabyte: bin/test t_languages"]
async fn t_languages_all_are_built_and_answer() {
    let (host, world, id) = host_with("all", 12288).await;
    for sample in FEW.iter().chain(REST) {
        serves(&host, &world, id, sample).await;
    }
    world.quiet().await;
}
