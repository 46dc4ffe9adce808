//! What the panel's own program starts and says while it works with hostile names and with secrets (T25, T30).

use std::collections::BTreeSet;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use skiff::domain::app::Spec;
use skiff::domain::source::{GitAccess, Image, RegistryLogin, Source};
use uuid::Uuid;

use super::bench::git;
use super::forge::{Behaviour, Forge};
use super::repo::Repo;
use crate::harness::host::TestHost;
use crate::harness::postgres::fresh_database;
use crate::harness::program::Program;
use crate::harness::world::World;

const TOKEN: &str = "canary-git-token-8d31";
const PASSWORD: &str = "canary-registry-password-77f0";
const VALUE: &str = "canary-env-'$(touch /canary)`touch /canary`\";touch /canary;";
const BRANCH: &str = "x;touch${IFS}canary;$(touch${IFS}canary)`touch${IFS}canary`|touch";
/// A trace that has not begun by then never will.
const TRACE_BEGINS: Duration = Duration::from_secs(20);

/// Follows every program that the process and its children start.
struct Trace {
    file: tempfile::NamedTempFile,
    tracer: std::process::Child,
}

impl Trace {
    fn of(pid: u32) -> Self {
        let file = tempfile::NamedTempFile::new().unwrap();
        let tracer = Command::new("/usr/bin/strace")
            .args(["-f", "-qq", "-e", "trace=execve", "-s", "65536", "-o"])
            .arg(file.path())
            .args(["-p", &pid.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let begun = Instant::now();
        let traced = || {
            let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
            !status.contains("TracerPid:\t0\n")
        };
        while !traced() {
            assert!(begun.elapsed() < TRACE_BEGINS, "strace does not begin");
            std::thread::sleep(Duration::from_millis(20));
        }
        Self { file, tracer }
    }

    /// Each program that was started, with its arguments.
    fn end(mut self) -> Vec<String> {
        self.tracer.kill().unwrap();
        self.tracer.wait().unwrap();
        let text = std::fs::read_to_string(self.file.path()).unwrap();
        text.lines().filter(|line| line.contains("execve(")).map(str::to_owned).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_starts_no_shell_with_a_value_in_it_and_its_own_log_holds_no_secret() {
    let repo = Repo::new();
    repo.write("Dockerfile", "FROM busybox:1\nCOPY . /src\nCMD [\"/bin/sh\", \"-c\", \"env; exit 3\"]\n");
    repo.write("a;touch canary;$(touch canary)", "x").commit("$(touch /canary)\n`touch /canary`");
    repo.git(&["branch", BRANCH]);
    let forge =
        Forge::serve(repo.root.path(), Behaviour { password: Some(("git", TOKEN)), ..Behaviour::default() }).await;
    let (host, world) = (TestHost::bare().await, World::idle(fresh_database().await).await);
    let settings = vec![
        ("SKIFF_GIT_CA_FILE", forge.ca_file.display().to_string()),
        // All that it can say.
        ("SKIFF_LOG", "debug".to_owned()),
    ];
    let program = Program::start_with(&world, settings).await;
    let trace = Trace::of(program.pid());
    let id = world.provision(&host).await;
    host.load_busybox("busybox:1").await;

    let mut spec = Spec::worker();
    spec.secrets.insert("SECRET".parse().unwrap(), world.secret("app", Uuid::now_v7(), "SECRET", VALUE).await);
    spec.health.start_period_s = 10;
    let mut source = git(&repo);
    (source.url, source.branch) = (forge.url("app/.git"), BRANCH.parse().unwrap());
    source.args.insert("WORDS".parse().unwrap(), VALUE.replace("canary-env", "words").parse().unwrap());
    for (token, reason) in [("canary-git-wrong", "refuse"), (TOKEN, "status 3")] {
        let token = world.secret("source", Uuid::now_v7(), "token", token).await;
        source.access = GitAccess::Token { user: "git".into(), token };
        let app = world.app_of(id, Source::Git(source.clone()), spec.clone()).await;
        let ended = app.deploy().await;
        assert!(ended.state == "failed" && ended.reason.contains(reason), "{ended:#?}\n{}", program.log());
    }
    let password = world.secret("source", Uuid::now_v7(), "password", PASSWORD).await;
    let login = Some(RegistryLogin { user: "canary-user".into(), password });
    let image = Image { image: "127.0.0.1:5000/nowhere:1".parse().unwrap(), login };
    let ended = world.app_of(id, Source::Image(image), spec).await.deploy().await;
    assert_eq!(ended.state, "failed", "{ended:#?}");

    let started = trace.end();
    assert!(started.iter().any(|line| line.contains("git-remote-https") || line.contains("fetch")), "{started:#?}");
    let told: Vec<_> = started.iter().filter(|line| line.contains("canary-")).collect();
    assert!(told.is_empty(), "a secret among the arguments: {told:#?}");
    // What git itself hands to a shell is constant; the names of branches and files are arguments of programs only.
    let shells: BTreeSet<&str> = started
        .iter()
        .filter_map(|line| line.split_once("execve(").map(|(_, rest)| rest))
        .filter(|call| call.starts_with("\"/bin/sh\"") || call.starts_with("\"/bin/bash\"") || call.contains("/dash\""))
        .map(|call| call.split("], 0x").next().unwrap())
        .collect();
    println!("{} programs started, {} texts for a shell: {shells:#?}", started.len(), shells.len());
    assert!(shells.iter().all(|call| !call.contains("touch")), "{shells:#?}");
    let programs: BTreeSet<&str> =
        started.iter().filter_map(|line| line.split("execve(\"").nth(1)?.split('"').next()).collect();
    let ours = |name: &&str| {
        let name = name.rsplit('/').next().unwrap();
        name.starts_with("git") || matches!(name, "sh" | "ssh" | "skiff" | "setpriv")
    };
    assert!(programs.iter().all(ours), "{programs:#?}");
    let log = program.log();
    assert!(log.contains("Deploy"), "it was told to say much: {log}");
    let key = host.root_key.lines().nth(2).unwrap();
    let bad: Vec<&str> = log.lines().filter(|line| line.contains("canary-") || line.contains(key)).collect();
    assert!(bad.iter().all(|line| line.contains("canary-user")), "its own log: {bad:#?}");
    assert!(!std::path::Path::new("/canary").exists() && !host.path("/canary").exists());
    crate::harness::quiet::assert_quiet(&world.db).await;
}
