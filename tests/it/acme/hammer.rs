//! Many names at once at an authority that does not give: proofs that fail, names that it cannot look up, a rate limit, a pause. Nobody is
//! asked for more than the back-off allows, a pause is a person's, and what was got before goes on being what is served.

use std::collections::BTreeMap;

use skiff::actions::acme::{self, OrderState, OrderView};
use skiff::actions::{Refused, upkeep};
use skiff::domain::acme::{Again, Trouble, again as by_the_rules};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::faults::{Scene, got_earlier};
use super::http::settle;
use super::stand_in::{Answer, StandIn};
use super::{again, one, order_by_dns, sql};
use crate::harness::postgres::TestDb;
use crate::harness::world::World;

/// Proofs of which the authority says this, and how that is shown: a wrong record, and a domain whose name servers do not answer.
const NOT_PROVEN: [&str; 3] = ["unauthorized", "Incorrect TXT record", "the proof was not accepted"];
const NOT_LOOKED_UP: [&str; 3] = ["dns", "SERVFAIL looking up TXT", "the authority cannot look it up"];
/// How a pause is said: as a rate limit, with the page on which it ends.
const PAUSED: Answer = Answer::Problem(429, "rateLimited", "paused; visit https://ca.example/unpause", Some("7200"));
/// When a limited authority wants to be asked again, as it says it.
const LATER: &str = "7200";
/// Whenever the clock comes round, so much has passed for the orders.
const ROUND: Duration = Duration::minutes(30);
/// So often: twelve hours.
const ROUNDS: i32 = 24;

