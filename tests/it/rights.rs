//! Every route behind the browser's door, asked by everybody, against the committed table rights.txt. A new route without a row
//! fails; `UPDATE_EXPECT=1` writes the table anew, and the difference is then read by a person.

use skiff::domain::rights::Role;
use skiff::web::routes::{Policy, Route};

use crate::harness::door::{Panel, Visitor};
use crate::pages::scene::{self, Scene};

/// Who asks, in the order of the columns.
const WHO: [&str; 6] = ["nobody", "viewer", "developer", "admin", "owner", "stranger"];

/// A path that names what is there.
fn real(route: &Route, scene: &Scene, project: &str, instance: &str) -> String {
    let id = match route.path.split('/').nth(3) {
        Some("apps") => scene.web.to_string(),
        Some("deploys") => scene.running.to_string(),
        Some("jobs") => scene.job.to_string(),
        Some("hosts") => scene.host.to_string(),
        Some("projects") => project.to_owned(),
        Some("tokens") => scene.owner.account.to_string(),
        _ => String::new(),
    };
    let vendored = route.path.contains("vendor");
    let name = if vendored { "ibm-plex-sans-latin-400-normal.woff2" } else { "logo.svg" };
    let fills = [
        ("{team}", scene.owner.slug.as_str()),
        ("{id}", &id),
        ("{instance}", instance),
        ("{number}", "1"),
        ("{hash}", "000000000000"),
        ("{folder}", "ibm-plex-sans-5.3.0"),
        ("{name}", name),
    ];
    fills.iter().fold(route.path.to_owned(), |path, (key, value)| path.replace(key, value))
}

/// What the door said, in a word.
fn word(answer: &reqwest::Response) -> &'static str {
    let to = answer.headers().get("location").map_or("", |to| to.to_str().unwrap());
    match answer.status().as_u16() {
        303 if to.starts_with("/login") => "sign-in",
        403 => "no",
        404 => "hidden",
        405 | 500.. => "broken",
        _ => "yes",
    }
}

async fn ask(visitor: &Visitor, token: &str, route: &Route, path: &str) -> &'static str {
    let answer = match route.method {
        "GET" => visitor.get(path).await,
        _ => visitor.post(path, token, &[]).await,
    };
    word(&answer)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_route_lets_in_whom_the_table_says() {
    let panel = Panel::open().await;
    let scene = scene::set(&panel).await;
    let team = scene.owner.team;
    panel.member("Vera", team, Role::Viewer).await;
    panel.member("Dora", team, Role::Developer).await;
    panel.member("Alan", team, Role::Admin).await;
    let others = panel.other_team().await;
    panel.member("Olaf", others, Role::Owner).await;
    let mut people = vec![(panel.visitor(), panel.visitor())];
    for email in ["vera", "dora", "alan", "ada", "olaf"] {
        let email = format!("{email}@example.org");
        // A second session for signing out, so that the first goes on.
        people.push((panel.signed_in(&email).await, panel.signed_in(&email).await));
    }
    let project: uuid::Uuid =
        sqlx::query_scalar("select id from projects limit 1").fetch_one(&mut panel.db.superuser().await).await.unwrap();

    let instance: uuid::Uuid = sqlx::query_scalar("select id from ledger_instances where app_id = $1 limit 1")
        .bind(scene.web.0)
        .fetch_one(&mut panel.db.superuser().await)
        .await
        .unwrap();

    let mut rows = Vec::new();
    for route in &panel.table {
        let path = real(route, &scene, &project.to_string(), &instance.to_string());
        let mut cells = Vec::new();
        for (index, (visitor, second)) in people.iter().enumerate() {
            let visitor = if route.path == "/logout" { second } else { visitor };
            let open = matches!(route.policy, Policy::Open | Policy::SetUp);
            let token = match (route.method, index) {
                ("GET", _) => String::new(),
                (_, 0) => visitor.token("/login").await,
                _ if open => visitor.form_token.clone(),
                _ => visitor.token("/account").await,
            };
            let said = match (route.path, index) {
                ("/logout", 1..) => {
                    let answer = visitor.post(&path, &token, &[]).await;
                    if answer.status() == 303 && visitor.get("/account").await.status() == 303 {
                        "yes"
                    } else {
                        "broken"
                    }
                }
                _ => ask(visitor, &token, route, &path).await,
            };
            cells.push(said);
        }
        let policy = match route.policy {
            Policy::Open => "open".to_owned(),
            Policy::SetUp => "set-up".to_owned(),
            Policy::Account => "account".to_owned(),
            Policy::Team(permission) => format!("team {permission:?}"),
        };
        if matches!(route.policy, Policy::Team(_)) {
            assert_eq!((cells[0], cells[5]), ("sign-in", "hidden"), "{} {}", route.method, route.path);
        }
        let cells: Vec<String> = cells.iter().map(|cell| format!("{cell:<9}")).collect();
        rows.push(
            format!("{:<4} {:<46} {policy:<18} {}", route.method, route.path, cells.join(" ")).trim_end().to_owned(),
        );
    }
    rows.sort_by_key(|row| row.split_whitespace().map(str::to_owned).nth(1));
    let heads: Vec<String> = WHO.iter().map(|who| format!("{who:<9}")).collect();
    let head = format!("{:<4} {:<46} {:<18} {}", "", "route", "policy", heads.join(" ")).trim_end().to_owned();
    expect_test::expect_file!["rights.txt"].assert_eq(&format!("{head}\n{}\n", rows.join("\n")));
}
