//! Secrets in the wrong place (T30), and shells (T25): a deploy with its failures under the eyes of somebody who reads
//! everything there is to read.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use skiff::domain::app::Spec;
use skiff::domain::source::{GitAccess, Source};
use skiff::providers::git::{Git, Settings};

use super::bench::git;
use super::forge::{Behaviour, Forge};
use super::repo::Repo;
use crate::harness::host::TestHost;
use crate::harness::world::World;

const TOKEN: &str = "canary-git-token-51c7e0";
const VALUE: &str = "canary-env-'$(touch /canary)`touch /canary`\";touch /canary;\n-oProxyCommand=x 5a11";
const BUILD: &str = "canary-build-secret-77aa02";

/// What every secret of the case is known by, wherever it stands.
fn canaries(host: &TestHost) -> Vec<String> {
    let key = host.root_key.lines().nth(2).unwrap().to_owned();
    vec!["canary-git".into(), "canary-env".into(), "canary-build".into(), "canary-wrong".into(), key]
}

/// The command lines of all processes of this machine and its test hosts, every 10 ms.
fn watch_processes(canaries: Vec<String>, hits: Arc<Mutex<BTreeSet<String>>>) -> tokio::task::JoinHandle<()> {
    tokio::task::spawn_blocking(move || {
        while Arc::strong_count(&hits) > 1 {
            for entry in std::fs::read_dir("/proc").unwrap().flatten() {
                let Ok(line) = std::fs::read(entry.path().join("cmdline")) else { continue };
                let line = String::from_utf8_lossy(&line).into_owned();
                if canaries.iter().any(|canary| line.contains(canary)) {
                    hits.lock().unwrap().insert(line);
                }
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    })
}

/// Every row of every table as text, bytes too.
async fn rows(world: &World) -> Vec<String> {
    let mut conn = world.db.superuser().await;
    let tables: Vec<String> = sqlx::query_scalar("select tablename::text from pg_tables where schemaname = 'public'")
        .fetch_all(&mut conn)
        .await
        .unwrap();
    let mut all = Vec::new();
    for table in tables {
        let read = format!("select '{table} ' || encode(convert_to(t::text, 'UTF8'), 'escape') from {table} t");
        let rows: Vec<String> = sqlx::query_scalar(sqlx::AssertSqlSafe(read)).fetch_all(&mut conn).await.unwrap();
        all.extend(rows);
    }
    all
}

/// Files below these folders that hold one of them.
fn files_with(folders: &[std::path::PathBuf], canaries: &[String]) -> Vec<String> {
    let mut command = std::process::Command::new("grep");
    command.args(["-r", "-l", "-s", "-a", "-F", "--devices=skip"]);
    for canary in canaries {
        command.arg(format!("--regexp={canary}"));
    }
    let found = command.arg("--").args(folders).output().unwrap();
    String::from_utf8_lossy(&found.stdout).lines().map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_where_they_belong_and_nowhere_else_and_no_shell_sees_a_value() {
    let repo = Repo::new();
    let dockerfile = "FROM busybox:1\nRUN --mount=type=secret,id=token cat /run/secrets/token > /dev/null\nCMD [\"/bin/sh\", \"-c\", \"env; exit 3\"]\n";
    repo.write("Dockerfile", dockerfile).commit("Say all\n$(touch /canary)");
    let password = Some(("git", TOKEN));
    let forge = Forge::serve(repo.root.path(), Behaviour { password, ..Behaviour::default() }).await;
    let data = tempfile::tempdir().unwrap();
    let (host, mut world) = (TestHost::bare().await, World::new().await);
    world.stop_worker().await;
    let settings =
        Settings { data_dir: data.path().join("git"), local_root: None, ca_file: Some(forge.ca_file.clone()) };
    world.ctx.git = Git::open(settings).await.unwrap();
    world.start_worker();

    let canaries = canaries(&host);
    let hits = Arc::new(Mutex::new(BTreeSet::new()));
    let watching = watch_processes(canaries.clone(), hits.clone());
    // Everything the host's sshd starts, and what that starts.
    let trace = "setsid --fork strace -f -qq -e trace=execve -s 65536 -o /var/log/execve -p \"$(cat /run/sshd.pid)\" \
                 > /dev/null 2>&1 < /dev/null";
    host.enter(&["/bin/sh", "-c", trace]).await.must("the trace begins");
    let begun = "for i in $(seq 200); do grep -q 'TracerPid:.[1-9]' \"/proc/$(cat /run/sshd.pid)/status\" && exit 0; sleep 0.05; done; exit 1";
    host.enter(&["/bin/sh", "-c", begun]).await.must("the trace has begun");

    let id = world.provision(&host).await;
    host.load_busybox("busybox:1").await;
    let mut spec = Spec::worker();
    spec.secrets.insert("SECRET".parse().unwrap(), world.secret("app", uuid::Uuid::now_v7(), "SECRET", VALUE).await);
    spec.health.start_period_s = 10;
    let mut source = git(&repo);
    source.url = forge.url("app/.git");
    source.secrets.insert("token".parse().unwrap(), world.secret("source", uuid::Uuid::now_v7(), "b", BUILD).await);
    for (token, reason) in [("canary-wrong-token", "refuse"), (TOKEN, "status 3")] {
        let token = world.secret("source", uuid::Uuid::now_v7(), "token", token).await;
        source.access = GitAccess::Token { user: "git".into(), token };
        let app = world.app_of(id, Source::Git(source.clone()), spec.clone()).await;
        let ended = app.deploy().await;
        assert!(ended.state == "failed" && ended.reason.contains(reason), "{ended:#?}");
    }
    // A step that shows its secret and fails: the log has the words, not the secret.
    repo.write("Dockerfile", "FROM busybox:1\nRUN --mount=type=secret,id=token cat /run/secrets/token; exit 7\n")
        .commit("Tell");
    let app = world.app_of(id, Source::Git(source.clone()), spec.clone()).await;
    let told = app.deploy().await;
    assert!(told.state == "failed" && told.log.contains("exit 7"), "{told:#?}");

    let found = hits.lock().unwrap().clone();
    drop(hits);
    watching.await.unwrap();
    assert!(found.is_empty(), "command lines: {found:#?}");
    let rows = rows(&world).await;
    assert!(rows.iter().any(|row| row.contains("exit 7")), "the reading itself works");
    let bad: Vec<_> = rows
        .iter()
        .filter(|row| canaries.iter().any(|canary| row.contains(canary) || row.contains(&hex::encode(canary))))
        .collect();
    assert!(bad.is_empty(), "rows: {bad:#?}");
    assert_eq!(files_with(&[data.path().to_owned()], &canaries), Vec::<String>::new(), "the panel's files");
    let folders = ["/etc", "/run/skiff", "/var/lib/skiff", "/var/log", "/home", "/tmp"].map(|folder| host.path(folder));
    let on_host = files_with(&folders, &canaries);
    // The key that was put there for root is the rig's own doing.
    let own = "/var/lib/skiff/apps/";
    assert!(on_host.iter().all(|file| file.contains(own) && file.ends_with("/env")), "{on_host:#?}");
    assert!(!host.path("/canary").exists() && !std::path::Path::new("/canary").exists());

    let trace = std::fs::read_to_string(host.path("/var/log/execve")).unwrap();
    let started: Vec<&str> = trace.lines().filter(|line| line.contains("execve(")).collect();
    assert!(started.iter().any(|line| line.contains("bash")), "scripts were run: {}", started.len());
    let told = |line: &&&str| canaries.iter().any(|canary| line.contains(canary)) || line.contains("touch /canary");
    let bad: Vec<_> = started.iter().filter(told).collect();
    assert!(bad.is_empty(), "{bad:#?}");
    // What sshd itself hands to the user's shell is one of a few constant texts, however often and with whatever values.
    let shells: BTreeSet<&str> = started
        .iter()
        .filter_map(|line| line.split_once("[\"bash\", \"-c\", ").map(|(_, rest)| rest.split("], 0x").next().unwrap()))
        .collect();
    println!("{} programs started, {} texts for a shell", started.len(), shells.len());
    let constant = |text: &&str| text.contains("eval") && text.contains("$skiff_script") || **text == *"\"true\"";
    assert!(shells.len() <= 3 && shells.iter().all(constant), "{shells:#?}");
    world.quiet().await;
}
