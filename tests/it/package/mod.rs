//! The package: made twice alike, installed by `install.sh` on a bare server, upgraded by itself to good and to broken builds, interrupted, and
//! purged. The program packed is the one under test; broken ones stand for builds that a release let through.

mod front_door;
mod glibc;
mod internet;
mod journey;
mod memory;
mod more;
mod own_database;
mod removed;
mod server;
mod shelf;

use std::time::{Duration, Instant};

use crate::harness::host::{TestHost, run};
use internet::Internet;
use server::{Server, last};
use shelf::Shelf;

/// Where the packages lie on the server.
const AT: &str = "/packages";
/// A program that starts and never answers.
const MUTE: &str = "#!/bin/bash\n[ \"$1\" != serve ] || exec sleep infinity\n";
/// A program whose first migration goes through and whose second one fails, as `skiff serve` says it.
const HALF_MIGRATED: &str = r#"#!/bin/bash
[ "$1" = serve ] || exit 0
cluster=$SKIFF_DATA_DIR/postgres; bin=/usr/lib/postgresql/$(cat "$cluster/data/PG_VERSION")/bin
"$bin/pg_ctl" -D "$cluster/data" -s -w -l "$cluster/log" -o "-c listen_addresses= -c unix_socket_directories=$cluster/run" start
"$bin/psql" -X -q -h "$cluster/run" -U postgres -d skiff -c "alter table accounts rename to people;
  insert into _sqlx_migrations (version, description, success, checksum, execution_time) values (9999999, 'newer', true, '', 0)"
"$bin/pg_ctl" -D "$cluster/data" -s -w -m fast stop
echo "skiff: The database could not be brought to schema 10000000: it is newer. Nothing was changed by that step." >&2
exit 1
"#;
/// Before a package is unpacked: somebody else fills the disk.
const FILL: &str = "#!/bin/bash\nfree=$(df -Pk /var/lib | awk 'NR == 2 { print $4 }')\n\
    fallocate -l $((free - 8192))K /var/lib/filler; cat /dev/zero >> /var/lib/filler 2>/dev/null || true\n";
/// An app from a repository on the server, deployed.
const APP: &str = r#"set -e
at=/var/lib/skiff-panel/samples/hello
panel() { (cd / && setpriv --reuid=skiff-panel --regid=skiff-panel --init-groups env HOME=/var/lib/skiff-panel "$@"); }
install -d -m 750 -o skiff-panel -g skiff-panel "${at%/*}" $at
install -m 755 -o skiff-panel -g skiff-panel /packages/hello $at/hello
sed 's/^ARG VERSION=.*/ARG VERSION=1/' /packages/Dockerfile > $at/Dockerfile; chown skiff-panel: $at/Dockerfile
panel git -C $at init -q -b main; panel git -C $at add --all
panel git -C $at -c user.name=Skiff -c user.email=skiff@localhost commit -q -m First
skiff admin app hello --git file://$at --port 8080 --health-path /up --domain hello.localhost --host "this machine" --drain 5 --watch 5
skiff admin deploy hello
"#;
/// Requests to it by four at once until told to stop, two with a connection for each and two that keep theirs for twenty: of each answer, its
/// status and the connections that were made for it. What they write lies in no file of a disk that somebody fills.
const REQUESTS: &str = r#"rm -rf /run/requests; mkdir /run/requests
setsid bash -c '
cd /run/requests
ask() { curl -sS -f --fail-early -o /dev/null -m 10 -w "%{http_code} %{num_connects}\n" -H "Host: hello.localhost" "$@" || echo "failed: $?"; }
goes_on() { [ ! -e stop ] || return 1; [ $SECONDS -lt 3600 ] || { echo "nobody said stop"; return 1; }; }
for n in 1 2; do
    while goes_on; do ask http://127.0.0.1/; sleep 0.05; done > single.$n 2>&1 &
    while goes_on; do ask --rate 20/s "http://127.0.0.1/#[1-20]"; done > kept.$n 2>&1 &
