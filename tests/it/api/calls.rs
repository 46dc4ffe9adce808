//! What calls take and give, beyond their form: names, cursors, repetition, waiting, following, errors.

use std::time::Duration;

use futures_util::StreamExt;
use reqwest::{Method, header};
use serde_json::{Value, json};

use super::{Client, read, token};
use crate::harness::door::Panel;
use crate::pages::scene::{self, Scene, lines};

async fn owner() -> (Panel, Scene, Client) {
    let panel = Panel::open().await;
    let scene = scene::set(&panel).await;
    let client = Client::new(&panel, &token(&panel, &scene.owner.actor, "owner").await);
    (panel, scene, client)
}

fn slug(answer: &Value) -> &str {
    answer["type"].as_str().unwrap().rsplit(':').next().unwrap()
}

#[tokio::test]
async fn an_app_is_named_as_far_as_it_is_unique() {
    let (_panel, scene, client) = owner().await;
    let by_id = client.get(&format!("/apps/{}", scene.web)).await;
    let path = by_id["path"].as_str().unwrap().to_owned();
    for name in [path.replace('/', "."), path.replace('/', "%2F"), "prod.shop".into(), "shop".into()] {
        assert_eq!(client.get(&format!("/apps/{name}")).await["id"], by_id["id"], "{name}");
    }
    for name in ["shop", "prod/shop", path.as_str()] {
        let found = client.get(&format!("/apps?name={name}")).await;
        assert_eq!(found["items"].as_array().unwrap().len(), 1, "{name}: {found}");
    }
    assert_eq!(client.get("/apps?name=op").await["items"], json!([]), "whole names only");
    for wrong in ["nothing", "a.b.c.d", "Shop", "..", "%00", "stage.shop"] {
        assert_eq!(client.send("GET", &format!("/apps/{wrong}"), None).await.0, 404, "{wrong}");
    }
    let project = by_id["project"]["id"].as_str().unwrap();
    let (_, stage) =
        client.send("POST", &format!("/projects/{project}/environments"), Some(json!({ "name": "stage" }))).await;
    let twin = json!({ "name": "Shop", "environment": stage["id"], "host": scene.host,
        "source": { "from": "image", "image": "shop:1" }, "configuration": { "port": 80 } });
    let (status, made) = client.send("POST", "/apps", Some(twin)).await;
    assert_eq!(status, 201, "{made}");
    let (status, several) = client.send("GET", "/apps/shop", None).await;
    assert_eq!((status, slug(&several)), (409, "conflict"));
    assert!(several["detail"].as_str().unwrap().contains("stage.shop"), "{several}");
    assert_eq!(client.get("/hosts/fra-1").await["id"], json!(scene.host));
}

#[tokio::test]
async fn a_deploy_that_was_named_is_asked_for_once() {
    let (_panel, _scene, client) = owner().await;
    let ask = async |key: &str, body: Value| {
        let request = client.request(Method::POST, "/apps/shop/deploys").header("idempotency-key", key).json(&body);
        let answer = request.send().await.unwrap();
        let place = answer.headers().get(header::LOCATION).map(|place| place.to_str().unwrap().to_owned());
        let (status, body) = read(answer).await;
        (status, body, place)
    };
    let (status, first, place) = ask("run-1", json!({ "ref": "main" })).await;
    assert_eq!((status, place), (202, Some(format!("/api/v1/deploys/{}", first["id"].as_str().unwrap()))));
    assert_eq!(first["target"], json!({ "to": "ref", "name": "main" }));
    assert_eq!(first["who"].as_str().unwrap().split(" (token").next(), Some("Ada"));
    let (status, again, _) = ask("run-1", json!({ "ref": "main" })).await;
    assert_eq!((status, &again["id"]), (200, &first["id"]));
    let (status, other, _) = ask("run-1", json!({})).await;
    assert_eq!((status, slug(&other)), (409, "conflict"));
    let (status, second, _) = ask("run-2", json!({ "ref": "f".repeat(40) })).await;
    assert_eq!((status, &second["target"]["to"]), (202, &json!("commit")));
    assert_ne!(second["id"], first["id"]);
    assert_eq!(client.get(&format!("/deploys/{}", first["id"].as_str().unwrap())).await["state"], "superseded");
    for (body, field) in [
        (json!({ "ref": "a..b" }), "ref"),
        (json!({ "image": "x:1" }), "image"),
        (json!({ "release": 99 }), "release"),
        (json!({ "ref": "main", "release": 1 }), "ref"),
        (json!({ "branch": "main" }), "branch"),
    ] {
        let (status, answer) = client.send("POST", "/apps/shop/deploys", Some(body)).await;
        assert_eq!((status, &answer["errors"][0]["field"]), (422, &json!(field)), "{answer}");
    }
    let (status, back) = client.send("POST", "/apps/shop/rollback", None).await;
    assert_eq!((status, &back["target"]), (202, &json!({ "to": "release", "number": 2 })), "{back}");
    let (status, none) = client.send("POST", "/apps/mailer/rollback", None).await;
    assert_eq!((status, slug(&none)), (409, "conflict"), "it has one release");
    // An image app takes an image, which is its own from then on.
    let (status, deploy) = client.send("POST", "/apps/mailer/deploys", Some(json!({ "image": "mailer:2.2" }))).await;
    assert_eq!(status, 202, "{deploy}");
    assert_eq!(client.get("/apps/mailer/source").await["image"], "mailer:2.2");
}

