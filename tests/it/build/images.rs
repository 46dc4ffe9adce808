//! From a commit to an image on a host: BuildKit is real.

use std::time::{Duration, Instant};

use skiff::domain::deploy::Failure;
use skiff::domain::ids::AppId;
use skiff::domain::names::{EnvName, EnvValue, PlainName};
use skiff::domain::source::{Git, Image, Source};
use skiff::jobs::stop::Stop;
use uuid::Uuid;

use super::bench::{Bench, git};
use super::repo::Repo;
use crate::harness::host::TestHost;

/// A repository whose Dockerfile stands on the busybox that the host has.
fn with_shell(rest: &str) -> Repo {
    let repo = Repo::new();
    repo.write("Dockerfile", format!("FROM busybox:1\n{rest}")).commit("First");
    repo
}

async fn bench(repo: &Repo) -> Bench {
    let bench = Bench::new(repo).await;
    bench.host.load_busybox("busybox:1").await;
    bench
}

#[tokio::test]
async fn a_commit_is_built_once_and_kept_by_a_name_of_ours() {
    let repo = Repo::new();
    repo.write("Dockerfile", "FROM scratch\nCOPY index.html /\n").write("index.html", "v1").commit("First page");
    let bench = Bench::new(&repo).await;
    let before = bench.host.foreign_inventory().await;
    let source = Source::Git(git(&repo));
    let first = bench.resolve(&source).await;
    let image = first.image();
    let commit = image.commit.clone().unwrap();
    assert_eq!((commit.subject.as_str(), commit.author.as_str()), ("First page", "Ada"));
    assert_eq!(first.step.0, "changed");
    assert!(first.text().contains("skiff main is at"), "{}", first.text());
    assert!(first.text().contains("skiff [1/1] COPY index.html /"), "{}", first.text());
    let format = "{{.Id}} {{index .Config.Labels \"skiff.app\"}} {{index .Config.Labels \"skiff.panel\"}} {{len (index .Config.Labels \"skiff.build\")}}";
    let seen = bench.host.docker(&["image", "inspect", "--format", format, image.image.as_ref()]).await;
    assert_eq!(seen.trim(), format!("{} {} {} 64", image.image_id, bench.app, bench.ctx.panel));

    let second = bench.resolve(&source).await;
    assert_eq!(second.image(), image);
    assert_eq!((second.step.0.as_str(), second.step.1.as_str()), ("unchanged", "already built"));
    assert_eq!(bench.builds().await, (1, 1));

    // Promoted to another app: the same content, another name.
    let other = AppId(Uuid::now_v7());
    let promoted = bench.resolve_for(other, &source, |_, _| async {}).await;
    assert_eq!(promoted.image().image_id, image.image_id);
    assert_ne!(promoted.image().image, image.image);
    assert_eq!(bench.builds().await, (1, 1));

    // The image was removed by hand: built again.
    for name in [&image.image, &promoted.image().image] {
        bench.host.docker(&["image", "rm", "--force", name.as_ref()]).await;
    }
    let again = bench.resolve(&source).await;
    assert_eq!(again.step.0, "changed");
    assert_eq!(bench.builds().await, (1, 2));
    assert_eq!(bench.host.foreign_inventory().await, before);
}

#[tokio::test]
async fn output_comes_live_and_cached_steps_are_marked() {
    let repo = with_shell("RUN echo out; echo err >&2; printf '10%%\\r20%%\\n'\nCOPY a /a\n");
    repo.write("a", "1").commit("With a file");
    let bench = bench(&repo).await;
    let source = Source::Git(git(&repo));
    let first = bench.resolve(&source).await;
    first.image();
    for line in [("out", "out"), ("err", "err"), ("out", "10%\r20%")] {
        assert!(first.log.contains(&(line.0.into(), line.1.into())), "{line:?} in\n{}", first.text());
    }
    repo.write("a", "2").commit("Changed");
    let second = bench.resolve(&source).await;
    assert_ne!(second.image().image_id, first.image().image_id);
    assert!(second.text().contains("skiff [2/3] cached"), "{}", second.text());
    assert!(!second.text().contains("out out"), "{}", second.text());
    assert!(second.step.1.starts_with("1 of 2 steps cached"), "{:?}", second.step);
}

