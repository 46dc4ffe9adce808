//! `run.bash` in a real bash with a real HAProxy: it takes over without a drop, and nothing in a release is interpreted.
//! Docker is played by a script that writes down how it was called; the real one is asked in `jobs`.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};

use proptest::prelude::*;
use skiff::domain::app::{Mount, Probe, Spec};
use skiff::domain::ids::{AppId, EnvironmentId, HostId, ReleaseId, VolumeId};
use skiff::domain::names::EnvName;
use skiff::domain::release::{Place, Release};
use skiff::domain::run_bash::{files, run_bash};
use uuid::Uuid;

use super::apps::{free_port, get, serve};
use super::proxy::Proxy;
use super::{address, backend, route};

/// A docker that writes its arguments, its environment and the file of variables down, and lists one old container.
const DOCKER: &str = r#"#!/bin/bash
case "$1 ${2:-}" in
  'network inspect') echo 127.0.1.1 ;;
  'image inspect') ;;
  'ps --all') echo 0123 ;;
  'inspect --format') case $3 in *Networks*) echo '127.0.1.127 ' ;; *Restart*) echo true/0 ;; *) echo true ;; esac ;;
  'ps --filter') [ -e "$STUB/stopped" ] || echo old-1 ;;
  'stop --time') printf '%s\n' "$4" >> "$STUB/stopped" ;;
  'run --detach')
    printf '%s\0' "$@" > "$STUB/argv"
    /usr/bin/env -0 > "$STUB/environ"
    while [ $# -gt 0 ]; do [ "$1" != --env-file ] || /bin/cat "$2" > "$STUB/lines"; shift; done ;;
  exec*) shift 2; printf '%s\0' "$@" > "$STUB/health" ;;
esac
"#;

fn release(port: u16) -> Release {
    let mut spec = Spec::web(port, "/up".parse().unwrap());
    spec.routes = vec![route("shop.test", "/")];
    (spec.drain_s, spec.health.start_period_s) = (5, 5);
    Release {
        id: ReleaseId(Uuid::from_u128(3)),
        app: AppId(Uuid::from_u128(1)),
        environment: EnvironmentId(Uuid::from_u128(4)),
        number: 7,
        image_id: format!("sha256:{}", "b".repeat(64)).parse().unwrap(),
        image: "registry.test:5000/team/app:v7".parse().unwrap(),
        spec,
        secret_versions: BTreeMap::new(),
        placement: vec![Place { host: HostId(Uuid::from_u128(5)), instances: 1 }],
        commit: None,
    }
}

/// Writes a release's files and the played docker into the folder, and runs the script.
fn run(folder: &Path, release: &Release, env: &[(EnvName, String)], proxy: Option<&Proxy>) -> Output {
    for file in files(release, Uuid::from_u128(9), env) {
        let path = folder.join(file.path.rsplit('/').next().unwrap());
        std::fs::write(&path, file.bytes).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(file.mode)).unwrap();
    }
    let docker = folder.join("docker");
    std::fs::write(&docker, DOCKER).unwrap();
    std::fs::set_permissions(&docker, std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = Command::new("/bin/bash");
    command.arg(folder.join("run.bash")).env_clear().env("STUB", folder);
    command.env("PATH", format!("{}:/usr/sbin:/usr/bin:/bin", folder.display()));
    if let Some(proxy) = proxy {
        command.env("SKIFF_HAPROXY_CONFIG", proxy.path("haproxy.cfg"));
        command.env("SKIFF_HAPROXY_SOCKET", proxy.path("haproxy.sock"));
    }
    command.output().unwrap()
}

fn texts(path: &Path) -> Vec<String> {
    let bytes = std::fs::read(path).unwrap();
    bytes
        .split(|b| *b == 0)
        .map(|part| String::from_utf8(part.to_vec()).unwrap())
        .take_while(|t| !t.is_empty())
        .collect()
}

/// The variables the container would get: by lines, and by name from the environment.
fn given(folder: &Path) -> BTreeMap<String, String> {
    let pair = |text: &str| text.split_once('=').map(|(n, v)| (n.to_owned(), v.to_owned()));
    let lines = std::fs::read_to_string(folder.join("lines")).unwrap();
    let mut given: BTreeMap<String, String> = lines.split('\n').filter_map(pair).collect();
    let environ = std::fs::read(folder.join("environ")).unwrap();
    let environ: BTreeMap<String, String> =
        environ.split(|b| *b == 0).filter_map(|part| pair(std::str::from_utf8(part).unwrap())).collect();
    let argv = texts(&folder.join("argv"));
    for name in argv.windows(2).filter(|two| two[0] == "--env").map(|two| &two[1]) {
        given.insert(name.clone(), environ[name].clone());
    }
    given
}

