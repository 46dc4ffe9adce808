//! Whoever is refused is led to the part of the docs that is about what they tried: every act of a page and every call that changes something
//! names it, and it is shown.

use skiff::domain::help::Topic;
use skiff::domain::rights::Role;

use crate::api::{Client, token};
use crate::harness::door::Panel;
use crate::pages::scene;

#[tokio::test]
async fn every_act_says_where_the_docs_are_about_it() {
    let panel = Panel::open().await;
    let pages = panel.table.iter().map(|route| (route.method, route.path, route.help));
    let calls = panel.calls.iter().map(|call| (call.method, call.path, call.help));
    let acts: Vec<_> = pages.chain(calls).filter(|(method, ..)| *method != "GET").collect();
    let silent: Vec<_> = acts.iter().filter(|(_, _, help)| help.is_none()).collect();
    assert!(acts.len() > 140 && silent.is_empty(), "{} acts; without a place in the docs: {silent:#?}", acts.len());
    // What says how calls are made is no answer to somebody who presses a button.
    let general = [Topic::Problems, Topic::NotNow, Topic::Internal];
    let vague: Vec<_> = acts.iter().filter(|(_, _, help)| help.is_some_and(|help| general.contains(&help))).collect();
    assert!(vague.is_empty(), "{vague:#?}");
}

/// In a form, on a page, and in the API.
#[tokio::test]
async fn who_is_refused_is_led_there() {
    let panel = Panel::open().await;
    let scene = scene::set(&panel).await;
    let ada = panel.signed_in("ada@example.org").await;
    let team = format!("/t/{}", scene.owner.slug);
    let app = format!("{team}/apps/{}", scene.web);
    let more = |topic: Topic| format!("<a class=\"help\" href=\"{}\">More about this</a>", topic.path());

    // Fields of a form; the other forms of the page, which were not sent, lead nowhere.
    let refused = ada.submit(&format!("{app}/routes"), &format!("{app}/routes"), &[("domain", "-")]).await;
    assert_eq!(refused.status(), 422);
    let text = refused.text().await.unwrap();
    assert_eq!(text.matches(&more(Topic::RouteRules)).count(), 1, "{text}");
    assert_eq!(text.matches("More about this").count(), 1, "{text}");
    let before = ada.text(&format!("{app}/routes")).await;
    assert!(!before.contains("More about this"), "{before}");
    // A whole form.
    let fields = [("chain", "no certificate"), ("key", "no key")];
    let page = format!("{team}/certificates");
    let text = ada.submit(&page, &page, &fields).await.text().await.unwrap();
    assert!(text.contains(&more(Topic::Certificates)), "{text}");
    // Nobody is signed in yet.
    let nobody = panel.visitor();
    let fields = [("email", "ada@example.org"), ("password", "not the password")];
    let mut text = nobody.submit("/login", "/login", &fields).await.text().await.unwrap();
    assert!(text.contains(&more(Topic::SignIn)), "{text}");
    for _ in 0..30 {
        let answer = nobody.submit("/login", "/login", &fields).await;
        let often = answer.status() == 429;
        text = answer.text().await.unwrap();
        if often {
            break;
        }
    }
    assert!(text.contains("Too many attempts") && text.contains(&more(Topic::SignIn)), "{text}");

    // A page in place of a form.
    let what = |topic: Topic| format!("href=\"{}\"", topic.path());
    let job = format!("{team}/jobs/{}/cancel", scene.job);
    let answer = ada.submit(&format!("{team}/jobs"), &job, &[]).await;
    assert_eq!(answer.status(), 409);
    let text = answer.text().await.unwrap();
    assert!(text.contains(&what(Topic::JobFailed)), "{text}");
    let text = ada.get(&format!("{team}/apps/00000000-0000-0000-0000-000000000000")).await.text().await.unwrap();
    assert!(text.contains(&what(Topic::NothingHere)), "{text}");
    // Ten tests of channels within a minute are no fault of the database.
    let mut often = String::new();
    let new = format!("{team}/notices/channels/new?service=ntfy");
    let fields = [("name", "ops"), ("service", "ntfy"), ("url", "http://127.0.0.1:9/x"), ("events", "host_down")];
    let made = ada.submit(&new, &format!("{team}/notices/channels"), &fields).await;
    let channel = made.headers()["location"].to_str().unwrap().to_owned();
    for _ in 0..12 {
        let answer = ada.submit(&channel, &format!("{channel}/test"), &[]).await;
        if answer.status() == 429 {
            often = answer.text().await.unwrap();
            break;
        }
    }
    assert!(often.contains("Too often") && often.contains(&what(Topic::Channels)), "{often}");
    assert!(!often.contains(&Topic::Database.path()), "{often}");
    let sent = ada.text(&channel).await;
    assert!(sent.contains(&what(Topic::NotSent)), "{sent}");

    // The API.
    let client = Client::new(&panel, &token(&panel, &scene.owner.actor, "owner").await);
    let routes = format!("/apps/{}/routes", scene.web);
    let body = |json: &str| Some(serde_json::from_str(json).unwrap());
    for (method, path, json, status, topic) in [
        ("POST", routes, r#"{"domain": "-"}"#, 422, Topic::RouteRules),
        ("POST", "/certificates".to_owned(), r#"{"chain": "x", "key": "x"}"#, 422, Topic::Certificates),
        ("POST", format!("/jobs/{}/cancel", scene.job), "{}", 409, Topic::JobFailed),
        ("POST", "/apps/nowhere/stop".to_owned(), "{}", 404, Topic::NothingHere),
    ] {
        let (got, problem) = client.send(method, &path, body(json)).await;
        assert_eq!((got, problem["help"].as_str()), (status, Some(topic.path().as_str())), "{path}: {problem}");
    }
    let viewer = panel.member("Vera", scene.owner.team, Role::Viewer).await;
    let actor = skiff::actions::accounts::actor(&panel.ctx, viewer, &scene.owner.slug, "127.0.0.1").await.unwrap();
    let client = Client::new(&panel, &token(&panel, &actor, "viewer").await);
    let (_, problem) = client.send("POST", &format!("/apps/{}/stop", scene.web), body("{}")).await;
    assert_eq!(problem["help"], Topic::Roles.path(), "{problem}");
}
