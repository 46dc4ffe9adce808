//! Every call of the API, asked with every kind of token, against the committed table rights.txt. A new call without a row
//! fails; `UPDATE_EXPECT=1` writes the table anew, and the difference is then read by a person.

use serde_json::json;
use skiff::api::routes::{Policy, Route};
use skiff::domain::rights::Role;

use super::{Client, token};
use crate::harness::door::Panel;
use crate::pages::scene::{self, Scene};

/// Whose token, and for which role it was made, in the order of the columns. The first two bring none, or a session only.
const WHO: [&str; 9] =
    ["nobody", "session", "viewer", "developer", "admin", "owner", "owner:v", "viewer:o", "stranger"];

/// A path that names what is there.
fn real(route: &Route, scene: &Scene, project: &str, environment: &str) -> String {
    let id = match route.path.split('/').nth(1) {
        Some("deploys") => scene.running.to_string(),
        Some("jobs") => scene.job.to_string(),
        Some("projects") => project.to_owned(),
        _ => scene.owner.account.to_string(),
    };
    let fills = [
        ("{app}", scene.web.to_string()),
        ("{host}", scene.host.to_string()),
        ("{id}", id),
        ("{environment}", environment.to_owned()),
        ("{number}", "1".to_owned()),
        ("{name}", "NOT_THERE".to_owned()),
    ];
    let path = fills.iter().fold(route.path.to_owned(), |path, (key, value)| path.replace(key, value));
    // Of nobody, so that no host is asked.
    if path.ends_with("/logs") { path + "?instance=99" } else { path }
}

