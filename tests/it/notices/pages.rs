//! The pages of notices, and the same through the API and the command line.

use serde_json::json;
use skiff::actions::projects::{self, NewProject, RemovePlace};
use skiff::domain::rights::Role;

use crate::cli::terminal::{Terminal, token};
use crate::harness::door::Panel;
use crate::harness::services::WebService;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_channel_is_added_tested_changed_and_removed_by_its_pages() {
    let panel = Panel::open().await;
    let owner = panel.owner().await;
    let service = WebService::start(|number, _| match number {
        0 => axum::http::StatusCode::OK,
        _ => axum::http::StatusCode::GONE,
    })
    .await;
    let ada = panel.signed_in("ada@example.org").await;
    let home = format!("/t/{}/notices", owner.slug);
    let page = ada.text(&home).await;
    assert!(page.contains("Nobody is told yet") && page.contains("Nothing was sent yet"), "{page}");
    let new = format!("{home}/channels/new?service=webhook");
    let wrong = [("service", "webhook"), ("name", "ops hook"), ("url", "ftp://x"), ("events", "host_down")];
    let answer = ada.submit(&new, &format!("{home}/channels"), &wrong).await;
    assert_eq!(answer.status(), 422);
    let page = answer.text().await.unwrap();
    assert!(page.contains("Use an address such as https://hooks.example.org/skiff."), "{page}");
    assert!(page.contains("value=\"ops hook\"") && page.contains("value=\"ftp://x\""), "what was typed stays: {page}");
    assert!(page.contains("value=\"host_down\" checked"), "{page}");
    assert!(!page.contains("value=\"deploy_failed\" checked"), "{page}");
    let url = format!("{}/in", service.base);
    let right = [("service", "webhook"), ("name", "ops hook"), ("url", url.as_str()), ("events", "host_down")];
    let answer = ada.submit(&new, &format!("{home}/channels"), &right).await;
    assert_eq!(answer.status(), 200);
    let page = answer.text().await.unwrap();
    assert!(page.contains("shown this once") && page.contains("id=\"secret\""), "{page}");
    let id: uuid::Uuid =
        sqlx::query_scalar("select id from notice_channels").fetch_one(&mut panel.db.superuser().await).await.unwrap();
    let own = format!("{home}/channels/{id}");
    assert!(!ada.text(&own).await.contains("shown this once"));

    let answer = ada.submit(&own, &format!("{own}/test"), &[]).await;
    assert_eq!(answer.status(), 303);
    assert!(ada.text(&own).await.contains("127.0.0.1 answered 200."));
    ada.submit(&own, &format!("{own}/test"), &[]).await;
    let page = ada.text(&own).await;
    assert!(page.contains("Not taken. 127.0.0.1 answered 410."), "{page}");
    let page = ada.text(&home).await;
    assert!(page.contains("A test from Skiff to ops hook") && page.contains("not taken"), "{page}");

    let edit = [("name", "ops"), ("url", ""), ("events", "deploy_failed"), ("events", "deploy_returned")];
    assert_eq!(ada.submit(&own, &own, &edit).await.status(), 303);
    let page = ada.text(&home).await;
    assert!(page.contains("Deploy failed, Release taken back"), "{page}");
    assert_eq!(ada.submit(&own, &format!("{own}/remove"), &[]).await.status(), 303);
    assert!(ada.text(&home).await.contains("Nobody is told yet"));
    let history = ada.text(&format!("/t/{}/audit", owner.slug)).await;
    for words in [
        "added the channel ops hook",
        "tested the channel ops hook",
        "changed the channel ops",
        "removed the channel ops",
    ] {
        assert!(history.contains(words), "{words}: {history}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_viewer_chooses_for_herself_and_sees_no_channel() {
    let panel = Panel::open().await;
    let owner = panel.owner().await;
    panel.member("Vera", owner.team, Role::Viewer).await;
    let (ada, vera) = (panel.signed_in("ada@example.org").await, panel.signed_in("vera@example.org").await);
    let home = format!("/t/{}/notices", owner.slug);
    let mail = [("host", "mail.example.org"), ("security", "starttls"), ("sender", "skiff@example.org")];
    let form = format!("{home}/mail");
    assert_eq!(ada.submit(&form, &form, &mail).await.status(), 303);
    assert!(ada.text(&home).await.contains("mail.example.org:587"));
    let refused = [("host", "mail.example.org"), ("security", "starttls"), ("sender", "nobody"), ("username", "skiff")];
    let answer = ada.submit(&form, &form, &refused).await;
    assert_eq!(answer.status(), 422);
    assert!(answer.text().await.unwrap().contains("Use an e-mail address such as ada@example.org."));

    let page = vera.text(&home).await;
    assert!(page.contains("value=\"vera@example.org\"") && !page.contains("mail.example.org:587"), "{page}");
    let chosen = [("email", "vera@example.org"), ("events", "host_down")];
    assert_eq!(vera.submit(&home, &format!("{home}/mine"), &chosen).await.status(), 303);
    assert!(vera.text(&home).await.contains("value=\"host_down\" checked"));
    let answer = vera.submit(&home, &format!("{home}/mine"), &[("email", "vera"), ("events", "host_up")]).await;
    assert_eq!(answer.status(), 422);
    let page = answer.text().await.unwrap();
    assert!(page.contains("value=\"vera\"") && page.contains("value=\"host_up\" checked"), "{page}");
    assert!(!ada.text(&home).await.contains("value=\"host_down\" checked"), "each has a choice of her own");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_api_does_the_same_and_gives_nothing_back_that_leads_there() {
    let panel = Panel::open().await;
    let owner = panel.owner().await;
    let service = WebService::start(|_, _| axum::http::StatusCode::OK).await;
    let token = crate::api::token(&panel, &owner.actor, "owner").await;
    let http = reqwest::Client::new();
    let ask = async |method: reqwest::Method, path: &str, body: serde_json::Value| {
        let request = http.request(method, format!("{}/api/v1{path}", panel.base)).bearer_auth(&token).json(&body);
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        (status, answer.json::<serde_json::Value>().await.unwrap_or_default())
    };
    let url = format!("{}/private-path", service.base);
    let body = json!({ "name": "hook", "service": "webhook", "url": url, "events": ["host_up"] });
    let (status, made) = ask(reqwest::Method::POST, "/notices/channels", body).await;
    assert_eq!(status, 201, "{made}");
    assert!(made["secret"].as_str().unwrap().len() > 20, "{made}");
    let id = made["id"].as_str().unwrap().to_owned();
    let (_, list) = ask(reqwest::Method::GET, "/notices/channels", json!({})).await;
    assert_eq!(list["items"][0]["events"], json!(["host_up"]));
    assert!(!list.to_string().contains("private-path") && list["items"][0].get("secret").is_none(), "{list}");
    let (_, test) = ask(reqwest::Method::POST, &format!("/notices/channels/{id}/test"), json!({})).await;
    assert_eq!(test, json!({ "taken": true, "answer": "127.0.0.1 answered 200.", "help": null }));
    assert_eq!(service.asked()[0].path, "/private-path");
    let (_, sent) = ask(reqwest::Method::GET, "/notices/sent", json!({})).await;
    assert_eq!((sent["items"][0]["state"].as_str(), sent["items"][0]["event"].as_str()), (Some("sent"), Some("test")));
    let (status, edited) =
        ask(reqwest::Method::PUT, &format!("/notices/channels/{id}"), json!({ "name": "hook 2", "events": [] })).await;
    assert_eq!((status, edited["name"].as_str()), (200, Some("hook 2")), "{edited}");
    let (status, refused) = ask(reqwest::Method::PUT, "/notices/mine", json!({ "email": "ada", "events": [] })).await;
    assert_eq!(status, 422, "{refused}");
    let (_, mine) = ask(reqwest::Method::GET, "/notices/mine", json!({})).await;
    assert_eq!(mine["email"], "ada@example.org");
    assert_eq!(ask(reqwest::Method::DELETE, &format!("/notices/channels/{id}"), json!({})).await.0, 204);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_line_lists_and_tries_channels() {
    let panel = Panel::open().await;
    let owner = panel.owner().await;
    let service = WebService::start(|number, _| match number {
        0 => axum::http::StatusCode::OK,
        _ => axum::http::StatusCode::NOT_FOUND,
    })
    .await;
    let secret = token(&panel.ctx, &owner.actor, "admin").await;
    let terminal = Terminal::signed_in(&panel.base, &secret).await;
    let ran = terminal.run(&["notices"]).await.well();
    assert!(ran.out.contains("The team has no channel yet"), "{ran:?}");
    super::add(&panel.ctx, &owner.actor, super::webhook("ops", &service.base)).await;
    let ran = terminal.run(&["notices", "list"]).await.well();
    assert!(ran.out.contains("ops      webhook  127.0.0.1:"), "{ran:?}");
    let ran = terminal.run(&["notices", "test", "ops"]).await.well();
    assert_eq!(ran.out, "127.0.0.1 answered 200.\n");
    terminal.run(&["notices", "test", "ops"]).await.refused(1, "127.0.0.1 answered 404. Does it take POST");
    terminal.run(&["notices", "test", "nowhere"]).await.refused(1, "The team has no channel nowhere");
    let ran = terminal.run(&["notices", "sent"]).await.well();
    assert!(ran.out.contains("A test from Skiff to ops") && ran.out.contains("failed"), "{ran:?}");
    let ran = terminal.run(&["notices", "--json"]).await.well();
    assert_eq!(ran.json()["items"][0]["name"], "ops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_choice_of_a_project_that_is_gone_stands_and_stays_no_more_than_that() {
    let panel = Panel::open().await;
    let owner = panel.owner().await;
    let project = async |name: &str| {
        projects::create(&panel.ctx, &owner.actor, NewProject { name: name.into() }).await.unwrap().to_string()
    };
    let (gone, other) = (project("Gone").await, project("Other").await);
    let secret = token(&panel.ctx, &owner.actor, "owner").await;
    let terminal = Terminal::signed_in(&panel.base, &secret).await;
    let add = ["notices", "add", "hook", "webhook", "--project", "gone"];
    terminal.type_in(&add, "https://example.org/in").await.well();
    let mine = ["notices", "mine", "--email", "ada@example.org", "--event", "host_up", "--project", "gone"];
    terminal.run(&mine).await.well();
    projects::remove(&panel.ctx, &owner.actor, gone.parse().unwrap(), RemovePlace { name: "Gone".into() })
        .await
        .unwrap();

    let all = async || terminal.run(&["notices", "--json"]).await.well().json()["items"].clone();
    let own = async || terminal.run(&["notices", "mine", "--json"]).await.well().json();
    terminal.run(&["notices", "change", "hook", "--rename", "in"]).await.well();
    assert_eq!((&all().await[0]["name"], &all().await[0]["projects"]), (&json!("in"), &json!([gone])));
    terminal.run(&["notices", "mine", "--email", "ops@example.org"]).await.well();
    assert_eq!((&own().await["email"], &own().await["projects"]), (&json!("ops@example.org"), &json!([gone])));
    // One that was never chosen is refused as before.
    let id = all().await[0]["id"].as_str().unwrap().to_owned();
    let put = async |projects: serde_json::Value| {
        let body = json!({ "name": "in", "events": ["host_up"], "projects": projects });
        let path = format!("{}/api/v1/notices/channels/{id}", panel.base);
        reqwest::Client::new().put(path).bearer_auth(&secret).json(&body).send().await.unwrap().status().as_u16()
    };
    assert_eq!(put(json!([uuid::Uuid::now_v7()])).await, 422);
    assert_eq!(put(json!([gone, other])).await, 200);
    assert_eq!(put(json!([other])).await, 200);
    assert_eq!(put(json!([gone])).await, 422, "what was taken out does not come back");

    // By the pages: it is ticked there, and so is sent.
    let ada = panel.signed_in("ada@example.org").await;
    let home = format!("/t/{}/notices", owner.slug);
    let page = ada.text(&home).await;
    let ticked = format!("value=\"{gone}\" checked");
    assert!(page.contains(&ticked) && page.contains("a project that is gone"), "{page}");
    let sent = [("email", "ada@example.org"), ("events", "host_down"), ("projects", &gone)];
    assert_eq!(ada.submit(&home, &format!("{home}/mine"), &sent).await.status(), 303);
    assert_eq!((&own().await["events"], &own().await["projects"]), (&json!(["host_down"]), &json!([gone])));
    let refused = [("email", "ada"), ("events", "host_down"), ("projects", &gone)];
    let answer = ada.submit(&home, &format!("{home}/mine"), &refused).await;
    assert_eq!(answer.status(), 422);
    assert!(answer.text().await.unwrap().contains(&ticked), "also where the form is shown again");
}
