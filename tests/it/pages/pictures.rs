//! Every page of a team at work, as a browser draws it: nothing sticks out, nothing complains, and a picture is left in light,
//! dark and at 390 px.

use fantoccini::Locator;

use skiff::actions::apps::{self, NewRoute, Pair, RemoveApp};
use skiff::actions::hooks;
use skiff::actions::hosts::{self, GivePass, NewHost};
use skiff::actions::projects::{self, NewEnvironment};
use skiff::actions::routes::{self, EditRules};
use skiff::domain::ids::{HostId, ProjectId, RouteId};

use crate::harness::browser::{Browser, WAIT};
use crate::harness::door::{PASSWORD, Panel};
use crate::hooks::{ONE, shapes, sign};

use super::{dockerfiles, scene};

pub async fn sign_in(browser: &Browser, panel: &Panel) {
    browser.client.goto(&format!("{}/login", panel.base)).await.unwrap();
    browser.fill("email", "ada@example.org").await;
    browser.fill("password", PASSWORD).await;
    browser.press("Sign in").await;
    browser.wait_for_words("Lately").await;
}

/// Opens a page, looks that it is whole, takes its picture.
pub async fn look(browser: &Browser, panel: &Panel, name: &str, path: &str) {
    browser.client.goto(&format!("{}{path}", panel.base)).await.unwrap();
    browser.client.wait().at_most(WAIT).for_element(Locator::Css("h1")).await.unwrap();
    for width in [1280, 900, 390, 360] {
        browser.window(width, 844, width < 500).await;
        assert!(!browser.overflows().await, "{path} sticks out at {width} px");
        assert!(!browser.headings_cross().await, "a heading of {path} crosses its line at {width} px");
    }
    browser.window(1280, 900, false).await;
    browser.picture(name).await;
    let complaints: Vec<String> =
        browser.console().await.into_iter().filter(|line| !line.starts_with("DEBUG")).collect();
    assert_eq!(complaints, Vec::<String>::new(), "{path}");
}

/// Gives the app a route with rules, another that redirects, and a front.
async fn with_rules(panel: &Panel, scene: &scene::Scene) -> RouteId {
    let (ctx, owner) = (&panel.ctx, &scene.owner.actor);
    let rules = EditRules {
        users: vec![Pair { name: "ada".into(), value: "a long password".into() }],
        allow: "203.0.113.0/24\n2001:db8::/32".into(),
        answer_headers: "X-Robots-Tag: noindex".into(),
        body_mb: "20".into(),
        ..EditRules::default()
    };
    let admin = NewRoute { domain: "shop.example".into(), path: "/admin".into() };
    let made = routes::add(ctx, owner, scene.web, admin, rules).await.unwrap();
    let moved = EditRules { redirect: "https://shop.example".into(), ..EditRules::default() };
    let www = NewRoute { domain: "www.shop.example".into(), path: "/".into() };
    routes::add(ctx, owner, scene.web, www, moved).await.unwrap();
    made.route.unwrap()
}

/// A host that was added with a password, whose jump host has just shown its key.
async fn behind_a_jump_host(panel: &Panel, scene: &scene::Scene) -> HostId {
    let form = NewHost {
        name: "inner-3".into(),
        address: "10.20.0.3".into(),
        jump: "skiff@gate.example.org:2222".into(),
        pass: GivePass { password: "never shown".into(), ..GivePass::default() },
        ..NewHost::default()
    };
    let host = hosts::create(&panel.ctx, &scene.owner.actor, form).await.unwrap();
    let seen = "update hosts set jump_key_seen = 'SHA256:5w8cLJ1iTqzgU0yV2m3o4Qe7hJxkPz9rYbN6tDfGsWA',
                       jump_key_seen_kind = 'ssh-ed25519' where id = $1";
    sqlx::query(seen).bind(host.0).execute(&mut panel.db.superuser().await).await.unwrap();
    host
}

