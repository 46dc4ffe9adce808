//! Decisions as text.

use std::time::Duration;

use time::OffsetDateTime;
use time::macros::datetime;
use uuid::Uuid;

use super::*;

const NOW: OffsetDateTime = datetime!(2026-11-26 12:00 UTC);

fn problem(kind: &str, detail: &str, status: u16) -> Problem {
    Problem { kind: format!("urn:ietf:params:acme:error:{kind}"), detail: detail.into(), status }
}

#[test]
fn what_an_authority_says_becomes_what_people_can_do() {
    let brief = |at, kind: &str, detail: &str, status| {
        classify(at, "shop.test", "ca.test", &problem(kind, detail, status), None).brief()
    };
    for (at, kind, detail, status, wanted) in [
        (At::Order, "rateLimited", "too many certificates already issued", 429, "rate limited"),
        (
            At::Order,
            "rateLimited",
            "Your account is temporarily prevented … visit … to unpause",
            429,
            "paused: needs you",
        ),
        (At::Proof, "caa", "CAA record for shop.test prevents issuance", 403, "CAA records forbid it"),
        (At::Proof, "dns", "NXDOMAIN looking up A for shop.test", 400, "the authority cannot look it up"),
        (At::Proof, "connection", "Timeout during connect", 400, "the proof was not accepted"),
        (At::Proof, "unauthorized", "Invalid response from http://…: 404", 403, "the proof was not accepted"),
        (At::Account, "unauthorized", "account is deactivated", 403, "the account is not accepted"),
        (At::Account, "externalAccountRequired", "", 403, "the account is not accepted"),
        (At::Order, "userActionRequired", "terms have changed", 403, "the account is not accepted"),
        (At::Order, "serverInternal", "", 500, "the authority does not answer"),
        (At::Order, "rejectedIdentifier", "policy forbids", 400, "refused"),
        (At::Order, "somethingNew", "", 429, "rate limited"),
        (At::Order, "somethingNew", "", 503, "the authority does not answer"),
    ] {
        assert_eq!(brief(at, kind, detail, status), wanted, "{kind} {detail}");
    }
}

#[test]
fn every_trouble_says_what_to_try() {
    let name = || "shop.test".to_owned();
    let elsewhere =
        Trouble::Elsewhere { name: name(), points_to: vec!["1.2.3.4".into()], expected: vec!["5.6.7.8".into()] };
    assert_eq!(
        elsewhere.sentence(),
        "shop.test points to 1.2.3.4, expected 5.6.7.8. Change its A record to the server's address, and remove an AAAA record: proxies take IPv4 only for now."
    );
    let closed = |address: &str| {
        Trouble::PortClosed { name: name(), address: address.into(), detail: "refused".into() }.sentence()
    };
    assert!(closed("5.6.7.8").contains("Open it in the firewall"), "{}", closed("5.6.7.8"));
    let six = closed("2001:db8::1");
    assert!(six.contains("take IPv4 only") && six.contains("remove that record") && !six.contains("firewall"), "{six}");
    let until = Some(datetime!(2026-11-27 03:04:05.678 UTC));
    let limited = classify(At::Order, "shop.test", "ca", &problem("rateLimited", "too many", 429), until);
    assert_eq!(
        limited.sentence(),
        "The certificate authority takes no more orders for this name until 2026-11-27 03:04:05 UTC: too many. It is tried again \
         after that; nothing is to be done."
    );
    let hostile = classify(At::Order, "shop.test", "ca", &problem("x", &"<b>\n\u{202e}".repeat(300), 400), None);
    assert!(hostile.sentence().len() < 1_200 && !hostile.sentence().contains('\n'));
}

#[test]
fn it_is_tried_again_ever_later_and_not_at_all_where_a_person_is_needed() {
    let minutes = |trouble: &Trouble, tries| match again(trouble, tries, NOW) {
        Again::After(pause) => Some(pause.as_secs() / 60),
        Again::Asked => None,
    };
    let proof = Trouble::NotProven { name: "shop.test".into(), detail: String::new() };
    let all: Vec<_> = (1..=6).map(|tries| minutes(&proof, tries).unwrap()).collect();
    assert_eq!(all, [15, 60, 360, 1_440, 1_440, 1_440]);
    let dns = Trouble::NoAddress { name: "shop.test".into() };
    let all: Vec<_> = (1..=6).map(|tries| minutes(&dns, tries).unwrap()).collect();
    assert_eq!(all, [1, 2, 5, 15, 15, 15]);
    let until = |hours: u64| Some(NOW + Duration::from_secs(hours * 3_600));
    let limited = |hours| Trouble::RateLimited { until: until(hours), detail: String::new(), shared: false };
    assert_eq!(minutes(&limited(34), 1), Some(34 * 60));
    assert_eq!(minutes(&limited(0), 2), Some(60));
    assert_eq!(minutes(&limited(1_000_000), 1), Some(8 * 24 * 60));
    let down = Trouble::ServerDown { server: "ca".into(), detail: String::new(), until: None };
    assert_eq!(minutes(&down, 9), Some(360));
    assert_eq!(minutes(&Trouble::Paused { detail: String::new() }, 1), None);
    assert_eq!(minutes(&Trouble::Account { detail: String::new() }, 1), None);
    assert_eq!(minutes(&Trouble::Binding { detail: String::new() }, 1), None);
}

