//! A repository without a Dockerfile: the text that is kept for it is what it is built with, until it has one of its own.

use skiff::db::dockerfiles;
use skiff::domain::deploy::Failure;
use skiff::domain::source::{Git, Source};

use super::bench::{Bench, git};
use super::repo::Repo;

/// A repository of a few files and no Dockerfile, on a host that has a busybox.
async fn bench(repo: &Repo) -> Bench {
    repo.write("README.md", "x").write("src/a", "a").write(".env", "CANARY=1").write("web/node_modules/b", "b");
    repo.commit("First");
    let bench = Bench::new(repo).await;
    bench.host.load_busybox("busybox:1").await;
    bench
}

async fn keep(bench: &Bench, text: &str, by: &str) {
    let mut tx = bench.begin().await;
    dockerfiles::keep(&mut tx, bench.permit(), bench.source(), &text.parse().unwrap(), by).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn the_kept_text_is_built_once_per_commit_and_gives_way_to_the_repository_s_own() {
    let repo = Repo::new();
    let bench = bench(&repo).await;
    let source = Source::Git(git(&repo));
    keep(&bench, "FROM busybox:1\nCOPY . /src\n", "Ada").await;
    let first = bench.resolve(&source).await;
    assert!(
        first.text().contains("The repository has no Dockerfile: using the one kept in Skiff, as Ada left it"),
        "{}",
        first.text()
    );
    let image = first.image();
    assert_eq!(image.dockerfile.as_ref().unwrap().as_ref(), "FROM busybox:1\nCOPY . /src\n");
    let listed = bench.in_image(image, "cd /src && find . -type f | sort").await;
    assert!(listed.contains("./src/a") && listed.contains("./README.md"), "{listed}");
    assert!(!listed.contains(".env") && !listed.contains("node_modules"), "{listed}");

    let same = bench.resolve(&source).await;
    assert_eq!((same.image(), same.step.1.as_str()), (image, "already built"));
    keep(&bench, "FROM busybox:1\nCOPY . /src\nRUN echo edited > /edited\n", "Ada").await;
    let edited = bench.resolve(&source).await;
    assert_ne!(edited.image().image_id, image.image_id);
    assert_eq!(bench.in_image(edited.image(), "cat /edited").await.trim(), "edited");

    // The repository's own rules count as they are, also for a text that is not its own.
    repo.write(".dockerignore", "src\n").commit("With rules");
    let ruled = bench.resolve(&source).await;
    let listed = bench.in_image(ruled.image(), "cd /src && find . -type f | sort").await;
    assert!(listed.contains(".env") && !listed.contains("./src/a"), "{listed}");

    repo.write("Dockerfile", "FROM busybox:1\nRUN echo own > /own\n").commit("With one of its own");
    let own = bench.resolve(&source).await;
    assert!(own.text().contains("Using Dockerfile of the repository; the Dockerfile kept"), "{}", own.text());
    assert_eq!(own.image().dockerfile, None);
    assert_eq!(bench.in_image(own.image(), "cat /own").await.trim(), "own");
    assert_eq!(bench.builds().await.0, 4);
}

#[tokio::test]
async fn a_deploy_writes_the_text_where_nobody_looked_and_refuses_what_nothing_recognises() {
    let repo = Repo::new();
    let bench = bench(&repo).await;
    let source = Source::Git(git(&repo));
    let refused = bench.resolve(&source).await;
    match refused.failure() {
        Failure::NotRecognised { path, detail: why } => {
            assert_eq!(path, "Dockerfile");
            assert!(why.contains("Cargo.toml (Rust)"), "{why}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(bench.builds().await, (0, 0));

    // In a folder of the repository, which is what is sent to the builder. The base image is not there, so the build ends with it.
    repo.write("web/package.json", r#"{"scripts": {"start": "node server.js"}}"#).write("web/server.js", "");
    repo.write("web/package-lock.json", "{}").commit("A program");
    let within = Source::Git(Git { context: "web".parse().unwrap(), ..git(&repo) });
    let built = bench.resolve(&within).await;
    match built.failure() {
        Failure::BuildFailed { detail, .. } => assert!(detail.contains("node"), "{detail}"),
        other => panic!("{other:?}"),
    }
    assert!(built.text().contains("Skiff wrote one: Node.js, by package.json, package-lock.json"), "{}", built.text());
    let mut tx = bench.begin().await;
    let row = dockerfiles::of(&mut tx, bench.permit(), bench.source()).await.unwrap().unwrap();
    let text = row.text.unwrap().to_string();
    assert!(text.contains("EXPOSE 8080\n") && text.contains("CMD [\"node\", \"server.js\"]\n"), "{text}");
    assert_eq!((row.by.as_str(), row.look.is_some()), ("", true));
}
