//! What goes wrong at an authority: what is said, and when it is tried again. Not here: many names at once (`hammer`).

use std::sync::Arc;

use skiff::actions::acme::{self, NewDnsAccount, OrderState, OrderView};
use skiff::actions::upkeep;
use skiff::domain::ids::{AcmeOrderId, DnsAccountId};

use super::names::NameServer;
use super::services::{Keepers, TOKEN};
use super::stand_in::{Answer, StandIn};
use super::{again, choose, one, order, order_by_dns, sql};
use crate::harness::postgres::fresh_database;
use crate::harness::world::{Ended, World};

/// A world with a DNS account at a stand-in of Cloudflare, whose records are seen.
pub struct Scene {
    /// The world.
    pub world: World,
    /// The account.
    pub account: DnsAccountId,
    _keepers: Keepers,
}

impl Scene {
    /// A world that gets its certificates there.
    pub async fn set(authority: &StandIn) -> Self {
        let names = Arc::new(NameServer::start().await);
        names.keeps("example.org", "ns1.example.org", "127.0.0.1");
        let keepers = Keepers::start(Some(Arc::clone(&names))).await;
        let mut world = World::idle(fresh_database().await).await;
        (world.ctx.names, world.ctx.dns) = (names.names(), keepers.services.clone());
        world.start_worker();
        choose(&world, &authority.directory, "").await;
        let form = NewDnsAccount {
            name: "cloud".into(),
            kind: "cloudflare".into(),
            token: TOKEN.into(),
            ..NewDnsAccount::default()
        };
        let account = acme::add_account(&world.actions(), &world.team.owner, form).await.unwrap();
        Self { world, account: account.id, _keepers: keepers }
    }
}

/// Minutes until it is tried again; none where a person has to ask.
fn minutes(view: &OrderView) -> Option<i64> {
    view.next_at.map(|at| (at - time::OffsetDateTime::now_utc()).whole_seconds().div_euclid(60) + 1)
}

