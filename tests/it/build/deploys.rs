//! Deploys of a repository, from the push to the answer: built, served, and going on where a build fails.

use skiff::domain::app::{Route, Spec};
use skiff::domain::source::Source;

use super::bench::git;
use super::repo::Repo;
use crate::harness::fleet;
use crate::harness::host::TestHost;
use crate::harness::world::{World, ask};

/// A web server whose page is the version.
fn version(repo: &Repo, version: &str) {
    repo.write(
        "Dockerfile",
        "FROM busybox:1\nRUN echo once > /once\nCOPY www /www\nCMD [\"httpd\", \"-f\", \"-p\", \"8080\", \"-h\", \"/www\"]\n",
    );
    repo.write("www/up", "ok").write("www/index.html", version).commit(&format!("Say {version}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_is_built_and_served_and_a_bad_one_leaves_the_old_version_serving() {
    let repo = Repo::new();
    version(&repo, "one");
    let (host, world) = (TestHost::bare().await, World::new().await);
    let id = world.provision(&host).await;
    host.load_busybox("busybox:1").await;
    let mut spec = Spec::web(8080, "/up".parse().unwrap());
    spec.routes.push(Route { domain: "git.test".parse().unwrap(), path: "/".parse().unwrap() });
    spec.watch.seconds = 0;
    spec.drain_s = 2;
    let app = world.app_of(id, Source::Git(git(&repo)), spec).await;
    let first = app.must_deploy().await;
    assert_eq!(ask(&host, "git.test", "/").await, (200, "one".into()), "{first:#?}");

    version(&repo, "two");
    let second = app.must_deploy().await;
    assert_eq!(ask(&host, "git.test", "/").await.1, "two", "{second:#?}");
    assert!(second.steps[0].contains("1 of 2 steps cached"), "{:#?}", second.steps);

    // The same commit again: nothing is built.
    let again = app.must_deploy().await;
    assert!(again.steps[0].contains("already built"), "{:#?}", again.steps);

    repo.write("Dockerfile", "FROM busybox:1\nRUN echo no good; exit 7\n").commit("Break it");
    let broken = app.deploy().await;
    assert_eq!(broken.state, "failed");
    assert!(broken.reason.contains("[2/2] RUN echo no good; exit 7"), "{}", broken.reason);
    assert!(broken.log.contains("\nno good\n"), "{}", broken.log);
    assert_eq!(ask(&host, "git.test", "/").await.1, "two");

    let back = app.roll_back(1).await;
    assert_eq!(back.state, "succeeded", "{back:#?}");
    assert!(!back.log.contains("Building"), "{}", back.log);
    assert_eq!(ask(&host, "git.test", "/").await.1, "one");
    world.quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_builds_makes_the_image_of_an_app_on_others_and_without_it_the_first_of_them_does() {
    let repo = Repo::new();
    version(&repo, "one");
    let (a, b, maker) = tokio::join!(TestHost::bare(), TestHost::bare(), TestHost::bare());
    let world = World::new().await;
    let ids = fleet::ready(&world, &[&a, &b, &maker]).await;
    let (id_a, id_b, id_maker) = (ids[0], ids[1], ids[2]);
    fleet::builds(&world, id_maker).await;
    maker.load_busybox("busybox:1").await;
    let mut spec = Spec::web(8080, "/up".parse().unwrap());
    spec.routes.push(Route { domain: "git.test".parse().unwrap(), path: "/".parse().unwrap() });
    spec.watch.seconds = 0;
    spec.drain_s = 2;
    let mut app = world.app_of(id_a, Source::Git(git(&repo)), spec).await;
    fleet::place(&world, app.id, &mut app.spec, &[(id_a, 1), (id_b, 1)]).await;
    let first = app.must_deploy().await;
    let travelled = first.steps.iter().filter(|step| step.contains("MB travelled")).count();
    assert_eq!(
        travelled, 2,
        "no base image is on the hosts of the app, so that nothing could be built there: {first:#?}"
    );
    for host in [&a, &b] {
        assert_eq!(ask(host, "git.test", "/").await, (200, "one".into()), "{first:#?}");
    }
    assert_eq!(app.containers(&maker).await.len(), 0);

    // The maker is away: said, and built where it can be.
    a.load_busybox("busybox:1").await;
    version(&repo, "two");
    maker.cut_with_resets().await;
    let second = app.must_deploy().await;
    assert!(second.log.contains("builds for the others, but: "), "{second:#?}");
    assert_eq!(ask(&b, "git.test", "/").await.1, "two", "{second:#?}");
    world.quiet().await;
}