#[test]
fn three_failed_proofs_within_an_hour_are_enough() {
    let ago = |minutes: i64| NOW - time::Duration::minutes(minutes);
    assert_eq!(wait_for(&[], NOW), None);
    assert_eq!(wait_for(&[ago(10), ago(5)], NOW), None);
    assert_eq!(wait_for(&[ago(50), ago(30), ago(5)], NOW), Some(Duration::from_secs(10 * 60)));
    assert_eq!(wait_for(&[ago(70), ago(30), ago(5)], NOW), None);
    assert_eq!(wait_for(&[ago(50), ago(40), ago(30), ago(5)], NOW), Some(Duration::from_secs(20 * 60)));
}

#[test]
fn a_certificate_is_renewed_at_a_third_of_its_life_or_in_the_authoritys_window() {
    let (born, dies) = (NOW, NOW + time::Duration::days(90));
    let mut moments = Vec::new();
    for n in 0..200_u128 {
        let id = Uuid::from_u128(n.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835));
        let at = renew_at(id, born, dies, None);
        assert!(at <= dies - time::Duration::days(30) && at >= dies - time::Duration::days(35), "{at}");
        assert_eq!(at, renew_at(id, born, dies, None), "always the same for one");
        let window = Window { start: NOW, end: NOW + time::Duration::hours(10) };
        let inside = renew_at(id, born, dies, Some(window));
        assert!(inside >= window.start && inside <= window.end);
        moments.push(at);
    }
    moments.sort_unstable();
    assert!(moments[150] - moments[50] > time::Duration::days(1), "they are spread");
    let wrong = Window { start: NOW, end: NOW };
    assert!(
        renew_at(Uuid::nil(), born, dies, Some(wrong)) > NOW + time::Duration::days(50),
        "a window without length is none"
    );
}

#[test]
fn a_name_is_looked_at_from_every_address() {
    let at = |text: &str| text.parse().unwrap();
    let (ours, theirs) = (at("5.6.7.8"), at("1.2.3.4"));
    let found = |all: &[(std::net::IpAddr, Met)]| {
        reachable("shop.test", all, &[ours]).map_or("fine".to_owned(), |trouble| trouble.brief())
    };
    let nobody = || Met::Nobody("it refused".into());
    let other = || Met::Other("404".into());
    let inner = reachable("shop.test", &[(theirs, nobody())], &[at("127.0.0.1")]).map(|trouble| trouble.brief());
    assert!(inner.as_deref().is_some_and(|brief| !brief.contains("expected")), "this very machine: {inner:?}");
    assert_eq!(found(&[]), "waiting for DNS: no address yet");
    assert_eq!(found(&[(ours, Met::Us)]), "fine");
    assert_eq!(found(&[(theirs, Met::Us)]), "fine", "an address that is passed on to us is good");
    assert_eq!(found(&[(theirs, other())]), "waiting for DNS: points to 1.2.3.4, expected 5.6.7.8");
    assert_eq!(found(&[(theirs, nobody())]), "waiting for DNS: points to 1.2.3.4, expected 5.6.7.8");
    assert_eq!(found(&[(ours, nobody())]), "port 80 of 5.6.7.8 does not answer");
    assert_eq!(found(&[(ours, other())]), "something else answers at 5.6.7.8");
    assert_eq!(found(&[(ours, Met::Us), (theirs, nobody())]), "waiting for DNS: points to 1.2.3.4, expected 5.6.7.8");
    assert_eq!(found(&[(ours, Met::Us), (at("2001:db8::1"), Met::NotAsked)]), "fine");
    assert_eq!(found(&[(at("127.0.0.1"), Met::NotAsked)]), "waiting for DNS: points to 127.0.0.1, expected 5.6.7.8");
}

