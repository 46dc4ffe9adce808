use super::*;

#[test]
fn a_git_address_is_never_an_option_or_a_transport_helper() {
    for bad in [
        "--upload-pack=/bin/sh",
        "ext::sh -c id",
        "-oProxyCommand=x@h:p",
        "git@-h:p",
        "http://h/p",
        "https://u:p@h/p",
        "git@h:-p",
        "https://h",
        "git@h:p q",
        "file://etc/x",
        "file:///a/../b",
    ] {
        assert!(bad.parse::<GitUrl>().is_err(), "{bad}");
    }
    for good in
        ["https://example.org/a/b.git", "git@example.org:a/b.git", "ssh://git@example.org:2222/a", "file:///srv/repo"]
    {
        assert_eq!(good.parse::<GitUrl>().map(|u| u.to_string()), Ok(good.to_owned()));
    }
}

#[test]
fn an_image_name_splits_into_its_parts() {
    let image: ImageRef = "registry.example.org:5000/team/app:v1".parse().unwrap();
    assert_eq!(
        (image.repository(), image.tag(), image.digest()),
        ("registry.example.org:5000/team/app", Some("v1"), None)
    );
    for bad in ["", "UPPER", "../images/prune", "a?x=1", "a#f", "a//b", "a:", "a@sha256:1", "-a", "a b"] {
        assert!(bad.parse::<ImageRef>().is_err(), "{bad}");
    }
}

#[test]
fn a_path_prefix_has_no_dots_and_no_end_slash() {
    assert_eq!("/api/".parse::<PathPrefix>().map(String::from), Ok("/api".to_owned()));
    for bad in ["api", "/a/../b", "/a b", "/a?b", "//"] {
        assert!(bad.parse::<PathPrefix>().is_err(), "{bad}");
    }
}

#[test]
fn a_domain_of_other_letters_is_kept_as_dns_has_it() {
    let kept = |text: &str| text.parse::<Domain>().map(String::from);
    for text in ["bücher.example", "BÜCHER.example.", "xn--bcher-kva.example"] {
        assert_eq!(kept(text), Ok("xn--bcher-kva.example".to_owned()), "{text}");
    }
    assert_eq!(kept("例え.テスト"), Ok("xn--r8jz45g.xn--zckzah".to_owned()));
    for (bad, said) in [
        ("bü cher.example", "xn--"),
        ("bücher.example/a", "xn--"),
        ("bücher", "Use a domain"),
        ("１２７.０.０.１", "xn--"),
        ("*.example.org", "Name one domain"),
        ("*.x", "Name one domain"),
        ("shop", "Use a domain"),
    ] {
        assert!(kept(bad).is_err_and(|why| why.0.contains(said)), "{bad}: {:?}", kept(bad));
    }
}
