use std::collections::BTreeSet;
use std::net::IpAddr;

use expect_test::{Expect, expect};

use time::{Duration, OffsetDateTime};

use super::*;
use crate::domain::acme::{Met, Trouble};
use crate::domain::host::HostState;
use crate::domain::host_check::Difference;

fn check(found: &[Finding], expected: Expect) {
    let line = |finding: &Finding| {
        let help = finding.help.map(Topic::path).unwrap_or_default();
        [finding.grade.word(), &finding.of, &finding.what, &finding.act, &help].join(" | ") + "\n"
    };
    expected.assert_eq(&found.iter().map(line).collect::<String>());
}

fn well() -> MachineSeen {
    MachineSeen {
        version: "0.1.0",
        folder: "/var/lib/skiff-panel".into(),
        folder_mode: 0o750,
        free_mib: Some(40_000),
        base_url: "http://127.0.0.1:7070".into(),
        ..MachineSeen::default()
    }
}

#[test]
fn a_machine_that_is_well_and_one_that_is_not() {
    assert!(machine(&well()).iter().all(|finding| finding.grade == Grade::Ok));
    let seen = MachineSeen {
        folder_mode: 0o755,
        free_mib: Some(100),
        key_fault: Some("The master key /x is not there.".into()),
        ..well()
    };
    let grades: Vec<Grade> = machine(&seen).iter().map(|finding| finding.grade).collect();
    assert_eq!(grades, [Grade::Ok, Grade::Warn, Grade::Bad, Grade::Bad]);
    let seen = MachineSeen { folder_fault: Some("Permission denied (os error 13)".into()), ..well() };
    assert_eq!(machine(&seen)[1].grade, Grade::Bad);
}