done
wait; touch stopped' </dev/null >/dev/null 2>&1 &"#;

#[tokio::test]
async fn the_same_program_packed_twice_is_the_same_package() {
    let shelf = Shelf::new("package-twice").await;
    shelf.pack_into("first", "1.0", "skiff", "key").await;
    tokio::time::sleep(Duration::from_millis(1100)).await;
    shelf.pack_into("second", "1.0", "skiff", "key").await;
    for file in ["skiff_1.0_amd64.deb", "install.sh", "SHA256SUMS", "SHA256SUMS.sig"] {
        let read = |folder: &str| std::fs::read(shelf.folder.join(folder).join(file)).unwrap();
        assert!(!read("first").is_empty() && read("first") == read("second"), "{file} differs");
    }
    let listed = run("dpkg-deb", &["-c", &shelf.path("first/skiff_1.0_amd64.deb")]).await.must("dpkg-deb -c");
    assert!(listed.lines().all(|line| line.contains(" root/root ")), "{listed}");
}

#[tokio::test]
async fn without_a_package_there_is_none_to_replace() {
    let said = last(run(env!("CARGO_BIN_EXE_skiff"), &["self-upgrade", "--check"]).await);
    assert!(said.starts_with("skiff: Skiff was not installed by its package here"), "{said}");
    let said = run(env!("CARGO_BIN_EXE_skiff"), &["self-upgrade", "--ready-within", "5"]).await;
    assert_eq!(said.status, 2, "{}", said.err);
}

#[tokio::test]
async fn a_bare_server_runs_the_package_and_upgrades_itself() {
    let shelf = Shelf::new("package").await;
    shelf.good("1.0").await;
    shelf.good("1.1").await;
    shelf.broken("1.2", MUTE).await;
    shelf.broken("1.3", HALF_MIGRATED).await;
    shelf.with_preinst("1.4", FILL).await;
    shelf.good("1.5").await;
    shelf.pack_into("another-key", "1.6", "skiff", "other-key").await;
    let server = Server { host: TestHost::fresh(true, &[(&shelf.folder, AT)]).await };

    refused_packages(&server).await;
    let began = Instant::now();
    let first = server.enter(&["bash", &format!("{AT}/1.0/install.sh")]).await.must("install.sh");
    println!("install.sh: {:.1} s", began.elapsed().as_secs_f32());
    for words in ["signed and whole", "Skiff 1.0 runs", "http://127.0.0.1:7070", "/setup?token=", "ssh -L 7070"] {
        assert!(first.contains(words), "the end does not say {words}:\n{first}");
    }
    server.set_up().await;
    server.runs("1.0").await;
    hardened(&server).await;
    server.enter(&["bash", "-c", APP]).await.must("an app is deployed");

    let containers = server.bash("docker ps -q --no-trunc").await;
    named(&server, &shelf).await;
    assert_eq!(containers, server.bash("docker ps -q --no-trunc").await, "a second run changes nothing");

    under_requests(&server).await;
    upgrades(&server).await;
    bundled(&server).await;
    returns(&server).await;
    full_disk(&server).await;
    none_failed(&server, "upgrades, good and broken, and a full disk").await;

    interrupted(&server, &shelf, &[("1.7", "install")]).await;
    purged(&server).await;
}

/// From here on the app, which serves, is asked.
async fn under_requests(server: &Server) {
    let ask = "[ \"$(curl -s -m 10 -H 'Host: hello.localhost' http://127.0.0.1/)\" = 1 ]";
    server.until("the app serves", ask).await;
    server.bash(REQUESTS).await;
}

