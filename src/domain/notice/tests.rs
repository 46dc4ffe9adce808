use super::*;

fn told() -> Deployed {
    Deployed {
        app: "shop / prod / web".into(),
        number: Some(12),
        former: Some(11),
        reason: "The new instance did not become healthy.".into(),
        asked_by: "Ada".into(),
        path: "/t/acme/deploys/1".into(),
    }
}

#[test]
fn a_failed_deploy_says_what_goes_on_serving() {
    let letter = deploy(Uuid::nil(), Kind::DeployFailed, "Acme", &told());
    assert_eq!(letter.title, "shop / prod / web: the deploy of v12 failed");
    assert_eq!(letter.body, "The new instance did not become healthy.\nv11 goes on serving.\nAsked for by Ada.");
    let first = Deployed { number: None, former: None, ..told() };
    let letter = deploy(Uuid::nil(), Kind::DeployFailed, "Acme", &first);
    assert_eq!(letter.title, "shop / prod / web: a deploy failed");
    assert!(letter.body.contains("Nothing of this app served before."), "{}", letter.body);
}

#[test]
fn many_hosts_are_one_letter_and_the_panels_own_network_comes_first() {
    let host = |n: u128| HostTold { id: HostId(Uuid::from_u128(n)), name: format!("h{n}"), cause: "no route".into() };
    let many: Vec<HostTold> = (1..=20).map(host).collect();
    let letter = hosts(Uuid::nil(), Kind::HostDown, "Acme", "acme", &many, false);
    assert_eq!(letter.title, "20 hosts do not answer");
    assert!(letter.body.ends_with("· h10: no route\n· and 10 more"), "{}", letter.body);
    let offline = hosts(Uuid::nil(), Kind::HostDown, "Acme", "acme", &many, true);
    assert_eq!(offline.title, "No host answers");
    assert!(offline.body.starts_with("None of 20 hosts answers the panel: look at the panel's own network first."));
    let one = hosts(Uuid::nil(), Kind::HostDown, "Acme", "acme", &many[..1], false);
    assert_eq!((one.title.as_str(), one.body.as_str()), ("h1 does not answer", "no route"));
    assert!(one.path.starts_with("/t/acme/hosts/"), "{}", one.path);
}

#[test]
fn a_choice_of_projects_does_not_hide_hosts_and_an_empty_one_is_not_all() {
    let (ours, other) = (ProjectId(Uuid::from_u128(1)), ProjectId(Uuid::from_u128(2)));
    let wanted = |projects| Wanted { events: vec![Kind::DeployFailed, Kind::HostDown], projects };
    assert!(wanted(None).covers(Kind::DeployFailed, Some(ours)));
    assert!(wanted(Some(vec![ours])).covers(Kind::DeployFailed, Some(ours)));
    assert!(!wanted(Some(vec![ours])).covers(Kind::DeployFailed, Some(other)));
    assert!(!wanted(Some(vec![])).covers(Kind::DeployFailed, Some(other)), "its projects are gone");
    assert!(wanted(Some(vec![ours])).covers(Kind::HostDown, None));
    assert!(!wanted(None).covers(Kind::DeploySucceeded, Some(ours)));
}

#[test]
fn every_kind_that_is_offered_is_known_by_its_word() {
    for kind in Kind::OFFERED {
        assert_eq!(Kind::of_slug(kind.slug()), Some(kind));
        assert_eq!(serde_json::to_value(kind).unwrap(), kind.slug());
    }
    assert_eq!(Kind::of_slug("test"), None);
}

#[test]
fn a_certificate_that_is_well_again_is_good_news_and_one_of_a_persons_leads_to_where_it_is_uploaded() {
    let letter = |cause: &str, uploaded| {
        let told = Detail { domain: "shop.example.org".into(), cause: cause.into(), uploaded, ..Detail::default() };
        certificate(Uuid::nil(), "Acme", "acme", &told)
    };
    let bad = letter("It ran out. Upload a newer one.", true);
    assert_eq!((bad.tone(), bad.phase, bad.path.as_str()), (Tone::Bad, Some(Phase::Began), "/t/acme/certificates"));
    let bad = letter("Port 80 is closed.", false);
    assert_eq!((bad.tone(), bad.path.as_str()), (Tone::Bad, "/t/acme/certificates/automatic"));
    let good = letter("", false);
    assert_eq!(good.title, "The certificate of shop.example.org is well again");
    assert_eq!((good.tone(), good.phase), (Tone::Good, Some(Phase::Over)));
    let of_hosts = |kind| hosts(Uuid::nil(), kind, "Acme", "acme", &[], true);
    assert_eq!(of_hosts(Kind::HostDown).phase, Some(Phase::Began));
    assert_eq!((of_hosts(Kind::HostUp).phase, of_hosts(Kind::HostUp).tone()), (Some(Phase::Over), Tone::Good));
    // One that was written before letters said it is read all the same.
    let mut old = serde_json::to_value(&good).unwrap();
    old.as_object_mut().unwrap().remove("phase");
    assert_eq!(serde_json::from_value::<Letter>(old).unwrap().phase, None);
}
