use super::*;
use crate::domain::hook::Push;

fn headers(pairs: &[(&str, &str)]) -> Headers {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn githubs_own_test_vector_passes_and_nothing_near_it() {
    let secret = "It's a Secret to Everybody";
    let right = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    let proof = |name: &str, value: &str| of(Provider::Github).proof(&headers(&[(name, value)]));
    let given = proof("x-hub-signature-256", right).unwrap();
    assert!(given.holds(secret, b"Hello, World!"));
    for body in ["Hello, World", "Hello, World!\n", "hello, World!", ""] {
        assert!(!given.holds(secret, body.as_bytes()), "{body}");
    }
    assert!(!given.holds("It's a Secret to Everybody ", b"Hello, World!"));
    assert!(!given.holds("", b"Hello, World!"));
    let digits = &right[7..];
    for bad in
        ["", digits, "sha256=", &right[..70], &right.to_uppercase(), &["sha256=", &digits.to_uppercase()].concat()]
    {
        assert!(proof("x-hub-signature-256", bad).is_none(), "{bad}");
    }
    assert!(proof("x-hub-signature-256", &[right, "0"].concat()).is_none());
    assert!(proof("x-hub-signature", "sha1=e2b2e8e5ef5b1a7c4a2fd9dc4b8b6f3b2d1e7a70").is_none(), "SHA-1 is not enough");
}

#[test]
fn an_empty_secret_proves_nothing() {
    // The HMAC of an empty key over an empty body, which anybody can compute.
    let forged = "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad";
    assert!(!Proof::of_hex(forged).unwrap().holds("", b""));
    assert!(!Proof::Token(String::new()).holds("", b""));
    assert!(
        !Proof::of_standard("a", "1", "v1,thNnmggU2ex3L5XXeMNfxf8Wl8STcVZTxscSFEKSxa0=").unwrap().holds("whsec_", b"")
    );
}

#[test]
fn gitlab_is_believed_by_its_signature_or_its_token() {
    let gitlab = of(Provider::Gitlab);
    // The vector of the Standard Webhooks specification.
    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let body = br#"{"test": 2432232314}"#;
    let (id, at) = ("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330");
    let right = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
    let signed =
        |id, at, signature| headers(&[("webhook-id", id), ("webhook-timestamp", at), ("webhook-signature", signature)]);
    assert!(gitlab.proof(&signed(id, at, right)).unwrap().holds(secret, body));
    let two = ["v1,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= ", right].concat();
    assert!(gitlab.proof(&signed(id, at, &two)).unwrap().holds(secret, body));
    assert!(!gitlab.proof(&signed(id, "1614265331", right)).unwrap().holds(secret, body));
    assert!(!gitlab.proof(&signed("msg_other", at, right)).unwrap().holds(secret, body));
    assert!(!gitlab.proof(&signed(id, at, right)).unwrap().holds(secret, b"{}"));
    assert!(gitlab.proof(&signed(id, "yesterday", right)).is_none());
    let token = headers(&[("x-gitlab-token", secret)]);
    assert!(gitlab.proof(&token).unwrap().holds(secret, body));
    assert!(!gitlab.proof(&headers(&[("x-gitlab-token", "whsec_")])).unwrap().holds(secret, body));
    assert!(gitlab.proof(&headers(&[("x-gitlab-token", "")])).is_none());
    let mut both = token;
    both.insert("webhook-signature".into(), "v1,nonsense".into());
    assert!(gitlab.proof(&both).is_none(), "a bad signature is not mended by a token");
}

#[test]
fn fields_may_be_missing_or_of_another_kind() {
    let push = headers(&[("x-github-event", "push")]);
    let read = |body: &str| of(Provider::Github).read(&push, body.as_bytes());
    assert_eq!(read("{}"), Event::Push(Push::default()));
    for null in
        [r#"{"ref":null,"after":null,"head_commit":null,"commits":null,"repository":null}"#, r#"{"commits":[]}"#]
    {
        assert_eq!(read(null), Event::Push(Push::default()), "{null}");
    }
    for bad in ["", "null", "[]", "{", "\u{0}", r#"{"ref":7}"#, r#"{"commits":{"a":1}}"#, r#"{"repository":"x"}"#] {
        assert!(matches!(read(bad), Event::Unreadable(_)), "{bad}");
    }
    assert!(matches!(of(Provider::Github).read(&push, &[0xff, 0xfe]), Event::Unreadable(_)));
    assert_eq!(of(Provider::Github).read(&Headers::new(), b"{}"), Event::Other(String::new()));
    let deep = ["{\"x\":", &"[".repeat(100_000)].concat();
    assert!(matches!(read(&deep), Event::Unreadable(_)), "nesting has a limit");
}

#[test]
fn a_generic_sender_may_say_nothing_or_a_branch_in_either_spelling() {
    let read = |body: &str| of(Provider::Generic).read(&Headers::new(), body.as_bytes());
    assert_eq!(read(""), Event::Push(Push::default()));
    assert_eq!(read("{}"), Event::Push(Push::default()));
    for body in [r#"{"ref":"main"}"#, r#"{"ref":"refs/heads/main"}"#] {
        let Event::Push(push) = read(body) else { panic!("{body}") };
        assert_eq!(push.branch(), Some("main"), "{body}");
    }
    assert!(matches!(read("deploy please"), Event::Unreadable(_)));
}

#[test]
fn ids_of_deliveries_are_short_and_visible() {
    let github = |id: &str| of(Provider::Github).delivery(&headers(&[("x-github-delivery", id)]));
    assert_eq!(github(" 72d3162e-cc78-11e3-81ab-4c9367dc0958 ").unwrap().len(), 36);
    for bad in ["", "a b", "ä", &"x".repeat(201)] {
        assert_eq!(github(bad), None, "{bad}");
    }
}
