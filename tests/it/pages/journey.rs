//! The whole way in a browser: from the link the program prints to an app that answers at its address, deployed again while
//! people use it, broken, and brought back. The panel is the real program; host, repository and proxy are real.

use fantoccini::Locator;

use super::walk::{User, Walk, commit};
use crate::build::forge::{Behaviour, Forge};
use crate::build::repo::Repo;
use crate::harness::door::PASSWORD;
use crate::harness::host::TestHost;
use crate::harness::quiet::assert_quiet;
use crate::harness::served::Served;

/// Where the app is served.
const DOMAIN: &str = "hello.example";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_the_set_up_link_to_a_rollback() {
    let repo = Repo::new();
    commit(&repo, 1, "Say hello").await;
    std::os::unix::fs::symlink(repo.path().join(".git"), repo.root.path().join("hello.git")).unwrap();
    let forge = Forge::serve(repo.root.path(), Behaviour::default()).await;
    let host = TestHost::bare().await;
    let panel = Served::start(&forge.ca_file).await;
    let mut walk = Walk::new(&panel.base, "journey", DOMAIN, &format!("MAP {DOMAIN} {}", host.address)).await;

    walk.browser.client.goto(&panel.set_up_link()).await.unwrap();
    walk.look("setup").await;
    walk.fill(&[("name", "Ada Lovelace"), ("email", "ada@example.org"), ("password", PASSWORD), ("team", "Harbour")])
        .await;
    walk.press("Become the owner").await;
    walk.says("Add the first host").await;
    walk.team = walk.path().await;
    walk.look("home-empty").await;

    add_host(&walk, &host).await;
    make_app(&walk, forge.url("hello.git").as_ref()).await;
    let app = walk.path().await;
    first_deploy(&walk).await;
    walk.open(&app).await;
    assert_eq!(walk.visit_app().await, "1");

    let user = User::of(&host, DOMAIN);
    commit(&repo, 2, "Say hello to everybody who asks").await;
    second_deploy(&walk, &app).await;
    walk.open(&app).await;
    assert_eq!(walk.visit_app().await, "2");
    walk.says("2 of 2 instances").await;
    walk.look("app").await;
    bad_deploy(&walk, &app).await;
    roll_back(&walk, &app).await;
    walk.open(&app).await;
    assert_eq!(walk.visit_app().await, "1");
    user.was_served().await;

    places(&walk).await;
    sign_out_and_in(&walk).await;
    assert_quiet(&panel.db).await;
    assert!(!panel.said().contains(" ERROR "), "{}", panel.said());
    panel.stop().await;
}

/// Home says that a host is missing; at the end it is ready.
async fn add_host(walk: &Walk, host: &TestHost) {
    walk.press("Add host").await;
    walk.says("Where it answers SSH").await;
    walk.look("host-new").await;
    walk.fill(&[("name", "fra-1"), ("address", &host.address)]).await;
    if host.port != 22 {
        walk.press("SSH").await;
        walk.fill(&[("port", &host.port.to_string())]).await;
    }
    walk.press("Add host").await;
    walk.says_at_last("The server shows the key").await;
    walk.says(&host.host_key).await;
    walk.look("host-key").await;
    let line = walk.browser.wait_text("#first-key").await;
    let line = line.split('\'').nth(1).unwrap();
    let keys = host.path("/root/.ssh/authorized_keys");
    let known = std::fs::read_to_string(&keys).unwrap();
    std::fs::write(keys, format!("{known}{line}\n")).unwrap();
    let page = walk.path().await;
    walk.press("Confirm and make ready").await;
    walk.says("The key is pinned").await;
    walk.says_at_last("succeeded").await;
    walk.look("host-job").await;
    walk.open(&page).await;
    walk.says("Ready for an app").await;
    walk.look("host-ready").await;
}

/// From the host's page to an app that was never deployed.
async fn make_app(walk: &Walk, repository: &str) {
    walk.press("New app").await;
    walk.says("Name it and say where it comes from").await;
    walk.look("app-new").await;
    walk.fill(&[("name", "Hello"), ("git_url", repository), ("port", "8080"), ("routes.1", DOMAIN)]).await;
    walk.press("Variables and secrets").await;
    walk.fill(&[("variables.1", "START_DELAY_MS"), ("variables.2", "3000")]).await;
    walk.fill(&[("secrets.1", "API_KEY"), ("secrets.2", "never shown again")]).await;
    walk.press("Health").await;
    walk.fill(&[("health_path", "/up"), ("health_start_period_s", "8")]).await;
    walk.press("From one release").await;
    walk.fill(&[("drain_s", "5"), ("watch_s", "3")]).await;
    walk.press("Create app").await;
    walk.says("Hello was never deployed").await;
    walk.look("app-never-deployed").await;
}

/// The plan, then the deploy as it goes on.
async fn first_deploy(walk: &Walk) {
    walk.press("See the plan").await;
    walk.says("What will be done").await;
    walk.look("deploy-plan").await;
    walk.press("Deploy").await;
    walk.says_at_last("wait until Hello-1 v1 is healthy").await;
    walk.says("The app opens once it is healthy.").await;
    walk.look("deploy-running").await;
    walk.says_at_last("succeeded").await;
    walk.says("COPY hello /hello").await;
    walk.look("deploy-succeeded").await;
    walk.press("Open http://").await;
    assert_eq!(walk.browser.wait_text("body").await, "1");
    walk.browser.client.back().await.unwrap();
}

