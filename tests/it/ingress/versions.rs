//! The versions of HAProxy that hosts have: 2.6 (Debian 12), 2.8 (Ubuntu 24.04), 3.0 (Debian 13), 3.2 (Ubuntu 26.04). Those that are here read the file with all
//! rules on; the long case fetches them and runs with each what is tried with this machine's.

use std::collections::BTreeSet;

use skiff::domain::ids::{CertificateId, HostId};
use skiff::domain::ingress::{Ingress, PanelDoor, Peer, Peering, Tls};
use skiff::domain::rules::{Front, Moved, Port, Redirect, Rules};
use skiff::domain::trust::Trust;

use super::apps::free_port;
use super::proxy::{accepted_by, home};
use super::{backend, rule};
use crate::harness::haproxy;
use crate::harness::tls::Authority;

/// A hash as it is kept of a password.
const HASH: &str = "$2y$05$abcdefghijklmnopqrstuuDH/OZ3c7/S78.w3phxWw1nWmKH4H1da";

/// Everything that can be said of routes, apps and a host, at once.
fn all_of_it(folder: &tempfile::TempDir) -> Ingress {
    let mut ingress = Ingress::empty(home(folder), free_port());
    let networks = || vec!["10.0.0.0/8".parse().unwrap(), "2001:db8::/32".parse().unwrap()];
    ingress.trust = Trust { cloudflare: true, forwarded: networks(), proxy_protocol: networks() };
    let admitted = vec!["10.9.0.2".parse().unwrap()];
    ingress.peering = Some(Peering { address: "127.0.0.1".parse().unwrap(), admitted });
    ingress.backends = [1, 2, 3].map(|slot| backend(slot, 8080, &[("web-1", 1), ("web-2", 2)])).into();
    let redirect = |moved, keep| Some(Redirect { to: "https://else.test/at".parse().unwrap(), moved, keep });
    for (n, (_, moved)) in Moved::ALL.into_iter().enumerate() {
        let rules = |keep| Rules { redirect: redirect(moved, keep), allow: networks(), ..Rules::default() };
        rule(&mut ingress, 1, &format!("m{n}.test"), "/", rules(true));
        rule(&mut ingress, 1, &format!("m{n}.test"), "/old", rules(false));
    }
    let headers = || ["X-Set: a \"b\" %[src]", "+X-Add: $HOME", "-X-Gone"].map(|text| text.parse().unwrap()).into();
    let rules = Rules {
        redirect: None,
        users: [("ada".parse().unwrap(), HASH.parse().unwrap())].into(),
        allow: networks(),
        request: headers(),
        answer: headers(),
        body_kib: Some(64),
        answer_s: Some(30),
    };
    rule(&mut ingress, 1, "shop.test", "/", rules.clone());
    rule(&mut ingress, 2, "grpc.test", "/v1", rules);
    let page = Some("<!doctype html>\n<title>\"soon\" 100% $5 \\o/</title>\n".parse().unwrap());
    let front = Front {
        maintenance: true,
        maintenance_allow: networks(),
        maintenance_page: page.clone(),
        error_page: page,
        gzip: true,
        sticky: true,
        ..Front::default()
    };
    ingress.backends[0].front = front.clone();
    // Without a page of its own, by HTTP/2, and on another host as well.
    ingress.backends[1].front = Front { h2c: true, maintenance_page: None, maintenance_allow: vec![], ..front };
    let host = HostId(uuid::Uuid::now_v7());
    ingress.backends[1].peers = vec![Peer { host, address: "10.9.0.2".parse().unwrap(), weight: 2 }];
    ingress.backends[2].front.send_proxy = true;
    ingress.backends[2].front.ports =
        vec![Port { port: free_port(), allow: networks() }, Port { port: free_port(), allow: vec![] }];

    let (id, made) = (CertificateId(uuid::Uuid::now_v7()), Authority::new("Test").issue(&["shop.test"], 90));
    std::fs::create_dir_all(ingress.home.tls.folder.as_ref()).unwrap();
    std::fs::write(ingress.home.tls.certificate(id), format!("{}{}", made.chain, made.key)).unwrap();
    let mut tls = Tls::empty(free_port());
    tls.certificates.insert(id);
    tls.secured.insert("shop.test".parse().unwrap());
    tls.strict.insert("shop.test".parse().unwrap());
    tls.challenge = Some("abcdefghijklmnopqrstuvwxyz-ABCDEFGHIJ_01234".parse().unwrap());
    tls.panel = Some(PanelDoor { names: BTreeSet::from(["panel.test".parse().unwrap()]), port: 7070 });
    ingress.tls = Some(tls);
    std::fs::write(ingress.home.peers.as_ref(), ingress.peers_list()).unwrap();
    ingress
}

#[tokio::test]
async fn every_version_that_is_here_takes_the_file_with_all_rules_on() {
    let folder = tempfile::tempdir().unwrap();
    let ingress = all_of_it(&folder);
    for program in haproxy::kept().await {
        let version = haproxy::version(&program).await;
        println!("HAProxy {version}");
        accepted_by(&program, &ingress, &folder).unwrap_or_else(|words| panic!("{version}: {words}"));
    }
}

#[tokio::test]
#[ignore = "fetches the HAProxy of other distributions, and runs some groups of cases with each: bin/test t_haproxy_versions"]
async fn t_haproxy_versions() {
    let mut versions = Vec::new();
    for version in ["2.6", "2.8", "3.0", "3.2"] {
        versions.push(haproxy::of_version(version).await);
    }
    every_group(&versions).await;
}

/// Runs what speaks with a proxy, once with each.
async fn every_group(programs: &[std::path::PathBuf]) {
    let tests = std::env::current_exe().unwrap();
    let mut failed = Vec::new();
    for program in programs {
        let version = haproxy::version(program).await;
        for group in GROUPS {
            let (name, value) = haproxy::chosen(program);
            let mut command = tokio::process::Command::new(&tests);
            let ended = command.args(["--test-threads=2", group]).env(name, value).status().await.unwrap();
            println!("HAProxy {version}: {group} {ended}");
            if !ended.success() {
                failed.push(format!("{group} with {version}"));
            }
        }
    }
    assert!(failed.is_empty(), "{failed:?}");
}

/// Groups of cases that start proxies.
const GROUPS: [&str; 8] = [
    "ingress::",
    "jobs::routes::",
    "jobs::certificates::",
    "jobs::shared_certificates::",
    "jobs::accidents::docker_and_the_proxy",
    "jobs::peers::",
    "jobs::panel_address::",
    "remote::haproxy::",
];
