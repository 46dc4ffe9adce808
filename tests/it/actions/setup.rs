//! The first run.

use futures_util::future::join_all;
use skiff::actions::setup::{self, SetUp, Stage};
use skiff::actions::{Refused, accounts, hosts};
use skiff::domain::rights::{Actor, On, Role};

use super::{conflict, fields};
use crate::harness::panel::{set_up, token, unowned};

#[tokio::test]
async fn a_token_is_needed_and_works_once() {
    let (_test, ctx, _key) = unowned().await;
    assert_eq!(setup::stage(&ctx).await.unwrap(), Stage::Open);
    assert!(conflict(setup::create_owner(&ctx, "", set_up("guessed")).await).contains("skiff setup"));
    let first = token(&ctx).await;
    let second = token(&ctx).await;
    assert!(!setup::opens(&ctx, &first).await.unwrap(), "only the newest link works");
    assert!(setup::opens(&ctx, &second).await.unwrap());
    let owner = setup::create_owner(&ctx, "127.0.0.1", set_up(&second)).await.unwrap();
    assert_eq!(owner.team, "shop");
    assert_eq!(setup::stage(&ctx).await.unwrap(), Stage::Done);
    assert!(!setup::opens(&ctx, &second).await.unwrap());
    assert!(setup::new_link(&ctx).await.unwrap().is_none(), "set-up is closed for good");
    conflict(setup::create_owner(&ctx, "", set_up(&second)).await);
    let actor = accounts::actor(&ctx, owner.account, "shop", "").await.unwrap();
    assert_eq!(actor.role(On::team(actor.team())), Some(Role::Owner));
}

#[tokio::test]
async fn an_old_token_opens_nothing() {
    let (test, ctx, _key) = unowned().await;
    let token = token(&ctx).await;
    let mut root = test.superuser().await;
    sqlx::query("update setup_tokens set expires_at = now() - interval '1 second'").execute(&mut root).await.unwrap();
    assert!(!setup::opens(&ctx, &token).await.unwrap());
    conflict(setup::create_owner(&ctx, "", set_up(&token)).await);
}

#[tokio::test]
async fn all_wrong_fields_are_named_and_the_token_is_not_spent() {
    let (_test, ctx, _key) = unowned().await;
    let token = token(&ctx).await;
    let wrong =
        SetUp { token: token.clone(), email: "no address".into(), password: "short".into(), ..SetUp::default() };
    assert_eq!(fields(setup::create_owner(&ctx, "", wrong).await), ["name", "email", "team", "password"]);
    setup::create_owner(&ctx, "", set_up(&token)).await.unwrap();
}

#[tokio::test]
async fn of_many_at_once_exactly_one_becomes_the_owner() {
    let (test, ctx, _key) = unowned().await;
    let token = token(&ctx).await;
    let tries = (0..8).map(|n| {
        let (ctx, mut form) = (ctx.clone(), set_up(&token));
        form.email = format!("owner{n}@example.org");
        async move { setup::create_owner(&ctx, "", form).await }
    });
    let won = join_all(tries).await.into_iter().filter(Result::is_ok).count();
    assert_eq!(won, 1);
    let mut root = test.superuser().await;
    let rows: (i64, i64, i64, i64) = sqlx::query_as(
        "select (select count(*) from accounts), (select count(*) from teams), (select count(*) from members),
                (select count(*) from grants where role = 'owner')",
    )
    .fetch_one(&mut root)
    .await
    .unwrap();
    assert_eq!(rows, (1, 1, 1, 1));
}

#[tokio::test]
async fn what_was_enrolled_before_belongs_to_the_owner() {
    let (_test, ctx, _key) = unowned().await;
    let team = setup::first_team(&ctx).await.unwrap();
    assert_eq!(setup::first_team(&ctx).await.unwrap(), team, "asked again it is the same");
    let shell = Actor::on_the_panels_machine(team);
    let form = hosts::NewHost { name: "this machine".into(), address: "127.0.0.1".into(), ..Default::default() };
    let host = hosts::create(&ctx, &shell, form).await.unwrap();
    let owner = setup::create_owner(&ctx, "", set_up(&token(&ctx).await)).await.unwrap();
    let actor = accounts::actor(&ctx, owner.account, &owner.team, "").await.unwrap();
    assert_eq!(actor.team(), team);
    assert_eq!(hosts::get(&ctx, &actor, host).await.unwrap().line.name, "this machine");
    assert!(matches!(accounts::actor(&ctx, owner.account, "home", "").await, Err(Refused::NotFound)));
}