/// An edit is pending until the next deploy; that one brings the new commit as well.
async fn second_deploy(walk: &Walk, app: &str) {
    walk.tab("Variables").await;
    walk.fill(&[("name", "GREETING"), ("value", "Ahoy")]).await;
    walk.press("Set variable").await;
    walk.says("Saved. It takes effect with the next deploy.").await;
    walk.look("app-variables").await;
    walk.tab("Configuration").await;
    walk.fill(&[("memory_mib", "96"), ("instances", "2")]).await;
    walk.press("Save").await;
    walk.says("Saved. It takes effect with the next deploy.").await;
    walk.look("app-configuration").await;
    walk.tab("Overview").await;
    walk.says("Pending").await;
    walk.says("Ahoy").await;
    walk.look("app-pending").await;
    walk.press("See the plan").await;
    walk.says("96 MB").await;
    walk.look("deploy-plan-changes").await;
    walk.press("Deploy").await;
    walk.says_at_last("succeeded").await;
    walk.titled("succeeded · Deploy").await;
    // What runs is asked for every five seconds; the answer has a title of its own.
    tokio::time::sleep(std::time::Duration::from_secs(6)).await;
    walk.titled("succeeded · Deploy").await;
    walk.says("1 → v2").await;
    walk.look("deploy-second").await;
    walk.open(app).await;
}

/// A version that is never well does not go live.
async fn bad_deploy(walk: &Walk, app: &str) {
    walk.tab("Variables").await;
    walk.fill(&[("name", "UP_STATUS"), ("value", "500")]).await;
    walk.press("Set variable").await;
    walk.says("Saved.").await;
    walk.tab("Overview").await;
    walk.press("Deploy").await;
    walk.says_at_last("The old version goes on serving").await;
    walk.says("The health check was answered with status 500").await;
    walk.says("more steps were left out").await;
    walk.look("deploy-failed").await;
    walk.open(app).await;
    walk.says("The last deploy failed").await;
    walk.says("v2 goes on serving.").await;
    walk.look("app-needs-you").await;
    assert_eq!(walk.visit_app().await, "2");
    walk.open(&walk.team).await;
    walk.says("1 thing needs you").await;
    walk.look("home-needs-you").await;
    walk.open(app).await;
    walk.tab("Variables").await;
    let path = "//tr[contains(., 'UP_STATUS')]//button";
    walk.browser.client.find(Locator::XPath(path)).await.unwrap().click().await.unwrap();
    walk.says("Removed.").await;
}

/// Releases, what each changed, and back to the first.
async fn roll_back(walk: &Walk, app: &str) {
    walk.open(app).await;
    walk.tab("Releases").await;
    walk.look("releases").await;
    walk.press("v2").await;
    walk.says("Changed since v1").await;
    walk.says("Ahoy").await;
    walk.look("release").await;
    walk.tab("Releases").await;
    walk.press("Roll back to v1").await;
    walk.says_at_last("succeeded").await;
    walk.look("deploy-back").await;
}

/// Every other page of a team, by the rail.
async fn places(walk: &Walk) {
    for (place, name) in [("Apps", "apps"), ("Hosts", "hosts"), ("Projects", "projects"), ("History", "history")] {
        walk.go(place).await;
        walk.look(name).await;
    }
    // On a narrow screen the bar has no room for History: it stands in the menu of the account.
    walk.go("Hosts").await;
    walk.browser.window(390, 844, true).await;
    let menu = walk.browser.client.find(Locator::Css("summary.avatar")).await.unwrap();
    menu.click().await.unwrap();
    let kind = if walk.browser.keep { "webp" } else { "png" };
    walk.browser.shoot(&format!("menu-390.{kind}"), kind).await;
    let narrow = walk
        .browser
        .client
        .find(Locator::XPath(
            "//*[contains(@class, 'menu')]//a[contains(@class, 'narrow')][normalize-space(.)='History']",
        ))
        .await
        .unwrap();
    narrow.click().await.unwrap();
    walk.says("Nobody can change or remove a line.").await;
    walk.browser.window(1280, 900, false).await;
    walk.go("Hosts").await;
    walk.press("fra-1").await;
    walk.says("Web port").await;
    walk.look("host").await;
    walk.go("Apps").await;
    walk.press("Hello").await;
    for (tab, name) in [("Source", "app-source"), ("Routes", "app-routes")] {
        walk.tab(tab).await;
        walk.look(name).await;
    }
    walk.tab("Volumes").await;
    walk.says("No volume").await;
    walk.fill(&[("name", "uploads"), ("path", "/srv/uploads")]).await;
    walk.press("Add volume").await;
    walk.says("not made yet").await;
    walk.look("app-volumes").await;
    walk.press("See the plan").await;
    walk.says("make the volume uploads on fra-1").await;
    walk.go("Jobs").await;
    walk.look("jobs").await;
    walk.open("/account").await;
    walk.says("Signed in").await;
    walk.look("account").await;
}

/// Out, in again, and everything is as it was.
async fn sign_out_and_in(walk: &Walk) {
    walk.browser.client.find(Locator::Css("summary.avatar")).await.unwrap().click().await.unwrap();
    walk.press("Sign out").await;
    walk.says("Forgot the password?").await;
    walk.open(&walk.team).await;
    walk.says("Forgot the password?").await;
    walk.look("login").await;
    walk.fill(&[("email", "ada@example.org"), ("password", PASSWORD)]).await;
    walk.press("Sign in").await;
    walk.says("All well").await;
    assert_eq!(walk.path().await, walk.team, "back to where one wanted to go");
    walk.look("home").await;
    if walk.browser.keep {
        // The README's picture.
        walk.browser.shoot("home-light.png", "png").await;
    }
}
