//! The test hosts themselves: a harness that lies makes every other test lie.

use crate::harness::host::{TestHost, run};
use std::time::Duration;

/// Long enough for a connection on one machine, short enough for a cut wire to be noticed.
const CONNECT: Duration = Duration::from_secs(2);

async fn connects(host: &TestHost, port: u16) -> bool {
    let connecting = tokio::net::TcpStream::connect((host.address.as_str(), port));
    matches!(tokio::time::timeout(CONNECT, connecting).await, Ok(Ok(_)))
}

#[tokio::test]
async fn a_test_host_is_a_server_of_its_own() {
    let (one, two) = tokio::join!(TestHost::light(), TestHost::bare());
    assert_ne!(one.address, two.address);
    let key = one.root_key_file.to_str().unwrap();
    let to = format!("root@{}", one.address);
    let options =
        ["-i", key, "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "BatchMode=yes"];
    let mut ssh = options.to_vec();
    ssh.extend([to.as_str(), "hostname; ps -e | wc -l; ls /etc/skiff"]);
    let said = run("ssh", &ssh).await;
    assert!(said.out.starts_with("rig"), "{}{}", said.out, said.err);
    assert!(said.err.contains("/etc/skiff"), "nothing of Skiff's is on a fresh host");
    assert!(!two.docker_socket().exists(), "a bare host runs no Docker");

    one.load_busybox("bb:1").await;
    let id = one
        .docker(&[
            "run",
            "--detach",
            "--restart",
            "always",
            "--publish",
            "80:80",
            "bb:1",
            "/bin/busybox",
            "httpd",
            "-f",
            "-p",
            "80",
        ])
        .await;
    let before = one.foreign_inventory().await;
    assert!(before.contains(id.trim()), "{before}");
    assert_eq!(before, one.foreign_inventory().await);
    assert!(connects(&one, 80).await);

    one.cut().await;
    assert!(!connects(&one, 80).await && !connects(&one, 22).await);
    one.cut_with_resets().await;
    assert!(!connects(&one, 22).await);
    one.heal().await;
    assert!(connects(&one, 22).await);

    one.fill_disk(64).await;
    let full = one.enter(&["dd", "if=/dev/zero", "of=/var/lib/docker/x", "bs=1M", "count=1"]).await;
    assert!(full.err.contains("No space left on device"), "{}", full.err);
    one.free_disk().await;

    one.reboot().await;
    let mut serving = false;
    for _ in 0..100 {
        serving = connects(&one, 80).await;
        if serving {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(serving, "a container that restarts always serves again after a reboot");
    assert_ne!(before, one.foreign_inventory().await, "a restarted container is seen as touched");
}

#[tokio::test]
async fn what_a_killed_run_left_is_reaped() {
    // A host whose owner has already ended is what a killed test run leaves.
    let rig = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/rig/host");
    let script = format!("{rig} up --init bare --owner $$");
    let shown = run("bash", &["-c", &script]).await.must("a host of a dead owner");
    let folder = shown.lines().find_map(|line| line.strip_prefix("folder=")).unwrap().to_owned();
    let init = shown.lines().find_map(|line| line.strip_prefix("init=")).unwrap().to_owned();
    run(rig, &["reap"]).await.must("reap");
    assert!(!std::path::Path::new(&folder).exists());
    assert!(!std::path::Path::new(&format!("/proc/{init}")).exists());
}

#[tokio::test]
async fn the_sample_app_answers_echoes_and_leaves_politely() {
    use futures_util::{SinkExt, StreamExt};
    use tokio_tungstenite::tungstenite::Message;
    let host = TestHost::light().await;
    host.load_app("hello:7", "7").await;
    let id = host.docker(&["run", "--detach", "--publish", "8080:8080", "hello:7"]).await;
    let url = format!("http://{}:8080", host.address);
    let mut body = String::new();
    for _ in 0..100 {
        match reqwest::get(&url).await {
            Ok(answer) => {
                body = answer.text().await.unwrap();
                break;
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
    assert_eq!(body, "7\n");
    let (mut socket, _) = tokio_tungstenite::connect_async(format!("ws://{}:8080/ws", host.address)).await.unwrap();
    assert_eq!(socket.next().await.unwrap().unwrap(), Message::text("7"));
    for size in [1, 200, 60_000] {
        let text = Message::text("x".repeat(size));
        socket.send(text.clone()).await.unwrap();
        assert_eq!(socket.next().await.unwrap().unwrap(), text);
    }
    let slow = tokio::spawn(reqwest::get(format!("{url}/sleep/1000")));
    tokio::time::sleep(Duration::from_millis(200)).await;
    let stop = ["stop", "-t", "5", id.trim()];
    let (stopped, closed) = tokio::join!(host.docker(&stop), socket.next());
    assert_eq!(stopped, id);
    let Some(Ok(Message::Close(Some(close)))) = closed else { panic!("a websocket is closed in words: {closed:?}") };
    assert_eq!(u16::from(close.code), 1001);
    assert_eq!(slow.await.unwrap().unwrap().text().await.unwrap(), "7\n", "what was being served is finished");
    assert_eq!(host.docker(&["inspect", "--format", "{{.State.ExitCode}}", id.trim()]).await, "0\n");
}

#[tokio::test]
async fn a_browser_shows_a_page_light_dark_and_small() {
    use crate::harness::browser::{Browser, Look};
    let browser = Browser::start().await;
    let page = "data:text/html,<meta name=viewport content='width=device-width'><style>@media (prefers-color-scheme: dark) \
                {body{background:black}}</style><p>Hello<script>console.warn('seen')</script>";
    browser.client.goto(page).await.unwrap();
    browser.wait_for_words("Hello").await;
    assert_eq!(browser.wait_text("p").await, "Hello");
    let dark = "return getComputedStyle(document.body).backgroundColor == 'rgb(0, 0, 0)'";
    assert_eq!(browser.client.execute(dark, vec![]).await.unwrap(), false);
    browser.prefer(Look::Dark).await;
    assert_eq!(browser.client.execute(dark, vec![]).await.unwrap(), true);
    browser.window(390, 844, true).await;
    assert_eq!(browser.client.execute("return innerWidth", vec![]).await.unwrap(), 390);
    assert!(!browser.overflows().await);
    assert!(browser.console().await.iter().any(|line| line.contains("seen")));
}