#[tokio::test]
async fn pages_of_a_list_follow_each_other() {
    let (_panel, _scene, client) = owner().await;
    for _ in 0..60 {
        client.send("POST", "/apps/mailer/deploys", None).await;
    }
    let (mut seen, mut cursor, mut pages) = (Vec::new(), String::new(), 0);
    loop {
        let page = client.get(&format!("/apps/mailer/deploys{cursor}")).await;
        seen.extend(page["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()));
        pages += 1;
        let Some(next) = page["next"].as_str() else { break };
        cursor = format!("?cursor={next}");
    }
    let count = seen.len();
    seen.dedup();
    assert_eq!((count, seen.len(), pages), (62, 62, 2));
    for wrong in ["/apps/mailer/deploys?cursor=x", "/apps/mailer/deploys?page=2", "/jobs?unfinished=perhaps"] {
        let (status, answer) = client.send("GET", wrong, None).await;
        assert_eq!((status, slug(&answer)), (400, "unreadable"), "{wrong}: {answer}");
    }
}

#[tokio::test]
async fn a_wait_ends_with_the_deploy() {
    let (panel, scene, client) = owner().await;
    let path = format!("/deploys/{}", scene.running);
    let early = client.get(&format!("{path}?wait=1")).await;
    assert_eq!((&early["state"], &early["final"]), (&json!("running"), &json!(false)));
    let whole = format!("{path}?wait=60");
    let waiting = client.get(&whole);
    let ending = async {
        let mut conn = panel.db.superuser().await;
        sqlx::query("update deploys set state = 'failed', finished_at = now(), failure = '{\"why\": \"exited\", \"code\": 1}' where id = $1")
            .bind(scene.running.0)
            .execute(&mut conn)
            .await
            .unwrap();
        sqlx::query("update jobs set state = 'failed', finished_at = now(), lease_until = null where id = $1")
            .bind(scene.job.0)
            .execute(&mut conn)
            .await
            .unwrap();
    };
    let (late, ()) = tokio::join!(waiting, ending);
    assert_eq!((&late["state"], &late["final"]), (&json!("failed"), &json!(true)));
    assert!(late["failure"].is_string() && late["advice"].is_string(), "{late}");
    assert_eq!(client.send("GET", &format!("{path}?wait=61"), None).await.0, 400);
}

#[tokio::test]
async fn a_stream_tells_lines_and_the_end_and_closes_with_its_token() {
    let (panel, scene, client) = owner().await;
    let path = format!("/deploys/{}/events", scene.running);
    let answer = client.request(Method::GET, &format!("{path}?after=8")).send().await.unwrap();
    assert_eq!(answer.headers()[header::CONTENT_TYPE], "application/x-ndjson");
    let mut pieces = answer.bytes_stream();
    let mut text = String::new();
    while !text.contains("\"state\"") {
        text.push_str(std::str::from_utf8(&pieces.next().await.unwrap().unwrap()).unwrap());
    }
    let first: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    assert_eq!((&first["type"], &first["lines"][0]["seq"]), (&json!("lines"), &json!(9)));
    let mut conn = panel.db.superuser().await;
    lines(&mut conn, scene.running, &[("out", "one more")]).await;
    while !text.contains("one more") {
        text.push_str(std::str::from_utf8(&pieces.next().await.unwrap().unwrap()).unwrap());
    }
    // The token is ended: so is the stream.
    let me = client.get("/me").await;
    let id = me["token"]["id"].as_str().unwrap();
    assert_eq!(client.send("DELETE", &format!("/tokens/{id}"), None).await.0, 204);
    let rest = async { while pieces.next().await.is_some() {} };
    tokio::time::timeout(Duration::from_secs(30), rest).await.expect("the stream ends");

    // As server-sent events, of a job that is over.
    let client = Client::new(&panel, &token(&panel, &scene.owner.actor, "viewer").await);
    let path = format!("/deploys/{}/events", scene.failed);
    let answer = client.request(Method::GET, &path).header(header::ACCEPT, "text/event-stream").send().await.unwrap();
    assert_eq!(answer.headers()[header::CONTENT_TYPE], "text/event-stream");
    let all = answer.text().await.unwrap();
    assert!(all.starts_with("id: 5\nevent: lines\ndata: {\"type\":\"lines\""), "{all}");
    assert!(all.trim_end().ends_with("event: end\ndata: {\"type\":\"end\",\"state\":\"failed\"}"), "{all}");
    let page = client.get(&format!("/deploys/{}/log?after=3&limit=1", scene.failed)).await;
    assert_eq!((&page["lines"][0]["seq"], &page["next"], &page["done"]), (&json!(4), &json!(4), &json!(false)));
    let page = client.get(&format!("/deploys/{}/log", scene.failed)).await;
    assert_eq!((page["lines"].as_array().unwrap().len(), &page["done"]), (5, &json!(true)));
}

#[tokio::test]
async fn what_is_set_is_there_and_no_secret_ever_is() {
    let (_panel, _scene, client) = owner().await;
    let value = |value: &str| Some(json!({ "value": value }));
    assert_eq!(client.send("PUT", "/apps/shop/variables/GREETING", value("a\nb")).await.0, 200);
    assert_eq!(client.get("/apps/shop/variables").await["items"], json!([{ "name": "GREETING", "value": "a\nb" }]));
    let (status, line) = client.send("PUT", "/apps/shop/secrets/STRIPE_KEY", value("sk_live_other")).await;
    assert_eq!((status, &line["version"]), (200, &json!(2)));
    let (_, refused) = client.send("PUT", "/apps/shop/secrets/STRIPE_KEY", value("sk_live\0nul")).await;
    assert_eq!(refused["errors"][0]["field"], "value");
    let all =
        [client.get("/apps/shop").await, client.get("/apps/shop/secrets").await, client.get("/audit").await, refused];
    assert!(!json!(all).to_string().contains("sk_live"), "no answer holds it");
    assert_eq!(client.send("DELETE", "/apps/shop/variables/GREETING", None).await.0, 204);
    assert_eq!(client.send("DELETE", "/apps/shop/variables/GREETING", None).await.0, 404);

    let (status, changed) =
        client.send("PATCH", "/apps/shop/configuration", Some(json!({ "memory_mib": null, "cpus": 0.5 }))).await;
    assert_eq!((status, &changed["memory_mib"], &changed["cpus"]), (200, &Value::Null, &json!(0.5)), "{changed}");
    assert_eq!((&changed["health_path"], &changed["instances"]), (&json!("/up"), &json!(2)), "the rest stays");
    let (status, source) = client.send("PATCH", "/apps/shop/source", Some(json!({ "git_branch": "next" }))).await;
    assert_eq!((status, &source["git_branch"], &source["dockerfile"]), (200, &json!("next"), &json!("Dockerfile")));
}

#[tokio::test]
async fn what_another_changed_since_it_was_read_is_not_replaced() {
    let (_panel, _scene, client) = owner().await;
    for (path, mine, theirs, kept) in [
        (
            "/apps/shop/front",
            json!({ "gzip": true }),
            json!({ "maintenance_allow": ["10.0.0.0/8"] }),
            "maintenance_allow",
        ),
        ("/hosts/fra-1/trust", json!({ "cloudflare": true }), json!({ "forwarded": ["10.7.0.0/16"] }), "forwarded"),
    ] {
        let read = client.get(path).await["as_of"].clone();
        assert!(read.is_string(), "{path}");
        let of = |body: &Value, as_of: &Value| {
            let mut body = body.clone();
            body["as_of"] = as_of.clone();
            Some(body)
        };
        let (status, now) = client.send("PUT", path, of(&theirs, &read)).await;
        assert_eq!((status, &now[kept]), (200, &theirs[kept]), "{now}");
        let (status, refused) = client.send("PUT", path, of(&mine, &read)).await;
        assert_eq!((status, &refused["errors"][0]["field"]), (422, &json!("as_of")), "{refused}");
        assert_eq!(client.get(path).await[kept], theirs[kept], "{path}");
        // What a change answers is what the next one is made from; without a word of it whatever is there is replaced.
        assert_eq!(client.send("PUT", path, of(&theirs, &now["as_of"])).await.0, 200);
        let (status, now) = client.send("PUT", path, Some(mine)).await;
        assert_eq!((status, &now[kept]), (200, &json!([])), "{now}");
    }
    let body = json!({ "front": { "gzip": false, "as_of": "0000000000000000" } });
    let (status, refused) = client.send("POST", "/apps/shop/routes/preview", Some(body)).await;
    assert_eq!((status, &refused["errors"][0]["field"]), (422, &json!("as_of")), "{refused}");
}

#[tokio::test]
async fn what_cannot_be_read_is_said_as_such() {
    let (panel, _scene, client) = owner().await;
    let send = async |method: Method, path: &str, kind: &'static str, body: Vec<u8>| {
        let answer = client.request(method, path).header(header::CONTENT_TYPE, kind).body(body).send().await.unwrap();
        assert_eq!(answer.headers()[header::CONTENT_TYPE], "application/problem+json", "{path}");
        assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
        assert!(answer.headers().contains_key("x-request-id"));
        read(answer).await
    };
    let json = "application/json";
    for (method, path, kind, body, expected) in [
        (Method::POST, "/projects", json, b"{".to_vec(), (400, "unreadable")),
        (Method::POST, "/projects", json, b"{} {}".to_vec(), (422, "fields")),
        (Method::POST, "/projects", json, b"{\"name\": \"\xff\"}".to_vec(), (400, "unreadable")),
        (Method::POST, "/projects", "text/plain", b"{}".to_vec(), (415, "media-type")),
        (Method::POST, "/projects", "application/x-www-form-urlencoded", b"name=x".to_vec(), (415, "media-type")),
        (Method::POST, "/projects", json, vec![b' '; 1024 * 1024 + 1], (413, "too-large")),
        (Method::PUT, "/projects", json, b"{}".to_vec(), (405, "method")),
        (Method::POST, "/nothing", json, b"{}".to_vec(), (404, "not-found")),
    ] {
        let (status, answer) = send(method.clone(), path, kind, body).await;
        assert_eq!((status, slug(&answer)), expected, "{method} {path}: {answer}");
        assert_eq!(answer["status"], json!(status));
    }
    // No list of the fields in their order, and no null for no field at all.
    let configuration = "/apps/shop/configuration";
    let before = client.get(configuration).await;
    for (method, path) in
        [(Method::PATCH, configuration), (Method::PUT, "/apps/shop/front"), (Method::POST, "/projects")]
    {
        for (body, said) in [
            ("[]", "a list"),
            (" [\"web\"]", "a list"),
            ("null", "null"),
            ("5", "a number"),
            ("\"a\"", "a text"),
            ("true", "true or"),
        ] {
            let (status, answer) = send(method.clone(), path, json, body.as_bytes().to_vec()).await;
            assert_eq!((status, slug(&answer)), (400, "unreadable"), "{method} {path} {body}: {answer}");
            let detail = answer["detail"].as_str().unwrap();
            assert!(detail.contains(said) && detail.contains("Send an object"), "{body}: {detail}");
        }
        let (status, answer) = send(method.clone(), path, json, b"[1".to_vec()).await;
        assert!(status == 400 && answer["detail"].as_str().unwrap().contains("no JSON"), "{answer}");
    }
    assert_eq!(client.get(configuration).await, before);
    let wrong = client.request(Method::PUT, "/projects").send().await.unwrap();
    assert_eq!(wrong.headers()[header::ALLOW], "GET,HEAD,POST");
    let head = client.request(Method::HEAD, "/projects").send().await.unwrap();
    assert_eq!((head.status().as_u16(), head.text().await.unwrap().len()), (200, 0));
    // Pages are still pages beside it.
    assert_eq!(panel.visitor().get("/api/v2/me").await.status(), 404);
    let page = panel.visitor().get("/nothing").await;
    assert!(page.headers()[header::CONTENT_TYPE].to_str().unwrap().starts_with("text/html"));
}
