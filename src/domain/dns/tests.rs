//! Messages, byte by byte.

use super::*;

#[test]
fn a_question_is_as_rfc_1035_draws_it() {
    let bytes = question(0x1234, "Shop.example.", Kind::A).unwrap();
    assert_eq!(bytes, b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x04shop\x07example\x00\x00\x01\x00\x01");
    let bytes = question_to_authority(0x1234, "org", Kind::Ns).unwrap();
    assert_eq!(bytes, b"\x12\x34\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03org\x00\x00\x02\x00\x01");
    assert!(question(1, "a..b", Kind::A).is_none());
    assert!(question(1, &"a".repeat(64), Kind::A).is_none());
    assert!(question(1, "a b.example", Kind::A).is_none());
}

#[test]
fn an_answer_is_read_with_its_shortened_names() {
    let mut bytes = b"\x12\x34\x81\x80\x00\x01\x00\x03\x00\x01\x00\x00\x04shop\x07example\x00\x00\x01\x00\x01".to_vec();
    // A CNAME first, then what it leads to.
    bytes.extend(b"\xc0\x0c\x00\x05\x00\x01\x00\x00\x00\x3c\x00\x06\x03www\xc0\x11");
    bytes.extend(b"\xc0\x2a\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\xc0\x00\x02\x07");
    bytes.extend(b"\xc0\x2a\x00\x10\x00\x01\x00\x00\x00\x3c\x00\x06\x02ab\x02cd");
    bytes.extend(b"\xc0\x11\x00\x06\x00\x01\x00\x00\x00\x3c\x00\x00");
    let reply = read(&bytes).unwrap();
    assert_eq!((reply.id, reply.code, reply.cut), (0x1234, 0, false));
    assert_eq!(reply.answers[0].data, Data::Alias("www.example".into()));
    assert!(!reply.authoritative);
    assert_eq!(reply.answers[1].data, Data::Address("192.0.2.7".parse().unwrap()));
    assert_eq!(reply.answers[1].name, "www.example");
    assert_eq!(reply.answers[2].data, Data::Text(b"abcd".to_vec()));
    assert_eq!(reply.authority, [Record { name: "example".into(), data: Data::Zone }]);
}

#[test]
fn what_is_no_answer_ends() {
    // A name that points at itself.
    let mut circle = b"\x00\x01\x81\x80\x00\x00\x00\x01\x00\x00\x00\x00".to_vec();
    circle.extend(b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\x00\x00\x00\x00");
    assert_eq!(read(&circle), None);
    let whole = b"\x12\x34\x81\x83\x00\x01\x00\x00\x00\x00\x00\x00\x04shop\x07example\x00\x00\x01\x00\x01";
    assert_eq!(read(whole).unwrap().code, 3);
    for end in 0..whole.len() {
        assert_eq!(read(&whole[..end]), None, "{end}");
    }
}

#[test]
fn a_change_has_its_record_and_its_signature() {
    let key = Key { name: "panel.", algorithm: Algorithm::HmacSha256, secret: b"secret" };
    let add = update(7, "example", "_acme-challenge.example", "text", Change::Add, &key, 1_700_000_000).unwrap();
    assert_eq!(&add[..12], b"\x00\x07\x28\x00\x00\x01\x00\x00\x00\x01\x00\x01");
    let record = b"\x0f_acme-challenge\x07example\x00\x00\x10\x00\x01\x00\x00\x00\x3c\x00\x05\x04text";
    assert!(add.windows(record.len()).any(|part| part == record));
    let remove = update(7, "example", "_acme-challenge.example", "text", Change::Remove, &key, 1_700_000_000).unwrap();
    let record = b"\x0f_acme-challenge\x07example\x00\x00\x10\x00\xfe\x00\x00\x00\x00\x00\x05\x04text";
    assert!(remove.windows(record.len()).any(|part| part == record));
    assert!(update(7, "example", "x", &"a".repeat(256), Change::Add, &key, 0).is_none());
}

#[test]
fn a_name_server_has_a_port() {
    let read = |text: &str| text.parse::<ServerAddress>().map(String::from).ok();
    assert_eq!(read("ns1.example.org").as_deref(), Some("ns1.example.org:53"));
    assert_eq!(read("192.0.2.53:5353").as_deref(), Some("192.0.2.53:5353"));
    assert_eq!(read("2001:db8::1").as_deref(), Some("[2001:db8::1]:53"));
    assert_eq!(read("[2001:db8::1]:54").as_deref(), Some("[2001:db8::1]:54"));
    for wrong in ["", "a b", "ns1:0", "ns1:x", "[::1", "ns1.example.org:99999", "http://x"] {
        assert_eq!(read(wrong), None, "{wrong}");
    }
}

#[test]
fn a_zone_is_looked_for_above_a_name_and_never_by_it() {
    assert_eq!(zones_above("_acme-challenge.shop.example.org."), ["example.org", "shop.example.org"]);
    assert_eq!(zones_above("_acme-challenge.example.org"), ["example.org"]);
    assert_eq!(zones_above("example.org"), ["org"]);
    assert!(zones_above("org").is_empty());
}

#[test]
fn a_zones_own_server_says_it_or_who_does() {
    let record = |name: &str, data: Data| Record { name: name.into(), data };
    let reply = |authoritative, code, answers: Vec<Record>, authority: Vec<Record>| Reply {
        id: 1,
        cut: false,
        authoritative,
        code,
        answers,
        authority,
    };
    let name = "_acme-challenge.shop.example.org";
    let text = || Data::Text(b"x".to_vec());
    let ns = |zone: &str, server: &str| record(zone, Data::NameServer(server.into()));
    let look = |reply: Reply| step(&reply, "example.org", name);
    assert_eq!(look(reply(true, 0, vec![record(name, text())], vec![])), Step::Here(vec![text()]));
    assert_eq!(look(reply(true, 3, vec![], vec![])), Step::Here(vec![]));
    // What a cache in between says, a refusal, and a server that fails.
    assert_eq!(look(reply(false, 0, vec![record(name, text())], vec![])), Step::Nowhere);
    assert_eq!(look(reply(false, 3, vec![], vec![record("example.org", Data::Zone)])), Step::Nowhere);
    assert_eq!(look(reply(true, 5, vec![], vec![])), Step::Nowhere);
    // Another name, which the same server knows, or somebody else.
    let alias = || record(name, Data::Alias("a.other.net".into()));
    assert_eq!(look(reply(true, 0, vec![alias()], vec![])), Step::Alias("a.other.net".into()));
    assert_eq!(look(reply(true, 0, vec![alias(), record("a.other.net", text())], vec![])), Step::Here(vec![text()]));
    let circle = vec![alias(), record("a.other.net", Data::Alias(name.into()))];
    assert!(matches!(look(reply(true, 0, circle, vec![])), Step::Alias(_) | Step::Here(_)), "it ends");
    // A zone below, of more than one server; never one above, beside or the same.
    let led = vec![ns("shop.example.org", "ns1.shop.net"), ns("shop.example.org", "ns2.shop.net")];
    let below =
        Step::Below { zone: "shop.example.org".into(), servers: vec!["ns1.shop.net".into(), "ns2.shop.net".into()] };
    assert_eq!(look(reply(false, 0, vec![], led)), below);
    for wrong in ["org", "example.org", "op.example.org", "other.example.org"] {
        assert_eq!(look(reply(false, 0, vec![], vec![ns(wrong, "ns1.evil.net")])), Step::Nowhere, "{wrong}");
    }
}
