//! A host that is as it should be, and what is said of one that is not.

use super::*;

const FINE: &str = "CLOCK_MS=1\nINIT=systemd\nMISSING=\nDOCKER=20.10.24\nHAPROXY=2.6.12-1+deb12u1\nUSER=yes\n\
    GROUPS_OF_USER=skiff docker\nSUDOERS=skiff ALL=(ALL) NOPASSWD: ALL\nSUDOERS_MODE=440 root:root\nKEY=yes\n\
    FOLDER=/etc/skiff 755 skiff:skiff\nFOLDER=/etc/skiff/maps 755 skiff:skiff\nFOLDER=/etc/skiff/certs 700 skiff:skiff\nFOLDER=/var/lib/skiff 755 skiff:skiff\n\
    FOLDER=/var/lib/skiff/apps 700 skiff:skiff\nFOLDER=/run/skiff 750 skiff:skiff\nDOCKER_ANSWERS=yes\nDOCKER_ENABLED=yes\n\
    LIVE_RESTORE=yes\nDAEMON_JSON=valid\nPROXY_SERVICE=yes\nPROXY_ENABLED=yes\nPROXY_RUNS=yes\nPROXY_VERSION=2.6.12-1+deb12u1\nPROXY_LISTENER=haproxy\n\
    SOCKET=/run/skiff/haproxy.sock 660 skiff\nSOCKET=/run/skiff/haproxy-master.sock 660 skiff\nREGISTRY_SERVICE=no\n\
    DISK_MIB=40000\nDISK_FREE_MIB=20000\nDONE=yes";
const WANTED: Wanted = Wanted { http_port: 80, https_port: None, peer_port: None, registry_port: None };

fn seen(changes: &[(&str, &str)]) -> Seen {
    let text = changes.iter().fold(FINE.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    });
    Seen::read(&text.lines().map(str::to_owned).collect::<Vec<_>>())
}

/// "what: is → should" of all that differs.
fn differences(seen: &Seen, wanted: &Wanted) -> Vec<String> {
    compare(seen, wanted).into_iter().map(|d| format!("{}: {} → {}", d.what, d.is, d.should)).collect()
}

#[test]
fn a_host_as_it_was_made_has_no_differences() {
    assert!(seen(&[]).is_whole());
    assert_eq!(differences(&seen(&[]), &WANTED), [""; 0]);
    // Who wants live-restore off keeps it off.
    assert_eq!(differences(&seen(&[("LIVE_RESTORE=yes", "LIVE_RESTORE=theirs")]), &WANTED), [""; 0]);
}

#[test]
fn each_thing_that_differs_is_one_line_with_something_to_do() {
    for (from, to, line) in [
        ("MISSING=", "MISSING=socat ss", "programs: socat ss missing → all installed"),
        ("DOCKER=20.10.24", "DOCKER=19.03.1", "Docker: 19.03.1 → 20.10 or newer"),
        (
            "\nHAPROXY=2.6.12-1+deb12u1",
            "\nHAPROXY=3.0.11-1+deb13u4",
            "version of the running proxy: 2.6.12-1+deb12u1 → 3.0.11-1+deb13u4",
        ),
        ("USER=yes", "USER=no", "user skiff: not there → there"),
        ("GROUPS_OF_USER=skiff docker", "GROUPS_OF_USER=skiff", "groups of skiff: skiff → docker among them"),
        (
            "SUDOERS=skiff ALL=(ALL) NOPASSWD: ALL",
            "SUDOERS=",
            "/etc/sudoers.d/skiff: not there → skiff ALL=(ALL) NOPASSWD: ALL",
        ),
        ("440 root:root", "644 root:root", "mode of /etc/sudoers.d/skiff: 644 root:root → 440 root:root"),
        ("KEY=yes", "KEY=no", "the panel's key: not there → in skiff's authorized_keys"),
        ("/apps 700 skiff:skiff", "/apps 777 root:root", "folder /var/lib/skiff/apps: 777 root:root → 700 skiff:skiff"),
        ("FOLDER=/run/skiff 750 skiff:skiff\n", "", "folder /run/skiff: not there → 750 skiff:skiff"),
        ("DOCKER_ENABLED=yes", "DOCKER_ENABLED=no", "Docker's service: not started → started with the machine"),
        ("LIVE_RESTORE=yes", "LIVE_RESTORE=no", "live-restore of Docker: off → on: apps outlive a restart of dockerd"),
        ("DAEMON_JSON=valid", "DAEMON_JSON=bad", "/etc/docker/daemon.json: bad → accepted by dockerd"),
        ("PROXY_ENABLED=yes", "PROXY_ENABLED=no", "start of the proxy: by hand → with the machine"),
        (
            "PROXY_LISTENER=haproxy",
            "PROXY_LISTENER=haproxy\nAPP_PORT=25 haproxy\nAPP_PORT=5432 postgres",
            "port 5432: postgres → answered by the proxy, for an app",
        ),
        ("PROXY_LISTENER=haproxy", "PROXY_LISTENER=nginx", "port 80: nginx → answered by the proxy"),
        ("haproxy.sock 660 skiff", "haproxy.sock gone", "socket /run/skiff/haproxy.sock: gone → 660 skiff"),
        (
            "REGISTRY_SERVICE=no",
            "REGISTRY_SERVICE=yes",
            "registry of images: there → none: this host builds for nobody",
        ),
        ("DISK_FREE_MIB=20000", "DISK_FREE_MIB=90", "disk: 90 MiB free of 40000 MiB → at least 1024 MiB free"),
        ("DONE=yes", "REBOOT=linux-image \nDONE=yes", "reboot: wanted by linux-image → none needed"),
        ("DONE=yes", "REBOOT=\nDONE=yes", "reboot: wanted by the distribution → none needed"),
    ] {
        let seen = seen(&[(from, to)]);
        assert_eq!(differences(&seen, &WANTED), [line]);
        assert!(compare(&seen, &WANTED).iter().all(|difference| difference.act.ends_with(['.', 'f'])), "{line}");
    }
}

