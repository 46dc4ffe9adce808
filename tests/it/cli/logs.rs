//! What instances on a real host print, on a terminal and for a program: whole, filtered, as it comes; over a restart of the
//! panel, a host that is away, a reader that is slow, a token that is ended.

use std::time::Duration;

use futures_util::StreamExt;
use serde_json::Value;
use skiff::actions::{apps, tokens};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader, Lines};
use tokio::time::timeout;

use super::deploys::owner;
use super::terminal::{Terminal, ended, token};
use crate::actions::instances::print;
use crate::harness::host::TestHost;
use crate::harness::postgres::fresh_database;
use crate::harness::program::Program;
use crate::harness::world::World;

const SECRET: &str = "CANARY-terminal-2b90";
/// What is waited for comes by then.
const WITHIN: Duration = Duration::from_secs(60);

/// Reads lines until one has these words; gives all of them.
async fn until<R: AsyncRead + Unpin>(lines: &mut Lines<BufReader<R>>, words: &str) -> Vec<String> {
    let mut heard = Vec::new();
    let reading = async {
        while let Some(line) = lines.next_line().await.unwrap() {
            heard.push(line);
            if heard.last().is_some_and(|line| line.contains(words)) {
                return;
            }
        }
    };
    timeout(WITHIN, reading).await.ok();
    assert!(heard.last().is_some_and(|line| line.contains(words)), "{words} does not come: {heard:#?}");
    heard
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_app_prints_is_read_filtered_and_followed() {
    let (host, world) = (TestHost::bare().await, World::idle(fresh_database().await).await);
    let actor = owner(&world).await;
    let mut program = Program::start(&world).await;
    let id = world.provision(&host).await;
    host.load_app("127.0.0.1:5000/hello:1", "1").await;
    let mut app = world.app(id, "127.0.0.1:5000/hello:1", "logs.test").await;
    let key = world.secret("app", app.id.0, "API_KEY", SECRET).await;
    let mut spec = app.spec.clone();
    spec.instances = 2;
    spec.secrets.insert("API_KEY".parse().unwrap(), key);
    app.save(spec).await;
    let name = app.id.to_string();
    let ctx = world.actions();
    let secret = token(&ctx, &actor, "developer").await;
    let terminal = Terminal::signed_in(&program.base, &secret).await;
    let none = terminal.run(&["logs", &name]).await.well();
    assert_eq!(none.out, "", "nothing runs yet: {none:?}");
    terminal.run(&["logs", &name, "--instance", "1"]).await.refused(1, "none runs yet");
    terminal.run(&["deploy", &name, "--wait"]).await.well();
    let known = apps::get(&ctx, &actor, app.id).await.unwrap().instances;
    let of = |position: i32| known.iter().find(|one| one.position == position).unwrap().name.clone();
    let (first, second) = (of(1), of(2));
    print(&host, &first, &format!("printf 'Hello \\033[2Jfrom one {SECRET}\\n' > {{}}")).await;
    print(&host, &second, "echo hello from two > {}").await;

    let all = terminal.run(&["logs", &name]).await.well();
    assert!(all.out.contains("v1#1 Hello from one") && all.out.contains("v1#2 hello from two"), "{all:?}");
    assert!(!all.out.contains(SECRET) && !all.out.contains('\u{1b}') && all.out.contains("listens on 8080"), "{all:?}");
    let found = terminal.run(&["logs", &name, "--filter", "HELLO FROM", "--json"]).await.well();
    let found: Vec<Value> = found.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let positions: Vec<i64> = found.iter().map(|line| line["position"].as_i64().unwrap()).collect();
    assert_eq!((positions, &found[1]["text"]), (vec![1, 2], &Value::from("hello from two")));
    let one = terminal.run(&["logs", &name, "--instance", "2", "--tail", "1"]).await.well();
    assert_eq!((one.out.lines().count(), one.out.contains("hello from two")), (1, true), "{one:?}");
    terminal.run(&["logs", &name, "--instance", "9"]).await.refused(1, "There are: 1, 2.");
    terminal.run(&["logs", &name, "--tail", "5001"]).await.refused(2, "5001");
    terminal.run(&["logs", "nowhere"]).await.refused(1, "");

    // Looked into by a call: no value of a secret, and nothing that is not there.
    let http = reqwest::Client::new();
    let call = async |path: String| {
        let answer = http.get(format!("{}/api/v1{path}", program.base)).bearer_auth(&secret).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    let (status, text) = call(format!("/apps/{name}/instances/{}", known[0].id)).await;
    let detail: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((status, &detail["inspection"]["status"]), (200, &Value::from("running")), "{text}");
    let environment = detail["inspection"]["environment"].as_array().unwrap();
    assert!(
        environment.iter().any(|one| one["name"] == "API_KEY" && one["value"].is_null() && one["from"] == "secret")
    );
    assert!(!text.contains(SECRET));
    assert_eq!(call(format!("/apps/{name}/instances/{id}")).await.0, 404);
    for wrong in ["tail=5001", "tail=-1", "instance=x", "after=yesterday", "follow=perhaps", "lines=3"] {
        assert_eq!(call(format!("/apps/{name}/logs?{wrong}")).await.0, 400, "{wrong}");
    }

    // As it comes, over a restart of the panel and a host that is away.
    let mut following = terminal.command(&["logs", &name, "-f", "--tail", "0"]).spawn().unwrap();
    let mut out = BufReader::new(following.stdout.take().unwrap()).lines();
    let mut err = BufReader::new(following.stderr.take().unwrap()).lines();
    let mut heard = Vec::new();
    for n in 0.. {
        // Until it listens: what was before is not told.
        print(&host, &first, &format!("echo tick {n} > {{}}")).await;
        if let Ok(line) = timeout(Duration::from_millis(500), out.next_line()).await {
            heard.push(line.unwrap().unwrap());
            break;
        }
        assert!(n < 60, "it does not listen");
    }
    assert!(heard[0].contains("tick"), "only what comes: {heard:?}");
    program.kill().await;
    print(&host, &second, "echo while the panel was away > {}").await;
    until(&mut err, "does not answer: waiting for it").await;
    program.again().await;
    heard.extend(until(&mut out, "while the panel was away").await);
    host.cut_with_resets().await;
    until(&mut err, "does not answer").await;
    let gone = terminal.run(&["logs", &name]).await.refused(1, "Not all that was printed could be read.");
    assert!(gone.err.contains("does not answer"), "{gone:?}");
    host.heal().await;
    until(&mut err, "answers again").await;
    print(&host, &first, "echo after all of that > {}").await;
    heard.extend(until(&mut out, "after all of that").await);
    let mut once = heard.clone();
    once.dedup();
    assert_eq!(once.len(), heard.len(), "each line once: {heard:#?}");
    let pid = rustix::process::Pid::from_raw(i32::try_from(following.id().unwrap()).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    assert_eq!(following.wait().await.unwrap().code(), Some(130));

    // A reader that does not read loses lines, and is told so; nobody else does, and it is not all kept for it.
    let asked = format!("{}/api/v1/apps/{name}/logs?follow=true&tail=0&instance=1", program.base);
    let slow = http.get(&asked).bearer_auth(&secret).send().await.unwrap();
    let mut quick = terminal.command(&["logs", &name, "-f", "--tail", "0", "--instance", "2"]).spawn().unwrap();
    let mut quick_out = BufReader::new(quick.stdout.take().unwrap()).lines();
    for n in 0.. {
        print(&host, &second, &format!("echo tock {n} > {{}}")).await;
        if timeout(Duration::from_millis(500), quick_out.next_line()).await.is_ok() {
            break;
        }
        assert!(n < 60, "it does not listen");
    }
    print(&host, &first, "seq 1 1000000 > {}; echo after the flood > {}").await;
    print(&host, &second, "echo quick > {}").await;
    until(&mut quick_out, "quick").await;
    let mut stream = slow.bytes_stream();
    let mut text = Vec::new();
    let reading = async {
        while let Some(piece) = stream.next().await {
            let from = text.len().saturating_sub(20);
            text.extend_from_slice(&piece.unwrap());
            if String::from_utf8_lossy(&text[from..]).contains("after the flood") {
                return;
            }
        }
    };
    timeout(WITHIN, reading).await.ok();
    let text = String::from_utf8(text).unwrap();
    assert!(text.contains("after the flood") && text.contains("lines were l"), "{} bytes", text.len());
    assert!(text.matches("\"text\"").count() < 500_000, "it is not all kept for a slow one");

    // A token that is ended ends it, and the command says what to do.
    for line in tokens::list(&ctx, &actor).await.unwrap() {
        tokens::revoke(&ctx, &actor, line.id).await.unwrap();
    }
    ended(quick).await.refused(4, "skiff login");
    program.kill().await;
    crate::harness::quiet::assert_quiet(&world.db).await;
}
