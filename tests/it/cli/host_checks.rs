//! Hosts looked at from a terminal, and the script for new ones: what is printed, and the exit status.

use super::deploys::owner;
use super::terminal::{Terminal, token};
use crate::harness::host::TestHost;
use crate::harness::postgres::fresh_database;
use crate::harness::program::Program;
use crate::harness::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn hosts_are_checked_from_a_terminal_and_the_exit_status_is_true() {
    let (host, world) = (TestHost::bare().await, World::idle(fresh_database().await).await);
    let actor = owner(&world).await;
    let program = Program::start(&world).await;
    let secret = token(&world.actions(), &actor, "admin").await;
    let terminal = Terminal::signed_in(&program.base, &secret).await;
    assert!(terminal.run(&["hosts", "check"]).await.well().out.contains("No host is ready yet"));
    let id = world.provision(&host).await;
    let well = terminal.run(&["hosts", "check"]).await.well();
    assert!(well.out.ends_with(" is as it was made.\n"), "{well:?}");

    host.enter(&["chmod", "777", "/etc/skiff"]).await.must("chmod");
    let ran = terminal.run(&["hosts", "check", &id.to_string()]).await.refused(1, "is not as it was made: 1 differ");
    assert!(ran.out.contains("folder /etc/skiff  777 skiff:skiff  755 skiff:skiff"), "{ran:?}");
    let ran = terminal.run(&["hosts", "check", "--json"]).await;
    let found = ran.json()["items"][0]["check"]["differences"][0].clone();
    assert_eq!((ran.code, found["should_be"].as_str()), (1, Some("755 skiff:skiff")), "{ran:?}");

    host.cut_with_resets().await;
    terminal.run(&["hosts", "check"]).await.refused(1, "could not be checked: The host does not answer by SSH");

    let script = terminal.run(&["hosts", "script", "--builds", "--http-port", "8080"]).await.well();
    assert!(
        script.out.starts_with("#!/bin/bash\n") && script.out.contains("\nREGISTRY=yes\nHTTP_PORT=8080\n"),
        "{script:?}"
    );
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &script.out).unwrap();
    let read = crate::harness::host::run("bash", &["-n", file.path().to_str().unwrap()]).await;
    assert_eq!((read.status, read.err.as_str()), (0, ""));
}
