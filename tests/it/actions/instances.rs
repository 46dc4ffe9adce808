//! What instances print and what they are, read from a real host: by time, without secrets, within bounds, over a deploy
//! and over a host that was away.

use std::time::Duration;

use skiff::actions::instances::{self, AppLogLine, Follow, Shown, Voice, Wanted};
use skiff::actions::{Ctx, apps};
use skiff::domain::ids::AppId;
use skiff::domain::rights::Actor;
use tokio::time::{Instant, timeout};

use crate::harness::host::TestHost;
use crate::harness::world::{TestApp, World};

const SECRET: &str = "CANARY-instance-51f7";
/// What is waited for comes by then.
const WITHIN: Duration = Duration::from_secs(30);

/// Lets a container print this, as its program would: the shell's `{}` is its standard output.
pub async fn print(host: &TestHost, name: &str, command: &str) {
    let pid = host.docker(&["inspect", "--format", "{{.State.Pid}}", name]).await;
    let command = command.replace("{}", &format!("/proc/{}/fd/1", pid.trim()));
    host.enter(&["/bin/sh", "-c", &command]).await.must("it is printed");
}

fn text(line: &AppLogLine) -> String {
    String::from_utf8_lossy(&line.line).into_owned()
}

/// Listens until a line has this in it; everything heard on the way.
async fn until(follow: &mut Follow, words: &str) -> Vec<AppLogLine> {
    let (begun, mut heard) = (Instant::now(), Vec::new());
    loop {
        let left = WITHIN.saturating_sub(begun.elapsed());
        let said: Vec<String> = heard.iter().rev().take(20).map(text).collect();
        let next = timeout(left, follow.next()).await.unwrap_or_else(|_| panic!("{words} was not heard: {said:#?}"));
        let lines = next.unwrap().expect("it goes on");
        let bytes: usize = lines.iter().map(|line| line.line.len()).sum();
        assert!(lines.len() <= 310 && bytes <= 3 << 20, "{} lines of {bytes} bytes at once", lines.len());
        let found = lines.iter().any(|line| text(line).contains(words));
        heard.extend(lines);
        if found {
            return heard;
        }
    }
}

async fn an_app<'a>(world: &'a World, host: &TestHost) -> (TestApp<'a>, Ctx, Actor, Vec<String>) {
    let id = world.provision(host).await;
    host.load_app("127.0.0.1:5000/hello:1", "1").await;
    let mut app = world.app(id, "127.0.0.1:5000/hello:1", "logs.test").await;
    let secret = world.secret("app", app.id.0, "API_KEY", SECRET).await;
    let mut spec = app.spec.clone();
    spec.instances = 2;
    spec.secrets.insert("API_KEY".parse().unwrap(), secret);
    spec.variables.insert("GREETING".parse().unwrap(), "Ahoy".parse().unwrap());
    app.save(spec).await;
    app.must_deploy().await;
    let (actions, person) = (world.actions(), Actor::on_the_panels_machine(world.team.id));
    let names = names(&actions, &person, app.id).await;
    (app, actions, person, names)
}

