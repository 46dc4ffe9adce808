//! The description: it is OpenAPI, names every call and no other, and real answers are as it says.

use skiff::actions::certificates::{self, NewCertificate};
use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Client, token};
use crate::harness::door::Panel;
use crate::harness::tls::Authority;
use crate::pages::scene;

async fn document(panel: &Panel) -> Value {
    let answer = reqwest::get(format!("{}/api/v1/openapi.json", panel.base)).await.unwrap();
    assert_eq!(answer.status(), 200, "without a token");
    answer.json().await.unwrap()
}

/// Every reference in it.
fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            found.extend(map.get("$ref").and_then(Value::as_str).map(str::to_owned));
            map.values().for_each(|value| references(value, found));
        }
        Value::Array(all) => all.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

/// What is removed only by who names it once more.
const NAMED_AGAIN: [&str; 4] =
    ["/apps/{app}", "/hosts/{host}", "/projects/{id}", "/projects/{id}/environments/{environment}"];

#[tokio::test]
async fn it_names_every_call_and_no_other() {
    let panel = Panel::open().await;
    let document = document(&panel).await;
    assert_eq!((&document["openapi"], &document["servers"][0]["url"]), (&json!("3.1.0"), &json!("/api/v1")));
    let mut told = BTreeSet::new();
    let mut ids = BTreeSet::new();
    for (path, calls) in document["paths"].as_object().unwrap() {
        for (method, call) in calls.as_object().unwrap() {
            told.insert(format!("{} {path}", method.to_uppercase()));
            let at = format!("{method} {path}");
            assert!(ids.insert(call["operationId"].as_str().unwrap().to_owned()), "{at}: {}", call["operationId"]);
            assert!(!call["summary"].as_str().unwrap().is_empty(), "{at}");
            assert!(call["responses"]["default"]["$ref"].is_string(), "{at}");
            let parameters = call["parameters"].as_array().cloned().unwrap_or_default();
            for name in path.split('{').skip(1).map(|rest| rest.split('}').next().unwrap()) {
                let known = |p: &&Value| p["in"] == "path" && p["name"] == name && p["required"] == true;
                assert_eq!(parameters.iter().filter(known).count(), 1, "{at}: {name}");
            }
            // What is removed for good is named once more in the body.
            let writes = matches!(method.as_str(), "post" | "put" | "patch") || NAMED_AGAIN.contains(&path.as_str());
            assert_eq!(call["requestBody"].is_object(), method != "get" && writes, "{at}: a body");
        }
    }
    let there: BTreeSet<String> = panel.calls.iter().map(|call| format!("{} {}", call.method, call.path)).collect();
    assert_eq!(told, there);
    let mut all = BTreeSet::new();
    references(&document, &mut all);
    assert!(all.len() > 30, "{all:?}");
    for reference in all {
        let at = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(at).is_some(), "{reference} leads nowhere");
    }
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        jsonschema::meta::validate(schema).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

/// Holds an answer against what the document says of it.
fn check(document: &Value, method: &str, path: &str, status: u16, answer: &Value) {
    let call = &document["paths"][path][method];
    let told = match call["responses"].get(status.to_string()) {
        Some(told) => &told["content"]["application/json"]["schema"],
        None => {
            assert!(status >= 400, "{method} {path}: {status} is not told of");
            &document["components"]["responses"]["Problem"]["content"]["application/problem+json"]["schema"]
        }
    };
    assert!(told.is_object(), "{method} {path} {status}: {call}");
    let mut schema = told.clone();
    schema["components"] = document["components"].clone();
    let validator = jsonschema::options().should_validate_formats(true).build(&schema).unwrap();
    let wrong: Vec<String> =
        validator.iter_errors(answer).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(wrong.is_empty(), "{method} {path} {status}: {wrong:#?}\n{answer:#}");
}