#[test]
fn the_script_alone_turns_the_proxy_to_the_release_and_stops_the_other() {
    let port = free_port();
    let _apps = [serve("old", address(1), port), serve("new", address(126), port)];
    let proxy = Proxy::start(|ingress| {
        ingress.backends = vec![backend(1, port, &[("old-1", 1)]), backend(2, port, &[("beside-1", 1)])];
        ingress.routes = vec![(route("shop.test", "/"), 1), (route("beside.test", "/"), 2)];
    });
    assert_eq!(get(proxy.port(), "shop.test", "/").app(), "old");
    let folder = tempfile::tempdir().unwrap();
    let out = run(folder.path(), &release(port), &[], Some(&proxy));
    assert!(out.status.success(), "{out:?}");
    assert_eq!(get(proxy.port(), "shop.test", "/").app(), "new");
    assert_eq!(std::fs::read_to_string(folder.path().join("stopped")).unwrap(), "old-1\n");
    let servers: Vec<_> = proxy.servers().into_iter().filter(|s| s.slot == 1).map(|s| (s.name, s.address)).collect();
    assert_eq!(servers.len(), 1, "{servers:?}");
    assert_eq!(servers[0].1, address(126));

    // The file says the same, of this app only, so that a reload finds it.
    let line = format!("    server {} 127.0.1.126:{port} weight 100\n", servers[0].0);
    let before = proxy.ingress.haproxy_cfg();
    let old = format!("    # b0001 servers: begin\n    server old-1 127.0.1.1:{port} weight 100\n");
    assert!(before.contains(&old));
    let wanted = before.replace(&old, &format!("    # b0001 servers: begin\n{line}"));
    assert_eq!(std::fs::read_to_string(proxy.path("haproxy.cfg")).unwrap(), wanted);
    assert_eq!(proxy.reload().failed, 0);
    assert_eq!(get(proxy.port(), "shop.test", "/").app(), "new");
    assert_eq!(get(proxy.port(), "beside.test", "/").app(), "old");
}

#[test]
fn one_that_speaks_http_2_alone_is_taken_by_its_port() {
    let port = free_port();
    let _apps = super::h2c::Apps::serve(port, &[1, 126]);
    let proxy = Proxy::start(|ingress| {
        ingress.backends = vec![backend(1, port, &[("old-1", 1)])];
        ingress.backends[0].front.h2c = true;
        ingress.routes = vec![(route("shop.test", "/"), 1)];
    });
    let folder = tempfile::tempdir().unwrap();
    let out = run(folder.path(), &release(port), &[], Some(&proxy));
    assert!(out.status.success(), "{out:?}");
    let servers: Vec<_> = proxy.servers().into_iter().map(|server| server.address).collect();
    assert_eq!(servers, [address(126)]);
    assert_eq!(get(proxy.port(), "shop.test", "/").body, "by 2.0");
    let file = std::fs::read_to_string(proxy.path("haproxy.cfg")).unwrap();
    assert!(file.contains(&format!(" 127.0.1.126:{port} weight 100 proto h2\n")), "{file}");
}

#[test]
fn a_release_that_does_not_get_healthy_leaves_the_old_one_serving() {
    let port = free_port();
    let _app = serve("old", address(1), port);
    let proxy = Proxy::start(|ingress| {
        ingress.backends = vec![backend(1, port, &[("old-1", 1)])];
        ingress.routes = vec![(route("shop.test", "/"), 1)];
    });
    let folder = tempfile::tempdir().unwrap();
    let mut release = release(port);
    release.spec.health.start_period_s = 1;
    let out = run(folder.path(), &release, &[], Some(&proxy));
    assert!(!out.status.success());
    assert!(String::from_utf8_lossy(&out.stderr).contains("was not healthy within 1 seconds"), "{out:?}");
    let stopped = std::fs::read_to_string(folder.path().join("stopped")).unwrap();
    assert!(stopped.starts_with("skiff-") && stopped.lines().count() == 1, "{stopped}");
    assert_eq!(get(proxy.port(), "shop.test", "/").app(), "old");
    assert_eq!(std::fs::read_to_string(proxy.path("haproxy.cfg")).unwrap(), proxy.ingress.haproxy_cfg());
}