/// The team's alerts: of which name, why, and whether they are open.
async fn told(world: &World) -> Vec<(String, String, bool)> {
    let sql = "select subject_name, cause, closed_at is null from alerts where kind = 'certificate' order by opened_at";
    sqlx::query_as(sql).fetch_all(&mut world.db.superuser().await).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_fault_is_said_and_tried_again_when_that_makes_sense() {
    let authority = StandIn::start(Answer::Html(503)).await;
    let Scene { world, account, _keepers } = Scene::set(&authority).await;
    let (id, job) = order_by_dns(&world, "a.example.org", account).await;
    let look = async |ended: Ended, words: &str, state: OrderState, wait: Option<i64>| {
        let view = order(&world).await;
        assert_eq!(ended.state, "failed", "{ended:#?}");
        assert_eq!((view.words.as_str(), view.state, minutes(&view)), (words, state, wait), "{ended:#?} {view:#?}");
        assert_eq!(view.trouble, ended.reason);
        ended.reason
    };
    let said = look(world.over(job).await, "the authority does not answer", OrderState::Waiting, Some(15)).await;
    assert!(said.contains("127.0.0.1 does not answer as it should: status 503"), "{said}");

    authority.answers(Answer::Problem(429, "rateLimited", "too many certificates (5) already issued", Some("7200")));
    let said = look(again(&world, id).await, "rate limited", OrderState::Waiting, Some(120)).await;
    assert!(
        said.contains("too many certificates (5) already issued") && said.contains("nothing is to be done"),
        "{said}"
    );

    assert!(told(&world).await.is_empty(), "twice in vain is no news yet");
    authority.answers(Answer::Problem(429, "rateLimited", "paused; visit https://ca.example/unpause", None));
    let said = look(again(&world, id).await, "paused: needs you", OrderState::NeedsYou, None).await;
    assert!(said.contains("https://ca.example/unpause") && said.contains("Get one now"), "{said}");
    let news = told(&world).await;
    assert!(matches!(&news[..], [(name, cause, true)] if name == "a.example.org" && *cause == said), "{news:?}");
    // Nothing happens by itself any more.
    let before = authority.orders()["a.example.org"];
    sql(&world, "update acme_turns set due_at = now() - interval '1 day'").await;
    assert_eq!(upkeep::certificates_due(&world.actions()).await.unwrap(), 0);
    assert_eq!(authority.orders()["a.example.org"], before);

    authority.answers(Answer::Problem(403, "userActionRequired", "the terms have changed", None));
    look(again(&world, id).await, "the account is not accepted", OrderState::NeedsYou, None).await;

    authority.answers(Answer::Problem(400, "rejectedIdentifier", "example.org is on a list", None));
    look(again(&world, id).await, "refused", OrderState::Waiting, Some(24 * 60)).await;

    authority.answers(Answer::ProofFails("caa", "CAA record for a.example.org prevents issuance"));
    let said = look(again(&world, id).await, "CAA records forbid it", OrderState::Waiting, Some(24 * 60)).await;
    assert!(said.contains("Add a CAA record that names the authority"), "{said}");

    // An authority that is not there at all.
    sql(&world, "update acme_settings set directory = 'http://127.0.0.1:9/dir'; update acme_orders set tries = 0")
        .await;
    let said = look(again(&world, id).await, "the authority does not answer", OrderState::Waiting, Some(15)).await;
    assert!(said.contains("Connection refused") && said.contains("goes on serving"), "{said}");
    let now = told(&world).await;
    assert!(
        matches!(&now[..], [(_, cause, true)] if cause.contains("CAA")),
        "one trouble, and its latest cause: {now:?}"
    );
    acme::remove(&world.actions(), &world.team.owner, id).await.unwrap();
    assert!(!told(&world).await[0].2, "nobody wants it any more");
    world.quiet().await;
}

/// Gives an order for this name a certificate that it got yesterday, from an authority that can be named.
pub async fn got_earlier(world: &World, order: AcmeOrderId, name: &str) {
    let issuer = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(vec!["Test CA".to_owned()]).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let issuer = rcgen::Issuer::new(params, issuer);
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.use_authority_key_identifier_extension = true;
    let now = time::OffsetDateTime::now_utc();
    (params.not_before, params.not_after) = (now - time::Duration::days(1), now + time::Duration::days(89));
    let leaf = params.signed_by(&key, &issuer).unwrap();
    let key = skiff::domain::secret::Secret::new(key.serialize_pem());
    let checked = skiff::domain::certificate::read(&leaf.pem(), &key, now).unwrap();
    let (id, version) = (skiff::domain::ids::CertificateId(uuid::Uuid::now_v7()), uuid::Uuid::now_v7());
    let place = skiff::vault::Context::certificate(world.team.id, version);
    let permit = &world.team.permit;
    let mut tx = world.db.begin(permit).await.unwrap();
    let data_key = skiff::db::host_logins::data_key(&mut tx, permit).await.unwrap();
    let sealed = world.vault.seal(&data_key, &place, checked.pem.expose().as_bytes()).unwrap();
    skiff::db::certificates::insert(&mut tx, permit, id, skiff::domain::certificate::Origin::Acme).await.unwrap();
    skiff::db::certificates::add_version(&mut tx, permit, id, version, &checked.facts, &sealed).await.unwrap();
    let valid = (checked.facts.not_before, checked.facts.not_after);
    let by_life = skiff::domain::acme::renew_at(order.0, valid.0, valid.1, None);
    skiff::db::acme_orders::note_got(&mut tx, permit, order, id, valid, by_life).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_named_as_replaced_and_asked_for_without_that_word_only_where_it_is_in_the_way() {
    let authority = StandIn::start(Answer::Html(503)).await;
    let Scene { world, account, _keepers } = Scene::set(&authority).await;
    let (id, job) = order_by_dns(&world, "a.example.org", account).await;
    world.over(job).await;
    got_earlier(&world, id, "a.example.org").await;
    for (answer, named) in [
        (Answer::Problem(429, "rateLimited", "too many new orders", Some("3600")), &[true][..]),
        (Answer::Problem(429, "somethingNew", "slow down", None), &[true]),
        (Answer::Html(503), &[true]),
        (Answer::Problem(500, "serverInternal", "out of order", None), &[true]),
        (Answer::Problem(400, "rejectedIdentifier", "example.org is on a list", None), &[true]),
        (Answer::Problem(409, "alreadyReplaced", "it was replaced already", None), &[true, false]),
        (Answer::Problem(409, "conflict", "it was replaced already", None), &[true, false]),
        (Answer::Problem(404, "malformed", "no such certificate", None), &[true, false]),
        (Answer::Problem(403, "unauthorized", "it is of another account", None), &[true, false]),
    ] {
        authority.answers(answer.clone());
        authority.replaced();
        assert_eq!(again(&world, id).await.state, "failed");
        assert_eq!(authority.replaced(), named, "{answer:?}");
    }
    world.quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_told_of_another_address_and_a_refusal_is_in_no_certificates_way() {
    let authority = StandIn::start(Answer::Html(503)).await;
    let Scene { world, account, _keepers } = Scene::set(&authority).await;
    let (id, job) = order_by_dns(&world, "a.example.org", account).await;
    world.over(job).await;
    assert_eq!(authority.contacts(), [["mailto:ada@example.org"]], "as it was made");
    sql(&world, "update acme_settings set email = 'eve@example.org'").await;
    authority.refuses_contacts(true);
    let before = authority.orders()["a.example.org"];
    for tries in 1..3 {
        let ended = again(&world, id).await;
        assert!(ended.steps[0].contains("it did not take the e-mail address of the account"), "{ended:#?}");
        assert!(ended.log.contains("The authority did not take the e-mail address"), "{ended:#?}");
        assert_eq!(authority.orders()["a.example.org"], before + tries, "it is asked for all the same");
    }
    authority.refuses_contacts(false);
    again(&world, id).await;
    again(&world, id).await;
    let eve = || vec!["mailto:eve@example.org".to_owned()];
    assert_eq!(authority.contacts(), [vec!["mailto:ada@example.org".to_owned()], eve(), eve(), eve()], "told once");
    // Nobody, from now on; and one of before, of whom it is not known what was told.
    sql(&world, "update acme_settings set email = ''").await;
    again(&world, id).await;
    assert_eq!(authority.contacts().pop(), Some(Vec::new()));
    sql(&world, "update acme_accounts set contact = null").await;
    again(&world, id).await;
    assert_eq!(authority.contacts().len(), 6);
    world.quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wish_for_the_time_of_renewal_is_followed() {
    let authority = StandIn::start(Answer::Html(503)).await;
    let Scene { world, account, _keepers } = Scene::set(&authority).await;
    let (id, job) = order_by_dns(&world, "a.example.org", account).await;
    world.over(job).await;

    got_earlier(&world, id, "a.example.org").await;
    let now = time::OffsetDateTime::now_utc();
    assert!(order(&world).await.next_at.unwrap() > now + time::Duration::days(50));

    let look = async || {
        sql(&world, "update teams set acme_at = now()").await;
        upkeep::certificates_looked_after(&world.actions()).await.unwrap();
        while one::<i64>(&world, "select count(*) from jobs where finished_at is null").await > 0 {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        order(&world).await.next_at.unwrap()
    };
    assert!(look().await > now + time::Duration::days(50), "it has no wish");
    authority.wants("2026-01-02T00:00:00Z", "2026-01-03T00:00:00Z");
    let next = look().await;
    assert!(
        next >= time::macros::datetime!(2026-01-02 0:00 UTC) && next <= time::macros::datetime!(2026-01-03 0:00 UTC),
        "{next}"
    );
    assert_eq!(upkeep::certificates_due(&world.actions()).await.unwrap(), 1, "it is renewed at once");
    while one::<i64>(&world, "select count(*) from jobs where finished_at is null").await > 0 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    // It could not be: what was got goes on serving, and that is said.
    let view = order(&world).await;
    assert_eq!(
        (view.state, view.words.as_str()),
        (OrderState::NotRenewed, "valid 88 days, not renewed: the authority does not answer")
    );
    world.quiet().await;
}

/// Somebody who shows a certificate that is valid then, and says nothing. Gives its directory and its root.
async fn shows(from: time::Duration, to: time::Duration) -> (String, String) {
    let now = time::OffsetDateTime::now_utc();
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    (params.not_before, params.not_after) = (now + from, now + to);
    let own = params.self_signed(&key).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![own.der().clone()], key.serialize_der().try_into().unwrap())
        .unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let directory = format!("https://{}/dir", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
        while let Ok((stream, _)) = listener.accept().await {
            let _ = acceptor.accept(stream).await;
        }
    });
    (directory, own.pem())
}

#[tokio::test]
async fn a_wrong_clock_and_an_unknown_authority_are_told_from_one_that_is_away() {
    use skiff::providers::acme::Authority;
    let days = time::Duration::days;
    let said = async |(directory, root): (String, String)| {
        let Err(trouble) = Authority::new(&directory, &root).unwrap().register("", None).await else {
            panic!("registered")
        };
        trouble.brief()
    };
    assert_eq!(said(shows(days(-9), days(-1)).await).await, "the clock is wrong");
    assert_eq!(said(shows(days(1), days(9)).await).await, "the clock is wrong");
    let (directory, _) = shows(days(-1), days(9)).await;
    assert_eq!(said((directory, String::new())).await, "the authority is not trusted");
    assert_eq!(
        said(shows(days(-1), days(9)).await).await,
        "the authority does not answer",
        "it speaks, and says nothing"
    );
    assert_eq!(said(("https://127.0.0.1:9/dir".into(), String::new())).await, "the authority does not answer");
    assert!(Authority::new("https://ca.example/dir", "no certificate at all").is_ok(), "a text without one adds none");
}
