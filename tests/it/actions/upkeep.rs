//! What Skiff asks of itself by the clock.

use skiff::actions::{hosts, setup, upkeep};

use crate::harness::panel::{Panel, set_up, token, unowned};

#[tokio::test]
async fn each_team_is_tidied_once_a_day_however_many_ask() {
    let (test, ctx, _key) = unowned().await;
    setup::create_owner(&ctx, "", set_up(&token(&ctx).await)).await.unwrap();
    let mut conn = test.superuser().await;
    assert_eq!(upkeep::tidy_due(&ctx).await.unwrap(), 0, "a new team has nothing old");
    sqlx::query("update teams set tidy_at = now() - interval '1 s'").execute(&mut conn).await.unwrap();
    let asked = futures_util::future::join_all((0..8).map(|_| upkeep::tidy_due(&ctx))).await;
    let asked: usize = asked.into_iter().map(Result::unwrap).sum();
    let jobs: i64 =
        sqlx::query_scalar("select count(*) from jobs where kind = 'tidy'").fetch_one(&mut conn).await.unwrap();
    assert_eq!((asked as i64, jobs), (1, 1));
}

#[tokio::test]
async fn each_host_is_checked_once_a_day_however_many_ask_and_not_while_it_is_made_ready() {
    let panel = Panel::new().await;
    let other = panel.another_team().await;
    let (ctx, mut conn) = (&panel.ctx, panel.test.superuser().await);
    panel.host(&panel.owner, "fra-1").await;
    panel.host(&other, "ams-1").await;
    let busy = panel.host(&panel.owner, "hel-1").await;
    hosts::provision(ctx, &panel.owner, busy).await.unwrap();
    let form = hosts::NewHost { name: "new".into(), address: "new.example.org".into(), ..Default::default() };
    hosts::create(ctx, &panel.owner, form).await.unwrap();
    sqlx::query("update host_sights set check_at = now() + interval '1 h'").execute(&mut conn).await.unwrap();
    assert_eq!(upkeep::checks_due(ctx).await.unwrap(), 0, "nobody's turn");
    sqlx::query("update host_sights set check_at = now() - interval '1 s'").execute(&mut conn).await.unwrap();
    let asked = futures_util::future::join_all((0..8).map(|_| upkeep::checks_due(ctx))).await;
    let asked: usize = asked.into_iter().map(Result::unwrap).sum();
    let jobs: Vec<(String, String)> = sqlx::query_as(
        "select j.title, h.name from jobs j join hosts h on h.team_id = j.team_id and h.id = j.host_id where j.kind = 'check_host' order by 2",
    )
    .fetch_all(&mut conn)
    .await
    .unwrap();
    let jobs: Vec<(&str, &str)> = jobs.iter().map(|(title, name)| (title.as_str(), name.as_str())).collect();
    assert_eq!((asked, jobs.as_slice()), (2, [("Check ams-1", "ams-1"), ("Check fra-1", "fra-1")].as_slice()));
    let soon: bool = sqlx::query_scalar("select check_at < now() + interval '2 h' from host_sights where host_id = $1")
        .bind(busy.0)
        .fetch_one(&mut conn)
        .await
        .unwrap();
    assert!(soon, "one that is being made ready is looked at after that");
    assert_eq!(upkeep::checks_due(ctx).await.unwrap(), 0, "the day is over for all");
}