#[test]
fn the_container_is_asked_for_as_the_release_has_it() {
    let mut release = release(1);
    let spec = &mut release.spec;
    (spec.kind, spec.port) = (skiff::domain::app::Kind::Worker, None);
    spec.health.probe =
        Probe::Command { argv: vec!["bin/ok".into(), "a b".into(), "$(touch x)'\"".into(), "*\n".into()] };
    (spec.memory_mib, spec.cpu_milli, spec.stop_grace_s) = (Some(64), Some(250), 12);
    let volume = VolumeId(Uuid::from_u128(6));
    spec.mounts = vec![Mount { volume, name: "data".parse().unwrap(), path: "/var/data".parse().unwrap() }];
    let folder = tempfile::tempdir().unwrap();
    let out = run(folder.path(), &release, &[], None);
    assert!(out.status.success(), "{out:?}");
    let mut argv = texts(&folder.path().join("argv"));
    let name = argv.iter().position(|a| a == "--name").unwrap() + 1;
    assert!(argv[name].starts_with("skiff-00000000000000000000000000000001-v7-"), "{}", argv[name]);
    argv[name] = "NAME".to_owned();
    let file = argv.iter().position(|a| a == "--env-file").unwrap() + 1;
    argv[file] = "FILE".to_owned();
    let id = |n: u128| Uuid::from_u128(n);
    let expected = format!(
        "run --detach --pull never --name NAME --network skiff-{} --ip 127.0.1.126 --restart unless-stopped --log-driver local --stop-timeout 12 --env-file FILE --label skiff.panel={} --label skiff.app={} --label skiff.release={} --mount type=volume,source=skiff-{},target=/var/data --log-opt max-size=10m --log-opt max-file=3 --memory 67108864 --memory-swap 67108864 --cpus 0.250 registry.test:5000/team/app:v7",
        id(4).simple(),
        id(9),
        id(1),
        id(3),
        id(6).simple(),
    );
    assert_eq!(argv.join(" "), expected);
    assert_eq!(texts(&folder.path().join("health")), ["bin/ok", "a b", "$(touch x)'\"", "*\n"]);
    assert!(!folder.path().join("x").exists());
}

#[test]
fn the_head_of_the_script_is_nothing_but_quoted_words() {
    let script = run_bash(&release(8080), Uuid::from_u128(9));
    let head = script.split("# From here on").next().unwrap();
    for line in head.lines().filter(|l| !l.is_empty() && !l.starts_with('#')) {
        let (name, value) = line.split_once('=').unwrap();
        assert!(name.chars().all(|c| c.is_ascii_uppercase() || c == '_'), "{line}");
        let words = value.strip_prefix('(').and_then(|v| v.strip_suffix(')')).unwrap_or(value);
        let quoted =
            words.split('\'').enumerate().filter(|(at, _)| at % 2 == 0).all(|(_, between)| between.trim().is_empty());
        assert!(quoted && words.matches('\'').count() % 2 == 0, "{line}");
    }
}

/// Values that would do something if anything read them.
fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ -~]{0,40}",
        "[\\PC\n\r\t$`'\"\\\\!*~#]{0,40}",
        Just("$(touch pwned)`touch pwned`;touch pwned\n'\"\\".to_owned()),
        Just(" leading and trailing \r".to_owned()),
        Just("# no comment\n\n=x\n".to_owned()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_value_arrives_byte_for_byte(
        values in proptest::collection::btree_map("[A-Z_][A-Z0-9_]{2,8}", value(), 0..6),
        special in proptest::collection::btree_map(prop_oneof![Just("PATH"), Just("DOCKER_HOST"), Just("IFS"), Just("UID"), Just("BASH_ENV"), Just("LD_PRELOAD"), Just("STUB")], "[ -~]{0,20}", 0..4),
    ) {
        let mut wanted = values;
        wanted.extend(special.into_iter().map(|(name, value)| (name.to_owned(), value)));
        let env: Vec<(EnvName, String)> = wanted.iter().map(|(n, v)| (n.parse().unwrap(), v.clone())).collect();
        let mut release = release(1);
        (release.spec.kind, release.spec.port) = (skiff::domain::app::Kind::Worker, None);
        release.spec.health.probe = Probe::Command { argv: vec!["true".into()] };
        let folder = tempfile::tempdir().unwrap();
        let out = run(folder.path(), &release, &env, None);
        prop_assert!(out.status.success(), "{:?}", out);
        prop_assert_eq!(given(folder.path()), wanted);
        prop_assert!(!folder.path().join("pwned").exists() && !Path::new("pwned").exists());
    }
}