#[test]
fn a_server_behind_nat_need_not_reach_its_own_outer_address() {
    let at = |text: &str| -> std::net::IpAddr { text.parse().unwrap() };
    let (outer, other, inner) = (at("5.6.7.8"), at("2a00::8"), at("10.0.0.8"));
    let nobody = || Met::Nobody("it timed out".into());
    let doubt = |all: &[(std::net::IpAddr, Met)], expected: &[std::net::IpAddr]| {
        doubted("shop.test", all, expected).map(|doubt| doubt.address)
    };
    let said = Some("5.6.7.8".to_owned());
    assert_eq!(doubt(&[(outer, nobody())], &[inner]), said);
    assert_eq!(doubt(&[(outer, nobody())], &[at("127.0.0.1")]), said, "the panel's own machine");
    assert_eq!(doubt(&[(outer, nobody())], &[inner, at("fd00::8")]), said);
    assert_eq!(doubt(&[(outer, nobody()), (other, Met::Us)], &[inner]), said, "one of the two kinds is led back");
    assert_eq!(doubt(&[(outer, nobody()), (other, Met::NotAsked)], &[inner]), said);
    // Known by that very address, or by another public one; nobody's.
    assert_eq!(doubt(&[(outer, nobody())], &[outer]), None);
    assert_eq!(doubt(&[(outer, nobody())], &[at("1.2.3.4")]), None);
    assert_eq!(doubt(&[(outer, nobody())], &[inner, at("1.2.3.4")]), None);
    assert_eq!(doubt(&[(outer, nobody())], &[]), None);
    // The inner address itself, or somebody else who answers.
    assert_eq!(doubt(&[(inner, nobody())], &[inner]), None);
    assert_eq!(doubt(&[(at("10.0.0.9"), nobody())], &[inner]), None);
    assert_eq!(doubt(&[(outer, Met::Other("404".into()))], &[inner]), None);
    assert_eq!(doubt(&[(outer, nobody()), (other, Met::Other("404".into()))], &[inner]), None);
    assert_eq!(doubt(&[(outer, Met::Us)], &[inner]), None);

    // Somebody else who answers may be the router of a server that has no public address, and nobody of one that has.
    let other = |at: &str, known: &[std::net::IpAddr]| {
        let found = [(at.parse().unwrap(), Met::Other("it answered 200".into()))];
        reachable("shop.test", &found, &[]).unwrap().beside(known).sentence()
    };
    let said = other("5.6.7.8", &[inner]);
    assert!(said.contains("the server's own router") && said.contains("prove the name by DNS."), "{said}");
    for said in [other("5.6.7.8", &[outer]), other("5.6.7.8", &[inner, outer]), other("10.0.0.9", &[inner])] {
        assert!(said.ends_with("another address of the name is left over."), "{said}");
    }
    assert!(!other("5.6.7.8", &[]).contains("router"));

    // What the authority then finds says both; what it finds of another name, or another trouble, is as it was.
    let doubts = [Doubt { name: "shop.test".into(), address: "5.6.7.8".into() }];
    let failed = |name: &str| Trouble::NotProven { name: name.into(), detail: "Timeout.".into() }.in_doubt(&doubts);
    let sentence = failed("shop.test").sentence();
    assert!(
        sentence.contains("not led on to this server") && sentence.contains("leads to another server"),
        "{sentence}"
    );
    assert!(failed("shop.test").counts() && !failed("shop.test").found_beforehand());
    assert!(matches!(failed("www.test"), Trouble::NotProven { .. }));
    let caa = Trouble::Caa { name: "shop.test".into(), detail: "no.".into() };
    assert_eq!(caa.clone().in_doubt(&doubts), caa);
}

