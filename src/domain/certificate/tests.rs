//! Certificates as people bring them: good ones, and every way they can be wrong, each said beside its field.

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use time::macros::datetime;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::*;
use crate::domain::secret::Secret;

const NOW: OffsetDateTime = datetime!(2026-11-26 12:00 UTC);

struct Ca {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

fn ca(name: &str, to: OffsetDateTime) -> Ca {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.not_before = NOW - Duration::days(700);
    params.not_after = to;
    let pem = params.self_signed(&key).unwrap().pem();
    Ca { issuer: Issuer::new(params, key), pem }
}

impl Ca {
    fn issue(&self, names: &[&str], from: OffsetDateTime, to: OffsetDateTime) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.not_before = from;
        params.not_after = to;
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }

    fn good(&self, names: &[&str]) -> (String, String) {
        self.issue(names, NOW - Duration::days(1), NOW + Duration::days(89))
    }
}

fn authority(name: &str) -> Ca {
    ca(name, NOW + Duration::days(365))
}

fn faults(chain: &str, key: &str) -> Vec<(Field, String)> {
    let read = read(chain, &Secret::new(key.to_owned()), NOW);
    read.unwrap_err().into_iter().map(|fault| (fault.field, fault.sentence)).collect()
}

fn one(chain: &str, key: &str) -> (Field, String) {
    let mut all = faults(chain, key);
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

#[test]
fn a_good_one_is_read_and_becomes_one_text() {
    let ca = authority("Test Authority");
    let (leaf, key) = ca.good(&["Shop.example.org", "*.shop.example.org", "192.0.2.1", "shop.example.org"]);
    // As copied from a mail: remarks before, lines' ends of another system, empty lines between.
    let chain = format!("Here it is:\r\n{}\r\n\r\n{}", leaf.replace('\n', "\r\n"), ca.pem);
    let read = read(&chain, &Secret::new(key.clone()), NOW).unwrap();
    assert_eq!(read.facts.names, ["*.shop.example.org", "shop.example.org"]);
    assert_eq!(read.facts.issuer, "Test Authority");
    assert_eq!(read.facts.not_after, NOW + Duration::days(89));
    assert_eq!(read.facts.fingerprint.len(), 64);
    assert_eq!(read.note, None);
    let pem = read.pem.expose();
    assert!(pem.starts_with("-----BEGIN CERTIFICATE-----\n") && pem.ends_with("-----END PRIVATE KEY-----\n"), "{pem}");
    assert_eq!(pem.matches("BEGIN CERTIFICATE").count(), 2);
    assert!(pem.lines().all(|line| !line.trim().is_empty() && line.len() <= 64 && line.is_ascii()));
    // What was made of it reads as the same.
    let (chain, key) = pem.split_at(pem.find("-----BEGIN PRIVATE KEY").unwrap());
    let again = super::read(chain, &Secret::new(key.to_owned()), NOW).unwrap();
    assert_eq!((&again.facts, again.pem.expose()), (&read.facts, pem));
    assert!(!format!("{read:?}").contains("PRIVATE"));
}

#[test]
fn what_may_surprise_is_said() {
    let ca = authority("Test Authority");
    let (leaf, key) = ca.good(&["shop.example.org"]);
    let read = |chain: &str, key: &str| super::read(chain, &Secret::new(key.to_owned()), NOW).unwrap();
    assert!(read(&leaf, &key).note.unwrap().contains("paste the whole chain"));
    let own = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["shop.example.org".to_owned()]).unwrap();
    (params.not_before, params.not_after) = (NOW - Duration::days(1), NOW + Duration::days(9));
    let pem = params.self_signed(&own).unwrap().pem();
    assert!(read(&pem, &own.serialize_pem()).note.unwrap().contains("signed by itself"));
}

#[test]
fn a_key_of_another_certificate_is_refused_at_the_key() {
    let ca = authority("Test Authority");
    let ((leaf, _), (_, other)) = (ca.good(&["shop.example.org"]), ca.good(&["shop.example.org"]));
    let (field, sentence) = one(&format!("{leaf}{}", ca.pem), &other);
    assert!(field == Field::Key && sentence.contains("does not belong to the certificate"), "{sentence}");
}

#[test]
fn a_chain_out_of_order_is_refused_at_the_chain() {
    let ca = authority("Test Authority");
    let (leaf, key) = ca.good(&["shop.example.org"]);
    let (field, sentence) = one(&format!("{}{leaf}", ca.pem), &key);
    assert!(field == Field::Chain && sentence.contains("wrong order"), "{sentence}");
    let stranger = authority("Somebody Else");
    let (field, sentence) = one(&format!("{leaf}{}", stranger.pem), &key);
    assert!(
        field == Field::Chain && sentence.contains("is not of the issuer of certificate 1, which is CN=Test Authority"),
        "{sentence}"
    );
    // The same name, another key.
    let twin = authority("Test Authority");
    let (field, sentence) = one(&format!("{leaf}{}", twin.pem), &key);
    assert!(field == Field::Chain && sentence.contains("did not sign certificate 1"), "{sentence}");
}

#[test]
fn one_that_is_over_or_has_not_begun_is_refused() {
    let ca = authority("Test Authority");
    let (leaf, key) = ca.issue(&["a.example.org"], NOW - Duration::days(90), NOW - Duration::seconds(1));
    let (field, sentence) = one(&format!("{leaf}{}", ca.pem), &key);
    assert!(field == Field::Chain && sentence.starts_with("The certificate expired on 2026-11-26."), "{sentence}");
    let (leaf, key) = ca.issue(&["a.example.org"], NOW + Duration::days(1), NOW + Duration::days(9));
    let (_, sentence) = one(&leaf, &key);
    assert!(sentence.contains("valid only from 2026-11-27 on"), "{sentence}");
    let old = super::tests::ca("Old Authority", NOW - Duration::days(3));
    let (leaf, key) = old.good(&["a.example.org"]);
    let (_, sentence) = one(&format!("{leaf}{}", old.pem), &key);
    assert!(sentence.starts_with("The issuer's certificate 2 (CN=Old Authority) expired on 2026-11-23."), "{sentence}");
}