#[tokio::test]
async fn answers_are_as_it_says() {
    let panel = Panel::open().await;
    let scene = scene::set(&panel).await;
    let document = document(&panel).await;
    let client = Client::new(&panel, &token(&panel, &scene.owner.actor, "owner").await);
    let (app, deploy, job, host) = (scene.web, scene.running, scene.job, scene.host);
    let mut conn = panel.db.superuser().await;
    sqlx::query(
        "insert into deliveries (team_id, id, app_id, provider, key, event, branch, commit_id, author, subject, address)
         select team_id, gen_random_uuid(), id, 'github', 'one', 'push', 'main', '', 'Ada', 'Sell', '' from apps where id = $1",
    )
    .bind(app.0)
    .execute(&mut conn)
    .await
    .unwrap();
    // What an instance prints and is, is shown where its secrets are known: these releases have none.
    for line in [
        "set session_replication_role = replica", // releases are never changed otherwise
        "update releases set body = jsonb_set(body, '{spec,secrets}', '{}')",
        "set session_replication_role = origin",
    ] {
        sqlx::query(line).execute(&mut conn).await.unwrap();
    }
    let made = Authority::new("Test Authority").issue(&["shop.test"], 90);
    let upload = NewCertificate { chain: made.chain, key: made.key };
    certificates::upload(&panel.ctx, &scene.owner.actor, upload).await.unwrap();
    let mut first = async |of: &str| -> uuid::Uuid {
        let one = sqlx::query_scalar(sqlx::AssertSqlSafe(format!("select id from {of} limit 1")));
        one.fetch_one(&mut conn).await.unwrap()
    };
    let (project, member) = (first("projects").await, first("members").await);
    let instance = first(&format!("ledger_instances where app_id = '{app}'")).await;
    let (delivery, certificate) = (first("deliveries").await, first("certificates").await);
    let mut asked = 0;
    for call in panel.calls.iter().filter(|call| call.method == "GET") {
        if ["/events", "/logs", "/script", ".txt", ".json"].iter().any(|end| call.path.ends_with(end)) {
            continue;
        }
        let id = match call.path.split('/').rev().nth(1).unwrap() {
            _ if call.path.starts_with("/deploys") => deploy.to_string(),
            _ if call.path.starts_with("/jobs") => job.to_string(),
            "members" => member.to_string(),
            "instances" => instance.to_string(),
            "deliveries" => delivery.to_string(),
            "certificates" => certificate.to_string(),
            _ => project.to_string(),
        };
        let fills = [("{app}", app.to_string()), ("{host}", host.to_string()), ("{id}", id), ("{number}", "2".into())];
        let path = fills.iter().fold(call.path.to_owned(), |path, (key, value)| path.replace(key, value));
        let (status, answer) = client.send("GET", &path, None).await;
        assert_eq!(status, 200, "{path}: {answer}");
        check(&document, "get", call.path, status, &answer);
        asked += 1;
    }
    assert!(asked > 20, "{asked}");
    // What is written, and what is refused.
    let new = json!({ "name": "Blog", "host": host, "source": { "from": "image", "image": "blog:1" }, "configuration": { "port": 8080 } });
    for (method, told, path, body, expected) in [
        ("post", "/apps", "/apps".to_owned(), new, 201),
        ("post", "/apps", "/apps".to_owned(), json!({ "name": "Blog" }), 422),
        ("patch", "/apps/{app}", format!("/apps/{app}"), json!({ "name": "Shop" }), 200),
        ("patch", "/apps/{app}/configuration", format!("/apps/{app}/configuration"), json!({ "memory_mib": 256 }), 200),
        ("put", "/apps/{app}/secrets/{name}", format!("/apps/{app}/secrets/KEY"), json!({ "value": "s" }), 200),
        ("post", "/apps/{app}/deploys", format!("/apps/{app}/deploys"), json!({ "ref": "main" }), 202),
        ("post", "/apps/{app}/deploys/preview", format!("/apps/{app}/deploys/preview"), json!({}), 200),
        ("post", "/tokens", "/tokens".to_owned(), json!({ "name": "x", "role": "viewer", "days": 1 }), 201),
        ("post", "/projects", "/projects".to_owned(), json!({ "name": "x" }), 201),
        ("post", "/apps/{app}/hook", format!("/apps/{app}/hook"), json!({ "provider": "github" }), 201),
        ("get", "/apps/{app}/hook", format!("/apps/{app}/hook"), Value::Null, 200),
        ("post", "/apps/{app}/hook/rotate", format!("/apps/{app}/hook/rotate"), json!({}), 200),
        (
            "post",
            "/apps/{app}/deliveries/{id}/replay",
            format!("/apps/{app}/deliveries/{delivery}/replay"),
            json!({}),
            202,
        ),
        ("post", "/invitations", "/invitations".to_owned(), json!({ "role": "viewer" }), 201),
        ("get", "/invitations", "/invitations".to_owned(), Value::Null, 200),
        ("put", "/members/{id}/grants", format!("/members/{member}/grants"), json!({ "role": "owner" }), 200),
        ("patch", "/team", "/team".to_owned(), json!({ "name": "Acme & Sons" }), 200),
        ("post", "/teams", "/teams".to_owned(), json!({ "name": "Other" }), 201),
        ("get", "/apps/{app}", format!("/apps/{project}"), Value::Null, 404),
    ] {
        let body = (!body.is_null()).then_some(body);
        let (status, answer) = client.send(&method.to_uppercase(), &path, body).await;
        assert_eq!(status, expected, "{path}: {answer}");
        check(&document, method, told, status, &answer);
    }
}
