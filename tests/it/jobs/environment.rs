//! Values of variables and secrets arrive in the container byte for byte (T27).

use std::collections::BTreeMap;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::harness::host::TestHost;
use crate::harness::world::World;

/// Values in all, over so many containers.
const VALUES: usize = 10_000;
const CONTAINERS: usize = 4;
/// Values of the longest length in each container: execve takes 2 MB in all.
const LONG: usize = 8;

/// Everything that shells, dotenv files, JSON, YAML and terminals make something of.
const PIECES: &[&str] = &[
    "'",
    "\"",
    "`",
    "$",
    "${HOME}",
    "$(id)",
    "\\",
    "\n",
    "\r\n",
    "\t",
    "=",
    "==",
    " ",
    "  ",
    "#",
    ";",
    "&&",
    "|",
    "<",
    ">",
    "*",
    "?",
    "~",
    "!",
    "%",
    "%s",
    "{{7*7}}",
    "\u{0}",
    "\u{1}",
    "\u{1b}[31m",
    "\u{7f}",
    "é",
    "ß",
    "日本",
    "🜲",
    "\u{10ffff}",
    "\u{feff}",
    "\u{202e}",
    "\u{d7ff}",
    "\u{e000}",
    "a",
    "B",
    "0",
    "null",
    "--env",
    "-e",
    "\u{2028}",
];

fn value(dice: &mut StdRng, length: usize) -> String {
    let mut text = String::new();
    while text.len() < length {
        let piece = PIECES[dice.random_range(0..PIECES.len())];
        // NUL is refused at the door: execve cannot carry it.
        if piece != "\u{0}" && text.len() + piece.len() <= length {
            text.push_str(piece);
        } else if text.len() + 4 > length {
            text.push('x');
        }
    }
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_values_arrive_byte_for_byte() {
    let seed = rand::random::<u64>();
    println!("seed {seed}");
    let mut dice = StdRng::seed_from_u64(seed);
    let (host, world) = (TestHost::bare().await, World::new().await);
    let id = world.provision(&host).await;
    host.load_app("127.0.0.1:5000/hello:1", "1").await;
    let mut app = world.app(id, "127.0.0.1:5000/hello:1", "hello.test").await;
    let plain = app.spec.clone();
    for round in 0..CONTAINERS {
        let mut wanted = BTreeMap::new();
        for number in 0..VALUES / CONTAINERS {
            let length = match number {
                0 => 0,
                1..=LONG => 32 * 1024,
                _ => dice.random_range(1..120),
            };
            wanted.insert(format!("V_{number}"), value(&mut dice, length));
        }
        let mut spec = plain.clone();
        (spec.drain_s, spec.stop_grace_s) = (0, 1);
        for (name, value) in &wanted {
            // Every tenth is a secret: it travels sealed.
            if name.ends_with('7') {
                let owner = uuid::Uuid::now_v7();
                spec.secrets.insert(name.parse().unwrap(), world.secret("app", owner, name, value).await);
            } else {
                spec.variables.insert(name.parse().unwrap(), value.parse().unwrap());
            }
        }
        app.save(spec).await;
        app.must_deploy().await;
        let containers = app.containers(&host).await;
        let name = containers.keys().next().unwrap();
        let pid = host.docker(&["inspect", "--format", "{{.State.Pid}}", name]).await;
        let seen = std::fs::read(host.path(&format!("/proc/{}/environ", pid.trim()))).unwrap();
        let mut seen: BTreeMap<&[u8], &[u8]> = seen
            .split(|byte| *byte == 0)
            .filter_map(|pair| {
                let at = pair.iter().position(|byte| *byte == b'=')?;
                Some((&pair[..at], &pair[at + 1..]))
            })
            .collect();
        for (name, value) in &wanted {
            let found = seen.remove(name.as_bytes());
            assert!(found == Some(value.as_bytes()), "seed {seed}, round {round}, {name}: {value:?} came as {found:?}");
        }
        let others: Vec<_> = seen.keys().map(|name| String::from_utf8_lossy(name)).collect();
        assert!(others.iter().all(|name| !name.starts_with("V_")) && others.len() < 10, "{others:?}");
        // And beside the release, for the day the panel is gone.
        let number = round + 1;
        let file = host.path(&format!("/var/lib/skiff/apps/{}/{number}/env", app.id.simple()));
        let kept = std::fs::read(file).unwrap();
        for (name, value) in &wanted {
            let pair = format!("{name}={value}");
            assert!(
                kept.split(|byte| *byte == 0).any(|kept| kept == pair.as_bytes()),
                "seed {seed}: {name} in the file"
            );
        }
    }
    world.quiet().await;
}
