//! Tokens at the door: one answer to all that are not good, none of cookies, counted where they are wrong.

use reqwest::header;
use serde_json::json;
use skiff::domain::rights::Role;

use super::{Client, read, token};
use crate::harness::door::Panel;

#[tokio::test]
async fn all_tokens_that_are_not_good_are_answered_the_same() {
    let panel = Panel::open().await;
    let owner = panel.owner().await;
    let good = token(&panel, &owner.actor, "owner").await;
    let me = Client::new(&panel, &good).get("/me").await;
    assert_eq!(me["account"]["name"], "Ada");
    assert_eq!((&me["role"], &me["team"]["slug"]), (&json!("owner"), &json!(owner.slug)));

    let expired = token(&panel, &owner.actor, "owner").await;
    let mut conn = panel.db.superuser().await;
    sqlx::query("update api_tokens set expires_at = now() - interval '1 s' where hint = $1")
        .bind(&expired[expired.len() - 4..])
        .execute(&mut conn)
        .await
        .unwrap();
    let revoked = token(&panel, &owner.actor, "owner").await;
    let made = Client::new(&panel, &revoked);
    let id = made.get("/me").await["token"]["id"].as_str().unwrap().to_owned();
    assert_eq!(made.send("DELETE", &format!("/tokens/{id}"), None).await.0, 204, "a token may end itself");
    let unknown = skiff::vault::api_token().expose().clone();
    let mut answers = Vec::new();
    for wrong in [&expired, &revoked, &unknown, &good[..20].to_owned(), &format!("{good}x"), &String::from("x")] {
        answers.push(Client::new(&panel, wrong).send("GET", "/me", None).await);
    }
    let none = reqwest::get(format!("{}/api/v1/me", panel.base)).await.unwrap();
    assert_eq!(none.headers()[header::WWW_AUTHENTICATE], "Bearer realm=\"skiff\"");
    assert_eq!(none.headers()[header::CONTENT_TYPE], "application/problem+json");
    answers.push(read(none).await);
    let first = answers[0].clone();
    assert_eq!((first.0, &first.1["type"]), (401, &json!("urn:skiff:problem:token")));
    assert!(answers.iter().all(|answer| *answer == first), "{answers:#?}");

    // A session opens pages, not the API; a token the API, not pages.
    let ada = panel.signed_in("ada@example.org").await;
    assert_eq!(ada.get("/api/v1/me").await.status(), 401);
    let page = panel.visitor().http.get(format!("{}/t/{}", panel.base, owner.slug)).bearer_auth(&good);
    assert_eq!(page.send().await.unwrap().status(), 303, "pages send to sign in");
}

#[tokio::test]
async fn what_a_token_may_follows_its_account_at_once() {
    let panel = Panel::open().await;
    let owner = panel.owner().await;
    let account = panel.member("Dora", owner.team, Role::Admin).await;
    let dora = skiff::actions::accounts::actor(&panel.ctx, account, &owner.slug, "").await.unwrap();
    let client = Client::new(&panel, &token(&panel, &dora, "owner").await);
    assert_eq!(client.get("/me").await["role"], "admin", "no more than its account may");
    let project = |name: &str| Some(json!({ "name": name }));
    assert_eq!(client.send("POST", "/projects", project("One")).await.0, 201);

    let mut conn = panel.db.superuser().await;
    sqlx::query("update grants set role = 'viewer' where member_id in (select id from members where account_id = $1)")
        .bind(account.0)
        .execute(&mut conn)
        .await
        .unwrap();
    let (status, body) = client.send("POST", "/projects", project("Two")).await;
    assert_eq!((status, &body["type"]), (403, &json!("urn:skiff:problem:forbidden")), "{body}");
    assert!(body["detail"].as_str().unwrap().contains("admin"), "{body}");
    assert_eq!(client.get("/me").await["role"], "viewer");

    sqlx::query("delete from members where account_id = $1").bind(account.0).execute(&mut conn).await.unwrap();
    assert_eq!(client.send("GET", "/me", None).await.0, 401, "removed from the team");
    let left: i64 = sqlx::query_scalar("select count(*) from api_tokens where account_id = $1")
        .bind(account.0)
        .fetch_one(&mut conn)
        .await
        .unwrap();
    assert_eq!(left, 0, "and the token went with it");
}

#[tokio::test]
async fn a_token_makes_none_that_may_more_or_lasts_longer() {
    let panel = Panel::open().await;
    let owner = panel.owner().await;
    let client = Client::new(&panel, &token(&panel, &owner.actor, "developer").await);
    let wanted =
        |name: &str, role: &str, days: serde_json::Value| Some(json!({ "name": name, "role": role, "days": days }));
    for (body, field) in [
        (wanted("a", "owner", json!(1)), "role"),
        (wanted("a", "viewer", json!(30)), "days"),
        (wanted("a", "viewer", json!(null)), "days"),
        (wanted("a", "viewer", json!(0)), "days"),
        (wanted("", "viewer", json!(1)), "name"),
        (Some(json!({ "name": "a", "role": "king", "days": 1 })), "role"),
        (Some(json!({ "name": "a", "role": "viewer", "days": "1" })), "days"),
        (Some(json!({ "role": "viewer", "days": 1 })), "name"),
        (Some(json!({ "name": "a", "role": "viewer", "days": 1, "roles": [] })), "roles"),
        (Some(json!({ "name": "a", "role": "viewer", "days": 1, "scope": { "project": owner.account } })), "scope"),
    ] {
        let (status, answer) = client.send("POST", "/tokens", body).await;
        assert_eq!((status, &answer["errors"][0]["field"]), (422, &json!(field)), "{answer}");
    }
    let (status, made) = client.send("POST", "/tokens", wanted("small", "viewer", json!(1))).await;
    assert_eq!(status, 201, "{made}");
    let secret = made["secret"].as_str().unwrap();
    assert!(skiff::domain::token::looks_right(secret));
    let small = Client::new(&panel, secret);
    assert_eq!(small.get("/me").await["role"], "viewer");
    let listed = client.get("/tokens").await;
    assert!(!listed.to_string().contains(secret), "the secret is told once");
    assert_eq!(listed["items"].as_array().unwrap().len(), 2);
    let audit = client.get("/audit").await;
    assert_eq!(audit["items"][0]["words"], "made the token small");
    assert!(audit["items"][0]["who"].as_str().unwrap().starts_with("Ada (token developer"), "{audit}");
    assert!(!audit.to_string().contains(secret));
}

#[tokio::test]
async fn wrong_tokens_are_slowed_down_and_right_ones_are_not() {
    let panel = Panel::open().await;
    let owner = panel.owner().await;
    let good = Client::new(&panel, &token(&panel, &owner.actor, "viewer").await);
    let bad = Client::new(&panel, "skf_wrong");
    let mut last = 0;
    for _ in 0..51 {
        last = bad.send("GET", "/me", None).await.0;
    }
    assert_eq!(last, 429);
    let answer = bad.request(reqwest::Method::GET, "/me").send().await.unwrap();
    assert!(answer.headers().contains_key(header::RETRY_AFTER));
    assert_eq!(good.send("GET", "/me", None).await.0, 200, "the same address with a good one");
    panel.signed_in("ada@example.org").await;
}