async fn names(actions: &Ctx, person: &Actor, app: AppId) -> Vec<String> {
    apps::get(actions, person, app).await.unwrap().instances.into_iter().map(|one| one.name).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_of_all_instances_are_put_together_and_no_secret_is_in_them() {
    let (host, world) = (TestHost::bare().await, World::new().await);
    let (app, actions, person, names) = an_app(&world, &host).await;
    for (at, name) in ["first", "second", "third", "fourth"].iter().zip(names.iter().cycle()) {
        print(&host, name, &format!("echo the {at} line > {{}}")).await;
    }
    print(&host, &names[0], &format!("printf 'key \\033[31m{SECRET}\\033[0m\\r\\nBYTES \\377\\n' > {{}}")).await;

    let logs = instances::read(&actions, &person, app.id, Wanted::default()).await.unwrap();
    let lines: Vec<String> = logs.lines.iter().map(text).collect();
    let numbered: Vec<&String> = lines.iter().filter(|line| line.contains(" line")).collect();
    assert_eq!(numbered, ["the first line", "the second line", "the third line", "the fourth line"], "{lines:#?}");
    let origins: Vec<i32> = logs
        .lines
        .iter()
        .filter(|line| text(line).contains(" line"))
        .map(|line| line.origin.as_ref().unwrap().position)
        .collect();
    assert_eq!((origins[0], origins[1]), (origins[2], origins[3]));
    assert_ne!(origins[0], origins[1]);
    assert!(lines.iter().any(|line| line.contains("key")) && !lines.concat().contains(SECRET), "{lines:#?}");
    assert_eq!(logs.instances.len(), 2);

    // A filter is a text, whatever its case; a secret cannot be found by asking for its letters.
    let asked = |text: &str| Wanted { text: text.to_owned(), ..Wanted::default() };
    let found = instances::read(&actions, &person, app.id, asked("THE SECOND.")).await.unwrap();
    assert_eq!(found.lines.len(), 0, "a dot is a dot");
    let found = instances::read(&actions, &person, app.id, asked("THE SECOND")).await.unwrap();
    assert_eq!(found.lines.iter().map(text).collect::<Vec<_>>(), ["the second line"]);
    assert_eq!(instances::read(&actions, &person, app.id, asked("CANARY")).await.unwrap().lines.len(), 0);
    // One instance alone, and what is behind a moment.
    let one = logs.instances.iter().find(|one| one.name == names[0]).unwrap().id;
    let only = Wanted { text: "line".into(), instance: Some(one), ..Wanted::default() };
    let only = instances::read(&actions, &person, app.id, only).await.unwrap();
    assert_eq!(only.lines.iter().map(text).collect::<Vec<_>>(), ["the first line", "the third line"]);
    let behind = Wanted { after: logs.until, ..Wanted::default() };
    assert_eq!(instances::read(&actions, &person, app.id, behind).await.unwrap().lines.len(), 0);
    let file = instances::download(&actions, &person, app.id, Wanted::default()).await.unwrap();
    let file = String::from_utf8_lossy(&file).into_owned();
    assert!(file.contains("v1#1 the ") && !file.contains(SECRET), "{file}");

    // Looked into: facts, names of variables, values of plain ones alone.
    let view = instances::inspect(&actions, &person, app.id, one).await.unwrap();
    let seen = view.seen.unwrap();
    assert_eq!(seen.status, "running");
    let shown = |name: &str| seen.env.iter().find(|(known, _)| known == name).map(|(_, shown)| shown.clone());
    assert_eq!(shown("GREETING"), Some(Shown::Plain("Ahoy".into())));
    assert_eq!((shown("API_KEY"), shown("VERSION")), (Some(Shown::Secret), Some(Shown::Image)));
    assert!(seen.processes.iter().any(|row| row.iter().any(|cell| cell.contains("/hello"))), "{:?}", seen.processes);
    assert!(seen.raw.contains("unless-stopped") && !seen.raw.contains(SECRET) && !seen.raw.contains("\"Env\""));
    world.quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_follows_hears_new_instances_a_flood_within_bounds_and_a_host_that_comes_back() {
    let (host, world) = (TestHost::bare().await, World::new().await);
    let (mut app, actions, person, names) = an_app(&world, &host).await;
    let mut follow = instances::follow(&actions, &person, app.id, Wanted::default()).await.unwrap();
    until(&mut follow, "listens on 8080").await;
    print(&host, &names[1], "echo just now > {}").await;
    let heard = until(&mut follow, "just now").await;
    assert_eq!(heard.iter().filter(|line| text(line) == "just now").count(), 1, "once");

    // A million lines, and one of 100 MB: what is left out is said, and the last one is heard.
    print(&host, &names[0], "seq 1 1000000 > {}; echo after the flood > {}").await;
    let heard = until(&mut follow, "after the flood").await;
    let said: Vec<String> = heard.iter().filter(|line| line.voice == Voice::Skiff).map(text).collect();
    assert!(said.iter().any(|words| words.contains("lines were l")), "{said:#?}");
    print(&host, &names[0], "head -c 100000000 /dev/zero | tr '\\0' x > {}; echo > {}; echo short again > {}").await;
    let heard = until(&mut follow, "short again").await;
    let longest = heard.iter().map(|line| line.line.len()).max().unwrap();
    assert!((16_000..17_000).contains(&longest), "a line is cut at 16 KiB: {longest}");

    // A deploy brings others, which join by themselves, and the old ones end.
    app.set("GREETING", "Hello").await;
    app.must_deploy().await;
    let new = self::names(&actions, &person, app.id).await;
    assert!(new.iter().all(|name| !names.contains(name)));
    print(&host, &new[1], "echo of the new ones > {}").await;
    let heard = until(&mut follow, "of the new ones").await;
    let origin = heard.iter().rev().find(|line| text(line) == "of the new ones").unwrap().origin.clone().unwrap();
    assert_eq!(origin.number, 2);
    assert!(heard.iter().any(|line| line.voice == Voice::Skiff && text(line).contains("joins")), "{heard:#?}");

    // The host goes away and comes back: both are said, and nothing in between is lost.
    host.cut_with_resets().await;
    until(&mut follow, "does not answer").await;
    print(&host, &new[0], "echo while it was away > {}").await;
    host.heal().await;
    let heard = until(&mut follow, "while it was away").await;
    assert_eq!(heard.iter().filter(|line| text(line) == "of the new ones").count(), 0, "nothing is told twice");
    drop(follow);
    world.quiet().await;
}