#[test]
fn a_record_that_was_not_seen_before_this_was_told_in_full_is_still_read() {
    let kept: Trouble = serde_json::from_str(r#"{ "what": "not_seen", "record": "_acme-challenge.a.test" }"#).unwrap();
    assert!(
        kept.sentence().starts_with("The record _acme-challenge.a.test was written and is not seen. Look"),
        "{kept:?}"
    );
}

#[test]
fn names_are_domains_or_everything_below_one() {
    let name = |text: &str| text.parse::<CertName>();
    assert_eq!(name(" Shop.Example ").unwrap().as_ref(), "shop.example");
    let star = name("*.example.org").unwrap();
    assert!(star.is_wildcard() && star.base() == "example.org");
    assert_eq!(star.challenge_record(), "_acme-challenge.example.org");
    for wrong in ["*", "*.", "*.*.example.org", "a.*.example.org", "192.0.2.1", "example", ""] {
        assert!(name(wrong).is_err(), "{wrong}");
    }
    let all = |texts: &[&str]| names_key(&texts.iter().map(|text| name(text).unwrap()).collect::<Vec<_>>());
    assert_eq!(all(&["b.example", "a.example", "b.example"]), all(&["a.example", "b.example"]));
    assert_ne!(all(&["a.example"]), all(&["*.a.example"]));
}

#[test]
fn a_week_has_five_of_the_same_and_the_last_is_for_the_renewal() {
    let ago =
        |days: &[i64]| -> Vec<OffsetDateTime> { days.iter().map(|days| NOW - time::Duration::days(*days)).collect() };
    let four = ago(&[6, 3, 2, 1]);
    assert_eq!(too_many(&ago(&[8, 6, 3, 2]), true, NOW), None, "those of more than a week ago are forgotten");
    assert_eq!(
        too_many(&four, true, NOW).as_deref(),
        Some(
            "4 certificates for exactly these names were got within 7 days, and a certificate authority (Let's Encrypt) gives 5. The one \
             that is left is for the renewal that comes by itself; what is there is valid meanwhile. Ask again after 2026-11-27 12:00:00 UTC."
        )
    );
    assert_eq!(
        (too_many(&four, false, NOW), enough_until(&four, NOW)),
        (None, None),
        "where none serves, it may be asked for"
    );
    let six = ago(&[6, 5, 4, 3, 2, 1]);
    assert_eq!(enough_until(&six, NOW), Some(NOW + time::Duration::days(2)), "when four are left");
    let said = too_many(&six, true, NOW).unwrap();
    assert!(
        said.starts_with("6 certificates") && said.ends_with("gives 5. Ask again after 2026-11-29 12:00:00 UTC."),
        "{said}"
    );
    let days = |days: i64| Some(time::Duration::days(days));
    assert!(is_counted(LETS_ENCRYPT, days(6)) && is_counted("https://ca.example/dir", days(90)));
    assert!(is_counted(LETS_ENCRYPT, None), "one that cannot be read was got all the same");
    assert!(!is_counted(LETS_ENCRYPT_STAGING, days(90)) && !is_counted("https://ca.example/dir", days(1)));
}

#[test]
fn the_address_at_which_a_name_is_unpaused_is_whole() {
    // As long as the one that Let's Encrypt signs.
    let address = format!(
        "https://sfe.letsencrypt.org/sfe/v1/unpause?jwt={}.{}.{}",
        "e".repeat(36),
        "y".repeat(290),
        "J".repeat(43)
    );
    let said = format!(
        "Your account is temporarily prevented from requesting certificates for shop.test and possibly others. Please visit: {address}"
    );
    for said in [said.clone(), format!("{said}.")] {
        let paused = classify(At::Order, "shop.test", "ca", &problem("rateLimited", &said, 429), None);
        assert!(matches!(paused, Trouble::Paused { .. }), "{paused:?}");
        let sentence = paused.sentence();
        assert!(sentence.contains(&format!(" {address} Somebody has to")), "{sentence}");
    }
    let endless = classify(At::Order, "shop.test", "ca", &problem("rateLimited", &"paused ".repeat(2_000), 429), None);
    assert!(endless.sentence().len() < 2_300);
}

#[test]
fn a_limit_of_all_names_below_sslip_io_is_said_to_be_everybodys() {
    let said = |name: &str, detail: &str| {
        classify(At::Order, name, "ca", &problem("rateLimited", detail, 429), None).sentence()
    };
    let many = "too many certificates (50) already issued for \"sslip.io\" in the last 168h0m0s";
    let shared = said("web-prod.203-0-113-7.sslip.io", many);
    assert!(
        shared.contains("This limit is shared by everybody who uses sslip.io: use a domain of your own"),
        "{shared}"
    );
    assert!(!shared.contains("nothing is to be done"), "{shared}");
    let exact = "too many certificates (5) already issued for this exact set of identifiers in the last 168h0m0s";
    for (name, detail) in [("shop.test", many), ("notsslip.io", many), ("203-0-113-7.sslip.io", exact)] {
        assert!(said(name, detail).ends_with("It is tried again after that; nothing is to be done."), "{name}");
    }
    let old = serde_json::json!({ "what": "rate_limited", "until": null, "detail": "x" });
    assert!(matches!(serde_json::from_value(old), Ok(Trouble::RateLimited { shared: false, .. })));
}
