//! The live log: what is said arrives, and a browser that comes back gets exactly what it has not seen.

use std::time::Duration;

use fantoccini::Locator;
use futures_util::StreamExt;
use skiff::db::changes::{self, Topic};

use crate::harness::browser::Browser;
use crate::harness::door::{PASSWORD, Panel, Visitor};

use super::scene::{self, Scene};

/// Reads events until one has these words, and gives back all that was read.
async fn until(answer: reqwest::Response, words: &str) -> String {
    let mut stream = answer.bytes_stream();
    let mut text = String::new();
    let reading = async {
        while let Some(chunk) = stream.next().await {
            text.push_str(&String::from_utf8_lossy(&chunk.unwrap()));
            if text.contains(words) {
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), reading).await.ok();
    assert!(text.contains(words), "{words} does not come: {text}");
    text
}

async fn follow(visitor: &Visitor, scene: &Scene, after: i64, seen: Option<&str>) -> reqwest::Response {
    let path = format!("/t/{}/deploys/{}/live?after={after}", scene.owner.slug, scene.running);
    let request = visitor.http.get(visitor.at(&path));
    let request = seen.into_iter().fold(request, |request, seen| request.header("last-event-id", seen));
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    answer
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_browser_that_comes_back_gets_what_it_has_not_seen() {
    let panel = Panel::open().await;
    let scene = scene::set(&panel).await;
    let ada = panel.signed_in("ada@example.org").await;
    let first = until(follow(&ada, &scene, 0, None).await, "id=\"L10\"").await;
    assert!(first.contains("id=\"L1\"") && first.contains("id: 10"), "{first}");
    assert!(first.contains("#course") && first.contains("answers 503"), "steps come along");

    let waiting = follow(&ada, &scene, 10, None).await;
    let mut conn = panel.db.superuser().await;
    scene::lines(&mut conn, scene.running, &[("out", "eleven"), ("out", "twelve \u{1b}[31mred\u{1b}[0m")]).await;
    changes::notify(&mut conn, Topic::Job(scene.job)).await.unwrap();
    let second = until(waiting, "id=\"L12\"").await;
    assert!(second.contains("class=\"a1\">red</b>"), "{second}");
    assert!(!second.contains("id=\"L10\""), "what was seen is not sent again");

    let third = until(follow(&ada, &scene, 0, Some("11")).await, "id=\"L12\"").await;
    assert!(
        !third.contains("id=\"L11\"") && !third.contains("id=\"L1\""),
        "Last-Event-ID goes over the address: {third}"
    );

    let ending = follow(&ada, &scene, 12, None).await;
    scene::lines(&mut conn, scene.running, &[("skiff", "the last line")]).await;
    sqlx::query("update jobs set state = 'succeeded', lease_until = null, finished_at = now() where id = $1")
        .bind(scene.job.0)
        .execute(&mut conn)
        .await
        .unwrap();
    sqlx::query("update deploys set state = 'succeeded', finished_at = now() where id = $1")
        .bind(scene.running.0)
        .execute(&mut conn)
        .await
        .unwrap();
    changes::notify(&mut conn, Topic::Job(scene.job)).await.unwrap();
    let last = until(ending, "event: done").await;
    assert!(last.contains("the last line") && last.contains("deploy-head"), "{last}");
}

/// In a browser: lines, steps and the head of the page change under the reader's eyes, keys work, and the policy lets it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deploys_page_lives() {
    let panel = Panel::open().await;
    let scene = scene::set(&panel).await;
    let browser = Browser::start().await;
    browser.client.goto(&format!("{}/login", panel.base)).await.unwrap();
    browser.fill("email", "ada@example.org").await;
    browser.fill("password", PASSWORD).await;
    browser.press("Sign in").await;
    browser.wait_for_words("Lately").await;
    let page = format!("{}/t/{}/deploys/{}", panel.base, scene.owner.slug, scene.running);
    browser.client.goto(&page).await.unwrap();
    browser.wait_for_words("asking again every 250 ms").await;
    let mut conn = panel.db.superuser().await;
    scene::lines(&mut conn, scene.running, &[("out", "said a moment ago")]).await;
    sqlx::query("update job_steps set note = 'answers 200' where job_id = $1 and state = 'running'")
        .bind(scene.job.0)
        .execute(&mut conn)
        .await
        .unwrap();
    changes::notify(&mut conn, Topic::Job(scene.job)).await.unwrap();
    browser.wait_for_words("said a moment ago").await;
    browser.wait_for_words("answers 200").await;
    sqlx::query("update jobs set state = 'succeeded', lease_until = null, finished_at = now() where id = $1")
        .bind(scene.job.0)
        .execute(&mut conn)
        .await
        .unwrap();
    sqlx::query("update deploys set state = 'succeeded', finished_at = now() where id = $1")
        .bind(scene.running.0)
        .execute(&mut conn)
        .await
        .unwrap();
    changes::notify(&mut conn, Topic::Job(scene.job)).await.unwrap();
    browser.wait_for_words("succeeded").await;
    let lines = "return document.querySelectorAll('#log-lines .line').length";
    assert_eq!(browser.client.execute(lines, vec![]).await.unwrap(), serde_json::json!(11), "each line once");
    let console = browser.console().await;
    assert!(console.iter().all(|line| line.starts_with("DEBUG")), "{console:?}");

    let body = browser.client.find(Locator::Css("body")).await.unwrap();
    body.send_keys("gh").await.unwrap();
    browser.wait_for_words("Lately").await;
    let body = browser.client.find(Locator::Css("body")).await.unwrap();
    body.send_keys("?").await.unwrap();
    browser.wait_for_words("Deploy, on an app's page").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_are_counted_and_end_with_the_door() {
    let panel = Panel::open().await;
    let scene = scene::set(&panel).await;
    let ada = panel.signed_in("ada@example.org").await;
    let mut open = Vec::new();
    for _ in 0..20 {
        open.push(follow(&ada, &scene, 10, None).await);
    }
    let path = format!("/t/{}/deploys/{}/live", scene.owner.slug, scene.running);
    assert_eq!(ada.get(&path).await.status(), 503, "one too many");
    let one = open.pop().unwrap();
    drop(open);
    panel.close();
    let mut stream = one.bytes_stream();
    let ended = tokio::time::timeout(Duration::from_secs(9), async { while stream.next().await.is_some() {} }).await;
    assert!(ended.is_ok(), "a stream outlives its door");
}