/// A body of the right form, so that the action is asked. Most say what no action takes, so that little is changed.
fn body(route: &Route) -> serde_json::Value {
    match route.path.rsplit('/').next().unwrap_or_default() {
        "apps" => json!({ "name": "", "source": {} }),
        "hosts" => json!({ "name": "", "address": "" }),
        "removal" if route.path.starts_with("/members") => json!({ "email": "" }),
        "removal" if route.path.contains("copies") => json!({ "host": "", "name": "" }),
        "projects" | "environments" | "{app}" | "{environment}" | "removal" | "team" | "teams" => json!({ "name": "" }),
        "{id}" if route.path == "/projects/{id}" => json!({ "name": "" }),
        "dockerfile" => json!({ "text": "" }),
        "{name}" => json!({ "value": "x" }),
        "routes" => json!({ "domain": "" }),
        "move" => json!({ "app": uuid::Uuid::nil() }),
        "maintenance" => json!({ "on": false }),
        "base-domain" => json!({ "domain": null }),
        "certificate-orders" => json!({ "names": [] }),
        "certificates" if route.path.starts_with("/apps") => json!({ "domain": "" }),
        "dns-accounts" => json!({ "name": "", "kind": "" }),
        "certificate-authority" => json!({ "authority": "", "terms_agreed": false }),
        "volumes" => json!({ "name": "", "path": "" }),
        "key" => json!({ "host_key": "" }),
        "http-port" => json!({ "http_port": 0 }),
        "certificates" => json!({ "chain": "", "key": "" }),
        "hsts" => json!({ "hsts": false }),
        "address" => json!({ "domain": "" }),
        "part" => json!({ "builds": false }),
        "tokens" => json!({ "name": "", "role": "viewer", "days": 1 }),
        "placement" | "scale" => json!({ "places": [] }),
        "hook" => json!({ "provider": "" }),
        "invitations" => json!({ "role": "viewer", "days": 0 }),
        "grants" => json!({ "role": "viewer" }),
        "leave" => json!({ "team": "" }),
        _ => json!({}),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_call_lets_in_whom_the_table_says() {
    let panel = Panel::open().await;
    let scene = scene::set(&panel).await;
    let team = scene.owner.team;
    let others = panel.other_team().await;
    let mut tokens = vec![String::new(), String::new()];
    for (name, team, slug, role, cap) in [
        ("Vera", team, scene.owner.slug.as_str(), Role::Viewer, "viewer"),
        ("Dora", team, &scene.owner.slug, Role::Developer, "developer"),
        ("Alan", team, &scene.owner.slug, Role::Admin, "admin"),
        ("Olga", team, &scene.owner.slug, Role::Owner, "owner"),
        ("Otto", team, &scene.owner.slug, Role::Owner, "viewer"),
        ("Vito", team, &scene.owner.slug, Role::Viewer, "owner"),
        ("Olaf", others, "others", Role::Owner, "owner"),
    ] {
        let account = panel.member(name, team, role).await;
        let actor = skiff::actions::accounts::actor(&panel.ctx, account, slug, "").await.unwrap();
        tokens.push(token(&panel, &actor, cap).await);
    }
    let project: uuid::Uuid =
        sqlx::query_scalar("select id from projects limit 1").fetch_one(&mut panel.db.superuser().await).await.unwrap();
    let environment: uuid::Uuid = sqlx::query_scalar("select id from environments where project_id = $1 limit 1")
        .bind(project)
        .fetch_one(&mut panel.db.superuser().await)
        .await
        .unwrap();
    let ada = panel.signed_in("ada@example.org").await;

    let mut rows = Vec::new();
    for route in &panel.calls {
        let path = real(route, &scene, &project.to_string(), &environment.to_string());
        let mut cells = Vec::new();
        for (index, token) in tokens.iter().enumerate() {
            let client = Client::new(&panel, token);
            let mut request = match index {
                1 => ada.http.request(route.method.parse().unwrap(), ada.at(&format!("/api/v1{path}"))),
                0 => reqwest::Client::new()
                    .request(route.method.parse().unwrap(), format!("{}/api/v1{path}", panel.base)),
                _ => client.request(route.method.parse().unwrap(), &path),
            };
            if route.method != "GET" {
                request = request.json(&body(route));
            }
            let answer = request.send().await.unwrap();
            cells.push(match answer.status().as_u16() {
                401 => "token",
                403 => "no",
                404 => "hidden",
                405 | 429 | 500.. => "broken",
                _ => "yes",
            });
        }
        let policy = match route.policy {
            Policy::Open => "open".to_owned(),
            Policy::Token(permission) => format!("{permission:?}"),
        };
        if let Policy::Token(_) = route.policy {
            assert_eq!((cells[0], cells[1]), ("token", "token"), "{} {}", route.method, route.path);
            assert_eq!(
                cells[2], cells[6],
                "an owner's token for a viewer is a viewer's: {} {}",
                route.method, route.path
            );
            assert_eq!(cells[2], cells[7], "a viewer's for an owner too: {} {}", route.method, route.path);
        }
        let cells: Vec<String> = cells.iter().map(|cell| format!("{cell:<9}")).collect();
        rows.push(
            format!("{:<6} {:<36} {policy:<14} {}", route.method, route.path, cells.join(" ")).trim_end().to_owned(),
        );
    }
    rows.sort_by_key(|row| row.split_whitespace().map(str::to_owned).nth(1));
    let heads: Vec<String> = WHO.iter().map(|who| format!("{who:<9}")).collect();
    let head = format!("{:<6} {:<36} {:<14} {}", "", "call", "policy", heads.join(" ")).trim_end().to_owned();
    expect_test::expect_file!["rights.txt"].assert_eq(&format!("{head}\n{}\n", rows.join("\n")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_anothers_looks_like_what_is_not_there() {
    let panel = Panel::open().await;
    let scene = scene::set(&panel).await;
    let others = panel.other_team().await;
    let account = panel.member("Olaf", others, Role::Owner).await;
    let olaf = skiff::actions::accounts::actor(&panel.ctx, account, "others", "").await.unwrap();
    let client = Client::new(&panel, &token(&panel, &olaf, "owner").await);
    let mut root = panel.db.superuser().await;
    let (project, environment): (uuid::Uuid, uuid::Uuid) = sqlx::query_as(
        "select e.project_id, e.id from environments e join apps a on a.environment_id = e.id where a.id = $1",
    )
    .bind(scene.web.0)
    .fetch_one(&mut root)
    .await
    .unwrap();
    let known = [scene.web.0, scene.host.0, scene.running.0, scene.job.0, scene.owner.account.0, project, environment];
    let mut alike = 0;
    for route in &panel.calls {
        let there = real(route, &scene, &project.to_string(), &environment.to_string());
        let fresh = |path: String, id: &uuid::Uuid| path.replace(&id.to_string(), &uuid::Uuid::now_v7().to_string());
        let not = known.iter().fold(there.clone(), fresh);
        if there == not {
            continue;
        }
        let mut said = Vec::new();
        for path in [&there, &not] {
            let mut request = client.request(route.method.parse().unwrap(), path);
            if route.method != "GET" {
                request = request.json(&body(route));
            }
            let answer = request.send().await.unwrap();
            said.push((answer.status().as_u16(), answer.text().await.unwrap()));
        }
        assert_eq!(said[0].0, 404, "{} {there}: {said:?}", route.method);
        assert_eq!(said[0], said[1], "{} {there} and {not}", route.method);
        alike += 1;
    }
    assert!(alike > 50, "{alike}");
}