#[test]
fn a_database_is_held_against_what_the_program_knows() {
    let seen = Database {
        version: "15.8".into(),
        size_mib: 31,
        connections: 14,
        most_connections: 60,
        schema: SchemaSeen { found: 96, known: 96, broken: 0 },
        ahead_ms: -40,
    };
    check(
        &database(&seen),
        expect![[r#"
        ok | server | PostgreSQL 15.8 answers; the database takes 31 MiB. |  | 
        ok | schema | Its schema is 96, as this program knows it. |  | 
        ok | connections | 14 of 60 connections are open. |  | 
        ok | clock | Its clock and this machine's agree. |  | 
    "#]],
    );
    let schema = |found, broken| Database { schema: SchemaSeen { found, known: 96, broken }, ..seen.clone() };
    let grade = |seen: &Database| database(seen)[1].grade;
    assert_eq!(
        [grade(&schema(90, 0)), grade(&schema(97, 0)), grade(&schema(96, 1))],
        [Grade::Warn, Grade::Bad, Grade::Bad]
    );
    let off = Database { ahead_ms: 90_000, connections: 58, ..seen };
    let grades: Vec<Grade> = database(&off).iter().map(|finding| finding.grade).collect();
    assert_eq!(grades, [Grade::Ok, Grade::Ok, Grade::Warn, Grade::Warn]);
}

#[test]
fn jobs_that_nobody_takes_are_bad() {
    let at_work = Queue { waiting: 3, running: 1, oldest_s: Some(600), overdue: 0 };
    assert_eq!(queue(&at_work).grade, Grade::Ok);
    assert_eq!(queue(&Queue { running: 0, ..at_work }).grade, Grade::Bad);
    assert_eq!(queue(&Queue { overdue: 1, ..at_work }).grade, Grade::Bad);
    assert_eq!(queue(&Queue { oldest_s: Some(2), running: 0, ..at_work }).grade, Grade::Ok);
}

fn fra() -> HostSeen {
    HostSeen {
        name: "fra-1".into(),
        state: HostState::Ready,
        port: 80,
        https_port: Some(443),
        glance: Some(Ok(Glance {
            ahead_ms: Some(20),
            free_mib: Some(40_000),
            proxy_runs: Some(true),
            listens: Some(true),
            listens_https: Some(true),
        })),
        check: Some((Vec::new(), 3)),
        check_failed: String::new(),
        renewal: String::new(),
    }
}

#[test]
fn a_host_is_told_by_what_is_newest() {
    check(
        &host(&fra()),
        expect![[r#"
        ok | fra-1 | It answers and is as it was made. |  | 
    "#]],
    );
    let difference = |what: &str| Difference {
        what: what.into(),
        is: "x".into(),
        should: "y".into(),
        act: "Make the host ready again.".into(),
    };
    // The clock of yesterday's check counts no more: it was looked at just now.
    let check_found = Some((vec![difference("clock"), difference("proxy"), difference("folder /etc/skiff")], 60));
    let glance = Glance { ahead_ms: Some(-65_000), free_mib: Some(90), proxy_runs: Some(false), ..Glance::default() };
    check(
        &host(&HostSeen { check: check_found, glance: Some(Ok(glance)), ..fra() }),
        expect![[r#"
        look | fra-1 | Its clock is 65 s behind the panel's. | On the server: timedatectl set-ntp true | /docs/host-trouble#the-clock-is-wrong
        bad | fra-1 | Only 90 MiB of its disk are free. | Make room on the server, or give it a larger disk: the next image may not fit. | /docs/host-trouble#the-disk-is-full
        bad | fra-1 | Its proxy does not run: no app on it is reached. | Make the host ready again; on the server, journalctl -u skiff-haproxy says why it ended. | /docs/host-trouble#the-proxy-does-not-answer
        bad | fra-1 | proxy is x; should be y. | Make the host ready again. | /docs/host-trouble#the-proxy-does-not-answer
        look | fra-1 | folder /etc/skiff is x; should be y. | Make the host ready again. | /docs/host-trouble#it-is-not-as-it-was-made
        look | fra-1 | Its last check is 2 days old. | Skiff checks a host once a day: is the panel running all the time? Check it on its page. | /docs/host-trouble#it-is-not-as-it-was-made
    "#]],
    );
    let no_https = Glance { listens: Some(true), listens_https: Some(false), ..Glance::default() };
    check(
        &host(&HostSeen { glance: Some(Ok(no_https)), ..fra() }),
        expect![[r#"
        bad | fra-1 | Nobody listens on its HTTPS port 443: no address that begins with https:// is answered. | Make the host ready again; on the server, journalctl -u skiff-haproxy says why the port was not opened. | /docs/host-trouble#the-port-is-taken
    "#]],
    );
    let away = Some(Err(("The host does not answer by SSH (timed out).".to_owned(), Topic::HostAway)));
    let found = host(&HostSeen { glance: away, ..fra() });
    assert_eq!((found.len(), found[0].grade, found[0].help), (1, Grade::Bad, Some(Topic::HostAway)));
    assert_eq!(host(&HostSeen { state: HostState::New, ..fra() })[0].grade, Grade::Warn);
    assert_eq!(host(&HostSeen { check: None, ..fra() })[0].grade, Grade::Warn);
    assert_eq!(host(&HostSeen { renewal: "no packages.".into(), ..fra() })[0].help, Some(Topic::HostRenewal));
}

#[test]
fn clocks_that_are_all_off_one_way_are_the_panels_fault() {
    assert!(clocks(&[60_000, 61_000]).is_some() && clocks(&[-60_000, -61_000, -59_000]).is_some());
    for fine in [&[60_000][..], &[60_000, -60_000], &[60_000, 20], &[]] {
        assert_eq!(clocks(fine), None, "{fine:?}");
    }
}

fn seen(leads_to: Resolved, host: &str) -> NameSeen {
    let address: IpAddr = host.parse().unwrap();
    NameSeen {
        domain: "shop.example.org".into(),
        app: "shop".into(),
        resolved: leads_to,
        own: Default::default(),
        proof: Proof::NotAsked,
        inside: false,
        hosts: vec![HostAt { name: "fra-1".into(), addresses: [address].into(), here: address.is_loopback() }],
    }
}

#[test]
fn an_aaaa_record_leads_past_the_proxy() {
    let both: BTreeSet<IpAddr> = ["203.0.113.7", "2001:db8::7"].map(|text| text.parse().unwrap()).into();
    let proof = |six: Met| {
        let met = |at: &IpAddr| (*at, if at.is_ipv6() { six.clone() } else { Met::Us });
        Proof::Asked(both.iter().map(met).collect())
    };
    let led = seen(Resolved::Addresses(both.clone()), "203.0.113.7");
    let mut known = led.clone();
    known.hosts[0].addresses = both.clone();
    let found = [
        name(&known),
        name(&NameSeen { proof: proof(Met::NotAsked), ..known.clone() }),
        name(&NameSeen { proof: proof(Met::Nobody("connection refused".into())), ..known.clone() }),
        name(&NameSeen { proof: proof(Met::Us), ..known }),
        name(&NameSeen { proof: proof(Met::Nobody("connection refused".into())), ..led }),
    ];
    check(
        &found,
        expect![[r#"
        look | shop.example.org | It leads to 2001:db8::7 too, and the proxy of fra-1 takes IPv4 only: who comes by IPv6 finds nobody. | Remove the AAAA record; an authority that is asked for a certificate goes there first. | /docs/panel-trouble#a-domain-leads-elsewhere
        look | shop.example.org | It leads to 2001:db8::7 too, and the proxy of fra-1 takes IPv4 only: who comes by IPv6 finds nobody. | Remove the AAAA record; an authority that is asked for a certificate goes there first. | /docs/panel-trouble#a-domain-leads-elsewhere
        look | shop.example.org | It leads to 203.0.113.7, 2001:db8::7, and port 80 of 2001:db8::7 does not answer: connection refused. | Servers' proxies take IPv4 only for now: remove the AAAA record, unless something in between (a CDN, a load balancer) is to take IPv6. | /docs/automatic-certificates#port-80-does-not-answer
        ok | shop.example.org | It leads to fra-1, whose proxy answers. |  | 
        look | shop.example.org | It leads to 203.0.113.7, 2001:db8::7, which is not fra-1 (203.0.113.7): this panel's proxy does not answer there. | Change the A record, and remove the AAAA record: proxies take IPv4 only for now. Where something stands in between (a CDN, a load balancer), it has to pass on /.well-known/acme-challenge/. | /docs/panel-trouble#a-domain-leads-elsewhere
    "#]],
    );
}

#[test]
fn a_domain_leads_to_its_app_or_it_is_said_where_to() {
    let to = |text: &str| Resolved::Addresses([text.parse().unwrap()].into());
    let found = [
        name(&seen(to("203.0.113.7"), "203.0.113.7")),
        name(&seen(to("198.51.100.1"), "203.0.113.7")),
        name(&seen(to("198.51.100.1"), "10.0.0.7")),
        name(&seen(Resolved::Nowhere, "203.0.113.7")),
        name(&seen(Resolved::NotAsked("no answer in 3 s".into()), "203.0.113.7")),
        name(&NameSeen { domain: "hello.localhost".into(), ..seen(Resolved::Nowhere, "127.0.0.1") }),
    ];
    check(
        &found,
        expect![[r#"
            ok | shop.example.org | It leads to fra-1. |  | 
            look | shop.example.org | It leads to 198.51.100.1, which is not fra-1 (203.0.113.7). | Where something stands in between (a CDN, a load balancer), that is as it should be. Else change the record. | /docs/panel-trouble#a-domain-leads-elsewhere
            look | shop.example.org | It leads to 198.51.100.1; whether that is fra-1 cannot be told from its inner address. | Once a certificate authority is chosen, an answer of the proxy is asked for under the name, and this is known. Where that address is led on to the server, that is as it should be. Else change the record. | /docs/panel-trouble#a-domain-leads-elsewhere
            bad | shop.example.org | There is no such name, so nobody reaches shop by it. | Where the domain is managed, add an A record that leads to fra-1 (203.0.113.7). | /docs/panel-trouble#a-domain-leads-elsewhere
            look | shop.example.org | It could not be looked up: no answer in 3 s. | See that the panel's machine reaches its name server, then look again. | /docs/panel-trouble#a-domain-leads-elsewhere
            ok | hello.localhost | It leads to the machine of whoever asks, as all names below localhost do. |  | 
        "#]],
    );
}

/// Behind NAT a server need not reach its own outer address.
#[test]
fn a_domain_that_only_outsiders_reach_is_not_said_to_be_closed() {
    let at = |text: &str| text.parse::<IpAddr>().unwrap();
    let behind = |host: &str, inside: bool| NameSeen {
        proof: Proof::Asked(vec![(at("198.51.100.1"), Met::Nobody("no answer within 3 s".into()))]),
        inside,
        ..seen(Resolved::Addresses([at("198.51.100.1")].into()), host)
    };
    let told = name(&behind("10.0.0.7", true));
    assert!(told.grade == Grade::Warn && told.what.contains("cannot be told from here"), "{told:?}");
    for closed in [behind("10.0.0.7", false), behind("198.51.100.1", true)] {
        let told = name(&closed);
        assert!(told.grade == Grade::Bad && told.what.contains("port 80 of 198.51.100.1 does not answer"), "{told:?}");
    }
}

/// Where the proxies have an answer of their own, it says more than addresses.
#[test]
fn a_domain_is_proven_where_it_can_be() {
    let address = |text: &str| text.parse::<IpAddr>().unwrap();
    let asked = |at: &str, host: &str, met: Met| NameSeen {
        proof: Proof::Asked(vec![(address(at), met)]),
        ..seen(Resolved::Addresses([address(at)].into()), host)
    };
    let other = || Met::Other("status 404, without our answer".into());
    let own = |at: &str, proof: Proof| NameSeen {
        own: [address(at)].into(),
        proof,
        ..seen(Resolved::Addresses([address(at)].into()), "127.0.0.1")
    };
    check(
        &[
            name(&asked("198.51.100.1", "127.0.0.1", Met::Us)),
            name(&asked("203.0.113.7", "203.0.113.7", Met::Us)),
            name(&asked("198.51.100.1", "127.0.0.1", other())),
            name(&asked("198.51.100.1", "127.0.0.1", Met::Nobody("Connection refused".into()))),
            name(&asked("198.51.100.1", "203.0.113.7", other())),
            name(&asked("203.0.113.7", "203.0.113.7", Met::Nobody("Connection refused".into()))),
            name(&asked("198.51.100.1", "127.0.0.1", Met::NotAsked)),
            name(&own("198.51.100.1", Proof::NotAsked)),
            name(&own("198.51.100.1", Proof::Asked(vec![(address("198.51.100.1"), Met::Us)]))),
        ],
        expect![[r#"
            ok | shop.example.org | It leads to 198.51.100.1, where this panel's proxy answers. |  | 
            ok | shop.example.org | It leads to fra-1, whose proxy answers. |  | 
            look | shop.example.org | What answers for it at 198.51.100.1 is not this panel's proxy: status 404, without our answer. | Where that is the server's own router, have it lead its outer address back in (hairpin NAT), or prove the name by DNS. A service in between (a CDN, a load balancer) has to pass on /.well-known/acme-challenge/. Else another address of the name is left over: remove it. | /docs/automatic-certificates#somebody-else-answers
            bad | shop.example.org | It leads to 198.51.100.1, and port 80 of 198.51.100.1 does not answer: Connection refused. | Open the port in the firewall of the server and of its provider. | /docs/automatic-certificates#port-80-does-not-answer
            look | shop.example.org | It leads to 198.51.100.1, which is not fra-1 (203.0.113.7): this panel's proxy does not answer there. | Change the record. Where something stands in between (a CDN, a load balancer), it has to pass on /.well-known/acme-challenge/. | /docs/panel-trouble#a-domain-leads-elsewhere
            bad | shop.example.org | It leads to 203.0.113.7, and port 80 of 203.0.113.7 does not answer: Connection refused. | Open the port in the firewall of the server and of its provider. | /docs/automatic-certificates#port-80-does-not-answer
            look | shop.example.org | It leads to 198.51.100.1, which is no address of this machine, where fra-1 is. | Once a certificate authority is chosen, an answer of the proxy is asked for under the name, and this is known. Where that address is led on to the server, that is as it should be. Else change the record. | /docs/panel-trouble#a-domain-leads-elsewhere
            ok | shop.example.org | It leads to fra-1. |  | 
            ok | shop.example.org | It leads to fra-1, whose proxy answers. |  | 
        "#]],
    );
}

#[test]
fn a_clock_is_held_against_the_authoritys() {
    let at = |ahead| clock("acme.example", &Ok(ahead));
    check(
        &[at(-3), at(31), at(-301), at(86_400 * 40)],
        expect![[r#"
        ok | clock | This machine's clock agrees with the one of acme.example. |  | 
        look | clock | This machine's clock is 31 s ahead of the one of acme.example. | Let this machine follow a time server: timedatectl set-ntp true | /docs/panel-trouble#the-panels-clock
        bad | clock | This machine's clock is 5 min behind the one of acme.example: certificates are taken for expired or not valid yet, and sign-ins and tokens end at the wrong moment. | Let this machine follow a time server: timedatectl set-ntp true | /docs/panel-trouble#the-panels-clock
        bad | clock | This machine's clock is 40 days ahead of the one of acme.example: certificates are taken for expired or not valid yet, and sign-ins and tokens end at the wrong moment. | Let this machine follow a time server: timedatectl set-ntp true | /docs/panel-trouble#the-panels-clock
    "#]],
    );
    let trouble = |trouble| clock("acme.example", &Err(trouble));
    let server = || "acme.example".to_owned();
    let wrong = trouble(Trouble::Clock { server: server(), detail: "certificate expired".into() });
    assert_eq!((wrong.area, wrong.grade, wrong.help), (Area::Panel, Grade::Bad, Some(Topic::PanelClock)));
    let away = trouble(Trouble::ServerDown { server: server(), detail: "no answer".into(), until: None });
    assert_eq!((away.area, away.grade, away.help), (Area::Certificate, Grade::Warn, Some(Topic::AuthorityAway)));
}

fn of(names: &[&str], renewed: bool, days: (i64, i64)) -> CertificateSeen {
    let now = OffsetDateTime::UNIX_EPOCH;
    CertificateSeen {
        names: names.iter().map(|name| (*name).to_owned()).collect(),
        renewed,
        not_before: now - Duration::days(days.0),
        not_after: now + Duration::days(days.1),
        hosts: vec![OnHost { host: "fra-1".into(), current: true, any: true, trouble: String::new() }],
    }
}

fn no_certificates() -> CertificatesSeen {
    CertificatesSeen {
        now: OffsetDateTime::UNIX_EPOCH,
        there: Vec::new(),
        orders: Vec::new(),
        unordered: Vec::new(),
        chosen: true,
        https: true,
        panel: None,
    }
}

#[test]
fn certificates_are_told_by_what_is_to_be_done() {
    assert_eq!(certificates(&no_certificates()), []);
    let well = CertificatesSeen {
        there: vec![of(&["a.example"], true, (30, 60)), of(&["*.b.example"], false, (1, 364))],
        panel: Some("panel.b.example".into()),
        ..no_certificates()
    };
    check(
        &certificates(&well),
        expect![[r#"
        ok | all | 2 certificates are valid; the first of them ends in 60 days. |  | 
    "#]],
    );
    let mut before = of(&["before.example"], false, (1, 364));
    before.hosts[0].current = false;
    let mut not_yet = of(&["not-yet.example"], true, (1, 89));
    not_yet.hosts[0] = OnHost {
        host: "ber-1".into(),
        current: false,
        any: false,
        trouble: "The host does not answer by SSH (timed out).".into(),
    };
    let mut nowhere = of(&["nowhere.example"], false, (400, -30));
    nowhere.hosts.clear();
    let order = |name: &str, trouble: Option<Trouble>, days: Option<i64>| OrderSeen {
        names: vec![name.to_owned()],
        trouble,
        not_after: days.map(|days| OffsetDateTime::UNIX_EPOCH + Duration::days(days)),
    };
    let no_address = |name: &str| Some(Trouble::NoAddress { name: name.into() });
    let paused = || Some(Trouble::Paused { detail: "See https://ca.example/unpause.".into() });
    let bad = CertificatesSeen {
        there: vec![
            of(&["over.example"], false, (400, -3)),
            of(&["over-too.example"], true, (90, -1)),
            of(&["soon.example"], false, (350, 12)),
            of(&["late.example"], true, (80, 10)),
            of(&["moved.example"], true, (90, -1)),
            of(&["moved.example"], false, (1, 89)),
            of(&["troubled.example"], true, (89, 1)),
            before,
            not_yet,
            nowhere,
        ],
        orders: vec![
            order("well.example", None, Some(60)),
            order("new.example", no_address("new.example"), None),
            order("troubled.example", no_address("troubled.example"), Some(1)),
            order("paused.example", paused(), None),
            order("moved.example", paused(), None),
            order("gone.example", no_address("gone.example"), Some(-2)),
        ],
        unordered: ["x.example", "moved.example", "hello.localhost", "y.example"].map(str::to_owned).into(),
        chosen: false,
        panel: Some("panel.example".into()),
        ..no_certificates()
    };
    check(
        &certificates(&bad),
        expect![[r#"
        bad | panel.example | It is the panel's own name, and there is no valid certificate for it: nobody comes in by it. | Upload one for it, or choose a certificate authority. On its machine the panel is still reached by its loopback address. | /docs/https#the-panels-own-address
        bad | paused.example | The certificate authority has paused this name after many failures: See https://ca.example/unpause. Somebody has to unpause it there, and then press “Get one now”. | Nothing goes on by itself before that: then press Get one now, under Hosts → Certificates → Automatic. | /docs/automatic-certificates#paused
        bad | gone.example | It has run out. gone.example has no address yet. Let its A record name the server, and wait until that is seen everywhere. | It is tried again by itself; Get one now, under Hosts → Certificates → Automatic, tries it at once. | /docs/automatic-certificates#waiting-for-dns
        bad | over.example | It has expired: browsers refuse it. | Upload a new one for the same names. | /docs/https#a-certificate-ends
        bad | over-too.example | It has expired, and was not renewed: browsers refuse it. | Press Get one now, under Hosts → Certificates → Automatic: it says what is in the way. | /docs/automatic-certificates#renewal
        look | new.example | new.example has no address yet. Let its A record name the server, and wait until that is seen everywhere. | It is tried again by itself; Get one now, under Hosts → Certificates → Automatic, tries it at once. | /docs/automatic-certificates#waiting-for-dns
        look | troubled.example | Not renewed, and good for 24 h more. troubled.example has no address yet. Let its A record name the server, and wait until that is seen everywhere. | It is tried again by itself; Get one now, under Hosts → Certificates → Automatic, tries it at once. | /docs/automatic-certificates#waiting-for-dns
        look | soon.example | It ends in 12 days, and nobody renews it. | Upload the next one for the same names. | /docs/https#a-certificate-ends
        look | late.example | It ends in 10 days, and was not renewed. | Is the panel running all the time? Press Renew now, under Hosts → Certificates → Automatic. | /docs/automatic-certificates#renewal
        look | before.example | fra-1 still serves the one before. | It is brought again by itself. If it stays so, make the host ready again. | /docs/https#a-host-serves-the-one-before
        look | not-yet.example | ber-1 does not serve it yet: The host does not answer by SSH (timed out). | It is brought again by itself. If it stays so, make the host ready again. | /docs/host-trouble#the-host-does-not-answer
        ok | authority | x.example, y.example are reached by plain HTTP only: no certificate authority is chosen. | Choose one under Hosts → Certificates → Automatic → Authority, and each gets a certificate; or upload yours. | /docs/automatic-certificates#once
        ok | all | 6 certificates are valid; the first of them ends in 24 h. |  | 
    "#]],
    );
    assert_eq!(
        certificates(&CertificatesSeen {
            https: false,
            unordered: vec!["x.example".into()],
            chosen: false,
            ..no_certificates()
        }),
        []
    );
    let many = CertificatesSeen {
        there: (0..80).map(|n| of(&[format!("a{n}.example").as_str()], false, (400, -3))).collect(),
        ..no_certificates()
    };
    let found = certificates(&many);
    assert_eq!((found.len(), found[50].what.as_str()), (51, "30 more findings about certificates are not told here."));
}

#[test]
fn the_worst_finding_is_the_reports() {
    let mut report = Report::default();
    assert_eq!((report.grade(), report.headline().as_str()), (Grade::Ok, "All well: 0 things were looked at."));
    report.add([Finding::ok(Area::Host, "fra-1", "Well.")]);
    report.add([Finding::warn(Area::Panel, "disk", "Low.", "Make room.", Topic::PanelDisk)]);
    assert_eq!(report.headline(), "1 thing is to be looked at in time; nothing is bad.");
    report.add([unreached("It is away.")]);
    let order: Vec<&str> = report.findings.iter().map(|finding| finding.of.as_str()).collect();
    assert_eq!((report.grade(), order), (Grade::Bad, vec!["disk", "server", "fra-1"]));
    assert_eq!(report.headline(), "1 thing is bad, and 1 to be looked at in time.");
}
