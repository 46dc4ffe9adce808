//! Certificates for the same names on one real host: each name is served by the one that is chosen for it, whatever their keys, and by
//! another before that one ends.

use std::time::Duration;

use skiff::actions::apps::NewRoute;
use skiff::actions::certificates::{self, NewCertificate};
use skiff::actions::routes::{self, EditRules};
use skiff::actions::upkeep;
use skiff::domain::ids::JobId;
use time::OffsetDateTime;

use super::certificates::{IMAGE, address, again, ready, settled, upload};
use crate::harness::tls::{Authority, Made, trusting};
use crate::harness::visitors::{Visitors, Way};
use crate::harness::world::{World, ask};

/// Before its end a certificate hands over.
const BEFORE: time::Duration = skiff::domain::certificate::HAND_OVER;

/// When the team's certificates are looked after next.
async fn due(world: &World) -> OffsetDateTime {
    let due = sqlx::query_scalar("select acme_at from teams where id = $1").bind(world.team.id.0);
    due.fetch_one(&mut world.db.superuser().await).await.unwrap()
}

/// Looks after them, as the clock has it. How many jobs brought certificates after that.
async fn looked_after(world: &World) -> i64 {
    let mut conn = world.db.superuser().await;
    sqlx::query("update teams set acme_at = now() where id = $1")
        .bind(world.team.id.0)
        .execute(&mut conn)
        .await
        .unwrap();
    let count = "select count(*) from jobs where kind = $1";
    let before: i64 = sqlx::query_scalar(count).bind("set_certificates").fetch_one(&mut conn).await.unwrap();
    assert_eq!(upkeep::certificates_looked_after(&world.actions()).await.unwrap(), 1);
    let job = "select id from jobs where kind = 'look_after_certificates' order by created_at desc limit 1";
    let job: uuid::Uuid = sqlx::query_scalar(job).fetch_one(&mut conn).await.unwrap();
    assert_eq!(world.over(JobId(job)).await.state, "succeeded");
    let after: i64 = sqlx::query_scalar(count).bind("set_certificates").fetch_one(&mut conn).await.unwrap();
    after - before
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_follows_what_ended_since_the_one_before_and_no_other() {
    let (_host, world, _) = ready().await;
    let authority = Authority::new("Test Authority");
    let Made { chain, key, .. } = authority.issue(&["shop.test"], 90);
    let uploaded = certificates::upload(&world.actions(), &world.team.owner, NewCertificate { chain, key }).await;
    let certificate = uploaded.unwrap().id;
    assert_eq!(looked_after(&world).await, 0, "nothing ended");
    assert!(due(&world).await - OffsetDateTime::now_utc() > time::Duration::hours(5));
    // Its end comes nearer: it is waited for, first for the hand-over and then for the end.
    let mut conn = world.db.superuser().await;
    let mut ends = async |moment: &str| {
        let text = "update certificate_versions set not_after = now() + $2::text::interval where certificate_id = $1 returning not_after";
        let ends = sqlx::query_scalar::<_, OffsetDateTime>(text).bind(certificate.0).bind(moment);
        ends.fetch_one(&mut conn).await.unwrap()
    };
    let end = ends("2 hours").await;
    assert_eq!(looked_after(&world).await, 0, "not yet");
    assert_eq!(due(&world).await, end - BEFORE);
    let end = ends("4 minutes").await;
    sqlx::query("update teams set certificates_seen_at = now() - interval '9 days'")
        .execute(&mut world.db.superuser().await)
        .await
        .unwrap();
    assert_eq!(looked_after(&world).await, 1, "it handed over, though nobody looked for days");
    assert_eq!(due(&world).await, end);
    assert_eq!(looked_after(&world).await, 0, "that is done");
    ends("-1 second").await;
    sqlx::query("update teams set certificates_seen_at = now() - interval '1 minute'")
        .execute(&mut world.db.superuser().await)
        .await
        .unwrap();
    assert_eq!(looked_after(&world).await, 1, "it ended");
    world.quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_is_taken_from_none_whose_successor_the_proxy_does_not_take_and_others_go_on() {
    let (host, world, id) = ready().await;
    let app = world.app(id, IMAGE, "x.wild.test").await;
    app.must_deploy().await;
    let (ctx, owner) = (world.actions(), &world.team.owner);
    for domain in ["y.wild.test", "a.test", "b.test", "c.test", "new.test"] {
        let input = NewRoute { domain: domain.into(), path: "/".into() };
        let job = routes::add(&ctx, owner, app.id, input, EditRules::default()).await.unwrap().job.unwrap();
        assert_eq!(world.over(job).await.state, "succeeded");
    }
    let authority = Authority::new("Test Authority");
    let star = authority.issue(&["*.wild.test"], 90);
    let own = authority.issue(&["x.wild.test"], 30);
    let (first, second) = (authority.issue(&["a.test", "b.test"], 30), authority.issue(&["a.test", "c.test"], 90));
    let star_id = upload(&world, &star).await;
    let own_id = upload(&world, &own).await;
    upload(&world, &first).await;
    let second_id = upload(&world, &second).await;
    let at = address(&host);
    let shown = async |name: &str| authority.get(at, 443, name, "/").await.map(|answer| answer.served);
    let all = async |wanted: [(&str, &Made); 5]| {
        for (name, made) in wanted {
            assert!(shown(name).await.as_ref() == Ok(&made.der), "{name}: {:?}", shown(name).await.is_ok());
        }
    };
    all([("x.wild.test", &own), ("y.wild.test", &star), ("a.test", &second), ("b.test", &first), ("c.test", &second)])
        .await;

    // Somebody's change is open: what is new is not taken. A successor of the second is among it; the star takes over from the one that goes.
    let other = authority.issue(&["z.test"], 30);
    std::fs::write(host.path("/tmp/foreign.pem"), format!("{}{}", other.chain, other.key)).unwrap();
    let socket = "socat - UNIX-CONNECT:/run/skiff/haproxy.sock";
    let say = async |text: String| host.enter(&["/bin/bash", "-c", &text]).await.must("said");
    say(format!("echo 'new ssl cert /etc/skiff/own.pem' | {socket}")).await;
    let begin = format!("{{ echo 'set ssl cert /etc/skiff/own.pem <<'; cat /tmp/foreign.pem; echo; }} | {socket}");
    assert!(say(begin).await.contains("Transaction created"));
    let third = authority.issue(&["a.test", "b.test", "c.test"], 200);
    certificates::upload(&ctx, owner, NewCertificate { chain: third.chain.clone(), key: third.key.clone() })
        .await
        .unwrap();
    let new = authority.issue(&["new.test"], 90);
    certificates::upload(&ctx, owner, NewCertificate { chain: new.chain.clone(), key: new.key.clone() }).await.unwrap();
    certificates::remove(&ctx, owner, own_id).await.unwrap();
    certificates::remove(&ctx, owner, second_id).await.unwrap();
    app.must_deploy().await;
    // Nobody is without an answer: what goes stays until its successor is served, as long as it is not known to have none of those names.
    all([("x.wild.test", &own), ("y.wild.test", &star), ("a.test", &second), ("b.test", &first), ("c.test", &second)])
        .await;
    let listed = say(format!("echo 'show ssl crt-list -n /etc/skiff/certs/list' | {socket}")).await;
    let of_star: Vec<&str> = listed.lines().filter(|line| line.contains(&star_id.simple().to_string())).collect();
    assert!(of_star.len() == 1 && !of_star[0].contains(' '), "the star took over: {listed}");
    // Nor is anybody led to a name that no certificate is served for yet, by this proxy or, once it was tried, by the next.
    let led = async || host.enter(&["cat", "/etc/skiff/maps/https.map"]).await.must("cat").contains("new.test");
    let tried = async {
        while led().await {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(40), tried).await.expect("it is not led there");
    assert_eq!(ask(&host, "new.test", "/").await.0, 200);
    say(format!("echo 'abort ssl cert /etc/skiff/own.pem' | {socket}")).await;
    let done = async {
        while shown("a.test").await.as_ref() != Ok(&third.der) {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(40), done).await.expect("it is brought by itself");
    settled(&world).await;
    all([("x.wild.test", &star), ("y.wild.test", &star), ("a.test", &third), ("b.test", &third), ("c.test", &third)])
        .await;
    assert!(led().await);
    assert_eq!(shown("new.test").await.as_ref(), Ok(&new.der));
    let files = host.enter(&["ls", "/etc/skiff/certs"]).await.must("ls");
    assert_eq!(files.lines().count(), 4, "{files}");
    world.quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_of_two_certificates_is_handed_over_before_one_ends() {
    let (host, world, id) = ready().await;
    let app = world.app(id, IMAGE, "a.wild.test").await;
    app.must_deploy().await;
    let (ctx, owner) = (world.actions(), &world.team.owner);
    for domain in ["c.wild.test", "b.test"] {
        let input = NewRoute { domain: domain.into(), path: "/".into() };
        let job = routes::add(&ctx, owner, app.id, input, EditRules::default()).await.unwrap().job.unwrap();
        assert_eq!(world.over(job).await.state, "succeeded");
    }
    let authority = Authority::new("Test Authority");
    let star = authority.issue(&["*.wild.test"], 90);
    let star_id = upload(&world, &star).await;
    // What is looked after at the start is over with.
    assert_eq!(upkeep::certificates_looked_after(&ctx).await.unwrap(), 1);

    let own = authority.issue_rsa(&["a.wild.test", "b.test"], BEFORE + time::Duration::seconds(20));
    let own_id = upload(&world, &own).await;
    let at = address(&host);
    let shown = async |wanted: [(&str, &Made); 3]| {
        for (name, made) in wanted {
            assert!(authority.get(at, 443, name, "/").await.unwrap().served == made.der, "{name}");
        }
    };
    shown([("a.wild.test", &own), ("b.test", &own), ("c.wild.test", &star)]).await;
    let list = || async { host.enter(&["cat", "/etc/skiff/certs/list"]).await.must("cat") };
    let [star_file, own_file] = [star_id, own_id].map(|id| format!("/etc/skiff/certs/{}.pem", id.simple()));
    assert_eq!(list().await, format!("{star_file} !a.wild.test *.wild.test\n{own_file}\n"));
    let elsewhere = async |id| certificates::get(&ctx, owner, id).await.unwrap().elsewhere;
    assert_eq!((elsewhere(star_id).await, elsewhere(own_id).await), (vec!["a.wild.test".to_owned()], vec![]));
    let ended = again(&world, id).await;
    assert!(ended.steps.iter().all(|step| step.contains(": unchanged")), "{ended:#?}");
    let due = due(&world).await;
    assert!(due - OffsetDateTime::now_utc() < time::Duration::seconds(20), "{due}");

    // The clock asks again and again; visitors meet nothing of it.
    let way = Way { at: (at, 443).into(), trust: trusting(&authority.pem) };
    let visitors = Visitors::start(&way, vec!["a.wild.test".to_owned()], 20, 2).await;
    let looked = async {
        while upkeep::certificates_looked_after(&ctx).await.unwrap() == 0 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(40), looked).await.expect("it is looked after when it hands over");
    let handed = async {
        while list().await != format!("{star_file}\n{own_file} b.test\n") {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), handed).await.expect("it hands over");
    let ended = settled(&world).await;
    assert!(ended.steps[1].contains("served for other names than before"), "{ended:#?}");
    shown([("a.wild.test", &star), ("b.test", &own), ("c.wild.test", &star)]).await;
    assert_eq!((elsewhere(star_id).await, elsewhere(own_id).await), (vec![], vec!["a.wild.test".to_owned()]));
    let seen = visitors.end().await;
    assert!(seen.failures.is_empty() && seen.answers > 20 && seen.echoes > 0, "{:#?}", seen.failures);
    world.quiet().await;
}
