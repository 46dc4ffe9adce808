//! Builds by the BuildKit in the daemon, over SSH.

use super::connected;
use crate::harness::host::TestHost;
use bytes::Bytes;
use futures_util::stream::{self, Stream};
use skiff::domain::names::{ImageId, ImageRef};
use skiff::domain::secret::Secret;
use skiff::remote::docker::{BuildEvent, BuildRequest, BuildSecret};
use skiff::remote::{Error, Host};
use std::time::{Duration, Instant};

type Context = std::pin::Pin<Box<dyn Stream<Item = Result<Bytes, std::io::Error>> + Send>>;

/// A context of a Dockerfile and one file, as a stream of small pieces.
fn context(dockerfile: &str, data: &str) -> Context {
    let mut tar = tar::Builder::new(Vec::new());
    for (name, text) in [("Dockerfile", dockerfile), ("data", data)] {
        let mut header = tar::Header::new_ustar();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        tar.append_data(&mut header, name, text.as_bytes()).unwrap();
    }
    let bytes = tar.into_inner().unwrap();
    let pieces: Vec<_> = bytes.chunks(500).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
    Box::pin(stream::iter(pieces))
}

fn request(dockerfile: &str, data: &str) -> BuildRequest<Context> {
    BuildRequest {
        context: context(dockerfile, data),
        dockerfile: "Dockerfile".parse().unwrap(),
        target: None,
        args: vec![("GREETING".parse().unwrap(), "it's & \"so\" ü".parse().unwrap())],
        caches: "one".to_owned(),
        secrets: vec![],
        logins: vec![],
        tags: vec!["skiff-built:1".parse().unwrap()],
        labels: vec![("skiff.panel", "test".to_owned())],
        limit: Duration::from_secs(60),
    }
}

async fn build(host: &Host, request: BuildRequest<Context>) -> (Result<ImageId, Error>, Vec<BuildEvent>) {
    let mut events = Vec::new();
    let built = host.docker_bulk().build(request, &mut |event| events.push(event)).await;
    (built, events)
}

