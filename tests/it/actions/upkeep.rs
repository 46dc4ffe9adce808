//! What Skiff asks of itself by the clock.

use skiff::actions::{setup, upkeep};

use crate::harness::panel::{set_up, token, unowned};

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