#[tokio::test(flavor = "multi_thread")]
async fn an_authority_is_never_asked_too_often_whatever_fails() {
    hammer(12, NOT_PROVEN).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_an_authority_cannot_look_up_are_not_asked_for_too_often() {
    hammer(12, NOT_LOOKED_UP).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authority_that_limits_is_left_alone_for_as_long_as_it_says() {
    limited(12).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_is_shown_as_a_persons_and_never_asked_away_by_the_clock() {
    paused(12).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a hundred names each: bin/test t40_acme"]
async fn t40_acme() {
    hammer(100, NOT_PROVEN).await;
    hammer(100, NOT_LOOKED_UP).await;
    limited(100).await;
    paused(100).await;
}

fn name(n: usize) -> String {
    format!("n{n}.example.org")
}

/// Whether a name has a certificate of before: every third one.
fn has_one(n: usize) -> bool {
    n % 3 == 1
}

/// So many names that were each asked for once and not had, some of which got theirs yesterday. What those serve.
async fn many(Scene { world, account, .. }: &Scene, count: usize) -> Vec<Served> {
    for n in 0..count {
        let (id, job) = order_by_dns(world, &name(n), *account).await;
        world.over(job).await;
        if has_one(n) {
            got_earlier(world, id, &name(n)).await;
        }
    }
    let serving = served(&world.db).await;
    assert_eq!(serving.len(), (0..count).filter(|n| has_one(*n)).count());
    serving
}

/// A name, the version of its certificate that is served, and what that is: valid, and still the one of its order.
type Served = (String, Uuid, String, String);

async fn served(db: &TestDb) -> Vec<Served> {
    let sql = "select o.names[1], v.id, v.fingerprint, md5(v.sealed) from acme_orders o
                 join certificates c on c.team_id = o.team_id and c.id = o.certificate_id
                 join certificate_versions v on v.team_id = c.team_id and v.id = c.current_id
                where v.not_after > now() order by 1";
    sqlx::query_as(sql).fetch_all(&mut db.superuser().await).await.unwrap()
}

/// How each of the names is shown, all of them on one page.
async fn shown(world: &World, count: usize) -> BTreeMap<String, OrderView> {
    let all = acme::list(&world.actions(), &world.team.owner).await.unwrap();
    assert_eq!(all.len(), count);
    all.into_iter().map(|view| (view.names[0].clone(), view)).collect()
}

/// The clock comes round until nothing is due, and all that it asked for ends.
async fn clock(world: &World) {
    while upkeep::certificates_due(&world.actions()).await.unwrap() > 0 {}
    settle(world).await;
}

/// For the orders time goes on; those that wait for a person have nothing to wait for.
async fn goes_on(world: &World, by: Duration) {
    let seconds = by.whole_seconds();
    sql(world, &format!("update acme_orders set next_at = next_at - interval '{seconds} s'")).await;
}

/// The time of all of them has come.
async fn all_due(world: &World) {
    sql(world, "update acme_orders set next_at = now(), tries = 0").await;
}

/// So many names whose proofs fail, a clock that asks again and again, and a person that asks for each.
async fn hammer(count: usize, [kind, detail, words]: [&'static str; 3]) {
    let authority = StandIn::start(Answer::ProofFails(kind, detail)).await;
    let scene = Scene::set(&authority).await;
    let world = &scene.world;
    let serving = many(&scene, count).await;
    for _ in 0..6 {
        // The pause is over, the clock comes round.
        sql(world, "update acme_orders set next_at = now()").await;
        clock(world).await;
    }
    let asked = authority.orders();
    for n in 0..count {
        assert_eq!(asked[&name(n)], 3, "{}, {kind}: three failures within the hour, and no more", name(n));
    }
    let views = shown(world, count).await;
    let (ctx, owner) = (world.actions(), &world.team.owner);
    for n in 0..count {
        let view = &views[&name(n)];
        let refused = acme::get_now(&ctx, owner, view.id).await.unwrap_err();
        assert!(matches!(&refused, Refused::TooOften(why) if why.contains("Ask again in")), "{refused}");
        let (state, said) = match has_one(n) {
            true => (OrderState::NotRenewed, format!("valid 88 days, not renewed: {words}")),
            false => (OrderState::Waiting, words.to_owned()),
        };
        assert_eq!((view.state, &view.words), (state, &said), "{view:?}");
    }
    assert_eq!(served(&world.db).await, serving, "what was got goes on being served");
    scene.world.quiet().await;
}

/// How often a name may be asked for in the rounds of the clock, by the rules: at once, and whenever a pause is over.
fn allowed() -> usize {
    let now = OffsetDateTime::now_utc();
    let until = Some(now + Duration::seconds(LATER.parse().unwrap()));
    let limited = Trouble::RateLimited { until, detail: String::new(), shared: false };
    let (mut asked, mut next) = (0, Duration::ZERO);
    for at in (0..=ROUNDS).map(|round| ROUND * round) {
        if next <= at {
            asked += 1;
            let Again::After(pause) = by_the_rules(&limited, asked, now) else { panic!("nobody needs to be asked") };
            next = at + pause;
        }
    }
    usize::try_from(asked).unwrap()
}

/// So many names that the authority takes no order for at the moment, while the clock comes round for half a day.
async fn limited(count: usize) {
    let authority = StandIn::start(Answer::Html(503)).await;
    let scene = Scene::set(&authority).await;
    let world = &scene.world;
    let serving = many(&scene, count).await;
    let before = authority.orders();
    authority.answers(Answer::Problem(429, "rateLimited", "too many new orders", Some(LATER)));
    all_due(world).await;
    clock(world).await;
    for _ in 0..ROUNDS {
        goes_on(world, ROUND).await;
        clock(world).await;
    }
    assert_eq!(allowed(), 4, "at once, two hours later, two more, six more");
    let (asked, views) = (authority.orders(), shown(world, count).await);
    for n in 0..count {
        assert_eq!(asked[&name(n)] - before[&name(n)], allowed(), "{}: as often as the back-off allows", name(n));
        let view = &views[&name(n)];
        let (state, said) = match has_one(n) {
            true => (OrderState::NotRenewed, "valid 88 days, not renewed: rate limited"),
            false => (OrderState::Waiting, "rate limited"),
        };
        assert_eq!((view.state, view.words.as_str()), (state, said), "{view:?}");
        assert!(view.next_at.is_some() && view.trouble.contains("too many new orders"), "{view:?}");
    }
    assert_eq!(served(&world.db).await, serving, "what was got goes on being served");
    scene.world.quiet().await;
}

/// So many names that the authority has paused: each is asked for once, and then by a person only.
async fn paused(count: usize) {
    let authority = StandIn::start(Answer::Html(503)).await;
    let scene = Scene::set(&authority).await;
    let world = &scene.world;
    let serving = many(&scene, count).await;
    let before = authority.orders();
    authority.answers(PAUSED);
    all_due(world).await;
    clock(world).await;
    for _ in 0..ROUNDS {
        goes_on(world, Duration::days(1)).await;
        assert_eq!(upkeep::certificates_due(&world.actions()).await.unwrap(), 0, "nothing has a time");
        // What looks after the team's certificates four times a day asks for none either.
        sql(world, "update teams set acme_at = now()").await;
        upkeep::certificates_looked_after(&world.actions()).await.unwrap();
        clock(world).await;
    }
    let views = shown(world, count).await;
    let asked = |orders: &BTreeMap<String, usize>, n: usize| orders[&name(n)] - before[&name(n)];
    let orders = authority.orders();
    for n in 0..count {
        assert_eq!(asked(&orders, n), 1, "{}: once, and not again", name(n));
        let view = &views[&name(n)];
        assert_eq!((view.state, view.words.as_str()), (OrderState::NeedsYou, "paused: needs you"), "{view:?}");
        assert_eq!((view.next_at, view.not_after.is_some()), (None, has_one(n)), "{view:?}");
        assert!(
            view.trouble.contains("https://ca.example/unpause") && view.trouble.contains("Get one now"),
            "{view:?}"
        );
    }
    let told = "select count(distinct subject_name) from alerts
                 where kind = 'certificate' and stage = 'person' and closed_at is null";
    assert_eq!(one::<i64>(world, told).await, i64::try_from(count).unwrap(), "a person is told of each");

    // A person asks for one of them: it alone is asked for, once, and waits for a person again.
    assert_eq!(again(world, views[&name(1)].id).await.state, "failed");
    goes_on(world, Duration::days(1)).await;
    clock(world).await;
    let orders = authority.orders();
    for n in 0..count {
        assert_eq!(asked(&orders, n), if n == 1 { 2 } else { 1 }, "{}", name(n));
    }
    assert_eq!(shown(world, count).await[&name(1)].state, OrderState::NeedsYou);
    assert_eq!(served(&world.db).await, serving, "what was got goes on being served");
    scene.world.quiet().await;
}