#[test]
fn texts_that_are_no_certificate_or_no_key_are_told_apart() {
    let ca = authority("Test Authority");
    let (leaf, key) = ca.good(&["a.example.org"]);
    for (chain, private, field, says) in [
        ("", key.as_str(), Field::Chain, "Paste the certificate"),
        ("hello", &key, Field::Chain, "no certificate in PEM form"),
        (&leaf[..leaf.len() / 2], &key, Field::Chain, "Copy the file again"),
        (&format!("{leaf}{key}"), &key, Field::Chain, "There is a private key in this text"),
        (&"x".repeat(70_000), &key, Field::Chain, "larger than"),
        (&leaf.repeat(11), &key, Field::Chain, "more than 10"),
        (&leaf, "", Field::Key, "Paste the private key"),
        (&leaf, "hello", Field::Key, "no private key in PEM form"),
        (&leaf, &leaf, Field::Key, "no private key in PEM form"),
        (
            &leaf,
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
            Field::Key,
            "locked by a passphrase",
        ),
        (&leaf, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", Field::Key, "This kind of key"),
        (&ca.pem, &key, Field::Key, "does not belong"),
    ] {
        let all = faults(chain, private);
        assert!(all.iter().any(|(at, sentence)| *at == field && sentence.contains(says)), "{says}: {all:?}");
        assert!(all.iter().all(|(_, sentence)| !sentence.contains("AAAA")), "{all:?}");
    }
    assert_eq!(faults("", "").len(), 2, "both at once");
    let (leaf, key) = ca.good(&["192.0.2.1"]);
    assert!(one(&leaf, &key).1.contains("names no domain"));
}

#[test]
fn an_issuer_with_a_key_that_haproxy_would_not_start_with_is_named() {
    let (_, key) = authority("Test Authority").good(&["a.test"]);
    let all = faults(include_str!("short_issuer.pem"), &key);
    let says = "The key of the issuer CN=Small CA is shorter";
    assert!(all.iter().any(|(at, sentence)| *at == Field::Chain && sentence.starts_with(says)), "{all:?}");
}

#[test]
fn a_wildcard_stands_for_one_label() {
    for (name, domain, fits) in [
        ("a.example.org", "a.example.org", true),
        ("a.example.org", "b.example.org", false),
        ("*.example.org", "a.example.org", true),
        ("*.example.org", "example.org", false),
        ("*.example.org", "a.b.example.org", false),
        ("*.example.org", "a.example.com", false),
        ("*.example.org", ".example.org", false),
    ] {
        assert_eq!(covers(name, domain), fits, "{name} {domain}");
    }
}

#[test]
fn the_named_one_is_chosen_before_a_wildcard_and_then_the_one_that_lasts() {
    let candidate = |n: u128, names: &[&str], days: i64| Candidate {
        id: CertificateId(Uuid::from_u128(n)),
        names: names.iter().map(|name| (*name).to_owned()).collect(),
        not_after: NOW + Duration::days(days),
    };
    let all = [
        candidate(1, &["*.example.org"], 300),
        candidate(2, &["a.example.org"], 10),
        candidate(3, &["a.example.org", "b.example.org"], 20),
        candidate(4, &["over.example.org"], -1),
        candidate(5, &["over.example.net"], -1),
        Candidate { not_after: NOW + Duration::minutes(4), ..candidate(6, &["*.soon.test"], 0) },
        candidate(7, &["a.soon.test"], -1),
        Candidate { not_after: NOW + Duration::minutes(5), ..candidate(8, &["b.soon.test", "c.soon.test"], 0) },
        candidate(9, &["*.soon.test", "b.soon.test"], 0),
        Candidate { not_after: NOW + Duration::minutes(6), ..candidate(10, &["c.soon.test"], 0) },
    ];
    let by_name = ByName::new(&all);
    let chosen = |domain| by_name.choose(domain, NOW).map(|one| one.id.0.as_u128());
    assert_eq!(chosen("a.example.org"), Some(3));
    assert_eq!(chosen("c.example.org"), Some(1));
    assert_eq!(chosen("over.example.org"), Some(1), "a wildcard that is good before one that has expired");
    assert_eq!(chosen("over.example.net"), Some(5), "better than none");
    assert_eq!(chosen("a.soon.test"), Some(6), "one that ends in minutes before one that has ended");
    assert_eq!(chosen("b.soon.test"), Some(8), "better than none that is as good");
    assert_eq!(chosen("c.soon.test"), Some(10), "handed over in time");
    assert_eq!(chosen("example.org"), None);
    assert_eq!(chosen("x.a.example.org"), None, "a star stands for one label");
}

#[test]
fn thirty_days_before_the_end_it_is_said() {
    assert_eq!(age(NOW + Duration::days(30), NOW), (30, Age::Fine));
    assert_eq!(age(NOW + Duration::days(30) - Duration::seconds(1), NOW), (29, Age::Ending));
    assert_eq!(age(NOW - Duration::seconds(1), NOW), (0, Age::Over));
    assert_eq!(age(NOW - Duration::days(2), NOW), (-2, Age::Over));
}