/// It is asked no more, and every request was answered: on connections of their own, and on those that were kept.
async fn none_failed(server: &Server, meanwhile: &str) {
    server.bash("touch /run/requests/stop").await;
    server.until("the requests end", "test -e /run/requests/stopped").await;
    for how in ["single", "kept"] {
        let answers = server.bash(&format!("sort /run/requests/{how}.* | uniq -c")).await;
        println!("requests during {meanwhile}, {how}: {}", answers.trim());
        let kinds: Vec<&str> =
            answers.lines().map(|line| line.trim().split_once(' ').map_or("", |(_, kind)| kind)).collect();
        assert!(kinds.iter().all(|kind| kind.starts_with("200 ")), "{meanwhile}, {how}: {answers}");
        assert!(
            kinds.contains(&"200 1") && kinds.contains(&"200 0") == (how == "kept"),
            "{meanwhile}, {how}: {answers}"
        );
    }
}

/// Run again with a name for the panel: one that it cannot have yet is no reason to fail, one that it can have is its address from then on.
async fn named(server: &Server, shelf: &Shelf) {
    server.bash("cp -L /etc/resolv.conf /root/resolv.conf").await;
    let internet = Internet::around(server, &shelf.folder, &["panel.skiff.test"]).await;
    let script = format!("{AT}/1.0/install.sh");
    let install = async |name: &str| {
        let settings = internet.settings(name);
        let all: Vec<&str> = settings.iter().map(String::as_str).chain(["bash", script.as_str()]).collect();
        server.enter(&[&["env"], &all[..]].concat()).await
    };
    let said = last(install("https://panel.skiff.test").await);
    assert!(said.starts_with("install.sh: SKIFF_DOMAIN is a name such as"), "{said}");
    let said = install("panel.nowhere.invalid").await.must("install.sh with a name that leads nowhere");
    assert!(said.contains("is installed already") && said.contains("http://127.0.0.1:7070/login"), "{said}");
    let missing = said.lines().find_map(|line| line.trim_start().strip_prefix("No name yet")).unwrap_or_default();
    assert!(missing.contains("panel.nowhere.invalid has no address yet."), "{said}");
    assert!(missing.ends_with("After that: sudo skiff admin address panel.nowhere.invalid"), "{said}");
    let said = install("panel.skiff.test").await.must("install.sh with a name");
    assert!(said.contains("the panel is reached at https://panel.skiff.test\n"), "{said}");
    assert!(said.contains("Sign in       https://panel.skiff.test/login\n"), "{said}");
    assert!(said.contains("Here, always  http://127.0.0.1:7070\n") && !said.contains("ssh -L"), "{said}");
    assert!(said.contains("Let the provider's firewall take ports 80 and "), "{said}");
    std::fs::write(shelf.folder.join("signs.pem"), internet.pebble.issuer().await).unwrap();
    let ask =
        format!("curl -s -o /dev/null -w '%{{http_code}}' --cacert {AT}/signs.pem https://panel.skiff.test/login");
    assert_eq!(server.bash(&ask).await, "200");
    server.bash("cp /root/resolv.conf /etc/resolv.conf").await;
}

/// Nothing is installed from what was not signed, not by that key, or is not what was signed.
async fn refused_packages(server: &Server) {
    let install = async |script: &str| last(server.enter(&["bash", "-c", script]).await);
    let said = install(&format!(
        "cp -r {AT}/1.0 /root/torn; echo >> /root/torn/skiff_1.0_amd64.deb; bash /root/torn/install.sh"
    ))
    .await;
    assert_eq!(
        said,
        "install.sh: skiff_1.0_amd64.deb is not the package that was signed: its bytes differ. Nothing was installed. Fetch it again."
    );
    let said = install(&format!("bash {AT}/1.0/install.sh {AT}/another-key")).await;
    assert!(
        said.starts_with("install.sh: the signature of SHA256SUMS in /packages/another-key is not that of Skiff's key"),
        "{said}"
    );
    let said = install(&format!("cp {AT}/1.0/*.deb /root/; bash {AT}/1.0/install.sh /root/skiff_1.0_amd64.deb")).await;
    assert!(said.contains("SHA256SUMS and SHA256SUMS.sig do not lie in /root"), "{said}");
    assert!(
        install(&format!("bash {AT}/1.0/install.sh /nowhere"))
            .await
            .contains("/nowhere is neither a file nor a folder")
    );
    assert_eq!(server.bash("dpkg-query -W skiff 2>/dev/null; getent passwd skiff-panel").await, "");
}

