//! The first run.

use futures_util::future::join_all;
use skiff::actions::setup::{self, SetUp, Stage};
use skiff::actions::setup_name::{self, Wanted};
use skiff::actions::{Refused, accounts, acme, hosts, panel};
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

#[tokio::test]
async fn a_name_can_be_given_on_the_way_and_nothing_is_lost_where_it_is_wrong() {
    let (test, ctx, _key) = unowned().await;
    assert!(setup_name::offer(&ctx).await.unwrap().is_none(), "no server could lead here");
    let wanted = |domain: &str, acme_email: &str, terms: bool| Wanted {
        domain: domain.into(),
        acme_email: acme_email.into(),
        terms,
    };
    let token = token(&ctx).await;
    let early = SetUp { address: wanted("panel.example.org", "", true), ..set_up(&token) };
    assert_eq!(fields(setup::create_owner(&ctx, "", early).await), ["host"]);

    let team = setup::first_team(&ctx).await.unwrap();
    let shell = Actor::on_the_panels_machine(team);
    for (name, address) in [("far", "198.51.100.7"), ("this machine", "127.0.0.1")] {
        let form = hosts::NewHost { name: name.into(), address: address.into(), ..Default::default() };
        hosts::create(&ctx, &shell, form).await.unwrap();
    }
    let mut root = test.superuser().await;
    sqlx::query("update hosts set proxy_https_port = 443").execute(&mut root).await.unwrap();
    let offer = setup_name::offer(&ctx).await.unwrap().unwrap();
    assert!(!offer.authority);
    let view = panel::address(&ctx, &shell).await.unwrap();
    let here = view.servers.iter().find(|server| server.here).unwrap();
    assert_eq!((offer.made_name, here.name.as_str()), (here.made_name.clone(), "this machine"), "where it is tried");

    let wrong = SetUp { address: wanted("https://panel.example.org", "ada", false), ..set_up(&token) };
    assert_eq!(fields(setup::create_owner(&ctx, "", wrong).await), ["domain", "acme_email", "terms"]);
    assert!(setup::opens(&ctx, &token).await.unwrap(), "the token is not spent");
    let form = SetUp { address: wanted("panel.example.org", "ada@example.org", true), ..set_up(&token) };
    let owner = setup::create_owner(&ctx, "127.0.0.1", form).await.unwrap();
    assert_eq!(owner.tried, Some(Ok(())));
    let actor = accounts::actor(&ctx, owner.account, &owner.team, "").await.unwrap();
    let chosen = acme::chosen(&ctx, &actor).await.unwrap().unwrap();
    assert_eq!((chosen.authority, chosen.email.as_str()), ("letsencrypt", "ada@example.org"));
    assert_eq!(chosen.terms_agreed_by, "Ada");
    let trial = panel::address(&ctx, &actor).await.unwrap().trial.unwrap();
    assert_eq!((trial.domain.as_ref(), trial.host_name.as_str()), ("panel.example.org", "this machine"));
    let jobs: Vec<(String, bool)> =
        sqlx::query_as("select kind, coalesce((args->>'keep')::bool, false) from jobs where kind in ('panel_address', 'obtain_certificate') order by kind")
            .fetch_all(&mut root)
            .await
            .unwrap();
    assert_eq!(jobs, [("obtain_certificate".to_owned(), false), ("panel_address".to_owned(), true)]);
}

#[tokio::test]
async fn nobody_is_asked_for_a_name_where_the_panel_has_one() {
    let (test, ctx, _key) = unowned().await;
    let team = setup::first_team(&ctx).await.unwrap();
    let form = hosts::NewHost { name: "this machine".into(), address: "127.0.0.1".into(), ..Default::default() };
    let host = hosts::create(&ctx, &Actor::on_the_panels_machine(team), form).await.unwrap();
    let mut root = test.superuser().await;
    sqlx::query("update hosts set proxy_https_port = 443").execute(&mut root).await.unwrap();
    assert!(setup_name::offer(&ctx).await.unwrap().is_some());
    sqlx::query(
        "insert into panel_addresses (state, domain, owner_team, host_id, door, port, nonce) values ('serving', 'panel.example.org', $1, $2, 7070, 443, 'x')",
    )
    .bind(team.0)
    .bind(host.0)
    .execute(&mut root)
    .await
    .unwrap();
    assert!(setup_name::offer(&ctx).await.unwrap().is_none());
    let link = setup::new_link(&ctx).await.unwrap().unwrap();
    assert!(link.starts_with("https://panel.example.org/setup?token="), "links are made with it: {link}");
}
