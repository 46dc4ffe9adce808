//! DNS-01: a name for all below a domain, proven by records that are written into a real name server (Knot) by signed changes.

use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use skiff::actions::acme::{self, NewDnsAccount, OrderState};
use skiff::domain::ids::DnsAccountId;
use skiff::providers::names::Names;
use tokio::process::{Child, Command};

use super::ca::{How, Pebble, free_port};
use super::names::NameServer;
use super::services::{Keepers, Removals, TOKEN};
use super::{choose, one, order, order_by_dns};
use crate::harness::postgres::fresh_database;
use crate::harness::world::World;

/// The key that may change the zone.
const KEY: &str = "4Tc0K1QkcMCs7cOW2LuSWnxQY0qysdvsZlSb4yTN9pA=";

/// Knot with the zone example.org; ended with the value.
struct Knot {
    port: u16,
    folder: tempfile::TempDir,
    _child: Child,
}

impl Knot {
    async fn start() -> Self {
        let (port, folder) = (free_port(), tempfile::tempdir().unwrap());
        let dir = folder.path().display();
        let config = format!(
            "server:\n    rundir: \"{dir}\"\n    listen: 127.0.0.1@{port}\ndatabase:\n    storage: \"{dir}\"\n    journal-db-max-size: 64M\n    \
             kasp-db-max-size: 16M\n    timer-db-max-size: 16M\nlog:\n  - target: stderr\n    any: info\nkey:\n  - id: skiff-key\n    \
             algorithm: hmac-sha256\n    secret: {KEY}\nacl:\n  - id: change\n    key: skiff-key\n    action: update\n\
             zone:\n  - domain: example.org\n    storage: \"{dir}\"\n    file: zone\n    acl: change\n"
        );
        std::fs::write(folder.path().join("knot.conf"), config).unwrap();
        let zone = "$TTL 60\n@ SOA ns1.example.org. host.example.org. 1 3600 600 86400 60\n@ NS ns1\nns1 A 127.0.0.1\n";
        std::fs::write(folder.path().join("zone"), zone).unwrap();
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "/usr/sbin/knotd", "-c"]).arg(folder.path().join("knot.conf"));
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).kill_on_drop(true);
        let knot = Self { port, _child: command.spawn().unwrap(), folder };
        let begun = Instant::now();
        while knot.names().addresses("ns1.example.org").await.map_or(0, |found| found.len()) == 0 {
            assert!(begun.elapsed() < Duration::from_secs(30), "knot does not start:\n{}", knot.log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        knot
    }

    fn names(&self) -> Names {
        Names { servers: vec![([127, 0, 0, 1], self.port).into()], keepers_port: self.port, ..Names::default() }
    }

    fn account(&self, name: &str, key: &str) -> NewDnsAccount {
        NewDnsAccount {
            name: name.into(),
            kind: "rfc2136".into(),
            server: format!("127.0.0.1:{}", self.port),
            key_name: "skiff-key".into(),
            key: key.into(),
            ..NewDnsAccount::default()
        }
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_star_is_proven_by_records_that_are_gone_afterwards() {
    let knot = Knot::start().await;
    let dns = format!("127.0.0.1:{}", knot.port);
    let pebble = Pebble::start(How { dns, valid_s: 90 * 86_400, binding: None }).await;
    let mut world = World::idle(fresh_database().await).await;
    world.ctx.names = knot.names();
    world.start_worker();
    choose(&world, &pebble.directory, &pebble.root).await;
    let (ctx, owner) = (world.actions(), &world.team.owner);

    // A key that the server does not know by this text.
    let wrong = acme::add_account(&ctx, owner, knot.account("wrong", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="))
        .await
        .unwrap();
    let (id, job) = order_by_dns(&world, "*.example.org", wrong.id).await;
    let ended = world.over(job).await;
    assert_eq!(ended.state, "failed", "{ended:#?}");
    assert!(ended.reason.contains("The DNS account wrong did not take the record: 127.0.0.1"), "{ended:#?}");
    assert!(ended.reason.contains("did not accept the signature"), "{ended:#?}\n{}", knot.log());
    acme::remove(&ctx, owner, id).await.unwrap();
    acme::remove_account(&ctx, owner, wrong.id).await.unwrap();

    // The right one: both names are proven at one record, which has both texts.
    let right = acme::add_account(&ctx, owner, knot.account("ours", KEY)).await.unwrap();
    let (_, job) = order_by_dns(&world, "*.example.org\nexample.org", right.id).await;
    let ended = world.over(job).await;
    assert_eq!(ended.state, "succeeded", "{ended:#?}\n{}\n{}", knot.log(), pebble.log());
    assert_eq!(ended.steps[3], "prove that the names are ours: changed (2 names)");
    assert!(!ended.log.contains(KEY), "{ended:#?}");
    let got = order(&world).await;
    assert_eq!((got.state, got.words.as_str()), (OrderState::Valid, "valid 89 days"), "{got:?}");
    assert_eq!(got.dns_account.as_deref(), Some("ours"));
    let names: Vec<String> = one(&world, "select names from certificates").await;
    assert_eq!(names, ["*.example.org", "example.org"]);
    assert!(world.ctx.names.texts("_acme-challenge.example.org").await.unwrap().is_empty(), "{}", knot.log());
    let refused = acme::remove_account(&ctx, owner, right.id).await.unwrap_err().to_string();
    assert!(refused.contains("Certificates are proven with ours"), "{refused}");
    world.quiet().await;
}

/// A world whose resolver is this one, with a DNS account at a stand-in of Cloudflare.
pub(super) async fn by_cloudflare(names: Names, keepers: &Keepers, pebble: &Pebble) -> (World, DnsAccountId) {
    let mut world = World::idle(fresh_database().await).await;
    (world.ctx.names, world.ctx.dns) = (names, keepers.services.clone());
    world.start_worker();
    choose(&world, &pebble.directory, &pebble.root).await;
    let form = NewDnsAccount {
        name: "cloud".into(),
        kind: "cloudflare".into(),
        token: TOKEN.into(),
        ..NewDnsAccount::default()
    };
    let account = acme::add_account(&world.actions(), &world.team.owner, form).await.unwrap();
    (world, account.id)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_comes_late_is_seen_whatever_a_resolver_keeps() {
    let authority = NameServer::start().await;
    authority.keeps("example.org", "ns1.example.org", "127.0.0.1");
    let resolver = NameServer::caching(authority.address).await;
    let dns = authority.address.to_string();
    let pebble = Pebble::start(How { dns, valid_s: 86_400, binding: None }).await;
    let keepers = Keepers::start(None).await;
    let names = Names { servers: vec![resolver.address], ..authority.names() };
    let (world, account) = by_cloudflare(names.clone(), &keepers, &pebble).await;
    let (_, job) = order_by_dns(&world, "*.example.org\nexample.org", account).await;
    // Both are taken by the service, and its name servers get them some looks later.
    let begun = Instant::now();
    let written = loop {
        let written = keepers.records();
        if written.len() == 2 {
            break written;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "{written:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    world.reach_step(job, "prove that").await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    for (name, text) in &written {
        authority.text(name, text, true);
    }
    let ended = world.over(job).await;
    assert_eq!(ended.state, "succeeded", "{ended:#?}\n{}", pebble.log());
    // The resolver was not asked for what was not there yet.
    let texts = names.texts("_acme-challenge.example.org").await.unwrap();
    assert_eq!(texts.len(), 2, "the resolver keeps that there was none");
    world.quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn records_that_a_killed_run_left_are_taken_away_by_the_next() {
    for removals in [Removals::Done, Removals::Refused] {
        let authority = Arc::new(NameServer::start().await);
        authority.keeps("example.org", "ns1.example.org", "127.0.0.1");
        let dns = authority.address.to_string();
        let pebble = Pebble::start(How { dns, valid_s: 86_400, binding: None }).await;
        let keepers = Keepers::start(Some(Arc::clone(&authority))).await;
        let (mut world, account) = by_cloudflare(authority.names(), &keepers, &pebble).await;
        keepers.removals(Removals::Silent);
        let (_, job) = order_by_dns(&world, "*.example.org\nexample.org", account).await;
        let begun = Instant::now();
        while keepers.removed() == 0 {
            assert!(begun.elapsed() < Duration::from_secs(60), "the names are proven\n{}", pebble.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        world.kill_worker();
        assert_eq!(keepers.records().len(), 2, "both are there still");
        keepers.removals(removals);
        world.leases_run_out().await;
        world.start_worker();
        let ended = world.over(job).await;
        assert_eq!(ended.state, "succeeded", "{ended:#?}\n{}", pebble.log());
        assert_eq!(pebble.orders(), 1, "the one that was under way");
        assert_eq!(order(&world).await.state, OrderState::Valid);
        match removals {
            Removals::Done => assert!(keepers.records().is_empty(), "{:?}\n{ended:#?}", keepers.records()),
            _ => {
                let said = "could not be taken away again";
                assert_eq!(ended.log.matches(said).count(), 2, "said of each once: {ended:#?}");
            }
        }
        world.quiet().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_no_name_server_of_the_zone_is_reached_a_resolver_is_asked_later() {
    let authority = NameServer::start().await;
    authority.keeps("example.org", "ns1.example.org", "127.0.0.1");
    let resolver = NameServer::caching(authority.address).await;
    let dns = authority.address.to_string();
    let pebble = Pebble::start(How { dns, valid_s: 86_400, binding: None }).await;
    let keepers = Keepers::start(None).await;
    // Name servers are not reached at their port from here; resolvers are left alone for as long as the record takes.
    let names = Names {
        servers: vec![resolver.address],
        keepers_port: free_port(),
        settle: Duration::from_secs(8),
        ..Names::default()
    };
    let (world, account) = by_cloudflare(names, &keepers, &pebble).await;
    let (_, job) = order_by_dns(&world, "example.org", account).await;
    let begun = Instant::now();
    while keepers.records().is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(60), "it is written");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    tokio::time::sleep(Duration::from_secs(3)).await;
    for (name, text) in keepers.records() {
        authority.text(&name, &text, true);
    }
    let ended = world.over(job).await;
    assert_eq!(ended.state, "succeeded", "{ended:#?}\n{}", pebble.log());
    world.quiet().await;
}