/// The panel is no root, can do nothing root can, and Debian's own services that nobody asked for do not run.
async fn hardened(server: &Server) {
    let pid = "pid=$(systemctl show -p MainPID --value skiff)";
    assert_eq!(server.bash(&format!("{pid}; ps -o user= -p $pid")).await.trim(), "skiff-panel");
    let status = server.bash(&format!("{pid}; grep -E '^(CapBnd|NoNewPrivs|Seccomp):' /proc/$pid/status")).await;
    for line in ["CapBnd:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2"] {
        assert!(status.contains(line), "{status}");
    }
    let score = server.bash("systemd-analyze security skiff.service --no-pager | tail -n 1").await;
    println!("systemd-analyze security: {}", score.trim());
    assert!(score.contains(" OK"), "{score}");
    assert_eq!(server.bash("ls /var/lib/postgresql/*/main 2>/dev/null; ss -Hltn 'sport = :5432'").await, "");
    assert_eq!(server.bash("find /var/lib/skiff-panel -user root").await, "", "nothing there is root's");
}

/// To a newer one; and what is no newer one is refused with nothing changed.
async fn upgrades(server: &Server) {
    let newer = format!("{AT}/1.1");
    let look = server.upgrade(&["--check", "--from", &newer]).await.must("--check");
    assert!(look.contains("installed  1.0\nthere      1.1 (signed, whole)\n"), "{look}");
    server.runs("1.0").await;
    let said = server.upgrade(&["--from", &newer]).await.must("self-upgrade");
    assert!(said.contains("Skiff 1.1 runs. (It was 1.0. The database as it was before lies in /var/lib/skiff-upgrade/dumps/before-1.1.dump.)"), "{said}");
    server.runs("1.1").await;
    let again = server.upgrade(&["--from", &newer]).await.must("again");
    assert_eq!(again, "Skiff 1.1 is installed already: there is nothing to do.\n");

    for (from, words) in [
        ("1.0", "1.0 is older than what is installed (1.1). If that is what you want: --allow-downgrade."),
        ("another-key", "is not that of a key in /usr/lib/skiff/signers"),
        ("nothing", "/packages/nothing is neither a file nor a folder here"),
    ] {
        let said = last(server.upgrade(&["--from", &format!("{AT}/{from}")]).await);
        assert!(said.contains(words), "{said}");
    }
    server.runs("1.1").await;
}

/// A support bundle that root asks for has what the unit said and what the upgrade did, which the panel's user may not read.
async fn bundled(server: &Server) {
    let made =
        "skiff doctor --bundle /root/support.tar.gz >/root/told 2>&1; tar -xzOf /root/support.tar.gz skiff-support/";
    let log = server.bash(&format!("{made}log.txt; rm /root/support.tar.gz")).await;
    assert!(log.contains("Skiff serves") && log.lines().count() <= 2_000, "{log}");
    let upgrades = server.bash(&format!("{made}upgrades.txt")).await;
    assert!(upgrades.contains("1.1"), "{upgrades}");
}

/// Broken builds return by themselves.
async fn returns(server: &Server) {
    let mute = format!("{AT}/1.2");
    let said = last(server.upgrade(&["--from", &mute, "--ready-within", "10"]).await);
    assert_eq!(
        said,
        "skiff: the upgrade to 1.2 was taken back: Skiff 1.2 is not well: it did not answer as ready within 10 seconds. Skiff 1.1 runs again as before."
    );
    server.runs("1.1").await;

    let said = last(server.upgrade(&["--from", &format!("{AT}/1.3")]).await);
    assert!(said.starts_with("skiff: the upgrade to 1.3 was taken back: Skiff 1.3 is not well: it ended by itself again and again: The database could not be brought to schema 10000000"), "{said}");
    assert!(
        server.bash("cat /var/lib/skiff-upgrade/log").await.contains("the new program changed the database"),
        "it did"
    );
    server.runs("1.1").await;
}