fn log(events: &[BuildEvent]) -> String {
    let bytes: Vec<u8> = events
        .iter()
        .filter_map(|event| if let BuildEvent::Log { bytes, .. } = event { Some(bytes.clone()) } else { None })
        .flatten()
        .collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

#[tokio::test]
async fn a_build_tells_its_steps_and_the_second_one_is_cached() {
    let rig = TestHost::light().await;
    rig.load_busybox("skiff-bb:1").await;
    let host = connected(&rig).await;
    assert!(host.docker().has_buildkit().await.unwrap());
    let dockerfile =
        "FROM skiff-bb:1\nARG GREETING\nCOPY data /data\nRUN echo \"said $GREETING\" && echo oops >&2 && cat /data\n";
    let (first, events) = build(&host, request(dockerfile, "hello")).await;
    let first = first.unwrap();
    let text = log(&events);
    assert!(text.contains("said it's & \"so\" ü") && text.contains("oops") && text.contains("hello"), "{text}");
    let begun = events.iter().filter(|event| matches!(event, BuildEvent::StepStarted { .. })).count();
    let done = events
        .iter()
        .filter(|event| matches!(event, BuildEvent::StepDone { .. } | BuildEvent::StepCached { .. }))
        .count();
    assert!(begun >= 3 && begun == done, "{events:?}");
    assert!(
        events.iter().any(|event| matches!(event, BuildEvent::StepStarted { name, .. } if name.contains("COPY data")))
    );
    assert_eq!(events.last(), Some(&BuildEvent::Image(first.clone())));
    let image = host.docker().image(&"skiff-built:1".parse::<ImageRef>().unwrap()).await.unwrap().unwrap();
    assert_eq!(image.id, first);
    assert!(
        rig.docker(&["inspect", "--format", "{{json .Config.Labels}}", "skiff-built:1"]).await.contains("skiff.panel")
    );

    let (second, events) = build(&host, request(dockerfile, "hello")).await;
    assert_eq!(second.unwrap(), first);
    let cached = events.iter().filter(|event| matches!(event, BuildEvent::StepCached { .. })).count();
    assert!(cached >= 2, "{events:?}");
}

#[tokio::test]
async fn caches_are_kept_for_builds_of_the_same_name_alone() {
    let rig = TestHost::light().await;
    rig.load_busybox("skiff-bb:1").await;
    let host = connected(&rig).await;
    let kept = async |name: &str, turn: usize, own: bool| {
        let dockerfile = format!(
            "FROM skiff-bb:1\nRUN --mount=type=cache,target=/kept echo turn {turn} && echo {name} >> /kept/who && echo \"has $(cat /kept/who | tr '\\n' ' ')\"\n"
        );
        let mut wanted = request(&dockerfile, "x");
        wanted.caches = name.to_owned();
        if own {
            wanted.args = vec![("BUILDKIT_CACHE_MOUNT_NS".parse().unwrap(), "one".parse().unwrap())];
        }
        let (built, events) = build(&host, wanted).await;
        built.unwrap();
        log(&events)
    };
    assert!(kept("one", 1, false).await.contains("has one \n"));
    let other = kept("other", 2, false).await;
    assert!(other.contains("has other \n"), "another name has another cache: {other}");
    let liar = kept("liar", 3, true).await;
    assert!(liar.contains("has liar \n"), "and no argument of a person's says otherwise: {liar}");
    let again = kept("one", 4, false).await;
    assert!(again.contains("has one one \n"), "{again}");
}

#[tokio::test]
async fn a_secret_is_mounted_and_stays_nowhere() {
    let rig = TestHost::light().await;
    rig.load_busybox("skiff-bb:1").await;
    let host = connected(&rig).await;
    let dockerfile = "FROM skiff-bb:1\nRUN --mount=type=secret,id=token,target=/tmp/token echo length $(wc -c < /tmp/token) && md5sum /tmp/token\n";
    let mut wanted = request(dockerfile, "x");
    let canary = b"canary-\n-\xff-7d1f".to_vec();
    wanted.secrets = vec![BuildSecret { id: "token".parse().unwrap(), value: Secret::new(canary.clone()) }];
    let (built, events) = build(&host, wanted).await;
    built.unwrap();
    let text = log(&events);
    assert!(text.contains(&format!("length {}", canary.len())), "{text}");
    let saved = rig.enter(&["/bin/bash", "-c", "docker save skiff-built:1 | grep -c canary-; docker history --no-trunc skiff-built:1 | grep -c canary-; true"]).await;
    assert_eq!(saved.out, "0\n0\n");

    let mut wanted = request(&dockerfile.replace("id=token", "id=other,required"), "x");
    wanted.secrets = vec![BuildSecret { id: "token".parse().unwrap(), value: Secret::new(canary) }];
    let (built, _) = build(&host, wanted).await;
    assert!(matches!(&built, Err(Error::BuildFailed { .. })), "{built:?}");
}

#[tokio::test]
async fn a_failing_step_is_named_and_a_dropped_build_stops() {
    let rig = TestHost::light().await;
    rig.load_busybox("skiff-bb:1").await;
    let host = connected(&rig).await;
    let (built, events) = build(&host, request("FROM skiff-bb:1\nRUN echo before && exit 3\n", "x")).await;
    assert!(matches!(&built, Err(Error::BuildFailed { detail }) if detail.contains("exit code: 3")), "{built:?}");
    assert!(
        events.iter().any(|e| matches!(e, BuildEvent::StepFailed { name, .. } if name.contains("exit 3"))),
        "{events:?}"
    );
    assert!(log(&events).contains("before"));

    for (dockerfile, word) in [("NONSENSE\n", "nonsense"), ("FROM skiff-bb:1\nCOPY nothing /x\n", "nothing")] {
        let (built, _) = build(&host, request(dockerfile, "x")).await;
        assert!(
            matches!(&built, Err(Error::BuildFailed { detail }) if detail.to_lowercase().contains(word)),
            "{built:?}"
        );
    }
    let mut elsewhere = request("FROM skiff-bb:1\n", "x");
    elsewhere.dockerfile = "docker/Missing".parse().unwrap();
    let (built, _) = build(&host, elsewhere).await;
    assert!(matches!(built, Err(Error::BuildFailed { .. })), "{built:?}");

    let mut torn = request("FROM skiff-bb:1\n", "x");
    let pieces = [Ok(Bytes::from_static(b"not yet")), Err(std::io::Error::other("the repository went away"))];
    torn.context = Box::pin(stream::iter(pieces));
    let (built, _) = build(&host, torn).await;
    assert!(matches!(&built, Err(Error::BuildFailed { detail }) if detail.contains("went away")), "{built:?}");

    let running = "pgrep -f 'sleep 1234' | wc -l";
    let bulk = host.clone();
    let slow = tokio::spawn(async move { build(&bulk, request("FROM skiff-bb:1\nRUN sleep 1234\n", "x")).await.0 });
    let count = async || {
        rig.enter(&["/bin/sh", "-c", &running.replace("sleep 1234", "[s]leep 1234")]).await.out.trim().to_owned()
    };
    let wait = async |want: bool| {
        let began = Instant::now();
        while (count().await != "0") != want {
            assert!(began.elapsed() < Duration::from_secs(20), "the step runs: {}", !want);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    wait(true).await;
    slow.abort();
    wait(false).await;

    let mut short = request("FROM skiff-bb:1\nRUN sleep 1234\n", "x");
    short.limit = Duration::from_secs(2);
    let (built, _) = build(&host, short).await;
    assert!(matches!(built, Err(Error::TimedOut { .. })), "{built:?}");
    wait(false).await;
}

/// A Docker that says it is of a time before BuildKit: the rig's own, behind a socket that changes the version it tells.
fn older(rig: &TestHost) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
    use tokio::net::{UnixListener, UnixStream};
    let (at, real) = (rig.path(OLDER), rig.docker_socket());
    let listener = UnixListener::bind(at).unwrap();
    tokio::spawn(async move {
        while let Ok((peer, _)) = listener.accept().await {
            let (mut ask, mut tell) = peer.into_split();
            let (mut answer, mut there) = UnixStream::connect(&real).await.unwrap().into_split();
            tokio::spawn(async move { copy(&mut ask, &mut there).await });
            tokio::spawn(async move {
                let mut bytes = vec![0; 64 * 1024];
                while let Ok(count @ 1..) = answer.read(&mut bytes).await {
                    let mut piece = bytes[..count].to_vec();
                    if let Some(found) = piece.windows(17).position(|window| window == b"Api-Version: 1.41") {
                        piece[found..found + 17].copy_from_slice(b"Api-Version: 1.38");
                    }
                    if tell.write_all(&piece).await.is_err() {
                        break;
                    }
                }
            });
        }
    });
}

const OLDER: &str = "/run/older-docker.sock";

#[tokio::test]
async fn without_buildkit_the_classic_builder_is_used_and_secrets_are_refused() {
    let rig = TestHost::light().await;
    rig.load_busybox("busybox:1").await;
    older(&rig);
    let settings = skiff::remote::PoolSettings { docker_socket: OLDER, ..Default::default() };
    let host = skiff::remote::Pool::new(settings).host(&super::login(&rig)).await.unwrap();
    assert!(!host.docker().has_buildkit().await.unwrap());

    let dockerfile = "FROM busybox:1\nARG GREETING\nCOPY data /data\nRUN echo \"$GREETING\"; cat /data\n";
    let (built, events) = build(&host, request(dockerfile, "from the context")).await;
    let image = built.unwrap_or_else(|error| panic!("{error}: {events:#?}"));
    assert!(events.contains(&BuildEvent::Image(image.clone())));
    let steps = events.iter().filter(|event| matches!(event, BuildEvent::StepStarted { .. })).count();
    assert!(steps >= 3, "{events:#?}");
    assert!(log(&events).contains("it's & \"so\" ü") && log(&events).contains("from the context"), "{events:#?}");
    assert!(rig.docker(&["run", "--rm", "skiff-built:1", "cat", "/data"]).await.contains("from the context"));
    // BuildKit leaves no such layers of its own; the classic builder's are containers, and none may stay.
    assert_eq!(rig.docker(&["ps", "--all", "--quiet"]).await, "");

    let (failed, events) = build(&host, request("FROM busybox:1\nRUN echo no good; exit 7\n", "")).await;
    assert!(matches!(&failed, Err(Error::BuildFailed { .. })), "{failed:?}");
    assert!(events.iter().any(|event| matches!(event, BuildEvent::StepFailed { .. })), "{events:#?}");

    let mut secret = request(dockerfile, "");
    secret.secrets = vec![BuildSecret { id: "token".parse().unwrap(), value: Secret::new(b"x".to_vec()) }];
    assert_eq!(build(&host, secret).await.0, Err(Error::SecretsUnsupported));
}
