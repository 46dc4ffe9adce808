//! Where an app runs: what is refused, what is kept, and what scaling asks for.

use skiff::actions::apps::{self, EditConfiguration, Pair, PlaceApp};
use skiff::actions::volumes::{self, NewVolume};
use skiff::actions::{Refused, audit, deploys};
use skiff::domain::deploy::Target;
use skiff::domain::ids::{AppId, HostId};
use skiff::domain::release::Place;
use skiff::domain::rights::Role;

use super::{conflict, fields};
use crate::harness::panel::{Panel, new_app};

fn form(places: &[(HostId, &str)]) -> PlaceApp {
    PlaceApp { places: places.iter().map(|(id, n)| Pair { name: id.to_string(), value: (*n).into() }).collect() }
}

async fn stored(panel: &Panel, app: AppId) -> (Vec<Place>, u16) {
    let (placement, instances): (sqlx::types::Json<Vec<Place>>, i32) =
        sqlx::query_as("select placement, (spec->>'instances')::int from apps where id = $1")
            .bind(app.0)
            .fetch_one(&mut panel.test.superuser().await)
            .await
            .unwrap();
    (placement.0, u16::try_from(instances).unwrap())
}

async fn app_on(panel: &Panel, host: HostId, name: &str) -> AppId {
    let form = apps::NewApp { host: host.to_string(), ..new_app(name) };
    apps::create(&panel.ctx, &panel.owner, form).await.unwrap()
}