/// Too little room is said before anything is changed; a disk that fills up in the middle is survived.
async fn full_disk(server: &Server) {
    server.host.fill_disk(100 * 1024).await;
    let said = last(server.upgrade(&["--from", &format!("{AT}/1.5")]).await);
    assert!(
        said.starts_with("skiff: the disk is too full for an upgrade that can be taken back: ")
            && said.ends_with("Nothing was changed."),
        "{said}"
    );
    server.host.free_disk().await;
    server.runs("1.1").await;

    let said = last(server.upgrade(&["--from", &format!("{AT}/1.4")]).await);
    assert_eq!(
        said,
        "skiff: the upgrade to 1.4 was taken back: the disk ran full while 1.4 was installed. Skiff 1.1 runs again as before.",
        "{}",
        server.state().await
    );
    server.bash("rm /var/lib/filler").await;
    server.runs("1.1").await;
}

/// Killed, under requests to the app, or without power, in the middle: it goes on by itself. So does an installation by apt, when apt is told to.
async fn interrupted(server: &Server, shelf: &Shelf, cuts: &[(&str, &str)]) {
    let in_step = |step: &str| {
        format!("grep -qx STEP={step} /var/lib/skiff-upgrade/underway || test -e /var/lib/skiff-upgrade/last")
    };
    shelf.broken("1.6", MUTE).await;
    under_requests(server).await;
    server.begin_upgrade("1.5").await;
    for step in ["dump", "install", "check"] {
        server.until("the upgrade comes to its next step", &in_step(step)).await;
        server.bash("systemctl kill -s KILL skiff-upgrade").await;
    }
    server.until_upgraded("1.5").await;
    server.begin_upgrade("1.6 --ready-within 10").await;
    server.until("it goes back", &in_step("back")).await;
    server.bash("systemctl kill -s KILL skiff-upgrade").await;
    server.until_upgraded("1.5").await;
    none_failed(server, "upgrades killed in each step, and on the way back").await;

    for &(version, step) in cuts {
        shelf.good(version).await;
        server.begin_upgrade(version).await;
        server.until("the upgrade comes to its next step", &in_step(step)).await;
        server.host.reboot().await;
        server.until_upgraded(version).await;
    }
    shelf.broken("1.10", MUTE).await;
    server.begin_upgrade("1.10 --ready-within 10").await;
    server.until("it goes back", &in_step("back")).await;
    server.host.reboot().await;
    server.until_upgraded(cuts[cuts.len() - 1].0).await;
    let kept = server.bash("ls /var/lib/skiff-upgrade/dumps | wc -l").await;
    assert_eq!(kept, "3\n", "older copies go");

    shelf.good("1.11").await;
    server
        .bash(&format!("setsid apt-get install -y {AT}/1.11/skiff_1.11_amd64.deb </dev/null >/root/apt 2>&1 &"))
        .await;
    server
        .until("apt is at work", "ls /usr/bin/skiff.dpkg-new 2>/dev/null || dpkg-query -W skiff | grep -q 1.11")
        .await;
    server.host.reboot().await;
    server.until("the panel is there", "curl -s http://127.0.0.1:7070/ready | grep -qx ready").await;
    let mend = format!("dpkg --configure -a && apt-get install -y {AT}/1.11/skiff_1.11_amd64.deb");
    server.enter(&["bash", "-c", &mend]).await.must("apt goes on");
    server.until("the panel is there", "curl -s http://127.0.0.1:7070/ready | grep -qx ready").await;
    server.runs("1.11").await;
}

