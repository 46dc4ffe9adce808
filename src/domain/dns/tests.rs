//! Messages, byte by byte.

use super::*;

#[test]
fn a_question_is_as_rfc_1035_draws_it() {
    let bytes = question(0x1234, "Shop.example.", Kind::A).unwrap();
    assert_eq!(bytes, b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x04shop\x07example\x00\x00\x01\x00\x01");
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
    assert_eq!(reply.answers[0].data, Data::Other);
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