fn sentence(refused: Result<(), Refused>) -> String {
    match refused {
        Err(Refused::Fields(wrong)) => wrong.into_iter().next().unwrap().sentence,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_app_is_placed_on_hosts_by_number_and_the_total_follows() {
    let panel = Panel::new().await;
    let (a, b) = (panel.host(&panel.owner, "fra-1").await, panel.host(&panel.owner, "hel-2").await);
    let app = app_on(&panel, a, "shop").await;
    apps::place(&panel.ctx, &panel.owner, app, form(&[(b, "2"), (a, " 1 ")])).await.unwrap();
    let on = |host, instances| Place { host, instances };
    assert_eq!(stored(&panel, app).await, (vec![on(a, 1), on(b, 2)], 3), "where it was stays first: it builds");
    let view = apps::get(&panel.ctx, &panel.owner, app).await.unwrap();
    let places: Vec<_> = view.places.iter().map(|place| (place.name.as_str(), place.instances)).collect();
    assert_eq!(places, [("fra-1", 1), ("hel-2", 2)]);

    // An edit of something else leaves the places alone; one number does not tell where.
    let said = |instances: &str| EditConfiguration {
        port: "8080".into(),
        instances: instances.into(),
        ..EditConfiguration::default()
    };
    apps::configure(&panel.ctx, &panel.owner, app, said("")).await.unwrap();
    assert_eq!(stored(&panel, app).await.0, [on(a, 1), on(b, 2)]);
    assert_eq!(fields(apps::configure(&panel.ctx, &panel.owner, app, said("5")).await), ["instances"]);

    apps::place(&panel.ctx, &panel.owner, app, form(&[(a, ""), (b, "4")])).await.unwrap();
    assert_eq!(stored(&panel, app).await, (vec![on(b, 4)], 4));
    apps::configure(&panel.ctx, &panel.owner, app, said("6")).await.unwrap();
    assert_eq!(stored(&panel, app).await, (vec![on(b, 6)], 6), "on one host one number tells it");
    let events = audit::list(&panel.ctx, &panel.owner, Default::default()).await;
    assert!(events.is_ok());
}

#[tokio::test]
async fn places_that_cannot_be_are_refused_in_words() {
    let panel = Panel::new().await;
    let (a, b) = (panel.host(&panel.owner, "fra-1").await, panel.host(&panel.owner, "hel-2").await);
    let stranger = panel.another_team().await;
    let theirs = panel.host(&stranger, "theirs").await;
    let new =
        skiff::actions::hosts::NewHost { name: "new".into(), address: "new.example.org".into(), ..Default::default() };
    let new = skiff::actions::hosts::create(&panel.ctx, &panel.owner, new).await.unwrap();
    let app = app_on(&panel, a, "shop").await;
    let place = async |places: &[(HostId, &str)]| apps::place(&panel.ctx, &panel.owner, app, form(places)).await;
    for wrong in ["65", "-1", "two", "1.5", "99999999999999999999", "1;id"] {
        assert!(sentence(place(&[(a, wrong)]).await).contains("Use a whole number from 0 to 64 for fra-1."), "{wrong}");
    }
    assert!(sentence(place(&[]).await).contains("at least one"));
    assert!(sentence(place(&[(a, "0"), (b, "0")]).await).contains("at least one"));
    assert!(sentence(place(&[(a, "40"), (b, "40")]).await).contains("at most 64 instances in all; these are 80"));
    assert!(sentence(place(&[(a, "1"), (a, "1")]).await).contains("twice"));
    assert!(sentence(place(&[(theirs, "1")]).await).contains("no such host"));
    assert!(sentence(place(&[(new, "1")]).await).contains("new is not ready yet"));

    // A volume is one host's.
    let volume = NewVolume { name: "data".into(), path: "/data".into() };
    let id = volumes::add(&panel.ctx, &panel.owner, app, volume).await.unwrap();
    assert!(sentence(place(&[(a, "1"), (b, "1")]).await).contains("the volume data, and each host would have"));
    place(&[(b, "1")]).await.expect("nothing is in it yet");
    sqlx::query("update ledger_volumes set host_id = $2 where id = $1")
        .bind(id.0)
        .bind(b.0)
        .execute(&mut panel.test.superuser().await)
        .await
        .unwrap();
    assert!(sentence(place(&[(a, "1")]).await).contains("The data of the volume data is on hel-2"));
    let other = app_on(&panel, a, "other").await;
    apps::place(&panel.ctx, &panel.owner, other, form(&[(a, "1"), (b, "1")])).await.unwrap();
    let volume = NewVolume { name: "data".into(), path: "/data".into() };
    assert_eq!(fields(volumes::add(&panel.ctx, &panel.owner, other, volume).await), ["name"]);
}

#[tokio::test]
async fn scaling_keeps_the_places_and_deploys_what_serves_and_nothing_else() {
    let panel = Panel::new().await;
    let (a, b) = (panel.host(&panel.owner, "fra-1").await, panel.host(&panel.owner, "hel-2").await);
    let app = app_on(&panel, a, "shop").await;
    let scale = async |by, n: &str| deploys::scale(&panel.ctx, by, app, form(&[(a, "1"), (b, n)])).await;
    assert!(conflict(scale(&panel.owner, "1").await).contains("never deployed"));
    assert_eq!(stored(&panel, app).await.0.len(), 1, "a refusal changes nothing");
    panel.deployed(&panel.owner, app).await;
    let viewer = panel.person(&panel.owner, Role::Viewer).await;
    assert!(matches!(scale(&viewer, "1").await, Err(Refused::Forbidden { .. })));
    let other = panel.another_team().await;
    assert!(matches!(scale(&other, "1").await, Err(Refused::NotFound)));

    let deploy = scale(&panel.owner, "2").await.unwrap();
    assert_eq!(stored(&panel, app).await.1, 3);
    let view = deploys::get(&panel.ctx, &panel.owner, deploy).await.unwrap();
    assert_eq!(view.line.target, Target::Scale { number: 1 });
    // While it waits, another number overtakes it.
    let newer = scale(&panel.owner, "4").await.unwrap();
    let older = deploys::get(&panel.ctx, &panel.owner, deploy).await.unwrap();
    assert_eq!(older.line.state, skiff::domain::deploy::DeployState::Superseded);
    panel.finish(&panel.owner, newer).await;
    assert!(apps::get(&panel.ctx, &panel.owner, app).await.unwrap().pending.is_empty());
}
