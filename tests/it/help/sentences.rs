//! Reasons are kept as sentences: each that can be said leads to a place in the docs, and to the one that its kind names.

use std::path::Path;
use std::time::Duration;

use skiff::actions::Refused;
use skiff::domain::acme::Trouble;
use skiff::domain::help::{self, Topic};
use skiff::domain::host_check::{self, Difference, Seen, Wanted};
use skiff::remote::Error;

/// One of each.
fn errors() -> Vec<Error> {
    let detail = || "x".to_owned();
    vec![
        Error::Unreachable { detail: detail() },
        Error::HostKeyChanged { seen: detail() },
        Error::JumpKeyChanged { seen: detail() },
        Error::JumpKeyUnknown,
        Error::JumpUnreachable { detail: detail() },
        Error::JumpAuthRefused,
        Error::JumpForbids,
        Error::BehindJump { detail: detail() },
        Error::AuthRefused,
        Error::BadKey,
        Error::ForwardingForbidden { change: detail() },
        Error::DockerUnavailable { detail: detail() },
        Error::ProxyUnavailable { detail: detail() },
        Error::ProxyRefused { detail: detail() },
        Error::NoSuchImage { detail: detail() },
        Error::NoSuchContainer,
        Error::NotFound { detail: detail() },
        Error::RegistryDenied { detail: detail() },
        Error::RegistryUnreachable { detail: detail() },
        Error::NameTaken { detail: detail() },
        Error::AddressTaken { detail: detail() },
        Error::DiskFull { detail: detail() },
        Error::BuildFailed { detail: detail() },
        Error::SecretsUnsupported,
        Error::TimedOut { what: "Reaching the host", after: Duration::from_secs(5) },
        Error::TooMuch { what: "The file", limit: 5 },
        Error::Refused { detail: detail() },
    ]
}

#[test]
fn what_is_kept_as_a_sentence_leads_where_its_kind_does() {
    for error in errors() {
        assert_eq!(help::of_sentence(&error.to_string()), Some(error.help()), "{error}");
    }
    for sentence in [
        "The server does not take this private key for this user. Give another, or a password.",
        "The server takes the password and wants something more, which Skiff has not.",
        "The server takes no passwords for this user (PasswordAuthentication or PermitRootLogin in its sshd_config).",
        "The server does not take this password for this user. Give another, or a private key.",
    ] {
        assert_eq!(help::of_sentence(sentence), Some(Topic::PassRefused), "{sentence}");
    }
}

/// One of each, with words of others in them that would lead elsewhere.
fn troubles() -> Vec<Trouble> {
    let detail = || "Docker could not, apt-get took longer than 5 s, and the disk is full.".to_owned();
    let (name, server, address) =
        (|| "shop.example".to_owned(), || "ca.example".to_owned(), || "203.0.113.7".to_owned());
    vec![
        Trouble::NoAddress { name: name() },
        Trouble::Elsewhere { name: name(), points_to: vec![address()], expected: vec![address()] },
        Trouble::PortClosed { name: name(), address: address(), detail: detail() },
        Trouble::OtherAnswer { name: name(), address: address(), detail: detail(), inside: true },
        Trouble::LookUp { name: name(), detail: detail() },
        Trouble::Caa { name: name(), detail: detail() },
        Trouble::NotProven { name: name(), detail: detail() },
        Trouble::NotFound { name: name(), address: address(), detail: detail() },
        Trouble::NotSeen {
            record: "_acme-challenge.shop.example".into(),
            found: "ns1.shop.example does not have it".into(),
        },
        Trouble::DnsAccount { account: "ours".into(), detail: detail() },
        Trouble::RateLimited { until: None, detail: detail(), shared: false },
        Trouble::RateLimited { until: None, detail: detail(), shared: true },
        Trouble::Paused { detail: detail() },
        Trouble::Account { detail: detail() },
        Trouble::Binding { detail: detail() },
        Trouble::ServerDown { server: server(), detail: detail(), until: None },
        Trouble::Clock { server: server(), detail: detail() },
        Trouble::Untrusted { server: server(), detail: detail() },
        Trouble::Refused { detail: detail() },
    ]
}

#[test]
fn a_job_that_got_no_certificate_leads_where_its_trouble_does() {
    for trouble in troubles() {
        assert_eq!(help::of_job(&trouble.sentence()), Some(trouble.help()), "{}", trouble.sentence());
    }
    let away: Refused = sqlx::Error::PoolTimedOut.into();
    assert_eq!(help::of_sentence(&away.to_string()), Some(Topic::Database), "{away}");
}

#[test]
fn everything_that_a_script_gives_up_with_is_in_the_docs() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|ending| ending != "bash") {
            continue;
        }
        let mut text = std::fs::read_to_string(&path).unwrap();
        // A path that is named by a constant of the script.
        let constants: Vec<(String, String)> = text
            .lines()
            .filter_map(|line| line.split_once('='))
            .filter(|(name, value)| name.chars().all(|c| c.is_ascii_uppercase()) && value.starts_with('/'))
            .map(|(name, value)| (format!("${name}"), value.to_owned()))
            .collect();
        for (name, value) in constants {
            text = text.replace(&name, &value);
        }
        // `refuse "…"`, up to the quote that is not escaped.
        for said in text.split("refuse \"").skip(1) {
            let end = said.match_indices('"').map(|(at, _)| at).find(|at| !said[..*at].ends_with('\\')).unwrap();
            let sentence = &said[..end];
            assert!(help::of_sentence(sentence).is_some(), "{}: {sentence}", path.display());
            seen += 1;
        }
    }
    assert!(seen > 30, "{seen}");
}

#[test]
fn everything_that_a_check_finds_is_in_the_docs() {
    let wanted = Wanted { http_port: 80, https_port: Some(443), peer_port: Some(7080), registry_port: Some(5001) };
    let mut seen = Seen { ahead_ms: Some(60_000), no_root: Some("sudo refuses".into()), ..Seen::default() };
    seen.values.extend(
        [
            ("MISSING", "socat"),
            ("DOCKER", "1.0"),
            ("HAPROXY", "1.0"),
            ("USER", "yes"),
            ("REBOOT", "linux-image"),
            ("DISK_MIB", "100"),
            ("DISK_FREE_MIB", "1"),
            ("DOCKER_ANSWERS", "yes"),
            ("LIVE_RESTORE", "no"),
            ("DAEMON_JSON", "bad"),
            ("PROXY_RUNS", "yes"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned())),
    );
    seen.files.push(("/etc/skiff/haproxy.cfg", "gone".into()));
    seen.networks.push(("prod".into(), "10.64.0.0/24".into(), None));
    let mut found = host_check::compare(&seen, &wanted);
    // And what is said only where something else is not.
    for other in [
        Seen { ahead_ms: None, ..Seen::default() },
        Seen { values: [("USER".to_owned(), "yes".to_owned())].into(), ..Seen::default() },
    ] {
        found.extend(host_check::compare(&other, &Wanted { registry_port: None, ..wanted }));
    }
    found.push(Difference {
        what: "registry of images".into(),
        is: "there".into(),
        should: "none".into(),
        act: "x".into(),
    });
    assert!(found.len() > 30, "{}", found.len());
    for difference in &found {
        let topic = help::of_difference(difference);
        // What has no place of its own: folders, sockets and files, which are mended by making the host ready again.
        let own = ["folder /", "socket /", "/etc/skiff/", "the proxy's map"]
            .iter()
            .any(|begin| difference.what.starts_with(begin));
        assert_eq!(topic == Topic::HostDiffers, own, "{}", difference.what);
    }
}