#[test]
fn a_proxy_that_is_too_old_is_said_whatever_runs() {
    let old = seen(&[("HAPROXY=2.6.12-1+deb12u1", "HAPROXY=2.4.24"), ("VERSION=2.6.12-1+deb12u1", "VERSION=2.4.24")]);
    assert_eq!(differences(&old, &WANTED), ["HAProxy: 2.4.24 → 2.6 or newer"]);
    // One of a row of versions of which the first ones have a fault.
    for (is, lines) in [("3.2.9-1ubuntu2", 1), ("3.2.25-0ubuntu0.26.04.2", 0), ("3.0.9", 0), ("3.2", 0)] {
        let seen = seen(&[
            ("\nHAPROXY=2.6.12-1+deb12u1", &format!("\nHAPROXY={is}")),
            ("VERSION=2.6.12-1+deb12u1", &format!("VERSION={is}")),
        ]);
        let found = differences(&seen, &WANTED);
        assert_eq!(found.len(), lines, "{found:?}");
        assert!(found.iter().all(|line| line == "HAProxy: 3.2.9-1ubuntu2 → 3.2.25 or newer"), "{found:?}");
    }
    // One that does not say what it is is not compared.
    assert_eq!(differences(&seen(&[("VERSION=2.6.12-1+deb12u1", "VERSION=")]), &WANTED), [""; 0]);
}

#[test]
fn what_only_some_hosts_have_is_asked_of_them() {
    let wanted = Wanted { http_port: 8080, https_port: Some(8443), peer_port: Some(7080), registry_port: Some(5000) };
    assert_eq!(
        differences(&seen(&[]), &wanted),
        [
            "port 8443: nobody → answered by the proxy, for HTTPS",
            "port 7080: nobody → answered by the proxy, for the other hosts",
            "registry of images: not there → there",
            "port 5000: nobody → answered by the registry of images",
        ]
    );
}

#[test]
fn clocks_files_networks_and_root_are_compared() {
    let mut seen = seen(&[]);
    seen.ahead_ms = Some(-5_000);
    assert_eq!(differences(&seen, &WANTED), [""; 0]);
    seen.ahead_ms = Some(-7_300_000);
    seen.files.push(("/etc/skiff/haproxy.cfg", "changed by hand".into()));
    seen.networks.push(("prod".into(), "10.64.0.0/24".into(), None));
    seen.networks.push(("dev".into(), "10.64.1.0/24".into(), Some("10.64.1.0/24".into())));
    seen.no_root = Some("sudo asks for a password".into());
    assert_eq!(
        differences(&seen, &WANTED),
        [
            "clock: 2 h behind the panel's → at most 5 s apart",
            "sudo for skiff: sudo asks for a password → without a password",
            "/etc/skiff/haproxy.cfg: changed by hand → as the panel writes it",
            "network of prod: not there → 10.64.0.0/24",
        ]
    );
}

#[test]
fn what_a_host_says_is_cut_and_harmless() {
    let lines = ["MISSING=\u{1b}[31mx", &format!("DOCKER={}", "9".repeat(5000)), "no line"].map(str::to_owned);
    let seen = Seen::read(&lines);
    assert!(!seen.is_whole());
    assert_eq!((seen.get("MISSING"), seen.get("DOCKER").len()), ("[31mx", MAX_VALUE));
    assert_eq!(compare(&seen, &WANTED).iter().find(|d| d.what == "programs").unwrap().is, "[31mx missing");
}
