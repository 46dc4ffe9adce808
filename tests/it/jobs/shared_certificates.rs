//! Certificates for the same names on one real host: each name is served by the one that is chosen for it, whatever their keys, and by
//! another before that one ends.

use std::time::Duration;

use skiff::actions::apps::NewRoute;
use skiff::actions::certificates;
use skiff::actions::routes::{self, EditRules};
use skiff::actions::upkeep;
use time::OffsetDateTime;

use super::certificates::{IMAGE, address, again, ready, settled, upload};
use crate::harness::tls::{Authority, Made, trusting};
use crate::harness::visitors::{Visitors, Way};

/// Before its end a certificate hands over.
const BEFORE: time::Duration = skiff::domain::certificate::HAND_OVER;

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
    let (mut conn, at) = (world.db.superuser().await, address(&host));
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
    let due: OffsetDateTime = sqlx::query_scalar("select acme_at from teams where id = $1")
        .bind(world.team.id.0)
        .fetch_one(&mut conn)
        .await
        .unwrap();
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