#[tokio::test]
async fn what_goes_wrong_in_a_build_is_named_with_its_step() {
    let repo = with_shell("RUN echo before; exit 3\n");
    let bench = bench(&repo).await;
    let failing = bench.resolve(&Source::Git(git(&repo))).await;
    match failing.failure() {
        Failure::BuildFailed { step, detail } => {
            assert_eq!(step, "[2/2] RUN echo before; exit 3");
            assert!(detail.contains("exit code: 3"), "{detail}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(failing.step.0, "failed");
    assert!(failing.log.contains(&("out".into(), "before".into())));
    assert_eq!(bench.builds().await, (0, 1));

    let cases: [(&str, &str, &str); 5] = [
        ("FROM busybox:1\nRUNN x\n", "", "RUNN"),
        ("FROM busybox:1\nCOPY nothing /\n", "COPY nothing /", "nothing"),
        ("FROM nowhere.invalid/x:1\n", "", "nowhere.invalid"),
        ("", "", ""),
        ("FROM busybox:1\nCOPY link /x\n", "COPY link /x", "not found"),
    ];
    // A link out of the tree is a link in the context: nothing of the host or of the panel is behind it.
    std::os::unix::fs::symlink("/etc/hostname", repo.path().join("link")).unwrap();
    for (dockerfile, step, words) in cases {
        repo.write("Dockerfile", dockerfile).commit("Broken");
        let ran = bench.resolve(&Source::Git(git(&repo))).await;
        match ran.failure() {
            Failure::BuildFailed { step: at, detail } => {
                assert!(at.contains(step) && detail.contains(words), "{dockerfile:?}: {at:?} {detail:?}");
            }
            other => panic!("{dockerfile:?}: {other:?}"),
        }
    }
    let stage = Git { target: Some("nostage".parse().unwrap()), ..git(&repo) };
    repo.write("Dockerfile", "FROM busybox:1\n").commit("Whole");
    match bench.resolve(&Source::Git(stage)).await.failure() {
        Failure::BuildFailed { detail, .. } => assert!(detail.contains("nostage"), "{detail}"),
        other => panic!("{other:?}"),
    }
    let missing = Git { dockerfile: "docker/File".parse().unwrap(), ..git(&repo) };
    let found = bench.resolve(&Source::Git(missing)).await;
    match found.failure() {
        Failure::NotRecognised { path, detail: why } => {
            assert_eq!(path, "docker/File");
            assert!(why.contains("go.mod (Go)") && why.contains("index.html"), "{why}");
        }
        other => panic!("{other:?}"),
    }
    let branch = Git { branch: "gone".parse().unwrap(), ..git(&repo) };
    let found = bench.resolve(&Source::Git(branch)).await;
    assert_eq!(found.failure(), &Failure::BranchNotFound { branch: "gone".parse().unwrap() });
}

#[tokio::test]
async fn arguments_arrive_byte_for_byte_and_hostile_names_do_nothing() {
    let value = "a'b\"c $HOME ${X} `id` $(id)\nsecond line\ttab \\n ünï =;&|<>";
    let repo = with_shell("ARG V\nRUN printf %s \"$V\" > /v\nCOPY . /src\n");
    let names = ["-rf", "a;touch b", "$(touch c)", "new\nline", "--upload-pack=x", "ü\u{202e}x"];
    for name in names {
        repo.write(name, name);
    }
    repo.git(&["add", "--all"]);
    let message = "$(touch /canary) `touch /canary` </script>{{7*7}}\n\n--help";
    repo.git_as("-oProxyCommand=touch /canary;$(id)", &["commit", "--quiet", "--message", message]);
    let bench = bench(&repo).await;
    let (name, value_set): (EnvName, EnvValue) = ("V".parse().unwrap(), value.parse().unwrap());
    let source = Source::Git(Git { args: [(name, value_set)].into(), ..git(&repo) });
    let ran = bench.resolve(&source).await;
    let image = ran.image();
    assert_eq!(bench.in_image(image, "cat /v").await, value);
    let listed =
        bench.in_image(image, "cd /src && for f in *; do cat \"./$f\"; done; ls -a / | grep canary; true").await;
    for name in names {
        assert!(listed.contains(name), "{name:?} in {listed:?}");
    }
    assert!(!listed.contains("canary"));
    assert_eq!(image.commit.as_ref().unwrap().subject, message.lines().next().unwrap());
    assert!(!bench.host.path("/canary").exists() && !std::path::Path::new("/canary").exists());
}

#[tokio::test]
async fn a_build_secret_is_there_while_building_and_nowhere_after() {
    const CANARY: &str = "build-canary-41c9\nsecond";
    let run = "RUN --mount=type=secret,id=token cat /run/secrets/token; sha256sum < /run/secrets/token > /sum\n";
    let repo = with_shell(run);
    let bench = bench(&repo).await;
    let id: PlainName = "token".parse().unwrap();
    let secret = bench.secret(CANARY.as_bytes()).await;
    let ran = bench.resolve(&Source::Git(Git { secrets: [(id, secret)].into(), ..git(&repo) })).await;
    let image = ran.image();
    let sum = bench.in_image(image, "cut -d' ' -f1 /sum").await;
    let wanted = <sha2::Sha256 as sha2::Digest>::digest(CANARY.as_bytes());
    assert_eq!(sum.trim(), hex::encode(wanted));
    // The step printed it: the log has it masked.
    assert!(!ran.text().contains("build-canary-41c9"), "{}", ran.text());
    let history = bench.host.docker(&["history", "--no-trunc", image.image_id.as_ref()]).await;
    assert!(!history.contains("canary"), "{history}");
    let saved = bench.host.path("/tmp/saved.tar");
    bench.host.docker(&["save", "--output", saved.to_str().unwrap(), image.image_id.as_ref()]).await;
    let bytes = std::fs::read(saved).unwrap();
    assert!(bytes.len() > 1_000_000 && !bytes.windows(17).any(|part| part == b"build-canary-41c9"));
}

#[tokio::test]
async fn a_cancelled_build_stops_its_running_step_within_two_seconds() {
    let repo = with_shell("RUN echo begun && sleep 4711\n");
    let bench = bench(&repo).await;
    let source = Source::Git(git(&repo));
    let sleeping = async || bench.host.enter(&["pgrep", "--full", "sleep 4711"]).await.status == 0;
    let sleeping = &sleeping;
    let at = std::sync::Mutex::new(None);
    let (watched, noted) = (&bench, &at);
    let ran = bench
        .resolve_for(bench.app, &source, |cancel, job| async move {
            let waiting = Instant::now();
            while !watched.log_so_far(job).await.contains("\nbegun\n") || !sleeping().await {
                assert!(waiting.elapsed() < Duration::from_secs(30), "{}", watched.log_so_far(job).await);
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            *noted.lock().unwrap() = Some(Instant::now());
            cancel.cancel();
        })
        .await;
    assert!(matches!(ran.resolved, Err(Stop::Cancelled)), "{:?}", ran.resolved);
    assert_eq!(ran.step, ("failed".into(), "cancelled".into()));
    let cancelled = at.lock().unwrap().unwrap();
    while sleeping().await {
        assert!(cancelled.elapsed() < Duration::from_secs(2), "the step still runs");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // The same build can be asked for again at once.
    repo.write("Dockerfile", "FROM busybox:1\nRUN true\n").commit("Quick");
    bench.resolve(&source).await.image();
}

#[tokio::test]
async fn a_full_disk_is_said_and_nothing_is_left_half_done() {
    let repo = with_shell("COPY . /data\n");
    repo.write("data", vec![7_u8; 30_000_000]).commit("Large");
    let bench = Bench::on(&repo, TestHost::light_with_disk(512).await).await;
    bench.host.load_busybox("busybox:1").await;
    bench.host.fill_disk(8_000).await;
    let source = Source::Git(git(&repo));
    let ran = bench.resolve(&source).await;
    assert_eq!(ran.failure(), &Failure::DiskFull { host: "rig".into() });
    assert_eq!(bench.builds().await.0, 0);
    bench.host.free_disk().await;
    bench.resolve(&source).await.image();
}

#[tokio::test]
async fn a_large_context_reaches_the_builder() {
    let repo = with_shell("COPY data /data\n");
    for n in 0..5_u8 {
        repo.write(&format!("data/{n}"), vec![n; 8_000_000]);
    }
    repo.commit("Large");
    let bench = bench(&repo).await;
    let ran = bench.resolve(&Source::Git(git(&repo))).await;
    let sizes = bench.in_image(ran.image(), "cat /data/* | wc -c").await;
    assert_eq!(sizes.trim(), "40000000");
}

#[tokio::test]
async fn an_image_by_name_is_asked_for_at_its_registry_unless_it_was_loaded_by_hand() {
    let repo = Repo::new();
    let bench = bench(&repo).await;
    let image = |name: &str| Source::Image(Image { image: name.parse().unwrap(), login: None });
    let loaded = bench.resolve(&image("busybox:1")).await;
    let kept = loaded.image();
    assert!(kept.image.to_string().starts_with("skiff/"), "{}", kept.image);
    assert!(loaded.text().contains("loaded on rig"), "{}", loaded.text());
    // Nothing listens there.
    let closed = bench.resolve(&image("127.0.0.1:9/team/app:1")).await;
    assert!(matches!(closed.failure(), Failure::RegistryUnreachable { .. }), "{:?}", closed.failure());
}