/// A purge takes the panel; apps, their volumes and their proxy go on.
async fn purged(server: &Server) {
    let ask = "curl -s -m 10 -H 'Host: hello.localhost' http://127.0.0.1/";
    server.until("the app serves", &format!("[ \"$({ask})\" = 1 ]")).await;
    let containers = server.bash("docker ps -q --no-trunc").await;
    server.enter(&["apt-get", "purge", "-y", "skiff"]).await.must("apt-get purge");
    let left = "ls -d /usr/bin/skiff /usr/lib/skiff /etc/default/skiff-panel /etc/skiff-panel /var/lib/skiff-up* /var/lib/skiff-panel/* 2>/dev/null; getent passwd skiff-panel; \
                find /etc/systemd -name 'skiff*' ! -name 'skiff-haproxy*' ! -name 'skiff-renew*'; ps -o comm= -C skiff,postgres";
    assert_eq!(server.bash(left).await, "/var/lib/skiff-panel/samples\n", "repositories of one's own stay");
    assert_eq!(containers, server.bash("docker ps -q --no-trunc").await);
    assert_eq!(server.bash(ask).await, "1\n");
}

/// From a system that was never touched to the panel and an app, on a small server of a provider's, timed.
async fn from_nothing(name: &str, suite: &str, megabytes: u64) {
    let shelf = Shelf::new(name).await;
    shelf.good("1.0").await;
    shelf.good("1.1").await;
    let server = Server { host: TestHost::fresh_suite(suite, &[(&shelf.folder, AT)]).await };
    server.host.limit_to_one_core(megabytes);
    let install = format!("{AT}/1.0/install.sh");
    let run = ["systemd-run", "--wait", "--pipe", "--quiet", "--collect", "bash", install.as_str()];
    let began = Instant::now();
    let said = server.enter(&run).await.must("install.sh");
    println!(
        "{suite}, one core, {megabytes} MB: install.sh took {:.0} s, downloads and all",
        began.elapsed().as_secs_f32()
    );
    assert!(said.contains("Skiff 1.0 runs") && said.contains("/setup?token="), "{said}");
    let pss = "for p in $(ps -o pid= -C skiff,postgres,haproxy); do awk '$1 == \"Pss:\" { print $2 }' /proc/$p/smaps_rollup; done | \
               awk '{ kib += $1 } END { print int(kib / 1024) }'";
    println!("{suite}: panel, PostgreSQL and HAProxy together have a PSS of {} MB", server.bash(pss).await.trim());
    server.set_up().await;
    server.runs("1.0").await;
    hardened(&server).await;
    server.enter(&["bash", "-c", APP]).await.must("an app is deployed");
    server.upgrade(&["--from", &format!("{AT}/1.1")]).await.must("self-upgrade");
    server.runs("1.1").await;
    shelf.good("1.5").await;
    interrupted(&server, &shelf, &[("1.7", "dump"), ("1.8", "install"), ("1.9", "check")]).await;
    purged(&server).await;
}

#[tokio::test]
#[ignore = "what a provider's smallest server needs: bin/test gigabyte"]
async fn gigabyte_and_a_core_are_enough() {
    from_nothing("package-gigabyte", "bookworm", 1024).await;
}

#[tokio::test]
#[ignore = "the least memory that install.sh takes a server for: bin/test half_a_gigabyte"]
async fn half_a_gigabyte_is_enough() {
    from_nothing("package-half", "bookworm", 512).await;
}

#[tokio::test]
#[ignore = "needs a mirror of Debian 13: SKIFF_DEBIAN_MIRROR=http://… bin/test trixie"]
async fn trixie_runs_the_package() {
    from_nothing("package-trixie", "trixie", 1024).await;
}

#[tokio::test]
#[ignore = "needs a mirror of Ubuntu: SKIFF_UBUNTU_MIRROR=http://… bin/test noble"]
async fn noble_runs_the_package() {
    from_nothing("package-noble", "noble", 1024).await;
}