/// Has pushes deploy the app, and one come in.
async fn pushed(panel: &Panel, scene: &scene::Scene) {
    let (ctx, by) = (&panel.ctx, &scene.owner.actor);
    let secret = hooks::create(ctx, by, scene.web, "github").await.unwrap().secret;
    let url = hooks::get(ctx, by, scene.web).await.unwrap().hook.unwrap().url;
    let body = shapes::github_push("refs/heads/main", ONE);
    let answer = reqwest::Client::new()
        .post(url)
        .header("content-type", "application/json")
        .header("x-github-event", "push")
        .header("x-github-delivery", "one")
        .header("x-hub-signature-256", format!("sha256={}", sign(secret.expose(), body.as_bytes())))
        .body(body)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 202, "{}", answer.text().await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_of_a_team_at_work_are_whole() {
    let panel = Panel::open().await;
    let link = panel.set_up_link().await;
    let browser = Browser::start().await;
    let path = link.strip_prefix(&panel.base).unwrap_or(&link).to_owned();
    look(&browser, &panel, "setup", &path).await;
    let scene = scene::set(&panel).await;
    look(&browser, &panel, "login", "/login").await;
    sign_in(&browser, &panel).await;
    let team = format!("/t/{}", scene.owner.slug);
    let web = format!("{team}/apps/{}", scene.web);
    look(&browser, &panel, "home", &team).await;
    look(&browser, &panel, "apps", &format!("{team}/apps")).await;
    look(&browser, &panel, "app-new", &format!("{team}/apps/new")).await;
    look(&browser, &panel, "app", &web).await;
    look(&browser, &panel, "app-configuration", &format!("{web}/configuration")).await;
    look(&browser, &panel, "app-source", &format!("{web}/source")).await;
    dockerfiles::looked(&panel, scene.web, None).await;
    look(&browser, &panel, "app-source-written", &format!("{web}/source")).await;
    let edited = "FROM node:22-bookworm-slim\nWORKDIR /app\nCOPY . .\nRUN npm ci\nCMD [\"npm\", \"start\"]\n";
    dockerfiles::looked(&panel, scene.web, Some((edited, "Ada"))).await;
    look(&browser, &panel, "app-source-edited", &format!("{web}/source")).await;
    look(&browser, &panel, "app-variables", &format!("{web}/variables")).await;
    let route = with_rules(&panel, &scene).await;
    look(&browser, &panel, "app-routes", &format!("{web}/routes")).await;
    let ports = Locator::XPath("//summary[contains(., 'Ports without HTTP')]");
    browser.client.find(ports).await.unwrap().click().await.unwrap();
    for width in [1280, 900, 390, 360] {
        browser.window(width, 844, width < 500).await;
        assert!(!browser.overflows().await, "the form of ports sticks out at {width} px");
    }
    browser.window(1280, 900, false).await;
    browser.picture("app-routes-ports").await;
    look(&browser, &panel, "app-route", &format!("{web}/routes/{route}")).await;
    browser.press("See what changes").await;
    browser.wait_for_words("nothing is saved yet").await;
    for width in [1280, 900, 390, 360] {
        browser.window(width, 844, width < 500).await;
        assert!(!browser.overflows().await, "what changes sticks out at {width} px");
    }
    browser.window(1280, 900, false).await;
    browser.picture("app-route-changes").await;
    look(&browser, &panel, "app-volumes", &format!("{web}/volumes")).await;
    look(&browser, &panel, "releases", &format!("{web}/releases")).await;
    look(&browser, &panel, "release", &format!("{web}/releases/2")).await;
    look(&browser, &panel, "deploy-plan", &format!("{web}/deploys/new")).await;
    look(&browser, &panel, "deploy-running", &format!("{team}/deploys/{}", scene.running)).await;
    look(&browser, &panel, "deploy-failed", &format!("{team}/deploys/{}", scene.failed)).await;
    look(&browser, &panel, "hosts", &format!("{team}/hosts")).await;
    look(&browser, &panel, "doctor", &format!("{team}/doctor?now=yes")).await;
    look(&browser, &panel, "docs", "/docs").await;
    look(&browser, &panel, "docs-page", "/docs/deploy-failures").await;
    look(&browser, &panel, "docs-table", "/docs/cli").await;
    look(&browser, &panel, "docs-search", "/docs/search?q=health+check").await;
    look(&browser, &panel, "host-new", &format!("{team}/hosts/new")).await;
    look(&browser, &panel, "host", &format!("{team}/hosts/{}", scene.host)).await;
    look(&browser, &panel, "host-front", &format!("{team}/hosts/{}/front", scene.host)).await;
    look(&browser, &panel, "host-script", &format!("{team}/hosts/script")).await;
    look(&browser, &panel, "host-settings", &format!("{team}/hosts/{}/settings", scene.host)).await;
    let behind = behind_a_jump_host(&panel, &scene).await;
    look(&browser, &panel, "host-jump-key", &format!("{team}/hosts/{behind}")).await;
    look(&browser, &panel, "host-jump-settings", &format!("{team}/hosts/{behind}/settings")).await;
    let preparing = hosts::provision(&panel.ctx, &scene.owner.actor, scene.host).await.unwrap();
    look(&browser, &panel, "jobs", &format!("{team}/jobs")).await;
    look(&browser, &panel, "job", &format!("{team}/jobs/{preparing}")).await;
    look(&browser, &panel, "projects", &format!("{team}/projects")).await;
    look(&browser, &panel, "history", &format!("{team}/audit")).await;
    for width in [1280, 1024, 900] {
        browser.window(width, 900, false).await;
        let (from, to) = (browser.top_of("#from").await, browser.top_of("#to").await);
        assert_eq!(from, to, "the two ends of a time stand side by side at {width} px");
        let whole = browser.top_of("#who").await == from;
        assert!(whole || width < 1280, "the search has one line at {width} px");
    }
    look(&browser, &panel, "account", "/account").await;
    look(&browser, &panel, "app-push-none", &format!("{web}/push")).await;
    pushed(&panel, &scene).await;
    look(&browser, &panel, "app-push", &format!("{web}/push")).await;
    // With another app of the web, a route can be led to it, and what that changes is seen before.
    let mut form = scene::web_form("Next");
    form.host = scene.host.to_string();
    apps::create(&panel.ctx, &scene.owner.actor, form).await.unwrap();
    look(&browser, &panel, "app-route-move", &format!("{web}/routes/{route}")).await;
    let see = "//section[contains(., 'Lead it to another app')]//button[contains(., 'See what changes')]";
    browser.client.find(Locator::XPath(see)).await.unwrap().click().await.unwrap();
    browser.wait_for_words("nothing is saved yet").await;
    browser.picture("app-route-move-changes").await;
    look(&browser, &panel, "app-settings", &format!("{web}/settings")).await;
    look(&browser, &panel, "tokens", &format!("{team}/tokens")).await;
    look(&browser, &panel, "members", &format!("{team}/members")).await;
    look(&browser, &panel, "invitation-new", &format!("{team}/invitations/new")).await;
    look(&browser, &panel, "teams", "/teams").await;
    // An app that was removed: what is left to see of it, of its volume, and on its host.
    let form = RemoveApp { name: "Shop".into(), volumes: String::new() };
    apps::remove(&panel.ctx, &scene.owner.actor, scene.web, form).await.unwrap();
    let made = "insert into ledger_volume_places (team_id, volume_id, host_id)
                select team_id, id, $1 from ledger_volumes where app_id = $2";
    let mut root = panel.db.superuser().await;
    sqlx::query(made).bind(scene.host.0).bind(scene.web.0).execute(&mut root).await.unwrap();
    look(&browser, &panel, "app-removed", &web).await;
    look(&browser, &panel, "host-with-leftovers", &format!("{team}/hosts/{}", scene.host)).await;
    sqlx::query("update apps set cleared_at = now() where id = $1").bind(scene.web.0).execute(&mut root).await.unwrap();
    look(&browser, &panel, "app-removed-whole", &web).await;
    look(&browser, &panel, "projects-with-volumes", &format!("{team}/projects")).await;
    let project: uuid::Uuid = sqlx::query_scalar("select id from projects").fetch_one(&mut root).await.unwrap();
    let form = NewEnvironment { name: "stage".into() };
    projects::create_environment(&panel.ctx, &scene.owner.actor, ProjectId(project), form).await.unwrap();
    look(&browser, &panel, "project", &format!("{team}/projects/{project}")).await;
}
