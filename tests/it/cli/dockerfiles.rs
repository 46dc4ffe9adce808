//! The Dockerfile of an app whose repository has none, from a terminal: looked for, printed, written to be committed, replaced.

use skiff::domain::app::Spec;
use skiff::domain::ids::HostId;
use skiff::domain::source::Source;

use super::deploys::owner;
use super::terminal::{Terminal, token};
use crate::build::bench::git;
use crate::build::repo::Repo;
use crate::harness::postgres::fresh_database;
use crate::harness::program::Program;
use crate::harness::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn the_text_is_printed_written_and_replaced() {
    let world = World::idle(fresh_database().await).await;
    let actor = owner(&world).await;
    let program = Program::start(&world).await;
    let repo = Repo::new();
    repo.write("requirements.txt", "").write("main.py", "").commit("A program");
    let mut source = git(&repo);
    let spec = || Spec::web(8080, "/up".parse().unwrap());
    let app = world.app_of(HostId(uuid::Uuid::now_v7()), Source::Git(source.clone()), spec()).await;
    let name = app.id.to_string();
    let secret = token(&world.actions(), &actor, "developer").await;
    let terminal = Terminal::signed_in(&program.base, &secret).await;

    let shown = terminal.run(&["apps", "dockerfile", &name]).await.well();
    assert!(
        shown.out.starts_with("# Python, by requirements.txt")
            && shown.out.contains("\nCMD [\"python\", \"main.py\"]\n"),
        "{shown:?}"
    );
    assert!(shown.err.contains("· Python, by requirements.txt"), "{shown:?}");
    let json = terminal.run(&["apps", "dockerfile", &name, "--json"]).await.well().json();
    assert_eq!((json["look"]["found"].as_str(), json["written_by"].as_str()), (Some("written"), None));

    let folder = tempfile::tempdir().unwrap();
    let at = folder.path().to_str().unwrap();
    let wrote = terminal.run(&["apps", "dockerfile", &name, "--write", at]).await.well();
    assert!(wrote.out.contains("Commit them"), "{wrote:?}");
    let text = std::fs::read_to_string(folder.path().join("Dockerfile")).unwrap();
    assert_eq!(text, json["text"].as_str().unwrap());
    assert!(std::fs::read_to_string(folder.path().join(".dockerignore")).unwrap().contains("node_modules"));
    terminal
        .run(&["apps", "dockerfile", &name, "--write", at])
        .await
        .refused(1, "is there already, and stays as it is");

    let other = folder.path().join("other");
    std::fs::write(&other, "RUN nothing\n").unwrap();
    terminal.run(&["apps", "dockerfile", &name, "--set", other.to_str().unwrap()]).await.refused(1, "has no FROM line");
    std::fs::write(&other, "FROM scratch\n").unwrap();
    terminal.run(&["apps", "dockerfile", &name, "--set", other.to_str().unwrap()]).await.well();
    let looked = terminal.run(&["apps", "dockerfile", &name, "--look"]).await.well();
    assert_eq!(looked.out, "FROM scratch\n");
    assert!(looked.err.contains("shows how it differs"), "{looked:?}");
    terminal.run(&["apps", "dockerfile", &name, "--set", "/nowhere"]).await.refused(1, "cannot be read");

    // The repository gets one of its own, in another app that knows of none.
    repo.write("Dockerfile", "FROM scratch\n").commit("With one");
    let own = world.app_of(HostId(uuid::Uuid::now_v7()), Source::Git(source.clone()), spec()).await;
    terminal
        .run(&["apps", "dockerfile", &own.id.to_string()])
        .await
        .refused(1, "has a Dockerfile of its own at Dockerfile");
    source.branch = "gone".parse().unwrap();
    let gone = world.app_of(HostId(uuid::Uuid::now_v7()), Source::Git(source), spec()).await;
    terminal.run(&["apps", "dockerfile", &gone.id.to_string()]).await.refused(1, "no branch gone");
}
